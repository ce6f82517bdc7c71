DELETE FROM links WHERE subject_hash IN (SELECT l.subject_hash FROM links AS l WHERE l.linked_us < ?1
    AND NOT EXISTS (SELECT 1 FROM visits AS v WHERE v.subject_hash = l.subject_hash) ORDER BY l.linked_us LIMIT ?2);
