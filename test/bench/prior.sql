-- Priors at 1,000,000 customers on six channels: fitting, refreshing, reading. Run with psql in an empty database; about five minutes.
-- CPU seconds are in the lines "! ... s user, ... s system"; the times of psql include everything.
--   refresh all priors: under 10 s     one customer's priors: under 0.5 ms     all customers' priors: seconds
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
SELECT crm.setup();
SET jit = off;
SET synchronous_commit = off;
SELECT setseed(0.42);
\echo 'simulating 1,000,000 customers'
INSERT INTO crm.customer (customer_id, name, kind, birth_date, language, country, peer_group, created_at)
SELECT i, 'c' || i, (CASE WHEN random() < 0.2 THEN 'organisation' WHEN random() < 0.1 THEN 'household' ELSE 'person' END)::crm.customer_kind,
       CASE WHEN random() < 0.7 THEN date '1940-01-01' + (random() * 25000)::int END, (ARRAY['de', 'de', 'de', 'en', 'fr'])[1 + floor(random() * 5)::int],
       (ARRAY['DE', 'DE', 'DE', 'AT', 'CH'])[1 + floor(random() * 5)::int], (ARRAY['a', 'b', 'c', 'd', NULL])[1 + floor(random() * 5)::int],
       now() - random() * 3000 * interval '1 day'
FROM generate_series(1, 1000000) AS i;
INSERT INTO crm.customer_history (customer_id, currency, history)
SELECT i, 'EUR', crm.buying_history(now() - random() * 1000 * interval '1 day', 10::float8)
FROM generate_series(1, 1000000, 2) AS i, generate_series(1, 1 + i % 4) AS k GROUP BY i;
-- Two contacts for each customer and channel on average; rates by kind, year of birth and chance. The log has a fifth of them.
CREATE TEMP TABLE trial AS
SELECT c.customer_id, h.channel, now() - random() * 700 * interval '1 day' AS at,
       random() < 1 / (1 + exp(1.5 - h.o * 0.3 - CASE WHEN c.kind = 'organisation' THEN 0.5 ELSE 0 END
                               - CASE WHEN c.birth_date < '1960-01-01' THEN 0.4 * (h.o - 3) ELSE 0 END - c.z)) AS answered
FROM (SELECT customer_id, kind, birth_date, random() * 2 - 1 AS z FROM crm.customer OFFSET 0) AS c,
     unnest('{phone,email,letter,visit,sms,web}'::crm.channel[]) WITH ORDINALITY AS h (channel, o), generate_series(1, 3) AS k
WHERE k <= 1 + (c.customer_id + h.o) % 3;
INSERT INTO crm.customer_channel (customer_id, channel, score, interactions, last_outbound_at)
SELECT customer_id, channel, crm.channel_score(answered::int, (NOT answered)::int, at, '364 days'), count(*), max(at) FROM trial GROUP BY 1, 2;
SET session_replication_role = replica;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, analysed_at)
SELECT customer_id, channel, 'outbound', (CASE WHEN answered THEN 'replied' ELSE 'unanswered' END)::crm.outcome, at, at FROM trial WHERE customer_id <= 200000;
RESET session_replication_role;
DROP TABLE trial;
VACUUM ANALYZE;

SET client_min_messages = log;
SET log_executor_stats = on;
\timing on
\echo '--- half-lives alone'
SELECT channel, half_life, loss, observations FROM crm.channel_half_lives() WHERE is_best;
\echo '--- refresh'
SELECT channel, action, method, customers, gain FROM crm.refresh_priors();
ANALYZE crm.channel_prior;
ANALYZE crm.feature_level;
\echo '--- one customer'
SELECT channel, a, b FROM crm.customer_prior WHERE customer_id = 777;
\echo '--- all customers, ten channels'
SELECT count(*), sum(a), sum(b) FROM crm.customer_prior;
