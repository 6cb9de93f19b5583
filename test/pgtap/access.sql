-- access: who sees what. Two partners, their customers, and staff; nothing of the one's customers reaches the other.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

CREATE ROLE crm_test_a LOGIN;
CREATE ROLE crm_test_b LOGIN;
CREATE ROLE crm_test_nobody;
CREATE ROLE crm_test_reader;
CREATE ROLE crm_test_agent;
CREATE ROLE crm_test_manager;
CREATE ROLE crm_test_admin;
CREATE ROLE crm_test_member IN ROLE crm_test_a;
GRANT USAGE ON SCHEMA tap TO PUBLIC;

-- Known words stand in everything that belongs to B, so that they can be looked for in all that A gets.
INSERT INTO crm.customer (customer_id, name, source, source_key) VALUES (8001, 'Alpha', 'erp', 'key-a'), (8002, 'Bravo-secret', 'erp', 'key-b-secret'), (8003, 'Common', NULL, NULL), (8004, 'Nobodys-secret', NULL, NULL);
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address) VALUES
    (8011, 8001, 'email', 'a@example.org'), (8012, 8002, 'email', 'b.secret@example.org'), (8013, 8003, 'email', 'c@example.org');
INSERT INTO crm.customer_territory (customer_id, territory) VALUES (8001, 'de.west'), (8002, 'de.east'), (8003, 'de.north');
INSERT INTO crm.partner (partner_id, name, position) VALUES (8101, 'A', 'retailer'), (8102, 'B', 'retailer');
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, territory, duty, valid) VALUES
    (8201, 8101, 'de.west', 'accountable: sell', '[2020-01-01,)'), (8202, 8102, 'de.east', 'accountable: sell', '[2020-01-01,)'),
    (8203, 8101, 'de.north', 'accountable: sell', '[2020-01-01,)'), (8204, 8102, 'de.north', 'consulted: sell', '[2020-01-01,)');
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence) VALUES (8001, 'email', 'marketing', 'granted', 'x'), (8002, 'email', 'marketing', 'granted', 'form secret'),
    (8003, 'email', 'marketing', 'granted', 'x');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, subject, partner_id, source, external_id) VALUES
    (8001, 'email', 'outbound', 'sent', 'to a', 8101, NULL, NULL), (8002, 'email', 'outbound', 'sent', 'secret to b', 8102, 'mail', 'ext-b-secret'),
    (8003, 'email', 'outbound', 'sent', 'secret of b', 8102, NULL, NULL), (8003, 'email', 'inbound', 'replied', 'of nobody', NULL, NULL, NULL);
INSERT INTO crm.purchase (customer_id, amount, product, partner_id) VALUES (8001, 1, 'pen', 8101), (8002, 2, 'secret', 8102), (8003, 3, 'secret', 8102);
INSERT INTO crm.message (message_id, customer_id, channel, purpose, body, partner_id, idempotency_key) VALUES
    (8301, 8001, 'email', 'marketing', 'to a', 8101, NULL), (8302, 8002, 'email', 'marketing', 'secret', 8102, 'key secret'), (8303, 8003, 'email', 'marketing', 'secret', 8102, NULL);
INSERT INTO crm.deal_registration (deal_registration_id, partner_id, customer_id, protected, registered_at) VALUES (8402, 8102, 8003, tstzrange(now(), now() + interval '10 days'), now());

SELECT throws_ok($$ SELECT crm.grant_access('crm_test_a', 'king') $$, '22023', '"king" is no kind of access', 'a kind must be one');
SELECT throws_ok($$ SELECT crm.grant_access('crm_test_absent', 'reader') $$, '42704', NULL, 'a role must exist');
SELECT throws_ok($$ SELECT crm.grant_access('crm_test_a', 'partner') $$, '22023', 'for which partner does "crm_test_a" act?', 'a partner''s login names its partner');
SELECT lives_ok($$ SELECT crm.grant_access('crm_test_a', 'partner', 8101), crm.grant_access('crm_test_b', 'partner', 8102), crm.grant_access('crm_test_reader', 'reader'),
    crm.grant_access('crm_test_agent', 'agent'), crm.grant_access('crm_test_manager', 'manager'), crm.grant_access('crm_test_admin', 'admin') $$, 'access is given');
SELECT lives_ok($$ SELECT crm.grant_access('crm_test_a', 'partner') $$, 'and again changes nothing');
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO crm_test_nobody;

-- What a role sees of a table: as it may.
CREATE FUNCTION pg_temp.seen(who name, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE query INTO result;
    RESET ROLE;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RESET ROLE;
    RETURN sqlstate || ' ' || sqlerrm;
END $$;

SELECT is(pg_temp.seen('crm_test_a', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8001,8003', 'A sees its customers');
SELECT is(pg_temp.seen('crm_test_b', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8002,8003', 'B its own');
SELECT is(pg_temp.seen('crm_test_member', 'SELECT count(*) FROM crm.customer'), '2', 'a member sees what its role does');
SELECT is(pg_temp.seen('crm_test_nobody', 'SELECT count(*) FROM crm.customer'), '0', 'who belongs to no partner sees nothing, though he may read');
SELECT is(pg_temp.seen(r, 'SELECT count(*) FROM crm.customer WHERE customer_id > 8000'), '4', 'staff see all: ' || r) FROM unnest('{crm_test_reader,crm_test_agent,crm_test_manager,crm_test_admin}'::text[]) AS r;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT string_agg(subject, '','' ORDER BY interaction_id) FROM crm.interaction'), 'to a,of nobody', 'of a common customer not the other''s contacts');
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer_channel'), '2', 'but what is known of reaching him');
SELECT matches(pg_temp.seen('crm_test_a', 'SELECT birth_date FROM crm.customer'), '^42501', 'not every column');
SELECT is(pg_temp.seen('crm_test_reader', 'SELECT count(*) FROM crm.best_channel WHERE customer_id > 8000'), '3', 'readers read views');

-- The matrix: every table and view, every column, for every role that must not see.
CREATE FUNCTION pg_temp.leaks(who name) RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record;
    found bigint;
BEGIN
    FOR r IN SELECT c.oid::regclass::text AS relation,
                    (SELECT string_agg(format('%I', a.attname), ', ') FROM pg_attribute AS a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(who, c.oid, a.attnum, 'SELECT')) AS columns,
                    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'customer_id' AND has_column_privilege(who, c.oid, a.attnum, 'SELECT')) AS customers
             FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') LOOP
        CONTINUE WHEN r.columns IS NULL;
        BEGIN
            EXECUTE format('SET LOCAL ROLE %I', who);
            EXECUTE format('SELECT count(*) FROM (SELECT %s FROM %s) AS x WHERE x::text ~* ''secret|8002''', r.columns, r.relation) INTO found;
            RESET ROLE;
            IF found > 0 THEN RETURN NEXT r.relation || ' shows ' || found; END IF;
            IF r.customers THEN
                EXECUTE format('SET LOCAL ROLE %I', who);
                EXECUTE format('SELECT count(*) FROM %s WHERE customer_id IN (8002, 8004)', r.relation) INTO found;
                RESET ROLE;
                IF found > 0 THEN RETURN NEXT r.relation || ' has ' || found; END IF;
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN RESET ROLE;
        END;
    END LOOP;
END $$;
SELECT is_empty($$ SELECT pg_temp.leaks('crm_test_a') $$, 'no table or view shows A anything of B''s customers');
SELECT is_empty($$ SELECT * FROM pg_temp.leaks('crm_test_nobody') AS l WHERE l !~ '^crm\.access_(table|right) ' $$, 'nor a role of no partner, whatever it may read');
SELECT isnt_empty($$ SELECT pg_temp.leaks('crm_test_b') $$, 'while B finds its own: the search can find');

-- Every function that A may call, with keys of what is B's (each kind of key) and with ones of nothing: the same answer,
-- the same error, detail and hint. A function that comes later is called too.
CREATE FUNCTION pg_temp.told(who name, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer text := '';
    message text;
    detail text;
    hint text;
    r record;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    IF query ~ '^(SELECT|EXPLAIN)' THEN
        FOR r IN EXECUTE query LOOP answer := answer || r::text; END LOOP;
    ELSE
        EXECUTE query INTO answer;
    END IF;
    -- Nothing that it writes stays.
    RAISE EXCEPTION '%', coalesce(answer, '') USING ERRCODE = 'CRM00';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RESET ROLE;
    RETURN regexp_replace(concat_ws(' | ', sqlstate, message, nullif(detail, ''), nullif(hint, '')), '\m(8002|8004|8012|8202|8302|8402|999999)\M', '#', 'g');
END $$;
CREATE TEMP TABLE called AS
SELECT p.oid::regprocedure AS function, k.key, pg_temp.told('crm_test_a', format('SELECT x.* FROM crm.%I(%s) AS x', p.proname, (
    SELECT string_agg(coalesce(quote_ident(nullif(p.proargnames[a.n], '')) || ' => ', '') || CASE
               WHEN a.type IN ('bigint'::regtype, 'bigint[]'::regtype) AND p.proargnames[a.n] ~ 'partner' THEN quote_literal(CASE WHEN p.proargnames[a.n] ~ '^to_' THEN 8102 ELSE 8101 END)
               WHEN a.type = 'bigint'::regtype THEN k.key::text
               WHEN a.type = 'bigint[]'::regtype THEN format('''{%s}''', k.key)
               WHEN a.type = 'timestamptz'::regtype THEN 'now()' WHEN a.type = 'boolean'::regtype THEN 'true' WHEN a.type = 'integer'::regtype THEN '1'
               WHEN a.type = 'interval'::regtype THEN '''1 day''' WHEN a.type = 'crm.channel'::regtype THEN '''email''' WHEN a.type = 'crm.channel[]'::regtype THEN '''{email}'''
               WHEN a.type = 'text'::regtype THEN CASE p.proargnames[a.n] WHEN 'duty' THEN '''sell''' WHEN 'purpose' THEN '''marketing''' WHEN 'country' THEN '''DE''' ELSE '''x''' END
               ELSE 'NULL' END, ', ' ORDER BY a.n)
    FROM (SELECT t.type, t.n::integer FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (type, n)) AS a WHERE a.n <= p.pronargs - p.pronargdefaults))) AS answer
FROM pg_proc AS p CROSS JOIN unnest('{8002,8004,8012,8202,8302,8402,999999}'::bigint[]) AS k (key)
WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind = 'f' AND p.provolatile <> 'i' AND p.prorettype <> 'trigger'::regtype
  AND p.proargtypes::oid[] && ARRAY['bigint', 'bigint[]']::regtype[]::oid[] AND 'internal'::regtype <> ALL (p.proargtypes::oid[]) AND has_function_privilege('crm_test_a', p.oid, 'EXECUTE');
SELECT is_empty($$ SELECT c.function, c.key, c.answer, n.answer FROM called AS c JOIN called AS n ON n.function = c.function AND n.key = 999999 WHERE c.answer <> n.answer $$,
    'no function tells A more of what is B''s than of what does not exist');
SELECT cmp_ok((SELECT count(DISTINCT function) FROM called), '>=', 15::bigint, 'and there are functions to call');
SELECT is_empty($$ SELECT * FROM called WHERE answer ~ '^(42883|42601|42P01|XX)' $$, 'every call was one');

-- Every object has its rights decided, for every kind.
SELECT is_empty($$ SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND c.relname NOT IN (SELECT object FROM crm.access_right) $$, 'crm.access_right decides for every table and view');
SELECT is_empty($$ SELECT DISTINCT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind IN ('f', 'p') AND p.prorettype <> 'trigger'::regtype
    AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)
    AND p.proname || '()' NOT IN (SELECT object FROM crm.access_right) $$, 'and for every function that PUBLIC may not execute');
SELECT is_empty($$ SELECT r.object FROM crm.access_right AS r WHERE r.object NOT IN (SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace)
    AND r.object NOT IN (SELECT proname || '()' FROM pg_proc WHERE pronamespace = 'crm'::regnamespace) $$, 'and for nothing else');
SELECT is_empty($$ SELECT r, k, c.relname, p FROM (VALUES ('crm_test_a', 'partner'), ('crm_test_reader', 'reader'), ('crm_test_agent', 'agent'), ('crm_test_manager', 'manager'), ('crm_test_admin', 'admin')) AS v (r, k)
    CROSS JOIN pg_class AS c CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v')
      AND CASE WHEN p = 'DELETE' THEN has_table_privilege(r, c.oid, p) ELSE has_any_column_privilege(r, c.oid, p) END
       <> (EXISTS (SELECT FROM crm.access_rights(k) AS a WHERE NOT a.is_function AND a.object = c.relname AND a.privilege = p)
           OR EXISTS (SELECT FROM aclexplode(c.relacl) AS x WHERE x.grantee = 0 AND x.privilege_type = p)) $$, 'what is granted is what stands there');

-- Every table with customers is covered.
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname ~ 'customer_id$' AND NOT a.attisdropped AND NOT c.relrowsecurity $$, 'row security is on wherever there is a customer');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname ~ 'customer_id$' AND NOT a.attisdropped
      AND c.relname NOT IN (SELECT "table" FROM crm.access_table) $$, 'and it stands in the list');
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.prosecdef
    AND (has_function_privilege('crm_test_a', p.oid, 'EXECUTE') OR has_function_privilege('crm_test_nobody', p.oid, 'EXECUTE'))
    AND p.proname NOT IN ('offer_handover', 'answer_handover', 'register_deal', 'release_deal', 'customer_taken_until') $$, 'a partner may call no function that runs as the owner, but for those that look at who calls');
SELECT is_empty($$ SELECT DISTINCT s.relname FROM pg_class AS s WHERE s.relnamespace = 'crm'::regnamespace AND CASE s.relkind WHEN 'S' THEN has_sequence_privilege('crm_test_a', s.oid, 'SELECT, USAGE') END $$, 'nor read how many rows there are from a sequence');

-- Writing
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (8001, 'email', 'inbound', 'replied') RETURNING partner_id $$), '8101', 'A writes what it did, in its name');
SELECT is((SELECT interactions FROM crm.customer_channel WHERE customer_id = 8001 AND channel = 'email'), 2::bigint, 'and the loop goes on');
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome)
    SELECT c, 'email', 'inbound', 'replied' FROM unnest('{8001,8003,8001,8003,8002,8001}'::bigint[]) AS c $$), '42501 new row violates row-level security policy for table "interaction"',
    'of many at once, one that it must not know is refused');
SELECT is(pg_temp.seen('crm_test_a', $$ WITH w AS (INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id)
    SELECT c, 'email', 'inbound', 'replied', 'many', n FROM unnest('{8001,8003,8001,8003,8001}'::bigint[]) WITH ORDINALITY AS u (c, n) RETURNING partner_id, source)
    SELECT count(*) || ' ' || min(source) FROM w WHERE partner_id = 8101 $$), '5 partner 8101: many', 'those that it may know bear its name and its keys');
SELECT is_empty($$ SELECT FROM crm.interaction AS i JOIN crm.customer AS c USING (customer_id) WHERE i.audience_id <> c.audience_id $$, 'and have the audience of their customer');
DELETE FROM crm.interaction WHERE source = 'partner 8101: many';
SELECT is_empty($$ WITH n AS (INSERT INTO crm.customer (customer_id, name) VALUES (8098, 'New') RETURNING customer_id, audience_id),
    i AS (INSERT INTO crm.interaction (customer_id, channel, direction, outcome) SELECT n.customer_id, 'email', 'outbound', 'sent' FROM n RETURNING audience_id)
    SELECT FROM i, n WHERE i.audience_id <> n.audience_id OR i.audience_id = 0 $$, 'a fact of a customer who comes with it has his');
DELETE FROM crm.interaction WHERE customer_id = 8098;
DELETE FROM crm.customer WHERE customer_id = 8098;
SELECT is((SELECT sum(differing) FROM crm.verify()), 0::numeric, 'everything derived is right');
CREATE TEMP TABLE answer AS SELECT t.name, pg_temp.told('crm_test_a', format(t.query, 8002)) AS hidden, replace(pg_temp.told('crm_test_a', format(t.query, 999999)), '1000399', '#') AS absent FROM (VALUES
    ('interaction', 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (%s, ''email'', ''inbound'', ''replied'')'),
    ('purchase', 'INSERT INTO crm.purchase (customer_id, amount) VALUES (%s, 1)'),
    ('message', 'INSERT INTO crm.message (customer_id, channel, purpose) VALUES (%s, ''email'', ''marketing'')'),
    ('contact point of an interaction', 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, contact_point_id) VALUES (8001, ''email'', ''inbound'', ''replied'', %s + 10)'),
    ('contact point of a message', 'INSERT INTO crm.message (customer_id, channel, purpose, contact_point_id) VALUES (8001, ''email'', ''contract'', %s + 10)'),
    ('deal', 'SELECT crm.register_deal(8101, %s)'),
    ('release', 'SELECT crm.release_deal(%s + 400)'),
    ('directory', 'SELECT count(*) FROM crm.customer_directory WHERE customer_id = %s'),
    ('select', 'SELECT count(*) FROM crm.customer WHERE customer_id = %s'),
    ('update', 'UPDATE crm.interaction SET subject = ''x'' WHERE customer_id = %s RETURNING 1'),
    ('explain', 'EXPLAIN (COSTS off) SELECT 1 FROM crm.customer WHERE customer_id = 1 AND %1$s = %1$s')) AS t (name, query);
SELECT is_empty('SELECT * FROM answer WHERE hidden IS DISTINCT FROM absent', 'another''s customer answers like one that is not there');
SELECT matches((SELECT hidden FROM answer WHERE name = 'message'), '^42501 . new row violates row-level security policy', 'with an error of rights');
SELECT matches(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.message (customer_id, channel, purpose, partner_id) VALUES (8003, 'email', 'contract', 8102) $$), '^42501', 'nothing in another''s name');
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.message (customer_id, channel, purpose) VALUES (8003, 'email', 'contract') RETURNING 'written' $$), 'written', 'a message to its own customer');
-- Unique keys tell nothing: what a partner writes is a key of its own.
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id) VALUES (8001, 'email', 'inbound', 'replied', 'mail', 'ext-b-secret') ON CONFLICT DO NOTHING RETURNING source $$),
          'partner 8101: mail', 'an interaction with the key of another''s');
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome, source, external_id) VALUES (8001, 'email', 'inbound', 'replied', 'partner 8101: mail', 'ext-b-secret') ON CONFLICT (source, external_id) DO NOTHING RETURNING source $$),
          NULL, 'its own key it meets again');
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.message (customer_id, channel, purpose, idempotency_key) VALUES (8001, 'email', 'contract', 'key secret') RETURNING idempotency_key $$), 'partner 8101: key secret', 'nor a message''s');
SELECT is(pg_temp.seen('crm_test_a', $$ SELECT string_agg(customer_id || coalesce(' taken', ''), ',' ORDER BY customer_id) FROM crm.customer_directory WHERE taken_until > now() $$), '8003 taken', 'the directory says who is taken');
SELECT is(pg_temp.seen('crm_test_b', $$ SELECT count(taken_until) FROM crm.customer_directory $$), '0', 'not by a deal of one''s own');
SELECT is(pg_temp.seen('crm_test_agent', $$ SELECT count(taken_until) FROM crm.customer_directory WHERE customer_id > 8000 $$), '1', 'staff see it of all');
SELECT is(pg_temp.seen('crm_test_a', 'SELECT array_agg(n.interaction_id) = (SELECT array_agg(i.interaction_id ORDER BY i.occurred_at DESC, i.interaction_id DESC) FROM crm.interaction AS i) FROM crm.newest_interactions() AS n'), 'true', 'the newest interactions are those that it sees');
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM pg_stats WHERE schemaname = ''crm'' AND tablename = ''customer'''), '0', 'statistics show no values');
UPDATE crm.channel_policy SET cap = 1, cap_window = '7 days' WHERE channel = 'email';
SELECT is(pg_temp.seen('crm_test_a', $$ INSERT INTO crm.message (customer_id, channel, purpose) VALUES (8003, 'email', 'marketing') $$),
          '23514 customer 8003 must not be contacted over email for purpose "marketing": the cap is reached', 'the cap binds all partners together, without saying who used it up');
SELECT is(pg_temp.seen('crm_test_a', $$ SELECT string_agg(x, ',') FROM (SELECT name AS x FROM crm.customer WHERE 1 / (CASE WHEN name ~ 'secret' THEN 0 ELSE 1 END) = 1 ORDER BY 1) AS y $$), 'Alpha,Common', 'an error in a condition tells nothing');

-- Its queries are small, which the planner cannot know
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
CREATE FUNCTION pg_temp.workers(who name, query text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    line text;
    found boolean := false;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP found := found OR line ~ 'Gather'; END LOOP;
    RESET ROLE;
    RETURN found;
END $$;
SELECT ok(NOT pg_temp.workers('crm_test_a', q) AND pg_temp.workers('crm_test_reader', q), 'no workers for a partner, but for staff: ' || q) FROM unnest(ARRAY[
    'SELECT count(*) FROM crm.customer', 'SELECT count(*) FROM crm.interaction', 'SELECT count(*) FROM crm.consent',
    'SELECT count(*) FROM crm.partner_responsibility', 'SELECT count(*) FROM crm.interaction JOIN crm.customer USING (customer_id)']) AS q;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;

-- Rights of its own
SELECT matches(pg_temp.seen('crm_test_a', q), '^42501', 'refused: ' || q) FROM unnest(ARRAY[
    'UPDATE crm.partner_login SET partner_id = 8102', 'INSERT INTO crm.access_role VALUES (''crm_test_a'', ''admin'')', 'SELECT crm.grant_access(''crm_test_a'', ''admin'')',
    'UPDATE crm.partner_responsibility SET partner_id = 8101', 'INSERT INTO crm.audience_partner VALUES (8101, 1, ''{[,)}'')', 'UPDATE crm.customer SET audience_id = 1',
    'INSERT INTO crm.consent (customer_id, channel, purpose, status) VALUES (8001, ''email'', ''marketing'', ''granted'')', 'SELECT count(*) FROM crm.secret',
    'SELECT crm.contact_options(''{8002}'')', 'SELECT crm.answer_handover(1, 8102, true, NULL)', 'SELECT crm.register_deal(8102, 8001)', 'SELECT crm.offer_handover(8202, 8102, 8101)',
    'TRUNCATE crm.interaction']) AS q;
SELECT matches(pg_temp.seen('crm_test_a', 'SELECT crm.register_deal(8101, 8003)'), '^23P01 customer 8003 is taken until [-0-9: .+]+$', 'a conflict is masked: taken until, not by whom');

-- What a login may call it can lend, by a function that runs as itself; the rights of the one who acts count even so.
CREATE SCHEMA crm_test_lent;
CREATE FUNCTION crm_test_lent.ask(query text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query INTO result;
    RETURN result;
END $$;
ALTER FUNCTION crm_test_lent.ask(text) OWNER TO crm_test_a;
GRANT USAGE ON SCHEMA crm_test_lent TO PUBLIC;
CREATE FUNCTION pg_temp.lent(who name, query text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.seen(who, format('SELECT crm_test_lent.ask(%L)', query)) $$;
SELECT is(pg_temp.lent('crm_test_a', 'SELECT count(*) FROM crm.customer'), '2', 'lent to itself, it works');
SELECT is(pg_temp.lent('crm_test_nobody', 'SELECT count(*) FROM crm.customer'), '0', 'lent to who has no access, it shows nobody');
SELECT is(pg_temp.lent('crm_test_b', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8002,8003', 'to another partner, the other''s');
SELECT is(pg_temp.lent(w, 'SELECT crm.customer_taken_until(8003)'), NULL, 'nor that one is taken: ' || w) FROM unnest('{crm_test_nobody,crm_test_b}'::text[]) AS w;
SELECT isnt(pg_temp.lent('crm_test_a', 'SELECT crm.customer_taken_until(8003)'), NULL, 'which A may know');
SELECT matches(pg_temp.lent(w, q), '^42501 role "' || w || '" (does not act for partner 810.|has no registered deal 8402)$', w || ': ' || q)
FROM unnest('{crm_test_nobody,crm_test_b}'::text[]) AS w, unnest(ARRAY['SELECT crm.register_deal(8101, 8001)', 'SELECT crm.offer_handover(8201, 8101, 8102)',
    'SELECT crm.accept_handover(1, 8101)', 'SELECT crm.decline_handover(1, 8101, ''no'')', 'SELECT crm.answer_handover(1, 8101, true, NULL)', 'SELECT crm.release_deal(8402)']) AS q
WHERE NOT (w = 'crm_test_b' AND q ~ 'release');
SELECT matches(pg_temp.lent('crm_test_nobody', $$ INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (8001, 'email', 'outbound', 'sent') RETURNING 1 $$),
    '^42501 new row violates row-level security policy', 'nor is a fact written');
SELECT matches(pg_temp.seen('crm_test_agent', 'SELECT crm.grant_access(''crm_test_agent'', ''admin'')'), '^42501', 'nor do staff raise themselves');
SELECT matches(pg_temp.seen('crm_test_agent', 'UPDATE crm.customer SET audience_id = NULL'), '^42501', 'or move customers by hand');
SELECT matches(pg_temp.seen('crm_test_reader', 'UPDATE crm.customer SET name = ''x'''), '^42501', 'readers read');
SELECT is(pg_temp.seen('crm_test_agent', 'UPDATE crm.customer SET name = ''Alpha 2'' WHERE customer_id = 8001 RETURNING name'), 'Alpha 2', 'agents write');
SELECT is(pg_temp.seen('crm_test_agent', $$ SELECT crm.queue_message(8001, 'email', 'contract') IS NOT NULL $$), 'true', 'and send');

-- Who answers for whom changes, at once
UPDATE crm.customer_territory SET territory = 'de.east' WHERE customer_id = 8001;
SELECT is(pg_temp.seen('crm_test_b', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8001,8002,8003', 'a customer who moves is seen by the one');
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.interaction WHERE customer_id = 8001'), '0', 'and no longer by the other, nor what was done with him');
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, customer_id, duty, valid) VALUES (8205, 8101, 8002, 'accountable: sell', tstzrange(now() - interval '1 hour', now() + interval '1 hour'));
SELECT is(pg_temp.seen('crm_test_a', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8002,8003', 'a responsibility for one customer takes him over');
SELECT is(pg_temp.seen('crm_test_b', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8001,8003', 'from who answers for the territory');
UPDATE crm.partner_responsibility SET valid = tstzrange(now() - interval '2 hours', now() - interval '1 hour') WHERE responsibility_id = 8205;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8003', 'one that has ended by the clock shows nothing');
UPDATE crm.partner_responsibility SET duty = 'accountable: sell via phone', valid = '[2020-01-01,)' WHERE responsibility_id = 8205;
SELECT is(pg_temp.seen('crm_test_b', 'SELECT count(*) FROM crm.customer WHERE customer_id = 8002'), '1', 'who keeps other channels keeps seeing');
DELETE FROM crm.partner_responsibility WHERE responsibility_id IN (8205, 8203);
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer'), '0', 'without responsibilities nothing is seen');
UPDATE crm.partner_responsibility SET partner_id = 8101 WHERE responsibility_id = 8202;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT string_agg(customer_id::text, '','' ORDER BY customer_id) FROM crm.customer'), '8001,8002', 'a partner that is replaced');
-- Many at once, and one who comes without a territory, after audiences were computed while nobody was.
INSERT INTO crm.customer (customer_id, name) SELECT i, 'many' FROM generate_series(8501, 8520) AS i;
INSERT INTO crm.customer_territory SELECT i, 'de.east' FROM generate_series(8501, 8519) AS i;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer WHERE customer_id > 8500'), '19', 'many customers come into a territory');
INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty) SELECT 8102, i, 'informed: sell' FROM generate_series(8501, 8520) AS i;
SELECT is(pg_temp.seen('crm_test_b', 'SELECT count(*) FROM crm.customer WHERE customer_id > 8500'), '20', 'many responsibilities begin');
DELETE FROM crm.partner_responsibility WHERE customer_id BETWEEN 8511 AND 8520;
SELECT is(pg_temp.seen('crm_test_b', 'SELECT count(*) FROM crm.customer WHERE customer_id > 8500'), '10', 'and end');
UPDATE crm.customer_territory SET territory = 'de.south' WHERE customer_id BETWEEN 8501 AND 8505;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer WHERE customer_id > 8500'), '14', 'many move');
DELETE FROM crm.customer_territory WHERE customer_id BETWEEN 8506 AND 8510;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer WHERE customer_id > 8500'), '9', 'or leave');
DELETE FROM crm.customer WHERE customer_id > 8500 OR customer_id = 8004;
SELECT ok(crm.rebuild_audiences() > 0, 'audiences are computed while every customer has a territory');
INSERT INTO crm.partner_responsibility (responsibility_id, partner_id, duty, valid) VALUES (8206, 8101, 'informed: service', '[2020-01-01,)');
INSERT INTO crm.customer (customer_id, name) VALUES (8005, 'Late');
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer WHERE customer_id = 8005'), '1', 'who answers everywhere sees a new customer without one');
DELETE FROM crm.partner_responsibility WHERE responsibility_id = 8206;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer WHERE customer_id = 8005'), '0', 'as long as it does');
UPDATE crm.partner SET contract = tstzrange(now() - interval '2 days', now() - interval '1 day') WHERE partner_id = 8101;
SELECT is(pg_temp.seen('crm_test_a', 'SELECT count(*) FROM crm.customer'), '0', 'and one whose contract has ended');
UPDATE crm.partner SET contract = tstzrange(now() - interval '2 days', NULL) WHERE partner_id = 8101;
UPDATE crm.audience_rule SET sees = false WHERE role = 'consulted';
SELECT is(pg_temp.seen('crm_test_b', 'SELECT count(*) FROM crm.customer WHERE customer_id = 8003'), '0', 'by rule the consulted do not see');
-- What was kept step by step is what comes out anew.
CREATE TEMP TABLE kept AS SELECT c.customer_id, p.partner_id, p.valid FROM crm.customer AS c JOIN crm.audience_partner AS p USING (audience_id);
SELECT ok(crm.rebuild_audiences() > 0, 'audiences are computed anew');
SELECT is_empty('(TABLE kept EXCEPT SELECT c.customer_id, p.partner_id, p.valid FROM crm.customer AS c JOIN crm.audience_partner AS p USING (audience_id))
    UNION ALL (SELECT c.customer_id, p.partner_id, p.valid FROM crm.customer AS c JOIN crm.audience_partner AS p USING (audience_id) EXCEPT TABLE kept)', 'and are the same');
SELECT is_empty('SELECT FROM crm.interaction AS i JOIN crm.customer AS c USING (customer_id) WHERE i.audience_id IS DISTINCT FROM c.audience_id', 'facts follow their customers');
-- All at once, without a row that a trigger could see.
CREATE FUNCTION pg_temp.without(query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query;
    SELECT string_agg(pg_temp.seen(r, 'SELECT count(*) FROM crm.customer'), ',') INTO result FROM unnest('{crm_test_a,crm_test_b}'::text[]) AS r;
    RAISE EXCEPTION '%', result USING ERRCODE = 'CRM00';
EXCEPTION WHEN SQLSTATE 'CRM00' THEN
    RETURN sqlerrm;
END $$;
SELECT is(pg_temp.without(q), '0,0', 'nobody sees anybody after ' || q) FROM unnest('{"TRUNCATE crm.partner_responsibility CASCADE",TRUNCATE crm.customer_territory,TRUNCATE crm.audience_rule}'::text[]) AS q;
-- Publications
SELECT throws_ok($$ SELECT crm.create_partner_publication(1, 'crm_test') $$, 'P0002', NULL, 'for a partner that there is');
SELECT is(crm.create_partner_publication(8101, 'crm_test'), 1, 'a publication for A: de.east');
SELECT is(crm.create_partner_publication(8101, 'crm_test'), 1, 'and again');
SELECT throws_ok($$ SELECT crm.create_partner_publication(8102, 'crm_test') $$, '42710', NULL, 'not under another''s name');
SELECT is((SELECT string_agg(DISTINCT rowfilter, ';') FROM pg_publication_tables WHERE pubname = 'crm_test'),
          (SELECT format('(audience_id = ANY (''{%s}''::integer[]))', audience_id) FROM crm.customer WHERE customer_id = 8002), 'of its audiences');
SELECT is_empty($$ SELECT tablename, a FROM pg_publication_tables, unnest(attnames) AS a WHERE pubname = 'crm_test' AND a IN ('subject', 'body', 'amount', 'agent', 'partner_id', 'attributes', 'birth_date') $$, 'without what is the others''');
SELECT lives_ok($$ UPDATE crm.customer SET name = name || '.' WHERE customer_id = 8002 $$, 'and what is published can be changed');
-- What a partner no longer sees leaves its publication by upkeep; what it sees since waits until its database begins anew.
SELECT is(crm.run_upkeep('narrow_publications'), '0 audiences taken out of publications', 'a publication that is right stays as it is');
CREATE FUNCTION pg_temp.after(change text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
BEGIN
    EXECUTE change;
    result := crm.run_upkeep('narrow_publications');
    result := result || '; ' || (SELECT string_agg(DISTINCT t.rowfilter, ';') FROM pg_publication_tables AS t WHERE t.pubname = 'crm_test');
    RAISE EXCEPTION '%', result USING ERRCODE = 'CRM00';
EXCEPTION WHEN SQLSTATE 'CRM00' THEN
    RETURN sqlerrm;
END $$;
SELECT is(pg_temp.after(q), '1 audiences taken out of publications; (audience_id = ANY (''{}''::integer[]))', 'nothing is published after ' || q) FROM unnest(ARRAY[
    'DELETE FROM crm.partner_responsibility WHERE partner_id = 8101', 'UPDATE crm.partner SET contract = ''[2020-01-01,2021-01-01)'' WHERE partner_id = 8101']) AS q;
SELECT matches(pg_temp.after($$ INSERT INTO crm.customer (customer_id, name) VALUES (8099, 'New'); INSERT INTO crm.customer_territory VALUES (8099, 'us.ny'); INSERT INTO crm.partner_responsibility (partner_id, territory, duty) VALUES (8101, 'us.ny', 'informed: sell') $$),
    '^0 audiences taken out of publications; to be made anew: crm_test;', 'and what is missing is said');
INSERT INTO crm.joint_controller VALUES ('access', 8101, 'privacy@a.example', 'A answers requests for access');
SELECT throws_ok($$ INSERT INTO crm.joint_controller VALUES ('access', 8102, 'privacy@b.example', 'B does') $$, '23P01', NULL, 'one partner answers a right');

SELECT lives_ok($$ SELECT crm.revoke_access('crm_test_b') $$, 'access is taken back');
SELECT matches(pg_temp.seen('crm_test_b', 'SELECT count(*) FROM crm.customer'), '^42501', 'and is gone');

SELECT * FROM finish();
ROLLBACK;
