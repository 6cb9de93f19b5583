-- customer: attributes, contact points, relationships, and what is refused.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT plan(31);

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
