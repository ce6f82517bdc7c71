SELECT id, lane, state, method, outcome, failure, flags, step, opened_us, closed_us, record, challenge, liveness,
    score_milli, consents, face_failed, card_ms, photo_ms, face_ms, pin_ms, ask_ms, total_ms, apdus, frames,
    answer, payload
FROM visits WHERE opened_us >= ?1 AND opened_us < ?2
    AND (?4 = 0 OR (opened_us, id) < (SELECT opened_us, id FROM visits WHERE id = ?4)) ORDER BY opened_us DESC, id DESC LIMIT ?3;
