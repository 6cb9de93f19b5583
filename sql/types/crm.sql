-- crm: the extension script. It brings code only: types, operators, aggregates and C functions.
-- The tables that hold data are made by crm.setup(), as ordinary objects of the caller.
\echo Use "CREATE EXTENSION crm CASCADE" to load this file. \quit

-- The schema itself: everybody may look names up in it; the database's owner may set crm up in it.
GRANT USAGE ON SCHEMA crm TO PUBLIC;
GRANT CREATE ON SCHEMA crm TO pg_database_owner;
COMMENT ON SCHEMA crm IS 'customer relationship management: types and functions of the extension crm, and the tables and views that crm.setup() creates';

-- Enumerations -----------------------------------------------------------------------------------------------

CREATE TYPE crm.channel AS ENUM
    ('phone', 'social', 'email', 'letter', 'fax', 'visit', 'sms', 'chat', 'web', 'other');
COMMENT ON TYPE crm.channel IS 'the way a contact takes; visit is the personal conversation';

CREATE TYPE crm.direction AS ENUM ('inbound', 'outbound');
COMMENT ON TYPE crm.direction IS 'who began the contact: inbound the customer, outbound we';

CREATE TYPE crm.outcome AS ENUM
    ('sent', 'delivered', 'opened', 'clicked', 'replied', 'reached', 'converted', 'declined', 'callback',
     'unreached', 'unanswered', 'bounced', 'unsubscribed', 'complained');
COMMENT ON TYPE crm.outcome IS 'what came of a contact; crm.outcome_effect says what it tells about the channel';

CREATE TYPE crm.customer_kind AS ENUM ('person', 'organisation', 'household');
COMMENT ON TYPE crm.customer_kind IS 'what a customer is';

CREATE TYPE crm.lifecycle AS ENUM ('prospect', 'lead', 'customer', 'lapsed', 'lost');
COMMENT ON TYPE crm.lifecycle IS 'how far the relationship has come, in this order';

-- The module ---------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.version() RETURNS text
    AS 'MODULE_PATHNAME', 'crm_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.version() IS 'version of the loaded library';
CREATE FUNCTION crm.setup() RETURNS text
    AS 'MODULE_PATHNAME', 'crm_setup' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.setup() IS
    'create or update the tables, views, triggers and functions of crm in this database, as objects of the caller, in one transaction; says what it did';
REVOKE ALL ON FUNCTION crm.setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.setup() TO pg_database_owner;
