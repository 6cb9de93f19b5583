-- A world in which crm decides, contacts and learns, through its SQL alone: what share of the answers of somebody who
-- knows everything does it get?
--
--   psql -v customers=10000 -v weeks=104 -v mode=drift -v seed=1 -f simulator.sql      in a database without crm; or mode=stationary
--
-- Every customer is contacted once a week over one of six channels, of which he has consented to some. He answers with
-- probability 1 / (1 + exp(-u)),
--
--     u = the channel's level + its weights * three features of the customer + the customer's own inclination (sd 1).
--
-- With drift the levels move in trends and each week 1 % of the customers' own inclinations are drawn anew. Each week
-- crm.choose_channels() decides for all, the answers are written to crm.interaction as of that week, and every fourth
-- week (the first weeks: every one) crm.refresh_priors() is called. Nothing else tells crm of the world.
-- The share is that of the probabilities of an answer, so that the luck of the draw does not count. In the end
-- crm.policy_value() judges three policies by crm's own log, and is held against what the world knows of them.
\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\if :{?customers} \else \set customers 10000 \endif
\if :{?weeks} \else \set weeks 104 \endif
\if :{?mode} \else \set mode drift \endif
\if :{?seed} \else \set seed 1 \endif
SET client_min_messages = warning;
SELECT :'mode' = 'drift' AS drift, CASE WHEN :'mode' NOT IN ('drift', 'stationary') THEN 1 / 0 END AS wrong_mode \gset
CREATE EXTENSION crm CASCADE;
SELECT crm.setup() \g /dev/null
SET synchronous_commit = off;

CREATE SCHEMA simulation;
SELECT setseed(:seed / 1000.0) \g /dev/null

CREATE FUNCTION simulation.normal() RETURNS double precision LANGUAGE sql VOLATILE AS
    'SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())';

-- Costs are nothing and every contact is allowed by cap and hour, so that answers alone are measured.
UPDATE crm.channel_policy SET unit_cost = 0, cap = NULL, cap_window = NULL, quiet_from = NULL, quiet_until = NULL;
DELETE FROM crm.quiet_rule;

-- The world ------------------------------------------------------------------------------------------------------

CREATE TABLE simulation.channel (channel crm.channel PRIMARY KEY, k integer, level double precision, weight double precision[], trend double precision);
INSERT INTO simulation.channel VALUES
    ('phone',  1, -1.00, '{0.8,-0.4,0.3}',  0.4),
    ('social', 2, -1.50, '{-0.6,0.8,0.5}',  0.3),
    ('email',  3, -0.50, '{0.3,0.5,-0.7}', -0.4),
    ('letter', 4, -1.80, '{-0.7,-0.3,0.6}', -0.3),
    ('fax',    5, -2.20, '{0.5,-0.6,-0.5}', 0.2),
    ('visit',  6, -1.40, '{-0.3,0.6,-0.4}', 0.5);
COMMENT ON COLUMN simulation.channel.trend IS 'change of the level in 52 weeks';

INSERT INTO crm.customer (customer_id, name, kind, country, created_at)
SELECT i, 'Customer ' || i, 'person', 'DE', now() - (:weeks + 1) * interval '7 days' FROM generate_series(1, :customers) AS i;

CREATE TABLE simulation.person AS
SELECT i::bigint AS customer_id, simulation.normal() AS x1, simulation.normal() AS x2, CASE WHEN random() < 0.5 THEN 1 ELSE -1 END::double precision AS x3
FROM generate_series(1, :customers) AS i;
ALTER TABLE simulation.person ADD PRIMARY KEY (customer_id);

-- Each channel is permitted to 7 of 10 customers; everyone has one.
CREATE TABLE simulation.truth AS
SELECT p.customer_id, c.channel, c.level + c.weight[1] * p.x1 + c.weight[2] * p.x2 + c.weight[3] * p.x3 AS known,
       simulation.normal() AS own, c.trend, (random() < 0.7 OR p.customer_id % 6 = c.k - 1) AS allowed
FROM simulation.person AS p, simulation.channel AS c;
ALTER TABLE simulation.truth ADD PRIMARY KEY (customer_id, channel);

INSERT INTO crm.contact_point (customer_id, channel, address)
SELECT t.customer_id, t.channel,
       CASE WHEN t.channel IN ('phone', 'fax') THEN '+4930' || 1000000 + t.customer_id
            WHEN t.channel = 'email' THEN 'c' || t.customer_id || '@example.com' ELSE 'x' || t.customer_id END
FROM simulation.truth AS t WHERE t.allowed OR t.channel IN ('phone', 'social', 'email', 'fax') ORDER BY t.customer_id, t.channel;
-- Letters and visits are permitted where there is an address, the others by consent.
INSERT INTO crm.consent (customer_id, channel, purpose, status, evidence, recorded_at)
SELECT t.customer_id, t.channel, 'marketing', 'granted', 'simulated', now() - (:weeks + 1) * interval '7 days'
FROM simulation.truth AS t WHERE t.allowed AND t.channel IN ('phone', 'social', 'email', 'fax') ORDER BY t.customer_id, t.channel;

CREATE FUNCTION simulation.probability(known double precision, own double precision, trend double precision, share double precision)
    RETURNS double precision LANGUAGE sql IMMUTABLE AS 'SELECT 1 / (1 + exp(-(known + own + trend * share)))';

-- What crm may know of the customers: three columns more in crm.customer_feature.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW crm.customer_feature WITH (security_invoker = true) AS SELECT v.*, p.x1, p.x2, p.x3 FROM ('
        || rtrim(pg_get_viewdef('crm.customer_feature'::regclass), ';') || ') AS v JOIN simulation.person AS p USING (customer_id)';
END $$;
VACUUM ANALYZE;

\echo The world, as shares of what somebody gets who knows everything:
WITH p AS (SELECT t.customer_id, t.channel, t.known, simulation.probability(t.known, t.own, 0, 0) AS p FROM simulation.truth AS t WHERE t.allowed),
     best AS (SELECT channel, row_number() OVER (ORDER BY sum(p) DESC) AS place FROM p GROUP BY channel),
     c AS (SELECT max(p) AS best, avg(p) AS mean, (array_agg(p ORDER BY place))[1] AS one, (array_agg(p ORDER BY known DESC))[1] AS by_feature
           FROM p JOIN best USING (channel) GROUP BY customer_id)
SELECT round((sum(mean) / sum(best))::numeric, 3) AS random, round((sum(one) / sum(best))::numeric, 3) AS one_channel_for_all,
       round((sum(by_feature) / sum(best))::numeric, 3) AS true_model_of_features, round(avg(best)::numeric, 3) AS best_rate FROM c;

CREATE TABLE simulation.week (
    week integer PRIMARY KEY, decisions bigint, oracle double precision, policy double precision, random double precision, answers bigint,
    least_propensity double precision, best_share double precision, greedy double precision, one_for_all double precision
);
COMMENT ON COLUMN simulation.week.greedy IS 'answers to be expected had each got what crm took for best';
COMMENT ON COLUMN simulation.week.one_for_all IS 'had all got the channel best for all at first, or the first after it that is permitted';
CREATE TABLE simulation.place AS
SELECT t.channel, row_number() OVER (ORDER BY sum(simulation.probability(t.known, t.own, 0, 0)) DESC) AS place
FROM simulation.truth AS t WHERE t.allowed GROUP BY t.channel;

-- A week: decide, contact, learn.
CREATE PROCEDURE simulation.live(weeks integer, drift boolean, seed bigint) LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    everyone bigint[] := ARRAY(SELECT customer_id FROM simulation.person ORDER BY customer_id);
BEGIN
    FOR w IN 1 .. weeks LOOP
        at := date_trunc('hour', now()) - (weeks + 1 - w) * interval '7 days';
        IF drift AND w > 1 THEN
            UPDATE simulation.truth SET own = simulation.normal() WHERE random() < 0.01;
        END IF;

        CREATE TEMP TABLE chosen ON COMMIT DROP AS
        SELECT c.customer_id, c.channel, c.contact_point_id, c.propensity, c.channels, c.means, c.propensities
        FROM crm.choose_channels(everyone, 'marketing', at, seed * 1000 + w) AS c;

        INSERT INTO simulation.week
        SELECT w, count(*), sum(o.best), sum(simulation.probability(t.known, t.own, t.trend, CASE WHEN drift THEN w / 52.0 ELSE 0 END)), sum(o.mean),
               0, min(l.least), avg((c.propensity > 0.5)::int), sum(o.greedy), sum(o.one)
        FROM chosen AS c
        JOIN simulation.truth AS t USING (customer_id, channel)
        CROSS JOIN LATERAL (SELECT max(a.p) AS best, avg(a.p) AS mean,
                                   (array_agg(a.p ORDER BY c.means[array_position(c.channels, a.channel)] DESC, a.channel))[1] AS greedy,
                                   (array_agg(a.p ORDER BY f.place))[1] AS one
                            FROM (SELECT s.channel, simulation.probability(s.known, s.own, s.trend, CASE WHEN drift THEN w / 52.0 ELSE 0 END) AS p
                                  FROM simulation.truth AS s WHERE s.customer_id = c.customer_id AND s.allowed) AS a JOIN simulation.place AS f USING (channel)) AS o
        CROSS JOIN LATERAL (SELECT min(p) AS least FROM unnest(c.propensities) AS p) AS l;

        WITH told AS (
            INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, contact_point_id)
            SELECT c.customer_id, c.channel, 'outbound',
                   CASE WHEN random() < simulation.probability(t.known, t.own, t.trend, CASE WHEN drift THEN w / 52.0 ELSE 0 END)
                        THEN 'replied' ELSE 'unanswered' END::crm.outcome,
                   at + interval '1 hour', c.contact_point_id
            FROM chosen AS c JOIN simulation.truth AS t USING (customer_id, channel)
            ORDER BY c.customer_id
            RETURNING outcome
        )
        UPDATE simulation.week SET answers = (SELECT count(*) FROM told WHERE outcome = 'replied') WHERE week = w;
        COMMIT;

        IF (w % 4 = 0 OR w IN (1, 2, 3, 6)) THEN
            PERFORM crm.refresh_priors(at + interval '6 days');
            COMMIT;
        END IF;
        IF w % 26 = 0 THEN
            RAISE INFO 'week %: share % so far', w, (SELECT round((sum(policy) / sum(oracle))::numeric, 4) FROM simulation.week);
        END IF;
    END LOOP;
END $$;

SELECT clock_timestamp() AS began \gset
CALL simulation.live(:weeks, :'drift', :seed);
SELECT round(extract(epoch FROM clock_timestamp() - :'began')::numeric) AS seconds \gset

\echo Share of the answers of somebody who knows everything:
SELECT :'mode' AS mode, :seed AS seed, round((sum(policy) / sum(oracle))::numeric, 4) AS crm,
       round((sum(policy) FILTER (WHERE week <= 13) / sum(oracle) FILTER (WHERE week <= 13))::numeric, 4) AS weeks_1_to_13,
       round((sum(greedy) / sum(oracle))::numeric, 4) AS greedy, round((sum(one_for_all) / sum(oracle))::numeric, 4) AS one_for_all,
       round((sum(random) / sum(oracle))::numeric, 4) AS random,
       round(min(least_propensity)::numeric, 6) AS least_propensity, :seconds AS seconds,
       sum(decisions) AS decisions, sum(answers) AS answers
FROM simulation.week;
SELECT channel, half_life, count(*) AS fits FROM crm.channel_prior GROUP BY channel, half_life ORDER BY channel, half_life;

-- The log alone, of the last half: what would each policy have brought for a contact? Bound: within 1.96 standard errors of the truth, 19 of 20 times.
VACUUM ANALYZE;
CREATE TEMP TABLE judged AS
SELECT o.reward, o.propensity, w.policy, w.target, o.mean AS prediction, w.expected
FROM crm.decision_outcome AS o
JOIN crm.contact_decision AS d USING (decision_id)
CROSS JOIN LATERAL (SELECT (array_agg(u.channel ORDER BY u.mean DESC, u.channel))[1] AS best, max(u.mean) AS best_mean,
                           (array_agg(u.channel ORDER BY f.place))[1] AS one, (array_agg(u.mean ORDER BY f.place))[1] AS one_mean,
                           sum(u.mean * u.propensity) AS logged_mean
                    FROM unnest(d.channels, d.means, d.propensities) AS u (channel, mean, propensity)
                    JOIN simulation.place AS f ON f.channel = u.channel) AS a
CROSS JOIN LATERAL (VALUES ('logged', o.propensity, a.logged_mean), ('greedy', (d.channel = a.best)::int, a.best_mean),
                           ('one_for_all', (d.channel = a.one)::int, a.one_mean)) AS w (policy, target, expected)
WHERE o.reward IS NOT NULL AND d.decided_at >= (SELECT min(decided_at) + :weeks / 2 * interval '7 days' FROM crm.contact_decision);
\echo The value of policies by the log of the last half, and in truth:
SELECT e.policy, round(t.truth::numeric, 5) AS truth, round((v).snips::numeric, 5) AS snips, round((((v).snips - t.truth) / (v).snips_error)::numeric, 2) AS errors_off,
       round((v).dr::numeric, 5) AS dr, round((v).dr_error::numeric, 5) AS dr_error, round((((v).dr - t.truth) / (v).dr_error)::numeric, 2) AS dr_errors_off,
       round((v).effective_sample_size) AS effective, (v).n, (v).reliable
FROM (SELECT policy, crm.policy_value(reward, propensity, target, prediction, expected) AS v FROM judged GROUP BY policy) AS e
JOIN (SELECT 'logged' AS policy, sum(policy) / sum(decisions) AS truth FROM simulation.week WHERE week > :weeks / 2
      UNION ALL SELECT 'greedy', sum(greedy) / sum(decisions) FROM simulation.week WHERE week > :weeks / 2
      UNION ALL SELECT 'one_for_all', sum(one_for_all) / sum(decisions) FROM simulation.week WHERE week > :weeks / 2) AS t USING (policy)
ORDER BY e.policy;
