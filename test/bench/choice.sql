-- The best channel of one customer and of a million, with and without the probability of being best; one decision and many.
--
--   psql -v customers=1000000 -f choice.sql      in a database without crm
--
-- Customers, contact points, consents and scores are made directly, without the loop, which loop.sh measures.
\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\if :{?customers} \else \set customers 1000000 \endif
SET client_min_messages = warning;
CREATE EXTENSION crm CASCADE;
SELECT crm.setup() \g /dev/null
SET synchronous_commit = off;
INSERT INTO crm.customer (customer_id, name, kind, country, language)
SELECT i, 'C' || i, 'person', 'DE', 'de' FROM generate_series(1, :customers) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address)
SELECT i * 6 + k, i, c, CASE WHEN c IN ('phone', 'fax') THEN '+49' || 3000000000 + i WHEN c = 'email' THEN 'c' || i || '@example.com' ELSE 'x' || i END
FROM generate_series(1, :customers) AS i, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, k);
SET session_replication_role = replica;
INSERT INTO crm.consent (customer_id, channel, purpose, contact_point_id, status, evidence)
SELECT i, c, 'marketing', i * 6 + k, 'granted', 'made up'
FROM generate_series(1, :customers) AS i, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, k)
WHERE c IN ('phone', 'social', 'email', 'fax');
INSERT INTO crm.customer_channel (customer_id, channel, score, interactions, last_outbound_at)
SELECT i, c, crm.channel_score(s, 1 - s, at, '364 days'), 4, max(at)
FROM generate_series(1, :customers) AS i, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, k),
     LATERAL (SELECT now() - (g * 41 + i % 13) * interval '1 day' AS at, ((i::bigint * 7919 + k * 104729 + g * 31) % 10 < k)::int AS s FROM generate_series(1, 4) AS g) AS o
GROUP BY i, c;
RESET session_replication_role;
VACUUM ANALYZE;

\timing on
\echo Fit the priors of all customers:
SELECT count(*) FROM crm.refresh_priors() \g /dev/null
SET jit = off;
\echo Permissions alone:
COPY (SELECT customer_id, channel, contact_point_id FROM crm.contact_permission WHERE purpose = 'marketing') TO '/dev/null';
\echo The best channel of all customers, without and with probability_best:
COPY (SELECT customer_id, channel, mean, lower, upper, expected_value FROM crm.best_channel) TO '/dev/null';
COPY (SELECT customer_id, channel, mean, lower, upper, expected_value, probability_best FROM crm.best_channel) TO '/dev/null';
\echo The same without, with 512 MB of work_mem:
SET work_mem = '512MB';
COPY (SELECT customer_id, channel, mean, lower, upper, expected_value FROM crm.best_channel) TO '/dev/null';
RESET work_mem;
\echo And with a regression in force on every channel, so that each customer has a prior of his own:
BEGIN;
UPDATE crm.channel_prior SET is_current = false;
INSERT INTO crm.channel_prior (channel, as_of, is_current, method, prior_success, prior_failure, features, weights, strength, means, deviations,
                               customers, successes, failures, half_life, log_likelihood, common_log_likelihood, reason)
SELECT c, now(), true, 'regression', 0.5, 4.5, n.names, array_fill(0.1::float8, ARRAY[cardinality(n.names) + 1]), 5,
       array_fill(0.5::float8, ARRAY[cardinality(n.names)]), array_fill(1::float8, ARRAY[cardinality(n.names)]), 1000, 100, 900, '364 days', -1, -2, 'made up'
FROM (SELECT crm.feature_names() AS names) AS n, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) AS c;
COPY (SELECT customer_id, channel, mean, lower, upper, expected_value FROM crm.best_channel) TO '/dev/null';
ROLLBACK;
\echo One customer, everything, five times:
SELECT * FROM crm.best_channel WHERE customer_id = 101 \g /dev/null
SELECT * FROM crm.best_channel WHERE customer_id = 201 \g /dev/null
SELECT * FROM crm.best_channel WHERE customer_id = 301 \g /dev/null
SELECT * FROM crm.best_channel WHERE customer_id = 401 \g /dev/null
SELECT * FROM crm.best_channel WHERE customer_id = 501 \g /dev/null
\echo Decisions, one by one and 10,000 at once:
SELECT count(*) FROM generate_series(1001, 1100) AS i, crm.choose_channel(i, at => '2026-11-24 12:00+00') \g /dev/null
SELECT count(*) FROM crm.choose_channels(ARRAY(SELECT i FROM generate_series(2001, 12000) AS i), at => '2026-11-24 12:00+00') \g /dev/null
