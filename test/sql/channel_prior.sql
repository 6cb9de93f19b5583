-- Priors of channels: crm.beta_prior, crm.beta_regression, crm.prequential_loss and what reads them.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET extra_float_digits = 0;

-- Customers of a pattern without chance: s of s + f, and two features.
CREATE TABLE customer AS
    SELECT i, (i * 7 % 5)::float8 AS s, (i * 11 % 9 + 1)::float8 AS f, ARRAY[i % 4, i * 13 % 17]::float8[] AS x
    FROM generate_series(1, 3000) AS i;
SELECT round(a::numeric, 6) AS a, round(b::numeric, 6) AS b, round(log_likelihood::numeric, 4) AS ll, customers, observed, converged, boundary
FROM (SELECT (crm.beta_prior(s, f)).* FROM customer) AS p;
-- the same bits in another order, by parts, and by parallel workers
SELECT count(DISTINCT p::text) FROM (
    SELECT crm.beta_prior(s, f) AS p FROM customer UNION ALL
    SELECT crm.beta_prior(s, f ORDER BY i DESC) FROM customer UNION ALL
    SELECT crm.beta_prior(s, f ORDER BY md5(i::text)) FROM customer) AS t;
SELECT count(DISTINCT p::text) FROM (
    SELECT crm.beta_regression(s, f, x) AS p FROM customer UNION ALL
    SELECT crm.beta_regression(s, f, x ORDER BY i DESC) FROM customer UNION ALL
    SELECT crm.beta_regression(s, f, x ORDER BY md5(i::text)) FROM customer) AS t;
CREATE AGGREGATE prior_part(float8, float8, float8[]) (SFUNC = crm.beta_regression_accum, STYPE = bytea);
CREATE AGGREGATE prior_whole(bytea) (SFUNC = crm.beta_regression_combine, STYPE = bytea, FINALFUNC = crm.beta_regression_final);
SELECT prior_whole(part)::text = (SELECT crm.beta_regression(s, f, x)::text FROM customer) AS "parts are the whole"
FROM (SELECT prior_part(s, f, x) AS part FROM customer GROUP BY i % 7) AS t;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT crm.beta_regression(s, f, x) FROM customer;
SELECT crm.beta_regression(s, f, x)::text AS parallel FROM customer \gset
SET max_parallel_workers_per_gather = 0;
SELECT crm.beta_regression(s, f, x)::text = :'parallel' AS "parallel is serial" FROM customer;
RESET ALL;
SET extra_float_digits = 0;

-- Regression: without features the common prior; features may have any unit, and may be unknown
SELECT round((r.strength - p.a - p.b)::numeric, 6) AS strength, round((r.log_likelihood - p.log_likelihood)::numeric, 6) AS ll
FROM (SELECT (crm.beta_regression(s, f, '{}')).* FROM customer) AS r, (SELECT (crm.beta_prior(s, f)).* FROM customer) AS p;
SELECT (SELECT array_agg(round(w::numeric, 4)) FROM unnest(weights) AS w) AS weights, round(strength::numeric, 4) AS strength,
       means, (SELECT array_agg(round(d::numeric, 4)) FROM unnest(deviations) AS d) AS deviations, customers, observed, converged, boundary
FROM (SELECT (crm.beta_regression(s, f, x)).* FROM customer) AS r;
WITH r AS (SELECT (crm.beta_regression(s, f, ARRAY[x[1] * 1000 - 7, x[2]])).* FROM customer), o AS (SELECT (crm.beta_regression(s, f, x)).* FROM customer)
SELECT abs(r.weights[2] * 1000 / o.weights[2] - 1) < 1e-4 AS unit, abs(r.log_likelihood - o.log_likelihood) < 1e-4 AS ll FROM r, o;
SELECT observed, means FROM (SELECT (crm.beta_regression(s, f, ARRAY[nullif(x[1], 3), NULL])).* FROM customer) AS r;
SELECT (crm.beta_regression(s, f, x)).* FROM (VALUES (NULL::float8, 1::float8, '{1}'::float8[]), (1, NULL, '{1}'), (1, 1, NULL)) AS v (s, f, x);
SELECT (crm.beta_prior(s, f)).* FROM customer WHERE false;

-- Edges: a result that says so, and never NaN
SELECT r.* FROM (
    SELECT what, (crm.beta_prior(s, f)).* FROM (VALUES
        ('silent', 0, 0), ('only successes', 2, 0), ('only failures', 0, 2)) AS v (what, s, f) GROUP BY what) AS r ORDER BY what;
SELECT round(a::numeric, 3) AS a, round(b::numeric, 3) AS b, converged, boundary FROM (SELECT (crm.beta_prior(50, 50)).* FROM generate_series(1, 100)) AS r;
SELECT round(a::numeric, 3) AS a, round(b::numeric, 3) AS b, converged, boundary FROM (SELECT (crm.beta_prior(i % 2 * 9, (1 - i % 2) * 9)).* FROM generate_series(1, 100) AS i) AS r;
SELECT round((a / (a + b))::numeric, 3) AS mean, converged, boundary FROM (SELECT (crm.beta_prior((i % 4 = 0)::int, (i % 4 > 0)::int)).* FROM generate_series(1, 100) AS i) AS r;

-- A customer's own prior
SELECT * FROM crm.beta_regression_prior('{0}', 10, '{}', '{}');
SELECT round(a::numeric, 6) AS a, round(b::numeric, 6) AS b FROM crm.beta_regression_prior('{-1,0.5}', 10, '{2}', '{1}');
SELECT round(a::numeric, 6) AS a, round(b::numeric, 6) AS b FROM crm.beta_regression_prior('{-1,0.5}', 10, '{NULL,7}', '{2}');
SELECT * FROM crm.beta_regression_prior('{-100}', 10, '{}', '{}');
SELECT crm.beta_regression_mean('{0,1}', '{NULL}', '{0}');
SELECT crm.beta_regression_prior('{0,1}', 10, '{}', '{}');
SELECT crm.beta_regression_prior('{}', 10, '{}', '{}');
SELECT crm.beta_regression_prior('{0,NULL}', 10, '{1}', '{1}');
SELECT crm.beta_regression_prior('{{0}}', 10, '{1}', '{1}');
SELECT crm.beta_regression_prior('{0}', 0, '{}', '{}');
SELECT crm.beta_regression_prior('{0}', 'NaN', '{}', '{}');
SELECT crm.beta_regression_mean('{Infinity,-Infinity}', '{1}', '{1}');
SELECT crm.feature_values(r) FROM (VALUES (1, true, 2::smallint, 3::bigint, 4.5::numeric, 5::real, 6::float8, NULL::int, 'NaN'::float8, 'Infinity'::numeric, 1e9::numeric)) AS r;
SELECT crm.feature_values(r) FROM (VALUES (1)) AS r;
SELECT crm.feature_values(r) FROM (VALUES (1, 'text')) AS r;

-- Errors of the aggregates
SELECT crm.beta_prior(-1, 1);
SELECT crm.beta_prior(1, 'NaN');
SELECT crm.beta_prior(1e10, 1);
SELECT crm.beta_regression(1, 1, '{NaN}');
SELECT crm.beta_regression(1, 1, '{1e7}');
SELECT crm.beta_regression(1, 1, '{{1},{2}}');
SELECT crm.beta_regression(1, 1, array_fill(0::float8, '{65}'));
SELECT crm.beta_regression(1, 1, x) FROM (VALUES ('{1}'::float8[]), ('{1,2}')) AS v (x);
-- states that nobody made
SELECT crm.beta_prior_accum('\x', 1, 1);
SELECT crm.beta_prior_accum(decode(repeat('31505243', 30), 'hex'), 1, 1);
SELECT crm.beta_regression_combine(NULL, '\x00');
SELECT crm.beta_prior_final('\x0011');
SELECT crm.beta_prior_final(crm.beta_regression_accum(NULL, 1, 1, '{1}'));
SELECT crm.beta_regression_combine(crm.beta_regression_accum(NULL, 1, 1, '{1}'), crm.beta_regression_accum(NULL, 1, 1, '{1,2}'));
SELECT crm.beta_prior_final(overlay(s PLACING '\xff' FROM 13 FOR 1)) FROM crm.beta_prior_accum(NULL, 1, 1) AS s;
SELECT crm.beta_prior_final(overlay(s PLACING '\x02' FROM 21 FOR 1)) FROM crm.beta_prior_accum(NULL, 1, 1) AS s;

-- Prequential loss: an even prior costs ln 2; the second time it has learnt; together it has not
SELECT crm.prequential_loss(1, 0, i, '{1}', 1, 1) FROM generate_series(1, 1) AS i;
SELECT crm.prequential_loss(1, 0, i, '{NULL,Infinity,1e-9}', 1, 1) AS apart, crm.prequential_loss(1, 0, 7, '{NULL,Infinity,1e-9}', 1, 1) AS together FROM generate_series(1, 2) AS i;
SELECT crm.prequential_loss(1, 0, t, '{1 day,NULL}', 1, 1) AS days, crm.prequential_loss(1, 0, extract(epoch FROM t)::float8, '{86400,NULL}', 1, 1) AS seconds
FROM (VALUES (timestamptz '2026-01-01'), ('2026-01-03'), ('2026-01-04 07:00')) AS v (t);
SELECT crm.prequential_loss(0, 0, 1, '{1}', 1, 1);
SELECT crm.prequential_loss(1, 0, NULL::float8, '{1}', 1, 1);
SELECT crm.prequential_loss(1, 0, 1, '{}', 1, 1);
SELECT crm.prequential_loss(1, 0, 1, '{0}', 1, 1);
SELECT crm.prequential_loss(1, 0, 1, '{NaN}', 1, 1);
SELECT crm.prequential_loss(1, 0, now(), '{-1 day}', 1, 1);
SELECT crm.prequential_loss(1, 0, 'infinity'::timestamptz, '{1 day}', 1, 1);
SELECT crm.prequential_loss(1, 0, 'Infinity'::float8, '{1}', 1, 1);
SELECT crm.prequential_loss(-1, 0, 1, '{1}', 1, 1);
SELECT crm.prequential_loss(1, 0, 1, '{1}', 0, 1);
SELECT crm.prequential_loss(1, 0, 1, '{{1}}', 1, 1);
SELECT crm.prequential_loss(1, 0, 1, array_fill(1::float8, '{65}'), 1, 1);
SELECT crm.prequential_loss(1, 0, 1, ARRAY[i], 1, 1) FROM generate_series(1, 2) AS i;
SELECT (crm.compare_half_lives((i / 25 % 2), 1 - i / 25 % 2, i, '{NULL,5}', 1, 1)).blocks, (crm.compare_half_lives((i / 25 % 2), 1 - i / 25 % 2, i, '{NULL,5}', 1, 1)).losses
     = crm.prequential_loss((i / 25 % 2), 1 - i / 25 % 2, i, '{NULL,5}', 1, 1) AS losses FROM generate_series(1, 300) AS i;
SELECT (c).gains, (c).errors, (c).blocks FROM (SELECT crm.compare_half_lives(1, 0, t, '{NULL,1 day}', 1, 1) AS c FROM (VALUES (now())) AS v (t)) AS k;
SELECT crm.compare_half_lives(0, 0, 1, '{1}', 1, 1);
SELECT crm.half_life_comparison_final('\x00');
SELECT crm.prequential_loss_final('\x00');

DROP AGGREGATE prior_whole(bytea), prior_part(float8, float8, float8[]);
DROP TABLE customer;
