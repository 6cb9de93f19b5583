-- Customer-base models: discrete and contractual ones, regularity, covariates, values, intervals, misuse, cancelling.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
\set VERBOSITY default
SET extra_float_digits = 0;

-- sBG: the published survivors of 1,000 "regular" and "high-end" customers (Fader and Hardie 2007).
CREATE TEMP TABLE survivors (periods int, regular int, high_end int);
INSERT INTO survivors SELECT n - 1, r, h FROM unnest(ARRAY[1000, 631, 468, 382, 326, 289, 262, 241], ARRAY[1000, 869, 743, 653, 593, 551, 517, 491]) WITH ORDINALITY AS u(r, h, n);
CREATE TEMP TABLE contract AS
    SELECT kind, periods, lost
      FROM (SELECT periods, true AS lost, lag(regular) OVER w - regular AS regular, lag(high_end) OVER w - high_end AS high_end FROM survivors WINDOW w AS (ORDER BY periods)
            UNION ALL SELECT 7, false, 241, 491) s, LATERAL (VALUES ('regular', regular), ('high end', high_end)) AS k(kind, n), generate_series(1, n);
SELECT kind, (f).customers, ARRAY(SELECT round(p::numeric, 4) FROM unnest((f).parameters) AS p) AS parameters, round((f).log_likelihood::numeric, 6) AS log_likelihood, (f).converged,
       round(crm.sbg_survival((f).parameters, 12)::numeric, 4) AS survival_12, round(crm.sbg_retention((f).parameters, 7)::numeric, 4) AS retention_8,
       round(crm.sbg_derl((f).parameters, 4, 0.1)::numeric, 4) AS residual
  FROM (SELECT kind, crm.sbg_fit(periods, lost) AS f FROM contract GROUP BY kind) s ORDER BY kind DESC;

-- BG/BB: the donations of Fader, Hardie and Shang 2010: 1.204, .750, .657, 2.783, and 12,884.2 donations in five years.
CREATE TEMP TABLE donor (x int, t_x int, n int, customers int);
INSERT INTO donor VALUES (0,0,6,3464), (1,1,6,1091), (1,2,6,277), (1,3,6,129), (1,4,6,78), (1,5,6,119), (1,6,6,129), (2,2,6,613), (2,3,6,255),
    (2,4,6,155), (2,5,6,173), (2,6,6,234), (3,3,6,322), (3,4,6,181), (3,5,6,225), (3,6,6,357), (4,4,6,240), (4,5,6,284), (4,6,6,512), (5,5,6,335), (5,6,6,728), (6,6,6,1203);
CREATE TEMP TABLE donor_fit AS SELECT (crm.bg_bb_fit(x, t_x, n)).* FROM donor, generate_series(1, customers);
SELECT customers, ARRAY(SELECT round(p::numeric, 3) FROM unnest(parameters) AS p) AS parameters, round(log_likelihood::numeric, 4) AS log_likelihood, converged FROM donor_fit;
SELECT round(sum(d.customers * crm.bg_bb_expected(parameters, x, t_x, n, 5))::numeric, 1) AS five_years FROM donor d, donor_fit;
SELECT x, t_x, round(crm.bg_bb_alive(parameters, x, t_x, n)::numeric, 2) AS alive, round(crm.bg_bb_alive(parameters, x, t_x, n, 1)::numeric, 2) AS alive_next
  FROM donor d, donor_fit WHERE (x, t_x) IN ((0, 0), (4, 5), (6, 6)) ORDER BY x;

-- Survival: 6-mercaptopurine (Gehan 1965), the textbooks' estimates.
SELECT ROUND(t::numeric) AS t, r AS at_risk, e AS events, round(s::numeric, 4) AS survival, round(se::numeric, 4) AS error
  FROM (SELECT crm.survival(d, e) AS c FROM (VALUES (6,true),(6,true),(6,true),(6,false),(7,true),(9,false),(10,true),(10,false),(11,false),(13,true),(16,true),
        (17,false),(19,false),(20,false),(22,true),(23,true),(25,false),(32,false),(32,false),(34,false),(35,false)) v(d, e)) q,
       unnest((c).times, (c).at_risk, (c).events, (c).survival, (c).standard_errors) AS u(t, r, e, s, se);
SELECT crm.survival(1, true), crm.survival(1, false);
SELECT crm.survival(1, NULL) IS NULL AS no_rows;

-- Simulated customers, the same on every machine: rates exponential with mean 1/4 (r = 1, alpha = 4 exp(-z / 2)), leaving after a
-- purchase with beta (1, 3) probabilities, gaps Erlang-k for k = 1 and 2.
CREATE FUNCTION pg_temp.u(bigint, bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
    RETURN (('x' || substr(md5($1 || ':' || $2), 1, 8))::bit(32)::bigint + 0.5) / 4294967296.0::float8;
CREATE TEMP TABLE who AS
    SELECT k, i, (i % 2)::float8 AS z, 27 + 26 * pg_temp.u(i, -1) AS t, -ln(pg_temp.u(i, -2)) / (4 * exp(-0.5 * (i % 2))) AS rate,
           1 + floor(ln(pg_temp.u(i, -3)) / ln(pg_temp.u(i, -4) ^ (1 / 3.0::float8))) AS leaves_after
      FROM generate_series(1, 1200) AS i, generate_series(1, 2) AS k;
CREATE TEMP TABLE simulated AS
    SELECT k, i, z, count(at) FILTER (WHERE at <= t AND n <= leaves_after) AS x, coalesce(max(at) FILTER (WHERE at <= t AND n <= leaves_after), 0) AS t_x, t,
           coalesce(sum(ln(gap)) FILTER (WHERE at <= t AND n <= leaves_after), 0) AS log_gaps
      FROM (SELECT *, sum(gap) OVER (PARTITION BY k, i ORDER BY n) AS at
              FROM (SELECT k, i, z, t, leaves_after, n, -(ln(pg_temp.u(i, 2 * n)) + CASE k WHEN 2 THEN ln(pg_temp.u(i, 2 * n + 1)) ELSE 0 END) / rate AS gap
                      FROM who, generate_series(1, 60) AS n OFFSET 0) g OFFSET 0) e
     GROUP BY k, i, z, t;

-- Regularity: k = 1 is the model without; the k that made the data is found; equal gaps ask for the largest.
SELECT abs((a).log_likelihood - (b).log_likelihood) < 1e-6 AS likelihood, (a).parameters[1:4] = (b).parameters AS parameters, (a).parameters[5] AS k, (a).model
  FROM (SELECT crm.bg_cnbd_fit(x, t_x, t, log_gaps, 1) AS a, crm.bg_nbd_fit(x, t_x, t) AS b FROM simulated WHERE k = 1) s
UNION ALL
SELECT abs((a).log_likelihood - (b).log_likelihood) < 1e-6, (a).parameters[1:4] = (b).parameters, (a).parameters[5], (a).model
  FROM (SELECT crm.mbg_cnbd_fit(x, t_x, t, log_gaps, 1) AS a, crm.mbg_nbd_fit(x, t_x, t) AS b FROM simulated WHERE k = 1) s;
SELECT k AS made_with, (f).parameters[5] AS found, (f).converged, (f).log_likelihood > (g).log_likelihood + 10 AS better_than_3,
       abs((f).parameters[1] - 1) < 4 * (f).standard_errors[1] AS r, abs((f).parameters[3] / (f).parameters[4] - 1 / 3.0) < 0.1 AS leaving
  FROM (SELECT k, crm.bg_cnbd_fit(x, t_x, t, log_gaps) AS f, crm.bg_cnbd_fit(x, t_x, t, log_gaps, 3) AS g FROM simulated GROUP BY k) s ORDER BY k;
SELECT (crm.mbg_cnbd_fit(x, t_x, t, CASE WHEN x > 0 THEN x * ln(t_x / x) ELSE 0 END)).parameters[5] AS equal_gaps FROM simulated WHERE k = 1;
SELECT crm.bg_cnbd_fit(2, 10, 12, 5);
SELECT crm.bg_cnbd_fit(0, 0, 12, 1);
SELECT crm.bg_cnbd_fit(2, 10, 12, 3, 13);
SELECT crm.bg_cnbd_fit(x, 10, 12, 0, x) FROM generate_series(2, 3) AS x;

-- Covariates: the one that made the data is found, within its error; one that did not is near 0.
SELECT (f).model, cardinality((f).parameters) AS parameters, (f).converged, (f).boundary, (f).log_likelihood - (p).log_likelihood > 10 AS explains,
       abs((f).parameters[n + 1] - 0.5) < 4 * (f).standard_errors[n + 1] AS acts, abs((f).parameters[n + 2]) < 4 * (f).standard_errors[n + 2] AS does_not, (f).distinct_rows
  FROM (      SELECT 4, crm.bg_nbd_fit(x, t_x, t, ARRAY[z, (i % 7)::float8]), crm.bg_nbd_fit(x, t_x, t) FROM simulated WHERE k = 1
    UNION ALL SELECT 4, crm.mbg_nbd_fit(x, t_x, t, ARRAY[z, i % 7]), crm.mbg_nbd_fit(x, t_x, t) FROM simulated WHERE k = 1
    UNION ALL SELECT 4, crm.pareto_nbd_fit(x, t_x, t, ARRAY[z, i % 7]), crm.pareto_nbd_fit(x, t_x, t) FROM simulated WHERE k = 1) AS s(n, f, p);
-- No covariates are none; a constant one is not identified.
SELECT (crm.bg_nbd_fit(x, t_x, t, '{}')).parameters = (crm.bg_nbd_fit(x, t_x, t)).parameters AS same,
       (crm.bg_nbd_fit(x, t_x, t, '{5}')).boundary, (crm.bg_nbd_fit(x, t_x, t, '{5}')).parameters[5:6] AS coefficients FROM simulated WHERE k = 1;
SELECT ARRAY(SELECT round(p::numeric, 6) FROM unnest(crm.covariate_parameters('bg_nbd', '{0.5, 4, 0.8, 2.5, 0.5, -0.3, 0.4, 0.2}', '{1, 2}')) AS p) AS bg_nbd,
       ARRAY(SELECT round(p::numeric, 6) FROM unnest(crm.covariate_parameters('pareto_nbd', '{0.5, 4, 0.8, 2.5, 0.5, -0.3, 0.4, 0.2}', '{1, 2}')) AS p) AS pareto_nbd,
       crm.covariate_parameters('nbd', '{0.5, 4, 0.7}', '{0}') AS nbd;
SELECT crm.bg_nbd_alive('{0.5, 4, 0.8, 2.5, 0.5, 0.4}', 1, 2, 3);
SELECT crm.covariate_parameters('bg_nbd', '{0.5, 4, 0.8, 2.5, 0.5, 0.4}', '{1, 2}');
SELECT crm.covariate_parameters('bg_bb', '{0.5, 4, 0.8, 2.5, 0.5, 0.4}', '{1}');
SELECT crm.covariate_parameters('bg_nbd', '{0.5, 4, 0.8, 2.5, 0.5, 0.4}', '{10000}');
SELECT crm.bg_nbd_fit(1, 2, 3, array_fill(1::float8, ARRAY[17]));
SELECT crm.bg_nbd_fit(1, 2, 3, ARRAY[1, NULL]);
SELECT crm.bg_nbd_fit(1, 2, 3, ARRAY['nan'::float8]);
SELECT crm.bg_nbd_fit(1, 2, 3, array_fill(1::float8, ARRAY[n])) FROM generate_series(1, 2) AS n;

-- Values, probabilities, discounts.
\set bg '{0.2425945, 4.4136017, 0.792922, 2.4259065}'
\set pareto '{0.553277, 10.57768, 0.606240, 11.66874}'
SELECT round(sum(crm.bg_nbd_probability(:'bg', 2, 30.43, 38.86, 39, n))::numeric, 6) AS bg, round(sum(n * crm.bg_nbd_probability(:'bg', 2, 30.43, 38.86, 39, n))::numeric, 6) AS bg_mean,
       round(crm.bg_nbd_expected(:'bg', 2, 30.43, 38.86, 39)::numeric, 6) AS bg_expected,
       round(sum(crm.pareto_nbd_probability(:'pareto', 2, 30.43, 38.86, 39, n))::numeric, 6) AS pareto, round(sum(n * crm.pareto_nbd_probability(:'pareto', 2, 30.43, 38.86, 39, n))::numeric, 6) AS pareto_mean,
       round(crm.pareto_nbd_expected(:'pareto', 2, 30.43, 38.86, 39)::numeric, 6) AS pareto_expected
  FROM generate_series(0, 150) AS n;
SELECT round(crm.bg_nbd_alive(:'bg', 2, 30.43, 38.86)::numeric, 6) AS now, round(crm.bg_nbd_alive(:'bg', 2, 30.43, 38.86, 13)::numeric, 6) AS in_a_quarter,
       round(crm.pareto_nbd_alive(:'pareto', 2, 30.43, 38.86, 13)::numeric, 6) AS pareto, crm.bg_nbd_alive(:'bg', 2, 30.43, 38.86, 0) = crm.bg_nbd_alive(:'bg', 2, 30.43, 38.86) AS same;
SELECT round(crm.bg_nbd_dert(:'bg', 2, 30.43, 38.86, 0.0027)::numeric, 4) AS bg, round(crm.pareto_nbd_dert(:'pareto', 2, 30.43, 38.86, 0.0027)::numeric, 4) AS pareto,
       round(crm.nbd_dert('{0.6, 8}', 4, 22, 30, 0.01)::numeric, 4) AS nbd,
       round(crm.customer_value('bg_nbd', :'bg', 2, 30.43, 38.86, 10, 'infinity', 0.0027)::numeric, 4) AS endless,
       round(crm.customer_value('bg_nbd', :'bg', 2, 30.43, 38.86, 10, 52, 0)::numeric, 4) AS undiscounted, round(10 * crm.bg_nbd_expected(:'bg', 2, 30.43, 38.86, 52)::numeric, 4) AS the_same,
       crm.customer_value('bg_nbd', :'bg', 2, 30.43, 38.86, NULL, 52, 0) IS NULL AS unknown;
-- Keeping expectations changes nothing.
SELECT count(*), count(*) FILTER (WHERE kept IS DISTINCT FROM fresh) AS different
  FROM (SELECT crm.bg_nbd_expected(:'bg', x, t_x, t, 39) AS kept, crm.bg_nbd_expected(array_append(ARRAY[0.2425945, 4.4136017, 0.792922], 2.4259065 + 0 * x), x, t_x, t, 39) AS fresh FROM simulated, generate_series(1, 3)) s;
SELECT round(sum(crm.bg_nbd_expected(p, 3, 20, 30, 39))::numeric, 6) FROM (SELECT ARRAY[0.2 + n % 2, 4, 0.8, 2.4] AS p FROM generate_series(1, 200) AS n) s;
-- An interval that is not known.
SELECT (crm.alive_interval('bg_nbd', :'bg', '{{NULL,0,0,0},{0,0,0,0},{0,0,0,0},{0,0,0,0}}', 2, 12, 30)).lower IS NULL AS unknown;

-- Wrong arguments.
SELECT crm.bg_nbd_alive('{1, 2, 3}', 1, 2, 3);
SELECT crm.bg_nbd_alive('{1, 2, 3, NULL}', 1, 2, 3);
SELECT crm.bg_nbd_alive('{1, 0, 3, 4}', 1, 2, 3);
SELECT crm.bg_nbd_alive('{1, 2, -3, 4}', 1, 2, 3);
SELECT crm.bg_nbd_alive('{{1, 2}, {3, 4}}', 1, 2, 3);
SELECT crm.bg_nbd_alive(:'bg', 1, 4, 3);
SELECT crm.bg_nbd_expected(:'bg', 1, 2, 3, -1);
SELECT crm.bg_nbd_expected(:'bg', 1, 2, 3, 'infinity');
SELECT crm.bg_nbd_probability(:'bg', 1, 2, 3, 4, -1);
SELECT crm.bg_nbd_dert(:'bg', 1, 2, 3, 0);
SELECT crm.mbg_cnbd_alive('{1, 2, 3, 4, 2.5}', 1, 2, 3);
SELECT crm.gamma_gamma_spend('{1, 2, 0}', 1, 2);
SELECT crm.gamma_gamma_spend('{1, 0.9, 2}', 0, NULL) IS NULL AS not_finite;
SELECT crm.sbg_survival('{0, 0}', 1);
SELECT crm.bg_bb_alive('{1, 1, 1, 1}', 2, 1, 3);
SELECT crm.customer_value('gamma_gamma', '{1, 2, 3}', 1, 2, 3, 4, 5, 6);
SELECT crm.customer_value('bg_nbd', :'bg', 1, 2, 3, 4, 'infinity', 0.1, 4);
SELECT crm.customer_value('bg_nbd', :'bg', 1, 2, 3, 4, 5, 0.1, 0);
SELECT crm.alive_interval('bg_nbd', :'bg', '{{1}}', 2, 12, 30);
SELECT crm.alive_interval('bg_nbd', :'bg', '{{1,0,0,0},{0,1,0,0},{0,0,1,0},{0,0,0,1}}', 2, 12, 30, 1);

-- Support functions called with what is no state.
SELECT crm.fit_final('\x');
SELECT crm.fit_final('\x00112233445566778899');
SELECT crm.survival_final(crm.bg_nbd_accum(NULL, 1, 2, 3));
SELECT crm.fit_final(crm.survival_accum(NULL, 1, true));
SELECT crm.fit_combine(crm.bg_nbd_accum(NULL, 1, 2, 3), crm.mbg_nbd_accum(NULL, 1, 2, 3));
SELECT crm.fit_combine(crm.bg_nbd_accum(NULL, 1, 2, 3), crm.bg_nbd_accum(NULL, 1, 2, 3, '{1}'));
SELECT crm.mbg_nbd_accum(crm.bg_nbd_accum(NULL, 1, 2, 3), 1, 2, 3);
SELECT length(crm.bg_nbd_accum(NULL, 1, 2, 3)) AS bytes;
-- Every byte changed in turn: an error or a result, never a crash.
DO $$
DECLARE
    state bytea := crm.bg_nbd_accum(crm.bg_nbd_accum(NULL, 1, 2, 3), 0, 0, 3);
    refused int := 0;
BEGIN
    FOR i IN 0 .. length(state) - 1 LOOP
        BEGIN
            PERFORM crm.fit_final(set_byte(state, i, get_byte(state, i) # 255)), crm.fit_combine(state, set_byte(state, i, get_byte(state, i) # 255)),
                    crm.bg_nbd_accum(set_byte(state, i, get_byte(state, i) # 255), 1, 2, 4);
        EXCEPTION WHEN invalid_binary_representation OR invalid_parameter_value OR numeric_value_out_of_range THEN
            refused := refused + 1;
        END;
    END LOOP;
    RAISE NOTICE '%', CASE WHEN refused > 50 THEN 'refused' ELSE 'let through' END;
END $$;
-- A state is not changed by a direct call.
DO $$
DECLARE
    state bytea := crm.bg_nbd_accum(NULL, 1, 2, 3);
    kept bytea := state;
BEGIN
    PERFORM crm.bg_nbd_accum(state, 2, 2, 3), crm.fit_combine(state, state);
    RAISE NOTICE '%', CASE WHEN state = kept THEN 'unchanged' ELSE 'changed' END;
END $$;

-- Cancelling a fit takes less than a second.
CREATE AGGREGATE pg_temp.pareto_state(float8, float8, float8) (SFUNC = crm.pareto_nbd_accum, STYPE = bytea);
CREATE TEMP TABLE large AS
    SELECT pg_temp.pareto_state(x, CASE WHEN x > 0 THEN t * (0.05 + 0.9 * ((i * 7919 % 10007) / 10007.0)) ELSE 0 END, t) AS state
      FROM (SELECT i, i % 9 AS x, 20 + i / 10000.0::float8 AS t FROM generate_series(1, 200000) AS i) s;
SELECT clock_timestamp() AS start \gset
SET statement_timeout = '300ms';
SELECT crm.fit_final(state) FROM large;
RESET statement_timeout;
SELECT clock_timestamp() - :'start' < interval '1.3 s' AS within_a_second;
