-- The best channel of one customer and of a million, with and without the probability of being best; one decision and many.
--
--   psql -v customers=1000000 -f choice.sql      in a database without crm
--
-- Customers, contact points, consents and scores are made directly, without the loop, which loop.sh measures.
\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\if :{?customers} \else \set customers 1000000 \endif
SET client_min_messages = warning;
CREATE EXTENSION crm CASCADE;
SELECT crm.setup();
SET synchronous_commit = off;
SET session_replication_role = replica;
INSERT INTO crm.customer (customer_id, name, kind, country)
SELECT i, 'C' || i, 'person', 'DE' FROM generate_series(1, :customers) AS i;
INSERT INTO crm.contact_point (contact_point_id, customer_id, channel, address)
SELECT i * 6 + k, i, c, CASE WHEN c IN ('phone', 'fax') THEN '+49' || 3000000000 + i WHEN c = 'email' THEN 'c' || i || '@example.com' ELSE 'x' || i END
FROM generate_series(1, :customers) AS i, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, k);
INSERT INTO crm.customer_channel (customer_id, channel, score, interactions, last_outbound_at)
SELECT i, c, crm.channel_score(s, 1 - s, at, '364 days'), 4, max(at)
FROM generate_series(1, :customers) AS i, unnest('{phone,social,email,letter,fax,visit}'::crm.channel[]) WITH ORDINALITY AS u (c, k),
     LATERAL (SELECT now() - (g * 41 + i % 13) * interval '1 day' AS at, ((i * 7919 + k * 104729 + g * 31) % 10 < k)::int AS s FROM generate_series(1, 4) AS g) AS o
GROUP BY i, c;
RESET session_replication_role;
VACUUM ANALYZE;
