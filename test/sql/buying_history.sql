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

CREATE TEMP TABLE many AS
SELECT i AS id, '2020-01-01 12:00+00'::timestamptz + i % 3001 * interval '1 day' AS t, i % 100 AS a FROM generate_series(0, 10006) AS i;
-- So does a window, and many days in any order: a running history is that of the rows so far.
SELECT count(*), count(*) FILTER (WHERE w = (SELECT buying_history(q.t, q.a) FROM p AS q WHERE q.id <= s.id)) AS same
FROM (SELECT id, buying_history(t, a) OVER (ORDER BY id) AS w FROM p) AS s WHERE id % 10 = 0;
SELECT count(DISTINCT h), min(h::text) FROM (
    SELECT buying_history(t, a) AS h FROM many
    UNION ALL SELECT buying_history(t, a ORDER BY id * 7919 % 10007) FROM many
    UNION ALL SELECT buying_history(t, a ORDER BY t DESC) FROM many) AS s;

-- The history as of a date.
SELECT c, buying_history(t, a) FILTER (WHERE t < '2020-04-01 00:00+00') AS until_march, purchases(buying_history(t, a)) FROM p GROUP BY c ORDER BY c LIMIT 3;

-- Nulls are no purchase; of none there is no history.
SELECT buying_history(t, a) FROM (VALUES (NULL::timestamptz, 1.0), ('2020-01-01 00:00+00', NULL)) AS p (t, a);
SELECT buying_history(t, a) FROM (VALUES (NULL::timestamptz, 1.0), ('2020-01-01 00:00+00', 5)) AS p (t, a);

-- Amounts: six decimals, halves away from zero.
SELECT total_spend(buying_history('2020-01-01 00:00+00', a)) FROM (VALUES (0.0000005), (0.0000004), (123456789.123456), (9000000000000)) AS p (a) GROUP BY a ORDER BY 1;

-- A double is the amount of its decimal, halves and great amounts included.
SELECT a, total_spend(buying_history('2020-01-01 00:00+00', a)), bool_and(buying_history('2020-01-01 00:00+00', a) = buying_history('2020-01-01 00:00+00', a::numeric)) OVER ()
FROM (VALUES (29.33::float8), (0.0000005), (0.00000049), (1.0000005), (4.3500015), (10000000000.29), (8999999999999.01), (1e-300), ('-0')) AS p (a) GROUP BY a ORDER BY a;
SELECT count(*), count(*) FILTER (WHERE f <> n) AS different FROM (
    SELECT buying_history('2020-01-01 00:00+00', a::float8) AS f, buying_history('2020-01-01 00:00+00', a) AS n
    FROM (SELECT (i * 7919 % 1000003) / 1000.0 + 0.0000005 AS a FROM generate_series(1, 20000) AS i) AS s GROUP BY a) AS s;

-- A numeric is read digit by digit: the same as round(), whatever its size, its scale and the form in which it is stored.
CREATE TEMP TABLE n (i int, a numeric, rest text);
ALTER TABLE n ALTER a SET STORAGE external;
ALTER TABLE n ALTER rest SET STORAGE plain;
SELECT setseed(0.5);
INSERT INTO n SELECT i, trunc((random() * power(10, i % 14 - 1))::numeric, 15) FROM generate_series(1, 20000) AS i WHERE i % 14 < 13;
INSERT INTO n SELECT i, (random() * 100)::numeric(30, 20) * power(0.1, i % 30) FROM generate_series(1, 5000) AS i;
INSERT INTO n SELECT i, round((random() * 1000)::numeric, i % 9) FROM generate_series(1, 5000) AS i;
INSERT INTO n SELECT i, (random() * 1000)::numeric(200, 100) FROM generate_series(1, 100) AS i;
INSERT INTO n SELECT i, (i + 0.123456)::numeric(12, 6) + power(0.1::numeric, 900 + i) FROM generate_series(1, 50) AS i;
-- far digits keep it long enough to be stored out of line
INSERT INTO n SELECT i, (i || '.5' || repeat('0123456789', 400))::numeric, repeat('x', 1000) FROM generate_series(1, 20) AS i;
INSERT INTO n VALUES (0, 0), (0, 0.000), (0, 10000), (0, 100000000), (0, 9e12), (0, 9e12 - 0.0000004),
    (0, 0.0000005), (0, 0.00000049999999999), (0, 0.00009999995), (0, 999999.9999995), (0, 1e-16383);
SELECT count(*) AS numbers, count(*) FILTER (WHERE total_spend(h) = round(a, 6)) AS rightly_read, max(pg_column_size(a)) > 2000 AS some_long
FROM (SELECT a, buying_history('2020-01-01 00:00+00', a) AS h FROM n GROUP BY ctid, a) AS s;
DO $$
DECLARE
    a numeric;
BEGIN
    FOREACH a IN ARRAY '{-0.01,-1e-10,-1e300,9000000000000.0000005,9000000000001,1e16,1e20,1e300,1e100000,NaN,Infinity,-Infinity}'::numeric[] LOOP
        BEGIN
            PERFORM crm.buying_history('2020-01-01 00:00+00', a);
            RAISE 'accepted: %', left(a::text, 40);
        EXCEPTION WHEN numeric_value_out_of_range THEN NULL;
        END;
    END LOOP;
END $$;

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
-- a value with one field spoiled: more days than purchases, an infinite time, a first day above the total; one byte too many
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\101\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"; head -c 48 /dev/zero; printf "\377\377"' WITH (FORMAT binary)
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\101\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\177\377\377\377\377\377\377\377\177\377\377\377\377\377\377\377"; head -c 32 /dev/zero; printf "\377\377"' WITH (FORMAT binary)
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\101\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"; head -c 47 /dev/zero; printf "\1\377\377"' WITH (FORMAT binary)
\copy h2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\102\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"; head -c 49 /dev/zero; printf "\377\377"' WITH (FORMAT binary)
SELECT count(*) FROM h2;

-- Refused, each with its reason.
SELECT ''::buying_history;
SELECT '(0,0,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT '(1,2,1997-01-01T10:00:00,1997-01-02T10:00:00,1,1)'::buying_history;
SELECT '(2,2,1997-02-30T10:00:00,1997-03-02T10:00:00,1,1)'::buying_history;
SELECT '(2,1,1997-01-01T10:00:00,1997-01-02T10:00:00,1,1)'::buying_history;
SELECT '(2,2,1997-01-01T10:00:00,1997-01-02T10:00:00,1,2)'::buying_history;
SELECT '(2,1,1997-01-01T10:00:00,1997-01-01T11:00:00,2,1)'::buying_history;
SELECT '(3,2,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT '(3,3,1997-01-01T10:00:00,1997-01-02T10:00:00,1,1)'::buying_history;
SELECT '(2,2,1997-01-02T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T11:00:00,1,1)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,9000000000000.000001,9000000000000.000001)'::buying_history;
SELECT '(2,2,1997-01-01T10:00:00,1997-01-02T10:00:00,9000000000000.000001,0)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,-1,-1)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,99999999999999999999999999999999,1)'::buying_history;
SELECT '(1,1,infinity,infinity,1,1)'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1) x'::buying_history;
SELECT '(1,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1.1234567,1)'::buying_history;
SELECT '(99999999999999999999,1,1997-01-01T10:00:00,1997-01-01T10:00:00,1,1)'::buying_history;
SELECT buying_history('infinity'::timestamptz, 1.0);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, -0.01);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 'NaN'::numeric);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 'Infinity'::float8);
SELECT buying_history('2020-01-01 00:00+00'::timestamptz, 9000000000001);
SELECT buying_history(NULL::timestamptz, -1), buying_history('2020-01-01 00:00+00'::timestamptz, NULL::float8);

-- States that the aggregate did not make: refused, or the result is without fault.
SELECT buying_history_final('\x00');
SELECT buying_history_accum('\x', '2020-01-01 00:00+00', 1.0);
SELECT buying_history_combine(repeat('a', 200)::bytea, repeat('a', 200)::bytea);
SELECT buying_history_combine(NULL, NULL), buying_history_final(NULL), buying_history_accum(NULL, NULL, 1.0);
CREATE TEMP TABLE state AS
SELECT buying_history_accum(buying_history_accum(NULL, '2020-01-01 12:00+00', 1.0), '2020-01-03 00:00+00', 2.0) AS good;
SELECT buying_history_final(good), buying_history_final(buying_history_combine(good, good)) FROM state;
SELECT buying_history_final(substr(good, 1, 77)) FROM state;
DO $$
DECLARE
    spoiled bytea;
    refused int := 0;
    h crm.buying_history;
BEGIN
    FOR i IN 0 .. (SELECT length(good) - 1 FROM state) LOOP
        FOR bit IN 0 .. 7 LOOP
            SELECT set_byte(good, i, get_byte(good, i) # (1 << bit)) INTO spoiled FROM state;
            BEGIN
                h := crm.buying_history_final(spoiled);
                IF h::text::crm.buying_history <> h THEN
                    RAISE 'accepted a faulty history: %', h;
                END IF;
                PERFORM crm.buying_history_combine(spoiled, good), crm.buying_history_accum(spoiled, '2020-01-02 00:00+00', 1.0) FROM state;
            EXCEPTION WHEN invalid_parameter_value THEN
                refused := refused + 1;
            END;
        END LOOP;
    END LOOP;
    RAISE NOTICE 'some were refused: %', refused > 100;
END $$;
-- an aggregate of somebody's own, which begins with such a state: its times are infinite
CREATE FUNCTION pg_temp.spoiled(bytea, timestamptz) RETURNS bytea LANGUAGE sql
    RETURN (SELECT overlay(good PLACING '\xffffffffffffff7f'::bytea FROM 37) FROM state);
CREATE AGGREGATE pg_temp.own(timestamptz) (SFUNC = pg_temp.spoiled, STYPE = bytea, FINALFUNC = crm.buying_history_final);
SELECT pg_temp.own('2020-01-01 00:00+00');
