-- Segments: who was in when, one place in the tree at a time, responsibilities by segment, and who sees whom by it.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

INSERT INTO crm.customer (customer_id, name, lifecycle) SELECT n, 'C' || n, 'customer' FROM generate_series(901, 909) AS n;
INSERT INTO crm.segment (segment_id, name, path) VALUES (901, 'business', 'business'), (902, 'large', 'business.large'), (903, 'private', 'private'), (904, 'newsletter', NULL);

-- Membership ---------------------------------------------------------------------------------------------------------

SELECT is(crm.place_in_segment('{901,902,902}', 'business'), 2::bigint, 'two customers enter a segment');
SELECT is(crm.place_in_segment('{901,902}', 'business'), 0::bigint, 'who is there stays');
UPDATE crm.segment_member SET valid = '[2026-01-01,)' WHERE segment_id = 901;
SELECT is(crm.place_in_segment('{901}', 'large'), 1::bigint, 'one moves within the tree');
SELECT results_eq('SELECT segment_id, valid, in_tree FROM crm.segment_member WHERE customer_id = 901 ORDER BY segment_id',
    $$ VALUES (901::bigint, tstzrange('2026-01-01', now()), true), (902, tstzrange(now(), NULL), true) $$, 'where he was is kept, and ends where the next begins');
SELECT is(crm.place_in_segment('{901}', 'private'), 1::bigint, 'he moves again in the same transaction');
SELECT results_eq('SELECT segment_id FROM crm.segment_member WHERE customer_id = 901 ORDER BY segment_id', 'VALUES (901::bigint), (903)', 'what never held is not kept');
SELECT is(crm.place_in_segment('{901,903}', 'newsletter'), 2::bigint, 'a segment outside the tree');
SELECT is((SELECT count(*) FROM crm.segment_member WHERE customer_id = 901 AND upper_inf(valid)), 2::bigint, 'takes nobody out of the tree');
SELECT is(crm.place_in_segment('{901}', NULL), 0::bigint, 'he leaves the tree');
SELECT results_eq('SELECT segment_id FROM crm.segment_member WHERE customer_id = 901 AND upper_inf(valid)', 'VALUES (904::bigint)', 'and nothing else');
SELECT throws_ok($$ SELECT crm.place_in_segment('{901}', 'nowhere') $$, 'P0002', 'there is no segment "nowhere"', 'an unknown segment is an error');
SELECT throws_ok($$ SELECT crm.place_in_segment('{999}', 'large') $$, '23503', NULL, 'so is an unknown customer');

SELECT throws_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id) VALUES (902, 903) $$, '23P01', NULL, 'two places in the tree are refused');
SELECT throws_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, valid) VALUES (902, 903, '[2026-02-01,2026-03-01)') $$, '23P01', NULL, 'in the past as well');
SELECT throws_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, valid) VALUES (903, 904, '[2020-01-01,)') $$, '23P01', NULL, 'twice in one segment is refused');
SELECT lives_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, valid) VALUES (903, 904, '[2019-01-01,2020-01-01)'), (904, 904, '[2100-01-01,)') $$, 'before, and in the future, outside the tree, is not');
SELECT throws_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, valid) VALUES (904, 902, '[2100-01-01,)') $$, '23514',
                 'customer 904 cannot enter or leave segment 902 in the future', 'in the tree nobody enters in the future');
SELECT throws_ok($$ UPDATE crm.segment_member SET valid = '[2026-01-01,2100-01-01)' WHERE customer_id = 902 $$, '23514', NULL, 'nor leaves');
SELECT throws_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, valid) VALUES (904, 904, '[2020-01-01,2020-01-02]') $$, '23514', NULL, 'bounds that are not [) are refused');
SELECT lives_ok($$ INSERT INTO crm.segment_member (customer_id, segment_id, in_tree) VALUES (905, 904, true) $$, 'whether it is in the tree');
SELECT is((SELECT in_tree FROM crm.segment_member WHERE customer_id = 905), false, 'is the database''s to say');
SELECT throws_ok($$ UPDATE crm.segment SET path = 'news' WHERE segment_id = 904 $$, '23514', 'segment "newsletter" has members and cannot enter the tree', 'a segment with members does not enter the tree');
SELECT throws_ok($$ UPDATE crm.segment SET path = NULL WHERE segment_id = 901 $$, '23514', 'segment "business" has members and cannot leave the tree', 'nor leaves it');
SELECT throws_ok($$ INSERT INTO crm.segment (name, path) VALUES ('again', 'private') $$, '23505', NULL, 'one segment for a path');
SELECT throws_ok($$ INSERT INTO crm.segment (name, path) VALUES ('root', '') $$, '23514', NULL, 'an empty path is none');

-- Responsibility -----------------------------------------------------------------------------------------------------

INSERT INTO crm.partner (partner_id, name, position, contract) SELECT n, 'P' || n, 'retailer', '[2020-01-01,)' FROM generate_series(901, 906) AS n;
INSERT INTO crm.customer_territory VALUES (902, 'de.west'), (903, 'de.east'), (905, 'de.west');
SELECT crm.place_in_segment('{903,904,905}', 'large') \g /dev/null
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, territory, segment, product, duty, valid) VALUES
    (901, 901, NULL, NULL, NULL, NULL, 'accountable: sell', '[2020-01-01,)'),
    (902, 902, NULL, NULL, 'business', NULL, 'accountable: sell', '[2020-01-01,)'),
    (903, 903, NULL, 'de.west', NULL, NULL, 'accountable: sell', '[2020-01-01,)'),
    (904, 904, NULL, NULL, 'business.large', NULL, 'accountable: sell', '[2020-01-01,)'),
    (905, 905, NULL, 'de', 'business', NULL, 'accountable: sell', '[2020-01-01,)'),
    (906, 906, NULL, NULL, 'business', 'tools', 'accountable: sell', '[2020-01-01,)');
SELECT results_eq($$ SELECT n::bigint, crm.responsible_partner(n, 'sell') FROM generate_series(901, 905) AS n $$,
    $$ VALUES (901::bigint, 901::bigint), (902, 903), (903, 905), (904, 904), (905, 903) $$,
    'nobody''s segment falls to all; a deeper territory wins, then a deeper segment');
SELECT is(crm.responsible_partner(903, 'sell', now(), 'tools.saws'), 906::bigint, 'a product wins over territory and segment');
SELECT is(crm.responsible_partner(901, 'sell', '2026-03-01'), 902::bigint, 'for a time past where he was then counts');
SELECT is(crm.responsible_partner(904, 'sell', now() - interval '1 day'), 901::bigint, 'and where he was not yet does not');
SELECT is((SELECT count(*) FROM generate_series(901, 905) AS n WHERE (SELECT v.partner_id FROM crm.customer_responsibility AS v WHERE v.customer_id = n AND v.product IS NULL)
           IS DISTINCT FROM crm.responsible_partner(n, 'sell')), 0::bigint, 'view and function say the same');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, segment, duty) VALUES (901, 'business.large', 'accountable: sell') $$, '23P01', NULL, 'a second accountable for a segment is refused');
SELECT lives_ok($$ INSERT INTO crm.partner_responsibility (partner_id, segment, territory, duty) VALUES (901, 'business.large', 'us', 'accountable: sell') $$, 'for another territory of it, it is not');
SELECT throws_ok($$ INSERT INTO crm.partner_responsibility (partner_id, customer_id, segment, duty) VALUES (901, 901, 'business', 'informed: sell') $$, '23514', NULL, 'a customer and a segment at once are no scope');
SELECT results_eq($$ SELECT responsibility_id, other_responsibility_id FROM crm.responsibility_overlap WHERE responsibility_id BETWEEN 901 AND 905 AND other_responsibility_id BETWEEN 901 AND 905 ORDER BY 1, 2 $$,
    $$ VALUES (901::bigint, 902::bigint), (901, 903), (901, 904), (901, 905), (902, 903), (902, 904), (902, 905), (903, 904), (903, 905), (904, 905) $$, 'scopes that meet are shown');
UPDATE crm.partner_responsibility SET territory = 'de.north' WHERE responsibility_id = 903;
UPDATE crm.partner_responsibility SET segment = 'private' WHERE responsibility_id = 904;
SELECT results_eq($$ SELECT responsibility_id, other_responsibility_id FROM crm.responsibility_overlap WHERE responsibility_id BETWEEN 901 AND 905 AND other_responsibility_id BETWEEN 901 AND 905 ORDER BY 1, 2 $$,
    $$ VALUES (901::bigint, 902::bigint), (901, 903), (901, 904), (901, 905), (902, 903), (902, 905), (903, 904), (903, 905) $$, 'those of other segments do not meet');
UPDATE crm.partner_responsibility SET segment = 'business.large' WHERE responsibility_id = 904;
UPDATE crm.partner_responsibility SET territory = 'de.west' WHERE responsibility_id = 903;

CREATE TEMP TABLE h AS SELECT crm.offer_handover(902, 902, 906, now() + interval '1 day') AS id;
SELECT crm.accept_handover((SELECT id FROM h), 906) \g /dev/null
SELECT results_eq($$ SELECT n.partner_id, n.segment::text FROM crm.handover AS h JOIN crm.partner_responsibility AS n ON n.responsibility_id = h.new_responsibility_id WHERE h.handover_id = (SELECT id FROM h) $$,
    $$ VALUES (906::bigint, 'business') $$, 'what is handed over keeps its segment');

-- Who sees whom ------------------------------------------------------------------------------------------------------

CREATE ROLE crm_segment_904 LOGIN;
CREATE ROLE crm_segment_905 LOGIN;
GRANT USAGE ON SCHEMA tap TO crm_segment_904, crm_segment_905;
SELECT crm.grant_access('crm_segment_904', 'partner', 904) \g /dev/null
SELECT crm.grant_access('crm_segment_905', 'partner', 905) \g /dev/null
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) SELECT n, 'email', 'outbound', 'sent' FROM generate_series(901, 909) AS n;
SET LOCAL ROLE crm_segment_904;
SELECT results_eq('SELECT customer_id FROM crm.interaction ORDER BY 1', 'VALUES (904::bigint)', 'a partner sees the customers of its segment, but those for whom another is more specific');
SELECT results_eq('SELECT customer_id FROM crm.segment_member ORDER BY 1', 'VALUES (904::bigint)', 'and where in the tree these are');
SELECT is(crm.responsible_partner(904, 'sell'), 904::bigint, 'and that it answers for them');
SELECT throws_ok('SELECT name FROM crm.segment', '42501', NULL, 'not what segments are called');
SELECT throws_ok($$ SELECT crm.place_in_segment('{904}', 'private') $$, '42501', NULL, 'it moves nobody');
SET LOCAL ROLE crm_segment_905;
SELECT results_eq('SELECT customer_id FROM crm.customer ORDER BY 1', 'VALUES (903::bigint)', 'of territory and segment together as well');
RESET ROLE;

CREATE FUNCTION pg_temp.is_right(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE now_ AS
        SELECT c.customer_id, m.partner_id, m.valid FROM crm.customer AS c JOIN crm.audience_partner AS m ON m.audience_id = c.audience_id;
    CREATE TEMP TABLE facts AS SELECT count(*) FROM crm.interaction AS i JOIN crm.customer AS c USING (customer_id) WHERE i.audience_id <> c.audience_id;
    PERFORM crm.rebuild_audiences();
    RETURN NEXT tap.is_empty('(TABLE now_ EXCEPT SELECT c.customer_id, m.partner_id, m.valid FROM crm.customer AS c JOIN crm.audience_partner AS m ON m.audience_id = c.audience_id)
        UNION ALL (SELECT c.customer_id, m.partner_id, m.valid FROM crm.customer AS c JOIN crm.audience_partner AS m ON m.audience_id = c.audience_id EXCEPT TABLE now_)', what);
    RETURN NEXT tap.is((SELECT count FROM facts), 0::bigint, what || ': facts follow');
    DROP TABLE now_, facts;
END $$;
SELECT crm.place_in_segment('{904,908}', 'private') \g /dev/null
SELECT pg_temp.is_right('moved by the function');
SET LOCAL ROLE crm_segment_904;
SELECT is_empty('SELECT customer_id FROM crm.interaction', 'who leaves the segment is gone at once');
RESET ROLE;
UPDATE crm.segment_member SET segment_id = 902 WHERE customer_id = 908;
SELECT pg_temp.is_right('moved by hand');
SET LOCAL ROLE crm_segment_904;
SELECT results_eq('SELECT customer_id FROM crm.customer', 'VALUES (908::bigint)', 'who enters it is there at once');
RESET ROLE;
UPDATE crm.segment SET path = 'giants' WHERE segment_id = 902;
SELECT pg_temp.is_right('a segment elsewhere in the tree');
SET LOCAL ROLE crm_segment_904;
SELECT is_empty('SELECT customer_id FROM crm.customer', 'a segment that moves in the tree takes its customers along');
RESET ROLE;
UPDATE crm.partner_responsibility SET segment = 'giants' WHERE responsibility_id = 904;
SELECT pg_temp.is_right('a responsibility for another segment');
SET LOCAL ROLE crm_segment_904;
SELECT results_eq('SELECT customer_id FROM crm.customer ORDER BY 1', 'VALUES (903::bigint), (908)', 'and a responsibility for it finds them');
RESET ROLE;
DELETE FROM crm.segment WHERE segment_id = 902;
SELECT pg_temp.is_right('a segment that is no more');
INSERT INTO crm.partner_responsibility (partner_id, segment, duty) VALUES (901, 'business', 'informed: sell');
DELETE FROM crm.partner_responsibility WHERE responsibility_id IN (901, 905);
SELECT pg_temp.is_right('responsibilities come and go');

TRUNCATE crm.segment_member;
SELECT pg_temp.is_right('nobody in any segment');

SELECT * FROM finish();
ROLLBACK;
