-- channel, its priors: what is known of a customer before anything was seen of him, fitted to all customers -----------

CREATE TYPE crm.beta_fit AS (
    a float8,
    b float8,
    log_likelihood float8,
    customers int8,
    observed int8,
    iterations int4,
    converged bool,
    boundary text
);
COMMENT ON TYPE crm.beta_fit IS 'a Beta prior fitted by maximum likelihood';
COMMENT ON COLUMN crm.beta_fit.a IS 'first parameter: successes that the prior is worth; null where the boundary is no_information, no_success or no_failure';
COMMENT ON COLUMN crm.beta_fit.b IS 'second parameter: failures that the prior is worth; null as a';
COMMENT ON COLUMN crm.beta_fit.log_likelihood IS 'natural logarithm of the likelihood: sum of ln B(s + a, f + b) - ln B(a, b); null as a';
COMMENT ON COLUMN crm.beta_fit.customers IS 'rows that were counted; rows with nulls are not';
COMMENT ON COLUMN crm.beta_fit.observed IS 'of these, rows with a success or failure; the others say nothing';
COMMENT ON COLUMN crm.beta_fit.iterations IS 'steps of the fit';
COMMENT ON COLUMN crm.beta_fit.converged IS 'whether the maximum was found, inside or on a bound of the strength';
COMMENT ON COLUMN crm.beta_fit.boundary IS
    'null, or where the maximum is at an edge: no_information (nobody has observations), no_success, no_failure; strength_min, strength_max (a + b would leave 0.5 to 500: customers are all or nothing, or all alike); strength_unknown (nobody has more than one observation, so that a + b means nothing)';

CREATE TYPE crm.beta_regression_fit AS (
    weights float8[],
    strength float8,
    means float8[],
    deviations float8[],
    log_likelihood float8,
    customers int8,
    observed int8,
    iterations int4,
    converged bool,
    boundary text,
    common_a float8,
    common_b float8,
    common_log_likelihood float8,
    successes float8,
    failures float8
);
COMMENT ON TYPE crm.beta_regression_fit IS 'a Beta prior for each customer by his features, fitted by maximum likelihood';
COMMENT ON COLUMN crm.beta_regression_fit.weights IS 'logit of the prior''s mean: the intercept, then a weight for one unit of each feature; null where the boundary is no_information, no_success or no_failure';
COMMENT ON COLUMN crm.beta_regression_fit.strength IS 'sum of the parameters of each customer''s prior: observations that it is worth; null as weights';
COMMENT ON COLUMN crm.beta_regression_fit.means IS 'mean of each feature over the observed customers where it is known; stands for it where it is not';
COMMENT ON COLUMN crm.beta_regression_fit.deviations IS 'standard deviation of each feature; 1 where it is the same for all';
COMMENT ON COLUMN crm.beta_regression_fit.log_likelihood IS 'natural logarithm of the likelihood, without the penalty; comparable with that of crm.beta_prior on the same customers';
COMMENT ON COLUMN crm.beta_regression_fit.customers IS 'rows that were counted; rows with nulls as counts or instead of features are not';
COMMENT ON COLUMN crm.beta_regression_fit.observed IS 'of these, rows with a success or failure; the others say nothing';
COMMENT ON COLUMN crm.beta_regression_fit.iterations IS 'steps of the fit';
COMMENT ON COLUMN crm.beta_regression_fit.converged IS 'whether the maximum was found, inside or on a bound of the strength';
COMMENT ON COLUMN crm.beta_regression_fit.boundary IS 'as of crm.beta_fit';
COMMENT ON COLUMN crm.beta_regression_fit.common_a IS 'first parameter of the prior common to the same customers, as of crm.beta_prior';
COMMENT ON COLUMN crm.beta_regression_fit.common_b IS 'second parameter of that prior';
COMMENT ON COLUMN crm.beta_regression_fit.common_log_likelihood IS 'its log-likelihood: what features add is the difference';
COMMENT ON COLUMN crm.beta_regression_fit.successes IS 'successes of all';
COMMENT ON COLUMN crm.beta_regression_fit.failures IS 'failures of all';

CREATE FUNCTION crm.beta_prior_accum(bytea, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_beta_prior_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.beta_prior_accum(bytea, float8, float8) IS 'counts one customer into a state of crm.beta_prior';
CREATE FUNCTION crm.beta_regression_accum(bytea, float8, float8, float8[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_beta_regression_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.beta_regression_accum(bytea, float8, float8, float8[]) IS 'counts one customer into a state of crm.beta_regression';
CREATE FUNCTION crm.beta_regression_combine(bytea, bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_beta_regression_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.beta_regression_combine(bytea, bytea) IS 'merges two states of crm.beta_prior or of crm.beta_regression; error 22P03 for what is no state, 22023 for different numbers of features';
CREATE FUNCTION crm.beta_prior_final(bytea) RETURNS crm.beta_fit
    AS 'MODULE_PATHNAME', 'crm_beta_prior_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION crm.beta_prior_final(bytea) IS 'fits the prior to a state; null without rows; error 22P03 for what is no state';
CREATE FUNCTION crm.beta_regression_final(bytea) RETURNS crm.beta_regression_fit
    AS 'MODULE_PATHNAME', 'crm_beta_regression_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION crm.beta_regression_final(bytea) IS 'fits the regression to a state; null without rows; error 22P03 for what is no state';

CREATE AGGREGATE crm.beta_prior(success float8, failure float8) (
    SFUNC = crm.beta_prior_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.beta_prior_final,
    COMBINEFUNC = crm.beta_regression_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.beta_prior(success float8, failure float8) IS
    'maximum-likelihood Beta prior over customers, a row each: their rates of success are as if drawn from Beta(a, b) (empirical Bayes). Counts may be fractions, as decayed ones are; then the likelihood is a power of one. The same bits in any order and split; a + b stays within 0.5 to 500. Rows with a null are not counted; error 22003 for counts below 0 or above 1e9';

CREATE AGGREGATE crm.beta_regression(success float8, failure float8, features float8[]) (
    SFUNC = crm.beta_regression_accum, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.beta_regression_final,
    COMBINEFUNC = crm.beta_regression_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.beta_regression(success float8, failure float8, features float8[]) IS
    'beta-binomial regression over customers, a row each: rates of success as if drawn from Beta(strength m, strength (1 - m)), logit m linear in up to 64 features. Features are standardised (a null in the array is not known, and counts as the mean), kept in single precision, and their weights held back by a ridge penalty of 1/2 in standard deviations; the strength stays within 0.5 to 500. The same bits in any order and split. Rows with a null argument are not counted; error 22003 for counts below 0 or above 1e9 and features that are not finite or beyond 1e6, 22023 when the number of features differs';

CREATE FUNCTION crm.beta_regression_prior(weights float8[], strength float8, features float8[], means float8[], OUT a float8, OUT b float8)
    AS 'MODULE_PATHNAME', 'crm_beta_regression_prior' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.beta_regression_prior(float8[], float8, float8[], float8[]) IS
    'a customer''s own Beta prior by a fit of crm.beta_regression: a = strength m, b = strength (1 - m), neither below 0.05. Features that are null count as their means; further features than the fit knew do not count. Error 2202E when arrays do not fit together, 22003 for a strength that is not positive or beyond 1e6';

CREATE FUNCTION crm.beta_regression_mean(weights float8[], features float8[], means float8[]) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_beta_regression_mean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.beta_regression_mean(float8[], float8[], float8[]) IS
    'the mean m of a customer''s own prior; arguments and errors as of crm.beta_regression_prior';

CREATE FUNCTION crm.feature_values(customer record) RETURNS float8[]
    AS 'MODULE_PATHNAME', 'crm_feature_values' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.feature_values(record) IS
    'the columns of a row after the first, which is its key, as numbers in their order: booleans are 0 and 1; null where they are null or not finite; at most 1e6. Error 42804 for a column of another type';

-- What views of features and priors ask of small tables, once for all rows of a query.
CREATE FUNCTION crm.level_of(feature text, "position" integer) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_level_of' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.level_of(text, integer) IS 'the level of crm.feature_level in this place; null if there is none';

CREATE FUNCTION crm.is_any_regression() RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_is_any_regression' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.is_any_regression() IS 'has any channel a prior that depends on the customer''s features';

-- Prequential loss ----------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.prequential_loss_accum(bytea, float8, float8, float8, float8[], float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_prequential_loss_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.prequential_loss_accum(bytea, float8, float8, float8, float8[], float8, float8) IS 'counts one observation into a state of crm.prequential_loss';
CREATE FUNCTION crm.prequential_loss_accum(bytea, float8, float8, timestamptz, interval[], float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_prequential_loss_accum_time' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.prequential_loss_accum(bytea, float8, float8, timestamptz, interval[], float8, float8) IS 'counts one observation into a state of crm.prequential_loss';
CREATE FUNCTION crm.prequential_loss_combine(bytea, bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_prequential_loss_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.prequential_loss_combine(bytea, bytea) IS 'merges two states of crm.prequential_loss; error 22P03 for what is no state, 22023 for different half-lives or priors';
CREATE FUNCTION crm.prequential_loss_final(bytea) RETURNS float8[]
    AS 'MODULE_PATHNAME', 'crm_prequential_loss_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION crm.prequential_loss_final(bytea) IS 'the losses of a state; null without observations; error 22P03 for what is no state';

CREATE AGGREGATE crm.prequential_loss(success float8, failure float8, at float8, half_lives float8[], prior_success float8, prior_failure float8) (
    SFUNC = crm.prequential_loss_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.prequential_loss_final,
    COMBINEFUNC = crm.prequential_loss_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.prequential_loss(success float8, failure float8, at float8, half_lives float8[], prior_success float8, prior_failure float8) IS
    'how well a forgetting rate foretells (Dawid 1984): each observation by a Beta score of all before it, which starts at the prior and forgets with the half-life; the mean log loss per observation for each half-life, in their order (a null or infinite one forgets nothing; at most 64). Times are numbers of any unit, such as row numbers; observations at one time are foretold together. The aggregate sorts by time itself. Rows with a null are ignored; error 22003 for counts, times (beyond 1e15) or priors out of range, 22023 for a half-life that is not positive, or when half-lives or prior differ between rows';

CREATE AGGREGATE crm.prequential_loss(success float8, failure float8, at timestamptz, half_lives interval[], prior_success float8, prior_failure float8) (
    SFUNC = crm.prequential_loss_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.prequential_loss_final,
    COMBINEFUNC = crm.prequential_loss_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.prequential_loss(success float8, failure float8, at timestamptz, half_lives interval[], prior_success float8, prior_failure float8) IS
    'the same with times and intervals (a month being 30 days and a day 24 hours); error 22008 for an infinite time';

CREATE TYPE crm.half_life_comparison AS (
    losses float8[],
    gains float8[],
    errors float8[],
    blocks integer
);
COMMENT ON TYPE crm.half_life_comparison IS 'how well each of several half-lives foretells, and whether better than the first';
COMMENT ON COLUMN crm.half_life_comparison.losses IS 'mean log loss per observation for each half-life, as of crm.prequential_loss';
COMMENT ON COLUMN crm.half_life_comparison.gains IS 'how much less each loses than the first; negative: it foretells worse';
COMMENT ON COLUMN crm.half_life_comparison.errors IS 'standard errors of the gains, by batch means; infinite with fewer than two blocks';
COMMENT ON COLUMN crm.half_life_comparison.blocks IS 'stretches of the log that were compared, at most 30: fewer if many observations are of one time';

CREATE FUNCTION crm.half_life_comparison_final(bytea) RETURNS crm.half_life_comparison
    AS 'MODULE_PATHNAME', 'crm_half_life_comparison_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION crm.half_life_comparison_final(bytea) IS 'the comparison of a state of crm.compare_half_lives; null without observations; error 22P03 for what is no state';

CREATE AGGREGATE crm.compare_half_lives(success float8, failure float8, at float8, half_lives float8[], prior_success float8, prior_failure float8) (
    SFUNC = crm.prequential_loss_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.half_life_comparison_final,
    COMBINEFUNC = crm.prequential_loss_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.compare_half_lives(success float8, failure float8, at float8, half_lives float8[], prior_success float8, prior_failure float8) IS
    'crm.prequential_loss of each half-life, and what it gains over the first with the standard error of that: losses are compared observation by observation (Diebold and Mariano 1995), the error is that of the means of 30 stretches of the log (batch means, Schmeiser 1982), since gains come in stretches. Arguments and errors as of crm.prequential_loss';

CREATE AGGREGATE crm.compare_half_lives(success float8, failure float8, at timestamptz, half_lives interval[], prior_success float8, prior_failure float8) (
    SFUNC = crm.prequential_loss_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.half_life_comparison_final,
    COMBINEFUNC = crm.prequential_loss_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.compare_half_lives(success float8, failure float8, at timestamptz, half_lives interval[], prior_success float8, prior_failure float8) IS
    'the same with times and intervals (a month being 30 days and a day 24 hours); error 22008 for an infinite time';
