-- Addresses: how many are read, compared and brought to their canonical form in a second of one processor. Run with psql
-- in a database that has crm; under a minute. Each figure is the best of three rounds, without the time that it takes
-- to read the same rows and count them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '256MB';

CREATE TEMP TABLE sample AS
SELECT n,
       'Given.Family' || n || '@Mail' || n % 1000 || '.Example.ORG' AS mail,
       'given.family' || n || '@straße' || n % 1000 || '.example' AS mail_idna,
       'given.family' || n || '@xn--strae-oqa.example' AS mail_ascii,
       format('+49 (0)%s / %s-%s', 200 + n % 700, 100000 + n % 900000, n % 10) AS phone,
       format('0%s / %s', 30 + n % 3 * 10, 2000000 + n) AS phone_national,
       format('HTTPS://WWW.Example%s.org:443/Given/Family?id=%s', n % 1000, n) AS web,
       format(E'Given  Family %s\nHauptstraße %s\n40211 Düsseldorf', n, n % 200) AS letter,
       '@Given_Family' || n AS social
FROM generate_series(1, 200000) AS n;
CREATE TEMP TABLE typed AS
SELECT n, mail::crm.email_address AS mail, (7919 * n % 200000 || mail)::crm.email_address AS mail_mixed, phone::crm.phone_number AS phone FROM sample;
VACUUM ANALYZE sample;
VACUUM ANALYZE typed;

CREATE FUNCTION pg_temp.seconds(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    least float8 := 'Infinity';
    began timestamptz;
    result bigint;
BEGIN
    FOR i IN 1 .. 3 LOOP
        began := clock_timestamp();
        EXECUTE query INTO result;
        least := least(least, extract(epoch FROM clock_timestamp() - began));
    END LOOP;
    RETURN least;
END $$;

SELECT what, round(rows / greatest(pg_temp.seconds(format('SELECT count(%s) FROM %s', expression, source))
                                   - pg_temp.seconds(format('SELECT count(%s) FROM %s', read, source)), 1e-6))::bigint AS "a second"
FROM (VALUES
    (1, 'read e-mail, ASCII', 'mail::crm.email_address', 'mail', 'sample', 200000),
    (2, 'read e-mail, domain in other letters', 'mail_idna::crm.email_address', 'mail_idna', 'sample', 200000),
    (3, 'read e-mail, xn--', 'mail_ascii::crm.email_address', 'mail_ascii', 'sample', 200000),
    (4, 'compare e-mail', 'nullif(a.mail OPERATOR(crm.<) b.mail, NULL)', 'nullif(a.n < b.n, NULL)', '(SELECT * FROM typed OFFSET 0) AS a JOIN typed AS b ON a.n = b.n + 1', 199999),
    (5, 'hash e-mail', 'crm.email_address_hash(mail)', 'mail', 'typed', 200000),
    (6, 'read telephone number', 'phone::crm.phone_number', 'phone', 'sample', 200000),
    (7, 'compare telephone numbers', 'nullif(a.phone OPERATOR(crm.<) b.phone, NULL)', 'nullif(a.n < b.n, NULL)', '(SELECT * FROM typed OFFSET 0) AS a JOIN typed AS b ON a.n = b.n + 1', 199999),
    (8, 'read national number, DE', 'crm.phone_number(phone_national, ''DE'')', 'phone_national', '(SELECT * FROM sample LIMIT 20000) AS s', 20000),
    (9, 'canonical_contact, email', 'crm.canonical_contact(''email'', mail)', 'mail', 'sample', 200000),
    (10, 'canonical_contact, phone', 'crm.canonical_contact(''phone'', phone)', 'phone', 'sample', 200000),
    (11, 'canonical_contact, web', 'crm.canonical_contact(''web'', web)', 'web', 'sample', 200000),
    (12, 'canonical_contact, letter, beyond ASCII', 'crm.canonical_contact(''letter'', letter)', 'letter', 'sample', 200000),
    (13, 'canonical_contact, social', 'crm.canonical_contact(''social'', social)', 'social', 'sample', 200000),
    (14, 'for scale: lower(text)', 'lower(mail)', 'mail', 'sample', 200000)
    ) AS v (n, what, expression, read, source, rows)
ORDER BY n;

\echo 'seconds to sort 200,000: e-mail addresses, telephone numbers; for scale, e-mail as text COLLATE "C", bigint'
SELECT round(pg_temp.seconds('SELECT count(*) FROM (SELECT mail_mixed FROM typed ORDER BY mail_mixed OFFSET 0) AS s')::numeric, 3) AS mail,
       round(pg_temp.seconds('SELECT count(*) FROM (SELECT phone FROM typed ORDER BY phone OFFSET 0) AS s')::numeric, 3) AS phone,
       round(pg_temp.seconds('SELECT count(*) FROM (SELECT mail_mixed::text COLLATE "C" AS t FROM typed ORDER BY t OFFSET 0) AS s')::numeric, 3) AS text,
       round(pg_temp.seconds('SELECT count(*) FROM (SELECT n::bigint * 7919 % 200000 AS i FROM typed ORDER BY i OFFSET 0) AS s')::numeric, 3) AS bigint;
