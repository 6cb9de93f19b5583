-- partner_handover: working time, the next candidate by rule, expiry and decline that ask the next, registered deals.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SET LOCAL timezone = 'UTC';
SELECT no_plan();

INSERT INTO crm.customer (customer_id, name) VALUES (901, 'Ann'), (902, 'Bob');
INSERT INTO crm.customer_territory VALUES (901, 'de.west.cologne');
INSERT INTO crm.partner (partner_id, name, position, tier, capacity, country, region, time_zone) VALUES
    (900, 'House', 'distributor', 1, NULL, NULL, NULL, 'UTC'),
    (901, 'Everywhere', 'retailer', 2, NULL, 'DE', 'NW', 'Europe/Berlin'),
    (902, 'West', 'retailer', 2, 10, 'DE', 'BY', 'Europe/Berlin'),
    (903, 'Cologne', 'retailer', 3, NULL, NULL, NULL, 'UTC'),
    (904, 'East', 'retailer', 1, NULL, NULL, NULL, 'UTC'),
    (905, 'Full', 'retailer', 1, 0, NULL, NULL, 'UTC'),
    (906, 'Service', 'service', 1, NULL, NULL, NULL, 'UTC'),
    (907, 'Low', 'retailer', 9, NULL, NULL, NULL, 'UTC');
INSERT INTO crm.partner (partner_id, name, position, contract) VALUES (908, 'Gone', 'retailer', '[2020-01-01,2021-01-01)');
INSERT INTO crm.partner_territory VALUES (902, 'de.west'), (903, 'de.west.cologne'), (904, 'de.east');

-- Working time. 2026-10-02 is a Friday, 2026-10-03 a holiday on a Saturday; 2026-11-01 (Sunday) and 2026-12-25 (Friday) too.
SELECT is(crm.add_working_time(903, '2026-10-02 16:00+00', '2 hours'), '2026-10-05 10:00+00', 'over a weekend, from 9 to 17 where nothing else is said');
SELECT is(crm.add_working_time(903, '2026-10-03 12:00+00', '0'), '2026-10-05 09:00+00', 'nothing to add: the next working instant');
SELECT is(crm.add_working_time(903, '2026-10-02 09:00+00', '8 hours'), '2026-10-02 17:00+00', 'a full day ends when the day does');
SELECT is(crm.add_working_time(901, '2026-10-23 14:00+00', '2 hours'), '2026-10-26 09:00+00', 'in the partner''s time zone, over the end of summer time');
INSERT INTO crm.holiday (country, region, day, name) VALUES ('DE', '', '2026-12-25', 'Weihnachten'), ('DE', 'BY', '2026-01-06', 'Dreikönig');
SELECT is(crm.add_working_time(901, '2026-12-24 15:00+00', '2 hours'), '2026-12-28 09:00+00', 'a holiday of the country is not worked');
SELECT is(crm.add_working_time(902, '2026-01-05 16:00+00', '1 hour'), '2026-01-07 09:00+00', 'a holiday of the region neither');
SELECT is(crm.add_working_time(901, '2026-01-05 16:00+00', '1 hour'), '2026-01-06 09:00+00', 'which in another region is worked');
INSERT INTO crm.working_hours (country, partner_id, weekday, opens, closes) VALUES ('DE', NULL, 1, '08:00', '12:00'), ('DE', NULL, 1, '13:00', '24:00'), (NULL, 902, 6, '10:00', '11:00');
SELECT is(crm.add_working_time(901, '2026-10-05 09:00+00', '3 hours'), '2026-10-05 13:00+00', 'hours of the country, with a break');
SELECT is(crm.add_working_time(901, '2026-10-05 21:30+00', '1 hour'), '2026-10-12 06:30+00', 'until midnight');
SELECT is(crm.add_working_time(902, '2026-10-01 00:00+00', '2 hours'), '2026-10-17 09:00+00', 'hours of its own instead; the 3rd is a holiday');
INSERT INTO crm.holiday (country, region, day, name) SELECT 'FR', '', d, 'closed' FROM generate_series(date '2026-01-01', date '2026-06-30', '1 day') AS d;
INSERT INTO crm.partner (partner_id, name, position, country) VALUES (910, 'Closed', 'retailer', 'FR');
SELECT is(crm.add_working_time(910, '2026-01-01 00:00+00', '1 hour'), '2026-07-01 10:00+00', 'half a year of holidays');
SELECT is(crm.add_working_time(999, now(), '1 hour'), NULL, 'an unknown partner has no working time');
SELECT throws_ok($$ SELECT crm.add_working_time(901, now(), '-1 hour') $$, '22023', NULL, 'working time is not negative');
SELECT throws_ok($$ SELECT crm.add_working_time(901, 'infinity', '1 hour') $$, '22023', NULL, 'nor added to the end of time');
SELECT throws_ok($$ SELECT crm.add_working_time(901, now(), '100 years') $$, '22023', NULL, 'more than there is in years is an error');
SELECT throws_ok($$ INSERT INTO crm.working_hours (country, weekday, opens, closes) VALUES ('DE', 1, '11:00', '14:00') $$, '23P01', NULL, 'working hours do not overlap');
SELECT throws_ok($$ INSERT INTO crm.working_hours (country, partner_id, weekday, opens, closes) VALUES ('DE', 901, 2, '11:00', '14:00') $$, '23514', NULL, 'they are of a country or of a partner');
DELETE FROM crm.working_hours; DELETE FROM crm.partner WHERE partner_id = 910;

-- Candidates
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, territory, duty, valid) VALUES
    (901, 900, 901, NULL, 'accountable: sell', '[2020-01-01,)'), (902, 900, 902, NULL, 'accountable: sell', '[2020-01-01,)'), (903, 900, NULL, NULL, 'accountable: sell', '[2020-01-01,)');
SELECT throws_ok($$ SELECT crm.offer_next_handover(901, 900) $$, '55000', 'there is no rule for hand-over', 'without a rule nobody is chosen');
INSERT INTO crm.handover_rule (handover_rule_id, territory, position, max_tier, answer_within, candidates) VALUES
    (901, NULL, 'retailer', 5, '8 hours', 2), (902, 'de.west', 'retailer', 5, '4 hours', 3);
SELECT results_eq($$ SELECT rank, partner_id, score, territory_fit, tier_fit, capacity_fit, performance_fit FROM crm.handover_candidates(901) $$,
    $$ VALUES (1, 903::bigint, 0.7083, 1.0000, 0.3333, 1, 0.5000), (2, 902, 0.6667, 0.6667, 0.5000, 1.0000, 0.5000), (3, 901, 0.5000, 0, 0.5000, 1, 0.5000) $$,
    'by territory, tier, capacity and performance; not another position, a lower tier, a contract that ended, another territory or no capacity left');
SELECT is((SELECT explanation FROM crm.handover_candidates(901) WHERE rank = 2),
    'score 0.6667: territory 0.6667 (weight 1), tier 2 is 0.5000 (weight 1), capacity 1.0000: 0 of 10 taken (weight 1), performance 0.5000: 0 of 0 offers accepted, 0 of 0 customers bought (weight 1)', 'each is explained');
SELECT results_eq('SELECT partner_id FROM crm.handover_candidates(902)', $$ VALUES (904::bigint), (901), (902), (903) $$, 'a customer without a territory can go to anyone');
SELECT results_eq('SELECT partner_id FROM crm.handover_candidates(903)', $$ VALUES (901::bigint) $$, 'what is for everywhere only to who works everywhere');
SELECT is((SELECT handover_rule_id FROM crm.handover_candidates(901) WHERE rank = 1), 902::bigint, 'the rule of the narrower territory holds');
SELECT throws_ok($$ INSERT INTO crm.handover_rule (position) VALUES ('retailer') $$, '23505', NULL, 'one rule for all that no other is for');
SELECT throws_ok($$ INSERT INTO crm.handover_rule (territory, weight_territory, weight_tier, weight_capacity, weight_performance) VALUES ('fr', 0, 0, 0, 0) $$, '23514', NULL, 'something must weigh');

-- Declined and expired offers go to the next
SELECT throws_ok($$ SELECT crm.offer_next_handover(901, 903) $$, '23514', 'partner 903 is not accountable by responsibility 901 now', 'only the accountable partner offers');
SELECT throws_ok($$ SELECT crm.offer_handover(901, 903, 904) $$, '23514', 'partner 903 is not accountable by responsibility 901 now', 'by hand neither');
CREATE TEMP TABLE h AS SELECT crm.offer_next_handover(901, 900, 'moved west') AS first;
SELECT is(to_partner_id, 903::bigint, 'the best is asked first') FROM crm.handover, h WHERE handover_id = first;
SELECT is(due_at, crm.add_working_time(903, offered_at, '4 hours'), 'until some working time has passed') FROM crm.handover, h WHERE handover_id = first;
SELECT throws_ok($$ SELECT crm.offer_next_handover(901, 900) $$, '23505', NULL, 'one open offer at a time');
SELECT crm.decline_handover(first, 903, 'no time') FROM h;
SELECT results_eq($$ SELECT to_partner_id, status, reason, answer FROM crm.handover WHERE responsibility_id = 901 ORDER BY handover_id $$,
    $$ VALUES (903::bigint, 'declined', 'moved west', 'no time'), (902, 'offered', 'moved west', NULL) $$, 'declining asks the next');
SELECT is(crm.expire_handovers(now()), 0::bigint, 'nothing expires before its time');
SELECT is(crm.expire_handovers((SELECT max(due_at) FROM crm.handover)), 1::bigint, 'an offer expires when its time has passed');
SELECT results_eq($$ SELECT to_partner_id, status, follows_handover_id IS NOT NULL FROM crm.handover WHERE responsibility_id = 901 ORDER BY handover_id $$,
    $$ VALUES (903::bigint, 'declined', false), (902, 'expired', true), (901, 'offered', true) $$, 'and the next is asked');
SELECT throws_ok($$ SELECT crm.accept_handover((SELECT max(handover_id) FROM crm.handover), 902) $$, '23514', NULL, 'who let it expire accepts no more');
SELECT is(crm.responsible_partner(901, 'sell'), 900::bigint, 'all the while the old partner answers');
SELECT isnt(crm.accept_handover((SELECT max(handover_id) FROM crm.handover), 901), NULL, 'the third accepts');
SELECT is(crm.responsible_partner(901, 'sell', clock_timestamp()), 901::bigint, 'and answers');
SELECT results_eq($$ SELECT upper(o.valid) = lower(n.valid) FROM crm.partner_responsibility AS o, crm.partner_responsibility AS n, crm.handover AS h
    WHERE h.status = 'accepted' AND o.responsibility_id = h.responsibility_id AND n.responsibility_id = h.new_responsibility_id $$, 'VALUES (true)', 'without gap or overlap');
SELECT is((SELECT performance_fit FROM crm.handover_candidates(902) WHERE partner_id = 902), 0.4167, 'who let an offer expire ranks lower the next time');
CREATE TEMP TABLE g AS SELECT crm.offer_next_handover(902, 900) AS first;
SELECT crm.decline_handover(first, 904, 'no') FROM g;
SELECT is(crm.expire_handovers((SELECT max(due_at) FROM crm.handover WHERE status = 'offered')), 1::bigint, 'the last that the rule asks lets it expire');
SELECT results_eq($$ SELECT count(*), count(*) FILTER (WHERE status = 'offered') FROM crm.handover WHERE responsibility_id = 902 $$, 'VALUES (2::bigint, 0::bigint)', 'after as many as the rule says nobody is asked');
SELECT is(crm.responsible_partner(902, 'sell'), 900::bigint, 'and the old partner stays accountable');
-- What is no longer accountable has nothing to hand over: its offers end, and stop no other.
SAVEPOINT demoted;
CREATE TEMP TABLE d AS SELECT crm.offer_next_handover(902, 900) AS first;
SELECT isnt(first, NULL, 'a chain begins anew') FROM d;
UPDATE crm.partner_responsibility SET duty = 'consulted: sell' WHERE responsibility_id = 902;
SAVEPOINT offered;
SELECT is(crm.expire_handovers((SELECT max(due_at) FROM crm.handover WHERE status = 'offered')), 1::bigint, 'an offer of what is no longer accountable expires');
SELECT is((SELECT count(*) FROM crm.handover WHERE responsibility_id = 902 AND status = 'offered'), 0::bigint, 'and nobody else is asked');
ROLLBACK TO SAVEPOINT offered;
SELECT lives_ok($$ SELECT crm.decline_handover(d.first, h.to_partner_id, 'no') FROM d JOIN crm.handover AS h ON h.handover_id = d.first $$, 'or is declined');
SELECT is((SELECT count(*) FROM crm.handover WHERE responsibility_id = 902 AND status = 'offered'), 0::bigint, 'likewise');
ROLLBACK TO SAVEPOINT demoted;
CREATE TEMP TABLE f AS SELECT crm.offer_handover(902, 900, 906) AS first;
SELECT is(due_at, crm.add_working_time(906, offered_at, '8 hours'), 'by hand: 8 working hours unless said otherwise') FROM crm.handover, f WHERE handover_id = first;
SELECT crm.decline_handover(max(handover_id), 906, 'no') FROM crm.handover;
SELECT is((SELECT count(*) FROM crm.handover WHERE responsibility_id = 902), 3::bigint, 'what was offered by hand asks nobody else');

-- Registered deals
CREATE TEMP TABLE d AS SELECT crm.register_deal(901, 901, 'tools.saws', '90 days') AS id;
SELECT throws_like($$ SELECT crm.register_deal(902, 901, 'tools.saws') $$, 'customer 901 is taken until %', 'a deal that is protected is taken');
SELECT throws_like($$ SELECT crm.register_deal(902, 901, 'tools') $$, 'customer 901 is taken until %', 'so is a wider product');
SELECT throws_like($$ SELECT crm.register_deal(902, 901, 'tools.saws.small') $$, 'customer 901 is taken until %', 'and a narrower one');
SELECT throws_like($$ SELECT crm.register_deal(902, 901) $$, 'customer 901 is taken until %', 'and every product');
SELECT throws_ok($$ SELECT crm.register_deal(902, 901, 'tools.saws') $$, '23P01', NULL, 'that is a conflict');
SELECT lives_ok($$ SELECT crm.register_deal(902, 901, 'tools.drills') $$, 'another product is free');
SELECT lives_ok($$ SELECT crm.register_deal(902, 902, 'tools.saws') $$, 'another customer too');
SELECT throws_ok($$ INSERT INTO crm.deal_registration (partner_id, customer_id, product) VALUES (903, 901, 'tools') $$, '23P01', NULL, 'an insert into the table is checked alike');
SELECT throws_ok($$ UPDATE crm.deal_registration SET product = 'tools' WHERE customer_id = 901 AND partner_id = 902 $$, '23P01', NULL, 'and so is an update');
SELECT throws_ok($$ INSERT INTO crm.deal_registration (partner_id, customer_id, protected) VALUES (903, 902, '[2030-01-01,2032-01-01)') $$, '23514', NULL, 'protection ends within a year');
SELECT is(crm.deal_taken_until(901, 'tools.saws'), NULL, 'before it was registered it was free');
SELECT is(crm.deal_taken_until(901, 'tools.saws', clock_timestamp()), (SELECT upper(protected) FROM crm.deal_registration, d WHERE deal_registration_id = id), 'until when');
SELECT crm.release_deal(id) FROM d;
SELECT is(crm.deal_taken_until(901, 'tools.saws', clock_timestamp()), NULL, 'once released it is free');
SELECT lives_ok($$ SELECT crm.register_deal(903, 901, 'tools.saws') $$, 'and can be registered by another');

-- What was handed over stays so. Nothing that is written afterwards leaves a gap, an overlap, or less that is answered for.
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, duty, valid) VALUES
    (980, 901, 902, 'accountable: collect, retain', '[2020-01-01,)'), (981, 901, 901, 'accountable: collect', '[2020-01-01,)'), (982, 901, 901, 'accountable: acquire', '[2020-01-01,infinity)');
CREATE TEMP TABLE passed AS SELECT h, crm.accept_handover(h, 903) AS new FROM crm.offer_handover(980, 901, 903, '2999-01-01') AS h;
SELECT throws_ok(format(q, new), '23514', format('hand-over %s would no longer pass responsibility 980 on to %s without a gap', h, new), 'refused: ' || q)
FROM passed, unnest(ARRAY['UPDATE crm.partner_responsibility SET valid = tstzrange(lower(valid) + interval ''1 day'', NULL) WHERE responsibility_id = %s',
    'UPDATE crm.partner_responsibility SET valid = ''[2020-01-01,2021-01-01)'' WHERE responsibility_id = 980', 'UPDATE crm.partner_responsibility SET customer_id = NULL, territory = ''nowhere'' WHERE responsibility_id = %s',
    'UPDATE crm.partner_responsibility SET product = ''tools'' WHERE responsibility_id = %s', 'UPDATE crm.partner_responsibility SET duty = ''accountable: retain'' WHERE responsibility_id = %s',
    'UPDATE crm.partner_responsibility SET duty = ''informed: collect, retain'' WHERE responsibility_id = %s', 'UPDATE crm.partner_responsibility SET duty = ''accountable: collect, retain via fax'' WHERE responsibility_id = %s']) AS q;
SELECT lives_ok(format('UPDATE crm.partner_responsibility SET valid = tstzrange(lower(valid), ''2999-01-01''), partner_id = 902 WHERE responsibility_id = %s', new), 'the new one may end, or be another partner''s') FROM passed;
SELECT throws_ok(format('SELECT crm.accept_handover(%s, 903)', h), '23514', NULL, 'it is not accepted twice') FROM passed;
SELECT throws_ok(format('SELECT crm.decline_handover(%s, 903, ''x'')', h), '23514', NULL, 'or declined after that') FROM passed;
SELECT throws_ok($$ SELECT crm.accept_handover(CASE WHEN pg_sleep(0.2) IS NOT NULL THEN o.h END, 903) FROM (SELECT crm.offer_handover(981, 901, 903, clock_timestamp() + interval '100 milliseconds') AS h OFFSET 0) AS o $$, '23514', NULL, 'nor after its time, by the clock and not by the transaction''s time');
SELECT throws_ok($$ SELECT crm.accept_handover(crm.offer_handover(981, 901, 908, '2999-01-01'), 908) $$, '23514', 'the contract of partner 908 is not in force', 'nor by whom no contract binds');
CREATE TEMP TABLE late AS SELECT crm.offer_handover(981, 901, 903, '2999-01-01') AS h;
UPDATE crm.partner_responsibility SET valid = tstzrange('2020-01-01', clock_timestamp()) WHERE responsibility_id = 981;
SELECT throws_ok(format('SELECT crm.accept_handover(%s, 903)', h), '23514', 'partner 901 is not accountable by responsibility 981 now', 'nor of a responsibility that has ended') FROM late;
SELECT lives_ok($$ SELECT crm.accept_handover(crm.offer_handover(982, 901, 902, '2999-01-01'), 902) $$, 'one until infinity is handed over');
SELECT is_empty($$ SELECT h.handover_id FROM crm.handover AS h JOIN crm.partner_responsibility AS o USING (responsibility_id) JOIN crm.partner_responsibility AS n ON n.responsibility_id = h.new_responsibility_id
    WHERE h.status = 'accepted' AND upper(o.valid) IS DISTINCT FROM lower(n.valid) $$, 'no hand-over has a gap');

-- What was wrong is said
INSERT INTO crm.customer (customer_id, name) VALUES (9971, 'Asked');
INSERT INTO crm.partner (partner_id, name, position) VALUES (9971, 'From', 'retailer'), (9972, 'To', 'retailer');
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, duty, valid) VALUES (9971, 9971, 9971, 'accountable: sell', '[2020-01-01,)');
SELECT throws_ok(q, e, m, q) FROM (VALUES
    ('SELECT crm.offer_handover(9971, 9971, 9972, ''2020-01-01'')', '22023', NULL), ('SELECT crm.offer_handover(9971, 9971, 9972, ''-infinity'')', '22023', NULL),
    ('SELECT crm.offer_handover(NULL, 9971, 9972)', '23514', 'partner 9971 is not accountable by responsibility null now'),
    ('SELECT crm.accept_handover(999999, NULL)', '23514', 'no open hand-over 999999 to partner null'), ('SELECT crm.decline_handover(999999, NULL, ''x'')', '23514', 'no open hand-over 999999 to partner null'),
    ('SELECT crm.answer_handover(1, 9972, NULL, NULL)', '22023', 'an offer is accepted or declined'),
    ('SELECT crm.expire_handovers(''infinity'')', '22023', 'offers expire at a finite time, not infinity'),
    ('SELECT crm.register_deal(9971, 9971, NULL, NULL)', '22023', 'a deal is protected for more than nothing and at most 366 days, not null'),
    ('SELECT crm.register_deal(9971, 9971, NULL, ''-1 day'')', '22023', 'a deal is protected for more than nothing and at most 366 days, not -1 days'),
    ('SELECT crm.register_deal(9971, 9971, NULL, ''2 years'')', '22023', NULL),
    ('INSERT INTO crm.deal_registration (partner_id, customer_id, protected) VALUES (9971, 9971, ''[2020-01-01,)'')', '23514', 'new row for relation "deal_registration" violates check constraint "deal_registration_period"')) AS v (q, e, m);
-- A contract that ends while an offer is open: it can be declined, and accepted, but nobody else is asked.
SELECT lives_ok($$ SELECT crm.offer_handover(9971, 9971, 9972, now() + interval '1 day') $$, 'offered');
UPDATE crm.partner SET contract = tstzrange('2020-01-01', now() - interval '1 hour') WHERE partner_id = 9971;
SELECT lives_ok($$ SELECT crm.decline_handover((SELECT max(handover_id) FROM crm.handover), 9972, 'no') $$, 'declined though who offered is out of contract');
SELECT is(crm.responsible_partner(9971, 'sell'), 900::bigint, 'and who answers for all answers');

SELECT * FROM finish();
ROLLBACK;
