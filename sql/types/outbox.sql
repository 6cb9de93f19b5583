-- outbox: the question whether a customer may be contacted, asked of what is committed now.

CREATE FUNCTION crm.contact_check_locked(customer_id bigint, channel crm.channel, contact_point_id bigint, purpose text,
                                         at timestamptz, message_id bigint, waiting boolean,
                                         OUT ordinal bigint, OUT contact_point bigint, OUT consent_id bigint,
                                         OUT refusal text, OUT detail text, OUT next_at timestamptz,
                                         OUT checked_at timestamptz, OUT address text) RETURNS record
    AS 'MODULE_PATHNAME', 'crm_contact_check_locked' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.contact_check_locked(bigint, crm.channel, bigint, text, timestamptz, bigint, boolean) IS
    'crm.contact_check() for one contact, under locks on the customer and its contact points, of what is committed by then, whatever the isolation level; at the given time, or when the locks are held if that is later or none is given: checked_at. Address: that of the contact point, in the form to send to';
-- Not revoked from PUBLIC: the owner of the schema, whose trigger calls it, need not be the owner of the extension. It does
-- everything with the rights of its caller, who must be allowed to call crm.contact_check().
