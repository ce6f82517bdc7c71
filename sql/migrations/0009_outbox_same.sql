-- 照会番号登録 goes at most once: a keyed hash of the target and of what goes out finds the same that is on its way or in
-- doubt without opening all that waits. NULL: another kind, done, or written by a version that did not have the column.
ALTER TABLE outbox ADD COLUMN same_hash BLOB CHECK (length(same_hash) = 32);
CREATE INDEX outbox_same ON outbox (same_hash) WHERE kind = 3 AND state <> 2;
