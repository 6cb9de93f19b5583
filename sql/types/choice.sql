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
