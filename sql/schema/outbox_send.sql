-- outbox, sending: what workers call. Every step names the token of the lease, so that a worker that was too slow cannot
-- finish what another has taken over.

CREATE FUNCTION crm.expire_leases() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    moment timestamptz := clock_timestamp();    -- not a call within the query, which no index could serve
    expired bigint;
BEGIN
    UPDATE crm.message AS m SET
        status = CASE WHEN m.status = 'leased' OR p.is_idempotent THEN 'ready' ELSE 'unknown' END,
        last_error = CASE WHEN m.status = 'leased' THEN m.last_error ELSE format('the lease ran out at %s while it was being sent', m.leased_until) END
    FROM (SELECT e.message_id, e.channel FROM crm.message AS e
          WHERE e.status IN ('leased', 'sending') AND e.leased_until <= moment
          ORDER BY e.message_id FOR UPDATE SKIP LOCKED) AS e
    JOIN crm.channel_policy AS p ON p.channel = e.channel
    WHERE m.message_id = e.message_id;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END $$;
COMMENT ON FUNCTION crm.expire_leases() IS
    'ends the leases that have run out: what was only claimed is ready again, what was being sent is unknown, unless its channel is idempotent; returns how many. crm.claim_messages() calls it';
REVOKE ALL ON FUNCTION crm.expire_leases() FROM PUBLIC;

CREATE FUNCTION crm.put_off_messages(message_ids bigint[], refusals text[], next_ats timestamptz[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    UPDATE crm.message AS m SET
        status = CASE WHEN k.next_at < 'infinity' THEN 'ready' ELSE 'cancelled' END,
        not_before = CASE WHEN k.next_at < 'infinity' THEN greatest(k.next_at, m.not_before) ELSE m.not_before END,
        refusal = k.refusal
    FROM unnest(message_ids, refusals, next_ats) AS k (message_id, refusal, next_at)
    WHERE m.message_id = k.message_id;
END $$;
COMMENT ON FUNCTION crm.put_off_messages(bigint[], text[], timestamptz[]) IS
    'what may not be sent at present waits until it may, or is cancelled when that is never; the caller has locked the messages';
REVOKE ALL ON FUNCTION crm.put_off_messages(bigint[], text[], timestamptz[]) FROM PUBLIC;

CREATE FUNCTION crm.claim_messages(channels crm.channel[] DEFAULT NULL, "limit" integer DEFAULT 1,
                                   lease interval DEFAULT '5 minutes', worker text DEFAULT NULL)
    RETURNS TABLE (message_id bigint, token bigint, customer_id bigint, channel crm.channel, contact_point_id bigint, address text,
                   purpose text, campaign_id bigint, subject text, body text, parameters jsonb, attempts integer,
                   idempotency_key text, in_reply_to text, leased_until timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    missing integer := "limit";
    moment timestamptz := clock_timestamp();
    candidates bigint[];
    places tid[];
    tables oid[];
    customers bigint[];
    of_channels crm.channel[];
    points bigint[];
    purposes text[];
    permitted bigint[];
    addresses text[];
    refused bigint[];
    refusals text[];
    next_ats timestamptz[];
BEGIN
    IF "limit" IS NULL OR "limit" < 0 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the number of messages to claim must not be negative or null';
    ELSIF lease IS NULL OR lease <= '0' OR lease > '30 days' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a lease must last longer than nothing and at most 30 days';
    END IF;
    IF EXISTS (SELECT FROM crm.message AS m WHERE m.status IN ('leased', 'sending') AND m.leased_until <= moment) THEN
        PERFORM crm.expire_leases();
    END IF;

    -- What may not be sent at present makes room for the next: a few rounds, so that a call stays short.
    FOR round IN 1 .. 10 LOOP
        EXIT WHEN missing <= 0;
        -- Arrays, not IN (SELECT ... LIMIT): a limit unknown when the plan is made makes that read the whole table.
        -- Within a channel the locks are taken one by one, in the order of priority and time, until there are enough. What is asked
        -- of customers is asked in their order. What is locked stays in its place (in its partition, where there are any), where it is found again.
        SELECT array_agg(c.message_id), array_agg(c.place), array_agg(c.within), array_agg(c.customer_id), array_agg(c.channel),
               array_agg(c.contact_point_id), array_agg(c.purpose)
        INTO candidates, places, tables, customers, of_channels, points, purposes
        FROM (SELECT c.* FROM (
            SELECT c.message_id, c.place, c.within, c.customer_id, c.channel, c.contact_point_id, c.purpose
            FROM (SELECT DISTINCT u.channel FROM unnest(coalesce(channels, enum_range(NULL::crm.channel))) AS u (channel)) AS h
            CROSS JOIN LATERAL (
                SELECT m.message_id, m.place, m.within, m.customer_id, m.channel, m.contact_point_id, m.purpose, m.priority, m.not_before
                FROM generate_series(0, 9) AS p (priority)
                CROSS JOIN LATERAL (
                    SELECT w.message_id, w.ctid AS place, w.tableoid AS within, w.customer_id, w.channel, w.contact_point_id, w.purpose, w.priority, w.not_before
                    FROM crm.message AS w
                    WHERE w.status = 'ready' AND w.channel = h.channel AND w.priority = p.priority AND w.not_before <= now()
                    ORDER BY w.not_before, w.message_id LIMIT missing FOR UPDATE SKIP LOCKED) AS m
                LIMIT missing) AS c
            ORDER BY c.priority, c.not_before, c.message_id LIMIT missing) AS c ORDER BY c.customer_id) AS c;
        EXIT WHEN candidates IS NULL;

        SELECT array_agg(k.ordinal) FILTER (WHERE k.refusal IS NULL), array_agg(k.address) FILTER (WHERE k.refusal IS NULL),
               array_agg(candidates[k.ordinal]) FILTER (WHERE k.refusal IS NOT NULL), array_agg(k.refusal) FILTER (WHERE k.refusal IS NOT NULL),
               array_agg(k.next_at) FILTER (WHERE k.refusal IS NOT NULL)
        INTO permitted, addresses, refused, refusals, next_ats
        FROM crm.contact_check(customers, of_channels, points, purposes, array_fill(now(), ARRAY[cardinality(candidates)]), candidates, false) AS k;
        -- Who is not permitted now is put off to when he is, or cancelled.
        IF refused IS NOT NULL THEN
            PERFORM crm.put_off_messages(refused, refusals, next_ats);
        END IF;
        IF permitted IS NOT NULL THEN
            missing := missing - cardinality(permitted);
            RETURN QUERY
            WITH claimed AS (
                UPDATE crm.message AS m
                SET status = 'leased', leased_until = clock_timestamp() + lease, worker = coalesce(claim_messages.worker, session_user),
                    refusal = NULL, address = n.address
                FROM (SELECT places[p.ordinal] AS place, tables[p.ordinal] AS within, p.address
                      FROM unnest(permitted, addresses) AS p (ordinal, address) ORDER BY 2, 1) AS n
                WHERE m.ctid = n.place AND m.tableoid = n.within
                RETURNING m.message_id, m.token, m.customer_id, m.channel, m.contact_point_id, m.address, m.purpose, m.campaign_id, m.subject,
                          m.body, m.parameters, m.attempts, m.idempotency_key, m.in_reply_to, m.leased_until, m.priority, m.not_before
            )
            SELECT m.message_id, m.token, m.customer_id, m.channel, m.contact_point_id, m.address, m.purpose, m.campaign_id, m.subject, m.body,
                   m.parameters, m.attempts, m.idempotency_key, m.in_reply_to, m.leased_until
            FROM claimed AS m
            ORDER BY m.priority, m.not_before, m.message_id;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION crm.claim_messages(crm.channel[], integer, interval, text) IS
    'leases up to so many due messages of these channels (null: all) to the caller, in the order of priority and time, skipping what others hold; what may not be sent at present is put off or cancelled. Then crm.begin_send(), commit, send, crm.complete_message() or crm.fail_message()';
REVOKE ALL ON FUNCTION crm.claim_messages(crm.channel[], integer, interval, text) FROM PUBLIC;

CREATE FUNCTION crm.lease_fault(message crm.message, token bigint, statuses text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN message.message_id IS NULL THEN 'This message does not exist.'
                WHEN message.token IS DISTINCT FROM lease_fault.token
                THEN format('Token %s is not that of its newest lease.', coalesce(lease_fault.token::text, 'null'))
                WHEN message.status <> ALL (statuses) THEN format('It is %s.', message.status)
                -- What is being sent may be finished late, while nobody has taken note; nothing is begun late.
                WHEN message.status = 'leased' AND statuses = '{leased}' AND message.leased_until <= clock_timestamp()
                THEN format('It ran out at %s.', message.leased_until) END;
END $$;
COMMENT ON FUNCTION crm.lease_fault(crm.message, bigint, text[]) IS
    'why the lease with this token does not hold for a message that must be in one of these states; null: it holds';
REVOKE ALL ON FUNCTION crm.lease_fault(crm.message, bigint, text[]) FROM PUBLIC;

CREATE FUNCTION crm.check_lease(message crm.message, token bigint, statuses text[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text := crm.lease_fault(message, token, statuses);
BEGIN
    IF message.message_id IS NULL THEN
        RAISE no_data_found USING MESSAGE = 'this message does not exist';
    ELSIF fault IS NOT NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('the lease of message %s is lost', message.message_id), DETAIL = fault;
    END IF;
END $$;
COMMENT ON FUNCTION crm.check_lease(crm.message, bigint, text[]) IS 'raises an error unless the message is in one of these states and the token is that of its newest lease';

CREATE FUNCTION crm.check_batch(message_ids bigint[], tokens bigint[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF message_ids IS NULL OR tokens IS NULL OR array_ndims(message_ids) > 1 OR array_ndims(tokens) > 1
       OR cardinality(message_ids) <> cardinality(tokens) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a batch must name as many tokens as messages';
    ELSIF cardinality(message_ids) > 10000 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a batch must not have more than 10000 messages';
    ELSIF EXISTS (SELECT FROM unnest(message_ids) AS n (message_id) GROUP BY n.message_id HAVING count(*) > 1 OR n.message_id IS NULL) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a batch must name each message once and none by null';
    END IF;
END $$;
COMMENT ON FUNCTION crm.check_batch(bigint[], bigint[]) IS 'raises an error unless these are messages and as many tokens, each message once, at most 10000';

CREATE FUNCTION crm.lock_message(message_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT lock_message.message_id = ANY (crm.lock_messages(ARRAY[lock_message.message_id]))
       AND EXISTS (SELECT FROM crm.message AS m WHERE m.message_id = lock_message.message_id) THEN
        RAISE lock_not_available USING
            MESSAGE = format('message %s is being changed by another session', message_id),
            HINT = 'Nothing was done. Try again when it has ended.';
    END IF;
END $$;
COMMENT ON FUNCTION crm.lock_message(bigint) IS
    'locks all that sending this message depends on, and the message, which another session must not hold for longer than a second: an error (lock_not_available) then';
REVOKE ALL ON FUNCTION crm.lock_message(bigint) FROM PUBLIC;

CREATE FUNCTION crm.begin_send(message_id bigint, token bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
    sending crm.message;
BEGIN
    -- The customer is locked before the message, as by all who take permissions away.
    PERFORM crm.lock_message(message_id);
    SELECT * INTO sending FROM crm.message AS m WHERE m.message_id = message_id;
    PERFORM crm.check_lease(sending, token, '{leased}');
    PERFORM FROM crm.check_messages(ARRAY[message_id]);    -- the trigger has the answer, and refuses
    UPDATE crm.message AS m SET status = 'sending' WHERE m.message_id = begin_send.message_id;
    RETURN true;
END $$;
COMMENT ON FUNCTION crm.begin_send(bigint, bigint) IS
    'the step before sending: checks the lease and every rule once more, and takes the slot of the caps; commit before sending. An error of class check_violation names the rule that forbids it: send nothing';
REVOKE ALL ON FUNCTION crm.begin_send(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION crm.begin_sends(message_ids bigint[], tokens bigint[])
    RETURNS TABLE (message_id bigint, token bigint, begun boolean, refusal text, detail text, next_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    locked bigint[];
    members bigint[];
    refused bigint[] := '{}';
    refusals text[] := '{}';
    details text[] := '{}';
    next_ats timestamptz[] := '{}';
    begun_ids bigint[] := '{}';
    asked record;
BEGIN
    PERFORM crm.check_batch(message_ids, tokens);
    locked := crm.lock_messages(message_ids);
    -- Each customer's first, then each customer's second, and so on: what has begun takes its slot of the caps before the next is asked.
    FOR members IN
        SELECT array_agg(l.message_id)
        FROM (SELECT m.message_id, row_number() OVER (PARTITION BY m.customer_id ORDER BY n.place) AS turn
              FROM unnest(message_ids, tokens) WITH ORDINALITY AS n (message_id, token, place)
              JOIN crm.message AS m ON m.message_id = n.message_id
              WHERE n.message_id = ANY (locked) AND crm.lease_fault(m, n.token, '{leased}') IS NULL) AS l
        GROUP BY l.turn ORDER BY l.turn
    LOOP
        -- The trigger refuses an address that has changed as well.
        SELECT array_agg(k.message_id) FILTER (WHERE k.refusal IS NULL) AS permitted,
               array_agg(k.message_id) FILTER (WHERE k.refusal IS NOT NULL) AS refused,
               array_agg(k.refusal) FILTER (WHERE k.refusal IS NOT NULL) AS refusals,
               array_agg(k.detail) FILTER (WHERE k.refusal IS NOT NULL) AS details,
               array_agg(k.next_at) FILTER (WHERE k.refusal IS NOT NULL) AS next_ats INTO asked
        FROM (SELECT c.message_id,
                     CASE WHEN c.refusal IS NULL AND m.address <> c.address THEN 'message_contact_point' ELSE c.refusal END AS refusal,
                     CASE WHEN c.refusal IS NULL THEN format('The address of contact point %s has changed since the message was claimed.', c.contact_point)
                          ELSE c.detail END AS detail,
                     CASE WHEN c.refusal IS NULL THEN c.checked_at ELSE c.next_at END AS next_at
              FROM crm.check_messages(members) AS c JOIN crm.message AS m ON m.message_id = c.message_id) AS k;
        UPDATE crm.message AS m SET status = 'sending' WHERE m.message_id = ANY (asked.permitted);
        begun_ids := begun_ids || asked.permitted;
        IF asked.refused IS NOT NULL THEN
            PERFORM crm.put_off_messages(asked.refused, asked.refusals, asked.next_ats);
            refused := refused || asked.refused;
            refusals := refusals || asked.refusals;
            details := details || asked.details;
            next_ats := next_ats || asked.next_ats;
        END IF;
    END LOOP;
    RETURN QUERY
    SELECT n.message_id, n.token, s.begun, CASE WHEN NOT s.begun THEN coalesce(r.refusal, 'message_lease') END,
           CASE WHEN NOT s.begun THEN coalesce(r.detail, crm.lease_fault(m, n.token, '{leased}'), 'Another session is changing it.') END, r.next_at
    FROM unnest(message_ids, tokens) WITH ORDINALITY AS n (message_id, token, place)
    LEFT JOIN crm.message AS m ON m.message_id = n.message_id
    LEFT JOIN unnest(refused, refusals, details, next_ats) AS r (message_id, refusal, detail, next_at) ON r.message_id = n.message_id
    CROSS JOIN LATERAL (SELECT n.message_id = ANY (begun_ids)) AS s (begun)
    ORDER BY n.place;
END $$;
COMMENT ON FUNCTION crm.begin_sends(bigint[], bigint[]) IS
    'crm.begin_send() for a batch, message and token side by side: says of each whether it was begun. One that was not has the name of the rule that refused it, with why and from when on: it has been put off until then or, where next_at is null, cancelled; message_lease: the lease is lost, and the message untouched. Commit, then send what was begun';
REVOKE ALL ON FUNCTION crm.begin_sends(bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION crm.complete_messages(message_ids bigint[], tokens bigint[], outcomes crm.outcome[] DEFAULT NULL, message_uids text[] DEFAULT NULL,
                                      details jsonb[] DEFAULT NULL, occurred_at timestamptz DEFAULT NULL, agent text DEFAULT NULL)
    RETURNS TABLE (message_id bigint, token bigint, interaction_id bigint, detail text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM crm.check_batch(message_ids, tokens);
    IF outcomes IS NOT NULL AND (cardinality(outcomes) <> cardinality(message_ids) OR array_position(outcomes, NULL) IS NOT NULL) THEN
        RAISE null_value_not_allowed USING MESSAGE = 'the outcome of a message must not be null';
    END IF;
    RETURN QUERY
    WITH done AS (
        UPDATE crm.message AS m SET
            status = CASE WHEN n.outcome = 'bounced' THEN 'bounced' ELSE 'sent' END,
            message_uid = coalesce(n.message_uid, m.message_uid), last_error = NULL
        FROM unnest(message_ids, tokens, outcomes, message_uids, complete_messages.details) AS n (message_id, token, outcome, message_uid, details)
        -- Not "=": what is being sent has an index of its own, which looks empty to the planner when the statistics were taken
        -- in a quiet hour, and is not.
        WHERE m.message_id = n.message_id AND m.token = n.token AND m.status IS NOT DISTINCT FROM 'sending'
        RETURNING m.message_id, m.customer_id, m.channel, coalesce(n.outcome, 'sent') AS outcome, m.contact_point_id, m.campaign_id,
                  m.partner_id, m.subject, n.details
    ), written AS (
        INSERT INTO crm.interaction AS i (customer_id, channel, direction, outcome, occurred_at, contact_point_id, campaign_id, message_id,
                                          partner_id, agent, subject, details, source, external_id)
        SELECT d.customer_id, d.channel, 'outbound', d.outcome, coalesce(complete_messages.occurred_at, now()), d.contact_point_id,
               d.campaign_id, d.message_id, d.partner_id, complete_messages.agent, d.subject, d.details, 'crm.message', d.message_id::text
        FROM done AS d
        RETURNING i.message_id, i.interaction_id
    )
    SELECT n.message_id, n.token, w.interaction_id, CASE WHEN w.interaction_id IS NULL THEN crm.lease_fault(m, n.token, '{sending}') END
    FROM unnest(message_ids, tokens) WITH ORDINALITY AS n (message_id, token, place)
    LEFT JOIN written AS w ON w.message_id = n.message_id
    LEFT JOIN crm.message AS m ON m.message_id = n.message_id AND w.interaction_id IS NULL
    ORDER BY n.place;
END $$;
COMMENT ON FUNCTION crm.complete_messages(bigint[], bigint[], crm.outcome[], text[], jsonb[], timestamptz, text) IS
    'crm.complete_message() for a batch, the arrays side by side (outcomes left out: sent): returns the interaction of each. One whose lease is lost has none, and why';
REVOKE ALL ON FUNCTION crm.complete_messages(bigint[], bigint[], crm.outcome[], text[], jsonb[], timestamptz, text) FROM PUBLIC;

CREATE FUNCTION crm.record_sending(sent crm.message, outcome crm.outcome, occurred_at timestamptz, details jsonb, agent text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written bigint;
BEGIN
    INSERT INTO crm.interaction AS i (customer_id, channel, direction, outcome, occurred_at, contact_point_id, campaign_id, message_id,
                                      partner_id, agent, subject, details, source, external_id)
    VALUES (sent.customer_id, sent.channel, 'outbound', outcome, occurred_at, sent.contact_point_id, sent.campaign_id, sent.message_id,
            sent.partner_id, agent, sent.subject, details, 'crm.message', sent.message_id::text)
    RETURNING i.interaction_id INTO written;
    RETURN written;
END $$;
COMMENT ON FUNCTION crm.record_sending(crm.message, crm.outcome, timestamptz, jsonb, text) IS
    'writes the contact that sending this message was, and returns the interaction';
REVOKE ALL ON FUNCTION crm.record_sending(crm.message, crm.outcome, timestamptz, jsonb, text) FROM PUBLIC;

-- Not by way of complete_messages(): for one message, what makes a batch of it costs as much again.
CREATE FUNCTION crm.complete_message(message_id bigint, token bigint, outcome crm.outcome DEFAULT 'sent', message_uid text DEFAULT NULL,
                                     details jsonb DEFAULT NULL, occurred_at timestamptz DEFAULT NULL, agent text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
    done crm.message;
BEGIN
    IF outcome IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'the outcome of a message must not be null';
    END IF;
    UPDATE crm.message AS m SET
        status = CASE WHEN outcome = 'bounced' THEN 'bounced' ELSE 'sent' END,
        message_uid = coalesce(complete_message.message_uid, m.message_uid), last_error = NULL
    WHERE m.message_id = complete_message.message_id AND m.token = complete_message.token AND m.status IS NOT DISTINCT FROM 'sending'
    RETURNING m.* INTO done;
    IF NOT FOUND THEN
        SELECT * INTO done FROM crm.message AS m WHERE m.message_id = complete_message.message_id;
        PERFORM crm.check_lease(done, token, '{sending}');
    END IF;
    RETURN crm.record_sending(done, outcome, coalesce(occurred_at, now()), details, agent);
END $$;
COMMENT ON FUNCTION crm.complete_message(bigint, bigint, crm.outcome, text, jsonb, timestamptz, text) IS
    'the step after sending: the message is sent (or bounced), and the contact with its outcome becomes an interaction, which is returned; from there the loop goes on. Message_uid: the identifier that it has in the channel, for replies and reports';
REVOKE ALL ON FUNCTION crm.complete_message(bigint, bigint, crm.outcome, text, jsonb, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION crm.fail_message(message_id bigint, token bigint, error text, retry boolean DEFAULT true) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    failed crm.message;
    policy crm.channel_policy;
    becomes text;
BEGIN
    SELECT * INTO failed FROM crm.message AS m WHERE m.message_id = message_id FOR NO KEY UPDATE;
    PERFORM crm.check_lease(failed, token, '{leased,sending}');
    SELECT * INTO policy FROM crm.channel_policy AS p WHERE p.channel = failed.channel;
    becomes := CASE WHEN failed.status = 'leased' THEN 'ready' WHEN NOT retry THEN 'failed'
                 WHEN failed.attempts >= policy.max_attempts THEN 'dead' ELSE 'ready' END;
    UPDATE crm.message AS m SET
        status = becomes, last_error = coalesce(error, 'no reason given'), refusal = NULL,
        not_before = CASE WHEN becomes = 'ready'
            THEN now() + least(policy.retry_after * (2 ^ least(greatest(failed.attempts - 1, 0), 30)), interval '1 day') * (0.75 + random() / 2)
            ELSE m.not_before END
    WHERE m.message_id = fail_message.message_id;
    RETURN becomes;
END $$;
COMMENT ON FUNCTION crm.fail_message(bigint, bigint, text, boolean) IS
    'nothing was sent: the message is ready again after a wait that doubles with every attempt (crm.channel_policy.retry_after, up to a day, give or take a quarter), dead after max_attempts, or failed for good when it is not to be tried again; returns its new state. Its slot of the caps is free';
REVOKE ALL ON FUNCTION crm.fail_message(bigint, bigint, text, boolean) FROM PUBLIC;

CREATE FUNCTION crm.extend_lease(message_id bigint, token bigint, lease interval DEFAULT '5 minutes') RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    held crm.message;
BEGIN
    IF lease IS NULL OR lease <= '0' OR lease > '30 days' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a lease must last longer than nothing and at most 30 days';
    END IF;
    SELECT * INTO held FROM crm.message AS m WHERE m.message_id = message_id FOR NO KEY UPDATE;
    PERFORM crm.check_lease(held, token, '{leased,sending}');
    UPDATE crm.message AS m SET leased_until = clock_timestamp() + lease WHERE m.message_id = extend_lease.message_id
    RETURNING m.leased_until INTO held.leased_until;
    RETURN held.leased_until;
END $$;
COMMENT ON FUNCTION crm.extend_lease(bigint, bigint, interval) IS 'the lease lasts so long from now; returns until when';
REVOKE ALL ON FUNCTION crm.extend_lease(bigint, bigint, interval) FROM PUBLIC;

CREATE FUNCTION crm.cancel_message(message_id bigint, reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE crm.message AS m SET status = 'cancelled', last_error = coalesce(reason, m.last_error)
    WHERE m.message_id = cancel_message.message_id AND m.status IN ('ready', 'leased', 'failed', 'dead');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION crm.cancel_message(bigint, text) IS 'cancels a message that was not sent yet and is not being sent; says whether it was in time';
REVOKE ALL ON FUNCTION crm.cancel_message(bigint, text) FROM PUBLIC;

CREATE FUNCTION crm.requeue_message(message_id bigint, not_before timestamptz DEFAULT now()) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.lock_message(message_id);    -- the customer before the message
    UPDATE crm.message AS m SET status = 'ready', attempts = 0, not_before = requeue_message.not_before, last_error = NULL, refusal = NULL
    WHERE m.message_id = requeue_message.message_id AND m.status IN ('failed', 'dead', 'unknown');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION crm.requeue_message(bigint, timestamptz) IS
    'makes a message that failed, is dead, or is unknown and was found not to have been sent ready again, as if it were written now; says whether it was one';
REVOKE ALL ON FUNCTION crm.requeue_message(bigint, timestamptz) FROM PUBLIC;

CREATE FUNCTION crm.resolve_message(message_id bigint, outcome crm.outcome, details jsonb DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    found crm.message;
BEGIN
    SELECT * INTO found FROM crm.message AS m WHERE m.message_id = message_id FOR NO KEY UPDATE;
    IF found.status IS DISTINCT FROM 'unknown' THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('message %s is not unknown', coalesce(message_id::text, 'null')), DETAIL = format('It is %s.', coalesce(found.status, 'not there'));
    END IF;
    UPDATE crm.message AS m SET status = CASE WHEN outcome = 'bounced' THEN 'bounced' ELSE 'sent' END
    WHERE m.message_id = resolve_message.message_id;
    RETURN crm.record_sending(found, outcome, found.begun_at, details, NULL);
END $$;
COMMENT ON FUNCTION crm.resolve_message(bigint, crm.outcome, jsonb) IS
    'an unknown message was found to have been sent, with this outcome; returns the interaction. One that was not sent: crm.requeue_message()';
REVOKE ALL ON FUNCTION crm.resolve_message(bigint, crm.outcome, jsonb) FROM PUBLIC;

CREATE FUNCTION crm.queue_message(customer_id bigint, channel crm.channel, purpose text, subject text DEFAULT NULL, body text DEFAULT NULL,
                                  parameters jsonb DEFAULT NULL, not_before timestamptz DEFAULT now(), idempotency_key text DEFAULT NULL,
                                  contact_point_id bigint DEFAULT NULL, campaign_id bigint DEFAULT NULL, priority integer DEFAULT 5,
                                  in_reply_to text DEFAULT NULL, partner_id bigint DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    queued bigint;
BEGIN
    IF idempotency_key IS NOT NULL THEN
        SELECT m.message_id INTO queued FROM crm.message AS m WHERE m.idempotency_key = idempotency_key;
        IF FOUND THEN
            RETURN queued;
        END IF;
    END IF;
    INSERT INTO crm.message AS m (customer_id, channel, purpose, subject, body, parameters, not_before, idempotency_key, contact_point_id,
                                  campaign_id, priority, in_reply_to, partner_id)
    VALUES (customer_id, channel, purpose, subject, body, parameters, coalesce(not_before, now()), idempotency_key, contact_point_id,
            campaign_id, priority, in_reply_to, partner_id)
    ON CONFLICT ON CONSTRAINT message_idempotency_key_key DO NOTHING
    RETURNING m.message_id INTO queued;
    IF queued IS NULL THEN
        SELECT m.message_id INTO queued FROM crm.message AS m WHERE m.idempotency_key = idempotency_key;
    END IF;
    RETURN queued;
END $$;
COMMENT ON FUNCTION crm.queue_message(bigint, crm.channel, text, text, text, jsonb, timestamptz, text, bigint, bigint, integer, text, bigint) IS
    'writes a message and returns its key; with an idempotency key that is there already: the message that has it, and none is written';
REVOKE ALL ON FUNCTION crm.queue_message(bigint, crm.channel, text, text, text, jsonb, timestamptz, text, bigint, bigint, integer, text, bigint) FROM PUBLIC;

CREATE VIEW crm.outbox_overview WITH (security_invoker = true) AS
SELECT m.channel::text AS channel, m.status, count(*) AS messages, count(*) FILTER (WHERE m.status = 'ready' AND m.not_before <= now()) AS due,
       min(m.not_before) FILTER (WHERE m.status = 'ready') AS next_at, max(m.finished_at) AS last_finished_at
FROM crm.message AS m
GROUP BY m.channel, m.status;
COMMENT ON VIEW crm.outbox_overview IS 'how many messages are in which state, by channel';
COMMENT ON COLUMN crm.outbox_overview.channel IS 'channel';
COMMENT ON COLUMN crm.outbox_overview.status IS 'state';
COMMENT ON COLUMN crm.outbox_overview.messages IS 'messages in it';
COMMENT ON COLUMN crm.outbox_overview.due IS 'of these ready and due';
COMMENT ON COLUMN crm.outbox_overview.next_at IS 'time of the first that is ready';
COMMENT ON COLUMN crm.outbox_overview.last_finished_at IS 'when the last one was finished';

CREATE VIEW crm.outbox_problem WITH (security_invoker = true) AS
SELECT m.message_id, m.customer_id, m.channel::text AS channel, m.purpose, m.status, m.attempts, m.last_error, m.finished_at,
       CASE m.status WHEN 'unknown' THEN 'Find out whether it was sent: crm.resolve_message() if so, crm.requeue_message() if not.'
                     ELSE 'Remove the cause, then crm.requeue_message(), or crm.cancel_message().' END AS advice
FROM crm.message AS m
WHERE m.status IN ('unknown', 'dead', 'failed');
COMMENT ON VIEW crm.outbox_problem IS 'messages that somebody has to look at: unknown, dead and failed';
COMMENT ON COLUMN crm.outbox_problem.message_id IS 'message';
COMMENT ON COLUMN crm.outbox_problem.customer_id IS 'customer';
COMMENT ON COLUMN crm.outbox_problem.channel IS 'channel';
COMMENT ON COLUMN crm.outbox_problem.purpose IS 'purpose';
COMMENT ON COLUMN crm.outbox_problem.status IS 'unknown, dead or failed';
COMMENT ON COLUMN crm.outbox_problem.attempts IS 'how often sending was begun';
COMMENT ON COLUMN crm.outbox_problem.last_error IS 'the last error';
COMMENT ON COLUMN crm.outbox_problem.finished_at IS 'since when';
COMMENT ON COLUMN crm.outbox_problem.advice IS 'what to do';
