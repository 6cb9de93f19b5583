-- access: the trigger that is in C. It may be executed by all, for a trigger can only be made by the owner of its table, and
-- it reads as that owner.

CREATE FUNCTION crm.audience_stamp() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_audience_stamp' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.audience_stamp() IS
    'row trigger of tables with customers'' facts: refuses what concerns a customer that the writer may not see, puts the partner''s name on what its login writes and its number before the source or idempotency key, and gives a fact the audience of its customer';
