-- Openings and clicks by machines: recognised, kept as facts, without a say in the scores, and classified again when rules change.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

INSERT INTO crm.customer (customer_id, name, kind) SELECT i, 'C' || i, 'person' FROM generate_series(1, 30) AS i;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, details) VALUES
    (1, 'email', 'outbound', 'clicked', now() - interval '1 hour', '{"user_agent": "Mozilla/5.0 (Windows NT 10.0)", "ip": "192.0.2.1"}'),
    (2, 'email', 'outbound', 'clicked', now() - interval '1 hour', '{"user_agent": "Barracuda Sentinel"}'),
    (3, 'email', 'inbound', 'opened', now() - interval '1 hour', '{"user_agent": "Mozilla/5.0"}'),
    (4, 'email', 'outbound', 'clicked', now() - interval '1 hour', '{"user_agent": null, "ip": "not an address", "reported_at": "yesterdayish"}'),
    (5, 'email', 'outbound', 'replied', now() - interval '1 hour', '{"user_agent": "Googlebot"}');
SELECT results_eq('SELECT customer_id, outcome, direction, reported_outcome, machine_rule_id IS NOT NULL FROM crm.interaction WHERE customer_id < 6 ORDER BY 1',
    $$ VALUES (1::bigint, 'clicked'::crm.outcome, 'outbound'::crm.direction, NULL::crm.outcome, false), (2, 'delivered', 'outbound', 'clicked', true),
              (3, 'delivered', 'outbound', 'opened', true), (4, 'clicked', 'outbound', NULL, false), (5, 'replied', 'outbound', NULL, false) $$,
    'machines are known by their name; people, and what cannot be read, are people''s');
SELECT results_eq('SELECT customer_id, crm.observations(score), interactions FROM crm.customer_channel WHERE customer_id < 6 ORDER BY 1',
                  'VALUES (1::bigint, 1::bigint, 1::bigint), (2, 0, 1), (3, 0, 1), (4, 1, 1), (5, 1, 1)', 'a machine''s click counts for nothing');

INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, details) VALUES
    (6, 'email', 'outbound', 'delivered', now() - interval '1 hour', NULL), (6, 'email', 'outbound', 'clicked', now() - interval '1 hour' + interval '1 second', '{}'),
    (7, 'email', 'outbound', 'delivered', now() - interval '1 hour', NULL), (7, 'email', 'outbound', 'clicked', now() - interval '1 hour' + interval '1 minute', '{}'),
    (12, 'email', 'outbound', 'delivered', now() - interval '1 hour', NULL), (12, 'email', 'outbound', 'clicked', now() - interval '1 hour' + interval '1 second', NULL);
SELECT results_eq('SELECT customer_id, r.name FROM crm.interaction LEFT JOIN crm.machine_rule AS r USING (machine_rule_id) WHERE customer_id IN (6, 7, 12) AND coalesce(reported_outcome, outcome) = ''clicked'' ORDER BY 1',
                  $$ VALUES (6::bigint, 'faster than people'), (7, NULL), (12, NULL) $$, 'a click within two seconds of delivery is no person''s, where it comes as a report');

INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, details)
SELECT 8, 'email', 'outbound', 'clicked', now() - interval '1 hour' + g * interval '100 milliseconds', '{"link": 1}' FROM generate_series(1, 6) AS g;
SELECT is((SELECT count(*) FROM crm.interaction WHERE customer_id = 8 AND reported_outcome = 'clicked'), 3::bigint, 'a burst is known from the fourth click on');
SELECT is((SELECT crm.observations(score) FROM crm.customer_channel WHERE customer_id = 8), 3::bigint, 'and counts until then');

-- Rules change
INSERT INTO crm.machine_rule (name, network) VALUES ('our own office', '192.0.2.0/24');
SELECT is((SELECT outcome::text || '/' || reported_outcome::text FROM crm.interaction WHERE customer_id = 1), 'delivered/clicked', 'a new rule classifies what is there');
SELECT is((SELECT crm.observations(score) FROM crm.customer_channel WHERE customer_id = 1), 0::bigint, 'and the score follows');
UPDATE crm.machine_rule SET is_active = false WHERE name = 'our own office';
SELECT is((SELECT outcome::text FROM crm.interaction WHERE customer_id = 1 AND reported_outcome IS NULL AND machine_rule_id IS NULL), 'clicked', 'a rule out of force takes its word back');
SELECT is((SELECT crm.observations(score) FROM crm.customer_channel WHERE customer_id = 1), 1::bigint, 'and the score follows');
DELETE FROM crm.machine_rule;
SELECT is_empty('SELECT * FROM crm.interaction WHERE reported_outcome IS NOT NULL', 'without rules there are no machines');
SELECT is((SELECT sum(crm.observations(score)) FROM crm.customer_channel WHERE customer_id IN (2, 6, 8)), 8::numeric, 'and every click counts');
SELECT is_empty('SELECT * FROM crm.verify() WHERE differing > 0', 'scores are what the facts give');

-- A report comes as a change of the contact that it reports on
INSERT INTO crm.machine_rule (name, user_agent) VALUES ('robot', 'robot');
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, occurred_at)
VALUES (-9, 9, 'email', 'outbound', 'sent', now() - interval '30 days'), (-10, 10, 'email', 'outbound', 'sent', now() - interval '30 days');
UPDATE crm.interaction SET outcome = 'clicked', details = '{"user_agent": "robot"}' WHERE interaction_id IN (-9, -10);
SELECT results_eq('SELECT outcome, reported_outcome, window_closed_at IS NULL FROM crm.interaction WHERE interaction_id = -9',
                  $$ VALUES ('sent'::crm.outcome, 'clicked'::crm.outcome, true) $$, 'the contact stays as open as it was');
SELECT crm.close_windows();
SELECT results_eq('SELECT outcome, reported_outcome, open_outcome FROM crm.interaction WHERE interaction_id = -9',
                  $$ VALUES ('unanswered'::crm.outcome, 'clicked'::crm.outcome, 'sent'::crm.outcome) $$, 'and ends unanswered, though a machine clicked');
UPDATE crm.interaction SET outcome = 'replied' WHERE interaction_id = -10;
SELECT results_eq('SELECT outcome, reported_outcome, machine_rule_id FROM crm.interaction WHERE interaction_id = -10',
                  $$ VALUES ('replied'::crm.outcome, NULL::crm.outcome, NULL::bigint) $$, 'a real answer is one');
DELETE FROM crm.machine_rule;
SELECT results_eq('SELECT outcome, reported_outcome, open_outcome FROM crm.interaction WHERE interaction_id = -9',
                  $$ VALUES ('clicked'::crm.outcome, NULL::crm.outcome, NULL::crm.outcome) $$, 'no machine after all: clicked');
SELECT is_empty('SELECT * FROM crm.verify() WHERE differing > 0', 'scores are what the facts give');

UPDATE crm.interaction SET machine_rule_id = 1, reported_outcome = 'clicked' WHERE interaction_id = -10;
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, machine_rule_id) VALUES (-11, 11, 'email', 'outbound', 'unanswered', 5);
SELECT is_empty('SELECT * FROM crm.interaction WHERE interaction_id < -9 AND (machine_rule_id IS NOT NULL OR reported_outcome IS NOT NULL)', 'nobody but the rules calls anyone a machine');
SELECT throws_ok($$ INSERT INTO crm.machine_rule (name) VALUES ('all') $$, '23514', NULL, 'a rule that says nothing is refused');
SELECT throws_ok($$ INSERT INTO crm.machine_rule (name, user_agent) VALUES ('bad', '(') $$, '2201B', NULL, 'so is a bad pattern');
SELECT throws_ok($$ INSERT INTO crm.machine_rule (name, burst) VALUES ('bad', 3) $$, '23514', NULL, 'and half a burst');
SELECT ok((SELECT sum(interactions) FROM crm.machine_activity WHERE NOT is_machine) > 5, 'openings and clicks are counted');
INSERT INTO crm.machine_rule (name, user_agent) VALUES ('robot', 'barracuda');
SELECT results_eq('SELECT channel, outcome, rule, interactions, customers FROM crm.machine_activity WHERE is_machine', $$ VALUES ('email', 'clicked', 'robot', 1::bigint, 1::bigint) $$, 'machines apart');

SELECT * FROM finish();
ROLLBACK;
