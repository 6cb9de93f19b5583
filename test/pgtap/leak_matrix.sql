-- access: the leak matrix, made from the catalogue. Every table, view, function and constraint is tried as partner A with what is
-- B's and with what does not exist: A gets no row, no value, and the same answers. An object that comes later is tried too, or
-- fails a test until the fixture knows it.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();
SET LOCAL client_min_messages = warning;
SET LOCAL jit = off;

CREATE ROLE crm_matrix_a LOGIN;
CREATE ROLE crm_matrix_kanarie LOGIN;
CREATE ROLE crm_matrix_nobody LOGIN;
CREATE ROLE crm_matrix_bare LOGIN;
CREATE ROLE crm_matrix_manager LOGIN;
GRANT USAGE ON SCHEMA tap TO PUBLIC;

-- What is B's bears a word or a number that nothing else has: "kanarie" in each text, keys from 777000001 in every table.
CREATE FUNCTION pg_temp.number_from(start bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s regclass;
BEGIN
    FOR s IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'S' LOOP
        EXECUTE format('ALTER SEQUENCE %s RESTART WITH %s', s, start);
    END LOOP;
END $$;
SELECT pg_temp.number_from(555000001) \g /dev/null
INSERT INTO crm.customer (name, source, source_key, country) VALUES ('Alpha', 'erp', 'a', 'DE'), ('Common', 'erp', 'c', 'DE');
INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (555000001, 'email', 'a@example.org'), (555000002, 'email', 'c@example.org');
INSERT INTO crm.partner (partner_id, name, position, country) VALUES (555000001, 'A', 'retailer', 'DE'), (777000001, 'B kanarie', 'retailer', 'DE'), (777000002, 'C kanarie', 'supplier', 'DE');
INSERT INTO crm.customer_territory VALUES (555000001, 'a'), (555000002, 'a.c');
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES (555000001, 'a', 'accountable: sell', '[2020-01-01,)');
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence) SELECT c, 'email', 'marketing', 'granted', 'x' FROM unnest('{555000001,555000002}'::bigint[]) AS c;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, partner_id, source, external_id) VALUES (555000001, 'email', 'outbound', 'sent', 555000001, 'partner 555000001: mail', 'a');
INSERT INTO crm.purchase (customer_id, amount, product, partner_id, source, external_id) VALUES (555000001, 1, 'a', 555000001, 'partner 555000001: shop', 'a');
INSERT INTO crm.message (customer_id, channel, purpose, partner_id, idempotency_key) VALUES (555000001, 'email', 'contract', 555000001, 'partner 555000001: a');
INSERT INTO crm.deal_registration (partner_id, customer_id, product) VALUES (555000001, 555000001, 'own');
INSERT INTO crm.partner (partner_id, name, position, country) VALUES (555000002, 'D', 'retailer', 'DE');
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES (555000002, 'd', 'accountable: sell', '[2020-01-01,)');
INSERT INTO crm.handover (responsibility_id, from_partner_id, to_partner_id, due_at) VALUES (555000002, 555000002, 555000001, now() + interval '1 day');
SELECT crm.grant_access('crm_matrix_a', 'partner', 555000001), crm.grant_access('crm_matrix_bare', 'partner', 555000001), crm.grant_access('crm_matrix_kanarie', 'partner', 777000001),
    crm.grant_access('crm_matrix_manager', 'manager') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA crm TO crm_matrix_nobody, crm_matrix_bare;
GRANT ALL ON ALL SEQUENCES IN SCHEMA crm TO crm_matrix_bare;

INSERT INTO crm.purchase (customer_id, amount, product, partner_id) VALUES (555000002, 5, 'a', 555000001);

SELECT pg_temp.number_from(777000001) \g /dev/null
INSERT INTO crm.customer (name, given_name, source, source_key, peer_group, attributes, country) SELECT 'kanarie', 'kanarie', 'kanarie', 'kanarie' || n, 'kanarie', '{}', 'DE' FROM generate_series(1, 4) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT 777000000 + n, 'email', 'kanarie' || n || '@example.org' FROM generate_series(1, 4) AS n;
INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind) VALUES (777000001, 777000002, 'kanarie'), (777000001, 555000002, 'kanarie'), (555000002, 777000001, 'kanarie');
INSERT INTO crm.customer_territory SELECT 777000000 + n, 'kanarie' FROM generate_series(1, 4) AS n;
INSERT INTO crm.segment (name, path) VALUES ('kanarie', 'kanarie');
INSERT INTO crm.segment_member (customer_id, segment_id) SELECT 777000000 + n, 777000001 FROM generate_series(1, 4) AS n;
INSERT INTO crm.partner_responsibility (partner_id, territory, product, duty, valid) VALUES (777000001, 'kanarie', NULL, 'accountable: sell', '[2020-01-01,)'), (777000002, 'kanarie', 'kanarie', 'accountable: service', '[2020-01-01,)');
INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES (777000002, 777000002, 'informed: sell', '[2020-01-01,)');
INSERT INTO crm.partner_supply VALUES (777000002, 777000001);
INSERT INTO crm.partner_territory VALUES (777000001, 'kanarie');
INSERT INTO crm.working_hours (partner_id, weekday, opens, closes) VALUES (777000001, 1, '9:00', '17:00');
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence, wording) SELECT 777000000 + n, 'email', 'marketing', 'granted', 'kanarie', 'kanarie' FROM generate_series(1, 4) AS n;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, subject, body, agent, source, external_id, partner_id) SELECT c, 'email', 'outbound', 'sent', 'kanarie', 'kanarie', 'kanarie', 'kanarie', 'kanarie' || c, 777000001
    FROM unnest('{777000001,777000002,777000003,555000002}'::bigint[]) AS c;
INSERT INTO crm.purchase (customer_id, amount, product, source, external_id, partner_id) SELECT c, 777000777, 'kanarie', 'kanarie', 'kanarie' || c, 777000001 FROM unnest('{777000001,777000002,777000003,555000002}'::bigint[]) AS c;
INSERT INTO crm.message (customer_id, channel, purpose, subject, body, idempotency_key, partner_id) SELECT c, 'email', 'contract', 'kanarie', 'kanarie', 'kanarie' || c, 777000001 FROM unnest('{777000001,777000002,777000003,555000002}'::bigint[]) AS c;
INSERT INTO crm.message_event (message_id, outcome, occurred_at, source, external_id) VALUES (777000001, 'delivered', now(), 'kanarie', 'kanarie');
INSERT INTO crm.contact_decision (customer_id, purpose, decided_at, channels, means, net_values, propensities, prior_ids, response_value, gamma, seed, reason) VALUES (777000001, 'marketing', now(), '{}', '{}', '{}', '{}', '{}', 1, 1, 1, 'kanarie');
INSERT INTO crm.opt_in (customer_id, contact_point_id, channel, canonical, purpose, wording, token_digest, expires_at) VALUES (777000001, 777000001, 'email', 'kanarie1@example.org', 'marketing', 'kanarie', decode(repeat('77', 32), 'hex'), now() + interval '1 day');
INSERT INTO crm.suppression (digest, channel, reason) VALUES (decode(repeat('77', 32), 'hex'), 'email', 'kanarie');
INSERT INTO crm.secret VALUES ('kanarie', decode(repeat('77', 64), 'hex'), decode(repeat('77', 64), 'hex'));
INSERT INTO crm.deal_registration (partner_id, customer_id, protected) VALUES (777000001, 777000001, tstzrange(now(), now() + interval '10 days')), (777000001, 555000002, tstzrange(now(), now() + interval '10 days'));
INSERT INTO crm.handover (responsibility_id, from_partner_id, to_partner_id, due_at, reason, explanation) VALUES (777000001, 777000001, 777000002, now() + interval '1 day', 'kanarie', 'kanarie');
INSERT INTO crm.objective (name, target, period) VALUES ('kanarie', 1, '[2026-01-01,2027-01-01)');
INSERT INTO crm.objective_share VALUES (777000001, 777000001, 1);
INSERT INTO crm.joint_controller VALUES ('access', 777000001, 'kanarie', 'kanarie');
INSERT INTO crm.partner_publication VALUES ('kanarie', 777000001, '{777000001}');
SELECT pg_temp.number_from(666000001) \g /dev/null
CREATE STATISTICS crm.matrix_statistics ON name, source_key FROM crm.customer;
ANALYZE crm.customer, crm.contact_point, crm.interaction, crm.purchase, crm.message, crm.consent, crm.partner, crm.deal_registration, crm.customer_territory, crm.partner_responsibility, crm.relationship;

CREATE FUNCTION pg_temp.canary() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'kanarie|777000\d\d\d|7{12}' $$;

-- What somebody gets to hear who runs this: the answer or the error with its detail, hint and context. Nothing that it writes
-- stays. What is hidden and what is absent read the same then, unless the answers differ.
CREATE FUNCTION pg_temp.told(who name, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer text := '';
    rows bigint;
    message text;
    detail text;
    hint text;
    context text;
    r record;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    IF query ~ '^(SELECT|EXPLAIN)' THEN
        FOR r IN EXECUTE query LOOP answer := answer || r::text; END LOOP;
    ELSIF query ~ 'RETURNING' THEN
        EXECUTE query INTO answer;
    ELSE
        EXECUTE query;
    END IF;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RAISE EXCEPTION '%', concat_ws(' ', rows || ' rows', answer) USING ERRCODE = 'CRM00';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RESET ROLE;
    -- The statement itself stands in the context, and whether an expression was simple when it was planned.
    context := CASE WHEN sqlstate <> 'CRM00' THEN regexp_replace(replace(context, query, 'QUERY'), '^PL/pgSQL assignment .*\n', '', 'n') END;
    detail := regexp_replace(detail, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*', 'TIME', 'g');
    RETURN regexp_replace(concat_ws(' | ', sqlstate, message, nullif(detail, ''), nullif(hint, ''), nullif(context, '')), 'kanari[ex]\d*|\m(777|666)000\d\d\d|[78]{12}', '#', 'g');
END $$;
CREATE FUNCTION pg_temp.absent(query text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$ SELECT replace(replace(regexp_replace(query, '777000\d\d\d', '777000999', 'g'), 'kanarie', 'kanarix'), repeat('7', 12), repeat('8', 12)) $$;

-- Every table and view ---------------------------------------------------------------------------------------------

CREATE TEMP TABLE shown (who name, relation name, kind "char", found bigint, rows bigint, refused boolean);
DO $$
DECLARE
    r record;
    w name;
    found bigint;
    rows bigint;
BEGIN
    FOREACH w IN ARRAY '{crm_matrix_a,crm_matrix_nobody,crm_matrix_bare,crm_matrix_manager,postgres}'::name[] LOOP
        w := CASE w WHEN 'postgres' THEN session_user ELSE w END;
        FOR r IN SELECT c.relname, c.relkind, c.oid::regclass AS relation,
                        (SELECT string_agg(format('%I', a.attname), ', ') FROM pg_attribute AS a
                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(w, c.oid, a.attnum, 'SELECT')) AS columns
                 FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f') LOOP
            CONTINUE WHEN r.columns IS NULL;
            BEGIN
                EXECUTE format('SET LOCAL ROLE %I', w);
                EXECUTE format('SELECT count(*) FILTER (WHERE x::text ~ %L), count(*) FROM (SELECT %s FROM %s) AS x', pg_temp.canary(), r.columns, r.relation) INTO found, rows;
                RESET ROLE;
                INSERT INTO shown VALUES (CASE w WHEN session_user THEN 'owner' ELSE w END, r.relname, r.relkind, found, rows, false);
            EXCEPTION WHEN insufficient_privilege THEN
                RESET ROLE;
                INSERT INTO shown VALUES (w, r.relname, r.relkind, 0, 0, true);
            END;
        END LOOP;
    END LOOP;
END $$;
-- The rules, and what is computed of all customers together: nothing in them is any one customer's.
CREATE TEMP TABLE of_nobody (relation name);
INSERT INTO of_nobody SELECT regexp_split_to_table('access_right access_table attribute audience_rule channel_hour channel_policy channel_prior choice_policy contact_cap contact_need
    contact_rule country feature_level handover_rule holiday holiday_rule installation legal_basis machine_rule model model_calibration model_tracking outcome_effect purpose quiet_rule required_duty upkeep value_chain', '\s+');
SELECT is_empty($$ SELECT relation FROM shown WHERE who = 'owner' AND kind <> 'v' AND found = 0 EXCEPT SELECT relation FROM of_nobody $$, 'in every table there is something of B''s to be found');
SELECT is_empty($$ SELECT relation FROM of_nobody EXCEPT SELECT relation FROM shown WHERE who = 'owner' AND kind <> 'v' AND found = 0 $$, 'but for the rules, each of which there is');
SELECT is_empty($$ SELECT a.relation FROM shown AS a JOIN shown AS o USING (relation) WHERE a.who = 'crm_matrix_a' AND o.who = 'owner' AND o.found = 0 AND a.relation NOT IN (SELECT relation FROM of_nobody) $$,
    'and in every view that a partner reads');
SELECT cmp_ok((SELECT count(*) FROM shown WHERE who = 'crm_matrix_manager' AND found > 0), '>', 35::bigint, 'staff find it');
-- The arrangement of joint controllers is everybody's to know; the tree of segments has no customers in it.
SELECT is_empty($$ SELECT relation, found FROM shown WHERE who = 'crm_matrix_a' AND found > 0 AND relation NOT IN ('joint_controller', 'segment') $$, 'partner A finds none of it, in no column of a table or view');
SELECT is_empty($$ SELECT relation, found, who FROM shown WHERE who IN ('crm_matrix_nobody', 'crm_matrix_bare') AND found > 0 AND relation NOT IN ('joint_controller', 'segment', 'objective', 'partner_publication') $$,
    'nor with a bare GRANT on everything, nor does who belongs to no partner');
SELECT is_empty($$ SELECT relation, rows FROM shown WHERE who = 'crm_matrix_nobody' AND rows > 0 AND relation IN (SELECT "table" FROM crm.access_table) $$, 'who sees no rows at all of what is secured');
SELECT is(array_agg(rows ORDER BY relation), '{2,1,1,1,2}', 'while A sees its own, and a history where it sees all of it') FROM shown WHERE who = 'crm_matrix_a' AND relation IN ('customer', 'customer_history', 'interaction', 'message', 'purchase');

-- Every function --------------------------------------------------------------------------------------------------------

-- Each argument in turn is what is B's, the others are A's own; then all of them at once. What B has is 777000001 in every table.
CREATE FUNCTION pg_temp.own_value(type regtype, name text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT CASE
        WHEN type::text IN ('bigint', 'integer') THEN CASE WHEN name ~ 'id|partner|customer|message|responsibility|handover|contact_point|registration|objective' THEN '555000001' ELSE '1' END
        WHEN type::text IN ('bigint[]', 'integer[]') THEN '{555000001}'
        WHEN type::text = 'text' THEN CASE WHEN name ~ 'duty' THEN 'sell' WHEN name = 'purpose' THEN 'marketing' WHEN name = 'country' THEN 'DE' WHEN name = 'time_zone' THEN 'Europe/Berlin' WHEN name IN ('kind', 'model') THEN 'nbd' WHEN name = 'currency' THEN 'EUR' ELSE 'x' END
        WHEN type::text IN ('text[]', 'name') THEN CASE WHEN type::text = 'name' THEN 'crm_matrix_a' ELSE '{sell}' END
        WHEN type::text = 'timestamp with time zone' THEN (CASE name WHEN 'due_at' THEN now() + interval '1 day' ELSE now() END)::text WHEN type::text = 'timestamp with time zone[]' THEN format('{"%s"}', now()) WHEN type::text = 'tstzrange' THEN '[2020-01-01,2030-01-01)' WHEN type::text = 'date' THEN '2026-01-01'
        WHEN type::text = 'boolean' THEN 'true' WHEN type::text = 'interval' THEN '1 day' WHEN type::text = 'interval[]' THEN '{1 day}' WHEN type::text IN ('double precision', 'numeric') THEN '0.5'
        WHEN type::text = 'double precision[]' THEN '{0.5}' WHEN type::text = 'crm.channel' THEN 'email' WHEN type::text = 'crm.channel[]' THEN '{email}' WHEN type::text = 'public.ltree' THEN 'a'
        WHEN type::text = 'jsonb' THEN '{}' WHEN type::text = 'crm.responsibility' THEN 'accountable: sell' WHEN type::text = 'crm.customer_kind' THEN 'person'
        WHEN type::text = 'crm.email_address' THEN 'a@example.org' WHEN type::text = 'crm.phone_number' THEN '+493012345678' WHEN type::text = 'regclass' THEN 'crm.interaction'
        WHEN type::text = 'crm.message' THEN (SELECT m::text FROM crm.message AS m WHERE m.message_id = 555000001) END $$;
CREATE FUNCTION pg_temp.hidden_values(type regtype) RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN type::text IN ('bigint', 'integer') THEN '{777000001,777000002,777000004}'::text[] WHEN type::text IN ('bigint[]', 'integer[]') THEN '{"{777000001}","{555000001,777000001}"}'
        WHEN type::text = 'text' THEN '{kanarie,kanarie1@example.org,kanarie777000001}' WHEN type::text = 'text[]' THEN '{"{kanarie}"}' WHEN type::text = 'name' THEN '{crm_matrix_kanarie}'
        WHEN type::text = 'public.ltree' THEN '{kanarie}' WHEN type::text = 'crm.email_address' THEN '{kanarie1@example.org}' WHEN type::text = 'jsonb' THEN '{"{\"kanarie\": 777000001}"}' END $$;
CREATE TEMP TABLE callable AS
SELECT p.oid, p.oid::regprocedure AS function, p.proname, a.n::integer AS n, a.type::regtype AS type, coalesce(p.proargnames[a.n], '') AS name,
       -- The other types that crm has are plain values, without keys or names.
       l.lanname = 'c' AND p.provolatile = 'i' AS is_plain
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) ON true
WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND has_function_privilege('crm_matrix_a', p.oid, 'EXECUTE')
  AND NOT (l.lanname = 'c' AND p.provolatile = 'i');
SELECT is_empty($$ SELECT function, type, name FROM callable WHERE n IS NOT NULL AND type <> 'record'::regtype AND pg_temp.own_value(type, name) IS NULL $$, 'there is a value for each argument of what a partner may call');
CREATE TEMP TABLE called AS
WITH probe AS (
    SELECT DISTINCT c.function, c.proname, h.n AS hidden_n, v.value
    FROM callable AS c LEFT JOIN callable AS h ON h.oid = c.oid CROSS JOIN LATERAL unnest(coalesce(pg_temp.hidden_values(h.type), '{NULL}')) AS v (value)
    UNION SELECT DISTINCT c.function, c.proname, 0, 'all' FROM callable AS c
), call AS (
    SELECT p.function, p.proname, p.hidden_n, p.value, format('SELECT x.* FROM crm.%I(%s) AS x', p.proname, (
        SELECT string_agg(CASE WHEN c.type = 'record'::regtype THEN 'ROW(1)' ELSE quote_nullable(CASE WHEN c.n = p.hidden_n THEN p.value
                                    WHEN p.hidden_n = 0 THEN coalesce((pg_temp.hidden_values(c.type))[1], pg_temp.own_value(c.type, c.name))
                                    ELSE pg_temp.own_value(c.type, c.name) END) || '::' || c.type END, ', ' ORDER BY c.n)
        FROM callable AS c WHERE c.function = p.function AND c.n IS NOT NULL)) AS query
    FROM probe AS p
)
SELECT c.*, w.who, pg_temp.told(w.who, w.query) AS hidden, pg_temp.told(w.who, pg_temp.absent(w.query)) AS absent
FROM call AS c CROSS JOIN LATERAL (VALUES ('crm_matrix_a'::name, c.query), ('crm_matrix_manager', c.query)) AS w (who, query);
SELECT is_empty($$ SELECT query, hidden, absent FROM called WHERE who = 'crm_matrix_a' AND hidden IS DISTINCT FROM absent
    AND NOT (proname = 'offer_handover' AND hidden_n = 3) $$, 'no function tells A more of what is B''s than of what does not exist, but for that a partner exists to whom it offers');
SELECT is_empty($$ SELECT DISTINCT query, hidden FROM called WHERE hidden ~ '^(42883|42601|42P01|42P18|42804|42703|XX)' $$, 'every call was one');
SELECT cmp_ok((SELECT count(DISTINCT function) FROM called WHERE who <> 'crm_matrix_a' AND hidden IS DISTINCT FROM absent), '>=', 12::bigint, 'staff are told the difference by many of them');
SELECT is_empty($$ SELECT function FROM called WHERE proname ~ '^(register_deal|answer_handover|offer_handover|customer_taken_until|newest_interactions)$' AND who = 'crm_matrix_a'
    GROUP BY function HAVING NOT bool_or(hidden ~ '^CRM00') $$, 'those that run as the owner answer A, of its own');

-- Every constraint ------------------------------------------------------------------------------------------------------

-- A row like A's own, with the columns of a key as B has them or as nobody has: the same answer, or no right to begin with.
CREATE TEMP TABLE keyed AS
SELECT c.oid AS relid, c.relname, i.name, i.kind, i.columns, NULL::jsonb AS own, NULL::jsonb AS theirs
FROM pg_class AS c
CROSS JOIN LATERAL (
    -- A generated column stands for what it is made from.
    SELECT x.relname AS name, CASE WHEN n.indisexclusion THEN 'x' ELSE 'u' END AS kind, array_agg(DISTINCT a.attname) AS columns
    FROM pg_index AS n JOIN pg_class AS x ON x.oid = n.indexrelid
    JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum > 0 AND NOT k.attisdropped
        AND (k.attnum = ANY (n.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = n.indexrelid AND d.refobjid = c.oid AND d.refobjsubid = k.attnum))
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attgenerated = '' AND (a.attnum = k.attnum OR k.attgenerated <> '' AND EXISTS (
        SELECT FROM pg_attrdef AS f JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
        WHERE f.adrelid = c.oid AND f.adnum = k.attnum AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))
    WHERE n.indrelid = c.oid AND (n.indisunique OR n.indisexclusion) GROUP BY x.relname, n.indisexclusion
    UNION ALL
    SELECT k.conname, 'f', array_agg(a.attname) FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
    WHERE k.conrelid = c.oid AND k.contype = 'f' GROUP BY k.conname) AS i
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p');
DO $$
DECLARE
    t name;
    r record;
BEGIN
    FOR t IN SELECT DISTINCT relname FROM keyed LOOP
        EXECUTE format('SELECT (SELECT to_jsonb(x) FROM crm.%1$I AS x WHERE x::text !~ %2$L ORDER BY x::text ~ ''555000001'' DESC LIMIT 1) AS own,
                               (SELECT to_jsonb(x) FROM crm.%1$I AS x WHERE x::text ~ %2$L ORDER BY x::text ~ ''777000001'' DESC, x::text LIMIT 1) AS theirs', t, pg_temp.canary()) INTO r;
        UPDATE keyed SET own = r.own, theirs = r.theirs WHERE relname = t;
    END LOOP;
END $$;
CREATE TEMP TABLE probed AS
WITH probe AS (
    -- What a column of a key holds: theirs or, where it is null, the number that B has everywhere. Nothing else in the row is taken.
    SELECT k.relid, k.relname, k.name, k.kind, k.columns, w.who,
           coalesce(k.own - '{source,external_id,idempotency_key}'::text[], pg_temp.absent(k.theirs::text)::jsonb, '{}')
           || (SELECT jsonb_object_agg(u.c, coalesce(nullif(k.theirs -> u.c, 'null'), CASE WHEN k.kind = 'f' AND t.atttypid = 'bigint'::regtype THEN '777000001'::jsonb ELSE k.own -> u.c END))
               FROM unnest(k.columns) AS u (c) JOIN pg_attribute AS t ON t.attrelid = k.relid AND t.attname = u.c) AS written
    FROM keyed AS k CROSS JOIN (VALUES ('crm_matrix_a'::name), ('crm_matrix_nobody'), (session_user)) AS w (who)
), query AS (
    SELECT p.*, s.statement, format(s.query, p.relname, l.columns, format('jsonb_populate_record(NULL::crm.%I, %L)', p.relname, p.written), l.columns_of_x,
               (SELECT string_agg(format('%1$I = (SELECT x.%1$I FROM jsonb_populate_record(NULL::crm.%2$I, %3$L) AS x)', u.c, p.relname, p.written), ', ') FROM unnest(p.columns) AS u (c))) AS query
    FROM probe AS p
    CROSS JOIN LATERAL (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns, string_agg('x.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns_of_x
        FROM pg_attribute AS a
        WHERE a.attrelid = p.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          AND (a.attname = ANY (p.columns) OR p.written -> a.attname <> 'null' AND a.attidentity = '' AND a.attname <> 'audience_id' AND has_column_privilege(p.who, p.relid, a.attnum, 'INSERT'))) AS l
    CROSS JOIN (VALUES ('insert', 'INSERT INTO crm.%1$I (%2$s) SELECT %2$s FROM %3$s AS x'),
                       ('on conflict', 'INSERT INTO crm.%1$I (%2$s) SELECT %2$s FROM %3$s AS x ON CONFLICT DO NOTHING'),
                       ('merge', 'MERGE INTO crm.%1$I AS t USING %3$s AS x ON false WHEN NOT MATCHED THEN INSERT (%2$s) VALUES (%4$s)'),
                       ('update', 'UPDATE crm.%1$I SET %5$s')) AS s (statement, query)
    WHERE p.who = 'crm_matrix_a' OR p.relname NOT IN (SELECT relation FROM of_nobody) AND (p.who <> session_user OR s.statement = 'insert')
)
SELECT q.relid, q.relname, q.name, q.kind, CASE q.who WHEN session_user THEN 'owner' ELSE q.who END AS who, q.statement, q.query, pg_temp.told(q.who, q.query) AS hidden, pg_temp.told(q.who, pg_temp.absent(q.query)) AS absent
FROM query AS q;
SELECT is_empty($$ SELECT name, statement, query, hidden, absent FROM probed WHERE who = 'crm_matrix_a' AND hidden IS DISTINCT FROM absent $$, 'no constraint tells A of a key that B has');
SELECT is_empty($$ SELECT name, statement, query, hidden, absent FROM probed WHERE who = 'crm_matrix_nobody' AND hidden IS DISTINCT FROM absent AND relname IN (SELECT "table" FROM crm.access_table) $$,
    'nor, where rows are secured, who belongs to no partner and may write');
SELECT is_empty($$ SELECT name, statement, hidden FROM probed WHERE who = 'crm_matrix_a' AND hidden !~ '^42501' AND name NOT IN ('interaction_source_external_id_key', 'purchase_source_external_id_key', 'message_idempotency_key_key') $$,
    'but for keys that it has to itself, A is refused by its rights');
SELECT is_empty($$ SELECT name, statement, query, hidden FROM probed WHERE hidden ~ '^(42883|42601|42P01|42P18|42804|42703|428C9|XX)' $$, 'every statement was one');
SELECT is_empty($$ SELECT relname FROM keyed EXCEPT SELECT relname FROM probed WHERE who = 'owner' AND hidden IS DISTINCT FROM absent EXCEPT SELECT relation FROM of_nobody $$, 'the owner is told, of every table');
SELECT is_empty($$ SELECT p.name FROM probed AS p WHERE p.who = 'owner' AND p.hidden = p.absent AND has_any_column_privilege('crm_matrix_a', p.relid, 'INSERT')
    AND p.name NOT IN ('message_message_uid_key', 'message_consent_id_fkey', 'message_contact_point_id_fkey') $$, 'by every constraint where A writes, but for what the database fills in itself');
-- What A writes of a customer whom B knows too comes back without B's.
CREATE TEMP TABLE returned AS
SELECT q.query, pg_temp.told(w.who, q.query) AS answer, w.who
FROM (SELECT format('INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (555000002, ''email'', %L, %L) RETURNING (%s)::text', e.direction, e.outcome,
                    (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute AS a WHERE a.attrelid = 'crm.interaction'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_matrix_a', a.attrelid, a.attnum, 'SELECT'))) AS query
      FROM crm.outcome_effect AS e
      UNION ALL SELECT format('INSERT INTO crm.message (customer_id, channel, purpose) VALUES (555000002, ''email'', %L) RETURNING (%s)::text', p.purpose,
                    (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute AS a WHERE a.attrelid = 'crm.message'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_matrix_a', a.attrelid, a.attnum, 'SELECT')))
      FROM crm.purpose AS p
      UNION ALL SELECT 'INSERT INTO crm.purchase (customer_id, amount) VALUES (555000002, 1) RETURNING purchase::text') AS q
CROSS JOIN (VALUES ('crm_matrix_a'::name)) AS w (who);
SELECT is_empty($$ SELECT query, answer FROM returned WHERE answer ~ pg_temp.canary() $$, 'what a partner writes comes back without anything of others');
SELECT cmp_ok((SELECT count(*) FROM returned WHERE answer ~ '^CRM00 . 1 rows'), '>=', 30::bigint, 'and is written');
-- Nor can A make up for B's purchase in a history by one of its own that is not in it yet.
SET LOCAL crm.loop = deferred;
SELECT is(pg_temp.told('crm_matrix_a', $$ DO $d$ BEGIN INSERT INTO crm.purchase (customer_id, amount) VALUES (555000002, 1); IF EXISTS (SELECT FROM crm.customer_history WHERE customer_id = 555000002) THEN RAISE 'seen'; END IF; END $d$ $$),
    'CRM00 | 0 rows ', 'a history with another''s purchase stays hidden while one''s own waits to be analysed');
SET LOCAL crm.loop = immediate;
-- A cap binds all partners together: A is told the day from which on it is free, not the instant at which B wrote.
UPDATE crm.channel_policy SET cap = 1, cap_window = '7 days' WHERE channel = 'email';
SELECT matches(pg_temp.told(w, 'INSERT INTO crm.message (customer_id, channel, purpose) VALUES (555000002, ''email'', ''marketing'')'), h, w || ' is told of a cap: ' || h)
FROM (VALUES ('crm_matrix_a'::name, '^23514 .*the cap is reached . The next contact is possible from TIME[-+:0-9]+\. . Set not_before to [-0-9]+ 00:00:00[-+:0-9]+ or later'), ('crm_matrix_manager', '^23514 .*Set not_before to [-0-9]+ [0-9:]+\.\d+')) AS v (w, h);
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL WHERE channel = 'email';

-- Plans, copies, statistics, sequences, notices --------------------------------------------------------------------------

CREATE TEMP TABLE planned AS
SELECT r.relname, q.query, pg_temp.told('crm_matrix_a', q.query) AS hidden, pg_temp.told('crm_matrix_a', pg_temp.absent(q.query)) AS absent, pg_temp.told('crm_matrix_a', replace(q.query, 'COSTS off, ', '')) AS hidden_costs, pg_temp.told('crm_matrix_a', pg_temp.absent(replace(q.query, 'COSTS off, ', ''))) AS absent_costs
FROM pg_class AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_matrix_a', r.oid, a.attnum, 'SELECT')
CROSS JOIN LATERAL unnest(pg_temp.hidden_values(a.atttypid::regtype)) AS v (value)
CROSS JOIN LATERAL (SELECT format('EXPLAIN (COSTS off, VERBOSE) SELECT %1$I FROM %2$s WHERE %1$I%4$s = %3$L', a.attname, r.oid::regclass, v.value, CASE WHEN a.atttypid::regtype::text ~ '[.]' THEN '::text' ELSE '' END) AS query) AS q
WHERE r.relnamespace = 'crm'::regnamespace AND r.relkind IN ('r', 'v', 'm', 'p') AND a.atttypid <> 'jsonb'::regtype;
SELECT is_empty('SELECT query, hidden, absent FROM planned WHERE hidden <> absent', 'a plan looks the same whether there is such a value or not');
SELECT is_empty($$ SELECT query, absent FROM planned WHERE absent !~ '^CRM00' $$, 'every plan was made');
-- Estimates rest on statistics of all rows: that they tell of frequent values is said in doc/security.md. Nothing else differs.
SELECT is_empty($$ SELECT query FROM planned WHERE regexp_replace(hidden_costs, '\d+', 'N', 'g') <> regexp_replace(absent_costs, '\d+', 'N', 'g') $$, 'nor by its estimates, but for their numbers');
CREATE TEMP TABLE to_copy AS
SELECT format('COPY %s (%s) TO STDOUT', c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)) AS query
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND has_column_privilege('crm_matrix_a', c.oid, a.attnum, 'SELECT')
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('segment', 'joint_controller') GROUP BY c.oid;
GRANT SELECT ON to_copy TO PUBLIC;
\set file `mktemp`
\o :file
SET LOCAL ROLE crm_matrix_a;
SELECT query FROM to_copy \gexec
RESET ROLE;
\o
\set copied `cat :'file'`
\o :file
SELECT query FROM to_copy \gexec
\o
\set copied_by_owner `cat :'file'; rm -f :'file'`
SELECT is((SELECT count(*) FROM regexp_split_to_table(:'copied', '\n') AS l WHERE l ~ pg_temp.canary()), 0::bigint, 'COPY gives nothing of B''s');
SELECT ok(:'copied' ~ '555000001' AND :'copied_by_owner' ~ pg_temp.canary(), 'but of A''s, and to the owner all');

CREATE FUNCTION pg_temp.count_as(who name, query text) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE query INTO n;
    RESET ROLE;
    RETURN n;
END $$;
SELECT ok(pg_temp.count_as('crm_matrix_a', q) = 0 AND pg_temp.count_as(session_user, q) > 0, v || ' has B''s values, and shows A none')
FROM unnest('{pg_stats,pg_stats_ext}'::text[]) AS v, format('SELECT count(*) FROM %s AS s WHERE s::text ~ %L', v, pg_temp.canary()) AS q;
SELECT is_empty($$ SELECT s.relname, q FROM pg_class AS s CROSS JOIN LATERAL (VALUES (format('SELECT last_value FROM crm.%I', s.relname)), (format('SELECT currval(%L)', s.oid::regclass)),
        (format('SELECT nextval(%L)', s.oid::regclass)), (format('SELECT setval(%L, 1)', s.oid::regclass))) AS v (q)
    WHERE s.relnamespace = 'crm'::regnamespace AND s.relkind = 'S' AND pg_temp.told('crm_matrix_a', q) !~ '^42501' $$, 'no sequence says how many there are');
SELECT is(pg_temp.count_as('crm_matrix_a', 'SELECT count(last_value) FROM pg_sequences WHERE schemaname = ''crm'''), 0::bigint, 'nor does pg_sequences');
SELECT matches(pg_temp.told('crm_matrix_a', $$ DO $d$ BEGIN INSERT INTO crm.purchase (customer_id, amount) VALUES (555000001, 1); PERFORM lastval(); END $d$ $$), '^(42501|55000)', 'nor lastval() after a row of its own');
-- Every session sees notices and locks: what is in them is nobody's.
SELECT set_eq($$ SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind IN ('f', 'p') AND pg_get_functiondef(p.oid) ~* '\mnotify\M|pg_notify' $$, ARRAY['message_notify'], 'one function notifies: of channels');
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind IN ('f', 'p')
    AND regexp_replace(pg_get_functiondef(p.oid), $r$pg_(catalog.pg_)?advisory_xact_lock(_shared)?\(\s*hashtextextended\('crm\.[a-z_]+'(::text)?, \(?\d+\)?(::bigint)?\)\)$r$, '', 'g') ~* 'pg_(try_)?advisory\w*\((?!pg_advisory)' $$, 'no lock has a customer''s key');

-- What runs on the way: functions, operators and views of A's own, shown each row ----------------------------------------

CREATE SCHEMA crm_matrix_own;
GRANT ALL ON SCHEMA crm_matrix_own TO PUBLIC;
CREATE TABLE crm_matrix_own.heard (form text, relation text, said text);
GRANT ALL ON crm_matrix_own.heard TO PUBLIC;
SET LOCAL ROLE crm_matrix_a;
CREATE FUNCTION crm_matrix_own.listen(said text, form text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    INSERT INTO crm_matrix_own.heard VALUES (split_part(form, ' ', 1), split_part(form, ' ', 2), said);
    RETURN true;
END $$;
CREATE OPERATOR crm_matrix_own.<~> (LEFTARG = text, RIGHTARG = text, FUNCTION = crm_matrix_own.listen, RESTRICT = neqsel, JOIN = neqjoinsel);
RESET ROLE;
DO $$
DECLARE
    r record;
    f record;
    w name;
    n bigint;
BEGIN
    FOR r IN SELECT c.relname, c.oid::regclass::text AS relation, string_agg(format('x.%I', a.attname), ', ') AS columns
             FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_matrix_a', c.oid, a.attnum, 'SELECT')
             WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND c.relname NOT IN ('segment', 'joint_controller') GROUP BY c.oid LOOP
        FOR f IN SELECT * FROM (VALUES ('operator', 'SELECT count(*) FROM %1$s AS x WHERE ROW(%2$s)::text OPERATOR(crm_matrix_own.<~>) %3$L'),
                                       ('join', 'SELECT count(*) FROM %1$s AS x JOIN (VALUES (1), (2)) AS v (n) ON ROW(%2$s, v.n)::text OPERATOR(crm_matrix_own.<~>) %3$L'),
                                       ('self-join', 'SELECT count(*) FROM %1$s AS x LEFT JOIN %1$s AS y ON ROW(%2$s)::text OPERATOR(crm_matrix_own.<~>) %3$L'),
                                       ('not', 'SELECT count(*) FROM %1$s AS x WHERE NOT EXISTS (SELECT FROM %1$s AS y WHERE NOT ROW(%2$s)::text OPERATOR(crm_matrix_own.<~>) %3$L)'),
                                       ('sort', 'SELECT count(*) FROM (SELECT 1 FROM %1$s AS x ORDER BY crm_matrix_own.listen(ROW(%2$s)::text, %3$L) LIMIT 1) AS s'),
                                       ('subquery', 'SELECT count(*) FROM (SELECT %2$s FROM %1$s AS x WHERE crm_matrix_own.listen(ROW(%2$s)::text, %3$L) OFFSET 0) AS s')) AS v (form, query) LOOP
            FOREACH w IN ARRAY ARRAY['crm_matrix_a', session_user] LOOP
                CONTINUE WHEN w = session_user AND f.form <> 'operator';
                EXECUTE format('SET LOCAL ROLE %I', w);
                EXECUTE format(f.query, r.relation, r.columns, CASE w WHEN session_user THEN 'owner' ELSE f.form END || ' ' || r.relname) INTO n;
                RESET ROLE;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
SELECT is_empty($$ SELECT DISTINCT form, relation FROM crm_matrix_own.heard WHERE form <> 'owner' AND said ~ pg_temp.canary() $$, 'no function or operator of A''s is shown a row of B''s, wherever it stands');
SELECT cmp_ok((SELECT count(DISTINCT relation) FROM crm_matrix_own.heard WHERE form = 'owner' AND said ~ pg_temp.canary()), '>=', 10::bigint, 'the owner''s sees them');
SELECT is((SELECT count(DISTINCT form) FROM crm_matrix_own.heard WHERE said ~ '555000001'), 7::bigint, 'and A''s sees A''s, in each place');

-- What B lends: a function and views that run as B show A no more than its own, and not what there is.
SET LOCAL ROLE crm_matrix_kanarie;
CREATE FUNCTION crm_matrix_own.ask(query text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result text := '';
    r record;
BEGIN
    FOR r IN EXECUTE query LOOP result := result || r::text; END LOOP;
    RETURN result;
END $$;
RESET ROLE;
CREATE TEMP TABLE lent AS
SELECT c.function, c.query, w.who, pg_temp.told(w.who, format('SELECT crm_matrix_own.ask(%L)', c.query)) AS hidden, pg_temp.told(w.who, format('SELECT crm_matrix_own.ask(%L)', pg_temp.absent(c.query))) AS absent
FROM called AS c CROSS JOIN unnest('{crm_matrix_a,crm_matrix_nobody,crm_matrix_kanarie}'::name[]) AS w (who)
WHERE c.who = 'crm_matrix_a' AND (c.value IN ('777000001', '{777000001}', 'kanarie', 'all'));
SELECT is_empty($$ SELECT query, who, hidden, absent FROM lent WHERE who <> 'crm_matrix_kanarie' AND hidden IS DISTINCT FROM absent AND query !~ 'offer_handover' $$,
    'by a function that runs as B neither A nor nobody learns what there is');
SELECT cmp_ok((SELECT count(DISTINCT function) FROM lent WHERE who = 'crm_matrix_kanarie' AND hidden IS DISTINCT FROM absent), '>=', 5::bigint, 'and B itself what is B''s');
SELECT is_empty($$ SELECT query, who FROM lent WHERE who <> 'crm_matrix_kanarie' AND query ~ 'crm\.((register|release)_deal\(|(offer|answer|accept|decline)_handover\(''\d+''::bigint, )''777' AND hidden !~ '^42501' $$, 'nor does it act for B');
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT c.relname, string_agg(format('%I', a.attname), ', ') AS columns
             FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('crm_matrix_kanarie', c.oid, a.attnum, 'SELECT')
             WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND c.relname NOT IN ('segment', 'joint_controller') GROUP BY c.oid LOOP
        SET LOCAL ROLE crm_matrix_kanarie;
        EXECUTE format('CREATE VIEW crm_matrix_own.%I AS SELECT %s FROM crm.%I', 'v_' || r.relname, r.columns, r.relname);
        EXECUTE format('GRANT ALL ON crm_matrix_own.%I TO PUBLIC', 'v_' || r.relname);
        RESET ROLE;
    END LOOP;
END $$;
CREATE TEMP TABLE viewed AS
SELECT c.relname, w.who, pg_temp.told(w.who, format('SELECT count(*) FILTER (WHERE x::text ~ %L) FROM crm_matrix_own.%I AS x', pg_temp.canary(), c.relname)) AS answer
FROM pg_class AS c CROSS JOIN unnest('{crm_matrix_a,crm_matrix_nobody,crm_matrix_kanarie}'::name[]) AS w (who) WHERE c.relnamespace = 'crm_matrix_own'::regnamespace AND c.relkind = 'v';
SELECT is_empty($$ SELECT relname, who, answer FROM viewed WHERE who <> 'crm_matrix_kanarie' AND answer !~ '^(42501|CRM00 . 0 rows \(0\))' $$, 'a view of B''s shows A and nobody none of B''s');
SELECT cmp_ok((SELECT count(*) FROM viewed WHERE who = 'crm_matrix_kanarie' AND answer ~ '\([1-9]'), '>=', 10::bigint, 'and B what it has');

-- One session, several roles -------------------------------------------------------------------------------------------

-- Who looks is asked when the first row is fetched, and of what the rights are is asked at each execution.
CREATE FUNCTION pg_temp.fetched(opener name, fetcher name) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c refcursor;
    n bigint;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', opener);
    OPEN c FOR EXECUTE 'SELECT count(*) FROM crm.interaction WHERE interaction_id BETWEEN 777000001 AND 777000999';
    EXECUTE format('SET LOCAL ROLE %I', fetcher);
    FETCH c INTO n;
    RESET ROLE;
    CLOSE c;
    RETURN n;
END $$;
SELECT is(pg_temp.fetched(o, f), '0', format('a cursor opened by %s and read by %s', o, f)) FROM (VALUES ('crm_matrix_a'::name, 'crm_matrix_nobody'::name), ('crm_matrix_nobody', 'crm_matrix_a'), ('crm_matrix_kanarie', 'crm_matrix_a'), ('crm_matrix_kanarie', 'crm_matrix_nobody')) AS v (o, f);
SELECT cmp_ok(pg_temp.fetched('crm_matrix_kanarie', 'crm_matrix_kanarie')::bigint, '>', 0::bigint, 'B reads its own');

PREPARE theirs AS SELECT count(*) FROM crm.customer WHERE customer_id > 777000000;
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL ROLE crm_matrix_kanarie;
EXECUTE theirs \gset own_
RESET ROLE;
SET LOCAL ROLE crm_matrix_a;
EXECUTE theirs \gset a_
RESET ROLE;
GRANT crm_matrix_kanarie TO crm_matrix_a;
SET LOCAL ROLE crm_matrix_a;
EXECUTE theirs \gset member_
RESET ROLE;
REVOKE crm_matrix_kanarie FROM crm_matrix_a;
SET LOCAL ROLE crm_matrix_a;
EXECUTE theirs \gset again_
RESET ROLE;
UPDATE crm.partner_login SET partner_id = 777000002 WHERE role = 'crm_matrix_kanarie';
SET LOCAL ROLE crm_matrix_kanarie;
EXECUTE theirs \gset other_
RESET ROLE;
UPDATE crm.partner_login SET partner_id = 777000001 WHERE role = 'crm_matrix_kanarie';
SELECT is(ARRAY[:own_count, :a_count, :member_count, :again_count, :other_count], '{4,0,4,0,1}', 'a kept plan follows who asks: B, A, A as a member of B, A no longer, B''s login for C');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT crm.revoke_access('crm_matrix_kanarie') \g /dev/null
SELECT matches(pg_temp.told('crm_matrix_kanarie', 'SELECT count(*) FROM crm.customer'), '^42501', 'and one whose access is taken back');

SELECT * FROM finish();
ROLLBACK;
