UPDATE visits SET lane = ?2, state = ?3, method = ?4, outcome = ?5, failure = ?6, flags = ?7, step = ?8,
    closed_us = ?9, record = ?10, challenge = ?11, liveness = ?12, score_milli = ?13, consents = ?14,
    face_failed = ?15, card_ms = ?16, photo_ms = ?17, face_ms = ?18, pin_ms = ?19, ask_ms = ?20, total_ms = ?21,
    apdus = ?22, frames = ?23, answer = ?24, subject_hash = ?25, payload = ?26
WHERE id = ?1;
