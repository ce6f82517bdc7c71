INSERT INTO troubles (day, failure, count) VALUES (?1, ?2, 1) ON CONFLICT (day, failure) DO UPDATE SET count = count + 1;
