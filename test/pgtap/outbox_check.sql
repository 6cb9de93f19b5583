-- outbox, the question whether a customer may be contacted: what C reads by itself, held against the queries that say what it means.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;
SELECT setseed(0.42) \g /dev/null

-- Customers, contact points and ledgers of every kind, in disorder; what waits, what was sent, and contacts that no message stands for.
SET LOCAL session_replication_role = replica;
INSERT INTO crm.customer (customer_id, name, kind, country, time_zone, attributes)
SELECT i, 'C' || i, (enum_range(NULL::crm.customer_kind))[1 + i % 3], (ARRAY['DE', 'AT', 'JP', 'XX', NULL])[1 + i % 5],
       CASE WHEN i % 7 = 0 THEN (ARRAY['Asia/Tokyo', 'America/New_York', 'UTC'])[1 + i % 3] END,
       CASE WHEN i % 4 = 0 THEN jsonb_build_object('region', (ARRAY['SN', 'BY', 'BE'])[1 + i % 3]) ELSE '{}' END
FROM generate_series(1, 100) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address, resolved, is_primary, blocked_at, block_reason)
SELECT 100 * i + 10 * c.place + k, i, c.channel,
       CASE c.channel WHEN 'email' THEN format('c%s.%s@example.com', i, k) WHEN 'phone' THEN '+4930' || 1000000 + 10 * i + k ELSE format('X %s %s', i, k) END,
       CASE WHEN c.channel = 'email' AND k = 2 THEN format('C%s.%s@example.com', i, k) END, k = p.first, CASE WHEN random() < 0.1 THEN now() END, NULL
FROM generate_series(1, 100) AS i, unnest('{phone,email,letter}'::crm.channel[]) WITH ORDINALITY AS c (channel, place),
     LATERAL (SELECT (random() * 3)::integer + 0 * i AS n, (random() * 4)::integer AS first) AS p, generate_series(1, p.n) AS k;
INSERT INTO crm.consent (customer_id, channel, purpose, contact_point_id, status, basis, evidence, expires_at, recorded_at, is_current)
SELECT e.customer_id, e.channel, CASE WHEN e.status = 'granted' THEN coalesce(e.purpose, 'marketing') ELSE e.purpose END, e.contact_point_id, e.status,
       CASE WHEN e.status <> 'granted' OR e.basis = 'existing_customer' AND e.channel IS DISTINCT FROM 'email' THEN 'consent' ELSE e.basis END, 'made up',
       CASE WHEN e.status = 'granted' AND random() < 0.2 THEN now() + (random() - 0.5) * interval '20 days' END, date_trunc('day', now() - random() * interval '9 days'), random() < 0.9
FROM (SELECT p.customer_id, CASE WHEN r.r1 < 0.85 THEN p.channel END AS channel, (ARRAY['marketing', 'marketing', 'survey', 'contract', 'odd', NULL])[1 + (r.r2 * 5.99)::integer % 6] AS purpose,
             CASE WHEN r.r1 < 0.5 THEN p.contact_point_id END AS contact_point_id,
             (ARRAY['granted', 'granted', 'granted', 'withdrawn', 'objected'])[1 + (r.r3 * 4.99)::integer % 5] AS status,
             (ARRAY['consent', 'double_opt_in', 'existing_customer', 'legitimate_interest', 'presumed_consent'])[1 + (r.r4 * 4.99)::integer % 5] AS basis
      FROM crm.contact_point AS p, LATERAL (SELECT random() AS r1, random() AS r2, random() AS r3, random() AS r4, p.contact_point_id) AS r, generate_series(1, 2)
      WHERE random() < 0.7) AS e;
INSERT INTO crm.message (message_id, customer_id, channel, purpose, status, not_before, leased_until, begun_at)
SELECT g, 1 + (random() * 99)::integer, (ARRAY['phone', 'email', 'letter'])[1 + g % 3]::crm.channel, (ARRAY['marketing', 'contract', 'odd'])[1 + (random() * 2.99)::integer % 3],
       s.status, now() + (random() - 0.5) * interval '20 days', CASE WHEN s.status IN ('leased', 'sending') THEN now() END,
       CASE WHEN s.status IN ('sending', 'sent', 'unknown') THEN now() - random() * interval '20 days' END
FROM generate_series(1, 300) AS g, LATERAL (SELECT (ARRAY['ready', 'leased', 'sending', 'sent', 'unknown', 'cancelled'])[1 + (random() * 5.99)::integer % 6] AS status, g AS of) AS s;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, message_id)
SELECT 1 + (random() * 99)::integer, (ARRAY['phone', 'email', 'letter'])[1 + g % 3]::crm.channel, CASE WHEN g % 4 = 0 THEN 'inbound' ELSE 'outbound' END::crm.direction, 'sent',
       now() - random() * interval '20 days', CASE WHEN g % 3 = 0 THEN g END
FROM generate_series(1, 300) AS g;
-- And just at the edges of the windows.
INSERT INTO crm.message (message_id, customer_id, channel, purpose, status, not_before, begun_at)
SELECT 1000 + g, g, 'phone'::crm.channel, 'marketing', 'sent', now(), now() - CASE WHEN g % 2 = 0 THEN interval '3 days' ELSE interval '0' END FROM generate_series(1, 60) AS g
UNION ALL SELECT 2000 + 100 * k + g, g, 'letter'::crm.channel, 'marketing', 'ready', now() + interval '1 month', NULL FROM generate_series(1, 60) AS g, generate_series(0, 2) AS k;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT 1 + g % 60, 'email', 'outbound', 'sent', now() - CASE WHEN g % 2 = 0 THEN interval '10 days' ELSE interval '0' END FROM generate_series(1, 120) AS g;
UPDATE crm.consent SET expires_at = now() WHERE status = 'granted' AND consent_id % 11 = 0;
SET LOCAL session_replication_role = origin;
ANALYZE crm.customer, crm.contact_point, crm.consent, crm.message, crm.interaction;

-- Of every customer, with and without a contact point, over each channel and for each purpose, at several times: 5,400 questions.
CREATE TEMP TABLE question AS
SELECT c.customer_id, h.channel, p.point AS contact_point_id, u.purpose, t.at, CASE WHEN c.customer_id % 2 = 0 THEN c.customer_id END AS message_id
FROM generate_series(1, 100) AS c (customer_id), unnest('{phone,email,letter}'::crm.channel[]) WITH ORDINALITY AS h (channel, place),
     unnest('{marketing,contract,odd}'::text[]) AS u (purpose),
     LATERAL (VALUES (NULL::bigint), (100 * customer_id + 10 * h.place + 1)) AS p (point),
     LATERAL (VALUES (now()), (date_trunc('day', now()) + interval '23 hours'), (now() + interval '5 days')) AS t (at);
GRANT SELECT ON question TO PUBLIC;
CREATE FUNCTION pg_temp.ask(which text, waiting boolean) RETURNS TABLE (ordinal bigint, customer_id bigint, channel crm.channel, contact_point_id bigint, consent_id bigint,
    refusal text, detail text, next_at timestamptz, address text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT k.* FROM (SELECT array_agg(q.customer_id), array_agg(q.channel), array_agg(q.contact_point_id), array_agg(q.purpose), array_agg(q.at),
        array_agg(q.message_id) FROM (SELECT * FROM question ORDER BY customer_id, channel, purpose, at, contact_point_id) AS q) AS a (c, h, p, u, t, m), crm.%I(c, h, p, u, t, m, $1) AS k', which)
    USING waiting;
END $$;
CREATE FUNCTION pg_temp.differ(waiting boolean) RETURNS SETOF text LANGUAGE sql AS $$
    (SELECT 'only C: ' || k::text FROM pg_temp.ask('contact_check', waiting) AS k EXCEPT ALL SELECT 'only C: ' || k::text FROM pg_temp.ask('contact_answers', waiting) AS k)
    UNION ALL
    (SELECT 'only SQL: ' || k::text FROM pg_temp.ask('contact_answers', waiting) AS k EXCEPT ALL SELECT 'only SQL: ' || k::text FROM pg_temp.ask('contact_check', waiting) AS k)
$$;
PREPARE differ AS SELECT * FROM pg_temp.differ(true) UNION ALL SELECT * FROM pg_temp.differ(false) LIMIT 5;

-- The rules as they are shipped, then others.
SELECT ok((SELECT count(*) > 700 FROM pg_temp.ask('contact_check', true) WHERE refusal IS NULL) AND (SELECT count(*) > 700 FROM pg_temp.ask('contact_check', true) WHERE refusal IS NOT NULL),
          'many questions have a yes for an answer, and many a no');
SELECT ok((SELECT count(*) > 100 FROM pg_temp.ask('contact_check', true) WHERE consent_id IS NOT NULL AND refusal IS NULL), 'many by an entry of the ledger');
SELECT is_empty('differ', 'the answers are those of the query');
UPDATE crm.channel_policy SET cap = 1, cap_window = '3 days', quiet_from = '20:00', quiet_until = '08:00' WHERE channel = 'phone';
UPDATE crm.channel_policy SET cap = 2, cap_window = '10 days', quiet_from = '10:00', quiet_until = '12:00' WHERE channel = 'email';
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL, quiet_from = NULL, quiet_until = NULL WHERE channel = 'letter';
INSERT INTO crm.contact_cap (channel, cap, cap_window) VALUES (NULL, 4, '14 days'), ('letter', 3, '1 month');
SELECT ok((SELECT count(DISTINCT refusal) = 5 FROM pg_temp.ask('contact_check', true)), 'with caps and quiet hours everything is a reason for a no');
SELECT is_empty('differ', 'the answers are those of the query, with caps and quiet hours too');
SELECT crm.suppress(p.channel, p.address, 'asked') FROM crm.contact_point AS p WHERE p.contact_point_id % 7 = 0 \g /dev/null
INSERT INTO crm.purpose (purpose, is_advertising, is_capped, keeps_quiet) VALUES ('odd', true, false, false);
DELETE FROM crm.contact_rule WHERE country = 'AT';
INSERT INTO crm.contact_rule (country, channel, purpose, basis) VALUES ('JP', 'letter', 'odd', 'legitimate_interest'), (NULL, 'phone', 'marketing', 'double_opt_in');
UPDATE crm.country SET time_zone = 'Pacific/Auckland' WHERE country = 'ZZ';
INSERT INTO crm.holiday (country, day, name) VALUES ('JP', current_date, 'today');
INSERT INTO crm.quiet_rule (country, channel, weekdays, on_holidays) VALUES ('JP', NULL, NULL, true), (NULL, 'letter', '{1,3}', false);
SELECT is_empty('differ', 'with suppressed addresses, other purposes, rules, zones and holidays');
DELETE FROM crm.contact_need;
UPDATE crm.channel_policy SET cap = 0, cap_window = '1 day' WHERE channel = 'letter';
SELECT is_empty('differ', 'with nothing said of the basis that is needed, and a cap of none');
DELETE FROM crm.channel_policy WHERE channel = 'email';
DELETE FROM crm.country;
SELECT is_empty('differ', 'with neither policy nor zone');

SELECT results_eq($$ SELECT customer_id, channel FROM crm.contact_options(ARRAY(SELECT customer_id FROM crm.customer ORDER BY customer_id DESC), 'contract') $$,
    $$ SELECT DISTINCT customer_id, channel FROM crm.contact_point ORDER BY 1, 2 $$, 'the options of customers come in their order, and in that of the channels');

-- What is asked of it in other ways.
CREATE FUNCTION pg_temp.both(VARIADIC args text[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE answers text[];
BEGIN
    EXECUTE format('SELECT ARRAY[(SELECT string_agg(k::text, E''\n'' ORDER BY k.ordinal) FROM crm.contact_check(%1$s) AS k), (SELECT string_agg(k::text, E''\n'' ORDER BY k.ordinal) FROM crm.contact_answers(%1$s) AS k)]',
                   array_to_string(args, ', ')) INTO answers;
    RETURN answers[1] IS NOT DISTINCT FROM answers[2];
END $$;
SELECT ok(pg_temp.both('''{1,2,NULL,3,99999}''', '''{phone,email,email,NULL,phone}''', '''{NULL,NULL,NULL,NULL,NULL}''', '''{marketing,NULL,contract,odd,odd}''', 'ARRAY[now(), now(), now(), now(), now()]',
                       '''{1,2,3,4,5}''', 'true'), 'nulls and customers that are not there');
SELECT ok(pg_temp.both('''{1,2,3}''', '''{phone,letter}''', '''{}''', '''{contract,contract,contract}''', 'ARRAY[now()]', 'NULL', 'false'), 'arrays that are not as long as each other');
SELECT ok(pg_temp.both('NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'false') AND pg_temp.both('''{1}''', '''{letter}''', 'NULL', '''{contract}''', 'ARRAY[now()]', 'NULL', 'NULL'), 'nulls for arrays');
SELECT ok(pg_temp.both('''{1,2}''', '''{letter,letter}''', 'NULL', '''{contract,marketing}''', 'ARRAY[timestamptz ''294270-01-01'', ''4000-01-01 BC'']', 'NULL', 'false'), 'times far away');

-- The two that it asks.
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL WHERE channel = 'letter';
PREPARE caps AS SELECT q.customer_id, q.channel, q.at, w FROM question AS q, (VALUES (true), (false)) AS w (w)
    WHERE q.purpose = 'odd' AND q.contact_point_id IS NULL
      AND crm.cap_reached(q.customer_id, q.channel, q.at, q.message_id, w) IS DISTINCT FROM crm.used_up_cap(q.customer_id, q.channel, q.at, q.message_id, w);
SELECT ok((SELECT count(*) > 70 FROM question AS q WHERE q.purpose = 'odd' AND crm.cap_reached(q.customer_id, q.channel, q.at, q.message_id, true) IS NOT NULL), 'many caps are used up');
SELECT is_empty('caps', 'a cap is used up where the query says so');
UPDATE crm.channel_policy SET quiet_from = '22:30', quiet_until = '06:15' WHERE channel = 'phone';
UPDATE crm.channel_policy SET cap = 0, cap_window = '1 day', quiet_from = '23:00', quiet_until = '23:00' WHERE channel = 'letter';
PREPARE hours AS SELECT z.zone, c.country, r.region, h.channel, t.at, crm.quiet_until(h.channel, c.country, r.region, z.zone, t.at), crm.quiet_time_until(h.channel, c.country, r.region, z.zone, t.at)
    FROM unnest('{Europe/Berlin,Asia/Kathmandu,America/St_Johns,Australia/Lord_Howe}'::text[]) AS z (zone), unnest('{DE,JP,NULL}'::text[]) AS c (country),
         unnest('{SN,NULL}'::text[]) AS r (region), unnest('{phone,email,letter,sms}'::crm.channel[]) AS h (channel),
         (SELECT timestamptz '2026-01-01 00:00+00' + random() * interval '2 years' FROM generate_series(1, 40)
          UNION ALL SELECT timestamptz '2026-03-28 20:00+00' + n * interval '30 minutes' FROM generate_series(1, 30) AS n
          UNION ALL SELECT timestamptz '2026-10-24 20:00+00' + n * interval '30 minutes' FROM generate_series(1, 30) AS n
          UNION ALL VALUES (timestamptz '1300-02-28 23:00+00'), ('1999-12-31 23:59:59.999999+00'), ('infinity'), ('-infinity'), ('294200-01-01'), ('4000-01-01 BC')) AS t (at)
    WHERE (c.country IS DISTINCT FROM 'DE' OR t.at BETWEEN '1600-01-01' AND '9000-01-01')    -- Easter is of the Gregorian calendar
      AND crm.quiet_until(h.channel, c.country, r.region, z.zone, t.at) IS DISTINCT FROM crm.quiet_time_until(h.channel, c.country, r.region, z.zone, t.at);
SELECT is_empty('hours', 'a quiet time ends where the query says so');
SELECT is(crm.quiet_until(NULL, 'DE', NULL, 'UTC', now()), NULL, 'no channel has no quiet time');
SELECT throws_ok($$ SELECT crm.quiet_until('phone', 'DE', NULL, 'Nowhere/Atall', '2026-01-01') $$, '22023', NULL, 'a time zone must be one');

-- Within one query the rules are read once, between queries anew.
SELECT is((SELECT count(*) FROM crm.contact_check('{1}', '{letter}', NULL, '{odd}', ARRAY[now()], NULL, false) WHERE refusal = 'message_cap'), 0::bigint, 'a purpose that is not capped has no cap');
CREATE FUNCTION pg_temp.twice() RETURNS text LANGUAGE plpgsql AS $$
DECLARE first text; second text; third text;
BEGIN
    first := (crm.cap_reached(1, 'letter', now(), NULL, false)).cap;
    UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL WHERE channel = 'letter';
    DELETE FROM crm.contact_cap;
    second := (crm.cap_reached(1, 'letter', now(), NULL, false)).cap;
    BEGIN
        INSERT INTO crm.contact_cap (channel, cap, cap_window) VALUES (NULL, 0, '1 day');
        third := (crm.cap_reached(1, 'letter', now(), NULL, false)).cap;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    RETURN concat_ws(' ', coalesce(first, '-'), coalesce(second, '-'), coalesce(third, '-'), coalesce((crm.cap_reached(1, 'letter', now(), NULL, false)).cap::text, '-'));
END $$;
SELECT is(pg_temp.twice(), '0 - 0 -', 'a change of the rules counts at once, and one that is undone does not');

-- Where the tables are not what they were made, or not to be read as they are.
INSERT INTO crm.contact_cap (channel, cap, cap_window) VALUES (NULL, 3, '14 days');
SAVEPOINT as_made;
DROP INDEX crm.message_customer;
CREATE INDEX ON crm.consent (customer_id) WHERE consent_id > 0;
DROP INDEX crm.consent_current;
SELECT is_empty('differ', 'without an index');
SELECT is_empty('caps', 'the caps as well');
ROLLBACK TO as_made;
CREATE TABLE pg_temp.more () INHERITS (crm.consent);
SELECT is_empty('differ', 'with a table that inherits');
ROLLBACK TO as_made;
ALTER TABLE crm.message ADD COLUMN other text;
ALTER TABLE crm.contact_point ADD COLUMN other text DEFAULT 'x';
ALTER TABLE crm.quiet_rule ADD COLUMN other text;
SELECT is_empty('differ', 'with columns of one''s own');
ROLLBACK TO as_made;
SELECT is_empty('differ', 'and as before');

CREATE ROLE crm_test_check_manager;
CREATE ROLE crm_test_check_other;
SELECT crm.grant_access('crm_test_check_manager', 'manager') \g /dev/null
SELECT crm.enable_partner_access() \g /dev/null
CREATE TEMP TABLE owners AS SELECT md5(string_agg(k::text, '|' ORDER BY k.ordinal)) AS digest FROM pg_temp.ask('contact_check', true) AS k;
GRANT SELECT ON owners TO PUBLIC;
GRANT USAGE ON SCHEMA tap TO PUBLIC;
SET LOCAL ROLE crm_test_check_manager;
SELECT is((SELECT md5(string_agg(k::text, '|' ORDER BY k.ordinal)) FROM pg_temp.ask('contact_check', true) AS k), (SELECT digest FROM owners), 'a manager gets the answers that the owner does');
RESET ROLE;
SET LOCAL ROLE crm_test_check_other;
SELECT throws_ok($$ SELECT * FROM crm.contact_check('{1}', '{letter}', NULL, '{odd}', ARRAY[now()], NULL, false) $$, '42501', NULL, 'who may not read the ledger is not told what it says');
SELECT throws_ok($$ SELECT crm.cap_reached(1, 'letter', now(), NULL, false) $$, '42501', NULL, 'nor whether a cap is used up');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
