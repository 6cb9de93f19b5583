-- outbox: the question whether a customer may be contacted, asked of what is committed now, and the trigger that has it asked.

CREATE FUNCTION crm.contact_check_locked(customer_id bigint, channel crm.channel, contact_point_id bigint, purpose text,
                                         at timestamptz, message_id bigint, waiting boolean,
                                         OUT ordinal bigint, OUT contact_point bigint, OUT consent_id bigint,
                                         OUT refusal text, OUT detail text, OUT next_at timestamptz,
                                         OUT checked_at timestamptz, OUT address text) RETURNS record
    AS 'MODULE_PATHNAME', 'crm_contact_check_locked' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.contact_check_locked(bigint, crm.channel, bigint, text, timestamptz, bigint, boolean) IS
    'crm.contact_check() for one contact, under locks on the customer and its contact points, of what is committed by then, whatever the isolation level; at the given time, or when the locks are held if that is later or none is given: checked_at. Address: that of the contact point, in the form to send to';

CREATE FUNCTION crm.lock_messages(message_ids bigint[]) RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'crm_lock_messages' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.lock_messages(bigint[]) IS
    'locks all that sending these messages depends on: their customers'' contact points of their channels, their customers, and the messages, in this order, each by key. A message that another session holds is asked for again for a second, then left; returns those that were locked';

CREATE FUNCTION crm.check_messages(message_ids bigint[])
    RETURNS TABLE (message_id bigint, contact_point bigint, consent_id bigint, refusal text, detail text, next_at timestamptz,
                   checked_at timestamptz, address text)
    AS 'MODULE_PATHNAME', 'crm_check_messages' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.check_messages(bigint[]) IS
    'crm.contact_check() for messages that are about to be sent, all at once, of what is committed now; crm.lock_messages() has locked them. Messages of one customer do not count for each other: ask for one of each';

CREATE FUNCTION crm.message_before() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_message_before' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.message_before() IS
    'row trigger of crm.message: a message that is only claimed, or was sent, takes its step; everything else is for crm.message_gate() to allow or refuse';
-- Not revoked from PUBLIC: the owner of the schema, whose functions call them, need not be the owner of the extension. They do
-- everything with the rights of their caller, who must be allowed to call crm.contact_check() or to lock these rows.
