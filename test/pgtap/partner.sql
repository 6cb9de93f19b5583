-- partner: separated responsibilities, the most specific scope, hand-over without gap or overlap, shares that add up.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

INSERT INTO crm.customer (customer_id, name, lifecycle) VALUES (901, 'Ann', 'customer'), (902, 'Bob', 'customer'), (903, 'Cy', 'prospect');
INSERT INTO crm.partner (partner_id, name, position) VALUES (901, 'A', 'manufacturer'), (902, 'B', 'distributor'), (903, 'C', 'retailer'), (904, 'D', 'retailer');

-- The value chain
SELECT lives_ok($$ INSERT INTO crm.partner_supply VALUES (901, 902), (902, 903) $$, 'partners supply up the chain');
SELECT throws_ok($$ INSERT INTO crm.partner_supply VALUES (903, 901) $$, '23514', 'partner "C" cannot supply partner "A"', 'a cycle is refused');
SELECT throws_ok($$ INSERT INTO crm.partner_supply VALUES (903, 904) $$, '23514', NULL, 'equals do not supply each other');
SELECT throws_ok($$ UPDATE crm.partner SET position = 'supplier' WHERE partner_id = 903 $$, '23514', NULL, 'a partner cannot move below its supplier');

-- A customer's chain
INSERT INTO crm.customer (customer_id, name) VALUES (904, 'Di');
INSERT INTO crm.partner (partner_id, name, position, contract) VALUES (905, 'E', 'supplier', '[2020-01-01,)'), (906, 'F', 'supplier', '[2020-01-01,2021-01-01)'), (907, 'G', 'service', '[2020-01-01,)');
INSERT INTO crm.partner_supply VALUES (905, 902), (906, 901), (901, 904);
INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES
    (903, 904, 'accountable: sell, advise', '[2020-06-01,)'), (907, 904, 'accountable: service', '[2020-06-01,)'), (904, 904, 'consulted: sell', '[2020-06-01,)');
SELECT results_eq('SELECT partner_id, position, duties, supplies FROM crm.customer_chain(904)',
    $$ VALUES (905::bigint, 'supplier', '{}'::text[], '{902}'::bigint[]), (901, 'manufacturer', '{}', '{902}'), (902, 'distributor', '{}', '{903}'),
              (903, 'retailer', '{advise,sell}', '{}'), (907, 'service', '{service}', '{}') $$,
    'a customer''s chain: who faces him, by duty, and who supplies these; not who is only consulted, nor whose contract is over');
SELECT is_empty($$ SELECT FROM crm.customer_chain(904, '2020-02-01') $$, 'no chain before somebody answers for him');
DELETE FROM crm.partner_supply WHERE from_partner_id IN (905, 906) OR to_partner_id = 904;
DELETE FROM crm.customer WHERE customer_id = 904;
DELETE FROM crm.partner WHERE partner_id > 904;

-- One accountable for the same scope, duty, channel and time
INSERT INTO crm.customer_territory VALUES (901, 'de.west'), (902, 'de.east');
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, territory, product, duty, valid) VALUES
    (901, 901, NULL, NULL, NULL, 'accountable: sell, service', '[2020-01-01,)'),
    (902, 902, NULL, 'de', NULL, 'accountable: sell', '[2020-01-01,)'),
    (903, 903, NULL, 'de.west', NULL, 'accountable: sell', '[2020-01-01,)'),
    (904, 904, NULL, NULL, 'tools', 'accountable: sell', '[2020-01-01,)'),
    (905, 904, 902, NULL, NULL, 'accountable: sell via phone', '[2020-01-01,)');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, territory, duty) VALUES (904, 'de', 'accountable: sell via fax') $$, '23P01', NULL, 'a second accountable is refused');
SELECT lives_ok($$ INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES (904, 'de', 'accountable: market', '[2020-01-01,)'), (904, 'de', 'consulted: sell', '[2020-01-01,)'),
    (903, 'de', 'consulted: sell', '[2020-01-01,)') $$, 'another duty or role is taken');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, territory, duty) VALUES (904, 'de', 'consulted: service') $$, '23P01', NULL, 'the same partner, role and scope twice is refused');
SELECT throws_ok(format($$ INSERT INTO crm.partner_responsibility (partner_id, duty, valid) VALUES (904, 'informed: sell', %L) $$, v), '23514', NULL, 'bounds refused: ' || v)
FROM (VALUES ('empty'), ('[2020-01-01,2021-01-01]'), ('(2020-01-01,2021-01-01)')) AS v (v);
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, customer_id, territory, duty) VALUES (904, 901, 'de', 'informed: sell') $$, '23514', NULL, 'a customer and a territory at once are no scope');

-- The most specific scope
SELECT is(crm.responsible_partner(901, 'sell'), 903::bigint, 'the narrower territory wins');
SELECT is(crm.responsible_partner(901, 'service'), 901::bigint, 'what nobody narrower does falls to the widest');
SELECT is(crm.responsible_partner(902, 'sell', now(), NULL, 'phone'), 904::bigint, 'the customer by name wins over its channel');
SELECT is(crm.responsible_partner(902, 'sell', now(), NULL, 'email'), 902::bigint, 'and over another channel the territory does');
SELECT is(crm.responsible_partner(901, 'sell', now(), 'tools.saws'), 904::bigint, 'a product wins over a territory');
SELECT is(crm.responsible_partner(901, 'sell', '2019-12-31'), NULL::bigint, 'before it began nobody answers');
SELECT is(crm.responsible_partner(901, 'collect'), NULL::bigint, 'nobody answers for an unassigned duty');
SELECT throws_ok($$ SELECT crm.responsible_partner(901, 'fly') $$, '22023', NULL, 'an unknown duty is an error');
INSERT INTO crm.required_duty VALUES ('customer', 'sell'), ('customer', 'collect');
SELECT results_eq($$ SELECT customer_id, duty FROM crm.responsibility_gap WHERE customer_id BETWEEN 901 AND 903 ORDER BY 1 $$, $$ VALUES (901::bigint, 'collect'), (902, 'collect') $$, 'gaps are the required duties that nobody has');
INSERT INTO crm.partner_responsibility (partner_id, customer_id, product, duty, valid) VALUES (903, 901, NULL, 'accountable: collect via phone, email', '[2020-01-01,)'),
    (904, 901, NULL, 'accountable: collect via fax', '[2020-01-01,)'), (904, 902, 'tools', 'accountable: collect', '[2020-01-01,)');
SELECT results_eq($$ SELECT customer_id, duty, channels FROM crm.responsibility_gap WHERE customer_id BETWEEN 901 AND 903 ORDER BY 1 $$,
    $$ VALUES (901::bigint, 'collect', 'social, letter, visit, sms, chat, web, other'), (902, 'collect', '') $$, 'partners limited to channels, or to products, leave the rest open');
UPDATE crm.required_duty SET channels = '{email,fax}' WHERE duty = 'collect';
SELECT results_eq($$ SELECT customer_id, channels FROM crm.responsibility_gap WHERE customer_id BETWEEN 901 AND 903 $$, $$ VALUES (902::bigint, 'email, fax') $$, 'what is required over some channels only is missed over these');
SELECT results_eq($$ SELECT partner_id, channels FROM crm.customer_responsibility WHERE customer_id = 902 AND duty = 'sell' AND product IS NULL ORDER BY 1 $$,
    $$ VALUES (902::bigint, 'social, email, letter, fax, visit, sms, chat, web, other'), (904, 'phone') $$, 'what the most specific scope leaves of the channels falls to the next');
SELECT is((SELECT count(*) FROM crm.customer_responsibility AS v, unnest(enum_range(NULL::crm.channel)) AS c WHERE customer_id BETWEEN 901 AND 903 AND (channels = '' OR c::text = ANY (string_to_array(channels, ', ')))
    AND partner_id IS DISTINCT FROM crm.responsible_partner(customer_id, duty, now(), product::public.ltree, c)), 0::bigint, 'view and function say the same over every channel');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, territory, duty) VALUES (904, '', 'informed: sell') $$, '23514', NULL, 'an empty path is no territory');
SELECT throws_ok($$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, partner_id) VALUES (901, 'phone', 'outbound', 'reached', 999) $$, '23503', NULL, 'a contact of an unknown partner is refused');
SELECT throws_ok($$ INSERT INTO crm.purchase (customer_id, amount, partner_id) VALUES (901, 1, 999) $$, '23503', NULL, 'so is a purchase');
SELECT lives_ok($$ INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) SELECT 901, 903, ('consulted: ' || d)::crm.responsibility FROM unnest('{sell}'::text[]) AS d
    UNION ALL SELECT 904, 902, 'consulted: sell' $$, 'several scopes in one statement');
SELECT ok(EXISTS (SELECT FROM crm.responsibility_overlap WHERE responsibility_id = 902 AND other_responsibility_id = 903), 'overlapping scopes of different specificity are shown');

-- Outside of its contract a partner answers for nobody; the next wider scope does, or there is a gap.
UPDATE crm.partner SET contract = '[2020-06-01,2021-01-01)' WHERE partner_id = 903;
SELECT is(crm.responsible_partner(901, 'sell'), 902::bigint, 'after the end of a contract the next wider scope answers');
SELECT is(crm.responsible_partner(901, 'sell', '2020-07-01'), 903::bigint, 'what was so while it ran stays so');
SELECT is(crm.responsible_partner(901, 'sell', '2020-03-01'), 902::bigint, 'nor does it answer before its contract began');
SELECT is_empty('SELECT FROM crm.customer_responsibility WHERE partner_id = 903', 'by the view neither');
SELECT is((SELECT channels FROM crm.responsibility_gap WHERE customer_id = 901 AND duty = 'collect'), 'email', 'what it alone did over a channel is a gap');
SELECT results_eq('SELECT valid_from, valid_until FROM crm.responsibility_overlap WHERE responsibility_id = 902 AND other_responsibility_id = 903',
    $$ VALUES ('2020-06-01'::timestamptz, '2021-01-01'::timestamptz) $$, 'scopes meet while the contracts run');
SELECT throws_ok($$ SELECT crm.offer_handover(903, 903, 901, now() + interval '1 day') $$, '23514', NULL, 'who is out of contract hands nothing over');
SELECT throws_ok($$ SELECT crm.register_deal(903, 901) $$, '23514', 'the contract of partner 903 is not in force', 'and registers no deal');
UPDATE crm.partner SET contract = '[2020-01-01,)' WHERE partner_id = 903;
SELECT is(crm.responsible_partner(901, 'sell'), 903::bigint, 'a contract that is prolonged counts at once');

-- Hand-over
SELECT throws_ok($$ SELECT crm.offer_handover(903, 904, 901, now() + interval '1 day') $$, '23514', NULL, 'only the accountable partner offers');
CREATE TEMP TABLE h AS SELECT crm.offer_handover(903, 903, 904, now() + interval '1 day') AS id;
SELECT is(crm.responsible_partner(901, 'sell'), 903::bigint, 'until acceptance the old partner answers');
SELECT throws_ok($$ SELECT crm.accept_handover((SELECT id FROM h), 902) $$, '23514', NULL, 'only the partner that it was offered to accepts');
SELECT isnt(crm.accept_handover((SELECT id FROM h), 904), NULL, 'it accepts');
SELECT results_eq($$ SELECT upper(o.valid) = lower(n.valid), n.partner_id FROM crm.handover AS h JOIN crm.partner_responsibility AS o USING (responsibility_id)
    JOIN crm.partner_responsibility AS n ON n.responsibility_id = h.new_responsibility_id WHERE h.handover_id = (SELECT id FROM h) $$, $$ VALUES (true, 904::bigint) $$, 'the new begins at the instant at which the old ends');

-- Shares
INSERT INTO crm.objective (objective_id, name, target, period) VALUES (901, 'year', 1000, '[2021-01-01,2022-01-01)');
INSERT INTO crm.objective_share VALUES (901, 902, 0.7), (901, 903, 0.3);
SELECT lives_ok('SET CONSTRAINTS crm.objective_share_total IMMEDIATE', 'shares that add up are taken');
SELECT throws_ok($$ UPDATE crm.objective_share SET share = 0.4 WHERE partner_id = 903 AND objective_id = 901 $$, '23514', 'shares of objective 901 add up to 1.1, not 1', 'shares that do not are refused');
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (901, '2021-05-01', 100), (902, '2021-05-01', 50);
SELECT results_eq($$ SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 901 ORDER BY 1 $$, $$ VALUES (902::bigint, 0::numeric), (903, 100.000000) $$, 'purchases count for who was accountable then');

-- Periods and scopes at their edges, without ever two accountable at one instant.
INSERT INTO crm.customer (customer_id, name) VALUES (0, 'Zero'), (990, 'Edge');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) VALUES (902, 0, 'accountable: sell') $$, '23514', NULL, 'customer 0 cannot be named: in keys it stands for all');
SELECT throws_ok(format('INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES (902, 990, ''accountable: sell'', %L)', r), '23514', NULL, 'no period: ' || r)
FROM unnest('{empty,"[2020-01-01,2021-01-01]","(2020-01-01,2021-01-01)","[infinity,infinity]","(2020-01-01,)","[-infinity,-infinity]"}'::text[]) AS r;
SELECT lives_ok($$ INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES (902, 990, 'accountable: sell', '[-infinity,2020-01-01)'), (903, 990, 'accountable: sell', '[2020-01-01,infinity)') $$, 'from and until infinity');
SELECT throws_ok(format('INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES (902, 990, ''accountable: sell'', %L)', r), '23P01', NULL, 'taken: ' || r)
FROM unnest('{"(,2019-01-01)","[2999-01-01,)","(,)","[2019-12-31 23:59:59.999999+00,2020-01-01 00:00+00)"}'::text[]) AS r;
SELECT throws_ok(q, '23P01', NULL, 'refused: ' || q) FROM unnest(ARRAY[
    'UPDATE crm.partner_responsibility SET valid = ''[2000-01-01,)'' WHERE customer_id = 990', 'UPDATE crm.partner_responsibility SET customer_id = NULL, valid = ''[2000-01-01,)'' WHERE customer_id = 990',
    'INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) VALUES (902, 990, ''accountable: sell'') ON CONFLICT (responsibility_id) DO UPDATE SET duty = excluded.duty',
    'SET CONSTRAINTS ALL DEFERRED; INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) VALUES (902, 990, ''accountable: sell'')',
    'SET LOCAL session_replication_role = replica; INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) VALUES (902, 990, ''accountable: sell'')']) AS q;
RESET session_replication_role;
SELECT throws_ok('DELETE FROM crm.partner WHERE partner_id = 903', '23503', NULL, 'a partner that answers for somebody is not deleted');

SELECT * FROM finish();
ROLLBACK;
