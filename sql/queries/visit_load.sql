SELECT id, lane, state, method, outcome, failure, flags, step, opened_us, closed_us, record, challenge, liveness,
    score_milli, consents, face_failed, card_ms, photo_ms, face_ms, pin_ms, ask_ms, total_ms, apdus, frames,
    answer, payload
FROM visits WHERE id = ?1;
