-- customer: attributes, contact points, relationships, and what is refused.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT plan(53);

ALTER TABLE crm.customer ALTER customer_id RESTART WITH 1000;

-- Customers
INSERT INTO crm.customer (customer_id, given_name, family_name, country) VALUES (1, 'Ann', 'Example', 'DE');
SELECT is(name, 'Ann Example', 'the name is filled from given and family name') FROM crm.customer WHERE customer_id = 1;
SELECT is((kind, lifecycle)::text, '(person,prospect)', 'a customer is a person and a prospect unless said otherwise') FROM crm.customer WHERE customer_id = 1;
INSERT INTO crm.customer (customer_id, kind, name) VALUES (2, 'organisation', 'Example Ltd');
SELECT throws_ok($$ INSERT INTO crm.customer (name, country) VALUES ('x', 'Germany') $$, '23514', NULL, 'a country is two capitals');
SELECT throws_ok($$ INSERT INTO crm.customer (name, time_zone) VALUES ('x', 'Europe/Atlantis') $$, '22023', 'time zone "Europe/Atlantis" not recognized', 'a time zone must be known');
SELECT lives_ok($$ INSERT INTO crm.customer (name, time_zone, language) VALUES ('x', 'Europe/Berlin', 'de-CH-1996') $$, 'a known time zone and a language tag are taken');
SELECT throws_ok($$ INSERT INTO crm.customer (name, language) VALUES ('x', 'Swiss German') $$, '23514', NULL, 'a language is a tag');
SELECT throws_ok($$ INSERT INTO crm.customer (name, kind) VALUES ('x', 'dog') $$, '22P02', 'invalid input value for enum crm.customer_kind: "dog"', 'an unknown kind is refused');
INSERT INTO crm.customer (name, source, source_key) VALUES ('x', 'erp', '17');
SELECT throws_ok($$ INSERT INTO crm.customer (name, source, source_key) VALUES ('y', 'erp', '17') $$, '23505', NULL, 'a source''s key is there once');
SELECT throws_ok($$ INSERT INTO crm.customer (name, source_key) VALUES ('y', '17') $$, '23514', NULL, 'a key needs a source');

-- Attributes
INSERT INTO crm.attribute (name, type, check_path) VALUES
    ('job', 'text', NULL), ('age', 'integer', '$ >= 0 && $ <= 130'), ('vip', 'boolean', NULL), ('weight', 'number', NULL),
    ('since', 'date', NULL), ('seen', 'timestamp', NULL), ('tags', 'list', '$[*] like_regex "^[a-z]+$"');
SELECT lives_ok($$ UPDATE crm.customer SET attributes = '{"job": "clerk", "age": 44, "vip": true, "weight": 1.5, "since": "2020-02-29",
    "seen": "2026-01-01T10:00:00+01:00", "tags": ["a", "b"]}' WHERE customer_id = 1 $$, 'attributes of each type are taken');
SELECT lives_ok($$ UPDATE crm.customer SET attributes = '{"job": null, "age": null, "tags": null}' WHERE customer_id = 1 $$, 'null is always allowed');
SELECT throws_ok($$ UPDATE crm.customer SET attributes = '{"agee": 44}' WHERE customer_id = 1 $$, '23514', 'attribute "agee" is not declared', 'what is not declared is refused');
SELECT throws_ok(format($$ UPDATE crm.customer SET attributes = %L WHERE customer_id = 1 $$, a), '23514', m, 'refused: ' || a)
FROM (VALUES ('{"job": 5}', 'attribute "job" must be of type text'), ('{"age": "forty"}', 'attribute "age" must be of type integer'),
    ('{"age": 1.5}', 'attribute "age" must be of type integer'), ('{"age": 131}', 'attribute "age" violates its check'),
    ('{"vip": 1}', 'attribute "vip" must be of type boolean'), ('{"since": "2021-02-29"}', 'attribute "since" must be of type date'),
    ('{"seen": "2026-01-01T10:00:00"}', 'attribute "seen" must be of type timestamp'),
    ('{"tags": ["a", 5]}', 'attribute "tags" must be of type list'), ('{"tags": ["A"]}', 'attribute "tags" violates its check')) AS v (a, m);
SELECT is(attributes, '{"job": null, "age": null, "tags": null}'::jsonb, 'and nothing of it was stored') FROM crm.customer WHERE customer_id = 1;

-- Contact points
INSERT INTO crm.contact_point (customer_id, channel, address, is_primary) VALUES (1, 'phone', '0211 / 12 34 56', true), (1, 'email', 'Ann@Straße.example', true);
SELECT results_eq($$ SELECT channel::text, canonical FROM crm.contact_point WHERE customer_id = 1 ORDER BY contact_point_id $$,
    $$ VALUES ('phone', '+49211123456'), ('email', 'ann@xn--strae-oqa.example') $$, 'addresses get their canonical form, national numbers by the customer''s country');
SELECT results_eq($$ SELECT address, resolved FROM crm.contact_point WHERE customer_id = 1 ORDER BY contact_point_id $$,
    $$ VALUES ('0211 / 12 34 56', '+49211123456'), ('Ann@Straße.example', 'Ann@xn--strae-oqa.example') $$, 'and stand as they were given, with what they mean beside them');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'phone', '+49 (0)211 123456') $$, '23505', NULL, 'a number is the same in national and international form');
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (901, 1, 'fax', '+49211123999'), (902, 1, 'sms', '0171 1234567'), (903, 1, 'web', 'HTTPS://Example.org/Ann'), (904, 1, 'phone', 'Tel.: +33 1 23 45 67 89');
SELECT results_eq($$ SELECT address, resolved, canonical FROM crm.contact_point WHERE contact_point_id > 900 ORDER BY contact_point_id $$,
    $$ VALUES ('+49211123999', NULL, '+49211123999'), ('0171 1234567', '+491711234567', '+491711234567'), ('HTTPS://Example.org/Ann', 'https://example.org/Ann', 'https://example.org/Ann'),
              ('Tel.: +33 1 23 45 67 89', '+33123456789', '+33123456789') $$, 'what can be sent to as it is needs nothing beside it');

-- A number that was read stays that number: when the customer moves, and when an application writes the whole row back.
UPDATE crm.customer SET country = 'FR' WHERE customer_id = 1;
SELECT is(canonical, '+491711234567', 'a number does not change when the customer moves') FROM crm.contact_point WHERE contact_point_id = 902;
UPDATE crm.contact_point SET customer_id = 1, channel = 'sms', address = '0171 1234567', resolved = '+491711234567', is_primary = true WHERE contact_point_id = 902;
SELECT is(canonical, '+491711234567', 'nor when the row is written back') FROM crm.contact_point WHERE contact_point_id = 902;
UPDATE crm.contact_point SET address = '06 12 34 56 78' WHERE contact_point_id = 902;
SELECT is((address, resolved, canonical)::text, '("06 12 34 56 78",+33612345678,+33612345678)', 'a new address is read by the country of now') FROM crm.contact_point WHERE contact_point_id = 902;
SELECT throws_ok($$ UPDATE crm.contact_point SET address = '0171 1234567' WHERE contact_point_id = 902 $$, '22P02', NULL, 'which may have no such number');
UPDATE crm.customer SET country = 'DE' WHERE customer_id = 1;
UPDATE crm.contact_point SET address = '030 2345678' WHERE contact_point_id = 902;
UPDATE crm.customer SET country = 'NL' WHERE customer_id = 1;
SELECT lives_ok($$ UPDATE crm.contact_point SET resolved = DEFAULT WHERE contact_point_id = 902 $$, 'an address can be read again');
SELECT is(canonical, '+31302345678', 'by the country of now') FROM crm.contact_point WHERE contact_point_id = 902;
UPDATE crm.contact_point SET address = '+49302345678' WHERE contact_point_id = 902;
SELECT is((resolved, canonical)::text, '(,+49302345678)', 'and when it can be sent to as it is, nothing stands beside it') FROM crm.contact_point WHERE contact_point_id = 902;
UPDATE crm.contact_point SET channel = 'letter', address = 'Hauptstr. 1' WHERE contact_point_id = 902;
SELECT is((resolved, canonical)::text, '(,"hauptstr. 1")', 'as on channels where nothing need be read') FROM crm.contact_point WHERE contact_point_id = 902;
INSERT INTO crm.customer (customer_id, name, country) VALUES (3, 'Merged', NULL);
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES (905, 1, 'sms', '06 12345678');
SELECT lives_ok($$ UPDATE crm.contact_point SET customer_id = 3 WHERE contact_point_id = 905 $$, 'a contact point may go to a customer without a country');
SELECT is(canonical, '+31612345678', 'and keeps its number') FROM crm.contact_point WHERE contact_point_id = 905;
UPDATE crm.customer SET country = 'DE' WHERE customer_id = 1;

-- What was found out about a number goes with it, however the number changes, and stays when only its writing does.
UPDATE crm.contact_point SET verified_at = '2026-01-01' WHERE contact_point_id = 904;
UPDATE crm.contact_point SET address = '+33 (0)1 23 45 67 89' WHERE contact_point_id = 904;
SELECT isnt(verified_at, NULL, 'a verified number is so in another writing') FROM crm.contact_point WHERE contact_point_id = 904;
UPDATE crm.contact_point SET resolved = '+33123456780' WHERE contact_point_id = 904;
SELECT is(verified_at, NULL, 'another one is not, though the address is the same') FROM crm.contact_point WHERE contact_point_id = 904;
SELECT is((address, canonical)::text, '("+33 (0)1 23 45 67 89",+33123456780)', 'what the address means may be corrected') FROM crm.contact_point WHERE contact_point_id = 904;

-- What a restore inserts: addresses that no table of today can read come back by what they meant.
SELECT lives_ok($$ INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address, resolved) VALUES
    (906, 2, 'phone', '0211 12', '+4921112345'), (907, 2, 'email', U&'a@\0378.example', 'a@xn--zva.example'), (908, 2, 'web', U&'http://\0378.example', 'http://xn--zva.example/') $$,
    'what an address means may be given');
SELECT results_eq($$ SELECT canonical FROM crm.contact_point WHERE contact_point_id >= 906 ORDER BY contact_point_id $$,
    $$ VALUES ('+4921112345'), ('a@xn--zva.example'), ('http://xn--zva.example/') $$, 'and counts');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (2, 'email', U&'a@\0378.example') $$, '22P02', NULL, 'an address that cannot be read is refused');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address, resolved) VALUES (1, 'phone', '0211 777777', 'abends') $$, '22P02', NULL, 'so is a meaning that is none');
SELECT throws_ok($$ UPDATE crm.contact_point SET canonical = '+49211999' WHERE contact_point_id = 906 $$, '428C9', NULL, 'the canonical form is generated, not written');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'phone', NULL) $$, '23502', NULL, 'an address is needed');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'email', 'ANN@straße.EXAMPLE') $$, '23505', NULL, 'the same address is there once');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address, is_primary) VALUES (1, 'email', 'other@example.org', true) $$, '23505', NULL, 'one is the primary');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (2, 'phone', '0211 123456') $$, '22P02', NULL, 'a national number needs a country');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'pigeon', 'x') $$, '22P02', 'invalid input value for enum crm.channel: "pigeon"', 'an unknown channel is refused');
SELECT throws_ok($$ INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'email', 'nobody') $$, '22P02', '"nobody" is not an e-mail address', 'what is no address is refused');

-- Relationships
INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind, valid) VALUES (2, 1, 'employs', '[2020-01-01,2021-01-01)');
SELECT lives_ok($$ INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind, valid) VALUES (2, 1, 'employs', '[2021-01-01,)') $$, 'a relationship may follow another of its kind');
SELECT throws_ok($$ INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind, valid) VALUES (2, 1, 'employs', '[2020-06-01,2020-07-01)') $$, '23P01', NULL, 'but not overlap it');
SELECT throws_ok($$ INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind) VALUES (1, 1, 'knows') $$, '23514', NULL, 'nobody is related to himself');

SELECT * FROM finish();
ROLLBACK;
