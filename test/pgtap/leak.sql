-- access: what a partner could try to learn another's customers by. From the catalogue: conditions that speak, statistics,
-- EXPLAIN, COPY, cursors and plans over a change of role, and every table written by every kind of role.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

CREATE ROLE crm_leak_a LOGIN;
CREATE ROLE crm_leak_b LOGIN;
CREATE ROLE crm_leak_nobody LOGIN;
CREATE ROLE crm_leak_reader LOGIN;
CREATE ROLE crm_leak_agent LOGIN;
CREATE ROLE crm_leak_manager LOGIN;
GRANT USAGE ON SCHEMA tap TO PUBLIC;
CREATE SCHEMA crm_leak_own AUTHORIZATION crm_leak_a;
INSERT INTO crm.customer (customer_id, name) SELECT n, CASE WHEN n <= 9010 THEN 'Alpha' ELSE 'zanzibar' END FROM generate_series(9001, 9040) AS n;
INSERT INTO crm.customer_territory SELECT n, CASE WHEN n <= 9010 THEN 'a' ELSE 'b' END::public.ltree FROM generate_series(9001, 9040) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT n, 'email', CASE WHEN n <= 9010 THEN 'a' ELSE 'zanzibar' END || n || '@example.org' FROM generate_series(9001, 9040) AS n;
INSERT INTO crm.partner (partner_id, name, position) VALUES (9101, 'A', 'retailer'), (9102, 'B zanzibar', 'retailer');
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES (9101, 'a', 'accountable: sell', '[2020-01-01,)'), (9102, 'b', 'accountable: sell', '[2020-01-01,)');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, subject) SELECT n, 'email', 'inbound', 'replied', CASE WHEN n <= 9010 THEN 'a' ELSE 'zanzibar' END FROM generate_series(9001, 9040) AS n;
INSERT INTO crm.purchase (customer_id, amount, product) SELECT n, 1, CASE WHEN n <= 9010 THEN 'a' ELSE 'zanzibar' END FROM generate_series(9001, 9040) AS n;
INSERT INTO crm.deal_registration (partner_id, customer_id) VALUES (9102, 9011);
SELECT crm.grant_access('crm_leak_a', 'partner', 9101), crm.grant_access('crm_leak_b', 'partner', 9102), crm.grant_access('crm_leak_reader', 'reader'),
    crm.grant_access('crm_leak_agent', 'agent'), crm.grant_access('crm_leak_manager', 'manager') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA crm TO crm_leak_nobody;
ANALYZE crm.customer, crm.contact_point, crm.interaction, crm.purchase, crm.partner, crm.deal_registration, crm.customer_territory;

CREATE FUNCTION pg_temp.done(who name, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
    n bigint;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    IF query ~ 'SELECT (count|currval|last_value|pg_temp)' AND query !~ '^(MERGE|INSERT|CREATE)' THEN
        EXECUTE query INTO result;
    ELSE
        EXECUTE query;
        GET DIAGNOSTICS n = ROW_COUNT;
    END IF;
    RESET ROLE;
    RAISE EXCEPTION '%', coalesce(result, n || ' rows') USING ERRCODE = 'CRM00';
EXCEPTION WHEN OTHERS THEN
    RESET ROLE;
    RETURN CASE sqlstate WHEN 'CRM00' THEN sqlerrm ELSE sqlstate || ' ' || sqlerrm END;
END $$;

-- A cheap function that remembers what it is shown, in the condition on each table and view that A reads.
CREATE TEMP TABLE heard (relation text, said text);
GRANT INSERT ON heard TO PUBLIC;
CREATE FUNCTION pg_temp.listen(relation text, said text) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 0.0000001 AS $$
BEGIN
    INSERT INTO heard VALUES (relation, said);
    RETURN true;
END $$;
DO $$
DECLARE
    r record;
    n bigint;
BEGIN
    FOR r IN SELECT c.oid::regclass::text AS relation, string_agg(format('%I', a.attname), ', ') AS columns
             FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_leak_a', c.oid, a.attnum, 'SELECT')
             WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') GROUP BY c.oid LOOP
        SET LOCAL ROLE crm_leak_a;
        EXECUTE format('SELECT count(*) FROM %s WHERE pg_temp.listen(%L, ROW(%s)::text)', r.relation, r.relation, r.columns) INTO n;
        RESET ROLE;
    END LOOP;
END $$;
SELECT is_empty($$ SELECT DISTINCT relation FROM heard WHERE said ~ 'zanzibar|90[1-3][1-9]|9102' $$, 'a function in a condition is shown nothing of B''s');
SELECT cmp_ok((SELECT count(DISTINCT relation) FROM heard), '>', 5::bigint, 'and is shown what is A''s');
SELECT is(pg_temp.done('crm_leak_a', 'SELECT count(*) FROM crm.contact_point WHERE length(address) > 0 AND CASE WHEN address ~ ''zanzibar'' THEN address::int END IS NULL'), '10', 'nor does a cast that would fail');
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.pronamespace = 'crm'::regnamespace AND p.proleakproof
    AND (l.lanname <> 'c' OR p.provolatile <> 'i' OR p.proname !~ '(_eq|_ne|_lt|_le|_gt|_ge|_cmp|_hash|_hash_extended)$' AND p.proname !~ '^(is_accountable|responsibility_(conflicts|covered|covers))$') $$, 'leakproof are comparisons in C alone');

-- Every function that A may call and that may read: with all keys there are, it says nothing of B's. (9011 is what it is asked.)
CREATE FUNCTION pg_temp.said(who name, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text;
    message text;
    detail text;
    hint text;
    context text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE query INTO result;
    RESET ROLE;
    RAISE EXCEPTION '%', coalesce(result, '') USING ERRCODE = 'CRM00';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RESET ROLE;
    RETURN CASE sqlstate WHEN 'CRM00' THEN message ELSE concat_ws(' | ', sqlstate, message, nullif(detail, ''), nullif(hint, '')) END;
END $$;
CREATE TEMP TABLE said AS
SELECT p.oid::regprocedure AS function, w.who, pg_temp.said(w.who, format('SELECT string_agg(x::text, '';'') FROM crm.%I(%s) AS x', p.proname, (
    SELECT string_agg(coalesce(quote_ident(nullif(p.proargnames[a.n], '')) || ' => ', '') || CASE
               WHEN a.type = 'bigint[]'::regtype THEN 'ARRAY(SELECT generate_series(9001::bigint, 9040))' WHEN a.type = 'bigint'::regtype THEN '9011' WHEN a.type = 'integer'::regtype THEN '1000'
               WHEN a.type = 'timestamptz'::regtype THEN 'now()' WHEN a.type = 'boolean'::regtype THEN 'true' WHEN a.type = 'interval'::regtype THEN '''10 years'''
               WHEN a.type = 'tstzrange'::regtype THEN '''(,)''' WHEN a.type = 'date'::regtype THEN 'current_date' WHEN a.type = 'public.ltree'::regtype THEN '''b'''
               WHEN a.type = 'crm.channel'::regtype THEN '''email''' WHEN a.type = 'crm.channel[]'::regtype THEN '''{email}''' WHEN a.type = 'interval[]'::regtype THEN '''{364 days}'''
               WHEN a.type = 'name'::regtype THEN '''crm_leak_b''' WHEN a.type = 'crm.customer_kind'::regtype THEN '''person''' WHEN a.type = 'regclass'::regtype THEN '''crm.customer'''
               WHEN a.type = 'text'::regtype THEN CASE WHEN p.proargnames[a.n] = 'duty' THEN '''sell''' WHEN p.proargnames[a.n] = 'purpose' THEN '''marketing''' WHEN p.proargnames[a.n] = 'credit' THEN '''linear'''
                                                       WHEN p.proargnames[a.n] ~ 'country' THEN '''DE''' WHEN p.proargnames[a.n] = 'kind' THEN CASE p.proname WHEN 'fit_kind' THEN '''nbd''' ELSE '''partner''' END ELSE '''probe''' END
               ELSE 'NULL' END, ', ' ORDER BY a.n)
    FROM (SELECT t.type, t.n::integer FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (type, n)) AS a WHERE a.n <= p.pronargs - p.pronargdefaults))) AS answer
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang CROSS JOIN (VALUES ('crm_leak_a'::name), ('crm_leak_nobody'), ('crm_leak_reader')) AS w (who)
WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND p.provolatile <> 'i' AND (l.lanname <> 'c' OR p.provolatile = 'v')
  AND 'internal'::regtype <> ALL (p.proargtypes::oid[]) AND has_function_privilege(w.who, p.oid, 'EXECUTE');
SELECT is_empty($$ SELECT function, who, answer FROM said WHERE who <> 'crm_leak_reader' AND replace(answer, '9011', '') ~ 'zanzibar|\m90(1[1-9]|[23][0-9]|40)\M|\m9102\M' $$, 'no function tells A or nobody of B''s');
SELECT cmp_ok((SELECT count(DISTINCT function) FROM said WHERE who = 'crm_leak_reader' AND answer ~ 'zanzibar|\m90(1[1-9]|[23][0-9]|40)\M|\m9102\M'), '>', 5::bigint, 'while they tell staff: the search can find');
SELECT is_empty($$ SELECT function, who, answer FROM said WHERE answer ~ '^(42883|42601|42P01|42703|XX)' $$, 'every call was one');

-- What a constraint tells: unique keys that A can write to are its own, and a foreign key to B's is like one to nothing.
SELECT set_eq($$ SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'crm'::regnamespace AND (i.indisunique OR i.indisexclusion)
      AND NOT EXISTS (SELECT FROM unnest(i.indkey::smallint[]) AS k (n) WHERE k.n = 0 OR NOT has_column_privilege('crm_leak_a', c.oid, k.n, 'INSERT')) $$,
    ARRAY['crm.interaction_source_external_id_key', 'crm.purchase_source_external_id_key', 'crm.message_idempotency_key_key'], 'the unique keys that a partner can write are those that begin with its number');
CREATE TEMP TABLE referred AS
SELECT c.conrelid::regclass AS relation, a.attname AS column, c.confrelid::regclass AS referenced,
       pg_temp.said('crm_leak_a', format('INSERT INTO %s (%s) VALUES (%s)', c.conrelid::regclass, v.columns, replace(replace(v.values_, '*' || a.attname || '*', k.key), '*', ''))) AS answer, k.is_b
FROM pg_constraint AS c
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
CROSS JOIN LATERAL (SELECT CASE c.conrelid::regclass::text WHEN 'crm.interaction' THEN 'customer_id, channel, direction, outcome' WHEN 'crm.purchase' THEN 'customer_id, amount' ELSE 'customer_id, channel, purpose' END
                           || CASE a.attname WHEN 'customer_id' THEN '' ELSE format(', %I', a.attname) END AS columns,
                    CASE a.attname WHEN 'customer_id' THEN '*customer_id*' ELSE '9001' END
                           || CASE c.conrelid::regclass::text WHEN 'crm.interaction' THEN ', ''email'', ''inbound'', ''replied''' WHEN 'crm.purchase' THEN ', 1' ELSE ', ''email'', ''contract''' END
                           || CASE a.attname WHEN 'customer_id' THEN '' ELSE format(', *%s*', a.attname) END AS values_) AS v
CROSS JOIN LATERAL (VALUES (CASE c.confrelid::regclass::text WHEN 'crm.contact_point' THEN (SELECT min(contact_point_id)::text FROM crm.contact_point WHERE customer_id = 9011) WHEN 'crm.partner' THEN '9102' ELSE '9011' END, true),
                           ('999999', false)) AS k (key, is_b)
WHERE c.contype = 'f' AND c.connamespace = 'crm'::regnamespace AND has_column_privilege('crm_leak_a', c.conrelid, c.conkey[1], 'INSERT');
SELECT is_empty($$ SELECT b.relation, b.column, b.answer, n.answer FROM referred AS b JOIN referred AS n USING (relation, "column") WHERE b.is_b AND NOT n.is_b
    AND regexp_replace(b.answer, '\m\d{4,}\M', '#', 'g') <> regexp_replace(n.answer, '\m\d{4,}\M', '#', 'g') $$, 'a foreign key to what is B''s fails as one to nothing');
SELECT is_empty('SELECT * FROM referred WHERE answer !~ ''^42501''', 'with an error of rights');
SELECT cmp_ok((SELECT count(*) FROM referred WHERE is_b), '>=', 7::bigint, 'and there were keys to try');

-- Statistics, plans, copies
SELECT is(pg_temp.done('crm_leak_a', format('SELECT count(*) FROM %s AS s WHERE s::text ~* ''zanzibar''', v)), '0', v || ' shows nothing') FROM unnest('{pg_stats,pg_stats_ext,pg_stats_ext_exprs,pg_locks,pg_prepared_xacts,pg_cursors}'::text[]) AS v;
SELECT matches(pg_temp.done('crm_leak_a', format('SELECT count(*) FROM %s', v)), '^42501', v || ' is not read') FROM unnest('{pg_statistic,pg_statistic_ext_data}'::text[]) AS v;
SELECT is(pg_temp.done('crm_leak_a', 'SELECT count(*) FROM crm.customer'), '10', 'rows are counted as A sees them');
SET LOCAL row_security = off;
SELECT matches(pg_temp.done('crm_leak_a', 'SELECT count(*) FROM crm.customer'), '^42501', 'row security is not switched off');
SET LOCAL row_security = on;
SELECT matches(pg_temp.done('crm_leak_a', q), '^42501', 'refused: ' || q) FROM unnest(ARRAY['SET LOCAL session_replication_role = replica',
    'CREATE TABLE crm.mine ()', 'CREATE FUNCTION crm.mine() RETURNS int LANGUAGE sql AS ''SELECT 1''', 'ALTER TABLE crm.customer DISABLE ROW LEVEL SECURITY', 'DROP POLICY partner ON crm.customer',
    'CREATE TABLE crm_leak_own.t (c bigint REFERENCES crm.customer)', 'CREATE STATISTICS crm_leak_own.s ON name, country FROM crm.customer', 'COPY crm.interaction FROM PROGRAM ''true''',
    'SELECT currval(''crm.customer_customer_id_seq'')', 'SELECT last_value FROM crm.customer_customer_id_seq',
    'INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (9001, ''email'', ''inbound'', ''replied'') ON CONFLICT (interaction_id) DO UPDATE SET subject = excluded.subject',
    'INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome) VALUES (1, 9001, ''email'', ''inbound'', ''replied'')',
    'MERGE INTO crm.interaction AS i USING (SELECT 9011 AS c) AS s ON i.customer_id = s.c WHEN MATCHED THEN DELETE']) AS q;
SELECT is(pg_temp.done('crm_leak_a', 'MERGE INTO crm.interaction AS i USING (SELECT 9011 AS c) AS s ON i.customer_id = s.c WHEN NOT MATCHED THEN INSERT (customer_id, channel, direction, outcome) VALUES (9011, ''email'', ''inbound'', ''replied'')'),
    pg_temp.done('crm_leak_a', 'MERGE INTO crm.interaction AS i USING (SELECT 999999 AS c) AS s ON i.customer_id = s.c WHEN NOT MATCHED THEN INSERT (customer_id, channel, direction, outcome) VALUES (999999, ''email'', ''inbound'', ''replied'')'),
    'MERGE meets B''s rows as it meets none');

-- One session, several roles: a plan is made anew, a function of one's own sees what its caller does.
PREPARE seen AS SELECT count(*), min(customer_id) FROM crm.customer;
CREATE FUNCTION pg_temp.as_caller() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM crm.customer); END $$;
CREATE TEMP TABLE turn (n integer GENERATED ALWAYS AS IDENTITY, seen bigint);
GRANT ALL ON turn TO PUBLIC;
SET LOCAL ROLE crm_leak_a;
EXECUTE seen \gset a_
INSERT INTO turn (seen) SELECT pg_temp.as_caller();
SET LOCAL ROLE crm_leak_b;
EXECUTE seen \gset b_
INSERT INTO turn (seen) SELECT pg_temp.as_caller();
SET LOCAL ROLE crm_leak_nobody;
EXECUTE seen \gset n_
INSERT INTO turn (seen) SELECT pg_temp.as_caller();
SET LOCAL ROLE crm_leak_a;
EXECUTE seen \gset again_
INSERT INTO turn (seen) SELECT pg_temp.as_caller();
RESET ROLE;
SELECT is(ARRAY[:a_count, :b_count, :n_count, :again_count], ARRAY[10, 30, 0, 10], 'a prepared statement shows each role its own');
SELECT is((SELECT array_agg(seen ORDER BY n) FROM turn), ARRAY[10, 30, 0, 10]::bigint[], 'and so does a function''s kept plan');
CREATE FUNCTION pg_temp.as_owner() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN (SELECT count(*) FROM crm.customer WHERE customer_id > 9010) + coalesce(crm.customer_taken_until(9011) IS NOT NULL, false)::int; END $$;
ALTER FUNCTION pg_temp.as_owner() OWNER TO crm_leak_a;
SELECT is(pg_temp.done('crm_leak_a', 'SELECT pg_temp.as_owner()'), '0', 'a function that runs as A shows A no more');
SELECT is(pg_temp.done('crm_leak_nobody', 'SELECT pg_temp.as_owner()'), '0', 'nor him who belongs to nobody');

-- Every table, every way to write it, every kind of role: what is not granted is refused, and a bare GRANT writes no row of a customer.
CREATE TEMP TABLE tried AS
SELECT r.who, r.kind, c.relname AS relation, p.privilege, pg_temp.done(r.who, CASE p.privilege
           WHEN 'INSERT' THEN format('INSERT INTO crm.%I DEFAULT VALUES', c.relname) WHEN 'DELETE' THEN format('DELETE FROM crm.%I', c.relname)
           WHEN 'TRUNCATE' THEN format('TRUNCATE crm.%I CASCADE', c.relname)
           ELSE format('UPDATE crm.%I SET %I = DEFAULT', c.relname, (SELECT attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1)) END) AS answer,
       CASE WHEN p.privilege IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(r.who, c.oid, p.privilege) ELSE has_any_column_privilege(r.who, c.oid, p.privilege) END AS granted, c.relrowsecurity AS secured
FROM (VALUES ('crm_leak_nobody'::name, 'none'), ('crm_leak_a', 'partner'), ('crm_leak_reader', 'reader'), ('crm_leak_agent', 'agent'), ('crm_leak_manager', 'manager')) AS r (who, kind)
CROSS JOIN pg_class AS c CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS p (privilege)
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND (r.kind <> 'none' OR p.privilege IN ('UPDATE', 'DELETE') AND c.relrowsecurity);
SELECT is_empty($$ SELECT * FROM tried WHERE kind <> 'none' AND NOT granted AND answer !~ '^42501' $$, 'what is not granted is refused');
SELECT is_empty($$ SELECT * FROM tried WHERE kind = 'none' AND answer !~ '^(0 rows|42501|428C9|23514 the ledger)' $$, 'who belongs to no partner changes no row, though he may write');
SELECT is_empty($$ SELECT * FROM tried WHERE kind = 'partner' AND granted AND (relation NOT IN ('interaction', 'purchase', 'message') OR privilege <> 'INSERT') $$, 'a partner adds contacts, purchases and messages, and changes nothing');
SELECT is_empty($$ SELECT * FROM tried WHERE kind IN ('partner', 'reader', 'agent', 'manager') AND granted
    AND relation IN ('access_role', 'access_right', 'access_table', 'partner_login', 'audience', 'audience_partner', 'audience_rule', 'installation') $$, 'nobody but admins writes rights');
SELECT is_empty($$ SELECT * FROM tried WHERE relation = 'consent' AND granted AND kind <> 'none' AND privilege <> 'INSERT' $$, 'the ledger is only added to');
SELECT is_empty($$ SELECT * FROM tried WHERE kind <> 'none' AND granted AND privilege = 'TRUNCATE' $$, 'and nobody truncates');
SELECT cmp_ok((SELECT count(*) FROM tried), '>', 500::bigint, 'there were tables to try');

SELECT * FROM finish();
ROLLBACK;
