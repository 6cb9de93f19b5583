-- Choosing channels: what is known, decisions and their log, judging policies by it.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

UPDATE crm.channel_policy SET unit_cost = 0, cap = NULL, cap_window = NULL, quiet_from = NULL, quiet_until = NULL;
INSERT INTO crm.customer (customer_id, name, kind) SELECT i, 'C' || i, 'person' FROM generate_series(1, 400) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address)
SELECT 10 * i + k, i, c, CASE c WHEN 'web' THEN 'https://example.com/' || i ELSE 'X ' || i END
FROM generate_series(1, 398) AS i, unnest('{letter,visit,web}'::crm.channel[]) WITH ORDINALITY AS u (c, k);
UPDATE crm.contact_point SET blocked_at = now(), block_reason = 'as entered' WHERE customer_id = 398 OR customer_id = 3 AND channel = 'letter';

-- What is known --------------------------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM crm.best_channel), 397::bigint, 'one row for each customer who may be contacted');
SELECT results_eq('SELECT channel, mean, observations, channels, next_channel FROM crm.best_channel WHERE customer_id = 1',
                  $$ VALUES ('letter', 0.1::double precision, 0::bigint, 3::bigint, 'visit') $$, 'nothing is known: equal channels, the first');
SELECT results_eq('SELECT channel, channels FROM crm.best_channel WHERE customer_id = 3', $$ VALUES ('visit', 2::bigint) $$, 'a blocked contact point is none');
SELECT ok((SELECT reason LIKE 'not yet tried; of customers like this one 10.0 % answer; worth 6.00 after cost, visit 6.00' FROM crm.best_channel WHERE customer_id = 1),
          'the reason in words, nothing tried');

INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
VALUES (1, 'web', 'inbound', 'reached', now()), (2, 'visit', 'outbound', 'unanswered', now() - interval '1 day'), (1, 'phone', 'inbound', 'reached', now());
SELECT results_eq('SELECT channel, round(mean::numeric, 6), observations FROM crm.best_channel WHERE customer_id = 1',
                  $$ VALUES ('web', 0.25, 1::bigint) $$, 'who was just reached has the changed preference in the same transaction; no contact point for phone: not phone');
SELECT ok((SELECT reason LIKE '1.0 of 1.0 recent contacts answered%expected 25.0 \%; worth 15.00 after cost, letter 6.00' FROM crm.best_channel WHERE customer_id = 1),
          'the reason in words, tried');
SELECT ok((SELECT abs(probability_best - (crm.probability_best('{1.5,0.5,0.5}', '{4.5,4.5,4.5}'))[1]) < 1e-6 FROM crm.best_channel WHERE customer_id = 1),
          'probability of being best');
SELECT results_eq('SELECT channel, preference, round(mean::numeric, 4), observations FROM crm.channel_preference WHERE customer_id = 1 ORDER BY preference, channel',
                  $$ VALUES ('phone', 1, 0.25, 1::bigint), ('web', 1, 0.25, 1), ('letter', 3, 0.1, 0), ('visit', 3, 0.1, 0) $$, 'preference: what was used and what can be');

UPDATE crm.channel_policy SET unit_cost = 12 WHERE channel = 'web';
SELECT results_eq('SELECT channel, expected_value, next_channel, round(next_value::numeric, 4) FROM crm.best_channel WHERE customer_id = 1',
                  $$ VALUES ('letter', 6::double precision, 'visit', 6.0) $$, 'net of cost another channel is the best');
UPDATE crm.choice_policy SET response_value = 600 WHERE purpose = 'marketing';
SELECT is((SELECT channel FROM crm.best_channel WHERE customer_id = 1), 'web', 'where an answer is worth more, cost counts less');
UPDATE crm.choice_policy SET response_value = 60 WHERE purpose = 'marketing';
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; whole text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS off) ' || query LOOP whole := whole || line || E'\n'; END LOOP; RETURN whole; END $$;
SELECT ok(pg_temp.plan_of('SELECT customer_id, channel, mean, expected_value FROM crm.best_channel') !~ 'probability_best',
          'the planner leaves probability_best out where it is not selected');
SELECT ok(pg_temp.plan_of('SELECT probability_best FROM crm.best_channel') ~ 'probability_best', 'and computes it where it is');

-- Decisions ------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE one AS SELECT * FROM crm.choose_channel(1, at => now(), seed => 7);
SELECT is((SELECT count(*) FROM one), 1::bigint, 'one decision');
SELECT results_eq('SELECT channels::text, contact_point_id % 10 FROM one', $$ VALUES ('{letter,visit,web}', (SELECT array_position(channels, channel)::bigint FROM one)) $$,
                  'allowed channels, and the contact point of the one chosen');
SELECT results_eq($$ SELECT d.channel, d.propensity, d.means, d.propensities, d.decided_at, d.purpose, d.gamma, d.response_value FROM crm.contact_decision AS d JOIN one USING (decision_id) $$,
                  $$ SELECT channel, propensity, means, propensities, now(), 'marketing', 1000::double precision, 60::double precision FROM one $$, 'the decision is kept');
SELECT ok((SELECT d.propensities = crm.gap_propensities(d.net_values, d.gamma) AND d.channel = d.channels[crm.gap_choose(d.net_values, d.gamma, d.seed)]
                  AND d.propensity = d.propensities[array_position(d.channels, d.channel)] AND round(d.net_values[3]::numeric, 6) = round(d.means[3]::numeric - 0.2, 6)
           FROM crm.contact_decision AS d JOIN one USING (decision_id)), 'and can be repeated from what is kept');
SELECT results_eq('SELECT channel, propensities FROM crm.choose_channel(1, at => now(), seed => 7)', 'SELECT channel, propensities FROM one', 'the same seed, the same choice');
SELECT results_eq('SELECT channel, propensities FROM crm.choose_channels(ARRAY[5, 1], at => now(), seed => 7) WHERE customer_id = 1', 'SELECT channel, propensities FROM one', 'in a set, too');
SELECT ok((SELECT array_agg(DISTINCT channel) @> '{letter,visit}' FROM generate_series(1, 40) AS s, crm.choose_channel(5, seed => s)), 'equal channels are all tried: explores');
SELECT ok((SELECT array_agg(DISTINCT channel) @> '{letter,visit}' FROM generate_series(1, 40) AS s, crm.choose_channel(5, at => now() - s * interval '1 second')), 'without a seed chance decides');

SELECT results_eq('SELECT channel, propensity, decision_id IS NOT NULL, channels::text, reason FROM crm.choose_channel(400)',
                  $$ VALUES (NULL::crm.channel, NULL::double precision, true, '{}', 'no contact point') $$, 'no contact point: no channel, and why');
SELECT ok((SELECT channel IS NULL AND reason ~ '^letter: message_blocked, visit: message_blocked, web: message_blocked$' FROM crm.choose_channel(398)), 'all blocked: no channel, and why');
SELECT is((SELECT count(*) FROM crm.contact_decision WHERE customer_id IN (398, 400) AND channel IS NULL AND reason IS NOT NULL AND channels = '{}'), 2::bigint, 'that is kept, too');
SELECT is((SELECT count(*) FROM crm.choose_channels(ARRAY[5, 5, NULL, 6]::bigint[])), 2::bigint, 'each customer once, nobody not at all');
SELECT is((SELECT count(*) FROM crm.choose_channels('{}')) + (SELECT count(*) FROM crm.choose_channels(NULL)), 0::bigint, 'nobody, no decision');
SELECT throws_ok('SELECT crm.choose_channel(0)', '23503', NULL, 'an unknown customer is refused');
SELECT throws_ok($$ UPDATE crm.contact_decision SET channel = 'fax' WHERE decision_id = (SELECT decision_id FROM one) $$, '23514', NULL, 'no decision for a channel outside the mask');
SELECT throws_ok($$ UPDATE crm.choice_policy SET response_value = 0 $$, '23514', NULL, 'an answer is worth something');
SELECT throws_ok($$ UPDATE crm.choice_policy SET gamma = 'NaN' $$, '23514', NULL, 'gamma is a number');

UPDATE crm.choice_policy SET gamma = 0;
SELECT ok((SELECT bool_and(abs(p - 1 / 3.0) < 1e-12) FROM crm.choose_channel(1) AS c, unnest(c.propensities) AS p), 'gamma can be set: 0 takes all alike');
INSERT INTO crm.choice_policy (purpose, response_value, gamma) VALUES ('newsletter', 60, 1e9);
UPDATE crm.choice_policy SET gamma = 1000 WHERE purpose = 'marketing';
SELECT lives_ok($$ SELECT crm.choose_channel(7, 'newsletter'), crm.choose_channel(8, 'invoice') $$, 'other purposes');
SELECT results_eq('SELECT purpose, gamma FROM crm.contact_decision WHERE customer_id IN (7, 8) ORDER BY customer_id',
                  $$ VALUES ('newsletter', 1e9::double precision), ('invoice', 1000) $$, 'gamma by purpose; those not listed are decided like marketing');

-- Many at once: choices agree with propensities, none outside the mask
CREATE TEMP TABLE many AS
SELECT c.*, s FROM generate_series(1, 20) AS s, crm.choose_channels(ARRAY(SELECT customer_id FROM crm.customer WHERE customer_id < 398), at => now(), seed => s) AS c;
SELECT ok((SELECT bool_and(channel = ANY (channels)) AND bool_and(abs(p.total - 1) < 1e-12) AND min(p.least) >= 1 / 1003.0
           FROM many, LATERAL (SELECT sum(u) AS total, min(u) AS least FROM unnest(propensities) AS u) AS p), 'none outside the mask; propensities sum to 1 and have a floor');
SELECT ok((SELECT bool_and(abs(n - e) <= 5 * sqrt(v) + 1) FROM (
               SELECT c.channel, count(*) FILTER (WHERE many.channel = c.channel) AS n, sum(c.p) AS e, sum(c.p * (1 - c.p)) AS v
               FROM many, unnest(many.channels, many.propensities) AS c (channel, p) GROUP BY c.channel) AS t), 'choices agree with propensities');
SELECT is((SELECT count(*) FROM many WHERE customer_id = 3 AND channel = 'letter'), 0::bigint, 'never over a blocked contact point');

SELECT ok(pg_temp.plan_of($$ SELECT * FROM crm.best_channel WHERE customer_id = 1 $$) ~ 'customer_id = .?1', 'one customer is found by his key');

-- Who may execute it decides, and writes no log by hand
CREATE ROLE crm_test_agent;
SELECT crm.grant_access('crm_test_agent', 'agent');
CREATE FUNCTION pg_temp.as_agent(statement text) RETURNS text LANGUAGE plpgsql SET role = crm_test_agent AS $$
BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN insufficient_privilege THEN RETURN 'refused'; END $$;
SELECT is(pg_temp.as_agent('SELECT crm.choose_channel(5)'), 'done', 'an agent decides');
SELECT is(pg_temp.as_agent('INSERT INTO crm.contact_decision SELECT * FROM crm.contact_decision'), 'refused', 'and writes no decision by hand');

-- The best hour ----------------------------------------------------------------------------------------------------

UPDATE crm.customer SET time_zone = 'Asia/Tokyo' WHERE customer_id > 300;
SELECT is_empty('SELECT * FROM crm.best_hour WHERE customer_id = 20', 'nothing was tried at any hour: no hour is better');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT c.customer_id, 'letter', 'outbound', CASE WHEN h.hour = 18 AND c.customer_id <> 301 OR c.customer_id % 4 = 0 THEN 'replied' ELSE 'unanswered' END::crm.outcome,
       (date_trunc('day', now() AT TIME ZONE coalesce(c.time_zone, current_setting('TimeZone'))) - w.week * interval '7 days' + h.hour * interval '1 hour')
           AT TIME ZONE coalesce(c.time_zone, current_setting('TimeZone'))
FROM crm.customer AS c, generate_series(1, 4) AS w (week), unnest('{9,18}'::integer[]) AS h (hour)
WHERE c.customer_id BETWEEN 201 AND 397;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT 301, 'letter', 'outbound', 'replied', (date_trunc('day', now() AT TIME ZONE 'Asia/Tokyo') - w * interval '7 days' + interval '20 hours') AT TIME ZONE 'Asia/Tokyo'
FROM generate_series(1, 6) AS w;
SELECT ok(crm.refresh_hours() >= 3, 'hours of all customers');
SELECT results_eq($$ SELECT hour FROM crm.channel_hour WHERE channel = 'letter' ORDER BY hour $$, 'VALUES (9), (18), (20)', 'in each customer''s own time zone');
SELECT ok((SELECT e.relative_rate > 1.3 AND m.relative_rate < 0.7 AND e.strength BETWEEN 2 AND 200
           FROM crm.channel_hour AS e, crm.channel_hour AS m WHERE e.channel = 'letter' AND e.hour = 18 AND m.channel = 'letter' AND m.hour = 9), 'the evening is better');
SELECT results_eq($$ SELECT hour, preference FROM crm.best_hour WHERE customer_id = 20 AND channel = 'letter' ORDER BY preference LIMIT 1 $$, 'VALUES (18, 1)',
                  'who was never contacted is taken to be like all');
SELECT results_eq($$ SELECT hour, time_zone FROM crm.best_hour WHERE customer_id = 301 AND channel = 'letter' AND preference = 1 $$, $$ VALUES (20, 'Asia/Tokyo') $$,
                  'who always answers at eight is best reached at eight, though hardly anyone else was');
SELECT ok((SELECT bool_and(rate > 0 AND rate < 1 AND (observations = 0 OR rate <> expected)) AND max(preference) <= 3 AND count(*) > 390 FROM crm.best_hour), 'rates are rates, three hours at most');
SELECT ok((SELECT own.rate > own.expected AND own.rate < 1 FROM crm.best_hour AS own WHERE customer_id = 301 AND channel = 'letter' AND hour = 20), 'his own contacts pull, and do not outdo');
SELECT throws_ok($$ SELECT crm.refresh_hours('infinity') $$, '22008', NULL, 'hours as of a finite time');

-- What came of decisions --------------------------------------------------------------------------------------------

INSERT INTO crm.customer (customer_id, name) SELECT i, 'D' || i FROM generate_series(501, 504) AS i;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT i, 'letter', 'Y ' || i FROM generate_series(501, 504) AS i;
CREATE TEMP TABLE decision AS SELECT * FROM crm.choose_channels('{501,502,503,504}', at => now() - interval '60 days');
CREATE TEMP TABLE later AS SELECT * FROM crm.choose_channels('{501}', at => now() - interval '50 days');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
VALUES (501, 'letter', 'outbound', 'unanswered', now() - interval '60 days'), (501, 'letter', 'outbound', 'replied', now() - interval '50 days'),
       (502, 'letter', 'outbound', 'sent', now() - interval '59 days'), (502, 'letter', 'inbound', 'replied', now() - interval '40 days'),
       (503, 'letter', 'outbound', 'sent', now() - interval '59 days'), (503, 'letter', 'inbound', 'replied', now() - interval '10 days');
SELECT results_eq('SELECT customer_id, contacted, answered, reward FROM crm.decision_outcome WHERE customer_id > 500 ORDER BY decision_id',
                  $$ VALUES (501::bigint, true, false, 0::double precision), (502, true, true, 1), (503, true, false, 0), (504, false, false, NULL), (501, true, true, 1) $$,
                  'an answer counts for the newest decision before it, within the window; what was not carried out for nothing');
SELECT is((SELECT (crm.policy_value(reward, propensity, 1)).n FROM crm.decision_outcome WHERE customer_id > 500), 4::bigint, 'and can be judged');

-- Another policy is judged by the log of this one: what each customer would have answered over every channel is known here.
INSERT INTO crm.customer (customer_id, name) SELECT i, 'J' || i FROM generate_series(20001, 22000) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) SELECT 100000 + i * 10 + c.n, i, c.c, CASE c.c WHEN 'email' THEN 'j' || i || '@example.org' WHEN 'phone' THEN '+49' || 3000000000 + i ELSE 'Weg ' || i END
FROM generate_series(20001, 22000) AS i, unnest('{phone,email,letter}'::crm.channel[]) WITH ORDINALITY AS c (c, n);
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence, recorded_at)
SELECT i, c, 'marketing', 'granted', 'form', now() - interval '100 days' FROM generate_series(20001, 22000) AS i, unnest('{phone,email}'::crm.channel[]) AS c;
UPDATE crm.choice_policy SET gamma = 3 WHERE purpose = 'marketing';
CREATE TEMP TABLE would AS SELECT i AS customer_id, c AS channel, abs(hashint8extended(i, c::integer)) % 1000 < (ARRAY[250, 400, 120])[c] AS answer
FROM generate_series(20001::bigint, 22000) AS i, generate_series(1, 3) AS c;
CREATE TEMP TABLE logged AS SELECT d.*, (array_position('{phone,email,letter}'::crm.channel[], d.channel)) AS c
FROM crm.choose_channels(ARRAY(SELECT generate_series(20001::bigint, 22000)), at => date_trunc('day', now() - interval '60 days') + interval '11 hours', seed => 42) AS d;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT l.customer_id, l.channel, 'outbound', CASE WHEN w.answer THEN 'replied' ELSE 'unanswered' END::crm.outcome, n.decided_at + interval '1 minute'
FROM logged AS l JOIN would AS w ON w.customer_id = l.customer_id AND w.channel = l.c JOIN crm.contact_decision AS n USING (decision_id);
SELECT is((SELECT count(DISTINCT channel) FROM logged), 3::bigint, 'all channels are tried');
CREATE TEMP TABLE judged AS
SELECT p.policy, (crm.policy_value(o.reward, o.propensity, (o.channel::text = p.policy)::int, 0.25, 0.25)).*,
       (SELECT avg(answer::int) FROM would AS w WHERE w.channel = p.c) AS truth
FROM (VALUES ('phone', 1), ('email', 2), ('letter', 3)) AS p (policy, c), crm.decision_outcome AS o WHERE o.customer_id > 20000 GROUP BY p.policy, p.c;
SELECT is_empty('SELECT * FROM judged WHERE abs(ips - truth) > 3 * ips_error OR abs(snips - truth) > 3 * snips_error OR abs(dr - truth) > 3 * dr_error OR NOT reliable OR n <> 2000',
    'what each single channel would have brought is within three standard errors, by all three estimates');
SELECT is_empty('SELECT * FROM judged WHERE ips_error > 0.05 OR truth < 0.05', 'which are small');
SELECT results_eq('SELECT policy FROM judged ORDER BY snips DESC', $$ VALUES ('email'), ('phone'), ('letter') $$, 'and the policies come in their order');
SELECT ok((SELECT NOT v.reliable AND v.warning IS NOT NULL AND v.effective_sample_size < 100 FROM (SELECT (crm.policy_value(o.reward, o.propensity, (o.channel = 'phone')::int)).* FROM crm.decision_outcome AS o
    WHERE o.customer_id BETWEEN 20001 AND 20100) AS v), 'a hundred decisions tell too little, and that is said');
UPDATE crm.choice_policy SET gamma = 1000 WHERE purpose = 'marketing';

-- What is known over every channel, permitted or not
SELECT is_empty('SELECT customer_id, sum(probability_best) FROM crm.channel_preference GROUP BY customer_id HAVING abs(sum(probability_best) - 1) > 1e-6', 'the probabilities of being best add up to 1');
SELECT is_empty($$ SELECT p.customer_id, p.channel FROM crm.channel_preference AS p JOIN crm.best_channel AS b USING (customer_id, channel)
    WHERE abs(p.expected_value - b.expected_value) > 1e-9
       OR b.channels = (SELECT count(*) FROM crm.channel_preference AS o WHERE o.customer_id = p.customer_id) AND abs(p.probability_best - b.probability_best) > 1e-9 $$,
    'where all are permitted, as best_channel says');
SELECT isnt_empty($$ SELECT FROM crm.best_channel AS b WHERE b.channels > 1 AND b.channels = (SELECT count(*) FROM crm.channel_preference AS o WHERE o.customer_id = b.customer_id) $$, 'there are such');
SELECT results_eq('SELECT channel FROM crm.channel_preference WHERE customer_id = 1 AND probability_best > 0.5', 'SELECT channel FROM crm.channel_preference WHERE customer_id = 1 ORDER BY expected_value DESC LIMIT 1', 'the most valuable is likely the best');
SELECT is_empty($$ SELECT FROM crm.channel_preference WHERE reason !~ '^(not yet tried|[0-9.]+ of [0-9.]+ recent contacts)' OR reason IS NULL $$, 'with a reason in words');

-- What was wrong is said
INSERT INTO crm.customer (customer_id, name) VALUES (9901, 'Asked');
SELECT throws_ok(q, e, m, q) FROM (VALUES
    ('SELECT crm.choose_channel(9901, NULL)', '22023', 'a contact must have a purpose'), ('SELECT crm.choose_channel(9901, '''')', '22023', 'a contact must have a purpose'),
    ('SELECT crm.choose_channel(9901, ''marketing'', NULL)', '22023', 'the time of a contact must be finite, not null'),
    ('SELECT crm.choose_channel(9901, ''marketing'', ''infinity'')', '22023', 'the time of a contact must be finite, not infinity'),
    ('SELECT crm.choose_channel(999999999)', '23503', 'customer 999999999 does not exist'),
    ('SELECT crm.choose_channels(''{9901,999999999}'')', '23503', 'customer 999999999 does not exist'),
    ('SELECT crm.contact_options(''{9901}'', ''marketing'', ''-infinity'')', '22023', 'the time of a contact must be finite, not -infinity'),
    ('SELECT crm.contact_options(''{9901}'', '''')', '22023', 'a contact must have a purpose'),
    ('SELECT crm.queue_message(9901, NULL, ''marketing'')', '23502', 'null value in column "channel" of relation "message" violates not-null constraint'),
    ('SELECT crm.queue_message(NULL, ''email'', ''marketing'')', '23502', 'null value in column "customer_id" of relation "message" violates not-null constraint'),
    ('SELECT crm.queue_message(9901, ''email'', '''')', '23514', 'new row for relation "message" violates check constraint "message_purpose_check"'),
    ('SELECT crm.resolve_message(NULL, ''sent'')', '55000', 'message null is not unknown'), ('SELECT crm.lift_objection(NULL, ''x'')', 'P0002', 'entry null is not an objection'),
    ('SELECT crm.suppress(''email'', NULL)', '22023', 'what is suppressed must be an address of a channel, neither of them null'),
    ('SELECT crm.unsubscribe(NULL)', '22023', 'this is not a token for unsubscribing')) AS v (q, e, m);
SELECT is_empty('SELECT FROM crm.contact_decision WHERE customer_id = 9901', 'and no decision is kept of what was refused');

SELECT * FROM finish();
ROLLBACK;
