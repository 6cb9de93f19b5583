-- Row-level security by audience: what a partner's login pays. Run with psql in a database of its own;
-- -v customers=1000000 (100000 when left out), ten interactions each, 200 partners with 3 duties each.
\if :{?customers}
\else
\set customers 100000
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
SELECT crm.setup() \g /dev/null
DO $$ BEGIN CREATE ROLE crm_bench_partner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE crm_bench_agent; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
SELECT crm.grant_access('crm_bench_agent', 'agent') \g /dev/null

INSERT INTO crm.partner (partner_id, name, position) SELECT i, 'P' || i, 'retailer' FROM generate_series(1, 200) AS i;
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid)
SELECT (t + k * 67) % 200 + 1, ('t' || t)::ltree, ((ARRAY['accountable: sell', 'consulted: advise', 'informed: service'])[k + 1])::crm.responsibility, '[2020-01-01,)'
FROM generate_series(0, 199) AS t, generate_series(0, 2) AS k;
INSERT INTO crm.customer (customer_id, name) SELECT i, 'C' || i FROM generate_series(1, :customers) AS i;
INSERT INTO crm.customer_territory SELECT i, ('t' || i % 200)::ltree FROM generate_series(1, :customers) AS i;
-- As if the loop had been there: what it derives is not asked for here.
SET session_replication_role = replica;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, analysed_at)
SELECT i % :customers + 1, 'email', 'outbound', 'sent', now() - i * interval '1 second', now() FROM generate_series(1, :customers * 10) AS i;
RESET session_replication_role;
\timing on
\echo 'first access of a partner: audiences of all rows'
SELECT crm.grant_access('crm_bench_partner', 'partner', 7) \g /dev/null
\timing off
-- For comparison: who owns a row in a column of its own, without security.
CREATE TABLE owned AS SELECT interaction_id, customer_id, occurred_at, (customer_id % 67)::integer AS owner FROM crm.interaction;
CREATE INDEX ON owned (owner);
VACUUM ANALYZE;

CREATE FUNCTION pg_temp.best(who text, query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    least float8 := 'Infinity';
    began timestamptz;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    FOR i IN 1 .. 9 LOOP
        began := clock_timestamp();
        EXECUTE query;
        least := least(least, 1000 * extract(epoch FROM clock_timestamp() - began));
    END LOOP;
    RESET ROLE;
    RETURN round(least::numeric, 3);
END $$;
GRANT SELECT ON owned TO crm_bench_partner;
SELECT format($$ SELECT * FROM crm.customer WHERE customer_id = %s $$, min(customer_id) FILTER (WHERE customer_id > 1000)) AS point
FROM crm.customer WHERE audience_id IN (SELECT audience_id FROM crm.audience_partner WHERE partner_id = 7) \gset
BEGIN;
SET LOCAL ROLE crm_bench_partner;
SELECT count(*) AS seen FROM crm.interaction \gset
SELECT count(*) AS compared FROM owned WHERE owner = 3 \gset
EXPLAIN (COSTS off) SELECT count(*) FROM crm.interaction;
ROLLBACK;
\echo 'milliseconds'
SELECT what, pg_temp.best('crm_bench_partner', query) AS ms FROM (VALUES
    (1, 'point look-up of a customer', replace(:'point', '*', 'customer_id, name')),
    (2, 'newest 20 interactions', 'SELECT interaction_id, occurred_at FROM crm.interaction ORDER BY occurred_at DESC LIMIT 20'),
    (3, 'newest 20, crm.newest_interactions()', 'SELECT * FROM crm.newest_interactions(20)'),
    (4, '20 customers by name', 'SELECT customer_id, name FROM crm.customer ORDER BY customer_id LIMIT 20'),
    (5, 'count of its interactions', 'SELECT count(*) FROM crm.interaction'),
    (6, 'the same count by an owner column, no security', 'SELECT count(*) FROM owned WHERE owner = 3')) AS v (n, what, query) ORDER BY n;
SELECT :seen AS seen, :compared AS compared;

-- The loop: what an interaction costs while partners have access, and with the trigger that it takes switched off. The
-- index stays, and a row has some audience: what a table pays for its indexes is not the loop's. The customers are those that the partner sees, or all
-- in no order; a statement writes 20,000 interactions, or 1. Best of five, taken by turns.
CREATE TABLE told AS SELECT row_number() OVER (ORDER BY c.customer_id) AS n, c.customer_id FROM crm.customer AS c
WHERE c.audience_id IN (SELECT m.audience_id FROM crm.audience_partner AS m WHERE m.partner_id = 7);
ALTER TABLE told ADD PRIMARY KEY (n);
GRANT SELECT ON told TO crm_bench_partner, crm_bench_agent;
CREATE TABLE load (n integer PRIMARY KEY, who text, customers text, access boolean, many float8 DEFAULT 'Infinity', one float8 DEFAULT 'Infinity');
INSERT INTO load VALUES (1, current_user, 'all', true), (2, current_user, 'all', false), (3, 'crm_bench_agent', 'all', true), (4, 'crm_bench_agent', 'all', false),
    (5, current_user, 'seen', false), (6, 'crm_bench_partner', 'seen', true);
VACUUM ANALYZE told;
SELECT count(*) AS seen_customers FROM told \gset
SET crm.loop = immediate;
SELECT format($do$
DO $$
DECLARE
    l load;
    began timestamptz;
    first float8;
    second float8;
BEGIN
    FOR turn IN 1 .. 5 LOOP
        FOR step IN 1 .. 6 LOOP
            SELECT * INTO l FROM load WHERE load.n = step;
            EXECUTE format('ALTER TABLE crm.interaction %%s TRIGGER a_audience_stamp', CASE WHEN l.access THEN 'ENABLE' ELSE 'DISABLE' END);
            EXECUTE format('SET ROLE %%I', l.who);
            began := clock_timestamp();
            IF l.customers = 'all' THEN
                INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, audience_id)
                SELECT i * 7919 %% %1$s + 1, 'email', 'outbound', 'sent', now() - interval '1 day', i %% 200 FROM generate_series(1, 20000::bigint) AS i;
            ELSE
                INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
                SELECT t.customer_id, 'email', 'outbound', 'sent', now() - interval '1 day'
                FROM generate_series(1, 20000::bigint) AS i JOIN told AS t ON t.n = i * 7919 %% %2$s + 1;
            END IF;
            first := extract(epoch FROM clock_timestamp() - began);
            began := clock_timestamp();
            FOR i IN 1 .. 2000 LOOP
                IF l.customers = 'all' THEN
                    INSERT INTO crm.interaction (customer_id, channel, direction, outcome, audience_id)
                    VALUES (i * 7919::bigint %% %1$s + 1, 'email', 'outbound', 'sent', i %% 200);
                ELSE
                    INSERT INTO crm.interaction (customer_id, channel, direction, outcome)
                    VALUES ((SELECT t.customer_id FROM told AS t WHERE t.n = i * 7919 %% %2$s + 1), 'email', 'outbound', 'sent');
                END IF;
            END LOOP;
            second := extract(epoch FROM clock_timestamp() - began);
            RESET ROLE;
            UPDATE load SET many = least(many, first / 20000), one = least(one, second / 2000) WHERE load.n = l.n;
            COMMIT;
        END LOOP;
    END LOOP;
    ALTER TABLE crm.interaction ENABLE TRIGGER a_audience_stamp;
END $$ $do$, :customers, :seen_customers) \gexec
\echo 'microseconds an interaction, and times what it costs without the trigger'
SELECT l.who, l.customers, l.access, round((1e6 * l.many)::numeric, 1) AS "of 20,000", round((l.many / o.many)::numeric, 2) AS times,
       round((1e6 * l.one)::numeric, 1) AS "of 1", round((l.one / o.one)::numeric, 2) AS times_of_1
FROM load AS l JOIN load AS o ON o.n = CASE l.n WHEN 1 THEN 2 WHEN 3 THEN 4 WHEN 6 THEN 5 ELSE l.n END ORDER BY l.n;
