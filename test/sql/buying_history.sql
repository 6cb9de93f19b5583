-- crm.buying_history: text and binary, the aggregate, joining, what a history says, and what is refused.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET search_path = crm, public;
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'German';

-- The text is the same whatever the settings of the session.
SELECT buying_history(t, a) FROM (VALUES
    (timestamptz '1997-01-01 10:00+00', 29.33), ('1997-01-18 23:59:59.5+00', 29.73), ('1997-01-18 00:00+00', 0)) AS p (t, a);
SELECT '(3,2,1997-01-01T10:00:00,1997-01-18T23:59:59.5,59.06,29.33)'::buying_history;
SELECT ' (1,1,4714-11-24T00:00:00 BC,4714-11-24T00:00:00 BC,0,0) '::buying_history;
SELECT '(1,1,294276-12-31T23:59:59.999999,294276-12-31T23:59:59.999999,0.000001,0.000001)'::buying_history;

-- Any order, float8 as numeric, and parts that are combined give the same bits.
CREATE TEMP TABLE p AS
SELECT g AS id, g % 7 AS c, timestamptz '2020-02-28 12:00+00' + ((g * 7919) % 1000) * interval '7 hours' AS t, (g * 37 % 10000) / 100.0 AS a
FROM generate_series(1, 1000) AS g;
SELECT count(DISTINCT h), count(*) FROM (
    SELECT buying_history(t, a ORDER BY t) AS h FROM p UNION ALL SELECT buying_history(t, a ORDER BY t DESC) FROM p
    UNION ALL SELECT buying_history(t, a ORDER BY md5(id::text)) FROM p UNION ALL SELECT buying_history(t, a::float8) FROM p) AS x;
SELECT buying_history_final(buying_history_combine(
    buying_history_accum(NULL, '2020-01-05 00:00+00', 1.0),
    buying_history_accum(buying_history_accum(NULL, '2020-01-01 00:00+00', 2.5), '2020-01-05 10:00+00', 4::float8)));
SELECT c, purchases(h), purchase_days(h), count(DISTINCT (p.t AT TIME ZONE 'UTC')::date) = purchase_days(h) AS days_right,
       total_spend(h), sum(p.a) = total_spend(h) AS total_right
FROM (SELECT c, buying_history(t, a) AS h FROM p GROUP BY c) AS s JOIN p USING (c) GROUP BY c, h ORDER BY c LIMIT 3;

-- Parallel: the same as serial.
CREATE TABLE buying_history_p AS SELECT * FROM p;
ALTER TABLE buying_history_p SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT buying_history(t, a) FROM buying_history_p;
SELECT (SELECT buying_history(t, a) FROM buying_history_p) = (SELECT buying_history(t, a) FROM p) AS same;
DROP TABLE buying_history_p;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;

-- Nulls are no purchase; of none there is no history.
SELECT buying_history(t, a) FROM (VALUES (NULL::timestamptz, 1.0), ('2020-01-01 00:00+00', NULL)) AS p (t, a);
SELECT buying_history(t, a) FROM (VALUES (NULL::timestamptz, 1.0), ('2020-01-01 00:00+00', 5)) AS p (t, a);

-- Amounts: six decimals, halves away from zero.
SELECT total_spend(buying_history('2020-01-01 00:00+00', a)) FROM (VALUES (0.0000005), (0.0000004), (123456789.123456), (9000000000000)) AS p (a) GROUP BY a ORDER BY 1;

-- Joining.
SELECT '(1,1,2020-01-01T10:00:00,2020-01-01T10:00:00,5,5)'::buying_history + '(1,1,2020-01-01T08:00:00,2020-01-01T08:00:00,2,2)';
SELECT '(2,2,2020-01-01T10:00:00,2020-01-03T10:00:00,5,2)'::buying_history + '(2,2,2020-01-03T08:00:00,2020-01-09T08:00:00,2,1.5)';
SELECT joinable('(2,2,2020-01-01T10:00:00,2020-01-03T10:00:00,5,2)', '(1,1,2020-01-02T08:00:00,2020-01-02T08:00:00,2,2)');
SELECT '(2,2,2020-01-01T10:00:00,2020-01-03T10:00:00,5,2)'::buying_history + '(1,1,2020-01-02T08:00:00,2020-01-02T08:00:00,2,2)';

-- What a history says.
SELECT x(h), t_x(h), t_x(h, '1 day'), age(h, '1997-09-30 00:00+00'), age(h, '1997-09-30 00:00+00', '1 mon'), mean_spend(h),
       first_purchase(h) AT TIME ZONE 'UTC', last_purchase(h) AT TIME ZONE 'UTC'
FROM (SELECT '(4,3,1997-01-01T10:00:00,1997-08-02T00:00:00,79.06,29.33)'::buying_history AS h) AS s;
SELECT mean_spend('(2,1,1997-01-01T10:00:00,1997-01-01T11:00:00,79.06,79.06)');
SELECT t_x('(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)', '0');
SELECT age('(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history, 'infinity');

-- Comparing, hashing, indexes.
CREATE TEMP TABLE h (h buying_history PRIMARY KEY);
INSERT INTO h SELECT buying_history(t, a) FROM p GROUP BY c;
INSERT INTO h SELECT buying_history(t, a) FROM p WHERE c = 3;
SELECT count(*) FROM h AS a JOIN h AS b ON a.h = b.h;
SELECT count(*) FROM h AS a JOIN h AS b ON a.h < b.h;
SELECT bool_and(buying_history_hash(h) = buying_history_hash(h::text::buying_history)) FROM h;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'buying_history_ops' ORDER BY opcmethod;

-- Binary: what goes out comes in, and nothing else.
\copy h TO 'history.bin' WITH (FORMAT binary)
CREATE TEMP TABLE h2 (h buying_history);
\copy h2 FROM 'history.bin' WITH (FORMAT binary)
SELECT count(*) FROM h JOIN h2 USING (h);
\! rm -f history.bin
-- an unknown version; a negative total; one byte too few
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\101\002"; head -c 64 /dev/zero; printf "\377\377"' WITH (FORMAT binary)
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\101\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"; head -c 16 /dev/zero; printf "\377\377\377\377\377\377\377\377"; head -c 24 /dev/zero; printf "\377\377"' WITH (FORMAT binary)
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\100\1"; head -c 63 /dev/zero; printf "\377\377"' WITH (FORMAT binary)

-- Refused, each with its reason.
SELECT ''::buying_history;
SELECT '(0,0,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT '(1,2,1997-01-01T10:00:00,1997-01-02T10:00:00,1,1)'::buying_history;
SELECT '(2,2,1997-02-30T10:00:00,1997-03-02T10:00:00,1,1)'::buying_history;
SELECT '(2,1,1997-01-01T10:00:00,1997-01-02T10:00:00,1,1)'::buying_history;
SELECT '(2,2,1997-01-01T10:00:00,1997-01-02T10:00:00,1,2)'::buying_history;
SELECT '(2,1,1997-01-01T10:00:00,1997-01-01T11:00:00,2,1)'::buying_history;
SELECT '(1,1,infinity,infinity,1,1)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1) x'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1.1234567,1)'::buying_history;
SELECT '(99999999999999999999,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT buying_history('infinity'::timestamptz, 1.0);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, -0.01);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 'NaN'::numeric);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 'Infinity'::float8);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 9000000000001);
SELECT buying_history_final('\x00');
