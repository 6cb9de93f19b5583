-- What must hold of every object of crm, those of the extension and those that crm.setup() made, present and to come.
-- A check that fails lists the objects that break it.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

CREATE TEMP VIEW own_routine AS
SELECT p.*, p.oid::regprocedure::text AS name, l.lanname,
       p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AS is_trigger,
       EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
               WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') AS is_public,
       (SELECT substr(c, length('search_path=') + 1) FROM unnest(p.proconfig) AS c WHERE c LIKE 'search\_path=%') AS search_path
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'crm'::regnamespace;

CREATE TEMP VIEW own_relation AS
SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace;

CREATE TEMP VIEW base_type AS
SELECT t.*, t.oid::regtype::text AS name FROM pg_type AS t
WHERE t.typnamespace = 'crm'::regnamespace AND t.typtype = 'b' AND t.typcategory <> 'A';

SELECT cmp_ok((SELECT count(*) FROM own_routine), '>', 10::bigint, 'there are functions to look at');
SELECT cmp_ok((SELECT count(*) FROM own_relation WHERE relkind = 'r'), '>', 5::bigint, 'there are tables to look at');
SELECT cmp_ok((SELECT count(*) FROM base_type), '>', 0::bigint, 'there are types to look at');

-- Comments ------------------------------------------------------------------------------------------------------

SELECT is_empty($$ SELECT name FROM own_relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
                   AND coalesce(obj_description(oid, 'pg_class'), '') = '' $$, 'every table and view has a comment');
SELECT is_empty($$ SELECT name || '.' || a.attname FROM own_relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
                   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
                     AND coalesce(col_description(c.oid, a.attnum), '') = '' $$, 'every column of a table or view has a comment');
SELECT is_empty($$ SELECT c.name || '.' || a.attname FROM own_relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
                   WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped
                     AND coalesce(col_description(c.oid, a.attnum), '') = '' $$, 'every field of a composite type has a comment');
SELECT is_empty($$ SELECT c.name FROM own_relation AS c JOIN pg_index AS i ON i.indexrelid = c.oid
                   WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x'))
                     AND coalesce(obj_description(c.oid, 'pg_class'), '') = '' $$, 'every index that is no constraint has a comment');
SELECT is_empty($$ SELECT name FROM own_routine WHERE coalesce(obj_description(oid, 'pg_proc'), '') = '' $$, 'every function has a comment');
SELECT is_empty($$ SELECT oid::regtype FROM pg_type WHERE typnamespace = 'crm'::regnamespace AND typcategory <> 'A'
                   AND typtype IN ('b', 'e', 'd', 'r', 'c')
                   AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
                   AND coalesce(obj_description(oid, 'pg_type'), '') = '' $$, 'every type has a comment');
SELECT is_empty($$ SELECT oid::regoperator FROM pg_operator WHERE oprnamespace = 'crm'::regnamespace
                   AND coalesce(obj_description(oid, 'pg_operator'), '') = '' $$, 'every operator has a comment');
SELECT is_empty($$ SELECT opcname FROM pg_opclass WHERE opcnamespace = 'crm'::regnamespace
                   AND coalesce(obj_description(oid, 'pg_opclass'), '') = '' $$, 'every operator class has a comment');
SELECT is_empty($$ SELECT opfname FROM pg_opfamily WHERE opfnamespace = 'crm'::regnamespace
                   AND coalesce(obj_description(oid, 'pg_opfamily'), '') = '' $$, 'every operator family has a comment');
SELECT is_empty($$ SELECT format('%s AS %s', castsource::regtype, casttarget::regtype) FROM pg_cast AS c
                   WHERE EXISTS (SELECT FROM pg_type AS t WHERE t.oid IN (castsource, casttarget) AND t.typnamespace = 'crm'::regnamespace)
                     AND coalesce(obj_description(c.oid, 'pg_cast'), '') = '' $$, 'every cast has a comment');
SELECT is_empty($$ SELECT t.tgname, c.name FROM pg_trigger AS t JOIN own_relation AS c ON c.oid = t.tgrelid
                   WHERE NOT t.tgisinternal AND coalesce(obj_description(t.oid, 'pg_trigger'), '') = '' $$, 'every trigger has a comment');
SELECT is_empty($$ SELECT p.polname, c.name FROM pg_policy AS p JOIN own_relation AS c ON c.oid = p.polrelid
                   WHERE coalesce(obj_description(p.oid, 'pg_policy'), '') = '' $$, 'every policy has a comment');

-- Functions -----------------------------------------------------------------------------------------------------

-- Volatile functions that write nothing: what they read is the session's own, or they lock with the rights of their caller.
CREATE TEMP VIEW reads_session AS
SELECT unnest(ARRAY['crm.touched_customers(regclass)',
                    'crm.contact_check_locked(bigint, crm.channel, bigint, text, timestamptz, bigint, boolean)',
                    'crm.lock_messages(bigint[])', 'crm.check_messages(bigint[])']::regprocedure[]) AS oid;

-- Parallel unsafe is the default, so it is only right where something is written: in a volatile function.
SELECT is_empty($$ SELECT name FROM own_routine WHERE proparallel = 'u' AND provolatile <> 'v' $$,
                'what writes nothing carries a parallel label');
SELECT is_empty($$ SELECT name FROM own_routine WHERE provolatile = 'v' AND proparallel <> 'u' AND prokind = 'f'
                   AND oid NOT IN (SELECT oid FROM reads_session) $$,
                'what is parallel safe carries a volatility');
SELECT is_empty($$ SELECT name FROM own_routine WHERE lanname IN ('sql', 'plpgsql') AND prosqlbody IS NULL
                   AND search_path IS NULL AND name <> 'crm.maintain(timestamp with time zone)' $$,
                'every function in SQL has its search_path pinned, or a body parsed when it was made; but for the procedure that commits, which could not');
SELECT is_empty($$ SELECT name, search_path FROM own_routine WHERE search_path IS NOT NULL
                   AND search_path !~ '^(pg_catalog|"pg_catalog"), .*pg_temp$' $$,
                'a pinned search_path begins with pg_catalog and ends with pg_temp');
SELECT is_empty($$ SELECT name FROM own_routine WHERE prosecdef AND search_path IS NULL $$, 'every definer function has its search_path pinned');
SELECT is_empty($$ SELECT name FROM own_routine WHERE prosecdef AND is_public $$, 'PUBLIC may execute no definer function');
SELECT is_empty($$ SELECT name FROM own_routine WHERE provolatile = 'v' AND is_public AND NOT is_trigger
                   AND oid NOT IN (SELECT oid FROM reads_session) $$, 'PUBLIC may execute nothing that writes');
SELECT is_empty($$ SELECT name FROM own_routine WHERE proleakproof
                   AND name !~ '_(eq|ne|lt|le|gt|ge|cmp|hash|hash_extended)\('
                   -- bit operations on 8 bytes that can raise no error
                   AND name !~ '^crm\.(responsibility_(conflicts|covers|covered)|is_accountable)\(' $$,
                'only comparison and hashing, and bit operations that cannot fail, are leakproof');
SELECT is_empty($$ SELECT p.name FROM own_routine AS p JOIN base_type AS t ON p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend)
                   WHERE p.provolatile <> 'i' OR NOT p.proisstrict OR p.proparallel <> 's' $$,
                'input and output of every type are immutable, strict and parallel safe');
SELECT is_empty($$ SELECT p.name FROM pg_aggregate AS a JOIN own_routine AS p ON p.oid = a.aggfnoid
                   WHERE p.proparallel <> 's' $$, 'every aggregate is parallel safe');
SELECT is_empty($$ SELECT p.name FROM pg_aggregate AS a JOIN own_routine AS p ON p.oid = a.aggfnoid
                   WHERE a.aggkind = 'n' AND a.aggcombinefn = 0 $$, 'every aggregate can be combined from parts');
SELECT is_empty($$ SELECT p.name FROM pg_aggregate AS a JOIN own_routine AS p ON p.oid = a.aggfnoid
                   WHERE a.aggtranstype = 'internal'::regtype $$, 'every aggregate has a state of a real type');
SELECT is_empty($$ SELECT name FROM own_routine WHERE 'internal'::regtype = ANY (proargtypes) AND lanname = 'c'
                   AND oid NOT IN (SELECT typreceive FROM base_type) AND oid NOT IN (SELECT amproc FROM pg_amproc) AND prosupport = 0
                   AND prorettype <> 'internal'::regtype $$, 'only receive and index support functions take what SQL can''t give');

-- Types, operators ----------------------------------------------------------------------------------------------

SELECT is_empty($$ SELECT name FROM base_type WHERE typreceive = 0 OR typsend = 0 $$, 'every type has a binary form');
SELECT is_empty($$ SELECT t.name, am.amname FROM base_type AS t CROSS JOIN (VALUES ('btree'), ('hash')) AS am (amname)
                   WHERE NOT EXISTS (SELECT FROM pg_opclass AS o JOIN pg_am AS a ON a.oid = o.opcmethod
                                     WHERE o.opcintype = t.oid AND o.opcdefault AND a.amname = am.amname) $$,
                'every type can be sorted and hashed');
SELECT is_empty($$ SELECT t.name FROM base_type AS t WHERE NOT EXISTS (
                       SELECT FROM pg_cast WHERE castsource = 'text'::regtype AND casttarget = t.oid AND castcontext = 'a') $$,
                'every type can be assigned from text');
SELECT is_empty($$ SELECT opcname, opcmethod FROM pg_opclass WHERE opcnamespace = 'crm'::regnamespace AND NOT amvalidate(oid) $$,
                'every operator class is complete and consistent');
SELECT is_empty($$ SELECT oid::regoperator FROM pg_operator WHERE oprnamespace = 'crm'::regnamespace AND oprname IN ('=', '<>', '&&', '<', '<=', '>', '>=')
                   AND oprresult = 'boolean'::regtype AND oprleft = oprright
                   AND (oprcom = 0 OR oprrest = 0 OR oprjoin = 0) $$, 'every comparison has a commutator and estimators');
SELECT is_empty($$ SELECT oid::regoperator FROM pg_operator WHERE oprnamespace = 'crm'::regnamespace AND (oprrest <> 0 OR oprjoin <> 0)
                   AND NOT (coalesce((SELECT pronamespace = 'pg_catalog'::regnamespace FROM pg_proc WHERE pg_proc.oid = oprrest), true)
                        AND coalesce((SELECT pronamespace = 'pg_catalog'::regnamespace FROM pg_proc WHERE pg_proc.oid = oprjoin), true)) $$,
                'estimators are those of the server');
SELECT is_empty($$ SELECT oid::regoperator FROM pg_operator WHERE oprnamespace = 'crm'::regnamespace AND oprname = '='
                   AND oprleft = oprright AND NOT (oprcanhash AND oprcanmerge AND oprnegate <> 0) $$, 'equality hashes, merges and has a negator');

-- Tables, views -------------------------------------------------------------------------------------------------

SELECT is_empty($$ SELECT name FROM own_relation WHERE relkind IN ('r', 'p')
                   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = own_relation.oid AND contype = 'p') $$, 'every table has a primary key');
-- An index whose first columns are those of the key, or whose first is the customer when he is part of it; one that leaves out
-- nulls alone serves as well.
SELECT is_empty($$ SELECT c.name, k.conname FROM pg_constraint AS k JOIN own_relation AS c ON c.oid = k.conrelid
                   WHERE k.contype = 'f' AND NOT EXISTS (
                       SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid
                         AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = (
                              SELECT string_agg(format('(%I IS NOT NULL)', a.attname), ' AND ') FROM pg_attribute AS a
                              WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)))
                         AND ((SELECT array_agg(n ORDER BY n) FROM unnest((string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)]) AS n)
                                  = (SELECT array_agg(n ORDER BY n) FROM unnest(k.conkey) AS n)
                              OR i.indkey[0] = ANY (k.conkey) AND i.indpred IS NULL AND 'customer_id' = (
                                  SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0]))) $$, 'every foreign key has an index');
SELECT is_empty($$ SELECT c.name, a.attname FROM pg_attribute AS a JOIN own_relation AS c ON c.oid = a.attrelid
                   WHERE a.attidentity = 'a' OR EXISTS (SELECT FROM pg_attrdef AS d WHERE d.adrelid = c.oid AND d.adnum = a.attnum
                                                        AND pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%') $$,
                'every generated key is an identity that a dump and a replica may fill');
SELECT is_empty($$ SELECT c.name, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a JOIN own_relation AS c ON c.oid = a.attrelid
                   WHERE c.relkind = 'r' AND a.attnum > 0 AND a.atttypid IN ('timestamp'::regtype, 'money'::regtype, 'json'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'real'::regtype) $$,
                'no column of a type that this schema avoids');
SELECT is_empty($$ SELECT name FROM own_relation WHERE relkind = 'v' AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}' $$,
                'every view is looked at with the rights of who looks');
SELECT is_empty($$ SELECT c.name, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute AS a JOIN own_relation AS c ON c.oid = a.attrelid
                   WHERE c.relkind IN ('v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
                     -- what other views and functions are made of keeps the channel's own type
                     AND c.relname NOT IN ('contact_candidate', 'contact_permission', 'customer_prior')
                     AND a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'numeric'::regtype, 'date'::regtype,
                                            'timestamptz'::regtype, 'boolean'::regtype, 'double precision'::regtype) $$,
                'every column of a view is of a type that every BI tool understands');
SELECT is_empty($$ SELECT c.name, a.privilege_type FROM own_relation AS c, aclexplode(c.relacl) AS a
                   WHERE a.grantee = 0 AND a.privilege_type <> 'SELECT' $$, 'PUBLIC may write no table');
SELECT is_empty($$ SELECT nspname FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = 'crm' AND a.grantee = 0 AND a.privilege_type <> 'USAGE' $$,
                'PUBLIC may create nothing in schema crm');
SELECT is_empty($$ SELECT c.name FROM own_relation AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
                   WHERE d.deptype = 'e' AND c.relkind <> 'c' $$, 'no table, view or sequence is a member of the extension');

-- In the text of a function in SQL a name that is a column of a table and a parameter is the column, without a word.
SELECT is_empty($$ SELECT r.name, a.name FROM own_routine AS r
                   CROSS JOIN LATERAL unnest(r.proargnames[1:r.pronargs]) AS a (name)
                   WHERE r.lanname = 'sql' AND r.prosqlbody IS NULL AND a.name <> ''
                     AND EXISTS (SELECT FROM pg_attribute AS c JOIN own_relation AS t ON t.oid = c.attrelid
                                 WHERE c.attname = a.name AND c.attnum > 0 AND r.prosrc ~ ('crm\.' || t.relname || '\M'))
                     AND regexp_replace(r.prosrc, '\mAS ' || a.name || '\M', '', 'g') ~ ('(^|[^.\w])' || a.name || '\M(?!\s*\()') $$,
                'no parameter of a function in SQL can be taken for a column');

-- Versions ------------------------------------------------------------------------------------------------------

SELECT is((SELECT default_version FROM pg_available_extensions WHERE name = 'crm'), crm.version(), 'control file and library are of one version');
SELECT is((SELECT extversion FROM pg_extension WHERE extname = 'crm'), crm.version(), 'extension and library are of one version');
SELECT is((SELECT version FROM crm.installation ORDER BY installation_id DESC LIMIT 1), crm.version(), 'tables and library are of one version');
SELECT is(regexp_replace(pg_read_file(:'root' || '/META.json')::json ->> 'version', '\.\d+$', ''), crm.version(), 'META.json is of that version');
SELECT is(pg_read_file(:'root' || '/META.json')::json #>> '{provides,crm,version}', pg_read_file(:'root' || '/META.json')::json ->> 'version',
          'META.json says so twice');
SELECT is(substring(pg_read_file(:'root' || '/CHANGELOG.md') FROM '(?n)^## \[?(\d+(?:\.\d+)+)'), crm.version(), 'the first heading of CHANGELOG.md is that version');

SELECT is_empty(format($$ SELECT o.name FROM (
        SELECT relname AS name FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'p', 'm')
        UNION SELECT typname FROM pg_type WHERE typnamespace = 'crm'::regnamespace AND typtype IN ('b', 'e') AND typcategory <> 'A'
        UNION SELECT proname FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND prokind IN ('f', 'p', 'a')
            AND prorettype <> 'trigger'::regtype
            AND proname !~ '_(in|out|recv|send|eq|ne|lt|le|gt|ge|cmp|hash|hash_extended|accum|observe|add|subtract|combine|final|support)$'
            AND proname !~ '^responsibility_'
            AND proname !~ '^(nbd|bg_nbd|mbg_nbd|pareto_nbd|bg_cnbd|mbg_cnbd)_(alive|expected|probability|dert)$') AS o
    WHERE position('crm.' || o.name IN %L) = 0 $$, pg_read_file(:'root' || '/doc/reference.md')),
    'doc/reference.md names every table, view, type and function');

SELECT * FROM finish();
ROLLBACK;
