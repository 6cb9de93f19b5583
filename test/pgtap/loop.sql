-- loop: what a fact moves, in the same statement, and that what is derived is always what recomputation gives.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT plan(47);

CREATE FUNCTION pg_temp.clean() RETURNS boolean LANGUAGE sql AS 'SELECT bool_and(differing = 0) FROM crm.verify()';
CREATE FUNCTION pg_temp.channel(c bigint, ch crm.channel) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s observed, +%s -%s', interactions, crm.observations(score),
                  round(crm.successes(score, '2026-01-01 00:00+00')::numeric, 3), round(crm.failures(score, '2026-01-01 00:00+00')::numeric, 3))
    FROM crm.customer_channel WHERE customer_id = c AND channel = ch $$;

INSERT INTO crm.customer (customer_id, name) SELECT g, 'customer ' || g FROM generate_series(1, 9) AS g;

ALTER TABLE crm.interaction ALTER interaction_id RESTART WITH 1000;
ALTER TABLE crm.purchase ALTER purchase_id RESTART WITH 1000;

-- Interactions
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, occurred_at)
VALUES (1, 1, 'phone', 'outbound', 'reached', '2026-01-01 00:00+00'), (2, 1, 'phone', 'outbound', 'unreached', '2026-01-01 00:00+00'),
       (3, 1, 'email', 'outbound', 'sent', '2026-01-01 00:00+00'), (4, 1, 'email', 'inbound', 'replied', '2026-01-01 00:00+00');
SELECT is(pg_temp.channel(1, 'phone'), '2: 2 observed, +1.000 -1.000', 'reached is a success, unreached a failure');
SELECT is(pg_temp.channel(1, 'email'), '2: 1 observed, +1.000 -0.000', 'sending tells nothing, an answer is a success');
SELECT is((last_outbound_at, last_inbound_at)::text, '("2026-01-01 00:00:00+00","2026-01-01 00:00:00+00")', 'the newest contacts are kept')
FROM (SELECT last_outbound_at AT TIME ZONE 'UTC' || '+00' AS last_outbound_at, last_inbound_at AT TIME ZONE 'UTC' || '+00' AS last_inbound_at
      FROM crm.customer_channel WHERE customer_id = 1 AND channel = 'email') AS c;
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, occurred_at) VALUES (5, 1, 'phone', 'outbound', 'reached', '2025-01-02 00:00+00');
SELECT is(pg_temp.channel(1, 'phone'), '3: 3 observed, +1.500 -1.000', 'after a half-life an observation weighs half');
UPDATE crm.interaction SET outcome = 'unreached' WHERE interaction_id = 5;
SELECT is(pg_temp.channel(1, 'phone'), '3: 3 observed, +1.000 -1.500', 'a corrected outcome moves the score');
UPDATE crm.interaction SET customer_id = 2, channel = 'visit' WHERE interaction_id = 5;
SELECT is(pg_temp.channel(2, 'visit'), '1: 1 observed, +0.000 -0.500', 'a corrected customer and channel too');
SELECT is(pg_temp.channel(1, 'phone'), '2: 2 observed, +1.000 -1.000', 'and nothing is left behind');
DELETE FROM crm.interaction WHERE interaction_id = 5;
SELECT is(pg_temp.channel(2, 'visit'), NULL, 'without interactions there is no row');
SELECT ok(pg_temp.clean(), 'derived is what recomputation gives');
SAVEPOINT s;
DELETE FROM crm.interaction WHERE customer_id = 1;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (1, 'fax', 'outbound', 'sent');
ROLLBACK TO s;
SELECT is(pg_temp.channel(1, 'phone'), '2: 2 observed, +1.000 -1.000', 'a savepoint rolled back takes the scores with it');

-- The same event twice
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id) VALUES (3, 'phone', 'inbound', 'reached', 'pbx', 'a');
SELECT throws_ok($$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id) VALUES (3, 'phone', 'inbound', 'reached', 'pbx', 'a') $$, '23505', NULL, 'an event is stored once');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id) VALUES (3, 'phone', 'inbound', 'reached', 'pbx', 'a'), (3, 'phone', 'inbound', 'reached', 'pbx', 'b') ON CONFLICT (source, external_id) DO NOTHING;
SELECT is((SELECT interactions FROM crm.customer_channel WHERE customer_id = 3), 2::bigint, 'on conflict do nothing counts the new one only');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, source, external_id)
VALUES (3, 'phone', 'outbound', 'unreached', '2026-01-01', 'pbx', 'a'), (4, 'phone', 'outbound', 'unreached', '2026-01-01', 'pbx', 'c')
ON CONFLICT (source, external_id) DO UPDATE SET outcome = excluded.outcome, direction = excluded.direction, occurred_at = excluded.occurred_at;
SELECT ok(pg_temp.clean() AND pg_temp.channel(4, 'phone') = '1: 1 observed, +0.000 -1.000', 'on conflict do update moves both');
MERGE INTO crm.interaction AS i USING (VALUES ('a', 'x'), ('b', 'y'), ('z', 'x')) AS e (id, what) ON i.source = 'pbx' AND i.external_id = e.id
WHEN MATCHED AND e.what = 'x' THEN DELETE WHEN MATCHED THEN UPDATE SET channel = 'chat'
WHEN NOT MATCHED THEN INSERT (customer_id, channel, direction, outcome, source, external_id) VALUES (5, 'letter', 'inbound', 'replied', 'pbx', e.id);
SELECT ok(pg_temp.clean() AND EXISTS (SELECT FROM crm.customer_channel WHERE customer_id = 5), 'merge moves all');

-- What an outcome implies
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (61, 6, 'email', 'six@example.org'), (71, 7, 'email', 'a@example.org'), (72, 7, 'email', 'b@example.org');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (6, 'email', 'outbound', 'bounced', '2026-01-01 00:00+00');
SELECT is((SELECT (blocked_at, block_reason)::text FROM crm.contact_point WHERE contact_point_id = 61), ('2026-01-01 00:00+00'::timestamptz, 'bounced'::text)::text, 'a bounce blocks the only contact point it can have been');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (7, 'email', 'outbound', 'bounced');
SELECT is((SELECT count(*) FROM crm.contact_point WHERE customer_id = 7 AND blocked_at IS NOT NULL), 0::bigint, 'of two it does not guess');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, contact_point_id, details) VALUES (7, 'email', 'outbound', 'bounced', 71, '{"bounce": "soft"}');
SELECT is((SELECT count(*) FROM crm.contact_point WHERE customer_id = 7 AND blocked_at IS NOT NULL), 0::bigint, 'a soft bounce blocks nothing');
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, contact_point_id) VALUES (77, 7, 'email', 'outbound', 'sent', 72);
UPDATE crm.interaction SET outcome = 'bounced' WHERE interaction_id = 77;
SELECT is((SELECT blocked_at IS NOT NULL FROM crm.contact_point WHERE contact_point_id = 72), true, 'a bounce reported by update blocks too');
SELECT is(pg_temp.channel(6, 'email'), '1: 0 observed, +0.000 -0.000', 'a bounce tells nothing about the channel');

-- Response windows
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, occurred_at) VALUES
    (81, 8, 'email', 'outbound', 'sent', '2026-01-01 00:00+00'), (82, 8, 'email', 'outbound', 'opened', '2026-01-05 00:00+00'),
    (83, 8, 'email', 'inbound', 'replied', '2026-01-06 00:00+00'), (84, 8, 'letter', 'outbound', 'sent', '2026-01-01 00:00+00');
SELECT is(crm.close_windows('2026-01-07 23:59+00'), 0::bigint, 'no window has closed before its time');
SELECT is(crm.close_windows('2026-01-30 00:00+00'), 1::bigint, 'the letter is unanswered, the e-mails are answered');
SELECT is((SELECT (outcome, open_outcome)::text FROM crm.interaction WHERE interaction_id = 84), '(unanswered,sent)', 'the outcome before is kept');
SELECT is(pg_temp.channel(8, 'letter'), '1: 1 observed, +0.000 -1.000', 'silence is a failure');
SELECT is(crm.close_windows('2026-01-30 00:00+00'), 0::bigint, 'a window closes once');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (8, 'letter', 'inbound', 'replied', '2026-01-31 00:00+00');
SELECT is((SELECT (outcome, open_outcome)::text FROM crm.interaction WHERE interaction_id = 84), '(sent,)', 'a late answer takes it back');
SELECT ok(pg_temp.clean() AND pg_temp.channel(8, 'letter') LIKE '2: 1 observed, +1.%  -0.000' OR pg_temp.channel(8, 'letter') LIKE '2: 1 observed, +1.%', 'and the score with it');
SELECT throws_ok($$ SELECT crm.close_windows('infinity') $$, '22023', NULL, 'windows close by a finite time');

-- Purchases
INSERT INTO crm.purchase (purchase_id, customer_id, purchased_at, amount) VALUES (1, 1, '2026-01-01 10:00+00', 10.50), (2, 1, '2026-01-08 10:00+00', 20);
SELECT is((SELECT history::text FROM crm.customer_history WHERE customer_id = 1), '(2,2,2026-01-01T10:00:00,2026-01-08T10:00:00,30.5,10.5)', 'purchases make a history');
SELECT is((SELECT lifecycle::text FROM crm.customer WHERE customer_id = 1), 'customer', 'the first purchase makes a prospect a customer');
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (1, '2026-01-03 10:00+00', 1);
SELECT is((SELECT history::text FROM crm.customer_history WHERE customer_id = 1), '(3,3,2026-01-01T10:00:00,2026-01-08T10:00:00,31.5,10.5)', 'a late one finds its place');
UPDATE crm.purchase SET currency = 'USD' WHERE purchase_id = 1;
SELECT is((SELECT string_agg(currency || ' ' || crm.total_spend(history), ', ' ORDER BY currency) FROM crm.customer_history WHERE customer_id = 1), 'EUR 21, USD 10.5', 'currencies are kept apart');
DELETE FROM crm.purchase WHERE purchase_id = 1;
SELECT ok(pg_temp.clean() AND (SELECT count(*) FROM crm.customer_history WHERE customer_id = 1) = 1, 'a deleted purchase leaves no history behind');
SELECT throws_ok($$ INSERT INTO crm.purchase (customer_id, amount) VALUES (1, -5) $$, '23514', NULL, 'a negative amount is refused');
SELECT throws_ok($$ INSERT INTO crm.purchase (customer_id, amount) VALUES (1, 'NaN') $$, '23514', NULL, 'so is what is no number');
SELECT lives_ok($$ INSERT INTO crm.purchase (customer_id, amount) VALUES (1, 2933 / 100.0) $$, 'a computed amount is taken as it is');

-- Times
SELECT throws_ok($$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (1, 'phone', 'inbound', 'reached', now() + interval '1 hour') $$, '23514', 'occurred_at of interaction must not be in the future', 'the future is refused');
SELECT throws_ok($$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (1, 'phone', 'inbound', 'reached', '-infinity') $$, '23514', 'occurred_at of interaction must be a finite time', 'infinity is refused');
SELECT throws_ok($$ INSERT INTO crm.purchase (customer_id, amount, purchased_at) VALUES (1, 5, NULL) $$, '23502', NULL, 'no time is refused');

-- Two speeds
SET LOCAL crm.loop = 'deferred';
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, analysed_at) VALUES (9, 'phone', 'outbound', 'reached', '2026-01-01 00:00+00', now());
SELECT is(pg_temp.channel(9, 'phone'), NULL, 'deferred: the fact waits, whatever analysed_at the client gave');
SET LOCAL client_min_messages = warning;
CALL crm.analyse(1);
SELECT is(pg_temp.channel(9, 'phone'), '1: 1 observed, +1.000 -0.000', 'crm.analyse() takes it in');
SET LOCAL crm.loop = 'immediate';
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, analysed_at) VALUES (9, 'phone', 'outbound', 'reached', NULL);
SELECT is((SELECT interactions FROM crm.customer_channel WHERE customer_id = 9), 2::bigint, 'immediate: a client cannot skip the loop by its analysed_at');
SELECT throws_ok($$ SET crm.loop = 'never' $$, '22023', NULL, 'there are two speeds');

-- Rules
UPDATE crm.channel_policy SET half_life = '182 days' WHERE channel = 'phone';
UPDATE crm.outcome_effect SET success = 0.5 WHERE direction = 'outbound' AND outcome = 'reached';
SELECT ok(pg_temp.clean() AND pg_temp.channel(1, 'phone') = '2: 2 observed, +0.500 -1.000', 'changed rules take effect on all scores at once');

-- Repair
UPDATE crm.customer_channel SET interactions = interactions + 1 WHERE customer_id = 1 AND channel = 'phone';
DELETE FROM crm.customer_history WHERE customer_id = 1;
SELECT is((SELECT string_agg(differing::text, ',') FROM crm.verify()), '1,1', 'crm.verify() finds what was changed behind the loop''s back');
SELECT is((SELECT string_agg(repaired::text, ',') FROM crm.rebuild()), '1,1', 'crm.rebuild() repairs it, and nothing else');
TRUNCATE crm.interaction, crm.purchase;
SELECT ok(pg_temp.clean() AND NOT EXISTS (SELECT FROM crm.customer_channel) AND NOT EXISTS (SELECT FROM crm.customer_history), 'truncated facts leave nothing derived');

CREATE TABLE public.elsewhere (LIKE crm.interaction INCLUDING DEFAULTS);
CREATE TRIGGER loop_insert AFTER INSERT ON public.elsewhere REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.interaction_after_insert();
SELECT throws_ok($$ INSERT INTO public.elsewhere (interaction_id, customer_id, channel, direction, outcome, occurred_at, analysed_at)
    VALUES (1, 1, 'phone', 'inbound', 'reached', now(), now()) $$, '39P01', NULL, 'the loop serves no other table');

SELECT * FROM finish();
ROLLBACK;
