INSERT INTO visits (lane, state, method, outcome, failure, flags, step, opened_us, record, challenge, liveness,
    score_milli, consents, face_failed, card_ms, photo_ms, face_ms, pin_ms, ask_ms, total_ms, apdus, frames)
VALUES (?1, 0, 0, 0, 0, 0, 0, ?2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
