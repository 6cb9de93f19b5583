-- access: what of it is in C. The trigger may be executed by all, for a trigger can only be made by the owner of its table, and
-- it reads as that owner.

CREATE FUNCTION crm.audience_stamp() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_audience_stamp' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.audience_stamp() IS
    'row trigger of tables with customers'' facts: refuses what concerns a customer that the writer may not see, puts the partner''s name on what its login writes and its number before the source or idempotency key, and gives a fact the audience of its customer';

CREATE FUNCTION crm.serially(keys anyarray) RETURNS anyarray
    AS 'MODULE_PATHNAME', 'crm_serially' LANGUAGE C IMMUTABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION crm.serially(anyarray) IS
    'what it is given; for policies, so that what a partner asks of a table is not shared out among parallel workers, which would cost more than so few rows do: the planner does not know how few';
