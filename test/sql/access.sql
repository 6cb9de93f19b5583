\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
BEGIN;
DO $$ BEGIN IF to_regclass('crm.installation') IS NULL THEN PERFORM crm.setup(); END IF; END $$;
\set ECHO all
-- COPY as a partner's login: its own customers, like SELECT
CREATE ROLE regress_crm_partner;
INSERT INTO crm.partner (partner_id, name, position) VALUES (9001, 'A', 'retailer'), (9002, 'B', 'retailer');
INSERT INTO crm.customer (customer_id, name) VALUES (9001, 'Of A'), (9002, 'Of B');
INSERT INTO crm.customer_territory (customer_id, territory) VALUES (9001, 'west'), (9002, 'east');
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES
    (9001, 'west', 'accountable: sell', '[2020-01-01,)'), (9002, 'east', 'accountable: sell', '[2020-01-01,)');
INSERT INTO crm.interaction (interaction_id, customer_id, channel, direction, outcome) VALUES
    (9001, 9001, 'email', 'outbound', 'sent'), (9002, 9002, 'email', 'outbound', 'sent');
SELECT crm.grant_access('regress_crm_partner', 'partner', 9001);
SET LOCAL ROLE regress_crm_partner;
COPY crm.customer (customer_id, name) TO STDOUT;
COPY crm.interaction (interaction_id, customer_id) TO STDOUT;
COPY (SELECT customer_id, name, taken_until FROM crm.customer_directory) TO STDOUT;
COPY (SELECT customer_id FROM crm.newest_interactions()) TO STDOUT;
SAVEPOINT s;
COPY crm.customer TO STDOUT;
ROLLBACK TO s;
-- Into it as well: PostgreSQL has no COPY FROM under row-level security
\copy crm.interaction (customer_id, channel, direction, outcome) FROM '/dev/null'
ROLLBACK TO s;
-- row_security off gives an error, not rows
SET LOCAL row_security = off;
SELECT count(*) FROM crm.customer;
ROLLBACK;
