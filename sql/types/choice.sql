-- choice: choosing among channels so that one learns from it, and judging other ways to choose by what was chosen -------

CREATE FUNCTION crm.gap_propensities(value double precision[], gamma double precision DEFAULT 1000) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_gap_propensities' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.gap_propensities(double precision[], double precision) IS
    'for each value the probability with which the gap rule chooses it (inverse gap weighting; Foster and Rakhlin, ICML 2020): 1 / (m + gamma * gap to the greatest) among the m values that are not null, the rest for the greatest, of equal ones the first; 0 for null. gamma from 0 (all alike) to 1e12, values from -1e12 to 1e12, 22003 otherwise';

CREATE FUNCTION crm.gap_choose(value double precision[], gamma double precision, seed bigint) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_channel_gap_choose' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.gap_choose(double precision[], double precision, bigint) IS
    'a position, from 1, chosen with the probabilities of crm.gap_propensities, a function of the seed: give each decision its own; null when every value is null. Errors as there';

CREATE TYPE crm.policy_estimate AS (
    n int8,
    ips float8,
    ips_error float8,
    snips float8,
    snips_error float8,
    dr float8,
    dr_error float8,
    effective_sample_size float8,
    reliable boolean,
    warning text
);
COMMENT ON TYPE crm.policy_estimate IS 'mean reward per decision that a policy would have had, estimated from the log of another';
COMMENT ON COLUMN crm.policy_estimate.n IS 'logged decisions';
COMMENT ON COLUMN crm.policy_estimate.ips IS 'inverse propensity estimate: unbiased, of the largest error';
COMMENT ON COLUMN crm.policy_estimate.ips_error IS 'its standard error; null for fewer than two decisions';
COMMENT ON COLUMN crm.policy_estimate.snips IS 'self-normalised inverse propensity estimate: never outside the range of the rewards, bias of the order 1/n';
COMMENT ON COLUMN crm.policy_estimate.snips_error IS 'its standard error, by the first-order expansion of the ratio';
COMMENT ON COLUMN crm.policy_estimate.dr IS 'doubly robust estimate: unbiased whatever the model, and the more precise the better the model predicts; null without a model';
COMMENT ON COLUMN crm.policy_estimate.dr_error IS 'its standard error';
COMMENT ON COLUMN crm.policy_estimate.effective_sample_size IS 'how many decisions of the policy''s own the log is worth: (sum of weights)^2 / sum of squared weights';
COMMENT ON COLUMN crm.policy_estimate.reliable IS 'whether the estimates may be relied upon; see warning';
COMMENT ON COLUMN crm.policy_estimate.warning IS 'why not: an effective sample size below 100, or weights that do not average 1';

CREATE FUNCTION crm.policy_value_accum(double precision[], reward double precision, propensity double precision, target double precision)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_policy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.policy_value_accum(double precision[], double precision, double precision, double precision) IS
    'transition of crm.policy_value; 22P03 for what is no state';
CREATE FUNCTION crm.policy_value_accum(double precision[], reward double precision, propensity double precision, target double precision,
                                       prediction double precision, expected double precision)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_policy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.policy_value_accum(double precision[], double precision, double precision, double precision, double precision, double precision) IS
    'transition of crm.policy_value with a model; 22P03 for what is no state';
CREATE FUNCTION crm.policy_value_combine(double precision[], double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_policy_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.policy_value_combine(double precision[], double precision[]) IS
    'merges two states of crm.policy_value; 22P03 for what is no state, 22023 if only one was made with a model';
CREATE FUNCTION crm.policy_value_final(double precision[]) RETURNS crm.policy_estimate
    AS 'MODULE_PATHNAME', 'crm_channel_policy_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.policy_value_final(double precision[]) IS 'the estimates of a state of crm.policy_value; 22P03 for what is no state';

CREATE AGGREGATE crm.policy_value(reward double precision, propensity double precision, target double precision) (
    SFUNC = crm.policy_value_accum,
    STYPE = double precision[],
    SSPACE = 152,
    INITCOND = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
    FINALFUNC = crm.policy_value_final,
    COMBINEFUNC = crm.policy_value_combine,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.policy_value(double precision, double precision, double precision) IS
    'what another policy would have brought per decision, from logged decisions: the reward that came, the propensity of the logged action (above 0, to 1), and the target, the probability (0 to 1) with which the policy to be judged would have taken the logged action (22003 otherwise). Inverse propensity and self-normalised estimates with standard errors and effective sample size; rows with a null are no decisions';

CREATE AGGREGATE crm.policy_value(reward double precision, propensity double precision, target double precision,
                                  prediction double precision, expected double precision) (
    SFUNC = crm.policy_value_accum,
    STYPE = double precision[],
    SSPACE = 152,
    INITCOND = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
    FINALFUNC = crm.policy_value_final,
    COMBINEFUNC = crm.policy_value_combine,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.policy_value(double precision, double precision, double precision, double precision, double precision) IS
    'the same with a model, for the doubly robust estimate (Dudik, Langford and Li, ICML 2011): prediction, the reward the model expects of the logged action, and expected, the reward it expects of the policy to be judged, that is the sum over the actions of target times prediction';

-- The best channel of each customer, for a whole base in a pass ----------------------------------------------------

CREATE TYPE crm.channel_term AS (
    channel crm.channel,
    unit_cost float8,
    success float8,
    failure float8,
    strength float8,
    weights float8[],
    means float8[]
);
COMMENT ON TYPE crm.channel_term IS 'what ranking channels needs to know of one of them: its cost and its prior';
COMMENT ON COLUMN crm.channel_term.channel IS 'channel';
COMMENT ON COLUMN crm.channel_term.unit_cost IS 'cost of a contact';
COMMENT ON COLUMN crm.channel_term.success IS 'first parameter of the Beta prior common to all customers';
COMMENT ON COLUMN crm.channel_term.failure IS 'second parameter';
COMMENT ON COLUMN crm.channel_term.strength IS 'where each customer has a prior of his own, its strength; null: nobody has';
COMMENT ON COLUMN crm.channel_term.weights IS 'the regression''s weights, the intercept first';
COMMENT ON COLUMN crm.channel_term.means IS 'means of the features, for those that are not known';

CREATE TYPE crm.reach_rank AS (
    channel crm.channel,
    prior_success float8,
    prior_failure float8,
    successes float8,
    failures float8,
    observations int8,
    last_contact_at timestamptz,
    contact_point_id int8,
    consent_id int8,
    value float8,
    channels int8,
    next_channel crm.channel,
    next_value float8,
    all_a float8[],
    all_b float8[],
    all_cost float8[]
);
COMMENT ON TYPE crm.reach_rank IS 'the most valuable of a customer''s permitted channels, and the others';
COMMENT ON COLUMN crm.reach_rank.channel IS 'the most valuable channel; of equal ones the first of the terms';
COMMENT ON COLUMN crm.reach_rank.prior_success IS 'successes that the customer''s prior on it is worth';
COMMENT ON COLUMN crm.reach_rank.prior_failure IS 'failures that it is worth';
COMMENT ON COLUMN crm.reach_rank.successes IS 'successes over it, decayed';
COMMENT ON COLUMN crm.reach_rank.failures IS 'failures over it, decayed';
COMMENT ON COLUMN crm.reach_rank.observations IS 'how many contacts over it told something';
COMMENT ON COLUMN crm.reach_rank.last_contact_at IS 'newest contact over it';
COMMENT ON COLUMN crm.reach_rank.contact_point_id IS 'contact point to use';
COMMENT ON COLUMN crm.reach_rank.consent_id IS 'the entry in the ledger that permits it; null: none is needed';
COMMENT ON COLUMN crm.reach_rank.value IS 'response_value times the posterior mean, less the cost';
COMMENT ON COLUMN crm.reach_rank.channels IS 'how many channels are permitted';
COMMENT ON COLUMN crm.reach_rank.next_channel IS 'the second; null: there is none';
COMMENT ON COLUMN crm.reach_rank.next_value IS 'its value';
COMMENT ON COLUMN crm.reach_rank.all_a IS 'first parameter of the posterior of each, the most valuable first; at least 0.01, as crm.probability_best wants it';
COMMENT ON COLUMN crm.reach_rank.all_b IS 'second parameter, likewise';
COMMENT ON COLUMN crm.reach_rank.all_cost IS 'cost of each, in the same order';

CREATE FUNCTION crm.reach_accum(bytea, crm.channel, contact_point_id int8, is_primary boolean, consent_id int8, is_objection boolean,
                                recorded_at timestamptz, permits boolean, score crm.channel_score, last_contact_at timestamptz, at timestamptz) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_reach_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.reach_accum(bytea, crm.channel, int8, boolean, int8, boolean, timestamptz, boolean, crm.channel_score, timestamptz, timestamptz) IS
    'counts one option into a state of crm.reach';
CREATE FUNCTION crm.reach_combine(bytea, bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_reach_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.reach_combine(bytea, bytea) IS 'merges two states of crm.reach; error 22P03 for what is no state';

CREATE AGGREGATE crm.reach(channel crm.channel, contact_point_id int8, is_primary boolean, consent_id int8, is_objection boolean, recorded_at timestamptz,
                           permits boolean, score crm.channel_score, last_contact_at timestamptz, at timestamptz) (
    SFUNC = crm.reach_accum, STYPE = bytea, SSPACE = 2048, COMBINEFUNC = crm.reach_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.reach(crm.channel, int8, boolean, int8, boolean, timestamptz, boolean, crm.channel_score, timestamptz, timestamptz) IS
    'over which channels a customer may be contacted and what is known of them, for crm.rank_reach: a row for each of his contact points with each entry of the ledger that covers it (crm.contact_candidate), and the score of its channel as of a time. Rows without channel or contact point are not counted; any order and split does. Errors as of crm.successes for the time';

CREATE FUNCTION crm.rank_reach(reach bytea, terms crm.channel_term[], features float8[], response_value float8) RETURNS crm.reach_rank
    AS 'MODULE_PATHNAME', 'crm_rank_reach' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.rank_reach(bytea, crm.channel_term[], float8[], float8) IS
    'of the channels over which a customer may be contacted (crm.reach), the most valuable. Of a contact point the objection counts first, else the newest entry; of a channel the first contact point that is permitted, the primary one first. Priors by the terms, the regressions'' by the customer''s features (null: unknown, the common prior). Null where no channel is permitted, and without terms or response_value. Channels without a term do not count. Error 22P03 for what is no state of crm.reach, 22023 and 22003 for terms that are not valid, 2202E for too few features'
;
