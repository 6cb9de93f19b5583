-- Customer-base models at 1,000,000 customers: fitting, refitting, scoring. Run with psql in a database that has crm; about two minutes.
-- CPU seconds are in the lines "! ... s user, ... s system"; the times of psql include everything.
--   fit BG/NBD: under 3 CPU seconds        fit Pareto/NBD: under 30        scoring: over 3,000,000 customers a second
-- "days": times in whole days, as purchase logs have them; "exact": no two customers alike.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Gamma variates of Marsaglia and Tsang 2000, for any shape.
CREATE FUNCTION pg_temp.gamma(shape float8) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    d float8 := CASE WHEN shape < 1 THEN shape + 1 ELSE shape END - 1 / 3.0::float8;
    c float8 := 1 / sqrt(9 * d);
    x float8;
    v float8;
BEGIN
    LOOP
        x := sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random());
        v := (1 + c * x) ^ 3;
        CONTINUE WHEN 1 + c * x <= 0;
        EXIT WHEN ln(1 - random()) < 0.5 * x * x + d - d * v + d * ln(v);
    END LOOP;
    RETURN d * v * CASE WHEN shape < 1 THEN (1 - random()) ^ (1 / shape) ELSE 1 END;
END $$;
-- BG/NBD with the parameters of the CDNOW sample, rounded: r = 0.25, alpha = 4.4, a = 0.8, b = 2.4.
CREATE FUNCTION pg_temp.simulate(i int, OUT x int, OUT t_x float8, OUT t float8) LANGUAGE plpgsql AS $$
DECLARE
    rate float8 := pg_temp.gamma(0.25) / 4.4;
    stays float8 := pg_temp.gamma(2.4);
    leaving float8 := 1 - stays / (stays + pg_temp.gamma(0.8));
    at float8 := 0;
BEGIN
    t := 27 + 51 * random();
    x := 0;
    t_x := 0;
    LOOP
        EXIT WHEN rate < 1e-12;
        at := at - ln(1 - random()) / rate;
        EXIT WHEN at > t;
        x := x + 1;
        t_x := at;
        EXIT WHEN random() < leaving;
    END LOOP;
END $$;
SELECT setseed(0.42);
\echo 'simulating 1,000,000 customers'
CREATE TEMP TABLE exact AS SELECT i, s.* FROM generate_series(1, 1000000) AS i, pg_temp.simulate(i) AS s;
CREATE TEMP TABLE days AS
    SELECT i, least(x, ceil(t_x * 7)) AS x, least(ceil(t_x * 7), floor(t * 7)) / 7 AS t_x, floor(t * 7) / 7 AS t FROM exact;
-- A week later: 1 % have bought once more.
CREATE TEMP TABLE later AS
    SELECT i, x + (i % 100 = 0)::int AS x, CASE WHEN i % 100 = 0 THEN t + 1 ELSE t_x END AS t_x, t + 1 AS t FROM days;
-- Pareto/NBD whose customers all leave at the same rate: the maximum lies far out, at equal drop-out.
CREATE FUNCTION pg_temp.simulate_equal(i int, OUT x int, OUT t_x float8, OUT t float8) LANGUAGE plpgsql AS $$
DECLARE
    rate float8 := pg_temp.gamma(1.5) / 10;
    gone float8 := -ln(1 - random()) / 0.03;
    at float8 := 0;
BEGIN
    t := 27 + 51 * random();
    x := 0;
    t_x := 0;
    LOOP
        at := at - ln(1 - random()) / rate;
        EXIT WHEN at > t OR at > gone;
        x := x + 1;
        t_x := at;
    END LOOP;
END $$;
CREATE TEMP TABLE equal AS SELECT s.* FROM generate_series(1, 1000000) AS i, pg_temp.simulate_equal(i) AS s;
-- Workers cannot read temporary tables.
CREATE UNLOGGED TABLE insight_bench_days AS TABLE days;
ALTER TABLE insight_bench_days SET (parallel_workers = 2);
VACUUM ANALYZE insight_bench_days;
VACUUM ANALYZE equal;
VACUUM ANALYZE exact;
VACUUM ANALYZE days;
VACUUM ANALYZE later;
SELECT count(*), count(DISTINCT (x, t_x, t)) AS distinct_rows, max(x), sum(x) FROM days;

SET client_min_messages = log;
SET log_executor_stats = on;
\timing on
\echo '--- reading the rows'
SELECT count(x), sum(t) FROM days;
\echo '--- fit BG/NBD, days'
SELECT (crm.bg_nbd_fit(x, t_x, t)).* FROM days \gset days_
\echo '--- fit BG/NBD, exact'
SELECT (crm.bg_nbd_fit(x, t_x, t)).* FROM exact \gset exact_
\echo '--- fit MBG/NBD, days'
SELECT (crm.mbg_nbd_fit(x, t_x, t)).* FROM days \gset mbg_
\echo '--- fit Pareto/NBD, days'
SELECT (crm.pareto_nbd_fit(x, t_x, t)).* FROM days \gset pareto_
\echo '--- fit Pareto/NBD, exact'
SELECT (crm.pareto_nbd_fit(x, t_x, t)).* FROM exact \gset pareto_exact_
\echo '--- fit Pareto/NBD, exact, equal drop-out'
SELECT (crm.pareto_nbd_fit(x, t_x, t)).* FROM equal \gset equal_
\echo '--- refit BG/NBD after 1 % new purchases, days'
SELECT (crm.bg_nbd_fit(x, t_x, t)).* FROM later \gset later_
\echo '--- fit BG/NBD, days, no workers, from the table that workers can read'
SELECT (f).log_likelihood FROM (SELECT crm.bg_nbd_fit(x, t_x, t) AS f FROM insight_bench_days OFFSET 0) s \gset serial_
\echo '--- fit BG/NBD, days, two workers: the plan, and the time'
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT crm.bg_nbd_fit(x, t_x, t) FROM insight_bench_days;
DO $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json, ANALYZE) SELECT crm.bg_nbd_fit(x, t_x, t) FROM insight_bench_days' INTO plan;
    IF plan #>> '{0,Plan,Plans,0,Node Type}' <> 'Gather' OR (plan #>> '{0,Plan,Plans,0,Workers Launched}')::int < 2 THEN
        RAISE EXCEPTION 'two workers were not used: %', plan;
    END IF;
END $$;
SELECT (f).log_likelihood FROM (SELECT crm.bg_nbd_fit(x, t_x, t) AS f FROM insight_bench_days OFFSET 0) s \gset parallel_
SET max_parallel_workers_per_gather = 0;
SELECT :serial_log_likelihood = :parallel_log_likelihood AS the_same;
DROP TABLE insight_bench_days;
\echo '--- score BG/NBD: alive and expected, days'
SELECT sum(crm.bg_nbd_alive(:'days_parameters', x, t_x, t)), sum(crm.bg_nbd_expected(:'days_parameters', x, t_x, t, 39)) FROM days;
\echo '--- score BG/NBD: alive and expected, exact'
SELECT sum(crm.bg_nbd_alive(:'exact_parameters', x, t_x, t)), sum(crm.bg_nbd_expected(:'exact_parameters', x, t_x, t, 39)) FROM exact;
\echo '--- score Pareto/NBD: alive and expected, days'
SELECT sum(crm.pareto_nbd_alive(:'pareto_parameters', x, t_x, t)), sum(crm.pareto_nbd_expected(:'pareto_parameters', x, t_x, t, 39)) FROM days;
\timing off
RESET log_executor_stats;
RESET client_min_messages;
\echo made with 0.25, 4.4, 0.8, 2.4
\echo :days_parameters :days_log_likelihood :days_converged
\echo :exact_parameters :exact_log_likelihood :exact_converged
\echo :pareto_parameters :pareto_log_likelihood :pareto_converged
\echo :mbg_parameters :mbg_log_likelihood :mbg_converged
\echo :equal_parameters :equal_log_likelihood :equal_converged
