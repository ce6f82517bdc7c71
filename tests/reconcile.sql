-- The books of a desk against each other: the service's ledger, the desk's own book of questions, its visits and its
-- audit log, the cards' counters, every command the cards got, and what the guest noted down that it did and saw.
-- tests/reconcile.sh fills ledger_lines, book_lines, verifies, counters and attaches the desk's database as main.
-- Each rule adds one row to verdicts: how many things it looked at, how many of them are wrong, and some of these.

CREATE TEMP TABLE verdicts (rule TEXT, looked INTEGER, wrong INTEGER, which TEXT);

-- ---- the ledger and the guest's book, as columns. A line torn by a kill -9 is no line. ------------------------------------
CREATE TEMP TABLE ledger AS
SELECT file, line ->> 'seq' AS seq, line ->> 'kind' AS kind, line ->> 'request_id' AS request, line ->> 'http' AS http, line ->> 'outcome' AS outcome,
       line ->> 'nonce' AS nonce, line ->> 'subject' AS subject, line -> 'effect' AS effect, line ->> '$.effect.set.registration' AS registered,
       line -> 'first_answer' IS NOT NULL AS acted, line
FROM ledger_lines WHERE json_valid(line);
CREATE TEMP TABLE questions AS
SELECT *, CAST(substr(request, 2, instr(request, '-') - 2) AS INTEGER) AS visit FROM ledger
WHERE request IS NOT NULL AND kind IN ('search', 'card_session', 'register', 'consents');
CREATE INDEX temp.questions_by_request ON questions (request);
CREATE TEMP TABLE book AS
SELECT line ->> 'event' AS event, line ->> 'lane' AS lane, CAST(line ->> 'visit' AS INTEGER) AS visit, line ->> 'card' AS card,
       line ->> 'action' AS action, line ->> 'surface' AS surface, line ->> 'accepted' AS accepted, line ->> 'entry' AS entry, line ->> 'right' AS was_right,
       line ->> 'outcome' AS outcome, line ->> 'link' AS link, line -> 'consents' AS consents, line ->> 'us' AS us
FROM book_lines WHERE json_valid(line);
CREATE TEMP TABLE steps AS -- of the audit log: what moved a visit
SELECT id, visit, lane, event, substr(detail, 1, instr(detail, '>') - 1) AS came_from, substr(detail, instr(detail, '>') + 1) AS went_to
FROM audit WHERE instr(detail, '>') > 0
UNION ALL -- a step that could not be stored: the visit went to staff all the same, from wherever it stood
SELECT id, visit, lane, event, NULL, detail FROM audit WHERE event = 'stored_late';

-- ---- questions ------------------------------------------------------------------------------------------------------------------
INSERT INTO verdicts SELECT 'every question in the ledger was written down by the desk first', count(*), total(wrong), group_concat(CASE WHEN wrong THEN request END, ' ')
FROM (SELECT request, request NOT IN (SELECT correlation FROM asks) AS wrong FROM (SELECT DISTINCT request FROM questions));

INSERT INTO verdicts SELECT 'and belongs to the visit and is of the kind that stand there', count(*), total(wrong), group_concat(CASE WHEN wrong THEN request END, ' ')
FROM (SELECT DISTINCT q.request, a.visit IS NOT q.visit OR q.kind IS NOT CASE a.kind WHEN 1 THEN 'search' WHEN 2 THEN 'card_session' WHEN 3 THEN 'register' WHEN 4 THEN 'consents' END AS wrong
      FROM questions q JOIN asks a ON a.correlation = q.request);

INSERT INTO verdicts SELECT 'every question that was answered stands in the ledger as answered', count(*), total(wrong), group_concat(CASE WHEN wrong THEN correlation END, ' ')
FROM (SELECT correlation, NOT EXISTS (SELECT 1 FROM questions WHERE request = correlation AND http = 200) AS wrong FROM asks WHERE outcome = 0);

-- The questions about slips come by themselves: one may be under way when the desk is stopped, and ends with its next start.
INSERT INTO verdicts SELECT 'no question is left without its end', count(*), total(wrong), group_concat(CASE WHEN wrong THEN correlation END, ' ')
FROM (SELECT correlation, outcome = 255 AND NOT (correlation LIKE 'S%' AND asked_us > (SELECT at_us FROM audit ORDER BY id DESC LIMIT 1) - 5000000) AS wrong FROM asks);

INSERT INTO verdicts SELECT 'no registration is made twice for one visit', count(*), total(n > 1), group_concat(CASE WHEN n > 1 THEN visit END, ' ')
FROM (SELECT visit, count(registered) AS n FROM questions WHERE kind = 'register' GROUP BY visit);

INSERT INTO verdicts SELECT 'no change is sent twice under different names', count(*), total(n > 1), group_concat(CASE WHEN n > 1 THEN visit END, ' ')
FROM (SELECT visit, count(*) AS n FROM asks WHERE writes = 1 GROUP BY visit);

INSERT INTO verdicts SELECT 'no change that was "not sent" arrived', count(*), total(wrong), group_concat(CASE WHEN wrong THEN correlation END, ' ')
FROM (SELECT correlation, EXISTS (SELECT 1 FROM questions WHERE request = correlation AND acted) AS wrong FROM asks WHERE writes = 1 AND outcome = 1);

INSERT INTO verdicts SELECT 'a signed statement opens one entitlement only', count(*), total(n > 1), group_concat(CASE WHEN n > 1 THEN nonce END, ' ')
FROM (SELECT nonce, count(DISTINCT request) AS n FROM questions WHERE nonce IS NOT NULL AND outcome LIKE 'validity%' GROUP BY nonce);

INSERT INTO verdicts SELECT 'the service was told the consents that the patient gave', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit END, ' ')
FROM (SELECT q.visit, NOT EXISTS (SELECT 1 FROM book b WHERE b.visit = q.visit AND b.action IN ('consent', 'no') AND b.accepted <> 'no' AND
          (SELECT total(CASE value WHEN 'limit' THEN 1 WHEN 'drugs' THEN 2 WHEN 'checkup' THEN 4 WHEN 'diagnosis' THEN 8 WHEN 'operation' THEN 16 WHEN 'disease' THEN 32 END)
           FROM json_each(coalesce(b.consents, '[]'))) = q.bits) AS wrong
      FROM (SELECT visit, (SELECT total(CASE k.value WHEN '1' THEN CASE k.key WHEN 'LimitApplicationCertificateRelatedConsFlg' THEN 1 WHEN 'PharmacistsInfoConsFlg' THEN 2
              WHEN 'SpecificHealthCheckupsInfoConsFlg' THEN 4 WHEN 'DiagnosisInfoConsFlg' THEN 8 WHEN 'OperationInfoConsFlg' THEN 16 WHEN 'SpecificDiseasesCertificateRelatedConsFlg' THEN 32 END END)
            FROM json_each(effect, '$.set') s, json_each(s.value) k WHERE s.key LIKE 'consents.%') AS bits
            FROM questions WHERE kind = 'card_session' AND effect IS NOT NULL) q);

-- ---- visits ----------------------------------------------------------------------------------------------------------------------
INSERT INTO verdicts SELECT 'every visit that the guest saw stands in the database', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit END, ' ')
FROM (SELECT visit, visit NOT IN (SELECT id FROM visits) AS wrong FROM (SELECT DISTINCT visit FROM book WHERE event = 'visit'));

-- (But for as many without a card as there are look-ups whose answer was lost: only that answer has the visit's number.)
INSERT INTO verdicts SELECT 'and no other does', count(*), total(wrong AND NOT looked_up) + max(total(wrong AND looked_up) - (SELECT count(*) FROM book WHERE event = 'lookup' AND visit = 0 AND NOT link AND accepted = '?'), 0), group_concat(CASE WHEN wrong THEN id END, ' ')
FROM (SELECT id, id NOT IN (SELECT visit FROM book WHERE event IN ('visit', 'lookup')) AND id NOT IN (SELECT visit FROM temp.unseen) AS wrong, EXISTS (SELECT 1 FROM audit a WHERE a.visit = visits.id AND a.event = 'lookup') AS looked_up FROM visits);

INSERT INTO verdicts SELECT 'each at its lane', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit END, ' ')
FROM (SELECT DISTINCT b.visit, b.lane <> v.lane AS wrong FROM book b JOIN visits v ON v.id = b.visit WHERE b.event = 'visit' AND v.method NOT IN (4, 6, 7));

INSERT INTO verdicts SELECT 'each ended as the guest saw it end', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit END, ' ')
FROM (SELECT b.visit, b.outcome IS NOT CASE v.outcome WHEN 0 THEN 'open' WHEN 1 THEN 'eligible' WHEN 2 THEN 'not_eligible' WHEN 3 THEN 'unknown' WHEN 4 THEN 'last_known'
                  WHEN 5 THEN 'refused' WHEN 6 THEN 'abandoned' WHEN 7 THEN 'staff' WHEN 8 THEN 'pending' END AS wrong
      FROM book b JOIN visits v ON v.id = b.visit WHERE b.event = 'ended' AND b.visit > 0 AND v.id NOT IN (SELECT visit FROM slips WHERE ended_us > 0)); -- else asked later

INSERT INTO verdicts SELECT 'no visit is left undecided', count(*), total(outcome = 0), group_concat(CASE WHEN outcome = 0 THEN id END, ' ') FROM visits;

INSERT INTO verdicts SELECT 'an entitlement rests on an answer', count(*), total(answer IS NULL), group_concat(CASE WHEN answer IS NULL THEN id END, ' ')
FROM visits WHERE outcome IN (1, 2, 4);

INSERT INTO verdicts SELECT 'that was asked for, or served from the cache of the day and marked so', count(*), total(wrong), group_concat(CASE WHEN wrong THEN id END, ' ')
FROM (SELECT id, (flags & 6) = 0 AND id NOT IN (SELECT visit FROM asks WHERE outcome = 0) AS wrong FROM visits WHERE outcome IN (1, 2, 4));

-- ---- the audit log -----------------------------------------------------------------------------------------------------------------
INSERT INTO verdicts SELECT 'the audit log has no gap', count(*), max(id) - count(*), '' FROM audit;

INSERT INTO verdicts SELECT 'every visit begins in it once, from idle', count(*), total(wrong), group_concat(CASE WHEN wrong THEN id END, ' ')
FROM (SELECT v.id, (SELECT count(*) FROM steps s WHERE s.visit = v.id AND s.came_from = 'idle') <> 1 AS wrong FROM visits v);

INSERT INTO verdicts SELECT 'each step begins where the one before it ended', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit END, ' ')
FROM (SELECT visit, event <> 'stored_late' AND came_from IS NOT coalesce(lag(went_to) OVER (PARTITION BY visit ORDER BY id), 'idle') AS wrong FROM steps);

INSERT INTO verdicts SELECT 'and the last one where the visit stands', count(*), total(wrong), group_concat(CASE WHEN wrong THEN id END, ' ')
FROM (SELECT v.id, (SELECT went_to FROM steps s WHERE s.visit = v.id ORDER BY s.id DESC LIMIT 1) IS NOT (SELECT name FROM temp.states n WHERE n.id = v.state)
          AND NOT EXISTS (SELECT 1 FROM audit WHERE visit = v.id AND event IN ('orphaned', 'stored_late')) AS wrong FROM visits v);

INSERT INTO verdicts SELECT 'what patient and staff did stands in it, and nothing they did not', count(*), total(wrong), group_concat(CASE WHEN wrong THEN visit || ':' || action END, ' ')
FROM (SELECT visit, action, log < yes OR log > yes + maybe AS wrong
      FROM (SELECT visit, action, total(accepted = 'yes') AS yes, total(accepted = '?') AS maybe,
                   (SELECT count(*) FROM audit a WHERE a.visit = b.visit AND a.event = b.action) AS log FROM book b WHERE event = 'action' AND visit > 0 GROUP BY visit, action));

INSERT INTO verdicts SELECT 'what staff did carries a name, what patients did none', count(*), total(wrong), group_concat(CASE WHEN wrong THEN id END, ' ')
FROM (SELECT a.id, (a.who IS NOT NULL) IS NOT (a.event LIKE 'staff%' OR a.event IN ('lookup', 'link')) AS wrong FROM audit a
      WHERE a.event IN ('staff_confirm', 'staff_reject', 'staff_end', 'staff_retry', 'staff_looked', 'lookup', 'link', 'choose_pin', 'choose_face', 'send_pin', 'send_number_b', 'consent', 'cancel', 'yes'));

-- (A status word that a fault put in the place of the card's is no try: nothing was executed.)
-- ---- the cards ------------------------------------------------------------------------------------------------------------------------
INSERT INTO verdicts SELECT 'no card got more PINs than were keyed in for it', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || '@' || lane END, ' ')
FROM (SELECT card, lane, sent > (SELECT count(*) FROM book b WHERE b.entry = 'pin' AND b.card = v.card AND b.lane = v.lane AND b.accepted <> 'no') AS wrong
      FROM (SELECT card, lane, count(*) AS sent FROM verifies WHERE kind = 'pin' GROUP BY card, lane) v);

INSERT INTO verdicts SELECT 'nor more wrong ones than were keyed in wrong', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || '@' || lane END, ' ')
FROM (SELECT card, lane, sent > (SELECT count(*) FROM book b WHERE b.entry = 'pin' AND b.card = v.card AND b.lane = v.lane AND b.accepted <> 'no' AND NOT b.was_right) AS wrong
      FROM (SELECT card, lane, total(status LIKE '63C_') AS sent FROM verifies WHERE kind = 'pin' GROUP BY card, lane) v);

INSERT INTO verdicts SELECT 'no card got 照合番号B more often than it was keyed in', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || '@' || lane END, ' ')
-- (or the card shown to the camera)
FROM (SELECT card, lane, sent > (SELECT count(*) FROM book b WHERE (b.entry = 'number-b' OR b.action = 'show_card') AND b.card = v.card AND b.lane = v.lane AND b.accepted <> 'no') AS wrong
      FROM (SELECT card, lane, count(*) AS sent FROM verifies WHERE kind = 'b' GROUP BY card, lane) v);

INSERT INTO verdicts SELECT 'nor a wrong one more often than it was keyed in wrong', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || '@' || lane END, ' ')
FROM (SELECT card, lane, sent > (SELECT count(*) FROM book b WHERE b.entry = 'number-b' AND b.card = v.card AND b.lane = v.lane AND b.accepted <> 'no' AND NOT b.was_right) AS wrong
      FROM (SELECT card, lane, total(status LIKE '63C_') AS sent FROM verifies WHERE kind = 'b' GROUP BY card, lane) v);

INSERT INTO verdicts SELECT 'the text application gets it only after the visual one opened', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || '@' || lane END, ' ')
FROM (SELECT card, lane, total(kind = 'text-b') > total(kind = 'b' AND status = '9000') OR total(kind = 'text-b' AND status LIKE '63C_') > 0 AS wrong
      FROM verifies WHERE kind IN ('b', 'text-b') GROUP BY card, lane);

INSERT INTO verdicts SELECT 'the counter was asked before each try', count(*), total(NOT asked), group_concat(CASE WHEN NOT asked THEN card || '@' || lane END, ' ') FROM verifies;

INSERT INTO verdicts SELECT 'no PIN of another key, no password was ever tried', count(*), total(kind = 'other'), group_concat(CASE WHEN kind = 'other' THEN card || '@' || lane END, ' ') FROM verifies;

INSERT INTO verdicts SELECT 'the counters in the chips are what those tries make of them', count(*), total(wrong), group_concat(CASE WHEN wrong THEN card || ':' || kind || '=' || tries END, ' ')
FROM (SELECT c.card, c.kind, c.tries,
             c.tries IS NOT coalesce((SELECT CASE WHEN status = '9000' THEN c.most WHEN status LIKE '63C_' THEN instr('0123456789ABCDEF', substr(status, 4)) - 1 ELSE 0 END
                                      FROM verifies v WHERE v.card = c.card AND v.kind = c.kind AND (c.lane = 0 OR v.lane = c.lane) AND (status = '9000' OR status LIKE '63C_') ORDER BY at DESC LIMIT 1), c.first) AS wrong
      FROM counters c);

-- ---- the database ------------------------------------------------------------------------------------------------------------------------
INSERT INTO verdicts SELECT 'the database is whole', 1, (SELECT integrity_check <> 'ok' FROM pragma_integrity_check LIMIT 1), '';
INSERT INTO verdicts SELECT 'no foreign key points nowhere', (SELECT count(*) FROM visits), (SELECT count(*) FROM pragma_foreign_key_check), '';

SELECT printf('%-4s  %-80s %7d looked at%s', CASE WHEN coalesce(wrong, 0) = 0 THEN 'ok' ELSE 'FAIL' END, rule, looked,
              CASE WHEN coalesce(wrong, 0) = 0 THEN '' ELSE printf(', %d wrong: %.160s', wrong, which) END) FROM verdicts;
