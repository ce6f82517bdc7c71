SELECT name_hash, role, state, epoch, failures, locked_until_us, totp_step, changed_us, payload FROM accounts;
