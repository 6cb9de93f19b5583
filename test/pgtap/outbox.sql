-- outbox, batches: begun and completed together, each message by the same rules as alone.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

UPDATE crm.channel_policy SET quiet_from = NULL, quiet_until = NULL, cap = NULL, cap_window = NULL;
DELETE FROM crm.quiet_rule;
INSERT INTO crm.customer (customer_id, name, country) SELECT n, 'C' || n, 'DE' FROM generate_series(9101, 9107) AS n;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address)
SELECT n + 100, n, 'email', 'c' || n || '@example.org' FROM generate_series(9101, 9107) AS n;
INSERT INTO crm.consent (customer_id, channel, purpose, status)
SELECT n, 'email', 'marketing', 'granted' FROM generate_series(9101, 9107) AS n;
-- 1 and 2 to one customer, the others to one each.
INSERT INTO crm.message (message_id, customer_id, channel, purpose)
VALUES (1, 9101, 'email', 'marketing'), (2, 9101, 'email', 'marketing'), (3, 9102, 'email', 'marketing'), (4, 9103, 'email', 'marketing'),
       (5, 9104, 'email', 'marketing'), (6, 9105, 'email', 'marketing'), (7, 9106, 'email', 'marketing'), (8, 9101, 'email', 'contract');
CREATE TEMP TABLE held AS SELECT message_id, token FROM crm.claim_messages('{email}', 100);
SELECT is((SELECT count(*) FROM held), 8::bigint, 'eight are claimed');
-- What changes before they begin.
UPDATE crm.channel_policy SET cap = 1, cap_window = '7 days' WHERE channel = 'email';
UPDATE crm.contact_point SET blocked_at = now(), block_reason = 'by hand' WHERE customer_id = 9102;
UPDATE crm.contact_point SET address = 'other@example.org' WHERE customer_id = 9103;
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9103, 'email', 'marketing', 'granted');
UPDATE crm.message SET status = 'ready' WHERE message_id = 5;
CREATE FUNCTION pg_temp.begin_all() RETURNS TABLE (message_id bigint, begun boolean, refusal text, later boolean) LANGUAGE sql AS $$
    SELECT b.message_id, b.begun, b.refusal, b.next_at > now() FROM (SELECT array_agg(h.message_id ORDER BY h.message_id) AS ids, array_agg(h.token ORDER BY h.message_id) AS tokens FROM held AS h) AS a,
        LATERAL crm.begin_sends(a.ids || 99::bigint, a.tokens || 1::bigint) AS b
$$;
CREATE TEMP TABLE answer AS SELECT * FROM pg_temp.begin_all();
SELECT results_eq('SELECT message_id, begun, refusal, later FROM answer ORDER BY message_id', $$ VALUES
    (1::bigint, true, NULL, NULL::boolean), (2, false, 'message_cap', true), (3, false, 'message_blocked', NULL), (4, false, 'message_lease', NULL),
    (5, false, 'message_lease', NULL), (6, true, NULL, NULL), (7, true, NULL, NULL), (8, true, NULL, NULL), (99, false, 'message_lease', NULL) $$,
    'of a batch each is told what became of it; of two to one customer under a cap of one the first begins, what is not capped as well');
SELECT results_eq('SELECT message_id, status, refusal, not_before > now() + interval ''6 days'', begun_at IS NOT NULL, attempts FROM crm.message ORDER BY message_id', $$ VALUES
    (1::bigint, 'sending', NULL, false, true, 1), (2, 'ready', 'message_cap', true, false, 0), (3, 'cancelled', 'message_blocked', false, false, 0),
    (4, 'cancelled', 'message_consent', false, false, 0), (5, 'ready', NULL, false, false, 0), (6, 'sending', NULL, false, true, 1),
    (7, 'sending', NULL, false, true, 1), (8, 'sending', NULL, false, true, 1) $$, 'what was refused is put off or cancelled, and takes no slot');
SELECT is((SELECT count(*) FROM crm.message WHERE status = 'sending' AND consent_id IS NULL), 1::bigint, 'each refers to the consent that it used');
SELECT is((SELECT count(*) FROM pg_temp.begin_all() WHERE begun), 0::bigint, 'nothing begins twice');

-- An address that changed without the consent falling.
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (10, 9107, 'email', 'contract');
CREATE TEMP TABLE later AS SELECT message_id, token FROM crm.claim_messages('{email}', 100) WHERE message_id = 10;
UPDATE crm.contact_point SET address = 'new@example.org' WHERE customer_id = 9107;
SELECT results_eq('SELECT b.begun, b.refusal, b.detail FROM later, LATERAL crm.begin_sends(ARRAY[message_id], ARRAY[token]) AS b', $$ VALUES
    (false, 'message_contact_point', 'The address of contact point 9207 has changed since the message was claimed.') $$, 'nothing goes to an old address');
SELECT is((SELECT status FROM crm.message WHERE message_id = 10), 'ready', 'whoever claims it next gets the new one');

-- An answer is for the very next statement.
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (12, 9105, 'email', 'contract');
SELECT ok((SELECT count(*) > 0 FROM crm.claim_messages('{email}', 100) WHERE message_id = 12), 'claimed');
SELECT throws_ok($$
    DO $do$ BEGIN
        PERFORM FROM crm.check_messages('{12}');
        UPDATE crm.contact_point SET blocked_at = now(), block_reason = 'by hand' WHERE customer_id = 9105;
        UPDATE crm.message SET status = 'sending' WHERE message_id = 12;
    END $do$ $$, '23514', NULL, 'what was allowed before another statement is asked again');

-- Completing
SELECT results_eq($$ SELECT c.message_id, c.interaction_id IS NOT NULL, c.detail FROM crm.complete_messages('{1,2,6,7,99}', '{1,1,1,2,1}', '{sent,sent,bounced,sent,sent}', '{<1@x>}') AS c $$, $$ VALUES
    (1::bigint, true, NULL), (2, false, 'It is ready.'), (6, true, NULL), (7, false, 'Token 2 is not that of its newest lease.'), (99, false, 'This message does not exist.') $$,
    'what is completed has an interaction, what is not says why');
SELECT results_eq('SELECT message_id, status, message_uid FROM crm.message WHERE message_id IN (1, 6, 7) ORDER BY 1', $$ VALUES
    (1::bigint, 'sent', '<1@x>'), (6, 'bounced', NULL), (7, 'sending', NULL) $$, 'and their states say so');
SELECT results_eq('SELECT message_id, customer_id, outcome::text FROM crm.interaction WHERE message_id IS NOT NULL ORDER BY 1', $$ VALUES
    (1::bigint, 9101::bigint, 'sent'), (6, 9105, 'bounced') $$, 'the contacts are interactions');
SELECT ok((SELECT blocked_at IS NOT NULL FROM crm.contact_point WHERE customer_id = 9105), 'with what they imply');
SELECT isnt(crm.complete_message(8, 1), NULL, 'one alone is a batch of one');
SELECT throws_ok('SELECT crm.complete_message(8, 1)', '55000', 'the lease of message 8 is lost', 'and says that it was not in time');

-- What is no batch
SELECT throws_ok($$ SELECT crm.begin_sends('{1,2}', '{1}') $$, '22023', NULL, 'as many tokens as messages');
SELECT throws_ok($$ SELECT crm.begin_sends('{1,1}', '{1,1}') $$, '22023', NULL, 'each once');
SELECT throws_ok($$ SELECT crm.begin_sends('{1,NULL}', '{1,1}') $$, '22023', NULL, 'none by null');
SELECT throws_ok($$ SELECT crm.begin_sends(NULL, '{1}') $$, '22023', NULL, 'no null');
SELECT throws_ok($$ SELECT crm.begin_sends('{{1},{2}}', '{1,1}') $$, '22023', NULL, 'one dimension');
SELECT throws_ok($$ SELECT crm.begin_sends(array_agg(n), array_agg(1::bigint)) FROM generate_series(1, 10001) AS n $$, '22023', NULL, 'not without end');
SELECT throws_ok($$ SELECT crm.complete_messages('{1}', '{1}', '{NULL}') $$, '22004', NULL, 'an outcome is not null');
SELECT is_empty($$ SELECT crm.begin_sends('{}', '{}') $$, 'an empty batch is one');
SELECT is_empty($$ SELECT crm.complete_messages('{}', '{}') $$, 'to complete as well');

-- Leases by hand
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL WHERE channel = 'email';
INSERT INTO crm.customer (customer_id, name, country) VALUES (9108, 'C9108', 'DE');
INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (9108, 'email', 'c9108@example.org');
INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (9108, 'email', 'marketing', 'granted');
INSERT INTO crm.message (message_id, customer_id, channel, purpose) SELECT n, 9108, 'email', 'marketing' FROM generate_series(21, 26) AS n;
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour', token = token + 1 WHERE message_id = 21;
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour', token = token + 7 WHERE message_id = 22;
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour' WHERE message_id = 23;
SELECT results_eq('SELECT status, token FROM crm.message WHERE message_id IN (21, 22, 23)', $$ VALUES ('leased', 1::bigint), ('leased', 1), ('leased', 1) $$,
    'a lease by hand has the next number, whatever was given');
SELECT throws_ok(format('UPDATE crm.message SET status = ''leased'', leased_until = now() + interval ''1 hour'', token = token + 1, %s WHERE message_id = 24', change),
                 '23514', NULL, 'not with another ' || change)
FROM unnest(ARRAY['customer_id = 9106', $c$channel = 'letter'$c$, $c$purpose = 'service'$c$, 'consent_id = NULL', $c$queued_by = 'me'$c$, $c$queued_at = '2020-01-01'$c$,
                  'contact_point_id = 9206', 'message_id = 99']) AS change;
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour', token = token + 1, begun_at = now(), finished_at = now() WHERE message_id = 25;
SELECT results_eq('SELECT begun_at, finished_at FROM crm.message WHERE message_id = 25', 'SELECT NULL::timestamptz, NULL::timestamptz', 'nor with a slot that it does not take');
UPDATE crm.channel_policy SET quiet_from = (now() AT TIME ZONE 'Europe/Berlin')::time + interval '2 hours', quiet_until = (now() AT TIME ZONE 'Europe/Berlin')::time + interval '4 hours'
WHERE channel = 'email';
SELECT throws_ok($$ UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 day', token = token + 1, not_before = now() + interval '3 hours' WHERE message_id = 26 $$,
                 '23514', NULL, 'nor at a time that is quiet');

UPDATE crm.channel_policy SET quiet_from = NULL, quiet_until = NULL WHERE channel = 'email';

-- The end by hand: what the database keeps is kept, and nothing else changes on the way.
CREATE FUNCTION pg_temp.sending(customer bigint, id bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.message (message_id, customer_id, channel, purpose, subject, parameters) VALUES (id, customer, 'email', 'contract', 'Your order', '{"n": 1}');
    UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour' WHERE message_id = id;
    UPDATE crm.message SET status = 'sending' WHERE message_id = id;
$$;
SELECT pg_temp.sending(9108, n) FROM generate_series(31, 33) AS n;
CREATE TEMP TABLE slot AS SELECT message_id, address, begun_at, token FROM crm.message WHERE message_id IN (31, 32);
UPDATE crm.message SET status = 'sent', address = 'elsewhere@example.org', begun_at = NULL, token = token + 5, finished_at = '2020-01-01' WHERE message_id = 31;
UPDATE crm.message SET status = 'bounced', address = 'elsewhere@example.org', begun_at = NULL, token = token + 5, finished_at = '2020-01-01' WHERE message_id = 32;
SELECT results_eq('SELECT m.message_id, m.status, (m.address, m.begun_at, m.token) = (s.address, s.begun_at, s.token), m.finished_at >= now(), m.leased_until FROM crm.message AS m JOIN slot AS s USING (message_id) ORDER BY 1',
    $$ VALUES (31::bigint, 'sent', true, true, NULL::timestamptz), (32, 'bounced', true, true, NULL) $$, 'what was sent keeps its address, slot and token, and its lease ends');
SELECT throws_ok('UPDATE crm.message SET status = ''sent'', ' || change || ' WHERE message_id = 33', '23514', NULL, 'not sent with another ' || change)
FROM unnest(ARRAY['customer_id = 9106', $c$channel = 'letter'$c$, $c$purpose = 'service'$c$, 'consent_id = 1', $c$queued_by = 'me'$c$, $c$queued_at = '2020-01-01'$c$,
                  'contact_point_id = 9206', 'contact_point_id = NULL', 'message_id = 99', $c$subject = 'Another'$c$, $c$body = 'new'$c$, 'parameters = NULL']) AS change;
SELECT throws_ok($$ UPDATE crm.message SET status = 'ready', leased_until = NULL WHERE message_id = 31 $$, '23514', 'message 31 is sent and cannot become ready', 'an end is one');

-- A contact point that goes to another customer takes no message along.
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (34, 9108, 'email', 'contract');
UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour' WHERE message_id = 34;
INSERT INTO crm.message (message_id, customer_id, channel, purpose) VALUES (35, 9108, 'email', 'contract');
SELECT is((SELECT count(*) FROM crm.message WHERE customer_id = 9108 AND contact_point_id IS NOT NULL AND status IN ('ready', 'leased', 'sending', 'sent')), 10::bigint,
    'messages by this contact point, waiting, under way and sent');
SELECT lives_ok('UPDATE crm.contact_point SET customer_id = 9106 WHERE customer_id = 9108', 'it goes to another customer');
SELECT is_empty($$ SELECT m.message_id FROM crm.message AS m WHERE m.customer_id = 9108
                   AND (m.contact_point_id IS NOT NULL OR m.status IN ('ready', 'leased') OR m.status = 'cancelled' AND m.refusal <> ALL ('{message_contact_point,message_consent}')) $$,
    'what waited for it is cancelled');
SELECT results_eq('SELECT m.status, m.address FROM crm.message AS m WHERE m.message_id IN (31, 33) ORDER BY m.message_id', $$ VALUES ('sent', 'c9108@example.org'), ('sending', 'c9108@example.org') $$,
    'what went keeps where it went to');
SELECT lives_ok('SELECT crm.complete_message(33, 1)', 'and what was being sent can be completed');
SELECT is((SELECT count(*) FROM crm.message AS m WHERE m.customer_id = 9106 AND m.message_id > 20), 0::bigint, 'the other customer gets none');

-- The trigger is no way to the gate for the tables of others.
CREATE TEMP TABLE decoy (LIKE crm.message);
CREATE TRIGGER decoy BEFORE INSERT ON decoy FOR EACH ROW EXECUTE FUNCTION crm.message_before();
SELECT throws_ok($$ INSERT INTO decoy (message_id, customer_id, channel, purpose, queued_by) VALUES (1, 9101, 'email', 'marketing', 'me') $$, '39P01',
    'trigger function crm.message_before() serves tables of schema "crm" only', 'it serves no other table');
CREATE TRIGGER decoy_statement BEFORE UPDATE ON crm.message FOR EACH STATEMENT EXECUTE FUNCTION crm.message_before();
SELECT throws_ok('UPDATE crm.message SET body = body WHERE message_id = 31', '39P01', 'function "crm.message_before" must be fired BEFORE, FOR EACH ROW', 'nor for statements');

SELECT * FROM finish();
ROLLBACK;
