-- insight: the views, and the models that are kept.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SET LOCAL client_min_messages = warning;
SELECT no_plan();

-- RFM: ties share a score, a single purchase is frequency 1.
INSERT INTO crm.customer (customer_id, name, peer_group) SELECT g, 'customer ' || g, 'p' FROM generate_series(1, 10) AS g;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency)
SELECT c, now() - make_interval(days => c * 10 + n), 10, 'EUR' FROM generate_series(1, 10) AS c, generate_series(1, greatest(1, c - 5)) AS n;
SELECT results_eq($$ SELECT frequency_score, count(*) FROM crm.rfm GROUP BY 1 ORDER BY 1 $$, $$ VALUES (1, 6::bigint), (4, 2), (5, 2) $$,
                  'frequency: who bought once has score 1, however many they are');
SELECT is((SELECT recency_score FROM crm.rfm WHERE customer_id = 1), 5, 'recency: who bought last has 5');
SELECT is((SELECT recency_score FROM crm.rfm WHERE customer_id = 10), 1, 'recency: who bought longest ago has 1');
SELECT is((SELECT rfm FROM crm.rfm WHERE customer_id = 10), '155', 'the three scores as digits');
SELECT is((SELECT count(*) FROM crm.rfm WHERE recency_score NOT BETWEEN 1 AND 5 OR frequency_score NOT BETWEEN 1 AND 5 OR monetary_score NOT BETWEEN 1 AND 5), 0::bigint, 'scores are 1 to 5');

-- Channels and the whole customer.
INSERT INTO crm.contact_point (customer_id, channel, address, is_primary) VALUES (1, 'email', 'a@example.org', false), (1, 'email', 'b@example.org', true);
INSERT INTO crm.contact_point (customer_id, channel, address, blocked_at) VALUES (1, 'phone', '+49211123456', now());
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (1, 'email', 'outbound', 'replied'), (1, 'phone', 'outbound', 'unreached');
SELECT is((SELECT (email, phone, contact_points, interactions, preferred_channel, purchases, currency)::text FROM crm.customer_360 WHERE customer_id = 1),
          '(b@example.org,,2,2,email,1,EUR)', 'customer_360: the primary address, nothing blocked, the better channel');
SELECT is((SELECT count(*) FROM crm.customer_360), 10::bigint, 'customer_360 has a row for each customer');
SELECT ok((SELECT lower < mean AND mean < upper AND preference = 1 AND round(mean::numeric, 6) = 0.25 FROM crm.channel_preference WHERE customer_id = 1 AND channel = 'email'),
          'channel_preference: one success on a prior of 0.5 to 4.5 is a quarter');
SELECT is((SELECT (customers, interactions, observations)::text FROM crm.channel_performance WHERE channel = 'email'), '(1,1,1)', 'channel_performance counts');
DELETE FROM crm.interaction; DELETE FROM crm.purchase; DELETE FROM crm.customer;

-- Models on the CDNOW sample: the published likelihoods.
CREATE TEMP TABLE cdnow (customer_id bigint, day date, cents bigint);
\set load '\\copy pg_temp.cdnow FROM PROGRAM ''gzip -dc ' :root '/test/data/cdnow_sample.csv.gz'' WITH (FORMAT csv, HEADER)'
:load
INSERT INTO crm.customer (customer_id, name, peer_group) SELECT customer_id, 'c', CASE WHEN customer_id % 10 < 7 THEN 'large' WHEN customer_id < 100 THEN 'small' END
FROM (SELECT DISTINCT customer_id FROM cdnow) AS c;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency) SELECT customer_id, day::timestamp AT TIME ZONE 'UTC', cents / 100.0, 'USD' FROM cdnow;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency) VALUES (1, '1997-05-01 00:00+00', 5, 'CHF'), (2, '1997-05-02 00:00+00', 7, 'CHF');
CALL crm.fit_models('1997-09-30 00:00+00');
SELECT results_eq($$ SELECT kind, round(log_likelihood::numeric, 3), is_current FROM crm.model WHERE currency = 'USD' AND peer_group IS NULL ORDER BY kind $$,
    $$ VALUES ('bg_cnbd', -9582.429, false), ('bg_nbd', -9582.429, false), ('gamma_gamma', -4055.918, true), ('mbg_cnbd', -9582.136, false), ('mbg_nbd', -9582.136, true),
              ('pareto_nbd', -9594.976, false) $$,
    'the models of CDNOW to 1997-09-30 have the published likelihoods, and the best is in force');
SELECT results_eq($$ SELECT kind, parameters[5] FROM crm.model WHERE currency = 'USD' AND peer_group IS NULL AND kind LIKE '%cnbd' ORDER BY kind $$, $$ VALUES ('bg_cnbd', 1::float8), ('mbg_cnbd', 1::float8) $$,
                  'its buyers are not regular: k is 1, and BIC charges for it');
SELECT ok((SELECT bool_and(abs(bic - (cardinality(string_to_array(parameters, ',')) * ln(2357) - 2 * log_likelihood)) < 1e-6) FROM crm.model_fit WHERE currency = 'USD' AND peer_group IS NULL AND kind <> 'gamma_gamma'),
          'BIC is p ln n - 2 ln L');
SELECT is((SELECT kind FROM crm.model_fit WHERE currency = 'USD' AND peer_group IS NULL AND kind <> 'gamma_gamma' ORDER BY bic LIMIT 1), 'mbg_nbd', 'the lowest BIC is in force');
-- In sample: 2,457 repeat purchases of 2,357 customers; the model expects about as many.
SELECT is((SELECT sum(actual) FROM crm.model_fit WHERE comparison = 'tracking' AND currency = 'USD' AND peer_group IS NULL), 2457::float8, 'tracking counts every repeat purchase once');
SELECT ok((SELECT abs(sum(expected) / 2457 - 1) < 0.05 AND count(*) BETWEEN 30 AND 53 AND max(until) = '1997-09-30' FROM crm.model_fit WHERE comparison = 'tracking' AND currency = 'USD' AND peer_group IS NULL),
          'and the model tracks them within a twentieth, week by week to the end');
SELECT is((SELECT round(sum(expected)::numeric, 4) FROM crm.model_fit WHERE comparison = 'tracking' AND currency = 'USD' AND peer_group IS NULL),
          (SELECT round(sum(crm.expected(m.kind, m.parameters, 0, 0, 0, ('1997-09-30' - c.first) / 7.0))::numeric, 4) FROM (SELECT min(day) AS first FROM cdnow GROUP BY customer_id) AS c, crm.model AS m
           WHERE m.is_current AND m.kind <> 'gamma_gamma' AND m.currency = 'USD' AND m.peer_group IS NULL), 'expected is the sum over customers of what a new one buys in the time observed');
SELECT is((SELECT sum(compared_customers) FROM crm.model_fit WHERE comparison = 'holdout' AND currency = 'USD' AND peer_group IS NULL), 2357::numeric, 'the holdout has every customer');
SELECT set_eq($$ SELECT DISTINCT peer_group FROM crm.model WHERE currency = 'USD' $$, $$ VALUES (NULL), ('large') $$, 'a group large enough has models of its own');
SELECT is((SELECT (kind, origin, is_current)::text FROM crm.model WHERE currency = 'CHF'), '(bg_nbd,default,t)', 'too few purchases: default parameters, not a failure');
SELECT ok((SELECT sum(expected) BETWEEN 0.8 * sum(actual) AND 1.2 * sum(actual) FROM crm.model_calibration JOIN crm.model USING (model_id) WHERE peer_group IS NULL AND currency = 'USD'),
          'the last third of the time is foretold within a fifth');
SELECT is((SELECT count(*) FROM crm.customer_value), (SELECT count(*) FROM crm.customer_history), 'every history has a value');
SELECT ok((SELECT bool_and(alive BETWEEN 0 AND 1 AND expected_30_days <= expected_90_days AND expected_90_days <= expected_365_days
                           AND expected_spend > 0 AND value_365_days >= 0 AND value_365_days < 'Infinity') FROM crm.customer_value),
          'probabilities are probabilities, longer horizons expect more, nothing is infinite');
SELECT set_eq($$ SELECT DISTINCT v.model FROM crm.customer_value AS v JOIN crm.customer AS c USING (customer_id) WHERE c.peer_group = 'small' AND v.currency = 'USD' $$,
    $$ SELECT kind FROM crm.model WHERE is_current AND kind <> 'gamma_gamma' AND currency = 'USD' AND peer_group IS NULL $$, 'a group too small has the model of all');
SELECT ok((SELECT bool_and(expected_365_days_lower <= expected_365_days AND expected_365_days <= expected_365_days_upper) FROM crm.customer_value WHERE currency = 'USD'),
          'expectations lie in their intervals');
SELECT ok((SELECT bool_and(value_365_days_lower < value_365_days AND value_365_days < value_365_days_upper AND expected_spend_lower < expected_spend AND expected_spend < expected_spend_upper
                           AND ln(value_365_days_upper / value_365_days_lower) > ln(expected_spend_upper / expected_spend_lower)) FROM crm.customer_value WHERE currency = 'USD'),
          'spend and value have intervals of their own, that of the value from both sources');
SELECT ok((SELECT bool_and(value_365_days > 0 AND value_365_days_lower IS NULL AND expected_spend_lower IS NULL) FROM crm.customer_value WHERE currency = 'CHF'), 'default parameters have a value and no interval');
SELECT is((SELECT count(*) FROM crm.churn_risk WHERE risk IS NULL OR reason IS NULL OR risk NOT BETWEEN 0 AND 1), 0::bigint, 'every risk has its reason');
SELECT ok((SELECT reason FROM crm.churn_risk WHERE customer_id = 1 AND currency = 'USD') ~ '^buys every 115 days on average; the last purchase was \d+ days ago, [\d.]+ times as long$', 'in words');
SELECT is((SELECT round(crm.alive(m.kind, m.parameters, 2, 30.428571, 38.857143)::numeric, 4) FROM crm.model AS m WHERE m.kind = 'mbg_nbd' AND m.peer_group IS NULL), 0.7061, 'customer 1 is alive with the published probability');
SELECT ok((SELECT abs(crm.expected(m.kind, m.parameters, 2, 213 / 7.0, 272 / 7.0, 39) - 1.262747) < 1e-4 FROM crm.model AS m WHERE m.kind = 'mbg_nbd' AND m.peer_group IS NULL), 'and expected to buy as often');

-- A second fit puts new models in force and keeps the old ones.
CALL crm.fit_models('1998-07-01 00:00+00', 100000, '{bg_nbd}');
SELECT is((SELECT count(*) FROM crm.model WHERE is_current AND currency = 'USD' AND peer_group IS NULL), 2::bigint, 'one model of purchases and one of spend are in force');
SELECT is((SELECT (kind, as_of AT TIME ZONE 'UTC')::text FROM crm.model WHERE is_current AND kind <> 'gamma_gamma' AND currency = 'USD' AND peer_group IS NULL), '(bg_nbd,"1998-07-01 00:00:00")', 'the new ones');
SELECT is((SELECT count(*) FROM crm.model WHERE NOT is_current AND peer_group IS NULL AND currency = 'USD'), 6::bigint, 'the old ones are kept');
SELECT ok((SELECT count(*) > 0 FROM crm.model_fit WHERE is_current AND comparison = 'holdout' AND x = 7), 'model_fit shows forecast against outcome');
CREATE TEMP TABLE before AS SELECT max(model_id) AS id FROM crm.model;
CALL crm.fit_models('1998-07-01 00:00+00', 100000, '{bg_nbd}', only_changed => true);
SELECT is((SELECT max(model_id) FROM crm.model), (SELECT id FROM before), 'only_changed: without new purchases nothing is fitted');
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency) VALUES (1, '1998-06-30 12:00+00', 5, 'USD');
CALL crm.fit_models('1998-07-01 00:00+00', 100000, '{bg_nbd}', only_changed => true);
SELECT is((SELECT count(*) FROM crm.model, before WHERE model_id > id), 2::bigint, 'with one, its currency is');
-- Regular buyers: gaps of two weeks, give or take a day; the k that fits them is found, and is in force.
INSERT INTO crm.customer (customer_id, name) SELECT g, 'regular ' || g FROM generate_series(100001, 100150) AS g;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency)
SELECT c, '1997-01-01 00:00+00'::timestamptz + make_interval(days => c % 7 + n * (10 + c % 9) + (c * 31 + n * 17) % 5), 10 + c % 13 + n % 3, 'GBP'
FROM generate_series(100001, 100150) AS c, generate_series(0, 3 + c % 11) AS n;
CALL crm.fit_models('1997-09-30 00:00+00', 100000);
SELECT ok((SELECT kind ~ 'cnbd$' AND parameters[5] > 2 FROM crm.model WHERE is_current AND currency = 'GBP' AND kind <> 'gamma_gamma'), 'regular buyers get a model that knows their rhythm');
SELECT ok((SELECT count(*) = 150 AND bool_and(alive BETWEEN 0 AND 1 AND expected_365_days >= 0) FROM crm.customer_value WHERE currency = 'GBP'), 'by which they are valued');
SELECT is((SELECT sum(actual) FROM crm.model_fit WHERE is_current AND comparison = 'tracking' AND currency = 'GBP'), (SELECT sum(crm.x(history))::float8 FROM crm.customer_history WHERE currency = 'GBP'), 'and tracked');
SELECT is((SELECT count(*) FROM crm.gaps_as_of('1997-09-30') AS g JOIN crm.customer_history AS h USING (customer_id, currency)
           WHERE g.log_gaps > crm.x(h.history) * ln(greatest(crm.t_x(h.history), 1e-9) / greatest(crm.x(h.history), 1)) + 1e-9), 0::bigint, 'gaps add up to t_x');
SELECT is((SELECT (f).model || ' ' || (f).customers || ' ' || (f).converged FROM (SELECT crm.bg_bb_fit(x, t_x, n) AS f FROM (
    SELECT count(DISTINCT period) FILTER (WHERE period BETWEEN 1 AND n) AS x, coalesce(max(period) FILTER (WHERE period BETWEEN 1 AND n), 0) AS t_x, n
    FROM (SELECT customer_id, (day - min(day) OVER w + 27) / 28 AS period, ('1998-06-30' - min(day) OVER w) / 28 AS n
          FROM crm.purchase_days_as_of('1998-07-01') WHERE currency = 'USD' WINDOW w AS (PARTITION BY customer_id)) AS d
    WHERE n > 0 GROUP BY customer_id, n) AS s) AS q), 'bg_bb 2357 true', 'the BG/BB is fitted to periods by a query');
SELECT throws_ok($$ CALL crm.fit_models('infinity') $$, '22023', 'models are fitted as of a finite time', 'a time must be finite');
SELECT throws_ok($$ CALL crm.fit_models(now(), 100, '{crystal_ball}') $$, '22023', 'unknown kind of model in {crystal_ball}', 'a kind must be known');
-- A group too small for a model of its own is valued by that of all.
UPDATE crm.customer SET peer_group = 'tiny' WHERE customer_id IN (SELECT customer_id FROM crm.customer_history WHERE currency = 'USD' ORDER BY customer_id LIMIT 3);
CALL crm.fit_models('1998-07-01 00:00+00', 100, '{bg_nbd}');
SELECT is((SELECT count(*) FROM crm.model WHERE peer_group = 'tiny'), 0::bigint, 'three customers make no model');
SELECT is((SELECT count(*) FROM crm.customer_value AS v JOIN crm.customer AS c USING (customer_id)
           WHERE c.peer_group = 'tiny' AND v.currency = 'USD' AND v.alive BETWEEN 0 AND 1 AND v.value_365_days >= 0), 3::bigint, 'they are valued by the model of all');
-- Nobody, and one who did not come back: no failure.
DELETE FROM crm.purchase;
SELECT lives_ok($$ CALL crm.fit_models() $$, 'no purchases at all: nothing to fit');
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency) VALUES (3, now() - interval '50 days', 5, 'SEK');
SELECT lives_ok($$ CALL crm.fit_models() $$, 'one customer');
SELECT is((SELECT (model, repeat_purchases, alive BETWEEN 0 AND 1, expected_spend, value_365_days > 0)::text FROM crm.customer_value), '(bg_nbd,0,t,5,t)', 'who has a value all the same');
SELECT is((SELECT reason FROM crm.churn_risk), 'bought once, 50 days ago', 'and a reason');
SELECT is(current_setting('application_name') ~ 'crm.fit', false, 'the session has its name back');
SELECT is((SELECT count(*) FROM crm.fit_progress), 0::bigint, 'nothing is running');

SELECT throws_ok($$ SELECT crm.fit_kind('oracle', 'EUR', NULL, now()) $$, '22023', '"oracle" is no kind of model', 'a kind of model must be one');
SELECT * FROM finish();
ROLLBACK;
