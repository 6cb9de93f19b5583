-- CREATE EXTENSION says what to do next; other messages of its script stay off.
\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS crm CASCADE;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS ltree;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
RESET client_min_messages;
\set ECHO all
CREATE EXTENSION crm;
SELECT count(*) FROM pg_proc WHERE proname = 'announce';
-- Rolled back, there is nothing to say.
DROP EXTENSION crm;
BEGIN;
CREATE EXTENSION crm;
ROLLBACK;
SET client_min_messages = warning;
CREATE EXTENSION crm;
