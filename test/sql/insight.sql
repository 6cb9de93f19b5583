-- Customer-base models: fits against published and independently computed maxima, and what must not matter.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set summary :abs_srcdir '/data/cdnow_summary.csv'
\set ECHO all
\set VERBOSITY default
SET extra_float_digits = 0;

CREATE TEMP TABLE summary (x int, t_x_days int, t_days int, spend_cents bigint, customers int);
\set ECHO none
COPY summary FROM :'summary' (FORMAT csv, HEADER);
\set ECHO all
CREATE TEMP TABLE sample AS
    SELECT x, t_x_days / 7.0::float8 AS t_x, t_days / 7.0::float8 AS t, spend_cents / 100.0::float8 / nullif(x, 0) AS m_x
      FROM summary, generate_series(1, customers);

-- CDNOW sample: log-likelihoods and parameters (reference: tight-tolerance maximisation, published values).
CREATE TEMP TABLE fit AS
          SELECT (crm.nbd_fit(x, t_x, t)).* FROM sample
UNION ALL SELECT (crm.bg_nbd_fit(x, t_x, t)).* FROM sample
UNION ALL SELECT (crm.mbg_nbd_fit(x, t_x, t)).* FROM sample
UNION ALL SELECT (crm.pareto_nbd_fit(x, t_x, t)).* FROM sample
UNION ALL SELECT (crm.gamma_gamma_fit(x, m_x)).* FROM sample;
CREATE TEMP TABLE reference (model text, log_likelihood float8, parameters float8[], standard_errors float8[]);
INSERT INTO reference VALUES
    ('nbd', -9763.657615, '{.3847661, 12.0720227}', NULL),
    ('bg_nbd', -9582.429207, '{.2425945, 4.4136017, .792922, 2.4259065}', NULL),
    ('mbg_nbd', -9582.135716, '{.5248432, 6.1830859, .8913593, 1.6140019}', NULL),
    ('pareto_nbd', -9594.976179, '{.553277, 10.57768, .606240, 11.66874}', '{.0476264, .8427222, .1872594, 6.2105448}'),
    ('gamma_gamma', -4055.917695, '{6.2495731, 3.7442246, 15.4435184}', NULL);
SELECT model, customers, distinct_rows, converged, boundary, gradient_norm < 1e-6 AS flat,
       abs(f.log_likelihood - r.log_likelihood) < 1e-4 AS right_likelihood, f.log_likelihood > r.log_likelihood - 1e-6 AS not_below,
       (SELECT bool_and(abs(a / b - 1) < 1e-4) FROM unnest(f.parameters, r.parameters) AS p(a, b)) AS right_parameters,
       (SELECT bool_and(abs(a / b - 1) < 1e-3) FROM unnest(f.standard_errors, r.standard_errors) AS p(a, b) WHERE b IS NOT NULL) AS right_errors
  FROM fit f JOIN reference r USING (model);
-- The published roundings.
SELECT model, ARRAY(SELECT round(p::numeric, 3) FROM unnest(parameters) AS p) FROM fit WHERE model <> 'nbd';
-- Standard errors are the roots of the covariance's diagonal.
SELECT model, bool_and(abs(sqrt(covariance[i][i]) - standard_errors[i]) < 1e-12) FROM fit, generate_subscripts(parameters, 1) AS i GROUP BY model ORDER BY model;

-- Predictions. P(alive) and purchases in 39 weeks of four customers, and sums over all; the Pareto/NBD's by direct integration
-- of its definition at its maximum.
SELECT max(parameters) FILTER (WHERE model = 'nbd') AS nbd, max(parameters) FILTER (WHERE model = 'bg_nbd') AS bg,
       max(parameters) FILTER (WHERE model = 'mbg_nbd') AS mbg, max(parameters) FILTER (WHERE model = 'pareto_nbd') AS pareto,
       max(parameters) FILTER (WHERE model = 'gamma_gamma') AS gg FROM fit \gset
CREATE TEMP TABLE four (customer int, x int, t_x float8, t float8, m_x float8, expected float8[], spend float8);
INSERT INTO four VALUES
    (1, 2, 213 / 7.0, 272 / 7.0, 44.69 / 2, '{.726620, 1.225993, .706135, 1.262747, .869134, 1.455202}', 24.654031),
    (4, 0, 0, 272 / 7.0, NULL, '{1, .194794, .389722, .153966, .295113, .107070}', 35.170499),
    (6, 7, 206 / 7.0, 272 / 7.0, 516.19 / 7, '{.641835, 3.337573, .622674, 3.167118, .749453, 3.712087}', 71.464612),
    (1516, 26, 216 / 7.0, 31, 1039.22 / 26, '{.968855, 20.748917, .965484, 19.446407, .997873, 20.114821}', 39.890285);
SELECT customer, bool_and(abs(a / b - 1) < 1e-4) AS right_prediction, bool_and(abs(crm.gamma_gamma_spend(:'gg', x, m_x) / spend - 1) < 1e-4) AS right_spend
  FROM four, unnest(ARRAY[crm.bg_nbd_alive(:'bg', x, t_x, t), crm.bg_nbd_expected(:'bg', x, t_x, t, 39),
                          crm.mbg_nbd_alive(:'mbg', x, t_x, t), crm.mbg_nbd_expected(:'mbg', x, t_x, t, 39),
                          crm.pareto_nbd_alive(:'pareto', x, t_x, t), crm.pareto_nbd_expected(:'pareto', x, t_x, t, 39)],
                    expected) AS p(a, b)
 GROUP BY customer ORDER BY customer;
SELECT round(sum(crm.bg_nbd_alive(:'bg', x, t_x, t))::numeric, 2) AS bg_alive, round(sum(crm.bg_nbd_expected(:'bg', x, t_x, t, 39))::numeric, 2) AS bg_expected,
       round(sum(crm.mbg_nbd_alive(:'mbg', x, t_x, t))::numeric, 2) AS mbg_alive, round(sum(crm.mbg_nbd_expected(:'mbg', x, t_x, t, 39))::numeric, 2) AS mbg_expected,
       round(sum(crm.pareto_nbd_alive(:'pareto', x, t_x, t))::numeric, 2) AS pareto_alive, round(sum(crm.pareto_nbd_expected(:'pareto', x, t_x, t, 39))::numeric, 2) AS pareto_expected
  FROM sample;
-- Spend: no repeat purchases give the population's mean; value over twelve months at 1 % a month.
SELECT round(crm.gamma_gamma_spend(:'gg', 0, NULL)::numeric, 4) AS population, round(crm.gamma_gamma_spend(:'gg', 0, 0)::numeric, 4) AS the_same,
       round(crm.gamma_gamma_spend(:'gg', 2, 22.35)::numeric, 3) AS customer_1;
SELECT round(sum(crm.customer_value('bg_nbd', :'bg', x, t_x, t, crm.gamma_gamma_spend(:'gg', x, m_x), 12 * 4.345, 0.01, 4.345))::numeric, 2) AS twelve_months FROM sample;

-- Intervals hold the estimate and widen with the level.
SELECT what, round((a).value::numeric, 6) AS value, (a).lower < (a).value AND (a).value < (a).upper AS inside, (b).lower < (a).lower AND (a).upper < (b).upper AS wider,
       round((a).lower::numeric, 4) AS lower, round((a).upper::numeric, 4) AS upper
  FROM (SELECT model || ' alive' AS what, crm.alive_interval(model, parameters, covariance, 2, 30.4286, 38.8571) AS a, crm.alive_interval(model, parameters, covariance, 2, 30.4286, 38.8571, 0.99) AS b FROM fit WHERE model NOT IN ('nbd', 'gamma_gamma')
        UNION ALL SELECT model || ' expected', crm.expected_interval(model, parameters, covariance, 2, 30.4286, 38.8571, 39), crm.expected_interval(model, parameters, covariance, 2, 30.4286, 38.8571, 39, 0.99) FROM fit WHERE model <> 'gamma_gamma') i ORDER BY 1;

-- The same bits in any order, serial, parallel or in two stages.
CREATE TEMP TABLE ways AS SELECT 'serial' AS way, crm.mbg_nbd_fit(x, t_x, t) AS fit FROM sample;
INSERT INTO ways SELECT 'backwards', crm.mbg_nbd_fit(x, t_x, t ORDER BY t, t_x DESC, x) FROM sample;
CREATE AGGREGATE pg_temp.mbg_state(float8, float8, float8) (SFUNC = crm.mbg_nbd_accum, STYPE = bytea, COMBINEFUNC = crm.fit_combine);
CREATE AGGREGATE pg_temp.merge_states(bytea) (SFUNC = crm.fit_combine, STYPE = bytea);
INSERT INTO ways SELECT 'two stages', crm.fit_final(pg_temp.merge_states(state))
  FROM (SELECT pg_temp.mbg_state(x, t_x, t) AS state FROM sample GROUP BY x % 7, round(t) ) s;
INSERT INTO ways SELECT 'two states', crm.fit_final(crm.fit_combine(a, b))
  FROM (SELECT pg_temp.mbg_state(x, t_x, t) FILTER (WHERE x > 1) AS a, pg_temp.mbg_state(x, t_x, t) FILTER (WHERE x <= 1) AS b FROM sample) s;
CREATE TABLE insight_parallel AS SELECT * FROM sample;
ALTER TABLE insight_parallel SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT crm.mbg_nbd_fit(x, t_x, t) FROM insight_parallel;
INSERT INTO ways SELECT 'parallel', f FROM (SELECT crm.mbg_nbd_fit(x, t_x, t) AS f FROM insight_parallel) p;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP TABLE insight_parallel;
SELECT count(*) AS ways, count(DISTINCT (fit).parameters) AS parameters, count(DISTINCT (fit).log_likelihood) AS likelihoods,
       count(DISTINCT (fit).covariance) AS covariances, count(DISTINCT (fit).customers) AS customers FROM ways;
-- A group is fitted by itself, and as a window.
SELECT g, (f).customers, (f).converged FROM (SELECT x % 2 AS g, crm.bg_nbd_fit(x, t_x, t) AS f FROM sample GROUP BY 1) s ORDER BY g;
SELECT DISTINCT (crm.bg_nbd_fit(x, t_x, t) OVER ()).parameters = (SELECT parameters FROM fit WHERE model = 'bg_nbd') AS same FROM sample;

-- In days, alpha is in days, and the likelihood a density per day.
SELECT bool_and(abs((f).parameters[i] / (p.parameters[i] * CASE WHEN i IN (2, 4) THEN 7 ELSE 1 END) - 1) < 1e-6) AS parameters,
       bool_and(abs((f).log_likelihood - p.log_likelihood + 2457 * ln(7.0)) < 1e-6) AS likelihood
  FROM (SELECT crm.pareto_nbd_fit(x, t_x * 7, t * 7) AS f FROM sample) d, (SELECT * FROM fit WHERE model = 'pareto_nbd') p, generate_series(1, 4) AS i;

-- Rows with nulls are not counted; no rows, no fit.
SELECT (crm.bg_nbd_fit(x, t_x, t)).customers FROM (SELECT x, t_x, t FROM sample UNION ALL VALUES (NULL, 1, 2), (1, NULL, 2), (1, 1, NULL)) s;
SELECT crm.bg_nbd_fit(x, t_x, t) IS NULL AS no_rows FROM sample WHERE x < 0;
SELECT (crm.gamma_gamma_fit(x, m_x)).customers AS who_spent, count(*) FROM sample;

-- Rows that cannot be are refused, each named.
SELECT crm.bg_nbd_fit(1, 11, 10);
SELECT crm.bg_nbd_fit(-1, 1, 10);
SELECT crm.bg_nbd_fit(1.5, 1, 10);
SELECT crm.mbg_nbd_fit(2, 0, 10);
SELECT crm.pareto_nbd_fit(0, 1, 10);
SELECT crm.pareto_nbd_fit(1, -1, 10);
SELECT crm.nbd_fit(1, 1, 'infinity');
SELECT crm.nbd_fit(1, 'nan', 10);
SELECT crm.nbd_fit('nan', 1, 10);
SELECT crm.nbd_fit(1e10, 1, 10);
SELECT crm.gamma_gamma_fit(1, -5);
SELECT crm.gamma_gamma_fit(1, 'nan');
SELECT crm.bg_bb_fit(3, 2, 6);
SELECT crm.bg_bb_fit(1, 2, 20000);
SELECT crm.sbg_fit(0, true);
SELECT crm.sbg_fit(1.5, false);
SELECT crm.survival(-1, true);

-- No maximum inside: a result that says so, never NaN.
SELECT name, (f).model, (f).parameters IS NULL AS no_parameters, (f).boundary, (f).converged,
       (f).log_likelihood::text <> 'NaN' AND 'NaN' <> ALL (coalesce((f).parameters, '{}')) AS numbers
  FROM (      SELECT 1, 'nobody buys again', crm.bg_nbd_fit(0, 0, t) FROM generate_series(10, 20) AS t
    UNION ALL SELECT 2, 'nobody buys again', crm.pareto_nbd_fit(0, 0, t) FROM generate_series(10, 20) AS t
    UNION ALL SELECT 3, 'T = 0', crm.mbg_nbd_fit(0, 0, 0)
    UNION ALL SELECT 4, 'one customer', crm.bg_nbd_fit(2, 8, 10)
    UNION ALL SELECT 5, 'one customer', crm.mbg_nbd_fit(2, 8, 10)
    UNION ALL SELECT 6, 'one customer', crm.pareto_nbd_fit(2, 8, 10)
    UNION ALL SELECT 7, 'constant frequency', crm.bg_nbd_fit(10, 40, 40) FROM generate_series(1, 100)
    UNION ALL SELECT 8, 'constant frequency', crm.pareto_nbd_fit(10, 40, 40) FROM generate_series(1, 100)
    UNION ALL SELECT 9, 'no drop-out', crm.bg_nbd_fit(1 + x * x, 40, 40) FROM generate_series(0, 9) AS x
    UNION ALL SELECT 10, 'no drop-out', crm.mbg_nbd_fit(1 + x * x, 40, 40) FROM generate_series(0, 9) AS x
    UNION ALL SELECT 11, 'no drop-out', crm.pareto_nbd_fit(1 + x * x, 40, 40) FROM generate_series(0, 9) AS x
    UNION ALL SELECT 12, 'x = 200', crm.bg_nbd_fit(200, 38, 40) FROM generate_series(1, 5)
    UNION ALL SELECT 13, 'x = 200', crm.pareto_nbd_fit(200, 38, 40) FROM generate_series(1, 5)
    UNION ALL SELECT 14, 'all spend the same', crm.gamma_gamma_fit(2, 10) FROM generate_series(1, 5)
    UNION ALL SELECT 15, 'none lost', crm.sbg_fit(5, false)
    UNION ALL SELECT 16, 'all lost', crm.sbg_fit(1, true)
    UNION ALL SELECT 17, 'no opportunity taken', crm.bg_bb_fit(0, 0, 6)) AS s(number, name, f)
 ORDER BY number;
-- Without drop-out it is the NBD, with its likelihood, errors and predictions.
SELECT abs((f).log_likelihood - (n).log_likelihood) < 1e-6 AS likelihood, (f).parameters[3:4], abs((f).standard_errors[1] / (n).standard_errors[1] - 1) < 1e-4 AS error,
       (f).standard_errors[3] IS NULL AS unknown, crm.bg_nbd_alive((f).parameters, 1, 5, 40) AS alive,
       abs(crm.bg_nbd_expected((f).parameters, 1, 5, 40, 13) - crm.nbd_expected((n).parameters, 1, 5, 40, 13)) < 1e-6 AS expected
  FROM (SELECT crm.bg_nbd_fit(1 + x * x, 40, 40) AS f, crm.nbd_fit(1 + x * x, 40, 40) AS n FROM generate_series(0, 9) AS x) s;
