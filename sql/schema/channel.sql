-- channel: what an outcome tells about a channel, how each channel is to be used, and what is known of reaching each
-- customer over each channel.

CREATE TABLE crm.outcome_effect (
    direction crm.direction,
    outcome crm.outcome,
    success double precision NOT NULL CHECK (success >= 0 AND success <= 1000),
    failure double precision NOT NULL CHECK (failure >= 0 AND failure <= 1000),
    PRIMARY KEY (direction, outcome)
);
COMMENT ON TABLE crm.outcome_effect IS
    'what an outcome tells about the channel it came over, as successes and failures; a change takes effect on all scores at once';
COMMENT ON COLUMN crm.outcome_effect.direction IS 'who began the contact';
COMMENT ON COLUMN crm.outcome_effect.outcome IS 'what came of it';
COMMENT ON COLUMN crm.outcome_effect.success IS 'weight as a success of the channel, 0 to 1000';
COMMENT ON COLUMN crm.outcome_effect.failure IS 'weight as a failure of the channel, 0 to 1000';
GRANT SELECT ON crm.outcome_effect TO PUBLIC;

-- A customer who turns to us was reached. Of our own contacts, an answer of any kind is a success and silence a
-- failure; sending tells nothing, machines open mail too, and a bounce is the address's fault, not the channel's.
INSERT INTO crm.outcome_effect (direction, outcome, success, failure)
SELECT d, o,
       CASE WHEN d = 'inbound' OR o IN ('replied', 'reached', 'converted', 'declined', 'callback', 'clicked')
            THEN 1 ELSE 0 END,
       CASE WHEN d = 'outbound' AND o IN ('unreached', 'unanswered', 'unsubscribed', 'complained')
            THEN 1 ELSE 0 END
FROM unnest(enum_range(NULL::crm.direction)) AS d, unnest(enum_range(NULL::crm.outcome)) AS o
ORDER BY d, o;

CREATE TABLE crm.channel_policy (
    channel crm.channel PRIMARY KEY,
    half_life interval NOT NULL DEFAULT '364 days',
    response_window interval NOT NULL DEFAULT '14 days',
    unit_cost numeric NOT NULL DEFAULT 0 CHECK (unit_cost >= 0 AND unit_cost < 'Infinity'),
    requires_consent boolean NOT NULL DEFAULT true,
    quiet_from time,
    quiet_until time,
    cap integer CHECK (cap >= 0),
    cap_window interval,
    prior_success double precision NOT NULL DEFAULT 0.5 CHECK (prior_success > 0 AND prior_success <= 1e6),
    prior_failure double precision NOT NULL DEFAULT 4.5 CHECK (prior_failure > 0 AND prior_failure <= 1e6),
    max_attempts integer NOT NULL DEFAULT 8 CHECK (max_attempts BETWEEN 1 AND 1000),
    retry_after interval NOT NULL DEFAULT '1 minute',
    is_idempotent boolean NOT NULL DEFAULT false,
    CONSTRAINT channel_policy_half_life CHECK (half_life >= '1 day' AND half_life <= '10 years'),
    CONSTRAINT channel_policy_response_window CHECK (response_window > '0' AND response_window <= '10 years'),
    CONSTRAINT channel_policy_retry_after CHECK (retry_after > '0' AND retry_after <= '7 days'),
    CONSTRAINT channel_policy_quiet CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    CONSTRAINT channel_policy_cap CHECK ((cap IS NULL) = (cap_window IS NULL) AND cap_window > '0' AND cap_window <= '10 years')
);
COMMENT ON TABLE crm.channel_policy IS 'how each channel is used: its memory, its response window, its cost, and the rules of contact';
COMMENT ON COLUMN crm.channel_policy.channel IS 'channel';
COMMENT ON COLUMN crm.channel_policy.half_life IS 'time in which an observation loses half its weight, 1 day to 10 years; a change recomputes the channel''s scores';
COMMENT ON COLUMN crm.channel_policy.response_window IS 'time after which an outbound contact without an answer counts as unanswered';
COMMENT ON COLUMN crm.channel_policy.unit_cost IS 'cost of one contact';
COMMENT ON COLUMN crm.channel_policy.requires_consent IS 'may it be used only with consent';
COMMENT ON COLUMN crm.channel_policy.quiet_from IS 'start of the quiet hours, in the customer''s time zone';
COMMENT ON COLUMN crm.channel_policy.quiet_until IS 'end of the quiet hours';
COMMENT ON COLUMN crm.channel_policy.cap IS 'how many contacts a customer may get in the window; null: any number';
COMMENT ON COLUMN crm.channel_policy.cap_window IS 'the window of the cap, rolling, up to 10 years';
COMMENT ON COLUMN crm.channel_policy.prior_success IS 'first parameter of the Beta prior of a customer of whom nothing is known yet';
COMMENT ON COLUMN crm.channel_policy.prior_failure IS 'second parameter of that prior';
COMMENT ON COLUMN crm.channel_policy.max_attempts IS 'how often sending a message is tried before it is dead';
COMMENT ON COLUMN crm.channel_policy.retry_after IS 'wait after the first failure; doubles with every further one, up to a day, give or take a quarter';
COMMENT ON COLUMN crm.channel_policy.is_idempotent IS 'does the provider take our idempotency key, so that a message may be handed over twice and is sent once';
GRANT SELECT ON crm.channel_policy TO PUBLIC;

INSERT INTO crm.channel_policy
    (channel, response_window, unit_cost, requires_consent, quiet_from, quiet_until, cap, cap_window)
VALUES
    ('phone',  '1 day',   4.00, true,  '20:00', '08:00', 2, '7 days'),
    ('social', '7 days',  0.20, true,  NULL,    NULL,    3, '7 days'),
    ('email',  '7 days',  0.01, true,  NULL,    NULL,    3, '7 days'),
    ('letter', '28 days', 1.20, false, NULL,    NULL,    2, '30 days'),
    ('fax',    '7 days',  0.10, true,  '20:00', '08:00', 1, '30 days'),
    ('visit',  '1 day',  40.00, false, '20:00', '08:00', 1, '30 days'),
    ('sms',    '3 days',  0.08, true,  '20:00', '08:00', 2, '7 days'),
    ('chat',   '1 day',   0.50, true,  NULL,    NULL,    NULL, NULL),
    ('web',    '7 days',  0.00, false, NULL,    NULL,    NULL, NULL),
    ('other',  '14 days', 0.00, true,  NULL,    NULL,    NULL, NULL);

CREATE TABLE crm.customer_channel (
    customer_id bigint,
    channel crm.channel,
    score crm.channel_score NOT NULL,
    interactions bigint NOT NULL CHECK (interactions > 0),
    last_outbound_at timestamptz,
    last_inbound_at timestamptz,
    PRIMARY KEY (customer_id, channel)
) WITH (fillfactor = 80);
COMMENT ON TABLE crm.customer_channel IS 'derived: what is known of reaching each customer over each channel; kept by the loop';
COMMENT ON COLUMN crm.customer_channel.customer_id IS 'customer; no foreign key, since the interactions it comes from have one';
COMMENT ON COLUMN crm.customer_channel.channel IS 'channel';
COMMENT ON COLUMN crm.customer_channel.score IS 'decayed successes and failures of the channel';
COMMENT ON COLUMN crm.customer_channel.interactions IS 'how many interactions it was made from';
COMMENT ON COLUMN crm.customer_channel.last_outbound_at IS 'the newest contact that we began';
COMMENT ON COLUMN crm.customer_channel.last_inbound_at IS 'the newest contact that the customer began';
