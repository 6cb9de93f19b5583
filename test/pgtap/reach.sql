-- The best channel of each customer, held against what the gate says of each contact: two ways to the same answer.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

-- The gate is asked without caps and hours, which the view leaves out.
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL, quiet_from = NULL, quiet_until = NULL;
DELETE FROM crm.quiet_rule;
SELECT setseed(0.42) \g /dev/null

-- Customers of every kind, several contact points on a channel, and ledgers in which entries of every scope contradict each other.
INSERT INTO crm.customer (customer_id, name, kind, country, birth_date, peer_group)
SELECT i, 'C' || i, (enum_range(NULL::crm.customer_kind))[1 + i % 3], (ARRAY['DE', 'AT', 'FR', NULL])[1 + i % 4],
       CASE WHEN i % 5 > 0 THEN date '1950-01-01' + 97 * i END, (ARRAY['a', 'b', NULL])[1 + i % 3]
FROM generate_series(1, 400) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address, is_primary, blocked_at)
SELECT 100 * i + 10 * c.place + k, i, c.channel,
       CASE c.channel WHEN 'email' THEN format('c%s.%s@example.com', i, k) WHEN 'phone' THEN '+4930' || 1000000 + 10 * i + k
                      WHEN 'web' THEN format('https://example.com/%s/%s', i, k) ELSE format('X %s %s', i, k) END,
       k = p.first, CASE WHEN random() < 0.1 THEN now() END
FROM generate_series(1, 400) AS i, unnest('{phone,email,letter,visit,web}'::crm.channel[]) WITH ORDINALITY AS c (channel, place),
     LATERAL (SELECT (random() * 3)::integer + 0 * i AS n, (random() * 4)::integer AS first) AS p, generate_series(1, p.n) AS k;
INSERT INTO crm.consent (customer_id, channel, purpose, contact_point_id, status, basis, evidence, expires_at, recorded_at)
SELECT e.customer_id, e.channel, CASE WHEN e.status = 'granted' THEN coalesce(e.purpose, 'marketing') ELSE e.purpose END, e.contact_point_id, e.status,
       CASE WHEN e.status <> 'granted' THEN 'consent' WHEN e.channel = 'email' THEN e.basis WHEN e.basis = 'existing_customer' THEN 'consent' ELSE e.basis END, 'made up',
       CASE WHEN e.status = 'granted' AND random() < 0.2 THEN now() + (random() - 0.5) * interval '20 days' END, now() - random() * interval '300 days'
FROM (SELECT p.customer_id, CASE WHEN r.r1 < 0.85 THEN p.channel END AS channel, (ARRAY['marketing', 'marketing', 'survey', NULL])[1 + (r.r2 * 3.99)::integer % 4] AS purpose,
             CASE WHEN r.r1 < 0.5 THEN p.contact_point_id END AS contact_point_id,
             (ARRAY['granted', 'granted', 'granted', 'withdrawn', 'objected'])[1 + (r.r3 * 4.99)::integer % 5] AS status,
             (ARRAY['consent', 'double_opt_in', 'existing_customer', 'legitimate_interest'])[1 + (r.r4 * 3.99)::integer % 4] AS basis
      FROM crm.contact_point AS p, LATERAL (SELECT random() AS r1, random() AS r2, random() AS r3, random() AS r4, p.contact_point_id) AS r
      WHERE random() < 0.7) AS e;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT 1 + (random() * 399)::integer, c, 'outbound', (ARRAY['replied', 'unanswered', 'sent']::crm.outcome[])[1 + (random() * 2.99)::integer % 3], now() - random() * interval '700 days'
FROM generate_series(1, 500), unnest('{phone,email,letter,visit,web}'::crm.channel[]) AS c;
INSERT INTO crm.purchase (customer_id, amount, currency, purchased_at)
SELECT 1 + (random() * 399)::integer, 10, 'EUR', now() - random() * interval '300 days' FROM generate_series(1, 300);

CREATE TEMP VIEW option AS
SELECT o.customer_id, o.channel, o.contact_point_id, o.consent_id
FROM crm.contact_options(ARRAY(SELECT customer_id FROM crm.customer), 'marketing', now()) AS o WHERE o.refusal IS NULL;
CREATE TEMP VIEW expected AS
SELECT DISTINCT ON (o.customer_id) o.customer_id, o.channel::text AS channel, o.contact_point_id, o.consent_id, l.mean, v.value,
       count(*) OVER (PARTITION BY o.customer_id) AS channels,
       lead(o.channel) OVER w::text AS next_channel, lead(v.value) OVER w AS next_value
FROM option AS o
JOIN crm.channel_outlook(ARRAY(SELECT customer_id FROM crm.customer), now()) AS l USING (customer_id, channel)
CROSS JOIN LATERAL (SELECT round((60 * l.mean - l.unit_cost)::numeric, 9) AS value) AS v
WINDOW w AS (PARTITION BY o.customer_id ORDER BY v.value DESC, o.channel)
ORDER BY o.customer_id, v.value DESC, o.channel;
PREPARE best AS SELECT customer_id, channel, contact_point_id, consent_id, round(mean::numeric, 9), round(expected_value::numeric, 9), channels, next_channel, round(next_value::numeric, 9)
    FROM crm.best_channel ORDER BY customer_id;
PREPARE expected AS SELECT customer_id, channel, contact_point_id, consent_id, round(mean::numeric, 9), value, channels, next_channel, next_value FROM expected ORDER BY customer_id;

SELECT ok((SELECT count(*) BETWEEN 250 AND 399 FROM crm.best_channel), 'most customers can be contacted, not all');
SELECT ok((SELECT count(*) > 100 FROM crm.best_channel WHERE consent_id IS NOT NULL) AND (SELECT count(*) > 30 FROM crm.best_channel WHERE consent_id IS NULL), 'by consent and without');
SELECT results_eq('best', 'expected', 'the best channel is that of the gate''s options');
SELECT set_eq($$ SELECT customer_id, channel, contact_point_id, consent_id FROM crm.contact_permission WHERE purpose = 'marketing' $$, 'SELECT * FROM option',
              'permissions are the gate''s');

SELECT ok((SELECT count(*) = 0 FROM crm.channel_prior), 'no prior is fitted yet');
INSERT INTO crm.feature_level (feature, position, level) VALUES ('country', 1, 'DE'), ('peer_group', 1, 'a');
INSERT INTO crm.channel_prior (channel, as_of, is_current, method, prior_success, prior_failure, features, weights, strength, means, deviations,
                               customers, successes, failures, half_life, log_likelihood, common_log_likelihood, reason)
SELECT c, now(), true, CASE WHEN c = 'visit' THEN 'common' ELSE 'regression' END, 1 + place, 9, n.names,
       ARRAY(SELECT sin(place * 7 + g) / 3 FROM generate_series(0, cardinality(n.names)) AS g), 3 + place, array_fill(0.3::float8, ARRAY[cardinality(n.names)]),
       array_fill(1::float8, ARRAY[cardinality(n.names)]), 400, 100, 300, '364 days', -1, -2, 'made up'
FROM (SELECT crm.feature_names() AS names) AS n, unnest('{phone,email,letter,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, place);
SELECT cmp_ok((SELECT count(DISTINCT mean) FROM crm.best_channel WHERE observations = 0), '>', 50::bigint, 'by features each customer has a prior of his own');
SELECT results_eq('best', 'expected', 'with regressions, too');

SELECT crm.suppress(p.channel, p.address, 'asked') FROM crm.contact_point AS p WHERE p.contact_point_id % 7 = 0 \g /dev/null
SELECT results_eq('best', 'expected', 'with suppressed addresses, too');
SELECT set_eq($$ SELECT customer_id, channel, contact_point_id, consent_id FROM crm.contact_permission WHERE purpose = 'marketing' $$, 'SELECT * FROM option',
              'and the permissions');
SET LOCAL max_parallel_workers_per_gather = 4; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
SELECT results_eq('best', 'expected', 'in parallel, too');
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;

-- Of a large base, which the planner is made to see here, workers share the joins. (A subquery in the wrong place keeps them away.)
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; whole text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP whole := whole || line || E'\n'; END LOOP; RETURN whole; END $$;
ANALYZE crm.customer, crm.contact_point, crm.consent, crm.customer_channel, crm.purpose, crm.contact_need;
SAVEPOINT small;
UPDATE pg_class SET relpages = 1, reltuples = 1000000
WHERE oid IN ('crm.customer'::regclass, 'crm.contact_point'::regclass, 'crm.consent'::regclass, 'crm.customer_channel'::regclass);
SELECT ok(pg_temp.plan_of('SELECT * FROM crm.best_channel') ~ 'Finalize \w*Aggregate.*Gather.*Partial \w*Aggregate.*Parallel Seq Scan on contact_point',
          'the best channel is put together by workers');
SELECT ok(pg_temp.plan_of($$ SELECT * FROM crm.contact_permission WHERE purpose = 'marketing' $$) ~ 'Gather.*Parallel Seq Scan on contact_point', 'permissions are joined by them');
ROLLBACK TO SAVEPOINT small;

DELETE FROM crm.choice_policy WHERE purpose = 'marketing';
SELECT is_empty('SELECT FROM crm.best_channel', 'without a value of an answer nothing is the best');

-- The aggregate by itself ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE row_of AS
SELECT row_number() OVER () AS n, p.*, CASE WHEN p.channel <> 'web' THEN crm.channel_score_of(1, 2, '2026-01-01', '364 days') END AS score
FROM crm.contact_candidate AS p WHERE p.purpose = 'marketing' AND p.customer_id <= 20;
CREATE FUNCTION pg_temp.reach_of(customer bigint, residue integer, ordering integer) RETURNS bytea LANGUAGE sql AS $$
    SELECT crm.reach(r.channel, r.contact_point_id, r.is_primary, r.consent_id, r.is_objection, r.recorded_at, r.permits, r.score, NULL, '2026-06-01')
    FROM (SELECT * FROM row_of WHERE customer_id = customer AND (residue IS NULL OR n % 2 = residue) ORDER BY CASE ordering WHEN 0 THEN n WHEN 1 THEN -n ELSE n * 7919 % 31 END) AS r $$;
SELECT is_empty($$ SELECT c FROM generate_series(1, 20) AS c, crm.channel_terms() AS t,
                     LATERAL (SELECT crm.rank_reach(pg_temp.reach_of(c, NULL, 0), t, NULL, 60)) AS a (best),
                     LATERAL (SELECT crm.rank_reach(pg_temp.reach_of(c, NULL, 1), t, NULL, 60)) AS b (best),
                     LATERAL (SELECT crm.rank_reach(crm.reach_combine(pg_temp.reach_of(c, 1, 2), pg_temp.reach_of(c, 0, 1)), t, NULL, 60)) AS d (best)
                   WHERE a.best IS DISTINCT FROM b.best OR a.best IS DISTINCT FROM d.best $$, 'any order and split gives the same');
SELECT ok((SELECT count(*) > 10 FROM generate_series(1, 20) AS c WHERE (crm.rank_reach(pg_temp.reach_of(c, NULL, 0), crm.channel_terms(), NULL, 60)).channel IS NOT NULL),
          'which is something');
SELECT is((SELECT crm.reach('email', NULL, true, NULL, NULL, NULL, true, NULL, NULL, now())), NULL, 'without a contact point nobody is reached');
SELECT is((SELECT crm.rank_reach(pg_temp.reach_of(1, NULL, 0), '{}', NULL, 60)), NULL, 'channels without a term do not count');
SELECT is((SELECT (crm.rank_reach(crm.reach(c, 7, true, NULL, NULL, NULL, true, NULL, NULL, now()), crm.channel_terms(), NULL, 60)).channels
           FROM unnest('{letter,fax,letter}'::crm.channel[]) AS c), 2::bigint, 'a channel counts once');
CREATE FUNCTION pg_temp.fax() RETURNS bytea LANGUAGE sql AS $$ SELECT crm.reach('fax', 7, true, NULL, NULL, NULL, true, NULL, NULL, now()) $$;
SELECT throws_ok(format('SELECT crm.rank_reach(%L, crm.channel_terms(), NULL, 60)', b), '22P03', 'invalid state of crm.reach', 'no state: ' || coalesce(nullif(what, ''), 'empty'))
FROM (VALUES ('\x'::bytea, ''), ('\x00', 'a byte'), (decode(repeat('00', 76), 'hex'), 'zeros'),
             (substring(pg_temp.fax() FOR 60), 'cut off'),
             (set_byte(pg_temp.fax(), 4, 9), 'too many options'),
             (set_byte(pg_temp.fax(), 16, 255), 'unknown flags'),
             (set_byte(pg_temp.fax(), 67, 192), 'negative counts')) AS t (b, what);
SELECT throws_ok(format('SELECT crm.rank_reach(pg_temp.fax(), ARRAY[ROW(%L, 1, 1, 9, %s)::crm.channel_term], %L, 60)', 'fax', term, features),
                 state, NULL, what)
FROM (VALUES ('0, ''{1,2}'', ''{1}''', '{1}', '22023', 'a strength of nothing'), ('5, ''{1,2}'', ''{1,2}''', '{1}', '22023', 'more means than weights'),
             ('5, ''{1,2}'', ''{1}''', '{}', '2202E', 'too few features'), ('5, ''{1,NULL}'', ''{1}''', '{1}', '22023', 'an unknown weight'),
             ('5, ''{Infinity,-Infinity}'', ''{1}''', '{1}', '22003', 'a sum that is none')) AS t (term, features, state, what);
SELECT throws_ok($$ SELECT crm.rank_reach(pg_temp.fax(), ARRAY[ROW('fax', 1, -1, 9, NULL, NULL, NULL)::crm.channel_term], NULL, 60) $$,
                 '22003', 'a channel''s prior or cost is out of range', 'a prior below 0');

SELECT * FROM finish();
ROLLBACK;
