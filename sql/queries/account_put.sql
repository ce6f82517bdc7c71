INSERT INTO accounts (name_hash, role, state, epoch, failures, locked_until_us, totp_step, changed_us, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (name_hash) DO UPDATE SET role = excluded.role, state = excluded.state, epoch = excluded.epoch,
    failures = excluded.failures, locked_until_us = excluded.locked_until_us, totp_step = excluded.totp_step,
    changed_us = excluded.changed_us, payload = excluded.payload;
