-- Customer-base models on data that say little: every model, every case, with a result that carries flags or none; never NaN.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
\set VERBOSITY default

CREATE TEMP TABLE odd (what text, x int, t_x float8, t float8, z float8[]);
INSERT INTO odd
          SELECT 'no drop-out', 1 + i * i, 40, 40, ARRAY[i % 2] FROM generate_series(0, 9) AS i
UNION ALL SELECT 'constant frequency', 10, 40, 40, ARRAY[i % 2] FROM generate_series(1, 100) AS i
UNION ALL SELECT 'constant frequency, some gone', 10 - i % 3, 40 - 4 * (i % 3), 40, ARRAY[i % 2] FROM generate_series(1, 100) AS i
UNION ALL SELECT 'x = 0 for all', 0, 0, i, ARRAY[i % 2] FROM generate_series(10, 20) AS i
UNION ALL SELECT 'one customer', 2, 8, 10, '{1}'
UNION ALL SELECT 'one customer who did not come back', 0, 0, 10, '{1}'
UNION ALL SELECT 'T = 0', 0, 0, 0, '{1}'
UNION ALL SELECT 'T = 0 for some', i % 2 * 2, i % 2 * 5, i % 2 * 10, ARRAY[i % 3] FROM generate_series(1, 20) AS i
UNION ALL SELECT 'x = 200', 200, 38, 40, ARRAY[i % 2] FROM generate_series(1, 5) AS i
UNION ALL SELECT 'x = 200 among others', CASE i WHEN 1 THEN 200 ELSE i % 4 END, CASE WHEN i = 1 THEN 38 WHEN i % 4 = 0 THEN 0 ELSE 3 + i % 30 END, 40, ARRAY[i % 2] FROM generate_series(1, 50) AS i;

CREATE TEMP TABLE fitted AS
          SELECT what, 'nbd' AS kind, crm.nbd_fit(x, t_x, t) AS f FROM odd GROUP BY what
UNION ALL SELECT what, 'bg_nbd', crm.bg_nbd_fit(x, t_x, t) FROM odd GROUP BY what
UNION ALL SELECT what, 'mbg_nbd', crm.mbg_nbd_fit(x, t_x, t) FROM odd GROUP BY what
UNION ALL SELECT what, 'pareto_nbd', crm.pareto_nbd_fit(x, t_x, t) FROM odd GROUP BY what
UNION ALL SELECT what, 'bg_cnbd', crm.bg_cnbd_fit(x, t_x, t, CASE WHEN x > 0 THEN x * ln(t_x / x) - 0.01 * x ELSE 0 END) FROM odd GROUP BY what
UNION ALL SELECT what, 'mbg_cnbd', crm.mbg_cnbd_fit(x, t_x, t, CASE WHEN x > 0 THEN x * ln(t_x / x) - 0.01 * x ELSE 0 END) FROM odd GROUP BY what
UNION ALL SELECT what, 'nbd with a covariate', crm.nbd_fit(x, t_x, t, z) FROM odd GROUP BY what
UNION ALL SELECT what, 'bg_nbd with a covariate', crm.bg_nbd_fit(x, t_x, t, z) FROM odd GROUP BY what
UNION ALL SELECT what, 'mbg_nbd with a covariate', crm.mbg_nbd_fit(x, t_x, t, z) FROM odd GROUP BY what
UNION ALL SELECT what, 'pareto_nbd with a covariate', crm.pareto_nbd_fit(x, t_x, t, z) FROM odd GROUP BY what
UNION ALL SELECT what, 'gamma_gamma', crm.gamma_gamma_fit(x, CASE WHEN x > 0 THEN t_x / x END) FROM odd GROUP BY what
UNION ALL SELECT what, 'bg_bb', crm.bg_bb_fit(least(x, t_x::int), t_x::int, t::int) FROM odd GROUP BY what
UNION ALL SELECT what, 'sbg', crm.sbg_fit(t::int, x > 5) FROM odd GROUP BY what;
SELECT kind, count(*) AS cases, count(f) AS results FROM fitted GROUP BY kind ORDER BY kind;
-- A number or null everywhere, and parameters that are missing, or do not stand for a maximum inside, say why.
SELECT kind, what, f FROM fitted
 WHERE f IS NOT NULL AND (coalesce((f).log_likelihood, 0) IN ('NaN', 'Infinity', '-Infinity') OR (f).gradient_norm IN ('NaN', 'Infinity')
       OR EXISTS (SELECT FROM unnest((f).parameters) AS p WHERE p IS NULL OR p IN ('NaN', 'Infinity', '-Infinity'))
       OR EXISTS (SELECT FROM unnest((f).standard_errors || (f).covariance) AS p WHERE p IN ('NaN', 'Infinity', '-Infinity'))
       OR ((f).parameters IS NULL OR NOT (f).converged) AND (f).boundary IS NULL);
SELECT kind, what FROM fitted WHERE f IS NOT NULL AND (f).parameters IS NULL AND (f).boundary IS DISTINCT FROM 'no_information';
-- What they predict is finite, too.
SELECT kind, what, q.* FROM fitted, (VALUES (0, 0, 0), (0, 0, 30), (3, 10, 30), (200, 29, 30)) AS c(x, t_x, t),
       LATERAL (SELECT (f).parameters AS p) AS p,
       LATERAL (SELECT CASE kind WHEN 'nbd' THEN ARRAY[crm.nbd_alive(p, x, t_x, t), crm.nbd_expected(p, x, t_x, t, 52), crm.nbd_probability(p, x, t_x, t, 52, 1)]
                                 WHEN 'bg_nbd' THEN ARRAY[crm.bg_nbd_alive(p, x, t_x, t), crm.bg_nbd_expected(p, x, t_x, t, 52), crm.bg_nbd_probability(p, x, t_x, t, 52, 1)]
                                 WHEN 'mbg_nbd' THEN ARRAY[crm.mbg_nbd_alive(p, x, t_x, t), crm.mbg_nbd_expected(p, x, t_x, t, 52), crm.mbg_nbd_probability(p, x, t_x, t, 52, 1)]
                                 WHEN 'pareto_nbd' THEN ARRAY[crm.pareto_nbd_alive(p, x, t_x, t), crm.pareto_nbd_expected(p, x, t_x, t, 52), crm.pareto_nbd_probability(p, x, t_x, t, 52, 1)]
                                 WHEN 'bg_cnbd' THEN ARRAY[crm.bg_cnbd_alive(p, x, t_x, t), crm.bg_cnbd_expected(p, x, t_x, t, 52), crm.bg_cnbd_probability(p, x, t_x, t, 52, 1)]
                                 WHEN 'mbg_cnbd' THEN ARRAY[crm.mbg_cnbd_alive(p, x, t_x, t), crm.mbg_cnbd_expected(p, x, t_x, t, 52), crm.mbg_cnbd_probability(p, x, t_x, t, 52, 1)] END AS said) AS q
 WHERE kind NOT LIKE '%covariate' AND (f).parameters IS NOT NULL AND kind NOT IN ('gamma_gamma', 'bg_bb', 'sbg')
   AND NOT (said[1] BETWEEN 0 AND 1 AND said[2] >= 0 AND said[2] < 'Infinity' AND said[3] BETWEEN 0 AND 1 + 1e-12);

-- Every model in two stages gives the same bits as in one.
CREATE AGGREGATE pg_temp.merge_states(bytea) (SFUNC = crm.fit_combine, STYPE = bytea);
CREATE FUNCTION pg_temp.stages(kind text, arguments text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    same boolean;
BEGIN
    EXECUTE format('CREATE AGGREGATE pg_temp.%I_state(%s) (SFUNC = crm.%s_accum, STYPE = bytea)', kind,
                   (SELECT string_agg('float8', ',') FROM regexp_split_to_table(arguments, ';')), kind);
    EXECUTE format('SELECT (SELECT crm.%1$s_fit(%3$s) FROM odd) = (SELECT crm.fit_final(pg_temp.merge_states(s)) FROM (SELECT pg_temp.%2$I_state(%3$s) AS s FROM odd GROUP BY x %% 3, t) g)',
                   kind, kind, replace(arguments, ';', ',')) INTO same;
    RETURN same;
END $$;
SELECT kind, pg_temp.stages(kind, arguments) AS same
  FROM (VALUES ('nbd', 'x; t_x; t'), ('bg_nbd', 'x; t_x; t'), ('mbg_nbd', 'x; t_x; t'), ('pareto_nbd', 'x; t_x; t'), ('gamma_gamma', 'x; t_x / nullif(x, 0)'),
               ('bg_cnbd', 'x; t_x; t; CASE WHEN x > 0 THEN x * ln(t_x / x) - 0.01 * x ELSE 0 END'), ('mbg_cnbd', 'x; t_x; t; CASE WHEN x > 0 THEN x * ln(t_x / x) - 0.01 * x ELSE 0 END'),
               ('bg_bb', 'least(x, t_x); floor(t_x); floor(t)')) AS v(kind, arguments);
