-- channel: the type crm.channel_score ------------------------------------------------------------------------

CREATE TYPE crm.channel_score;

CREATE FUNCTION crm.channel_score_in(cstring) RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_in(cstring) IS 'input of crm.channel_score: half-life in seconds, counts of successes and failures, cells of 16 half-lives with the two sums in hexadecimal';

CREATE FUNCTION crm.channel_score_out(crm.channel_score) RETURNS cstring
    AS 'MODULE_PATHNAME', 'crm_channel_score_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_out(crm.channel_score) IS 'output of crm.channel_score';

CREATE FUNCTION crm.channel_score_recv(internal) RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_recv(internal) IS 'binary input of crm.channel_score, checked like the text';

CREATE FUNCTION crm.channel_score_send(crm.channel_score) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_channel_score_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_send(crm.channel_score) IS 'binary output of crm.channel_score, with a leading version byte';

CREATE TYPE crm.channel_score (
    INPUT = crm.channel_score_in,
    OUTPUT = crm.channel_score_out,
    RECEIVE = crm.channel_score_recv,
    SEND = crm.channel_score_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE crm.channel_score IS 'what is known of reaching one customer over one channel: exponentially forgotten sums of successes and failures, exact under addition, subtraction and merging in any order; its length depends on the span of time in half-lives (65 bytes for up to 16 of them), not on the number of observations';

CREATE CAST (text AS crm.channel_score) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS crm.channel_score) IS 'input of crm.channel_score, on assignment';

-- Comparison: equality of all that the score knows; the order is total and arbitrary, for indexes and DISTINCT.

CREATE FUNCTION crm.channel_score_eq(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_eq(crm.channel_score, crm.channel_score) IS 'implementation of = operator';
CREATE FUNCTION crm.channel_score_ne(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_ne(crm.channel_score, crm.channel_score) IS 'implementation of <> operator';
CREATE FUNCTION crm.channel_score_lt(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_lt(crm.channel_score, crm.channel_score) IS 'implementation of < operator';
CREATE FUNCTION crm.channel_score_le(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_le(crm.channel_score, crm.channel_score) IS 'implementation of <= operator';
CREATE FUNCTION crm.channel_score_gt(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_gt(crm.channel_score, crm.channel_score) IS 'implementation of > operator';
CREATE FUNCTION crm.channel_score_ge(crm.channel_score, crm.channel_score) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_channel_score_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_ge(crm.channel_score, crm.channel_score) IS 'implementation of >= operator';
CREATE FUNCTION crm.channel_score_cmp(crm.channel_score, crm.channel_score) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_channel_score_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_cmp(crm.channel_score, crm.channel_score) IS 'less, equal or greater in an order that means nothing but is total';
CREATE FUNCTION crm.channel_score_hash(crm.channel_score) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_channel_score_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_hash(crm.channel_score) IS 'hash';
CREATE FUNCTION crm.channel_score_hash_extended(crm.channel_score, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_channel_score_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.channel_score_hash_extended(crm.channel_score, bigint) IS 'hash with a seed';

CREATE OPERATOR crm.= (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR crm.= (crm.channel_score, crm.channel_score) IS 'the same half-life, counts and sums, to the last bit';
CREATE OPERATOR crm.<> (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR crm.<> (crm.channel_score, crm.channel_score) IS 'not equal';
CREATE OPERATOR crm.< (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR crm.< (crm.channel_score, crm.channel_score) IS 'before in an arbitrary total order';
CREATE OPERATOR crm.<= (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR crm.<= (crm.channel_score, crm.channel_score) IS 'not after in an arbitrary total order';
CREATE OPERATOR crm.> (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR crm.> (crm.channel_score, crm.channel_score) IS 'after in an arbitrary total order';
CREATE OPERATOR crm.>= (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR crm.>= (crm.channel_score, crm.channel_score) IS 'not before in an arbitrary total order';

CREATE OPERATOR CLASS crm.channel_score_ops DEFAULT FOR TYPE crm.channel_score USING btree AS
    OPERATOR 1 crm.<,
    OPERATOR 2 crm.<=,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.>=,
    OPERATOR 5 crm.>,
    FUNCTION 1 crm.channel_score_cmp(crm.channel_score, crm.channel_score),
    FUNCTION 4 (crm.channel_score, crm.channel_score) pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS crm.channel_score_ops USING btree IS 'an arbitrary total order of channel scores, for DISTINCT, merge joins and unique indexes';
COMMENT ON OPERATOR FAMILY crm.channel_score_ops USING btree IS 'an arbitrary total order of channel scores';

CREATE OPERATOR CLASS crm.channel_score_ops DEFAULT FOR TYPE crm.channel_score USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.channel_score_hash(crm.channel_score),
    FUNCTION 2 crm.channel_score_hash_extended(crm.channel_score, bigint);
COMMENT ON OPERATOR CLASS crm.channel_score_ops USING hash IS 'equality of channel scores';
COMMENT ON OPERATOR FAMILY crm.channel_score_ops USING hash IS 'equality of channel scores';

-- Arithmetic ---------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.channel_score_of(success double precision, failure double precision, at timestamptz, half_life interval)
    RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_of' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_of(double precision, double precision, timestamptz, interval) IS
    'the score of one observation. Weights of success and failure: 0 to 1000000, rounded to multiples of 2^-32 (22003 otherwise); both 0 says nothing and counts as no observation. Any finite time (22008 otherwise). Half-life from 1 hour to 10000 years, a month being 30 days and a day 24 hours (22023 otherwise)';

CREATE FUNCTION crm.channel_score_observe(crm.channel_score, success double precision, failure double precision, at timestamptz, half_life interval)
    RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_observe' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_observe(crm.channel_score, double precision, double precision, timestamptz, interval) IS
    'a score with one more observation; unchanged if any part of the observation is null. Transition of the aggregate crm.channel_score';

CREATE FUNCTION crm.channel_score_add(crm.channel_score, crm.channel_score) RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_add(crm.channel_score, crm.channel_score) IS
    'the score of all observations of both, exactly; different half-lives are an error (22023)';

CREATE FUNCTION crm.channel_score_subtract(crm.channel_score, crm.channel_score) RETURNS crm.channel_score
    AS 'MODULE_PATHNAME', 'crm_channel_score_subtract' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_score_subtract(crm.channel_score, crm.channel_score) IS
    'the first score without the observations of the second, exactly; an error (22003) if they were never part of it';

CREATE OPERATOR crm.+ (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_add,
    COMMUTATOR = OPERATOR(crm.+)
);
COMMENT ON OPERATOR crm.+ (crm.channel_score, crm.channel_score) IS 'the score of all observations of both, exactly';
CREATE OPERATOR crm.- (
    LEFTARG = crm.channel_score, RIGHTARG = crm.channel_score, FUNCTION = crm.channel_score_subtract
);
COMMENT ON OPERATOR crm.- (crm.channel_score, crm.channel_score) IS 'the first score without the observations of the second, exactly';

CREATE AGGREGATE crm.channel_score(success double precision, failure double precision, at timestamptz, half_life interval) (
    SFUNC = crm.channel_score_observe,
    STYPE = crm.channel_score,
    SSPACE = 128,
    COMBINEFUNC = crm.channel_score_add,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.channel_score(double precision, double precision, timestamptz, interval) IS
    'the score of many observations, the same bits in any order and split; rows with a null are ignored, no row gives null. Arguments and errors as of crm.channel_score_of; one half-life in all rows (22023)';

CREATE AGGREGATE crm.sum(crm.channel_score) (
    SFUNC = crm.channel_score_add,
    STYPE = crm.channel_score,
    SSPACE = 128,
    COMBINEFUNC = crm.channel_score_add,
    MSFUNC = crm.channel_score_add,
    MINVFUNC = crm.channel_score_subtract,
    MSTYPE = crm.channel_score,
    MSSPACE = 128,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sum(crm.channel_score) IS
    'merges scores of one half-life, exactly; as a moving aggregate it subtracts what leaves the frame';

-- Readings -----------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.successes(score crm.channel_score, at timestamptz) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_score_successes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.successes(crm.channel_score, timestamptz) IS
    'sum of the weights of successes, each times 2^-((at - its time) / half-life); 22008 for an infinite time, 22003 when an observation is a thousand half-lives younger than at';

CREATE FUNCTION crm.failures(score crm.channel_score, at timestamptz) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_score_failures' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.failures(crm.channel_score, timestamptz) IS
    'sum of the weights of failures, each times 2^-((at - its time) / half-life); errors as of crm.successes';

CREATE FUNCTION crm.observations(score crm.channel_score) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_channel_score_observations' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.observations(crm.channel_score) IS
    'number of observations, undecayed; those without any weight are not counted';

CREATE FUNCTION crm.half_life(score crm.channel_score) RETURNS interval
    AS 'MODULE_PATHNAME', 'crm_channel_score_half_life' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.half_life(crm.channel_score) IS
    'half-life in days of 24 hours; equal, as an interval, to the one it was made with';

-- Under a Beta prior: prior_a successes and prior_b failures seen before anything was seen. 22003 for priors and shapes that are not
-- positive and finite (1e-6 to 1e12).

CREATE FUNCTION crm.score_mean(score crm.channel_score, prior_a double precision, prior_b double precision, at timestamptz)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_score_mean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.score_mean(crm.channel_score, double precision, double precision, timestamptz) IS
    'probability of success at a time: the mean of Beta(prior_a + successes, prior_b + failures)';

CREATE FUNCTION crm.score_interval(score crm.channel_score, prior_a double precision, prior_b double precision, at timestamptz,
                                   level double precision, OUT lower double precision, OUT upper double precision)
    AS 'MODULE_PATHNAME', 'crm_channel_score_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.score_interval(crm.channel_score, double precision, double precision, timestamptz, double precision) IS
    'equal-tailed interval that holds the probability of success with probability level (0 to 1, 22023 otherwise): quantiles of Beta(prior_a + successes, prior_b + failures)';

CREATE FUNCTION crm.score_draw(score crm.channel_score, prior_a double precision, prior_b double precision, at timestamptz, seed bigint)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_score_draw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.score_draw(crm.channel_score, double precision, double precision, timestamptz, bigint) IS
    'one draw of Beta(prior_a + successes, prior_b + failures), a function of the seed: give each channel and decision its own';

CREATE FUNCTION crm.probability_best(a double precision[], b double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_probability_best' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION crm.probability_best(double precision[], double precision[]) IS
    'for each of up to 64 independent Beta(a, b) the probability of being the greatest, by numerical integral, error below 1e-6, sum 1; shapes from 0.01 to 1e8 (22003 otherwise)';

CREATE FUNCTION crm.probability_best(a double precision[], b double precision[], value double precision, cost double precision[])
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'crm_channel_probability_best_net' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 4000;
COMMENT ON FUNCTION crm.probability_best(double precision[], double precision[], double precision, double precision[]) IS
    'for each channel the probability that value * x - cost is the greatest, x from Beta(a, b): value of a success (positive), cost of a contact (not negative), 22003 otherwise';

CREATE FUNCTION crm.beta_cdf(x double precision, a double precision, b double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_beta_cdf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.beta_cdf(double precision, double precision, double precision) IS
    'distribution function of Beta(a, b): the regularised incomplete beta function';

CREATE FUNCTION crm.beta_quantile(p double precision, a double precision, b double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_beta_quantile' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION crm.beta_quantile(double precision, double precision, double precision) IS
    'quantile of Beta(a, b), the inverse of crm.beta_cdf; p from 0 to 1 (22003 otherwise)';

CREATE FUNCTION crm.beta_draw(a double precision, b double precision, seed bigint) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_channel_beta_draw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.beta_draw(double precision, double precision, bigint) IS
    'one draw of Beta(a, b), a function of the seed';
