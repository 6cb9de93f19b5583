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

INSERT INTO crm.partner (partner_id, name, position) SELECT i, 'P' || i, 'retailer' FROM generate_series(1, 200) AS i;
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid)
SELECT (t + k * 67) % 200 + 1, ('t' || t)::ltree, ((ARRAY['accountable: sell', 'consulted: advise', 'informed: service'])[k + 1])::crm.responsibility, '[2020-01-01,)'
FROM generate_series(0, 199) AS t, generate_series(0, 2) AS k;
INSERT INTO crm.customer (customer_id, name) SELECT i, 'C' || i FROM generate_series(1, :customers) AS i;
INSERT INTO crm.customer_territory SELECT i, ('t' || i % 200)::ltree FROM generate_series(1, :customers) AS i;
SET crm.loop = deferred;
ALTER TABLE crm.interaction DISABLE TRIGGER loop_insert;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT i % :customers + 1, 'email', 'outbound', 'sent', now() - i * interval '1 second' FROM generate_series(1, :customers * 10) AS i;
ALTER TABLE crm.interaction ENABLE TRIGGER loop_insert;
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

-- The loop: what an interaction costs while partners have access, and while none has.
CREATE FUNCTION pg_temp.load() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
    SELECT i % 50000 + 1, 'email', 'outbound', 'sent', now() - interval '1 day' FROM generate_series(1, 100000) AS i;
    RETURN extract(epoch FROM clock_timestamp() - began);
END $$;
SET crm.loop = immediate;
SELECT pg_temp.load() \g /dev/null
SELECT round(min(s)::numeric, 2) AS "100,000 interactions, partners have access: s" FROM (SELECT pg_temp.load() AS s FROM generate_series(1, 3)) AS r;
ALTER TABLE crm.interaction DISABLE TRIGGER a_audience_stamp;
SELECT round(min(s)::numeric, 2) AS "none has: s" FROM (SELECT pg_temp.load() AS s FROM generate_series(1, 3)) AS r;
