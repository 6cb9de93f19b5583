-- outbox: the question whether a customer may be contacted, also asked of what is committed now, and the trigger that has it asked.

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

CREATE FUNCTION crm.quiet_until(channel crm.channel, country text, region text, time_zone text, at timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'crm_quiet_until' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.quiet_until(crm.channel, text, text, text, timestamptz) IS
    'the end of the quiet time in which the instant lies, for a customer of this country, region and time zone over this channel; null: it lies in none; infinity: the rules leave no time at all. The same as crm.quiet_time_until(), quicker';

CREATE TYPE crm.used_cap AS (cap integer, cap_window interval, channel crm.channel, next_at timestamptz);
COMMENT ON TYPE crm.used_cap IS 'a cap that is used up, and from when on the next contact is possible';
COMMENT ON COLUMN crm.used_cap.cap IS 'so many contacts';
COMMENT ON COLUMN crm.used_cap.cap_window IS 'within this window';
COMMENT ON COLUMN crm.used_cap.channel IS 'over this channel; null: over all together';
COMMENT ON COLUMN crm.used_cap.next_at IS 'from when on the next is possible; infinity: never';

CREATE FUNCTION crm.cap_reached(customer_id bigint, channel crm.channel, at timestamptz, message_id bigint, waiting boolean) RETURNS crm.used_cap
    AS 'MODULE_PATHNAME', 'crm_cap_reached' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.cap_reached(bigint, crm.channel, timestamptz, bigint, boolean) IS
    'the cap that forbids a contact with the customer over the channel at that time, the one that does so longest; null: none does. The message is left out; waiting: does what waits count. The same as crm.used_up_cap(), quicker';

CREATE FUNCTION crm.contact_check(customer_ids bigint[], channels crm.channel[], contact_point_ids bigint[], purposes text[],
                                  ats timestamptz[], message_ids bigint[], waiting boolean)
    RETURNS TABLE (ordinal bigint, customer_id bigint, channel crm.channel, contact_point_id bigint, consent_id bigint,
                   refusal text, detail text, next_at timestamptz, address text)
    AS 'MODULE_PATHNAME', 'crm_contact_check' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.contact_check(bigint[], crm.channel[], bigint[], text[], timestamptz[], bigint[], boolean) IS
    'may these customers be contacted: the arrays are read side by side (customer, channel, contact point or null for any, purpose, time, the message itself or null); the answers come in any order, each with its place (ordinal). Refusal: null for yes, else the name of the rule (message_contact_point, message_blocked, message_consent, message_quiet_hours, message_cap), with why and from when on. Address: that of the contact point, in the form to send to. Waiting: do waiting messages count for the caps';

CREATE FUNCTION crm.message_before() RETURNS trigger
    AS 'MODULE_PATHNAME', 'crm_message_before' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.message_before() IS
    'row trigger of crm.message: a message that is only claimed, or was sent, takes its step; everything else is for crm.message_gate() to allow or refuse';
-- Not revoked from PUBLIC: the owner of the schema, whose functions call them, need not be the owner of the extension. They do
-- everything with the rights of their caller, who must be allowed to read these tables or call the functions in SQL that do, or to
-- lock these rows.
