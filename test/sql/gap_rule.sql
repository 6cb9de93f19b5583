\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
-- crm.gap_propensities, crm.gap_choose: choosing by the gap rule; crm.policy_value: judging policies by logged choices.
SET extra_float_digits = 0;
\pset null '(null)'

-- The formula, ties, what is not allowed
SELECT crm.gap_propensities('{0.25,0.5,0.1}');
SELECT crm.gap_propensities('{0.25,0.5,0.1}', 100);
SELECT crm.gap_propensities('{0.25,NULL,0.1}', gamma => 100);
SELECT crm.gap_propensities('{0.3,0.3,0.3}'), crm.gap_propensities('{0.5,0.1,0.3}', 0);
SELECT crm.gap_propensities('{NULL,NULL}'), crm.gap_propensities('{}'), crm.gap_propensities(NULL), crm.gap_propensities('{1}', NULL);
SELECT crm.gap_propensities('{7}'), crm.gap_propensities('[0:1]={-3,NULL}'), crm.gap_propensities('{-1e12,1e12}', 1e12);

-- Bad input
SELECT crm.gap_propensities('{{1,2}}');
SELECT crm.gap_propensities('{1,NaN}');
SELECT crm.gap_propensities('{1,-Infinity}');
SELECT crm.gap_propensities('{1,1.1e12}');
SELECT crm.gap_propensities('{1,2}', -1);
SELECT crm.gap_propensities('{1,2}', 'NaN');
SELECT crm.gap_propensities('{1,2}', 'Infinity');
SELECT crm.gap_choose('{1,NaN}', 1000, 1);
SELECT crm.gap_choose('{1,2}', -1, 1);

-- The same seed, the same choice; the frequencies are the propensities
SELECT array_agg(crm.gap_choose('{0.30,0.303,NULL,0.29}', 300, seed) ORDER BY seed) AS choices FROM generate_series(1, 20) AS seed;
SELECT crm.gap_choose('{0.3,0.303}', 300, -9223372036854775808), crm.gap_choose('{0.3,0.303}', 300, 9223372036854775807);
SELECT crm.gap_choose('{NULL,NULL}', 1000, 1), crm.gap_choose('{}', 1000, 1), crm.gap_choose('{1}', 1000, NULL);
SELECT bool_and(abs(coalesce(c.n, 0) - 200000 * p.p) <= 4 * sqrt(200000 * p.p * (1 - p.p))) AS agree
FROM unnest(crm.gap_propensities('{0.30,0.303,NULL,0.29}', 300)) WITH ORDINALITY AS p (p, position)
LEFT JOIN (SELECT crm.gap_choose('{0.30,0.303,NULL,0.29}', 300, hashint8extended(i, 7)) AS position, count(*) AS n
           FROM generate_series(1, 200000) AS i GROUP BY 1) AS c USING (position);

-- Policies: by hand
SELECT n, ips, ips_error, snips, snips_error, dr, effective_sample_size, reliable, warning
FROM (SELECT (crm.policy_value(r, p, t)).* FROM (VALUES (1, 0.5, 1), (0, 0.25, 0.5), (1, 0.1, 0), (0, 1, 0.2)) AS v (r, p, t)) AS e;
SELECT (crm.policy_value(r, p, t, q, e)).* FROM (VALUES (1, 0.5, 1, 0.6, 0.5), (0, 0.25, 0.5, 0.2, 0.5), (1, 0.1, 0, 0.3, 0.5), (0, 1, 0.2, 0.1, 0.5)) AS v (r, p, t, q, e);

-- Rows with a null are no decisions; none, one, none of the policy's own
SELECT (crm.policy_value(r, p, t)).n FROM (VALUES (1, 0.5, 1), (NULL, 0.25, 0.5), (1, NULL, 0), (0, 1, NULL)) AS v (r, p, t);
SELECT (crm.policy_value(r, p, t, q, e)).n FROM (VALUES (1, 0.5, 1, 1, 1), (1, 0.25, 0.5, NULL, 1), (1, 1, 0, 1, NULL)) AS v (r, p, t, q, e);
SELECT (crm.policy_value(1, 1, 1)).* FROM (SELECT 1 WHERE false) AS nothing;
SELECT (crm.policy_value(1, 0.5, 1)).*;
SELECT (crm.policy_value(1, 0.5, 0)).* FROM generate_series(1, 1000);

-- Weights that do not average 1, and all is well
SELECT (crm.policy_value(i % 2, 1, 0.5)).* FROM generate_series(1, 1000) AS i;
SELECT (crm.policy_value(i % 2, 0.5, (i % 4 < 2)::int)).* FROM generate_series(1, 1000) AS i;

-- Bad input
SELECT crm.policy_value(1, 0, 1);
SELECT crm.policy_value(1, -0.1, 1);
SELECT crm.policy_value(1, 1.1, 1);
SELECT crm.policy_value(1, 'NaN', 1);
SELECT crm.policy_value(1, 1e-51, 1);
SELECT crm.policy_value(1, 0.5, -0.1);
SELECT crm.policy_value(1, 0.5, 1.1);
SELECT crm.policy_value(1, 0.5, 'NaN');
SELECT crm.policy_value('NaN', 0.5, 1);
SELECT crm.policy_value('Infinity', 0.5, 1);
SELECT crm.policy_value(1, 0.5, 1, 'NaN', 1);
SELECT crm.policy_value(1, 0.5, 1, 1, '-Infinity');

-- States that are none
SELECT crm.policy_value_final('{1,2}');
SELECT crm.policy_value_final('{1,NULL,0,0,0,0,0,0,0,0,0,0,0,0,0,0}');
SELECT crm.policy_value_final('{-1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}');
SELECT crm.policy_value_final('{1,0,NaN,0,0,0,0,0,0,0,0,0,0,0,0,0}');
SELECT crm.policy_value_final(NULL);
SELECT crm.policy_value_accum('{}', 1, 1, 1);
SELECT crm.policy_value_accum(NULL, 1, 1, 1);
SELECT crm.policy_value_combine('{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', '{{0}}');
SELECT crm.policy_value_combine(crm.policy_value_accum('{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 1, 1, 1),
                                crm.policy_value_accum('{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 1, 1, 1, 1, 1));
SELECT crm.policy_value_accum(crm.policy_value_accum('{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 1, 1, 1), 1, 1, 1, 1, 1);

-- Logged by the gap rule, judged: always the third action, whose truth is 0.3; the log's own policy, whose truth is its mean
CREATE TABLE policy_test AS
SELECT i, a AS action, p[a] AS propensity, (('{0.5,0.4,0.3}'::float8[])[a] > crm.beta_draw(1, 1, i))::int AS reward
FROM generate_series(1, 40000) AS i, crm.gap_propensities('{0.5,0.4,0.3}', 20) AS p, crm.gap_choose('{0.5,0.4,0.3}', 20, i) AS a;
ALTER TABLE policy_test SET (parallel_workers = 2);
SELECT abs(e.ips - 0.3) < 4 * e.ips_error AND abs(e.snips - 0.3) < 4 * e.snips_error AND abs(e.dr - 0.3) < 4 * e.dr_error AS true_value,
       e.dr_error < e.ips_error AS model_helps, e.reliable, e.warning
FROM (SELECT (crm.policy_value(reward, propensity, (action = 3)::int, ('{0.45,0.45,0.25}'::float8[])[action], 0.25)).* FROM policy_test) AS e;
SELECT abs(e.ips - m.mean) < 1e-12 AND abs(e.snips - m.mean) < 1e-12 AND e.effective_sample_size = e.n AS own_mean, e.reliable
FROM (SELECT (crm.policy_value(reward, propensity, propensity)).* FROM policy_test) AS e, (SELECT avg(reward) AS mean FROM policy_test) AS m;

-- Parallel and serial agree
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.policy_value(reward, propensity, (action = 3)::int, 0.3, 0.3) FROM policy_test;
CREATE TEMP TABLE result AS SELECT (crm.policy_value(reward, propensity, (action = 3)::int, 0.3, 0.3)).* FROM policy_test;
SET max_parallel_workers_per_gather = 0;
INSERT INTO result SELECT (crm.policy_value(reward, propensity, (action = 3)::int, 0.3, 0.3)).* FROM policy_test;
INSERT INTO result SELECT (crm.policy_value(reward, propensity, (action = 3)::int, 0.3, 0.3 ORDER BY i DESC)).* FROM policy_test;
SELECT max(ips) / min(ips) - 1 < 1e-13 AS ips, max(ips_error) / min(ips_error) - 1 < 1e-13 AS ips_error, max(snips) / min(snips) - 1 < 1e-13 AS snips,
       max(snips_error) / min(snips_error) - 1 < 1e-13 AS snips_error, max(dr) / min(dr) - 1 < 1e-13 AS dr, max(dr_error) / min(dr_error) - 1 < 1e-13 AS dr_error,
       max(effective_sample_size) / min(effective_sample_size) - 1 < 1e-13 AS effective_sample_size
FROM result;
RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP TABLE policy_test;
