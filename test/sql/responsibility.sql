-- crm.responsibility: text, operators, index answers, and "clearly separated" as a constraint.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET search_path = crm, public;

-- One text per value.
SELECT t::responsibility FROM (VALUES ('accountable: sell, service via phone, email'), (' INFORMED:Service,sell,sell Via other , phone '),
    ('consulted: acquire, advise, sell, deliver, service, collect, retain, market via phone, social, email, letter, fax, visit, sms, chat, web, other')) AS v (t);
SELECT 'accountable: sell, service'::responsibility = 'accountable: service, sell'::responsibility AS same,
       'accountable: sell via phone'::responsibility = 'accountable: sell'::responsibility AS other;

-- What is none.
SELECT ''::responsibility;
SELECT 'owner: sell'::responsibility;
SELECT 'accountable sell'::responsibility;
SELECT 'accountable:'::responsibility;
SELECT 'accountable: sell, fly'::responsibility;
SELECT 'accountable: sell via'::responsibility;
SELECT 'accountable: sell via pigeon'::responsibility;
SELECT 'accountable: sell via phone;'::responsibility;

-- Parts.
SELECT role(d), duties(d), channels(d), is_accountable(d), has_duty(d, 'sell') AS sells, allows(d, 'phone') AS phone, allows(d, 'fax') AS fax
FROM (VALUES ('accountable: service, sell via email, phone'::responsibility), ('informed: market')) AS v (d);
SELECT responsibility('accountable', '{sell,service}', '{email,phone}'), responsibility('Consulted', '{market}');
SELECT bool_and(responsibility(role(d), duties(d), channels(d)) = d)
FROM (SELECT ('responsible: sell via ' || c)::responsibility AS d FROM unnest(enum_range(NULL::channel)) AS c) AS v;
SELECT responsibility('boss', '{sell}');
SELECT responsibility('accountable', '{fly}');
SELECT responsibility('accountable', '{}');
SELECT responsibility('accountable', '{sell,NULL}');
SELECT responsibility('accountable', '{sell}', '{NULL}');
SELECT has_duty('accountable: sell', 'fly');
SELECT responsibility(NULL, '{sell}') IS NULL AS is_null;

-- Conflict: both accountable, a duty and a channel in common. Only accountable conflicts with itself.
SELECT a, b, a && b AS conflict, b && a AS commuted, a @> b AS covers, a <@ b AS covered
FROM (VALUES ('accountable: sell'::responsibility, 'accountable: sell'::responsibility),
    ('accountable: sell via phone', 'accountable: sell via email'), ('accountable: sell via phone', 'accountable: sell, service'),
    ('accountable: sell', 'accountable: service'), ('accountable: sell', 'responsible: sell'),
    ('responsible: sell', 'responsible: sell'), ('consulted: sell', 'consulted: sell'), ('informed: sell', 'informed: sell')) AS v (a, b);

-- Arithmetic.
SELECT a + b AS "union", a * b AS intersection, a - b AS difference
FROM (VALUES ('accountable: sell via phone'::responsibility, 'accountable: service via email'::responsibility),
    ('accountable: sell, service', 'accountable: sell'), ('accountable: sell', 'accountable: sell'),
    ('accountable: sell', 'accountable: sell via phone'), ('accountable: sell via phone, email', 'accountable: sell, service via phone')) AS v (a, b);
SELECT 'accountable: sell'::responsibility * 'informed: sell'::responsibility AS none, 'accountable: sell'::responsibility - 'informed: sell'::responsibility AS unchanged;
SELECT 'accountable: sell'::responsibility + 'informed: sell'::responsibility;
SELECT 'accountable: sell, service'::responsibility - 'accountable: sell via phone'::responsibility;

-- Binary: there and back, and nothing else in.
CREATE TEMP TABLE b (d responsibility);
INSERT INTO b VALUES ('informed: market via other'), ('accountable: sell');
\copy b TO PROGRAM 'cat > "${TMPDIR:-/tmp}/crm_responsibility.bin"' WITH (FORMAT binary)
CREATE TEMP TABLE c (LIKE b);
\copy c FROM PROGRAM 'cat "${TMPDIR:-/tmp}/crm_responsibility.bin"; rm "${TMPDIR:-/tmp}/crm_responsibility.bin"' WITH (FORMAT binary)
SELECT * FROM c EXCEPT ALL SELECT * FROM b;
SELECT count(*) FROM c;
-- another version, no duty, an eleventh channel, a reserved bit, too short
\copy c FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\2\0\0\0\0\0\0\0\1\377\377"' WITH (FORMAT binary)
\copy c FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\1\0\0\0\0\0\0\1\0\377\377"' WITH (FORMAT binary)
\copy c FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\1\0\0\0\0\0\4\0\1\377\377"' WITH (FORMAT binary)
\copy c FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\1\200\0\0\0\0\0\0\1\377\377"' WITH (FORMAT binary)
\copy c FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\5\1\0\0\0\1\377\377"' WITH (FORMAT binary)

-- Operator classes.
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod WHERE opcname = 'responsibility_ops' ORDER BY 2;

-- The index answers what a scan of the table answers: every duty mask, sampled channels, every role.
CREATE TEMP TABLE r AS
SELECT responsibility(role, array(SELECT (enum.d)[i] FROM generate_series(1, 8) AS i WHERE mask >> (i - 1) & 1 = 1),
                      array(SELECT c FROM unnest(enum_range(NULL::channel)) WITH ORDINALITY AS u (c, i) WHERE chan >> (i::int - 1) & 1 = 1)) AS d
FROM (SELECT '{acquire,advise,sell,deliver,service,collect,retain,market}'::text[] AS d) AS enum,
     generate_series(1, 255) AS mask, unnest('{0,1,5,512,1023,340}'::int[]) AS chan,
     unnest('{accountable,responsible,consulted,informed}'::text[]) AS role;
SELECT count(*), count(DISTINCT d) FROM r;
CREATE INDEX r_gist ON r USING gist (d);
CREATE TEMP TABLE q AS SELECT d FROM r WHERE responsibility_hash(d) % 53 = 0 LIMIT 120;
CREATE FUNCTION pg_temp.answers(OUT conflicts bigint, OUT equals bigint, OUT covers bigint, OUT covered bigint, OUT digest text) LANGUAGE sql AS $$
    SELECT sum(a) FILTER (WHERE o = 1), sum(a) FILTER (WHERE o = 2), sum(a) FILTER (WHERE o = 3), sum(a) FILTER (WHERE o = 4), md5(string_agg(o || ':' || a || ':' || s, ',' ORDER BY q.d::text, o))
    FROM q CROSS JOIN LATERAL (
        SELECT 1, count(*), sum(responsibility_hash(r.d)::numeric) FROM r WHERE r.d && q.d
        UNION ALL SELECT 2, count(*), sum(responsibility_hash(r.d)::numeric) FROM r WHERE r.d = q.d
        UNION ALL SELECT 3, count(*), sum(responsibility_hash(r.d)::numeric) FROM r WHERE r.d @> q.d
        UNION ALL SELECT 4, count(*), sum(responsibility_hash(r.d)::numeric) FROM r WHERE r.d <@ q.d) AS x (o, a, s) $$;
SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
CREATE TEMP TABLE seq AS SELECT * FROM pg_temp.answers();
RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_indexonlyscan; SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM r WHERE d && 'accountable: sell';
SELECT a = s AS same, (s).conflicts > 0 AND (s).covers > 0 AND (s).covered > 0 AS some FROM pg_temp.answers() AS a, seq AS s;
-- the same after splits of random, sorted and identical keys
TRUNCATE r;
INSERT INTO r SELECT q.d FROM q, generate_series(1, 400);
INSERT INTO r SELECT d FROM q ORDER BY d;
INSERT INTO r SELECT 'accountable: sell' FROM generate_series(1, 30000);
SELECT (SELECT count(*) FROM r WHERE d = 'accountable: sell') >= 30000 AS found;
SELECT a.conflicts AS conflicts, a.digest <> '' AS done INTO TEMP by_index FROM pg_temp.answers() AS a;
RESET enable_seqscan; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
SELECT i.conflicts = (SELECT count(*) FROM r, q WHERE r.d && q.d) AS same FROM by_index AS i;
RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_indexonlyscan;

-- Clearly separated.
CREATE TEMP TABLE s (customer_id bigint, duty responsibility, valid tstzrange,
    EXCLUDE USING gist (customer_id WITH =, duty WITH OPERATOR(crm.&&), valid WITH &&));
INSERT INTO s VALUES (1, 'accountable: sell via phone', '[2026-01-01,2026-02-01)');
INSERT INTO s VALUES (1, 'accountable: sell via email', '[2026-01-01,2026-02-01)');
INSERT INTO s VALUES (1, 'accountable: sell', '[2026-02-01,)'), (2, 'accountable: sell', '[2026-01-01,)');
INSERT INTO s VALUES (1, 'responsible: sell', '[2026-01-01,)'), (1, 'responsible: sell', '[2026-01-01,)');
\set VERBOSITY sqlstate
INSERT INTO s VALUES (1, 'accountable: sell, market', '[2026-01-15,2026-01-16)');
UPDATE s SET duty = 'accountable: sell' WHERE duty = 'responsible: sell';
\set VERBOSITY default
SELECT count(*) FROM s;

-- What row security may push down: the marks are these and no others.
SELECT p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace
WHERE nspname = 'crm' AND proleakproof AND 'crm.responsibility'::regtype = ANY (proargtypes) ORDER BY 1;
