-- loop: the triggers that are in C. They may be executed by all, for a trigger can only be made by the owner of its
-- table, and they run as that owner.

CREATE FUNCTION crm.stamp_fact() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_stamp_fact' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.stamp_fact() IS
    'row trigger of crm.interaction and crm.purchase: refuses a time that is infinite or in the future, and sets analysed_at; arguments: the time column, then the other columns that the loop derives from';

CREATE FUNCTION crm.touched_customers(relation regclass) RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'crm_touched_customers' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.touched_customers(regclass) IS
    'for the statement triggers of a table of facts: the customers of the rows that the running statement writes, when it both inserts and updates or deletes; null otherwise';

CREATE FUNCTION crm.interaction_after_insert() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_interaction_after_insert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.interaction_after_insert() IS
    'statement trigger of crm.interaction: adds new interactions to crm.customer_channel and does what their outcomes imply';

CREATE FUNCTION crm.rules_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_rules_changed' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.rules_changed() IS
    'statement trigger of crm.outcome_effect and crm.channel_policy: makes every session read the rules again';
