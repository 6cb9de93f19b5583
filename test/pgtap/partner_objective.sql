-- partner_objective: who is credited for contacts and purchases, what became of objectives, forecasts, scorecards.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SET LOCAL timezone = 'UTC';
SELECT no_plan();

INSERT INTO crm.partner (partner_id, name, position) SELECT n, 'P' || n, 'retailer' FROM generate_series(901, 905) AS n;
INSERT INTO crm.customer (customer_id, name) SELECT n, 'C' || n FROM generate_series(901, 904) AS n;
INSERT INTO crm.partner_responsibility (partner_id, customer_id, product, duty, valid) VALUES
    (901, 901, NULL, 'accountable: sell', '[2020-01-01,2021-07-01)'), (905, 901, NULL, 'accountable: sell', '[2021-07-01,)'),
    (904, 901, 'tools', 'accountable: sell', '[2020-01-01,)'), (901, 902, NULL, 'accountable: sell via phone', '[2020-01-01,)');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, partner_id) VALUES
    (901, 'phone', 'outbound', 'reached', '2021-05-01', 902), (901, 'email', 'outbound', 'unanswered', '2021-05-01', 902),
    (901, 'phone', 'inbound', 'reached', '2021-05-09', 903), (901, 'phone', 'outbound', 'reached', '2021-01-01', 904),
    (902, 'phone', 'outbound', 'unreached', '2021-03-01', NULL), (902, 'email', 'outbound', 'sent', '2021-03-01', NULL), (902, 'phone', 'outbound', 'reached', '2021-03-02', NULL);
INSERT INTO crm.purchase (purchase_id, customer_id, purchased_at, amount, product, partner_id, currency) VALUES
    (901, 901, '2021-05-10', 100.01, NULL, NULL, 'EUR'), (902, 901, '2021-08-01', 7, 'tools.saws', NULL, 'EUR'), (903, 901, '2021-08-02', 5, 'no path of labels!', NULL, 'EUR'),
    (904, 902, '2021-04-01', 11, NULL, 903, 'EUR'), (905, 902, '2021-05-01', 13, NULL, NULL, 'USD'), (906, 903, '2021-05-01', 17, NULL, NULL, 'EUR');

-- Credit
SELECT results_eq($$ SELECT purchase_id, partner_id, share, amount FROM crm.partner_credit('[2021-01-01,2022-01-01)') ORDER BY 1, 2 $$,
    $$ VALUES (901::bigint, 901::bigint, 1.000000, 100.010000), (902, 904, 1.000000, 7.000000), (903, 905, 1.000000, 5.000000), (904, 903, 1.000000, 11.000000), (905, 901, 1.000000, 13.000000) $$,
    'by responsibility: the partner that sold, else the one accountable then, for the product; what nobody answers for is left out');
SELECT results_eq($$ SELECT partner_id, share, amount FROM crm.partner_credit('[2021-05-01,2021-06-01)', 'linear') WHERE purchase_id = 901 ORDER BY 1 $$,
    $$ VALUES (902::bigint, 0.666667, 66.673333), (903, 0.333333, 33.336667) $$, 'linear: by contacts within the window');
SELECT results_eq($$ SELECT partner_id, share, amount FROM crm.partner_credit('[2021-05-01,2021-06-01)', 'equal', '180 days') WHERE purchase_id = 901 ORDER BY 1 $$,
    $$ VALUES (902::bigint, 0.333333, 33.336667), (903, 0.333334, 33.336666), (904, 0.333333, 33.336667) $$, 'equal: to each partner alike, and what is rounded goes to the next');
SELECT results_eq($$ SELECT partner_id, round(share, 4) FROM crm.partner_credit('[2021-05-01,2021-06-01)', 'time_decay', '90 days', '9 days') WHERE purchase_id = 901 ORDER BY 1 $$,
    $$ VALUES (902::bigint, round((1 / (1 + power(2, -1 / 9.0)))::numeric, 4)), (903, round((power(2, -1 / 9.0) / (1 + power(2, -1 / 9.0)))::numeric, 4)) $$, 'time decay: halved every half-life');
SELECT results_eq($$ SELECT purchase_id, partner_id FROM crm.partner_credit('[2021-01-01,2022-01-01)', 'linear') WHERE purchase_id IN (902, 905, 906) ORDER BY 1 $$,
    $$ VALUES (902::bigint, 903::bigint), (905, 901) $$, 'without contacts in the window by responsibility, where there is one');

-- Objectives of the past
INSERT INTO crm.objective (objective_id, name, measure, target, period, credit) VALUES
    (901, 'a', 'revenue', 200, '[2021-01-01,2022-01-01)', 'responsibility'), (902, 'b', 'revenue', 200, '[2021-01-01,2022-01-01)', 'linear'),
    (903, 'c', 'purchases', 2, '[2021-01-01,2022-01-01)', 'responsibility'), (904, 'd', 'new_customers', 1, '[2021-01-01,2022-01-01)', 'responsibility'),
    (905, 'e', 'contacts', 4, '[2021-01-01,2022-01-01)', 'responsibility'), (906, 'f', 'responses', 4, '[2021-01-01,2022-01-01)', 'responsibility'),
    (907, 'g', 'response_rate', 0.4, '[2021-01-01,2022-01-01)', 'responsibility'), (908, 'h', 'conversion_rate', 0.5, '[2021-01-01,2022-01-01)', 'responsibility');
INSERT INTO crm.objective_share SELECT o, p, s FROM generate_series(901, 908) AS o, (VALUES (901, 0.5), (902, 0.3), (903, 0.2)) AS v (p, s);
SELECT lives_ok('SET CONSTRAINTS crm.objective_share_total IMMEDIATE', 'shares that add up are taken');
PREPARE progress AS SELECT partner_id, target, actual, met, forecast, forecast_lower, forecast_upper FROM crm.objective_progress WHERE objective_id = $1 ORDER BY 1;
SELECT results_eq('EXECUTE progress (901)', $$ VALUES (901::bigint, 100.0, 100.010000, true, 100.010000, 100.010000, 100.010000), (902, 60.0, 0, false, 0, 0, 0), (903, 40.0, 11.000000, false, 11.000000, 11.000000, 11.000000) $$, 'revenue in the currency; what is over is no forecast');
SELECT results_eq('EXECUTE progress (902)', $$ VALUES (901::bigint, 100.0, 0::numeric, false, 0::numeric, 0::numeric, 0::numeric), (902, 60.0, 66.673333, true, 66.673333, 66.673333, 66.673333), (903, 40.0, 56.336667, true, 56.336667, 56.336667, 56.336667) $$, 'revenue shared by contacts');
SELECT results_eq('SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 903 ORDER BY 1', $$ VALUES (901::bigint, 1.000000), (902, 0), (903, 1.000000) $$, 'purchases');
SELECT results_eq('SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 904 ORDER BY 1', $$ VALUES (901::bigint, 1.000000), (902, 0), (903, 1.000000) $$, 'new customers: first purchases');
SELECT results_eq('SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 905 ORDER BY 1', $$ VALUES (901::bigint, 2::numeric), (902, 2), (903, 0) $$, 'contacts: outbound, of the partner or over a channel it answers for');
SELECT results_eq('SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 906 ORDER BY 1', $$ VALUES (901::bigint, 1::numeric), (902, 1), (903, 0) $$, 'responses');
SELECT results_eq('SELECT partner_id, target, actual, met FROM crm.objective_progress WHERE objective_id = 907 ORDER BY 1', $$ VALUES (901::bigint, 0.4, 0.500000, true), (902, 0.4, 0.500000, true), (903, 0.4, NULL, false) $$, 'a rate is the same target for everyone; of nothing there is none');
SELECT results_eq('SELECT partner_id, actual FROM crm.objective_progress WHERE objective_id = 908 ORDER BY 1', $$ VALUES (901::bigint, 1.000000), (902, 1.000000), (903, NULL) $$, 'contacted customers who bought afterwards');

-- A quarter of the period is over
INSERT INTO crm.objective (objective_id, name, measure, target, period) VALUES
    (911, 'i', 'purchases', 10, tstzrange(now() - interval '1 day', now() + interval '3 days')), (912, 'j', 'revenue', 10, tstzrange(now() - interval '1 day', now() + interval '3 days')),
    (913, 'k', 'revenue', 10, tstzrange(now() + interval '1 day', now() + interval '3 days')), (914, 'l', 'response_rate', 0.9, tstzrange(now() - interval '1 day', now() + interval '3 days'));
INSERT INTO crm.objective_share SELECT o, p, 0.5 FROM generate_series(911, 914) AS o, (VALUES (901), (902)) AS v (p);
INSERT INTO crm.purchase (customer_id, purchased_at, amount, partner_id) SELECT 904, now() - interval '1 hour', 10, 901 FROM generate_series(1, 4);
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, partner_id) SELECT 904, 'phone', 'outbound', o::crm.outcome, now() - interval '2 hours', 901 FROM unnest('{reached,reached,unreached}'::text[]) AS o;
SELECT results_eq('SELECT partner_id, actual, forecast, forecast_lower, round(forecast_upper, 3) FROM crm.objective_progress WHERE objective_id = 911 ORDER BY 1',
    $$ VALUES (901::bigint, 4.000000, 16.000000, 4.000000, round(16 + 1.6449 * sqrt(4.5 * 3 * 4), 3)), (902, 0, 0, 0, round(1.6449 * sqrt(0.5 * 3 * 4), 3)) $$, 'a count goes on at its pace, within an interval; nothing so far does not mean nothing ever');
SELECT results_eq('SELECT partner_id, actual, forecast, round(forecast_upper, 3) FROM crm.objective_progress WHERE objective_id = 912 ORDER BY 1',
    $$ VALUES (901::bigint, 40.000000, 160.000000, round(160 + 1.6449 * sqrt(400.0 * 3 * 4), 3)), (902, 0, 0, NULL) $$, 'so does revenue, which varies with the amounts');
SELECT results_eq('SELECT actual, forecast, forecast_upper FROM crm.objective_progress WHERE objective_id = 913', $$ VALUES (0::numeric, NULL::numeric, NULL::numeric), (0, NULL, NULL) $$, 'before the period there is no forecast');
SELECT results_eq('SELECT forecast, forecast_lower < 0.6667 AND forecast_lower > 0.2, forecast_upper > 0.6667 AND forecast_upper < 1 FROM crm.objective_progress WHERE objective_id = 914 AND partner_id = 901', $$ VALUES (0.666667, true, true) $$, 'a rate has the interval of a proportion');

-- Scorecard
INSERT INTO crm.handover (responsibility_id, from_partner_id, to_partner_id, offered_at, due_at, closed_at, status)
SELECT responsibility_id, 905, 901, now() - interval '10 hours', now(), now() - i * interval '1 hour', s
FROM crm.partner_responsibility, (VALUES (4, 'accepted'), (8, 'accepted'), (1, 'declined'), (0, 'expired')) AS v (i, s) WHERE partner_id = 905;
SELECT results_eq($$ SELECT customers, contacts, responses, response_rate, response_rate_lower < 0.6667 AND response_rate_upper > 0.6667, purchases, revenue, currency, offers, accepted, expired, acceptance_rate, hours_to_accept, objectives, objectives_met
    FROM crm.partner_scorecard WHERE partner_id = 901 $$, $$ VALUES (1::bigint, 3::bigint, 2::bigint, 0.6667, true, 4::bigint, 40.000000, 'EUR', 4::bigint, 2::bigint, 1::bigint, 0.5000, 4.00, 3::bigint, 1::bigint) $$, 'the scorecard of a partner');
SELECT results_eq($$ SELECT customers, contacts, response_rate, purchases, revenue, offers, acceptance_rate, objectives FROM crm.partner_scorecard WHERE partner_id = 904 $$,
    $$ VALUES (1::bigint, 0::bigint, NULL::numeric, 0::bigint, NULL::numeric, 0::bigint, NULL::numeric, 0::bigint) $$, 'and of one that did nothing');

-- Errors
SELECT throws_ok($$ INSERT INTO crm.objective (name, measure, target, period) VALUES ('x', 'fame', 1, '[2021-01-01,2022-01-01)') $$, '23514', NULL, 'an unknown measure is refused');
SELECT throws_ok($$ INSERT INTO crm.objective (name, measure, target, period) VALUES ('x', 'response_rate', 40, '[2021-01-01,2022-01-01)') $$, '23514', NULL, 'a rate is at most 1');
SELECT throws_ok($$ INSERT INTO crm.objective (name, target, period) VALUES ('x', 1, '[2021-01-01,)') $$, '23514', NULL, 'a period ends');
SELECT throws_ok($$ INSERT INTO crm.objective (name, target, period) VALUES ('x', 1, '[2021-01-01,infinity)') $$, '23514', NULL, 'in finite time');
SELECT throws_ok($$ INSERT INTO crm.objective_share VALUES (901, 904, 0.1) $$, '23514', 'shares of objective 901 add up to 1.1, not 1', 'shares that do not add up are refused');
SELECT throws_ok($$ DELETE FROM crm.objective_share WHERE objective_id = 901 AND partner_id = 901 $$, '23514', 'shares of objective 901 add up to 0.5, not 1', 'nor may they be taken away');
SELECT throws_ok($$ UPDATE crm.objective_share SET objective_id = 902 WHERE objective_id = 901 AND partner_id = 901 $$, '23505', NULL, 'a partner has one share');

-- Random facts: parts add up to the whole, whoever is credited, and the set says what the function says.
INSERT INTO crm.customer (customer_id, name) SELECT n, 'C' || n FROM generate_series(1001, 1050) AS n;
INSERT INTO crm.customer_territory SELECT n, ('eu.c' || n % 3 || '.r' || n % 7)::public.ltree FROM generate_series(1001, 1040) AS n;
SELECT setseed(0.42);
INSERT INTO crm.partner_responsibility (partner_id, customer_id, territory, product, duty, valid)
SELECT DISTINCT ON (c, t, p) 901 + floor(random() * 5)::bigint, c, t, p, 'accountable: sell', tstzrange(timestamptz '2023-01-01' + random() * interval '300 days', NULL)
FROM (SELECT CASE WHEN k < 0.4 THEN 1001 + floor(random() * 50)::bigint END AS c, CASE WHEN k >= 0.4 AND k < 0.9 THEN (ARRAY['eu', 'eu.c1', 'eu.c2', 'eu.c0', 'eu.c1.r3', 'eu.c2.r5'])[1 + floor(random() * 6)]::public.ltree END AS t,
             (ARRAY[NULL, 'tools', 'tools.saws', 'food'])[1 + floor(random() * 4)]::public.ltree AS p
      FROM (SELECT random() AS k FROM generate_series(1, 120)) AS a) AS b;
INSERT INTO crm.purchase (purchase_id, customer_id, purchased_at, amount, product)
SELECT 5000 + n, 1001 + floor(random() * 50)::bigint, timestamptz '2023-01-01' + random() * interval '400 days', round((random() * 100)::numeric, 2), (ARRAY[NULL, 'tools', 'tools.saws.small', 'food.x', 'other'])[1 + floor(random() * 5)]
FROM generate_series(1, 1500) AS n;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, partner_id)
SELECT 1001 + floor(random() * 50)::bigint, 'phone', 'outbound', 'reached', timestamptz '2023-01-01' + random() * interval '400 days', nullif(900 + floor(random() * 6)::bigint, 900)
FROM generate_series(1, 1500);
SELECT is((SELECT count(*) FROM crm.purchase AS p LEFT JOIN crm.partner_credit('[2023-01-01,2025-01-01)') AS c USING (purchase_id)
           WHERE p.purchased_at >= '2023-01-01' AND p.purchased_at < '2025-01-01'
             AND c.partner_id IS DISTINCT FROM coalesce(p.partner_id, crm.responsible_partner(p.customer_id, 'sell', p.purchased_at, p.product::public.ltree))), 0::bigint, 'credit by responsibility is what crm.responsible_partner() says of each');
SELECT cmp_ok((SELECT count(*) FROM crm.partner_credit('[2023-01-01,2025-01-01)')), '>', 500::bigint, 'of many');
SELECT is((SELECT count(*) FROM crm.partner_contacts('[2023-01-01,2025-01-01)') AS c JOIN crm.interaction AS i USING (interaction_id)
           WHERE c.partner_id IS DISTINCT FROM coalesce(i.partner_id, crm.responsible_partner(i.customer_id, 'sell', i.occurred_at, NULL, i.channel))), 0::bigint, 'so are contacts');
SELECT is((SELECT count(*) FROM (SELECT p.amount, sum(c.share) AS share, sum(c.amount) AS credited, min(c.share) AS least
                                 FROM crm.partner_credit('[2023-01-01,2025-01-01)', m) AS c JOIN crm.purchase AS p USING (purchase_id) GROUP BY p.purchase_id) AS s
           WHERE s.share <> 1 OR s.credited <> s.amount OR s.least < 0), 0::bigint, m || ': the parts add up to the whole')
FROM unnest('{responsibility,linear,time_decay,equal}'::text[]) AS m;
SELECT cmp_ok((SELECT count(*) FROM (SELECT FROM crm.partner_credit('[2023-01-01,2025-01-01)', 'time_decay') GROUP BY purchase_id HAVING count(*) > 2) AS s), '>', 100::bigint, 'many with several partners');

-- Products that are long paths, and such as are none.
INSERT INTO crm.purchase (customer_id, purchased_at, amount, product, partner_id)
SELECT 1001, timestamptz '2022-03-01', 1, v, 901 FROM (VALUES ('saws, small'), ('tools.' || repeat('x', 255)), ('tools.' || repeat('x', 256)), ('tools' || repeat('.x', 40000))) AS v (v);
SELECT is((SELECT count(*) FROM crm.partner_credit('[2022-01-01,2023-01-01)')), 4::bigint, 'a product that is no path, or too long for one, is credited too');

SELECT * FROM finish();
ROLLBACK;
