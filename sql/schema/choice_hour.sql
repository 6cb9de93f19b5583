-- choice: at which hour of his day a customer is best reached, and what came of the decisions.

CREATE TABLE crm.channel_hour (
    channel crm.channel,
    hour integer CHECK (hour BETWEEN 0 AND 23),
    successes double precision NOT NULL CHECK (successes >= 0),
    failures double precision NOT NULL CHECK (failures >= 0),
    relative_rate double precision NOT NULL CHECK (relative_rate > 0),
    strength double precision NOT NULL CHECK (strength > 0),
    refreshed_at timestamptz NOT NULL,
    PRIMARY KEY (channel, hour)
);
COMMENT ON TABLE crm.channel_hour IS
    'derived: how well all customers are reached over a channel in each hour of their day; computed by crm.refresh_hours(), hours without any contact left out';
COMMENT ON COLUMN crm.channel_hour.channel IS 'channel';
COMMENT ON COLUMN crm.channel_hour.hour IS 'hour of the day, 0 to 23, in the customer''s time zone';
COMMENT ON COLUMN crm.channel_hour.successes IS 'successes of all customers in that hour, decayed';
COMMENT ON COLUMN crm.channel_hour.failures IS 'failures, decayed';
COMMENT ON COLUMN crm.channel_hour.relative_rate IS 'rate of success in that hour over that of the channel, shrunk towards 1 as by 20 contacts';
COMMENT ON COLUMN crm.channel_hour.strength IS
    'how many contacts in an hour weigh as much with one customer as what all do: large where customers are alike, fitted for the channel';
COMMENT ON COLUMN crm.channel_hour.refreshed_at IS 'as of when';

-- Of one customer's contacts n in an hour, s succeed. Were he like all, s would vary around n m by n m (1 - m); what it varies more is
-- his own: n (n - 1) m (1 - m) / (strength + 1) in a beta-binomial model, where m is his own rate over the channel times the hour's
-- relative rate. Equating both sums gives the strength (the moment estimator), kept between 2 and 200.
CREATE FUNCTION crm.refresh_hours(at timestamptz DEFAULT now()) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hours bigint;
BEGIN
    IF at IS NULL OR NOT isfinite(at) THEN
        RAISE EXCEPTION USING errcode = '22008', message = 'the time as of which hours are refreshed must be finite';
    END IF;
    LOCK TABLE crm.channel_hour IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM crm.channel_hour;
    WITH cell AS MATERIALIZED (
        SELECT i.customer_id, i.channel,
               extract(hour FROM i.occurred_at AT TIME ZONE coalesce(c.time_zone, current_setting('TimeZone')))::integer AS hour,
               sum(e.success * w.weight) AS s, sum(e.failure * w.weight) AS f
        FROM crm.interaction AS i
        JOIN crm.customer AS c USING (customer_id)
        JOIN crm.outcome_effect AS e ON e.direction = i.direction AND e.outcome = i.outcome
        JOIN crm.channel_policy AS p ON p.channel = i.channel
        CROSS JOIN LATERAL (SELECT 2 ^ (extract(epoch FROM i.occurred_at - refresh_hours.at) / extract(epoch FROM p.half_life))::double precision AS weight) AS w
        WHERE i.occurred_at <= refresh_hours.at AND i.analysed_at IS NOT NULL AND e.success + e.failure > 0
        GROUP BY 1, 2, 3
    ), of_channel AS (
        SELECT channel, (sum(s) + 0.5) / (sum(s + f) + 1) AS rate FROM cell GROUP BY channel
    ), of_hour AS MATERIALIZED (
        SELECT c.channel, c.hour, sum(c.s) AS s, sum(c.f) AS f, (sum(c.s) + 20 * a.rate) / (sum(c.s + c.f) + 20) / a.rate AS relative_rate
        FROM cell AS c JOIN of_channel AS a USING (channel) GROUP BY c.channel, c.hour, a.rate
    ), of_customer AS (
        SELECT c.customer_id, c.channel, (sum(c.s) + 10 * a.rate) / (sum(c.s + c.f) + 10) AS rate
        FROM cell AS c JOIN of_channel AS a USING (channel) GROUP BY c.customer_id, c.channel, a.rate
    ), spread AS (
        SELECT c.channel, sum((c.s - k.n * k.m) ^ 2 - k.n * k.m * (1 - k.m)) AS surplus,
               sum(greatest(k.n * (k.n - 1), 0) * k.m * (1 - k.m)) AS unit
        FROM cell AS c
        JOIN of_hour AS h USING (channel, hour)
        JOIN of_customer AS u USING (customer_id, channel)
        CROSS JOIN LATERAL (SELECT c.s + c.f AS n, least(u.rate * h.relative_rate, 0.999) AS m) AS k
        GROUP BY c.channel
    )
    INSERT INTO crm.channel_hour (channel, hour, successes, failures, relative_rate, strength, refreshed_at)
    SELECT h.channel, h.hour, h.s, h.f, h.relative_rate,
           CASE WHEN x.surplus > 0 AND x.unit > 0 THEN least(greatest(x.unit / x.surplus - 1, 2), 200) ELSE 200 END, refresh_hours.at
    FROM of_hour AS h JOIN spread AS x USING (channel);
    GET DIAGNOSTICS hours = ROW_COUNT;
    RETURN hours;
END $$;
COMMENT ON FUNCTION crm.refresh_hours(timestamptz) IS
    'computes crm.channel_hour anew from all interactions until then; returns the number of its rows. Customers without a time zone are taken to live in the session''s';
REVOKE ALL ON FUNCTION crm.refresh_hours(timestamptz) FROM PUBLIC;

CREATE VIEW crm.best_hour WITH (security_invoker = true) AS
SELECT r.customer_id,
       r.channel::text AS channel,
       r.hour,
       r.place::integer AS preference,
       r.rate,
       r.expected,
       r.observations,
       r.time_zone
FROM (SELECT k.customer_id, k.channel, k.hour, k.rate, k.expected, k.observations, k.time_zone,
             row_number() OVER (PARTITION BY k.customer_id, k.channel ORDER BY k.rate DESC, k.hour) AS place
      FROM (SELECT b.customer_id, b.channel, h.hour, c.time_zone, m.expected,
                   coalesce(o.s + o.f, 0) AS observations,
                   (coalesce(g.strength, 10) * m.expected + coalesce(o.s, 0)) / (coalesce(g.strength, 10) + coalesce(o.s + o.f, 0)) AS rate
            FROM (SELECT DISTINCT p.customer_id, p.channel FROM crm.contact_point AS p WHERE p.blocked_at IS NULL) AS b
            JOIN crm.customer AS c ON c.customer_id = b.customer_id
            JOIN crm.customer_prior AS p ON p.customer_id = b.customer_id AND p.channel = b.channel
            LEFT JOIN crm.customer_channel AS t ON t.customer_id = b.customer_id AND t.channel = b.channel
            CROSS JOIN generate_series(0, 23) AS h (hour)
            LEFT JOIN crm.channel_hour AS g ON g.channel = b.channel AND g.hour = h.hour
            LEFT JOIN (SELECT i.customer_id, i.channel,
                              extract(hour FROM i.occurred_at AT TIME ZONE coalesce(c.time_zone, current_setting('TimeZone')))::integer AS hour,
                              sum(e.success * w.weight) AS s, sum(e.failure * w.weight) AS f
                       FROM crm.interaction AS i
                       JOIN crm.customer AS c ON c.customer_id = i.customer_id
                       JOIN crm.outcome_effect AS e ON e.direction = i.direction AND e.outcome = i.outcome
                       JOIN crm.channel_policy AS p ON p.channel = i.channel
                       CROSS JOIN LATERAL (SELECT 2 ^ (extract(epoch FROM i.occurred_at - now()) / extract(epoch FROM p.half_life))::double precision AS weight) AS w
                       WHERE i.analysed_at IS NOT NULL AND e.success + e.failure > 0
                       GROUP BY 1, 2, 3) AS o ON o.customer_id = b.customer_id AND o.channel = b.channel AND o.hour = h.hour
            CROSS JOIN LATERAL (SELECT least(coalesce(crm.score_mean(t.score, p.a, p.b, now()), p.a / (p.a + p.b)) * coalesce(g.relative_rate, 1),
                                             0.999) AS expected) AS m
            WHERE g.hour IS NOT NULL OR o.hour IS NOT NULL) AS k) AS r
WHERE r.place <= 3;
COMMENT ON VIEW crm.best_hour IS
    'the three best hours of the day to reach each customer over each channel for which there is a usable contact point: the share of contacts in that hour that succeed, his own contacts together with what is to be expected (crm.channel_hour, his own rate), as of now. Hours in which nobody was ever contacted are not listed';
COMMENT ON COLUMN crm.best_hour.customer_id IS 'customer';
COMMENT ON COLUMN crm.best_hour.channel IS 'channel';
COMMENT ON COLUMN crm.best_hour.hour IS 'hour of the day, 0 to 23, in the customer''s time zone';
COMMENT ON COLUMN crm.best_hour.preference IS '1 for the best hour, 2 and 3 for the next';
COMMENT ON COLUMN crm.best_hour.rate IS 'share of successes to be expected in that hour: posterior mean of a beta-binomial model with crm.channel_hour.strength';
COMMENT ON COLUMN crm.best_hour.expected IS 'what would be expected without his own contacts in that hour: his own rate over the channel times the hour''s relative rate';
COMMENT ON COLUMN crm.best_hour.observations IS 'his own contacts in that hour that told something, decayed';
COMMENT ON COLUMN crm.best_hour.time_zone IS 'time zone that the hour is meant in; null: unknown, the session''s was taken';

-- What came of decisions ------------------------------------------------------------------------------------------

CREATE VIEW crm.decision_outcome WITH (security_invoker = true) AS
SELECT d.decision_id,
       d.customer_id,
       d.purpose,
       d.decided_at,
       d.channel::text AS channel,
       d.propensity,
       d.means[array_position(d.channels, d.channel)] AS mean,
       d.expected_value,
       d.gamma,
       cardinality(d.channels) AS allowed,
       u.until_at,
       o.contacted,
       o.answered,
       CASE WHEN o.answered THEN 1.0::double precision
            WHEN o.failed OR o.contacted AND u.until_at <= now() THEN 0.0::double precision END AS reward
FROM crm.contact_decision AS d
JOIN crm.channel_policy AS p ON p.channel = d.channel
CROSS JOIN LATERAL (SELECT least(d.decided_at + p.response_window,
                                 (SELECT min(n.decided_at) FROM crm.contact_decision AS n
                                  WHERE n.customer_id = d.customer_id AND n.decided_at > d.decided_at AND n.channel = d.channel)) AS until_at) AS u
CROSS JOIN LATERAL (SELECT coalesce(bool_or(i.direction = 'outbound'), false) AS contacted,
                           coalesce(bool_or(e.success > e.failure), false) AS answered,
                           coalesce(bool_or(i.direction = 'outbound' AND e.failure > e.success), false) AS failed
                    FROM crm.interaction AS i
                    LEFT JOIN crm.outcome_effect AS e ON e.direction = i.direction AND e.outcome = i.outcome
                    WHERE i.customer_id = d.customer_id AND i.channel = d.channel
                      AND i.occurred_at >= d.decided_at AND i.occurred_at < u.until_at) AS o;
COMMENT ON VIEW crm.decision_outcome IS
    'what came of each decision over the channel chosen, within its response window and before the next decision for it; what crm.policy_value() judges policies by';
COMMENT ON COLUMN crm.decision_outcome.decision_id IS 'decision';
COMMENT ON COLUMN crm.decision_outcome.customer_id IS 'customer';
COMMENT ON COLUMN crm.decision_outcome.purpose IS 'purpose of the contact';
COMMENT ON COLUMN crm.decision_outcome.decided_at IS 'time for which it was decided';
COMMENT ON COLUMN crm.decision_outcome.channel IS 'the channel chosen; decisions that none was allowed are left out';
COMMENT ON COLUMN crm.decision_outcome.propensity IS 'probability with which it was chosen';
COMMENT ON COLUMN crm.decision_outcome.mean IS 'probability of an answer that was expected then: the prediction for doubly robust estimates';
COMMENT ON COLUMN crm.decision_outcome.expected_value IS 'value that was expected then';
COMMENT ON COLUMN crm.decision_outcome.gamma IS 'gamma of the gap rule';
COMMENT ON COLUMN crm.decision_outcome.allowed IS 'how many channels were allowed';
COMMENT ON COLUMN crm.decision_outcome.until_at IS 'until when contacts and answers are counted to it';
COMMENT ON COLUMN crm.decision_outcome.contacted IS 'was the customer contacted over the channel';
COMMENT ON COLUMN crm.decision_outcome.answered IS 'did he answer, or come by himself over it';
COMMENT ON COLUMN crm.decision_outcome.reward IS '1 answered, 0 not; null while that is not known, or when the decision was not carried out';
