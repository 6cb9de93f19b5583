-- Last of all: what to do next. The function serves this script only.

CREATE FUNCTION crm.announce() RETURNS void
    AS 'MODULE_PATHNAME', 'crm_announce' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
SELECT crm.announce();
DROP FUNCTION crm.announce();
