-- loop: after the statement that writes an interaction or a purchase, everything derived from it is already right.
--
-- Each table of facts has statement triggers with transition tables, and each trigger one set-based statement per
-- effect. Derived rows are locked in the order of their keys, so that two statements cannot wait for each other; and
-- they are locked before anything is recomputed, so that the recomputation sees what a concurrent writer has committed.
-- A statement that both inserts and updates or deletes locks for all of it in its first trigger; that is never the one
-- for the inserted rows, which fires last (crm.touched_customers()).
-- Facts with analysed_at null wait (crm.loop = deferred): they are in no derived table until crm.analyse() takes them in.
-- What they say of consent does not wait: unsubscriptions, complaints and bounces take effect when they are written.
--
-- The trigger functions run as the owner of the tables: whoever may write a fact moves the scores, though he may see
-- or write none of them.
--
-- Plans are kept for the session and must be right for one row and for a million: joins from a transition table to
-- a large table are therefore index probes (hash and merge joins off). What is off counts as very expensive where it is
-- used all the same, which would call for compilation (jit off).

-- What an outcome implies --------------------------------------------------------------------------------------

CREATE FUNCTION crm.answered_by(interactions bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    -- Volatile, so that called after a lock was waited for it sees what was committed until then.
    RETURN ARRAY(
        SELECT DISTINCT (SELECT u.interaction_id FROM crm.interaction AS u
                         WHERE u.customer_id = i.customer_id AND u.channel = i.channel
                           AND u.open_outcome IS NOT NULL AND u.occurred_at <= i.occurred_at
                         ORDER BY u.occurred_at DESC, u.interaction_id DESC LIMIT 1)
        FROM unnest(interactions) AS n (interaction_id)
        JOIN crm.interaction AS i USING (interaction_id)
        WHERE i.direction = 'inbound');
END $$;
COMMENT ON FUNCTION crm.answered_by(bigint[]) IS
    'the unanswered contacts that these interactions answer: of each answer the newest one before it over the same channel';
REVOKE ALL ON FUNCTION crm.answered_by(bigint[]) FROM PUBLIC;

CREATE FUNCTION crm.lock_answered(interactions bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    answered bigint[] := crm.answered_by(interactions);
BEGIN
    PERFORM FROM crm.interaction AS o
    WHERE o.interaction_id = ANY (answered)
    ORDER BY o.interaction_id FOR NO KEY UPDATE;
END $$;
COMMENT ON FUNCTION crm.lock_answered(bigint[]) IS
    'locks the contacts that these interactions answer, before any derived row is: in the order in which an update locks';
REVOKE ALL ON FUNCTION crm.lock_answered(bigint[]) FROM PUBLIC;

CREATE FUNCTION crm.interaction_implies(interactions bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    -- Contact points are locked before customers.
    PERFORM FROM crm.contact_point AS p
    WHERE p.contact_point_id = ANY (ARRAY(
        SELECT i.contact_point_id FROM unnest(interactions) AS n (interaction_id)
        JOIN crm.interaction AS i USING (interaction_id)
        WHERE i.outcome = 'complained'))
    ORDER BY p.contact_point_id FOR NO KEY UPDATE;

    -- A hard bounce blocks the contact point that was used: the one named, or the only one it can have been.
    UPDATE crm.contact_point AS p
    SET blocked_at = b.occurred_at, block_reason = 'bounced'
    FROM (SELECT coalesce(i.contact_point_id,
                          (SELECT min(c.contact_point_id) FROM crm.contact_point AS c
                           WHERE c.customer_id = i.customer_id AND c.channel = i.channel
                           HAVING count(*) = 1)) AS contact_point_id,
                 min(i.occurred_at) AS occurred_at
          FROM unnest(interactions) AS n (interaction_id)
          JOIN crm.interaction AS i USING (interaction_id)
          WHERE i.direction = 'outbound' AND i.outcome = 'bounced'
            AND i.details ->> 'bounce' IS DISTINCT FROM 'soft'
          GROUP BY 1) AS b
    WHERE p.contact_point_id = b.contact_point_id AND p.blocked_at IS NULL;

    -- Who unsubscribes withdraws: for the purpose of the message that he had, else for all advertising. Who complains
    -- objects, and is not written to at that address again.
    INSERT INTO crm.consent (customer_id, channel, purpose, contact_point_id, status, evidence, interaction_id, recorded_at)
    SELECT i.customer_id, i.channel,
           CASE WHEN i.outcome = 'unsubscribed' THEN
               (SELECT m.purpose FROM crm.message AS m LEFT JOIN crm.purpose AS u ON u.purpose = m.purpose
                WHERE m.message_id = i.message_id AND m.customer_id = i.customer_id AND u.is_advertising IS NOT FALSE) END,
           CASE WHEN i.outcome = 'unsubscribed' THEN i.contact_point_id END,
           CASE i.outcome WHEN 'unsubscribed' THEN 'withdrawn' ELSE 'objected' END,
           'interaction: ' || i.outcome, i.interaction_id,
           -- What is reported as happening now comes after all that was recorded until now.
           CASE WHEN i.occurred_at < now() THEN i.occurred_at ELSE clock_timestamp() END
    FROM unnest(interactions) AS n (interaction_id)
    JOIN crm.interaction AS i USING (interaction_id)
    WHERE i.outcome IN ('unsubscribed', 'complained')
    ORDER BY i.customer_id, i.interaction_id
    ON CONFLICT (interaction_id, status) WHERE interaction_id IS NOT NULL DO NOTHING;
    UPDATE crm.contact_point AS p
    SET blocked_at = i.occurred_at, block_reason = 'complained'
    FROM unnest(interactions) AS n (interaction_id)
    JOIN crm.interaction AS i USING (interaction_id)
    WHERE i.outcome = 'complained' AND p.contact_point_id = i.contact_point_id AND p.blocked_at IS NULL;
END $$;
COMMENT ON FUNCTION crm.interaction_implies(bigint[]) IS
    'what the outcomes of these interactions imply, at once whatever crm.loop is: a bounce or a complaint blocks the contact point, unsubscribed and complained are entries in the ledger of consent';
REVOKE ALL ON FUNCTION crm.interaction_implies(bigint[]) FROM PUBLIC;

CREATE FUNCTION crm.restore_answered(interactions bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    answered bigint[];
BEGIN
    -- An answer that came after its response window had closed: the contact was not unanswered after all. It has been
    -- locked, unless it became unanswered since; then one that another session is changing right now is left to it,
    -- for that session may be waiting for our scores.
    answered := crm.answered_by(interactions);
    UPDATE crm.interaction AS o
    SET outcome = o.open_outcome, open_outcome = NULL
    WHERE o.interaction_id = ANY (ARRAY(
        SELECT u.interaction_id FROM crm.interaction AS u
        WHERE u.interaction_id = ANY (answered) AND u.open_outcome IS NOT NULL
        FOR NO KEY UPDATE SKIP LOCKED));
END $$;
COMMENT ON FUNCTION crm.restore_answered(bigint[]) IS
    'a late answer takes back "unanswered": the contacts that these interactions answer have the outcome that they had before their window closed';
REVOKE ALL ON FUNCTION crm.restore_answered(bigint[]) FROM PUBLIC;

-- Interactions -> customer_channel -----------------------------------------------------------------------------

-- New interactions are the hot path: crm.interaction_after_insert() is in C (src/loop.c).

CREATE FUNCTION crm.interaction_after_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    touched bigint[];
BEGIN
    touched := crm.touched_customers('crm.interaction');
    IF touched IS NOT NULL THEN
        PERFORM FROM crm.customer_channel AS t
        WHERE t.customer_id = ANY (touched) ORDER BY t.customer_id, t.channel FOR UPDATE;
    END IF;
    PERFORM FROM crm.customer_channel AS t
    JOIN (SELECT DISTINCT o.customer_id, o.channel FROM old_rows AS o WHERE o.analysed_at IS NOT NULL) AS k
        USING (customer_id, channel)
    ORDER BY customer_id, channel FOR UPDATE OF t;

    WITH gone AS MATERIALIZED (
        SELECT o.customer_id, o.channel, count(*) AS interactions,
               crm.channel_score(coalesce(e.success, 0), coalesce(e.failure, 0), o.occurred_at,
                                 coalesce(p.half_life, '364 days')) AS score,
               max(o.occurred_at) FILTER (WHERE o.direction = 'outbound') AS last_outbound_at,
               max(o.occurred_at) FILTER (WHERE o.direction = 'inbound') AS last_inbound_at
        FROM old_rows AS o
        LEFT JOIN crm.outcome_effect AS e ON e.direction = o.direction AND e.outcome = o.outcome
        LEFT JOIN crm.channel_policy AS p ON p.channel = o.channel
        WHERE o.analysed_at IS NOT NULL
        GROUP BY o.customer_id, o.channel
    ), emptied AS (
        DELETE FROM crm.customer_channel AS t USING gone AS g
        WHERE t.customer_id = g.customer_id AND t.channel = g.channel AND t.interactions = g.interactions
    )
    UPDATE crm.customer_channel AS t SET
        score = t.score OPERATOR(crm.-) g.score,
        interactions = t.interactions - g.interactions,
        last_outbound_at = CASE WHEN g.last_outbound_at >= t.last_outbound_at THEN
            (SELECT i.occurred_at FROM crm.interaction AS i
             WHERE i.customer_id = t.customer_id AND i.channel = t.channel
               AND i.direction = 'outbound' AND i.analysed_at IS NOT NULL
             ORDER BY i.occurred_at DESC LIMIT 1) ELSE t.last_outbound_at END,
        last_inbound_at = CASE WHEN g.last_inbound_at >= t.last_inbound_at THEN
            (SELECT i.occurred_at FROM crm.interaction AS i
             WHERE i.customer_id = t.customer_id AND i.channel = t.channel
               AND i.direction = 'inbound' AND i.analysed_at IS NOT NULL
             ORDER BY i.occurred_at DESC LIMIT 1) ELSE t.last_inbound_at END
    FROM gone AS g
    WHERE t.customer_id = g.customer_id AND t.channel = g.channel AND t.interactions > g.interactions;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.interaction_after_delete() IS 'trigger of crm.interaction: takes deleted interactions out of crm.customer_channel';
REVOKE ALL ON FUNCTION crm.interaction_after_delete() FROM PUBLIC;

CREATE FUNCTION crm.interaction_after_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    touched bigint[];
    implying bigint[];
    answering bigint[];
BEGIN
    touched := crm.touched_customers('crm.interaction');
    -- Updates of texts and references change nothing that is derived.
    IF NOT EXISTS (
        (SELECT o.customer_id, o.channel, o.direction, o.outcome, o.occurred_at, o.analysed_at IS NULL FROM old_rows AS o
         EXCEPT ALL
         SELECT n.customer_id, n.channel, n.direction, n.outcome, n.occurred_at, n.analysed_at IS NULL FROM new_rows AS n))
    THEN
        RETURN NULL;
    END IF;

    -- A report may come as a change of the row it reports on. What it says of consent is done now, waiting or not, and
    -- not once more when a waiting row is analysed, by an update: somebody may have taken back a block since.
    SELECT array_agg(c.interaction_id) INTO implying
    FROM (SELECT n.interaction_id, n.outcome, n.direction, n.occurred_at FROM new_rows AS n
          EXCEPT ALL
          SELECT o.interaction_id, o.outcome, o.direction, o.occurred_at FROM old_rows AS o) AS c
    WHERE c.outcome IN ('bounced', 'unsubscribed', 'complained');
    SELECT array_agg(c.interaction_id) INTO answering
    FROM (SELECT n.interaction_id, n.outcome, n.direction, n.occurred_at FROM new_rows AS n WHERE n.analysed_at IS NOT NULL
          EXCEPT ALL
          SELECT o.interaction_id, o.outcome, o.direction, o.occurred_at FROM old_rows AS o WHERE o.analysed_at IS NOT NULL) AS c
    WHERE c.direction = 'inbound';
    IF answering IS NOT NULL THEN
        PERFORM crm.lock_answered(answering);
    END IF;
    IF touched IS NOT NULL THEN
        PERFORM FROM crm.customer_channel AS t
        WHERE t.customer_id = ANY (touched) ORDER BY t.customer_id, t.channel FOR UPDATE;
    END IF;
    PERFORM FROM crm.customer_channel AS t
    JOIN (SELECT o.customer_id, o.channel FROM old_rows AS o WHERE o.analysed_at IS NOT NULL
          UNION SELECT n.customer_id, n.channel FROM new_rows AS n WHERE n.analysed_at IS NOT NULL) AS k
        USING (customer_id, channel)
    ORDER BY customer_id, channel FOR UPDATE OF t;

    WITH change AS MATERIALIZED (
        SELECT c.customer_id, c.channel, sum(c.sign) AS interactions,
               crm.channel_score(coalesce(e.success, 0), coalesce(e.failure, 0), c.occurred_at,
                                 coalesce(p.half_life, '364 days')) FILTER (WHERE c.sign < 0) AS minus,
               crm.channel_score(coalesce(e.success, 0), coalesce(e.failure, 0), c.occurred_at,
                                 coalesce(p.half_life, '364 days')) FILTER (WHERE c.sign > 0) AS plus,
               max(c.occurred_at) FILTER (WHERE c.sign < 0 AND c.direction = 'outbound') AS minus_outbound,
               max(c.occurred_at) FILTER (WHERE c.sign > 0 AND c.direction = 'outbound') AS plus_outbound,
               max(c.occurred_at) FILTER (WHERE c.sign < 0 AND c.direction = 'inbound') AS minus_inbound,
               max(c.occurred_at) FILTER (WHERE c.sign > 0 AND c.direction = 'inbound') AS plus_inbound
        FROM (SELECT o.customer_id, o.channel, o.direction, o.outcome, o.occurred_at, -1 AS sign
              FROM old_rows AS o WHERE o.analysed_at IS NOT NULL
              UNION ALL
              SELECT n.customer_id, n.channel, n.direction, n.outcome, n.occurred_at, 1
              FROM new_rows AS n WHERE n.analysed_at IS NOT NULL) AS c
        LEFT JOIN crm.outcome_effect AS e ON e.direction = c.direction AND e.outcome = c.outcome
        LEFT JOIN crm.channel_policy AS p ON p.channel = c.channel
        GROUP BY c.customer_id, c.channel
    ), emptied AS (
        DELETE FROM crm.customer_channel AS t USING change AS c
        WHERE t.customer_id = c.customer_id AND t.channel = c.channel AND t.interactions + c.interactions = 0
    ), changed AS (
        UPDATE crm.customer_channel AS t SET
            score = CASE WHEN c.minus IS NULL THEN t.score OPERATOR(crm.+) c.plus
                         WHEN c.plus IS NULL THEN t.score OPERATOR(crm.-) c.minus
                         ELSE t.score OPERATOR(crm.+) c.plus OPERATOR(crm.-) c.minus END,
            interactions = t.interactions + c.interactions,
            last_outbound_at = CASE WHEN c.minus_outbound >= t.last_outbound_at
                                         AND (c.plus_outbound >= c.minus_outbound) IS NOT TRUE THEN
                (SELECT i.occurred_at FROM crm.interaction AS i
                 WHERE i.customer_id = t.customer_id AND i.channel = t.channel
                   AND i.direction = 'outbound' AND i.analysed_at IS NOT NULL
                 ORDER BY i.occurred_at DESC LIMIT 1) ELSE greatest(t.last_outbound_at, c.plus_outbound) END,
            last_inbound_at = CASE WHEN c.minus_inbound >= t.last_inbound_at
                                        AND (c.plus_inbound >= c.minus_inbound) IS NOT TRUE THEN
                (SELECT i.occurred_at FROM crm.interaction AS i
                 WHERE i.customer_id = t.customer_id AND i.channel = t.channel
                   AND i.direction = 'inbound' AND i.analysed_at IS NOT NULL
                 ORDER BY i.occurred_at DESC LIMIT 1) ELSE greatest(t.last_inbound_at, c.plus_inbound) END
        FROM change AS c
        WHERE t.customer_id = c.customer_id AND t.channel = c.channel AND t.interactions + c.interactions > 0
    )
    INSERT INTO crm.customer_channel AS t
        (customer_id, channel, score, interactions, last_outbound_at, last_inbound_at)
    SELECT c.customer_id, c.channel, c.plus, c.interactions, c.plus_outbound, c.plus_inbound
    FROM change AS c
    WHERE c.minus IS NULL AND NOT EXISTS (SELECT FROM crm.customer_channel AS t
                                          WHERE t.customer_id = c.customer_id AND t.channel = c.channel)
    ORDER BY c.customer_id, c.channel
    ON CONFLICT (customer_id, channel) DO UPDATE SET
        score = t.score OPERATOR(crm.+) excluded.score,
        interactions = t.interactions + excluded.interactions,
        last_outbound_at = greatest(t.last_outbound_at, excluded.last_outbound_at),
        last_inbound_at = greatest(t.last_inbound_at, excluded.last_inbound_at);

    IF implying IS NOT NULL THEN
        PERFORM crm.interaction_implies(implying);
    END IF;
    IF answering IS NOT NULL THEN
        PERFORM crm.restore_answered(answering);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.interaction_after_update() IS
    'trigger of crm.interaction: takes the rows as they were out of crm.customer_channel and adds them as they are';
REVOKE ALL ON FUNCTION crm.interaction_after_update() FROM PUBLIC;

CREATE FUNCTION crm.interaction_after_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM crm.customer_channel;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.interaction_after_truncate() IS 'trigger of crm.interaction: without interactions nothing is known of channels';
REVOKE ALL ON FUNCTION crm.interaction_after_truncate() FROM PUBLIC;

CREATE TRIGGER loop_stamp BEFORE INSERT OR UPDATE OR DELETE ON crm.interaction
    FOR EACH ROW EXECUTE FUNCTION crm.stamp_fact('occurred_at', 'customer_id', 'channel', 'direction', 'outcome');
CREATE TRIGGER loop_insert AFTER INSERT ON crm.interaction
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.interaction_after_insert();
CREATE TRIGGER loop_update AFTER UPDATE ON crm.interaction
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.interaction_after_update();
CREATE TRIGGER loop_delete AFTER DELETE ON crm.interaction
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.interaction_after_delete();
CREATE TRIGGER loop_truncate AFTER TRUNCATE ON crm.interaction
    FOR EACH STATEMENT EXECUTE FUNCTION crm.interaction_after_truncate();
COMMENT ON TRIGGER loop_stamp ON crm.interaction IS 'checks the time, sets analysed_at, notes the customer';
COMMENT ON TRIGGER loop_insert ON crm.interaction IS 'feedback loop: new interactions';
COMMENT ON TRIGGER loop_update ON crm.interaction IS 'feedback loop: changed interactions';
COMMENT ON TRIGGER loop_delete ON crm.interaction IS 'feedback loop: deleted interactions';
COMMENT ON TRIGGER loop_truncate ON crm.interaction IS 'feedback loop: all interactions gone';

-- Purchases -> customer_history, lifecycle -----------------------------------------------------------------------

CREATE FUNCTION crm.history_of(customer_id bigint, currency text) RETURNS crm.buying_history
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Volatile, so that called after the derived row was locked it sees what was committed until then.
    RETURN (SELECT crm.buying_history(p.purchased_at, p.amount) FROM crm.purchase AS p
            WHERE p.customer_id = history_of.customer_id AND p.currency = history_of.currency
              AND p.analysed_at IS NOT NULL);
END $$;
COMMENT ON FUNCTION crm.history_of(bigint, text) IS
    'the buying history of a customer in a currency, computed from crm.purchase; null without purchases';
REVOKE ALL ON FUNCTION crm.history_of(bigint, text) FROM PUBLIC;

CREATE FUNCTION crm.first_purchases(customers bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    PERFORM FROM crm.customer AS c
    WHERE c.customer_id = ANY (customers) AND c.lifecycle IN ('prospect', 'lead')
    ORDER BY c.customer_id FOR NO KEY UPDATE;
    UPDATE crm.customer AS c SET lifecycle = 'customer'
    WHERE c.customer_id = ANY (customers) AND c.lifecycle IN ('prospect', 'lead');
END $$;
COMMENT ON FUNCTION crm.first_purchases(bigint[]) IS 'who buys for the first time becomes a customer';
REVOKE ALL ON FUNCTION crm.first_purchases(bigint[]) FROM PUBLIC;

CREATE FUNCTION crm.purchase_after_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $$
BEGIN
    -- The last trigger of its statement: what was noted of it is not of the next one.
    PERFORM crm.touched_customers('crm.purchase');

    -- What comes after all that is known is added; what interleaves with it has its history computed anew.
    INSERT INTO crm.customer_history AS t (customer_id, currency, history)
    SELECT n.customer_id, n.currency, crm.buying_history(n.purchased_at, n.amount)
    FROM new_rows AS n
    WHERE n.analysed_at IS NOT NULL
    GROUP BY n.customer_id, n.currency
    ORDER BY n.customer_id, n.currency
    ON CONFLICT (customer_id, currency) DO UPDATE SET history =
        CASE WHEN crm.joinable(t.history, excluded.history)
             THEN t.history OPERATOR(crm.+) excluded.history
             ELSE crm.history_of(t.customer_id, t.currency) END;

    PERFORM crm.first_purchases(array_agg(DISTINCT n.customer_id))
    FROM new_rows AS n
    WHERE n.analysed_at IS NOT NULL
      AND EXISTS (SELECT FROM crm.customer AS c
                  WHERE c.customer_id = n.customer_id AND c.lifecycle IN ('prospect', 'lead'))
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.purchase_after_insert() IS 'trigger of crm.purchase: adds new purchases to crm.customer_history';
REVOKE ALL ON FUNCTION crm.purchase_after_insert() FROM PUBLIC;

CREATE FUNCTION crm.recompute_histories(customers bigint[], currencies text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    PERFORM FROM crm.customer_history AS t
    JOIN unnest(customers, currencies) AS k (customer_id, currency) USING (customer_id, currency)
    ORDER BY customer_id, currency FOR UPDATE OF t;

    DELETE FROM crm.customer_history AS t
    USING unnest(customers, currencies) AS k (customer_id, currency)
    WHERE t.customer_id = k.customer_id AND t.currency = k.currency
      AND NOT EXISTS (SELECT FROM crm.purchase AS p
                      WHERE p.customer_id = k.customer_id AND p.currency = k.currency AND p.analysed_at IS NOT NULL);

    INSERT INTO crm.customer_history AS t (customer_id, currency, history)
    SELECT p.customer_id, p.currency, crm.buying_history(p.purchased_at, p.amount)
    FROM unnest(customers, currencies) AS k (customer_id, currency)
    JOIN crm.purchase AS p USING (customer_id, currency)
    WHERE p.analysed_at IS NOT NULL
    GROUP BY p.customer_id, p.currency
    ORDER BY p.customer_id, p.currency
    ON CONFLICT (customer_id, currency) DO UPDATE SET history = crm.history_of(t.customer_id, t.currency);
END $$;
COMMENT ON FUNCTION crm.recompute_histories(bigint[], text[]) IS
    'computes the histories of these pairs of customer and currency anew from crm.purchase';
REVOKE ALL ON FUNCTION crm.recompute_histories(bigint[], text[]) FROM PUBLIC;

CREATE FUNCTION crm.purchase_after_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched bigint[];
BEGIN
    touched := crm.touched_customers('crm.purchase');
    IF touched IS NOT NULL THEN
        PERFORM FROM crm.customer_history AS t
        WHERE t.customer_id = ANY (touched) ORDER BY t.customer_id, t.currency FOR UPDATE;
    END IF;
    PERFORM crm.recompute_histories(array_agg(k.customer_id), array_agg(k.currency))
    FROM (SELECT DISTINCT o.customer_id, o.currency FROM old_rows AS o WHERE o.analysed_at IS NOT NULL) AS k
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.purchase_after_delete() IS 'trigger of crm.purchase: computes the histories of deleted purchases anew';
REVOKE ALL ON FUNCTION crm.purchase_after_delete() FROM PUBLIC;

CREATE FUNCTION crm.purchase_after_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched bigint[];
BEGIN
    touched := crm.touched_customers('crm.purchase');
    IF touched IS NOT NULL THEN
        PERFORM FROM crm.customer_history AS t
        WHERE t.customer_id = ANY (touched) ORDER BY t.customer_id, t.currency FOR UPDATE;
    END IF;
    PERFORM crm.recompute_histories(array_agg(c.customer_id), array_agg(c.currency))
    FROM (WITH before AS (
              SELECT o.customer_id, o.currency, o.purchased_at, o.amount FROM old_rows AS o WHERE o.analysed_at IS NOT NULL
          ), after AS (
              SELECT n.customer_id, n.currency, n.purchased_at, n.amount FROM new_rows AS n WHERE n.analysed_at IS NOT NULL
          )
          SELECT d.customer_id, d.currency FROM (TABLE before EXCEPT ALL TABLE after) AS d
          UNION
          SELECT d.customer_id, d.currency FROM (TABLE after EXCEPT ALL TABLE before) AS d) AS c
    HAVING count(*) > 0;

    PERFORM crm.first_purchases(array_agg(DISTINCT n.customer_id))
    FROM new_rows AS n
    WHERE n.analysed_at IS NOT NULL
      AND EXISTS (SELECT FROM crm.customer AS c
                  WHERE c.customer_id = n.customer_id AND c.lifecycle IN ('prospect', 'lead'))
      AND NOT EXISTS (SELECT FROM old_rows AS o WHERE o.purchase_id = n.purchase_id AND o.customer_id = n.customer_id
                                                  AND o.analysed_at IS NOT NULL)
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.purchase_after_update() IS 'trigger of crm.purchase: computes the histories of changed purchases anew';
REVOKE ALL ON FUNCTION crm.purchase_after_update() FROM PUBLIC;

CREATE FUNCTION crm.purchase_after_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM crm.customer_history;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.purchase_after_truncate() IS 'trigger of crm.purchase: without purchases there are no histories';
REVOKE ALL ON FUNCTION crm.purchase_after_truncate() FROM PUBLIC;

CREATE TRIGGER loop_stamp BEFORE INSERT OR UPDATE OR DELETE ON crm.purchase
    FOR EACH ROW EXECUTE FUNCTION crm.stamp_fact('purchased_at', 'customer_id', 'currency', 'amount');
CREATE TRIGGER loop_insert AFTER INSERT ON crm.purchase
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.purchase_after_insert();
CREATE TRIGGER loop_update AFTER UPDATE ON crm.purchase
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.purchase_after_update();
CREATE TRIGGER loop_delete AFTER DELETE ON crm.purchase
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.purchase_after_delete();
CREATE TRIGGER loop_truncate AFTER TRUNCATE ON crm.purchase
    FOR EACH STATEMENT EXECUTE FUNCTION crm.purchase_after_truncate();
COMMENT ON TRIGGER loop_stamp ON crm.purchase IS 'checks the time, sets analysed_at, notes the customer';
COMMENT ON TRIGGER loop_insert ON crm.purchase IS 'feedback loop: new purchases';
COMMENT ON TRIGGER loop_update ON crm.purchase IS 'feedback loop: changed purchases';
COMMENT ON TRIGGER loop_delete ON crm.purchase IS 'feedback loop: deleted purchases';
COMMENT ON TRIGGER loop_truncate ON crm.purchase IS 'feedback loop: all purchases gone';
