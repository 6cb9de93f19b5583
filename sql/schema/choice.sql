-- choice: through which channel a customer is best reached, and the decision through which one to contact him.

-- How decisions are made ----------------------------------------------------------------------------------------

CREATE TABLE crm.choice_policy (
    purpose text PRIMARY KEY CHECK (purpose <> ''),
    response_value numeric NOT NULL CHECK (response_value >= 0.000001 AND response_value <= 1e12),
    gamma double precision NOT NULL DEFAULT 1000 CHECK (gamma >= 0 AND gamma <= 1e12)
);
COMMENT ON TABLE crm.choice_policy IS
    'how a channel is chosen for a contact, by purpose; a purpose that is not here is decided like marketing';
COMMENT ON COLUMN crm.choice_policy.purpose IS 'purpose of the contact';
COMMENT ON COLUMN crm.choice_policy.response_value IS
    'what an answer is worth, in the unit of crm.channel_policy.unit_cost: a channel''s value is its probability of an answer times this, less its cost';
COMMENT ON COLUMN crm.choice_policy.gamma IS
    'how closely the best channel is followed: the greater, the fewer contacts go over others to learn, and the smaller the propensities by which policies are judged later; 0: all channels alike';
GRANT SELECT ON crm.choice_policy TO PUBLIC;

INSERT INTO crm.choice_policy (purpose, response_value) VALUES ('marketing', 60);

-- What is known -------------------------------------------------------------------------------------------------

-- Each argument once, so that the planner expands it in place.
CREATE FUNCTION crm.expectation(observations bigint, successes double precision, contacts double precision, mean double precision) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT format(CASE WHEN observations = 0 THEN 'not yet tried; of customers like this one %3$s %% answer'
                       ELSE '%1$s of %2$s recent contacts answered, older ones counting less; expected %3$s %%' END,
                  round(successes::numeric, 1), round(contacts::numeric, 1), round((100 * mean)::numeric, 1));
END;
COMMENT ON FUNCTION crm.expectation(bigint, double precision, double precision, double precision) IS
    'in words, what is expected of a channel and why: how many contacts told something, of how many contacts, decayed to now, how many were answered, and the posterior mean';

CREATE VIEW crm.channel_preference WITH (security_invoker = true) AS
SELECT s.customer_id,
       s.channel::text AS channel,
       s.a / (s.a + s.b) AS mean,
       crm.beta_quantile(0.05, s.a, s.b) AS lower,
       crm.beta_quantile(0.95, s.a, s.b) AS upper,
       (rank() OVER (PARTITION BY s.customer_id ORDER BY s.a / (s.a + s.b) DESC))::integer AS preference,
       s.successes,
       s.failures,
       s.observations,
       s.interactions,
       s.last_outbound_at,
       s.last_inbound_at,
       s.prior_success,
       s.prior_failure,
       s.response_value * s.a / (s.a + s.b) - s.unit_cost AS expected_value,
       (crm.probability_best(array_agg(greatest(s.a, 0.01)) OVER everything, array_agg(greatest(s.b, 0.01)) OVER everything,
                             s.response_value, array_agg(s.unit_cost) OVER everything))
           [row_number() OVER (PARTITION BY s.customer_id ORDER BY s.channel)] AS probability_best,
       crm.expectation(s.observations, s.successes, s.successes + s.failures, s.a / (s.a + s.b)) AS reason
FROM (SELECT p.customer_id, p.channel, v.response_value::double precision AS response_value, y.unit_cost::double precision AS unit_cost,
             p.a + coalesce(crm.successes(t.score, now()), 0) AS a,
             p.b + coalesce(crm.failures(t.score, now()), 0) AS b,
             coalesce(crm.successes(t.score, now()), 0) AS successes,
             coalesce(crm.failures(t.score, now()), 0) AS failures,
             coalesce(crm.observations(t.score), 0) AS observations,
             coalesce(t.interactions, 0) AS interactions,
             t.last_outbound_at, t.last_inbound_at, p.a AS prior_success, p.b AS prior_failure
      FROM crm.customer_prior AS p
      JOIN crm.channel_policy AS y ON y.channel = p.channel
      LEFT JOIN crm.choice_policy AS v ON v.purpose = 'marketing'
      LEFT JOIN crm.customer_channel AS t ON t.customer_id = p.customer_id AND t.channel = p.channel
      WHERE t.customer_id IS NOT NULL
         OR EXISTS (SELECT FROM crm.contact_point AS c
                    WHERE c.customer_id = p.customer_id AND c.channel = p.channel AND c.blocked_at IS NULL)) AS s
WINDOW everything AS (PARTITION BY s.customer_id ORDER BY s.channel ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);
COMMENT ON VIEW crm.channel_preference IS
    'how well each customer is reached, as of now, over each channel that was ever used or for which there is a usable contact point; what was never used is known by the prior alone';
COMMENT ON COLUMN crm.channel_preference.customer_id IS 'customer';
COMMENT ON COLUMN crm.channel_preference.channel IS 'channel';
COMMENT ON COLUMN crm.channel_preference.mean IS 'probability that the next contact over it succeeds: posterior mean';
COMMENT ON COLUMN crm.channel_preference.lower IS 'lower bound of the 90 % credible interval of that probability';
COMMENT ON COLUMN crm.channel_preference.upper IS 'upper bound of the 90 % credible interval';
COMMENT ON COLUMN crm.channel_preference.preference IS '1 for the customer''s best channel by mean, 2 for the next; equal means share a rank';
COMMENT ON COLUMN crm.channel_preference.successes IS 'successes, decayed to now';
COMMENT ON COLUMN crm.channel_preference.failures IS 'failures, decayed to now';
COMMENT ON COLUMN crm.channel_preference.observations IS 'how many contacts told something';
COMMENT ON COLUMN crm.channel_preference.interactions IS 'how many contacts there were';
COMMENT ON COLUMN crm.channel_preference.last_outbound_at IS 'newest contact that we began';
COMMENT ON COLUMN crm.channel_preference.last_inbound_at IS 'newest contact that the customer began';
COMMENT ON COLUMN crm.channel_preference.prior_success IS 'successes that the prior is worth, what customers like this one do';
COMMENT ON COLUMN crm.channel_preference.prior_failure IS 'failures that the prior is worth';
COMMENT ON COLUMN crm.channel_preference.expected_value IS 'mean times crm.choice_policy.response_value for marketing, less the channel''s unit cost';
COMMENT ON COLUMN crm.channel_preference.probability_best IS
    'probability that it is the most valuable of the customer''s channels here, permitted or not, given what is known; over a customer they add up to 1. Takes 13 to 100 microseconds each, when selected';
COMMENT ON COLUMN crm.channel_preference.reason IS 'why, in words';

CREATE FUNCTION crm.channel_terms() RETURNS crm.channel_term[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(
        SELECT ROW(y.channel, y.unit_cost, coalesce(r.prior_success, y.prior_success), coalesce(r.prior_failure, y.prior_failure),
                   CASE WHEN r.method = 'regression' THEN r.strength END, r.weights, r.means)::crm.channel_term
        FROM crm.channel_policy AS y LEFT JOIN crm.channel_prior AS r ON r.channel = y.channel AND r.is_current
        ORDER BY y.channel);
END $$;
COMMENT ON FUNCTION crm.channel_terms() IS 'cost and prior of each channel at present, for crm.rank_reach(), in the order of crm.channel';

-- What is asked of all is joined and put together for each customer first, so that parallel workers share it. Features once for
-- each customer; a DISTINCT, so that it stays a relation of its own, with one row for each customer, also of one.
CREATE VIEW crm.best_channel WITH (security_invoker = true) AS
SELECT s.customer_id,
       (s.best).channel::text AS channel,
       k.a / (k.a + k.b) AS mean,
       crm.beta_quantile(0.05, k.a, k.b) AS lower,
       crm.beta_quantile(0.95, k.a, k.b) AS upper,
       (crm.probability_best((s.best).all_a, (s.best).all_b, s.response_value, (s.best).all_cost))[1] AS probability_best,
       (s.best).value AS expected_value,
       (s.best).channels,
       (s.best).next_channel::text AS next_channel,
       (s.best).next_value,
       (s.best).successes,
       (s.best).failures,
       (s.best).observations,
       (s.best).last_contact_at,
       (s.best).contact_point_id,
       (s.best).consent_id,
       crm.expectation((s.best).observations, (s.best).successes, (s.best).successes + (s.best).failures, k.a / (k.a + k.b))
       || CASE WHEN (s.best).channels = 1 THEN '; the only channel permitted'
               ELSE format('; worth %s after cost, %s %s', round((s.best).value::numeric, 2), (s.best).next_channel,
                           round((s.best).next_value::numeric, 2)) END AS reason
FROM (SELECT DISTINCT ON (g.customer_id) g.customer_id,
             crm.rank_reach(g.reach, (SELECT crm.channel_terms()), f.features, v.response_value) AS best, v.response_value
      FROM (SELECT p.customer_id,
                   crm.reach(p.channel, p.contact_point_id, p.is_primary, p.consent_id, p.is_objection, p.recorded_at, p.permits,
                             t.score, greatest(t.last_outbound_at, t.last_inbound_at), now()) AS reach
            FROM crm.contact_candidate AS p
            LEFT JOIN crm.customer_channel AS t ON t.customer_id = p.customer_id AND t.channel = p.channel
            WHERE p.purpose = 'marketing'
            GROUP BY p.customer_id) AS g
      CROSS JOIN (SELECT v.response_value::double precision AS response_value FROM crm.choice_policy AS v WHERE v.purpose = 'marketing') AS v
      LEFT JOIN (SELECT DISTINCT ON (f.customer_id) f.customer_id, crm.feature_values(f) AS features
                 FROM crm.customer_feature AS f WHERE crm.is_any_regression()
                 ORDER BY f.customer_id) AS f ON f.customer_id = g.customer_id
      ORDER BY g.customer_id) AS s
CROSS JOIN LATERAL (SELECT (s.best).prior_success + (s.best).successes AS a, (s.best).prior_failure + (s.best).failures AS b) AS k
WHERE (s.best).channel IS NOT NULL;
COMMENT ON VIEW crm.best_channel IS
    'the channel over which each customer is best reached for marketing, as of now, among those he may be contacted over: that of the greatest expected value. No row: none is permitted';
COMMENT ON COLUMN crm.best_channel.customer_id IS 'customer';
COMMENT ON COLUMN crm.best_channel.channel IS 'the best channel; of equal ones the first in the order of crm.channel';
COMMENT ON COLUMN crm.best_channel.mean IS 'probability that the next contact over it is answered: posterior mean';
COMMENT ON COLUMN crm.best_channel.lower IS 'lower bound of the 90 % credible interval of that probability';
COMMENT ON COLUMN crm.best_channel.upper IS 'upper bound of the 90 % credible interval';
COMMENT ON COLUMN crm.best_channel.probability_best IS
    'probability that it is the most valuable of the permitted ones indeed, given what is known; takes 13 to 100 microseconds each, when selected';
COMMENT ON COLUMN crm.best_channel.expected_value IS 'mean times crm.choice_policy.response_value, less the channel''s unit cost';
COMMENT ON COLUMN crm.best_channel.channels IS 'how many channels are permitted';
COMMENT ON COLUMN crm.best_channel.next_channel IS 'the second best; null if there is none';
COMMENT ON COLUMN crm.best_channel.next_value IS 'its expected value';
COMMENT ON COLUMN crm.best_channel.successes IS 'successes over the best channel, decayed to now';
COMMENT ON COLUMN crm.best_channel.failures IS 'failures over it, decayed to now';
COMMENT ON COLUMN crm.best_channel.observations IS 'how many contacts over it told something';
COMMENT ON COLUMN crm.best_channel.last_contact_at IS 'newest contact over it, by either side';
COMMENT ON COLUMN crm.best_channel.contact_point_id IS 'contact point to use';
COMMENT ON COLUMN crm.best_channel.consent_id IS 'the consent that permits it; null where none is needed';
COMMENT ON COLUMN crm.best_channel.reason IS 'why, in words';

-- Decisions -----------------------------------------------------------------------------------------------------

CREATE TABLE crm.contact_decision (
    decision_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES crm.customer ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose <> ''),
    decided_at timestamptz NOT NULL CHECK (isfinite(decided_at)),
    channel crm.channel,
    propensity double precision CHECK (propensity > 0 AND propensity <= 1),
    expected_value double precision,
    contact_point_id bigint,
    consent_id bigint,
    channels crm.channel[] NOT NULL,
    means double precision[] NOT NULL,
    net_values double precision[] NOT NULL,
    propensities double precision[] NOT NULL,
    prior_ids bigint[] NOT NULL,
    response_value double precision NOT NULL,
    gamma double precision NOT NULL,
    seed bigint NOT NULL,
    reason text,
    next_at timestamptz,
    CONSTRAINT contact_decision_channel CHECK (CASE WHEN cardinality(channels) = 0
        THEN channel IS NULL AND propensity IS NULL AND reason IS NOT NULL
        ELSE channel IS NOT NULL AND propensity IS NOT NULL AND channel = ANY (channels) END),
    CONSTRAINT contact_decision_lengths CHECK (cardinality(means) = cardinality(channels) AND cardinality(net_values) = cardinality(channels)
        AND cardinality(propensities) = cardinality(channels) AND cardinality(prior_ids) = cardinality(channels))
);
COMMENT ON TABLE crm.contact_decision IS
    'the log of decisions over which channel to contact a customer, with all that is needed to repeat them and to judge other policies by them';
COMMENT ON COLUMN crm.contact_decision.decision_id IS 'key';
COMMENT ON COLUMN crm.contact_decision.customer_id IS 'customer';
COMMENT ON COLUMN crm.contact_decision.purpose IS 'purpose of the contact';
COMMENT ON COLUMN crm.contact_decision.decided_at IS 'time for which it was decided';
COMMENT ON COLUMN crm.contact_decision.channel IS 'the channel chosen; null: none was allowed';
COMMENT ON COLUMN crm.contact_decision.propensity IS 'probability with which it was chosen';
COMMENT ON COLUMN crm.contact_decision.expected_value IS 'its probability of an answer times response_value, less its cost';
COMMENT ON COLUMN crm.contact_decision.contact_point_id IS 'contact point to use, as it was then: a record, not a reference';
COMMENT ON COLUMN crm.contact_decision.consent_id IS 'consent that permitted it, likewise';
COMMENT ON COLUMN crm.contact_decision.channels IS 'the channels that were allowed, in the order of crm.channel; the arrays that follow are in this order';
COMMENT ON COLUMN crm.contact_decision.means IS 'probability of an answer over each: posterior means';
COMMENT ON COLUMN crm.contact_decision.net_values IS 'what was compared: mean less cost / response_value';
COMMENT ON COLUMN crm.contact_decision.propensities IS 'probability with which each could have been chosen; adds up to 1';
COMMENT ON COLUMN crm.contact_decision.prior_ids IS 'model version: the row of crm.channel_prior that was in force for each; null for the prior of crm.channel_policy';
COMMENT ON COLUMN crm.contact_decision.response_value IS 'what an answer was taken to be worth';
COMMENT ON COLUMN crm.contact_decision.gamma IS 'gamma of the gap rule';
COMMENT ON COLUMN crm.contact_decision.seed IS 'the choice is channels[crm.gap_choose(net_values, gamma, seed)]';
COMMENT ON COLUMN crm.contact_decision.reason IS 'why no channel was allowed: the refusal of each; null where one was';
COMMENT ON COLUMN crm.contact_decision.next_at IS 'when a refused channel will be allowed again, the earliest; null where one was, or where time alone does not help';
CREATE INDEX contact_decision_customer ON crm.contact_decision (customer_id, decided_at DESC);
COMMENT ON INDEX crm.contact_decision_customer IS 'a customer''s newest decisions first';

-- The log is written by these functions alone, so they run as its owner.
-- In functions of their own, so that their plans do not depend on what the planner believes of the arrays: here nothing is scanned whole,
-- there two results of functions are joined by hashing. Planning for the arrays at hand would cost more than all else of one decision.
CREATE FUNCTION crm.channel_outlook(customer_ids bigint[], at timestamptz DEFAULT now())
    RETURNS TABLE (customer_id bigint, channel crm.channel, mean double precision, unit_cost double precision, prior_id bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1000 SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p.customer_id, p.channel, coalesce(crm.score_mean(t.score, p.a, p.b, channel_outlook.at), p.a / (p.a + p.b)),
           y.unit_cost::double precision, f.channel_prior_id
    FROM crm.customer_prior AS p
    JOIN crm.channel_policy AS y ON y.channel = p.channel
    LEFT JOIN crm.channel_prior AS f ON f.channel = p.channel AND f.is_current
    LEFT JOIN crm.customer_channel AS t ON t.customer_id = p.customer_id AND t.channel = p.channel
    WHERE p.customer_id = ANY (channel_outlook.customer_ids);
END $$;
COMMENT ON FUNCTION crm.channel_outlook(bigint[], timestamptz) IS
    'for each of these customers and every channel: probability of an answer at that time (posterior mean), cost of a contact, and the row of crm.channel_prior that it rests on; whether he may be contacted over it is another question';

CREATE FUNCTION crm.choose_channels(customer_ids bigint[], purpose text DEFAULT 'marketing', at timestamptz DEFAULT now(), seed bigint DEFAULT NULL)
    RETURNS TABLE (customer_id bigint, channel crm.channel, contact_point_id bigint, consent_id bigint, propensity double precision,
                   mean double precision, expected_value double precision, decision_id bigint,
                   channels crm.channel[], means double precision[], propensities double precision[], reason text, next_at timestamptz)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    base bigint := coalesce(choose_channels.seed, (random() * 9007199254740991)::bigint);
    missing text;
BEGIN
    SELECT u.customer_id::text INTO missing FROM unnest(choose_channels.customer_ids) AS u (customer_id)
    WHERE u.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.customer AS c WHERE c.customer_id = u.customer_id) LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = format('customer %s does not exist', missing),
            SCHEMA = 'crm', TABLE = 'contact_decision', CONSTRAINT = 'contact_decision_customer_id_fkey';
    END IF;
    RETURN QUERY
    WITH policy AS MATERIALIZED (
        SELECT c.response_value::double precision AS response_value, c.gamma
        FROM crm.choice_policy AS c WHERE c.purpose IN (choose_channels.purpose, 'marketing')
        ORDER BY c.purpose = choose_channels.purpose DESC LIMIT 1
    ), decided AS MATERIALIZED (
        SELECT d.*, v.response_value, v.gamma, hashint8extended(d.customer_id, base) AS seed
        FROM (SELECT k.customer_id,
                     coalesce(array_agg(k.channel ORDER BY k.channel) FILTER (WHERE k.allowed), '{}') AS channels,
                     coalesce(array_agg(k.mean ORDER BY k.channel) FILTER (WHERE k.allowed), '{}') AS means,
                     coalesce(array_agg(k.net_value ORDER BY k.channel) FILTER (WHERE k.allowed), '{}') AS net_values,
                     coalesce(array_agg(k.prior_id ORDER BY k.channel) FILTER (WHERE k.allowed), '{}') AS prior_ids,
                     array_agg(k.contact_point_id ORDER BY k.channel) FILTER (WHERE k.allowed) AS contact_point_ids,
                     array_agg(k.consent_id ORDER BY k.channel) FILTER (WHERE k.allowed) AS consent_ids,
                     array_agg(k.unit_cost ORDER BY k.channel) FILTER (WHERE k.allowed) AS costs,
                     CASE WHEN bool_or(k.allowed) THEN NULL
                          ELSE coalesce(string_agg(k.channel::text || ': ' || k.refusal, ', ' ORDER BY k.channel), 'no contact point') END AS reason,
                     CASE WHEN bool_or(k.allowed) THEN NULL ELSE min(k.next_at) END AS next_at
              FROM (SELECT o.customer_id, o.channel, o.contact_point_id, o.consent_id, o.refusal, o.next_at, o.refusal IS NULL AS allowed,
                           l.mean, l.unit_cost, l.prior_id, greatest(l.mean - l.unit_cost / v.response_value, -1e12) AS net_value
                    FROM crm.contact_options(choose_channels.customer_ids, choose_channels.purpose, choose_channels.at) AS o
                    JOIN crm.channel_outlook(choose_channels.customer_ids, choose_channels.at) AS l
                        ON l.customer_id = o.customer_id AND l.channel = o.channel
                    CROSS JOIN policy AS v
                    UNION ALL
                    -- Everybody once more, also who has no contact point.
                    SELECT u.customer_id, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL
                    FROM unnest(choose_channels.customer_ids) AS u (customer_id)
                    WHERE u.customer_id IS NOT NULL) AS k
              GROUP BY k.customer_id) AS d
        CROSS JOIN policy AS v
    ), chosen AS MATERIALIZED (
        SELECT d.*, crm.gap_choose(d.net_values, d.gamma, d.seed) AS place, crm.gap_propensities(d.net_values, d.gamma) AS propensities
        FROM decided AS d
    ), kept AS (
        INSERT INTO crm.contact_decision AS n
            (customer_id, purpose, decided_at, channel, propensity, expected_value, contact_point_id, consent_id,
             channels, means, net_values, propensities, prior_ids, response_value, gamma, seed, reason, next_at)
        SELECT c.customer_id, choose_channels.purpose, choose_channels.at, c.channels[c.place], c.propensities[c.place],
               c.response_value * c.means[c.place] - c.costs[c.place], c.contact_point_ids[c.place], c.consent_ids[c.place],
               c.channels, c.means, c.net_values, c.propensities, c.prior_ids, c.response_value, c.gamma, c.seed, c.reason, c.next_at
        FROM chosen AS c
        ORDER BY c.customer_id
        RETURNING n.customer_id, n.channel, n.contact_point_id, n.consent_id, n.propensity, n.expected_value, n.decision_id,
                  n.channels, n.means, n.propensities, n.reason, n.next_at
    )
    SELECT n.customer_id, n.channel, n.contact_point_id, n.consent_id, n.propensity, n.means[array_position(n.channels, n.channel)],
           n.expected_value, n.decision_id, n.channels, n.means, n.propensities, n.reason, n.next_at
    FROM kept AS n
    ORDER BY n.customer_id;
END $$;
COMMENT ON FUNCTION crm.choose_channels(bigint[], text, timestamptz, bigint) IS
    'decides over which channel to contact each of these customers, and keeps the decisions in crm.contact_decision. Only channels that crm.contact_options() allows at that time; by the gap rule on the posterior mean less cost / response_value. Each customer once; where no channel is allowed, channel is null and reason says why. The same seed makes the same choices on the same knowledge; without one they are random';
REVOKE ALL ON FUNCTION crm.choose_channels(bigint[], text, timestamptz, bigint) FROM PUBLIC;

CREATE FUNCTION crm.choose_channel(customer_id bigint, purpose text DEFAULT 'marketing', at timestamptz DEFAULT now(), seed bigint DEFAULT NULL,
                                   OUT channel crm.channel, OUT contact_point_id bigint, OUT consent_id bigint, OUT propensity double precision,
                                   OUT mean double precision, OUT expected_value double precision, OUT decision_id bigint,
                                   OUT channels crm.channel[], OUT means double precision[], OUT propensities double precision[],
                                   OUT reason text, OUT next_at timestamptz)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.channel, c.contact_point_id, c.consent_id, c.propensity, c.mean, c.expected_value, c.decision_id,
           c.channels, c.means, c.propensities, c.reason, c.next_at
    FROM crm.choose_channels(ARRAY[$1], $2, $3, $4) AS c $$;
COMMENT ON FUNCTION crm.choose_channel(bigint, text, timestamptz, bigint) IS
    'decides over which channel to contact a customer, as crm.choose_channels() does for many: the same seed makes the same choice in either';
REVOKE ALL ON FUNCTION crm.choose_channel(bigint, text, timestamptz, bigint) FROM PUBLIC;
