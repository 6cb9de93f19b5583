-- consent: the ledger, the rules of contact, and that nothing they forbid can be written.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

INSERT INTO crm.customer (customer_id, name, country, kind, time_zone) VALUES
    (9001, 'Ann', 'DE', 'person', NULL), (9002, 'Firma', 'DE', 'organisation', NULL), (9003, 'Cy', NULL, 'person', 'UTC'),
    (9004, 'Dee', 'XX', 'person', 'Asia/Tokyo');
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address, is_primary) VALUES
    (9011, 9001, 'email', 'ann@example.org', false), (9012, 9001, 'letter', 'Weg 1', false), (9013, 9001, 'phone', '+49 30 123456', false),
    (9021, 9002, 'email', 'info@example.com', false), (9022, 9002, 'phone', '+49 30 654321', false),
    (9031, 9003, 'email', 'cy@example.net', true), (9032, 9003, 'email', 'cy2@example.net', false), (9033, 9003, 'phone', '+1 212 555 0100', false),
    (9041, 9004, 'phone', '+81 3 1234 5678', false);
UPDATE crm.channel_policy SET quiet_from = NULL, quiet_until = NULL;
DELETE FROM crm.quiet_rule;

-- What may be written is asked in one line.
CREATE FUNCTION pg_temp.may(customer bigint, channel crm.channel, purpose text DEFAULT 'marketing', point bigint DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken text;
    code text;
BEGIN
    INSERT INTO crm.message (customer_id, channel, purpose, contact_point_id) VALUES (customer, channel, purpose, point);
    RAISE EXCEPTION USING ERRCODE = 'CRM00';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME, code = RETURNED_SQLSTATE;
    RETURN CASE code WHEN 'CRM00' THEN 'yes' WHEN '23514' THEN broken ELSE code || ' ' || sqlerrm END;
END $$;

-- Rules by country, audience and purpose
SELECT is(pg_temp.may(9001, 'email'), 'message_consent', 'no advertising by e-mail without consent');
SELECT is(pg_temp.may(9001, 'letter'), 'yes', 'a letter needs none');
SELECT is(pg_temp.may(9001, 'email', 'contract'), 'yes', 'what is not advertising needs none');
SELECT is(pg_temp.may(9001, 'email', 'our new purpose'), 'message_consent', 'a purpose that is not listed is advertising');
SELECT is(pg_temp.may(9001, 'fax'), 'message_contact_point', 'where there is no contact point nothing can be sent');
SELECT is(pg_temp.may(9001, 'email', 'contract', 9012), 'message_contact_point', 'nor to one of another channel');
SELECT is(pg_temp.may(9001, 'email', 'contract', 9031), 'message_contact_point', 'nor to that of another customer');
SELECT is(crm.needed_basis('DE', 'phone', 'organisation', 'marketing'), 'presumed_consent', 'a call to a business needs less than');
SELECT is(crm.needed_basis('DE', 'phone', 'person', 'marketing'), 'consent', 'a call to a consumer');
INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence) VALUES
    (9002, 'phone', 'marketing', 'granted', 'presumed_consent', 'buys every month'), (9001, 'phone', 'marketing', 'granted', 'presumed_consent', 'hopes');
SELECT is(pg_temp.may(9002, 'phone'), 'yes', 'presumed consent is enough for a business');
SELECT is(pg_temp.may(9001, 'phone'), 'message_consent', 'and not for a consumer');
INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence) VALUES (9001, 'email', 'marketing', 'granted', 'existing_customer', 'order 7');
SELECT is(pg_temp.may(9001, 'email'), 'yes', 'an existing customer may be written to');
SELECT is(pg_temp.may(9001, 'email', 'survey'), 'message_consent', 'for the purpose of the grant only');
UPDATE crm.contact_rule SET basis = 'consent' WHERE country = 'DE' AND channel = 'email';
SELECT is(pg_temp.may(9001, 'email'), 'message_consent', 'a stricter rule holds at once');
SELECT is(pg_temp.may(9003, 'email'), 'message_consent', 'without a rule the policy of the channel holds');
UPDATE crm.channel_policy SET requires_consent = false WHERE channel = 'email';
SELECT is(pg_temp.may(9003, 'email'), 'yes', 'and a change of it holds at once');
UPDATE crm.channel_policy SET requires_consent = true WHERE channel = 'email';

-- The ledger
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, basis) VALUES (9001, 'email', 'marketing', 'granted', 'double_opt_in') $$,
                 '23514', 'a grant that rests on "double_opt_in" needs evidence', 'what needs evidence needs it');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, basis) VALUES (9001, 'email', 'marketing', 'granted', 'a hunch') $$,
                 '23503', NULL, 'a basis must be one');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, status) VALUES (9001, 'email', 'granted') $$, '23514', NULL, 'a grant names its purpose');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, recorded_at) VALUES (9001, 'email', 'marketing', 'granted', now() + interval '1 hour') $$,
                 '23514', NULL, 'nothing is recorded in the future');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, contact_point_id) VALUES (9001, 'email', 'marketing', 'granted', 9031) $$,
                 '23514', NULL, 'nobody consents for the address of another');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence) VALUES (9001, 'phone', 'marketing', 'granted', 'existing_customer', 'x') $$,
                 '23514', NULL, 'an existing customer is one for e-mail only');
SELECT throws_ok('UPDATE crm.consent SET status = ''granted''', '23514', 'the ledger of consent is append-only', 'no entry can be changed');
SELECT throws_ok('UPDATE crm.consent SET is_current = NOT is_current', '23514', 'the ledger of consent is append-only', 'not even whether it counts');
SELECT throws_ok('DELETE FROM crm.consent', '23514', 'the ledger of consent is append-only', 'or deleted');
SELECT throws_ok('TRUNCATE crm.consent CASCADE', '23514', 'the ledger of consent is append-only', 'or truncated');
SELECT throws_ok('DELETE FROM crm.customer WHERE customer_id = 9001', '23503', NULL, 'nor with its customer');

INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'email', 'marketing', 'granted');
SELECT is((SELECT contact_point_id FROM crm.consent WHERE customer_id = 9003), 9031::bigint, 'a grant is for the primary address');
SELECT is(pg_temp.may(9003, 'email'), 'yes', 'it may be used');
SELECT is(pg_temp.may(9003, 'email', 'marketing', 9032), 'message_consent', 'the other not');
INSERT INTO crm.consent (customer_id, channel, purpose, status, recorded_at) VALUES (9003, 'email', 'marketing', 'withdrawn', now() - interval '1 year');
SELECT is(pg_temp.may(9003, 'email'), 'yes', 'what was said earlier and recorded later does not count');
INSERT INTO crm.consent (customer_id, purpose, status) VALUES (9003, 'marketing', 'withdrawn');
SELECT is(pg_temp.may(9003, 'email'), 'message_consent', 'a withdrawal for all channels does');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'email', 'marketing', 'granted');
SELECT is(pg_temp.may(9003, 'email'), 'yes', 'and a later grant after it');
INSERT INTO crm.consent (customer_id, channel, status) VALUES (9003, 'email', 'objected');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'email', 'marketing', 'granted');
SELECT is(pg_temp.may(9003, 'email'), 'message_consent', 'but none after an objection');
SELECT is(pg_temp.may(9003, 'email', 'contract'), 'yes', 'which is one to advertising');
SELECT throws_ok($$ SELECT crm.lift_objection((SELECT max(consent_id) FROM crm.consent WHERE customer_id = 9003 AND status = 'objected'), '') $$, '22023', NULL,
                 'it is not taken back without evidence');
SELECT lives_ok($$ SELECT crm.lift_objection((SELECT max(consent_id) FROM crm.consent WHERE customer_id = 9003 AND status = 'objected'), 'letter of May') $$, 'the customer takes it back');
SELECT is(pg_temp.may(9003, 'email'), 'yes', 'and may be written to');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'email', 'survey', 'granted');
INSERT INTO crm.consent (customer_id, channel, status) VALUES (9003, 'email', 'withdrawn'), (9003, 'email', 'objected');
SELECT isnt(crm.lift_objection((SELECT max(consent_id) FROM crm.consent WHERE customer_id = 9003 AND status = 'objected'), 'letter of June'), NULL, 'another objection is taken back');
SELECT is(pg_temp.may(9003, 'email', 'survey'), 'message_consent', 'which does not undo the withdrawal before it');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'email', 'contract', 'objected');
SELECT is(pg_temp.may(9003, 'email', 'contract'), 'message_consent', 'an objection to a purpose by name holds whatever it is');
INSERT INTO crm.consent (customer_id, channel, purpose, status, expires_at) VALUES (9003, 'phone', 'marketing', 'granted', now() + interval '1 day');
SELECT is(pg_temp.may(9003, 'phone'), 'yes', 'a grant holds until it expires');
SELECT is((SELECT refusal FROM crm.contact_options('{9003}', 'marketing', now() + interval '2 days') WHERE channel = 'phone'), 'message_consent', 'and not longer');

-- What waits is cancelled by who takes his word back
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9101, 9003, 'phone', 'marketing'), (9102, 9003, 'phone', 'service');
SELECT is((SELECT consent_id FROM crm.message WHERE message_id = 9101), (SELECT max(consent_id) FROM crm.consent WHERE customer_id = 9003 AND channel = 'phone'), 'a message refers to its consent');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9003, 'phone', 'marketing', 'withdrawn');
SELECT results_eq('SELECT status, refusal FROM crm.message WHERE message_id IN (9101, 9102) ORDER BY message_id', $$ VALUES ('cancelled', 'message_consent'), ('ready', NULL) $$, 'a withdrawal cancels what it forbids');

-- A contact point that changes
SELECT is((SELECT count(*) FROM crm.contact_permission WHERE customer_id = 9003 AND channel = 'email' AND purpose = 'marketing'), 1::bigint, 'permitted before');
UPDATE crm.contact_point SET verified_at = now() WHERE contact_point_id = 9031;
UPDATE crm.contact_point SET address = 'CY.new@Example.NET' WHERE contact_point_id = 9031;
SELECT is(pg_temp.may(9003, 'email', 'marketing', 9031), 'message_consent', 'consent falls with the address');
SELECT ok((SELECT verified_at IS NULL FROM crm.contact_point WHERE contact_point_id = 9031), 'a new address is not verified');
INSERT INTO crm.consent (customer_id, channel, purpose, status, contact_point_id) VALUES (9003, 'email', 'marketing', 'granted', 9031);
UPDATE crm.contact_point SET address = 'cy.new@example.net', is_primary = false WHERE contact_point_id = 9031;
SELECT is(pg_temp.may(9003, 'email', 'marketing', 9031), 'yes', 'but not by writing the same address differently');
DELETE FROM crm.contact_point WHERE contact_point_id = 9031;
SELECT is((SELECT evidence FROM crm.consent WHERE customer_id = 9003 ORDER BY consent_id DESC LIMIT 1), 'the contact point was deleted', 'nor does consent outlive it');

-- Blocks
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, contact_point_id) VALUES (9002, 'phone', 'outbound', 'bounced', 9022);
SELECT is(pg_temp.may(9002, 'phone'), 'message_blocked', 'a hard bounce blocks');
SELECT is(pg_temp.may(9002, 'phone', 'contract'), 'message_blocked', 'whatever the purpose');
UPDATE crm.contact_point SET address = '+49 30 777777' WHERE contact_point_id = 9022;
SELECT is(pg_temp.may(9002, 'phone', 'contract'), 'yes', 'a new number is not blocked');

-- The loop writes consent
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9002, 'email', 'marketing', 'granted'), (9002, 'email', 'survey', 'granted');
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9103, 9002, 'email', 'survey'), (9104, 9002, 'email', 'marketing');
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, message_id) VALUES (9201, 9002, 'email', 'outbound', 'unsubscribed', 9103);
SELECT results_eq('SELECT message_id, status FROM crm.message WHERE customer_id = 9002 ORDER BY 1', $$ VALUES (9103::bigint, 'cancelled'), (9104, 'ready') $$,
                  'who unsubscribes withdraws for the purpose of that message');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, contact_point_id) VALUES (9002, 'email', 'inbound', 'complained', 9021);
SELECT is((SELECT status FROM crm.message WHERE message_id = 9104), 'cancelled', 'who complains objects to all advertising');
SELECT is((SELECT block_reason FROM crm.contact_point WHERE contact_point_id = 9021), 'complained', 'and is not written to there again');

-- Quiet hours, in the customer's own time
UPDATE crm.channel_policy SET quiet_from = '20:00', quiet_until = '08:00' WHERE channel = 'phone';
SELECT is(crm.quiet_until('phone', 'XX', NULL, 'Asia/Tokyo', '2026-06-01 13:00+00'), '2026-06-01 23:00+00'::timestamptz, '22:00 in Tokyo: until 8:00 of the next day there');
SELECT is(crm.quiet_until('phone', 'XX', NULL, 'Europe/Berlin', '2026-06-01 13:00+00'), NULL, '15:00 in Berlin: not quiet');
SELECT is(crm.quiet_until('phone', 'XX', NULL, 'Europe/Berlin', '2026-03-28 23:00+00'), '2026-03-29 06:00+00'::timestamptz, 'over the change to summer time');
INSERT INTO crm.quiet_rule (country, channel, weekdays, on_holidays) VALUES ('DE', 'phone', '{7}', true);
SELECT is(crm.quiet_until('phone', 'DE', NULL, 'Europe/Berlin', '2026-04-03 10:00+02'), '2026-04-04 08:00+02'::timestamptz, 'Good Friday');
SELECT is(crm.quiet_until('phone', 'DE', NULL, 'Europe/Berlin', '2026-04-04 21:00+02'), '2026-04-07 08:00+02'::timestamptz, 'Saturday night, Easter Sunday, Easter Monday');
SELECT is(crm.quiet_until('phone', 'DE', 'SN', 'Europe/Berlin', '2026-11-18 10:00+01'), '2026-11-19 08:00+01'::timestamptz, 'a holiday of a region');
SELECT is(crm.quiet_until('phone', 'DE', 'BE', 'Europe/Berlin', '2026-11-18 10:00+01'), NULL, 'is none elsewhere');
INSERT INTO crm.holiday VALUES ('DE', '', '2026-11-17', 'day of action');
SELECT is(crm.quiet_until('phone', 'DE', 'BE', 'Europe/Berlin', '2026-11-17 10:00+01'), '2026-11-18 08:00+01'::timestamptz, 'a single day');
INSERT INTO crm.quiet_rule (channel, weekdays) VALUES ('letter', '{1,2,3,4,5,6,7}');
SELECT is(crm.quiet_until('letter', 'DE', NULL, 'UTC', '2026-11-17 10:00+01'), 'infinity'::timestamptz, 'rules that leave no time end');
UPDATE crm.customer SET time_zone = 'UTC' WHERE customer_id = 9003;
SELECT is((SELECT refusal || ' until ' || (next_at AT TIME ZONE 'UTC') FROM crm.contact_options('{9003}', 'service', '2026-06-01 22:00+00') WHERE channel = 'phone'),
          'message_quiet_hours until 2026-06-02 08:00:00', 'a call at night is refused with the next time');
SELECT is((SELECT refusal FROM crm.contact_options('{9003}', 'security', '2026-06-01 22:00+00') WHERE channel = 'phone'), NULL, 'unless it warns');
SET LOCAL TimeZone = 'Pacific/Auckland';
SELECT is(crm.contact_zone(NULL, 'DE'), 'Europe/Berlin', 'without a time zone that of the country');
SELECT is(crm.contact_zone(NULL, 'XX'), 'UTC', 'else the installation''s, never the session''s');
-- crm.contact_check() has the rule of crm.contact_zone() written out: both agree for every country and every zone.
UPDATE crm.channel_policy SET quiet_from = '00:01', quiet_until = '00:00' WHERE channel = 'phone';
INSERT INTO crm.customer (customer_id, name, country, time_zone)
SELECT 20000 + row_number() OVER (), 'zone', v.country, v.time_zone
FROM (SELECT c.country, NULL::text AS time_zone FROM crm.country AS c WHERE c.country <> 'ZZ' UNION ALL VALUES (NULL, NULL), ('XX', NULL)
      UNION ALL SELECT CASE WHEN length(z.name) % 2 = 0 THEN 'JP' END, z.name FROM pg_timezone_names AS z WHERE z.name NOT LIKE 'posix%' AND z.name <> 'localtime') AS v;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT customer_id, 'phone', '+4930' || 1000000 + customer_id FROM crm.customer WHERE customer_id > 20000;
PREPARE zone_faults AS
SELECT c.country, c.time_zone, k.refusal, k.detail, k.next_at
FROM (SELECT array_agg(c.customer_id) AS ids FROM crm.customer AS c WHERE c.customer_id > 20000) AS a
CROSS JOIN LATERAL crm.contact_options(a.ids, 'service', '2026-06-01 10:20+00') AS k
JOIN crm.customer AS c USING (customer_id)
CROSS JOIN LATERAL (SELECT crm.contact_zone(c.time_zone, c.country)) AS z (zone)
WHERE (k.refusal, k.next_at, k.detail LIKE format('%% it is %s for the customer;%%', to_char(timestamptz '2026-06-01 10:20+00' AT TIME ZONE z.zone, 'FMDay HH24:MI')))
      IS DISTINCT FROM ('message_quiet_hours', crm.quiet_until('phone', c.country, NULL, z.zone, '2026-06-01 10:20+00'), true);
SELECT cmp_ok((SELECT count(*) FROM crm.customer WHERE customer_id > 20000), '>', 300::bigint, 'customers of many zones');
SELECT is_empty('EXECUTE zone_faults', 'are asked in theirs, by contact_check() as by contact_zone()');
UPDATE crm.country SET time_zone = 'Asia/Kathmandu' WHERE country = 'ZZ';
SELECT is_empty('EXECUTE zone_faults', 'also where it is the installation''s');
DELETE FROM crm.country WHERE country = 'ZZ';
SELECT is_empty('EXECUTE zone_faults', 'and where that says nothing');
RESET TimeZone;
SELECT is(crm.easter(y), d, 'Easter ' || y) FROM (VALUES (1818, date '1818-03-22'), (1943, '1943-04-25'), (2000, '2000-04-23'), (2024, '2024-03-31'), (2038, '2038-04-25')) AS v (y, d);

-- Caps
UPDATE crm.channel_policy SET quiet_from = NULL, quiet_until = NULL;
DELETE FROM crm.quiet_rule;
UPDATE crm.channel_policy SET cap = 2, cap_window = '7 days' WHERE channel = 'letter';
SELECT lives_ok($$ INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9105, 9001, 'letter', 'marketing'), (9106, 9001, 'letter', 'marketing') $$, 'up to the cap');
SELECT is(pg_temp.may(9001, 'letter'), 'message_cap', 'what waits counts');
SELECT is(pg_temp.may(9001, 'letter', 'contract'), 'yes', 'what is not advertising is not capped');
SELECT throws_ok($$ INSERT INTO crm.message (customer_id, channel, purpose) SELECT 9004, 'phone', 'marketing' FROM generate_series(1, 9) $$, '23514', NULL, 'a statement of many rows is refused whole');
UPDATE crm.message SET status = 'cancelled' WHERE message_id = 9106;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (9001, 'letter', 'outbound', 'sent', now() - interval '6 days');
SELECT is(pg_temp.may(9001, 'letter'), 'message_cap', 'a contact outside the outbox counts');
SELECT is((SELECT next_at FROM crm.contact_options('{9001}', 'marketing') WHERE channel = 'letter'), now() + interval '1 day', 'until it has left the window');
INSERT INTO crm.contact_cap (channel, cap, cap_window) VALUES (NULL, 1, '30 days');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9001, 'email', 'marketing', 'granted');
SELECT is(pg_temp.may(9001, 'email'), 'message_cap', 'a cap over all channels');
DELETE FROM crm.contact_cap;
SELECT is(pg_temp.may(9001, 'email'), 'yes', 'and without it');
UPDATE crm.channel_policy SET cap = 0, cap_window = '1 day' WHERE channel = 'email';
SELECT is(pg_temp.may(9001, 'email'), 'message_cap', 'a cap of none is one');
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL;

-- States
SELECT throws_ok($$ INSERT INTO crm.message (customer_id, channel, purpose, status) VALUES (9001, 'letter', 'marketing', 'sent') $$, '23514', 'a message begins as ready, not as sent', 'a message begins as ready');
SELECT throws_ok('UPDATE crm.message SET status = ''sent'' WHERE message_id = 9105', '23514', 'message 9105 is ready and cannot become sent', 'no step is skipped');
SELECT throws_ok('UPDATE crm.message SET customer_id = 9002 WHERE message_id = 9105', '23514', NULL, 'a message keeps its customer');
SELECT throws_ok('UPDATE crm.message SET consent_id = NULL, purpose = ''contract'' WHERE message_id = 9105', '23514', NULL, 'and its purpose');
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9107, 9001, 'email', 'marketing');
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour', token = 1 WHERE message_id = 9107;
UPDATE crm.contact_point SET blocked_at = now(), block_reason = 'by hand' WHERE contact_point_id = 9011;
SELECT throws_ok('SELECT crm.begin_send(9107, 1)', '23514', NULL, 'what was permitted when written is asked again before it is sent');
SELECT throws_ok('UPDATE crm.message SET status = ''sending'' WHERE message_id = 9107', '23514', NULL, 'whoever takes the step');
UPDATE crm.contact_point SET blocked_at = NULL, block_reason = NULL WHERE contact_point_id = 9011;
SELECT throws_ok('SELECT crm.begin_send(9107, 2)', '55000', 'the lease of message 9107 is lost', 'not with another token');
SELECT ok(crm.begin_send(9107, 1), 'with its own');
SELECT throws_ok('SELECT crm.complete_message(9107, 2)', '55000', NULL, 'nor is it completed with another');
SELECT isnt(crm.complete_message(9107, 1, 'sent', '<9107@example>'), NULL, 'sent');
UPDATE crm.message SET begun_at = NULL WHERE message_id = 9107;
SELECT ok((SELECT begun_at IS NOT NULL FROM crm.message WHERE message_id = 9107), 'its slot cannot be given back');
SELECT is((SELECT outcome || ' ' || direction FROM crm.interaction WHERE message_id = 9107), 'sent outbound', 'the contact is an interaction');

-- Failures come back with growing waits and end
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9108, 9001, 'letter', 'contract');
UPDATE crm.channel_policy SET max_attempts = 2 WHERE channel = 'letter';
CREATE FUNCTION pg_temp.attempt() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held bigint;
BEGIN
    UPDATE crm.message SET not_before = now(), refusal = 'x' WHERE message_id = 9108;
    SELECT c.token INTO held FROM crm.claim_messages('{letter}', 100) AS c WHERE c.message_id = 9108;
    PERFORM crm.begin_send(9108, held);
    RETURN crm.fail_message(9108, held, 'no paper');
END $$;
SELECT is(pg_temp.attempt(), 'ready', 'a failure comes back');
SELECT ok((SELECT not_before BETWEEN now() + interval '40 seconds' AND now() + interval '80 seconds' AND begun_at IS NULL AND last_error = 'no paper' FROM crm.message WHERE message_id = 9108), 'later, with its reason, its slot free');
SELECT is(pg_temp.attempt(), 'dead', 'until there were enough');
SELECT results_eq('SELECT message_id, status FROM crm.outbox_problem WHERE message_id = 9108', $$ VALUES (9108::bigint, 'dead') $$, 'somebody has to look');
SELECT ok(crm.requeue_message(9108), 'and sends it again');
SELECT is((SELECT attempts FROM crm.message WHERE message_id = 9108), 0, 'from the beginning');
SELECT ok(crm.cancel_message(9108, 'no longer needed'), 'or not');
SELECT ok(NOT crm.cancel_message(9107), 'what was sent cannot be cancelled');

-- A lease that is lost
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9109, 9001, 'email', 'contract'), (9110, 9001, 'email', 'contract');
CREATE TEMP TABLE lost AS SELECT * FROM crm.claim_messages('{email}', 10, '1 millisecond');
SELECT ok((SELECT count(*) = 2 FROM lost), 'claimed');
DO $$ BEGIN PERFORM pg_sleep(0.01); END $$;
SELECT throws_ok('SELECT crm.begin_send(9109, (SELECT token FROM lost WHERE message_id = 9109))', '55000', NULL, 'a lease that ran out is no lease');
CREATE TEMP TABLE held AS SELECT * FROM crm.claim_messages('{email}', 10, '20 milliseconds');
SELECT ok((SELECT bool_and(h.token > l.token) FROM held AS h JOIN lost AS l USING (message_id)), 'who claims next has another token');
SELECT ok(crm.begin_send(message_id, token), 'begun') FROM held WHERE message_id = 9109;
DO $$ BEGIN PERFORM pg_sleep(0.03); END $$;
SELECT is(crm.expire_leases(), 2::bigint, 'both leases run out');
SELECT results_eq('SELECT status FROM crm.message WHERE message_id IN (9109, 9110) ORDER BY message_id', $$ VALUES ('unknown'), ('ready') $$, 'what was being sent is unknown');
SELECT throws_ok('SELECT crm.complete_message(9109, (SELECT token FROM held WHERE message_id = 9109))', '55000', NULL, 'and is not completed by the late');
SELECT isnt(crm.resolve_message(9109, 'delivered'), NULL, 'until somebody knows');

-- A basis of the house's own counts by its strength, from when it is entered, changed or deleted
INSERT INTO crm.legal_basis (basis, strength, description) VALUES ('signed form', 45, 'a form on paper');
SELECT ok((SELECT bool_and(('signed form' = ANY (n.bases)) = (n.strength <= 45)) FROM crm.contact_need AS n), 'it is enough where it is strong enough');
INSERT INTO crm.customer (customer_id, name, country) VALUES (9091, 'Basis', 'DE');
INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (9091, 'phone', '+4921111119091');
INSERT INTO crm.consent (customer_id, channel, purpose, status, basis) VALUES (9091, 'phone', 'marketing', 'granted', 'signed form');
SELECT is(pg_temp.may(9091, 'phone'), 'yes', 'a grant rests on it');
SELECT is((SELECT count(*) FROM crm.contact_permission WHERE customer_id = 9091 AND channel = 'phone' AND purpose = 'marketing'), 1::bigint, 'and permits');
UPDATE crm.legal_basis SET strength = 35 WHERE basis = 'signed form';
SELECT is(pg_temp.may(9091, 'phone'), 'message_consent', 'until it is weakened');
SELECT is((SELECT count(*) FROM crm.contact_permission WHERE customer_id = 9091 AND channel = 'phone'), 0::bigint, 'and permits no more');
INSERT INTO crm.legal_basis (basis, strength, description) VALUES ('unused', 45, 'not used');
DELETE FROM crm.legal_basis WHERE basis = 'unused';
SELECT is((SELECT count(*) FROM crm.contact_need AS n WHERE 'unused' = ANY (n.bases)), 0::bigint, 'a basis that is gone is enough for nothing');

-- Suppressed addresses
SELECT ok(crm.suppress('email', 'ANN@example.org', 'erased') IS NOT NULL, 'an address is suppressed');
SELECT ok(NOT crm.is_suppressed('email', 'ANN2@example.org') AND crm.is_suppressed('email', 'ANN@EXAMPLE.ORG'), 'by its canonical form');
SELECT ok(NOT crm.suppress('email', 'Ann@example.org'), 'once');
SELECT is(pg_temp.may(9001, 'email'), 'message_blocked', 'it is not used for advertising');
SELECT is(pg_temp.may(9001, 'email', 'contract'), 'yes', 'but for what the customer bought');
SELECT is((SELECT count(*) FROM crm.contact_permission WHERE customer_id = 9001 AND channel = 'email'), 0::bigint, 'and is not permitted');
-- RFC 4231, test case 2: the digest is HMAC-SHA-256.
INSERT INTO crm.secret SELECT 'rfc 4231', string_agg(set_byte('\x00', 0, get_byte(k, i) # 54), '' ORDER BY i), string_agg(set_byte('\x00', 0, get_byte(k, i) # 92), '' ORDER BY i)
FROM (SELECT convert_to('Jefe', 'UTF8') || decode(repeat('00', 60), 'hex') AS k) AS k, generate_series(0, 63) AS i;
SELECT is(encode(crm.keyed_digest('rfc 4231', convert_to('what do ya want for nothing?', 'UTF8')), 'hex'),
          '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'a known digest');

-- Double opt-in
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9014, 9001, 'sms', '+49 170 1234567');
CREATE TEMP TABLE asked AS SELECT crm.request_opt_in(9014, 'marketing', 'Yes, write to me', 'form 7') AS token;
SELECT is(pg_temp.may(9001, 'sms'), 'message_consent', 'what was asked for is not granted yet');
SELECT is(pg_temp.may(9001, 'sms', 'confirmation'), 'yes', 'but the question may be sent');
SELECT throws_ok($$ SELECT crm.confirm_opt_in('guess') $$, 'P0002', NULL, 'not with a guess');
SELECT isnt((SELECT crm.confirm_opt_in(token, 'link') FROM asked), NULL, 'confirmed');
SELECT is(pg_temp.may(9001, 'sms'), 'yes', 'granted');
SELECT is((SELECT crm.confirm_opt_in(token) FROM asked), (SELECT consent_id FROM crm.opt_in WHERE contact_point_id = 9014), 'again: the same entry');
SELECT matches((SELECT evidence FROM crm.consent WHERE customer_id = 9001 AND basis = 'double_opt_in'), '^form 7; requested .*; confirmed .*; link$', 'with both times as evidence');
SELECT ok((SELECT verified_at IS NOT NULL FROM crm.contact_point WHERE contact_point_id = 9014), 'and the number is verified');
CREATE TEMP TABLE asked2 AS SELECT crm.request_opt_in(9014, 'survey', 'Ask me') AS token;
UPDATE crm.contact_point SET address = '+49 170 7654321' WHERE contact_point_id = 9014;
SELECT throws_ok('SELECT crm.confirm_opt_in(token) FROM asked2', '23514', 'the request for consent can no longer be confirmed', 'not for another number');

-- Reports, unsubscription and replies
SELECT ok(crm.report_event(9107, 'opened', source => 'p', external_id => 'e1') AND crm.report_event(9107, 'clicked', source => 'p', external_id => 'e2')
          AND crm.report_event(9107, 'delivered', source => 'p', external_id => 'e3') AND NOT crm.report_event(9107, 'clicked', source => 'p', external_id => 'e2'), 'reports are taken once');
SELECT is((SELECT outcome FROM crm.interaction WHERE message_id = 9107), 'clicked'::crm.outcome, 'in whatever order they come');
SELECT ok((SELECT crm.successes(score, now()) > 0.99 FROM crm.customer_channel WHERE customer_id = 9001 AND channel = 'email'), 'and the score knows at once');
SELECT throws_ok('SELECT crm.report_event(9110, ''clicked'')', '55000', 'message 9110 was not sent', 'of what was not sent nothing is reported');
CREATE TEMP TABLE reply AS SELECT crm.receive_message('email', 'somebody@else.example', '<r1@x>', '{<old@x>,<9107@example>}', 'Re') AS id;
SELECT results_eq('SELECT customer_id, message_id, direction FROM crm.interaction WHERE interaction_id = (SELECT id FROM reply)', $$ VALUES (9001::bigint, 9107::bigint, 'inbound'::crm.direction) $$, 'a reply is matched by what it answers');
SELECT is(crm.receive_message('email', 'x@y.example', '<r1@x>'), (SELECT id FROM reply), 'delivered twice it is stored once');
CREATE TEMP TABLE reply2 AS SELECT crm.receive_message('email', 'ann@example.org', '<r2@x>', '{<r1@x>}') AS id;
SELECT is((SELECT i.message_id FROM crm.interaction AS i WHERE i.interaction_id = (SELECT id FROM reply2)), 9107::bigint, 'an answer to an answer');
SELECT is(crm.receive_message('email', 'nobody@example.org', '<r3@x>'), NULL, 'who is not known is not taken for another');
SELECT is((SELECT count(*) FROM crm.message_thread WHERE thread_id = 9107), 3::bigint, 'a conversation');
SELECT throws_ok($$ SELECT crm.unsubscribe('9107-00000000000000000000000000000000') $$, '22023', NULL, 'a token cannot be made up');
SELECT results_eq('SELECT purpose, is_unsubscribed FROM crm.unsubscribe_preview(crm.unsubscribe_token(9107))', $$ VALUES ('marketing', false) $$, 'looking changes nothing');
SELECT ok(crm.unsubscribe(crm.unsubscribe_token(9107)) AND NOT crm.unsubscribe(crm.unsubscribe_token(9107)), 'asking does, once');
SELECT is(pg_temp.may(9001, 'email'), 'message_blocked', 'blocked for being suppressed');
SELECT results_eq('SELECT purpose, is_unsubscribed FROM crm.unsubscribe_preview(crm.unsubscribe_token(9107))', $$ VALUES ('marketing', true) $$, 'and withdrawn');

-- What an adversary tried
INSERT INTO crm.customer (customer_id, name, kind) VALUES (9005, 'Eve', 'person'), (9006, 'Fay', 'person');
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9051, 9005, 'email', 'eve@example.org'),
    (9052, 9005, 'letter', 'Weg 5'), (9061, 9006, 'email', 'fay@example.org'), (9062, 9006, 'email', 'fay2@example.org');
INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence) VALUES (9005, 'email', 'marketing', 'granted', 'consent', 'form');
SELECT is(pg_temp.may(9005, 'email'), 'yes', 'granted in this transaction');
INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence, recorded_at) VALUES (9005, 'email', 'marketing', 'withdrawn', 'consent', 'form', now());
SELECT is(pg_temp.may(9005, 'email'), 'message_consent', 'and withdrawn in it with now(), which is when it began');
INSERT INTO crm.consent (customer_id, channel, purpose, status, contact_point_id) VALUES (9005, 'letter', 'marketing', 'objected', 9052);
DELETE FROM crm.contact_point WHERE contact_point_id = 9052;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9053, 9005, 'letter', 'Weg 5'), (9054, 9005, 'letter', 'Weg 6');
SELECT is(pg_temp.may(9005, 'letter', 'marketing', 9053), 'message_consent', 'an address that is deleted and entered anew is still objected to');
SELECT is(pg_temp.may(9005, 'letter', 'marketing', 9054), 'yes', 'another is not');
DELETE FROM crm.contact_point WHERE contact_point_id = 9053;
UPDATE crm.contact_point SET address = 'Weg 5' WHERE contact_point_id = 9054;
SELECT is(pg_temp.may(9005, 'letter', 'marketing', 9054), 'message_consent', 'nor when another contact point gets it');
SELECT throws_ok($$ INSERT INTO crm.consent (customer_id, channel, purpose, status, lifts) SELECT 9005, 'letter', 'marketing', 'granted', max(consent_id)
    FROM crm.consent WHERE contact_point_id = 9054 AND status = 'objected' $$, '23514', NULL, 'an objection is not taken back without evidence, by a plain INSERT either');
SELECT isnt(crm.lift_objection((SELECT max(consent_id) FROM crm.consent WHERE contact_point_id = 9054 AND status = 'objected'), 'letter'), NULL, 'the customer takes it back');
SELECT is(pg_temp.may(9005, 'letter', 'marketing', 9054), 'yes', 'and may be written to there');
DELETE FROM crm.contact_point WHERE contact_point_id = 9054;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9054, 9005, 'letter', 'Weg 7'), (9055, 9005, 'letter', 'Weg 5');
SELECT is((SELECT status FROM crm.consent WHERE contact_point_id = 9055 AND status = 'objected'), NULL, 'for good');
SELECT throws_ok('UPDATE crm.contact_point SET contact_point_id = 9059 WHERE contact_point_id = 9054', '23514', 'contact point 9054 keeps its key', 'nor by changing the key');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9006, 'email', 'marketing', 'granted');
INSERT INTO crm.consent (customer_id, channel, purpose, status, contact_point_id) VALUES (9006, 'email', 'marketing', 'withdrawn', 9061);
DELETE FROM crm.contact_point WHERE contact_point_id = 9061;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9063, 9006, 'email', 'FAY@example.org');
SELECT is(pg_temp.may(9006, 'email', 'marketing', 9063), 'message_consent', 'an unsubscribed address that an import deletes and enters anew stays so, whatever the channel was granted');
SELECT is(pg_temp.may(9006, 'email', 'marketing', 9062), 'yes', 'the other keeps the grant');
INSERT INTO crm.consent (customer_id, channel, purpose, status, contact_point_id) VALUES (9006, 'email', 'marketing', 'granted', 9063);
SELECT is(pg_temp.may(9006, 'email', 'marketing', 9063), 'yes', 'until it is granted anew');
SELECT throws_ok($$ UPDATE crm.channel_policy SET cap = 1, cap_window = '100000 years' WHERE channel = 'email' $$, '23514', NULL, 'a window that no clock could reckon with is refused, not every message after it');
-- The slot of a message that somebody set to sent by hand cannot be freed by deleting it.
DELETE FROM crm.contact_cap;
UPDATE crm.channel_policy SET cap = 1, cap_window = '7 days' WHERE channel = 'email';
INSERT INTO crm.message (message_id, customer_id, channel, contact_point_id, purpose, idempotency_key) VALUES (9120, 9006, 'email', 9062, 'marketing', 'fay');
SELECT lives_ok($$ INSERT INTO crm.message (customer_id, channel, purpose, idempotency_key) VALUES (9006, 'email', 'marketing', 'fay') ON CONFLICT (idempotency_key) DO NOTHING $$,
    'a repeat of what is queued is no second contact, and not refused as one');
SELECT throws_ok($$ INSERT INTO crm.message (customer_id, channel, purpose, idempotency_key) VALUES (9006, 'email', 'marketing', 'fay') $$, '23505', NULL, 'without ON CONFLICT it is a key twice');
SELECT throws_ok($$ WITH gone AS (DELETE FROM crm.message WHERE message_id = 9120 RETURNING 1)
    INSERT INTO crm.message (customer_id, channel, purpose, idempotency_key, contact_point_id) SELECT 9006, 'email', 'survey', 'fay', 9062 FROM gone $$, '23514', NULL, 'nor does a key that is given up at once open a way');
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour' WHERE message_id = 9120;
UPDATE crm.message SET status = 'sending' WHERE message_id = 9120;
UPDATE crm.message SET status = 'sent' WHERE message_id = 9120;
SELECT throws_ok('DELETE FROM crm.message WHERE message_id = 9120', '23514', 'message 9120 was sent and cannot be deleted', 'a slot of the caps cannot be freed by deleting');
SELECT is(pg_temp.may(9006, 'email', 'marketing', 9062), 'message_cap', 'it stays taken');
-- Consent does not wait: with crm.loop = deferred too
SET LOCAL crm.loop = 'deferred';
INSERT INTO crm.customer (customer_id, name, country) VALUES (9301, 'Ida', 'DE');
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (9311, 9301, 'email', 'ida@example.org'), (9312, 9301, 'letter', 'Weg 5');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9301, 'email', 'marketing', 'granted'), (9301, 'letter', 'marketing', 'granted');
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (9351, 9301, 'email', 'marketing');
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome, contact_point_id) VALUES
    (9331, 9301, 'email', 'inbound', 'unsubscribed', 9311), (9332, 9301, 'letter', 'outbound', 'sent', 9312);
SELECT results_eq('SELECT analysed_at IS NULL FROM crm.interaction WHERE interaction_id = 9331', 'VALUES (true)', 'the interaction waits');
SELECT is(pg_temp.may(9301, 'email'), 'message_consent', 'but what it says of consent counts at once');
SELECT is((SELECT status || ' ' || refusal FROM crm.message WHERE message_id = 9351), 'cancelled message_consent', 'for what is waiting, too');
UPDATE crm.interaction SET outcome = 'bounced' WHERE interaction_id = 9332;
SELECT is(pg_temp.may(9301, 'letter'), 'message_blocked', 'so does a report that changes a waiting interaction');
UPDATE crm.contact_point SET blocked_at = NULL, block_reason = NULL WHERE contact_point_id = 9312;
UPDATE crm.interaction SET outcome = 'complained' WHERE interaction_id = 9332;
SELECT ok((SELECT block_reason = 'complained' FROM crm.contact_point WHERE contact_point_id = 9312)
          AND (SELECT count(*) = 1 FROM crm.consent WHERE interaction_id = 9332 AND status = 'objected'), 'and a complaint');
UPDATE crm.contact_point SET blocked_at = NULL, block_reason = NULL WHERE contact_point_id = 9312;
CALL crm.analyse();
SELECT ok((SELECT bool_and(analysed_at IS NOT NULL) FROM crm.interaction WHERE customer_id = 9301)
          AND (SELECT count(*) = 2 FROM crm.consent WHERE interaction_id IN (9331, 9332)), 'when they are analysed, nothing is entered twice');
SELECT ok((SELECT blocked_at IS NULL FROM crm.contact_point WHERE contact_point_id = 9312), 'and nobody who was let in again is blocked once more');
SELECT is((SELECT sum(differing) FROM crm.verify()), 0::numeric, 'the derived tables are right');
SET LOCAL crm.loop = 'immediate';

SELECT * FROM finish();
ROLLBACK;
