SELECT (SELECT count(*) FROM visits), (SELECT count(*) FROM answers), (SELECT count(*) FROM links),
    (SELECT count(*) FROM asks WHERE outcome = 255), (SELECT count(*) FROM audit),
    (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()),
    (SELECT coalesce(max(answered_us), 0) FROM answers);
