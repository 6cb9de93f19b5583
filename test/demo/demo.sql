-- The demo: real purchases and real telephone calls go in as plain rows; what crm makes of them comes out.
-- Run by test/demo/run, which sets :data to the directory of the fixtures.
\set ON_ERROR_STOP on
\pset null '-'
\pset footer off
\timing off

\echo
\echo '== Install: one extension, one call'
SET client_min_messages = warning;
CREATE EXTENSION crm CASCADE;
RESET client_min_messages;
SELECT crm.setup();

\echo
\echo '== Load: 2,357 CDNOW customers with 6,919 purchases (1997-1998); 41,188 bank customers with 105,754 calls (2008-2010)'
CREATE TEMP TABLE cdnow (customer_id bigint, day date, cents bigint);
\set load '\\copy cdnow FROM PROGRAM ''gzip -dc ' :data '/cdnow_sample.csv.gz'' WITH (FORMAT csv, HEADER)'
:load
CREATE TEMP TABLE call (called_on date, age int, job text, line text, calls int, seconds int, subscribed boolean, row_number int GENERATED ALWAYS AS IDENTITY);
\set load '\\copy call (called_on, age, job, line, calls, seconds, subscribed) FROM PROGRAM ''gzip -dc ' :data '/bank_calls.csv.gz'' WITH (FORMAT csv, HEADER)'
:load

INSERT INTO crm.attribute (name, type, check_path, privacy_class, description) VALUES
    ('job', 'text', NULL, 'personal', 'occupation as the bank noted it'),
    ('age', 'integer', '$ >= 0 && $ <= 130', 'personal', 'age at the call'),
    ('line', 'text', '$ == "cellular" || $ == "telephone"', 'none', 'kind of telephone line');

-- What crm tells is about now, so both logs are moved to end yesterday.
SELECT current_date - 1 - max(day) AS cdnow_shift FROM cdnow \gset
SELECT current_date - 1 - max(called_on) AS call_shift FROM call \gset

\timing on
INSERT INTO crm.customer (kind, name, peer_group, source, source_key)
SELECT 'person', 'CDNOW customer ' || customer_id, 'cdnow', 'cdnow', customer_id::text
FROM (SELECT DISTINCT customer_id FROM cdnow) AS c ORDER BY customer_id;

INSERT INTO crm.customer (kind, name, peer_group, source, source_key, attributes)
SELECT 'person', 'Bank customer ' || row_number, 'bank', 'bank', row_number::text,
       jsonb_build_object('job', job, 'age', age, 'line', CASE line WHEN 'c' THEN 'cellular' ELSE 'telephone' END)
FROM call ORDER BY row_number;

-- The purchases: the buying histories are right when the statement ends.
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency, source, external_id)
SELECT c.customer_id, (p.day + :cdnow_shift)::timestamp AT TIME ZONE 'UTC', p.cents / 100.0, 'USD', 'cdnow',
       p.customer_id || ':' || p.day || ':' || row_number() OVER (PARTITION BY p.customer_id, p.day)
FROM cdnow AS p
JOIN crm.customer AS c ON c.source = 'cdnow' AND c.source_key = p.customer_id::text;

-- The calls: the last one's outcome is known; the file counts the ones before it, which led to no decision.
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, details, source, external_id)
SELECT c.customer_id, 'phone', 'outbound',
       CASE WHEN n.call < k.calls THEN 'unreached' WHEN k.subscribed THEN 'converted' ELSE 'declined' END::crm.outcome,
       (k.called_on + :call_shift - (k.calls - n.call)) + time '10:00' AT TIME ZONE 'UTC',
       jsonb_build_object('seconds', CASE WHEN n.call = k.calls THEN k.seconds END), 'bank', k.row_number || ':' || n.call
FROM call AS k
CROSS JOIN LATERAL generate_series(1, k.calls) AS n (call)
JOIN crm.customer AS c ON c.source = 'bank' AND c.source_key = k.row_number::text;
\timing off
ANALYZE;

\echo
\echo '== What there is now'
SELECT (SELECT count(*) FROM crm.customer) AS customers, (SELECT count(*) FROM crm.purchase) AS purchases,
       (SELECT count(*) FROM crm.interaction) AS interactions, (SELECT count(*) FROM crm.customer_channel) AS channel_scores,
       (SELECT count(*) FROM crm.customer_history) AS buying_histories;

\echo '== Derived state equals the facts'
SELECT * FROM crm.verify();

\echo '== The best customers by recency, frequency and monetary value'
SELECT r.customer_id, c.name, r.last_purchase_at::date, r.frequency, round(r.monetary, 2) AS spent, r.rfm, r.class
FROM crm.rfm AS r JOIN crm.customer AS c USING (customer_id)
ORDER BY r.recency_score + r.frequency_score + r.monetary_score DESC, r.monetary DESC, r.customer_id LIMIT 5;

SELECT class, count(*) AS customers, round(avg(frequency), 1) AS purchases, round(avg(monetary), 2) AS spent
FROM crm.rfm GROUP BY class ORDER BY spent DESC;

\echo '== A buying history is the sufficient statistic of the customer-base models (weeks, as of the end of the calibration)'
SELECT customer_id, crm.x(h) AS x, crm.t_x(h) AS t_x, crm.age(h, (date '1997-09-30' + :cdnow_shift)::timestamp AT TIME ZONE 'UTC') AS age,
       crm.mean_spend(h) AS mean_spend
FROM (SELECT customer_id, crm.buying_history(purchased_at, amount)
                              FILTER (WHERE purchased_at < (date '1997-10-01' + :cdnow_shift)::timestamp AT TIME ZONE 'UTC') AS h
      FROM crm.purchase GROUP BY customer_id) AS p
ORDER BY crm.x(h) DESC LIMIT 3;

\echo '== Models: fitted where the data lies, the likeliest in force'
CALL crm.fit_models((date '1997-09-30' + :cdnow_shift)::timestamp AT TIME ZONE 'UTC');
CALL crm.fit_models();

\echo '== What the models foretold of the last third of the time, by repeat purchases before'
SELECT x, compared_customers AS customers, round(expected::numeric) AS expected, actual
FROM crm.model_fit WHERE is_current AND peer_group IS NULL AND comparison = 'holdout' ORDER BY x;

\echo '== The most valuable customers of the next year'
SELECT customer_id, round(alive::numeric, 3) AS alive, round(expected_365_days::numeric, 1) AS purchases,
       round(expected_365_days_lower::numeric, 1) AS lower, round(expected_365_days_upper::numeric, 1) AS upper,
       round(expected_spend::numeric, 2) AS spend, round(value_365_days::numeric, 2) AS value
FROM crm.customer_value ORDER BY value_365_days DESC LIMIT 5;

\echo '== Good customers at risk, with the reason'
SELECT customer_id, round(risk::numeric, 3) AS risk, reason FROM crm.churn_risk
WHERE repeat_purchases >= 10 ORDER BY risk DESC LIMIT 5;

\echo '== How the telephone does'
SELECT channel, customers, interactions, round(successes::numeric, 1) AS successes, round(failures::numeric, 1) AS failures,
       round(success_rate::numeric, 3) AS rate, round(lower::numeric, 3) AS lower, round(upper::numeric, 3) AS upper
FROM crm.channel_performance;

\echo
\echo '== The loop in one transaction: a customer is called, and the preference has changed before the commit'
SELECT customer_id AS customer FROM crm.customer WHERE source = 'bank' AND source_key = '4711' \gset
INSERT INTO crm.contact_point (customer_id, channel, address, is_primary)
VALUES (:customer, 'phone', '+49 211 123456', true), (:customer, 'email', 'Ann.Example@example.org', true);
BEGIN;
SELECT channel, round(mean::numeric, 4) AS mean, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper, observations
FROM crm.channel_preference WHERE customer_id = :customer;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, subject)
VALUES (:customer, 'phone', 'outbound', 'reached', 'told us to write instead'),
       (:customer, 'email', 'outbound', 'replied', 'offer');
SELECT channel, round(mean::numeric, 4) AS mean, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper, observations
FROM crm.channel_preference WHERE customer_id = :customer ORDER BY preference;
ROLLBACK;
\echo '-- rolled back: the score is, bit for bit, what it was'
SELECT channel, round(mean::numeric, 4) AS mean, observations FROM crm.channel_preference WHERE customer_id = :customer;

\echo '== What the database refuses'
\set ON_ERROR_STOP off
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
VALUES (:customer, 'phone', 'outbound', 'reached', '2100-01-01 12:00+00');
INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (:customer, 'email', 'not an address');
UPDATE crm.customer SET attributes = '{"age": "forty"}' WHERE customer_id = :customer;
\set VERBOSITY terse
DROP EXTENSION crm;
\set VERBOSITY default
\set ON_ERROR_STOP on

\echo
\echo '== The outbox: a message without permission cannot be written'
INSERT INTO crm.customer (name, country, source, source_key) VALUES ('Ann', 'DE', 'outbox', 'ann'), ('Bob', 'DE', 'outbox', 'bob'), ('Cy', 'DE', 'outbox', 'cy'), ('Dee', 'DE', 'outbox', 'dee');
INSERT INTO crm.contact_point (customer_id, channel, address)
SELECT customer_id, 'email', source_key || CASE source_key WHEN 'bob' THEN '@full.example' WHEN 'cy' THEN '@gone.example' ELSE '@example.org' END
FROM crm.customer WHERE source = 'outbox';
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence)
SELECT customer_id, 'email', 'marketing', 'granted', 'form of the demo' FROM crm.customer WHERE source = 'outbox' AND source_key <> 'dee';
\set ON_ERROR_STOP off
INSERT INTO crm.message (customer_id, channel, purpose, subject) SELECT customer_id, 'email', 'marketing', 'Offer' FROM crm.customer WHERE source = 'outbox' AND source_key = 'dee';
\set ON_ERROR_STOP on
SELECT c.name, crm.queue_message(c.customer_id, 'email', 'marketing', 'Grüße, ' || c.name, 'Something new for you.', idempotency_key => 'demo ' || c.customer_id) AS message
FROM crm.customer AS c WHERE c.source = 'outbox' AND c.source_key <> 'dee' ORDER BY c.source_key;

\echo '== A worker delivers to files: one is sent, one mailbox is full, one address is gone'
\set worker :data '/../demo/worker'
\setenv WORKER :worker
\setenv PGDATABASE :DBNAME
\! out=$(mktemp -d) && "$WORKER" -1 "$out" email && sed 's/[0-9a-f]\{32\}/…/' "$out"/*.eml; rm -rf "$out"
SELECT c.name, m.status, m.attempts, coalesce(m.last_error, i.outcome::text) AS came_of_it, p.block_reason, m.status = 'ready' AND m.not_before > now() AS tried_again_later
FROM crm.message AS m JOIN crm.customer AS c USING (customer_id) JOIN crm.contact_point AS p USING (contact_point_id) LEFT JOIN crm.interaction AS i USING (message_id)
WHERE c.source = 'outbox' ORDER BY c.source_key;

\echo
\echo '== The plan of a timeline page: an index, whatever the size of the table'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT occurred_at, channel, direction, outcome, subject FROM crm.interaction
WHERE customer_id = (SELECT customer_id FROM crm.customer_channel ORDER BY interactions DESC LIMIT 1)
ORDER BY occurred_at DESC, interaction_id DESC LIMIT 50;
