-- loop, its upkeep: taking in what waits, closing response windows, checking and repairing what is derived.

-- Waiting facts --------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.absorb(relation regclass, "limit" bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mode text := coalesce(current_setting('crm.loop', true), 'immediate');
    absorbed bigint;
BEGIN
    -- An update of a waiting row in immediate mode is what analyses it: see crm.stamp_fact(). The mode is set here and
    -- not in the function's definition, since that could be restored from a dump by a superuser only.
    PERFORM set_config('crm.loop', 'immediate', true);
    IF relation = 'crm.interaction'::regclass THEN
        UPDATE crm.interaction SET analysed_at = now()
        WHERE interaction_id = ANY (ARRAY(SELECT i.interaction_id FROM crm.interaction AS i WHERE i.analysed_at IS NULL
                                          ORDER BY i.interaction_id LIMIT "limit" FOR UPDATE SKIP LOCKED));
    ELSIF relation = 'crm.purchase'::regclass THEN
        UPDATE crm.purchase SET analysed_at = now()
        WHERE purchase_id = ANY (ARRAY(SELECT p.purchase_id FROM crm.purchase AS p WHERE p.analysed_at IS NULL
                                       ORDER BY p.purchase_id LIMIT "limit" FOR UPDATE SKIP LOCKED));
    ELSE
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not a table of facts', relation);
    END IF;
    GET DIAGNOSTICS absorbed = ROW_COUNT;
    PERFORM set_config('crm.loop', mode, true);
    RETURN absorbed;
END $$;
COMMENT ON FUNCTION crm.absorb(regclass, bigint) IS
    'takes up to so many waiting rows of crm.interaction or crm.purchase into the derived tables; null: all. Rows that another session holds are left to it';
REVOKE ALL ON FUNCTION crm.absorb(regclass, bigint) FROM PUBLIC;

CREATE PROCEDURE crm.analyse("limit" bigint DEFAULT NULL)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    interactions bigint;
    purchases bigint;
BEGIN
    IF "limit" < 0 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'limit must not be negative';
    END IF;
    interactions := crm.absorb('crm.interaction', "limit");
    purchases := crm.absorb('crm.purchase', "limit" - interactions);
    RAISE NOTICE 'analysed % interactions and % purchases', interactions, purchases;
END $$;
COMMENT ON PROCEDURE crm.analyse(bigint) IS
    'takes waiting interactions and purchases (stored with crm.loop = deferred) into the derived tables, oldest first, up to the limit; null: all';
REVOKE ALL ON PROCEDURE crm.analyse(bigint) FROM PUBLIC;

-- Response windows -------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.close_windows(at timestamptz DEFAULT now()) RETURNS bigint
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    mode text := coalesce(current_setting('crm.loop', true), 'immediate');
    due bigint[];
    unanswered bigint;
BEGIN
    IF NOT isfinite(at) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the time up to which windows are closed must be finite';
    END IF;
    -- One at a time. Rows first, then the derived rows, as an update does; what another session holds waits for the
    -- next call. Only then is looked for answers, so that one that is being recorded now is either seen here or
    -- finds the contact unanswered and takes that back.
    PERFORM pg_advisory_xact_lock(hashtextextended('crm.close_windows', 0));
    SELECT array_agg(d.interaction_id) INTO due
    FROM (SELECT i.interaction_id
          FROM crm.channel_policy AS p
          JOIN crm.interaction AS i ON i.channel = p.channel AND i.occurred_at <= at - p.response_window
          WHERE i.direction = 'outbound' AND i.window_closed_at IS NULL AND i.analysed_at IS NOT NULL
            AND i.outcome IN ('sent', 'delivered', 'opened')
          ORDER BY i.interaction_id FOR NO KEY UPDATE OF i SKIP LOCKED) AS d;
    IF due IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM FROM crm.customer_channel AS t
    JOIN (SELECT DISTINCT i.customer_id, i.channel FROM unnest(due) AS d (interaction_id)
          JOIN crm.interaction AS i USING (interaction_id)) AS k USING (customer_id, channel)
    ORDER BY customer_id, channel FOR UPDATE OF t;

    PERFORM set_config('crm.loop', 'immediate', true);
    WITH closing AS MATERIALIZED (
        SELECT i.interaction_id, EXISTS (
                   SELECT FROM crm.interaction AS a
                   WHERE a.customer_id = i.customer_id AND a.channel = i.channel AND a.direction = 'inbound'
                     AND a.occurred_at >= i.occurred_at AND a.occurred_at <= i.occurred_at + p.response_window) AS answered
        FROM unnest(due) AS d (interaction_id)
        JOIN crm.interaction AS i USING (interaction_id)
        JOIN crm.channel_policy AS p ON p.channel = i.channel
    ), closed AS (
        UPDATE crm.interaction AS i SET
            window_closed_at = at,
            open_outcome = CASE WHEN c.answered THEN NULL ELSE i.outcome END,
            outcome = CASE WHEN c.answered THEN i.outcome ELSE 'unanswered' END
        FROM closing AS c WHERE i.interaction_id = c.interaction_id
        RETURNING NOT c.answered AS unanswered
    )
    SELECT count(*) FILTER (WHERE c.unanswered) INTO unanswered FROM closed AS c;
    PERFORM set_config('crm.loop', mode, true);
    RETURN unanswered;
END $$;
COMMENT ON FUNCTION crm.close_windows(timestamptz) IS
    'closes the response windows that have passed by then: outbound contacts (sent, delivered, opened) without an answer over the same channel become unanswered; returns how many. An answer that comes later takes it back';
REVOKE ALL ON FUNCTION crm.close_windows(timestamptz) FROM PUBLIC;

-- Checking and repairing -------------------------------------------------------------------------------------------

CREATE FUNCTION crm.compute_channels(channels crm.channel[] DEFAULT NULL) RETURNS TABLE
    (customer_id bigint, channel crm.channel, score crm.channel_score, interactions bigint,
     last_outbound_at timestamptz, last_inbound_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT i.customer_id, i.channel,
           crm.channel_score(coalesce(e.success, 0), coalesce(e.failure, 0), i.occurred_at,
                             coalesce(p.half_life, '364 days')),
           count(*),
           max(i.occurred_at) FILTER (WHERE i.direction = 'outbound'),
           max(i.occurred_at) FILTER (WHERE i.direction = 'inbound')
    FROM crm.interaction AS i
    LEFT JOIN crm.outcome_effect AS e ON e.direction = i.direction AND e.outcome = i.outcome
    LEFT JOIN crm.channel_policy AS p ON p.channel = i.channel
    WHERE i.analysed_at IS NOT NULL AND (channels IS NULL OR i.channel = ANY (channels))
    GROUP BY i.customer_id, i.channel;
END;
COMMENT ON FUNCTION crm.compute_channels(crm.channel[]) IS
    'crm.customer_channel as it must be, computed from crm.interaction; of these channels, null: of all';

CREATE FUNCTION crm.compute_histories() RETURNS TABLE (customer_id bigint, currency text, history crm.buying_history)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.customer_id, p.currency, crm.buying_history(p.purchased_at, p.amount)
    FROM crm.purchase AS p
    WHERE p.analysed_at IS NOT NULL
    GROUP BY p.customer_id, p.currency;
END;
COMMENT ON FUNCTION crm.compute_histories() IS 'crm.customer_history as it must be, computed from crm.purchase';

CREATE FUNCTION crm.verify() RETURNS TABLE (relation text, customers bigint, differing bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'customer_channel' AS relation, count(DISTINCT coalesce(is_.customer_id, must.customer_id)),
           count(DISTINCT coalesce(is_.customer_id, must.customer_id)) FILTER (
               WHERE (is_.score OPERATOR(crm.=) must.score AND is_.interactions = must.interactions
                      AND is_.last_outbound_at IS NOT DISTINCT FROM must.last_outbound_at
                      AND is_.last_inbound_at IS NOT DISTINCT FROM must.last_inbound_at) IS NOT TRUE)
    FROM crm.customer_channel AS is_
    FULL JOIN crm.compute_channels() AS must ON must.customer_id = is_.customer_id AND must.channel = is_.channel
    UNION ALL
    SELECT 'customer_history' AS relation, count(DISTINCT coalesce(is_.customer_id, must.customer_id)),
           count(DISTINCT coalesce(is_.customer_id, must.customer_id)) FILTER (
               WHERE (is_.history OPERATOR(crm.=) must.history) IS NOT TRUE)
    FROM crm.customer_history AS is_
    FULL JOIN crm.compute_histories() AS must ON must.customer_id = is_.customer_id AND must.currency = is_.currency;
END;
COMMENT ON FUNCTION crm.verify() IS
    'compares every derived table with what its facts say: how many customers were checked and how many differ (0 unless the loop was kept from running)';

CREATE FUNCTION crm.rebuild_channels(channels crm.channel[] DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dropped bigint;
    written bigint;
BEGIN
    -- Writers wait, so that what is computed is what there is.
    LOCK TABLE crm.interaction IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM crm.customer_channel AS t
    WHERE (channels IS NULL OR t.channel = ANY (channels))
      AND NOT EXISTS (SELECT FROM crm.interaction AS i
                      WHERE i.customer_id = t.customer_id AND i.channel = t.channel AND i.analysed_at IS NOT NULL);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    INSERT INTO crm.customer_channel AS t
        (customer_id, channel, score, interactions, last_outbound_at, last_inbound_at)
    SELECT c.customer_id, c.channel, c.score, c.interactions, c.last_outbound_at, c.last_inbound_at
    FROM crm.compute_channels(channels) AS c
    ORDER BY c.customer_id, c.channel
    ON CONFLICT (customer_id, channel) DO UPDATE SET
        score = excluded.score, interactions = excluded.interactions,
        last_outbound_at = excluded.last_outbound_at, last_inbound_at = excluded.last_inbound_at
    WHERE (t.score OPERATOR(crm.=) excluded.score AND t.interactions = excluded.interactions
           AND t.last_outbound_at IS NOT DISTINCT FROM excluded.last_outbound_at
           AND t.last_inbound_at IS NOT DISTINCT FROM excluded.last_inbound_at) IS NOT TRUE;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN dropped + written;
END $$;
COMMENT ON FUNCTION crm.rebuild_channels(crm.channel[]) IS
    'computes crm.customer_channel anew, of these channels, null: of all; returns how many rows were wrong';
REVOKE ALL ON FUNCTION crm.rebuild_channels(crm.channel[]) FROM PUBLIC;

CREATE FUNCTION crm.rebuild_histories() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dropped bigint;
    written bigint;
BEGIN
    LOCK TABLE crm.purchase IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM crm.customer_history AS t
    WHERE NOT EXISTS (SELECT FROM crm.purchase AS p
                      WHERE p.customer_id = t.customer_id AND p.currency = t.currency AND p.analysed_at IS NOT NULL);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    INSERT INTO crm.customer_history AS t (customer_id, currency, history)
    SELECT c.customer_id, c.currency, c.history
    FROM crm.compute_histories() AS c
    ORDER BY c.customer_id, c.currency
    ON CONFLICT (customer_id, currency) DO UPDATE SET history = excluded.history
    WHERE t.history OPERATOR(crm.<>) excluded.history;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN dropped + written;
END $$;
COMMENT ON FUNCTION crm.rebuild_histories() IS 'computes crm.customer_history anew; returns how many rows were wrong';
REVOKE ALL ON FUNCTION crm.rebuild_histories() FROM PUBLIC;

CREATE FUNCTION crm.rebuild() RETURNS TABLE (relation text, repaired bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT 'customer_channel', crm.rebuild_channels();
    RETURN QUERY SELECT 'customer_history', crm.rebuild_histories();
END $$;
COMMENT ON FUNCTION crm.rebuild() IS
    'computes every derived table anew from the facts, while writers of facts wait; returns how many rows of each were wrong';
REVOKE ALL ON FUNCTION crm.rebuild() FROM PUBLIC;

-- Rules that the scores are made by -----------------------------------------------------------------------------

CREATE FUNCTION crm.outcome_effect_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.rebuild_channels();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.outcome_effect_changed() IS 'trigger of crm.outcome_effect: all scores are made by these rules';
REVOKE ALL ON FUNCTION crm.outcome_effect_changed() FROM PUBLIC;

-- Triggers of one event fire in the order of their names.
CREATE TRIGGER forget AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.outcome_effect
    FOR EACH STATEMENT EXECUTE FUNCTION crm.rules_changed();
COMMENT ON TRIGGER forget ON crm.outcome_effect IS 'makes every session read the rules again';
CREATE TRIGGER rebuild AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.outcome_effect
    FOR EACH STATEMENT EXECUTE FUNCTION crm.outcome_effect_changed();
COMMENT ON TRIGGER rebuild ON crm.outcome_effect IS 'computes the scores anew by the changed rules';

CREATE FUNCTION crm.channel_policy_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF tg_op = 'UPDATE' THEN
        PERFORM crm.rebuild_channels(array_agg(n.channel))
        FROM new_rows AS n
        WHERE NOT EXISTS (SELECT FROM old_rows AS o WHERE o.channel = n.channel AND o.half_life = n.half_life)
        HAVING count(*) > 0;
        PERFORM crm.rebuild_channels(array_agg(o.channel))
        FROM old_rows AS o
        WHERE NOT EXISTS (SELECT FROM new_rows AS n WHERE n.channel = o.channel)
        HAVING count(*) > 0;
    ELSE
        PERFORM crm.rebuild_channels();
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.channel_policy_changed() IS 'trigger of crm.channel_policy: a channel''s scores are made by its half-life';
REVOKE ALL ON FUNCTION crm.channel_policy_changed() FROM PUBLIC;

CREATE TRIGGER forget AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.channel_policy
    FOR EACH STATEMENT EXECUTE FUNCTION crm.rules_changed();
COMMENT ON TRIGGER forget ON crm.channel_policy IS 'makes every session read the rules again';
CREATE TRIGGER rebuild_update AFTER UPDATE ON crm.channel_policy
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.channel_policy_changed();
CREATE TRIGGER rebuild AFTER INSERT OR DELETE OR TRUNCATE ON crm.channel_policy
    FOR EACH STATEMENT EXECUTE FUNCTION crm.channel_policy_changed();
COMMENT ON TRIGGER rebuild_update ON crm.channel_policy IS 'computes the scores of a channel anew when its half-life changes';
COMMENT ON TRIGGER rebuild ON crm.channel_policy IS 'computes the scores anew when a channel''s policy comes or goes';
