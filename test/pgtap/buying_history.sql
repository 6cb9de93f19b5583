-- crm.buying_history on real purchases: the CDNOW sample against its published summary, and against plain SQL.
BEGIN;
SET LOCAL search_path = public, tap, pg_catalog, pg_temp;
SELECT plan(10);

CREATE TEMP TABLE purchase (customer_id bigint, day date, cents bigint);
CREATE TEMP TABLE summary (customer_id bigint, x int, t_x numeric, t numeric, zbar numeric);
\set load '\\copy purchase FROM PROGRAM ''gzip -dc ' :root '/test/data/cdnow_sample.csv.gz'' WITH (FORMAT csv, HEADER)'
:load
\set load '\\copy summary FROM PROGRAM ''gzip -dc ' :root '/test/data/cdnow_summary.csv.gz'' WITH (FORMAT csv, HEADER)'
:load

SELECT results_eq('SELECT count(*), count(DISTINCT customer_id) FROM purchase', 'VALUES (6919::bigint, 2357::bigint)', 'the CDNOW sample is whole');
SELECT is(count(*), 2357::bigint, 'and so is its published summary') FROM summary;

-- The calibration ends on 1997-09-30, inclusive.
CREATE TEMP TABLE history AS
SELECT customer_id,
       crm.buying_history(day::timestamp AT TIME ZONE 'UTC', cents / 100.0) FILTER (WHERE day <= '1997-09-30') AS calibration,
       crm.buying_history(day::timestamp AT TIME ZONE 'UTC', cents / 100.0) FILTER (WHERE day > '1997-09-30') AS holdout,
       crm.buying_history(day::timestamp AT TIME ZONE 'UTC', cents / 100.0::float8) AS whole
FROM purchase GROUP BY customer_id;

SELECT is_empty($$
    SELECT customer_id, h.calibration, s
    FROM history AS h FULL JOIN summary AS s USING (customer_id)
    WHERE (crm.x(h.calibration) = s.x AND round(crm.t_x(h.calibration)::numeric, 2) = s.t_x
           AND round(crm.age(h.calibration, '1997-09-30 00:00+00')::numeric, 2) = s.t) IS NOT TRUE $$,
    'x, t_x and T are those published, for every customer');
SELECT is_empty($$
    SELECT customer_id, h.calibration, s.zbar, crm.mean_spend(h.calibration)
    FROM history AS h JOIN summary AS s USING (customer_id)
    WHERE (abs(coalesce(crm.mean_spend(h.calibration), 0) - s.zbar) <= 0.0050001) IS NOT TRUE $$,
    'the mean repeat spend is that published, to its two decimals, for every customer');
SELECT is_empty($$
    SELECT customer_id FROM history
    WHERE (crm.age(calibration, '1997-09-30 23:59:59.999999+00') = crm.age(calibration, '1997-09-30 00:00+00')
           AND crm.age(calibration, '1997-09-30 00:00+00', '1 day') = date '1997-09-30' - (crm.first_purchase(calibration) AT TIME ZONE 'UTC')::date) IS NOT TRUE $$,
    'age counts whole UTC days');
SELECT is_empty($$
    SELECT customer_id FROM history WHERE (calibration OPERATOR(crm.+) holdout) OPERATOR(crm.<>) whole OR (holdout OPERATOR(crm.+) calibration) OPERATOR(crm.<>) whole $$,
    'calibration and holdout add up to the whole, from either side');
SELECT is_empty($$
    SELECT h.customer_id FROM history AS h JOIN (
        SELECT p.customer_id, count(*) AS n, count(DISTINCT day) AS days, min(day) AS first, max(day) AS last, sum(cents) / 100.0 AS total,
               sum(cents) FILTER (WHERE day > f.first) / 100.0 AS later
        FROM purchase AS p JOIN (SELECT customer_id, min(day) AS first FROM purchase GROUP BY 1) AS f USING (customer_id) GROUP BY 1) AS s USING (customer_id)
    WHERE (crm.purchases(whole) = n AND crm.purchase_days(whole) = days AND crm.total_spend(whole) = total
           AND (crm.first_purchase(whole) AT TIME ZONE 'UTC')::date = s.first AND (crm.last_purchase(whole) AT TIME ZONE 'UTC')::date = s.last
           AND (days = 1 AND crm.mean_spend(whole) IS NULL OR crm.mean_spend(whole) = (later / (days - 1))::float8
                OR abs(crm.mean_spend(whole) - (later / (days - 1))::float8) < 1e-12 * crm.mean_spend(whole))) IS NOT TRUE $$,
    'counts, days, times and sums are those of plain SQL');

-- Purchases in random order, in random parts, each part aggregated by itself.
SELECT setseed(0.5);
CREATE TEMP TABLE part AS
SELECT customer_id, floor(random() * 3)::int AS part, day::timestamp AT TIME ZONE 'UTC' + random() * interval '86399 seconds' AS at, cents / 100.0 AS amount
FROM purchase ORDER BY random();
SELECT is_empty($$
    SELECT customer_id FROM (
        SELECT customer_id, crm.buying_history(at, amount ORDER BY at) AS h, crm.buying_history(at, amount::float8 ORDER BY at DESC) AS reversed,
               crm.buying_history(at, amount) AS shuffled FROM part GROUP BY customer_id) AS s
    WHERE h OPERATOR(crm.<>) reversed OR h OPERATOR(crm.<>) shuffled $$,
    'a history does not depend on the order of the purchases');
CREATE AGGREGATE pg_temp.state(timestamptz, numeric) (SFUNC = crm.buying_history_accum, STYPE = bytea, COMBINEFUNC = crm.buying_history_combine);
CREATE AGGREGATE pg_temp.together(bytea) (SFUNC = crm.buying_history_combine, STYPE = bytea, FINALFUNC = crm.buying_history_final);
SELECT is_empty($$
    SELECT customer_id FROM (SELECT customer_id, pg_temp.together(state ORDER BY random()) AS h FROM (
        SELECT customer_id, part, pg_temp.state(at, amount) AS state FROM part GROUP BY 1, 2) AS s GROUP BY 1) AS c
    JOIN (SELECT customer_id, crm.buying_history(at, amount) AS h FROM part GROUP BY 1) AS w USING (customer_id)
    WHERE c.h OPERATOR(crm.<>) w.h $$,
    'nor on the parts in which they were aggregated');
SELECT is_empty($$
    SELECT customer_id FROM history WHERE whole::text::crm.buying_history OPERATOR(crm.<>) whole OR whole::text::crm.buying_history::text <> whole::text $$,
    'every history survives its text');

SELECT * FROM finish();
ROLLBACK;
