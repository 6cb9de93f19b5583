-- Customer-base models: fits as aggregates, predictions per customer ------------------------------------------

CREATE TYPE crm.fitted_model AS (
    parameters float8[],
    log_likelihood float8,
    customers int8,
    iterations int4,
    converged bool,
    model text,
    standard_errors float8[],
    covariance float8[],
    boundary text,
    distinct_rows int8,
    gradient_norm float8
);
COMMENT ON TYPE crm.fitted_model IS 'a model fitted by maximum likelihood';
COMMENT ON COLUMN crm.fitted_model.parameters IS 'estimates, in the order each fit documents; null when the rows say nothing';
COMMENT ON COLUMN crm.fitted_model.log_likelihood IS 'natural logarithm of the density of all rows, in the units of the input; comparable between the models of purchase times';
COMMENT ON COLUMN crm.fitted_model.customers IS 'rows that were counted; rows with nulls are not';
COMMENT ON COLUMN crm.fitted_model.iterations IS 'steps of the optimiser over all starts';
COMMENT ON COLUMN crm.fitted_model.converged IS 'whether the log-likelihood is within 1e-9 of its maximum, or on the boundary named';
COMMENT ON COLUMN crm.fitted_model.model IS 'nbd, bg_nbd, mbg_nbd, pareto_nbd, bg_cnbd, mbg_cnbd, gamma_gamma, bg_bb or sbg';
COMMENT ON COLUMN crm.fitted_model.standard_errors IS 'from the inverse Hessian, in the order of parameters; null for a parameter on a boundary';
COMMENT ON COLUMN crm.fitted_model.covariance IS 'of the parameters (without k), square; null when nothing is known';
COMMENT ON COLUMN crm.fitted_model.boundary IS
    'null, or where the likelihood has its maximum outside all parameters: no_dropout (nobody leaves: the NBD), no_repeat (nobody buys again), no_information (no time observed), equal_rates (customers do not differ in their rate), equal_dropout (nor in how they leave), certain_dropout (all leave at once), equal_spend, constant_spend, unidentified (several parameters explain the data equally)';
COMMENT ON COLUMN crm.fitted_model.distinct_rows IS 'how many different rows there were; equal rows are counted once';
COMMENT ON COLUMN crm.fitted_model.gradient_norm IS 'largest slope of the log-likelihood per customer at the result, by the logarithms of the parameters';

CREATE TYPE crm.survival_curve AS (
    times float8[],
    at_risk int8[],
    events int8[],
    survival float8[],
    standard_errors float8[]
);
COMMENT ON TYPE crm.survival_curve IS 'product-limit estimate, one element per time with an event; unnest its columns together to get rows';

COMMENT ON COLUMN crm.survival_curve.times IS 'times with an event, ascending';
COMMENT ON COLUMN crm.survival_curve.at_risk IS 'how many were observed until right before';
COMMENT ON COLUMN crm.survival_curve.events IS 'how many events there were then';
COMMENT ON COLUMN crm.survival_curve.survival IS 'estimated share that lasts longer';
COMMENT ON COLUMN crm.survival_curve.standard_errors IS 'its standard error (Greenwood)';

CREATE TYPE crm.estimate AS (value float8, lower float8, upper float8);
COMMENT ON TYPE crm.estimate IS 'an estimate and its interval; bounds are null where they are not known';
COMMENT ON COLUMN crm.estimate.value IS 'the estimate';
COMMENT ON COLUMN crm.estimate.lower IS 'lower bound of its interval';
COMMENT ON COLUMN crm.estimate.upper IS 'upper bound of its interval';

-- Merging states; the same for all models.
CREATE FUNCTION crm.fit_combine(bytea, bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_fit_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.fit_combine(bytea, bytea) IS 'merges two states of the same fit; error 22P03 for what is no state, 22023 for states of different fits';
CREATE FUNCTION crm.fit_final(bytea) RETURNS crm.fitted_model
    AS 'MODULE_PATHNAME', 'crm_fit_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION crm.fit_final(bytea) IS 'fits the model to the rows of a state; null without rows; error 22P03 for what is no state';
CREATE FUNCTION crm.survival_final(bytea) RETURNS crm.survival_curve
    AS 'MODULE_PATHNAME', 'crm_survival_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION crm.survival_final(bytea) IS 'survival curve of a state of crm.survival; null without rows; error 22P03 for what is no state';

CREATE FUNCTION crm.nbd_accum(bytea, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.nbd_accum(bytea, float8, float8, float8) IS 'counts one row into a state of crm.nbd_fit';
CREATE AGGREGATE crm.nbd_fit(x float8, t_x float8, t float8) (
    SFUNC = crm.nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.nbd_fit(x float8, t_x float8, t float8) IS
    'fits the negative binomial model: customers buy at gamma (r, alpha) rates and never leave (Ehrenberg 1959), as a density of purchase times; parameters r, alpha. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default). Equal rows are counted once; the result is the same for any order or number of workers; rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.nbd_accum(bytea, float8, float8, float8, float8[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.nbd_accum(bytea, float8, float8, float8, float8[]) IS 'counts one row into a state of crm.nbd_fit';
CREATE AGGREGATE crm.nbd_fit(x float8, t_x float8, t float8, covariates float8[]) (
    SFUNC = crm.nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.nbd_fit(x float8, t_x float8, t float8, covariates float8[]) IS
    'the same with up to 16 static covariates per customer: coefficients on buying (alpha exp(-gamma z)) follow the parameters (Fader and Hardie 2007, note on time-invariant covariates); crm.covariate_parameters() gives the parameters of one customer. Error 22023 when their number differs between rows';

CREATE FUNCTION crm.bg_nbd_accum(bytea, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.bg_nbd_accum(bytea, float8, float8, float8) IS 'counts one row into a state of crm.bg_nbd_fit';
CREATE AGGREGATE crm.bg_nbd_fit(x float8, t_x float8, t float8) (
    SFUNC = crm.bg_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bg_nbd_fit(x float8, t_x float8, t float8) IS
    'fits the BG/NBD: buying at gamma (r, alpha) rates, leaving after a repeat purchase with beta (a, b) probabilities (Fader, Hardie and Lee 2005); parameters r, alpha, a, b. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default). Equal rows are counted once; the result is the same for any order or number of workers; rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.bg_nbd_accum(bytea, float8, float8, float8, float8[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.bg_nbd_accum(bytea, float8, float8, float8, float8[]) IS 'counts one row into a state of crm.bg_nbd_fit';
CREATE AGGREGATE crm.bg_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) (
    SFUNC = crm.bg_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bg_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) IS
    'the same with up to 16 static covariates per customer: coefficients on buying (alpha exp(-gamma z)) and as many on leaving (a exp(delta z) and b exp(delta z)) follow the parameters (Fader and Hardie 2007, note on time-invariant covariates); crm.covariate_parameters() gives the parameters of one customer. Error 22023 when their number differs between rows';

CREATE FUNCTION crm.mbg_nbd_accum(bytea, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbg_nbd_accum(bytea, float8, float8, float8) IS 'counts one row into a state of crm.mbg_nbd_fit';
CREATE AGGREGATE crm.mbg_nbd_fit(x float8, t_x float8, t float8) (
    SFUNC = crm.mbg_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mbg_nbd_fit(x float8, t_x float8, t float8) IS
    'fits the MBG/NBD: as the BG/NBD, but customers can leave after the first purchase too (Batislam, Denizel and Filiztekin 2007; Wagner and Hoppe 2008); parameters r, alpha, a, b. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default). Equal rows are counted once; the result is the same for any order or number of workers; rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.mbg_nbd_accum(bytea, float8, float8, float8, float8[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbg_nbd_accum(bytea, float8, float8, float8, float8[]) IS 'counts one row into a state of crm.mbg_nbd_fit';
CREATE AGGREGATE crm.mbg_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) (
    SFUNC = crm.mbg_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mbg_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) IS
    'the same with up to 16 static covariates per customer: coefficients on buying (alpha exp(-gamma z)) and as many on leaving (a exp(delta z) and b exp(delta z)) follow the parameters (Fader and Hardie 2007, note on time-invariant covariates); crm.covariate_parameters() gives the parameters of one customer. Error 22023 when their number differs between rows';

CREATE FUNCTION crm.pareto_nbd_accum(bytea, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.pareto_nbd_accum(bytea, float8, float8, float8) IS 'counts one row into a state of crm.pareto_nbd_fit';
CREATE AGGREGATE crm.pareto_nbd_fit(x float8, t_x float8, t float8) (
    SFUNC = crm.pareto_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.pareto_nbd_fit(x float8, t_x float8, t float8) IS
    'fits the Pareto/NBD: buying at gamma (r, alpha) rates, leaving at gamma (s, beta) rates (Schmittlein, Morrison and Colombo 1987; Fader and Hardie 2005); parameters r, alpha, s, beta. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default). Equal rows are counted once; the result is the same for any order or number of workers; rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.pareto_nbd_accum(bytea, float8, float8, float8, float8[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.pareto_nbd_accum(bytea, float8, float8, float8, float8[]) IS 'counts one row into a state of crm.pareto_nbd_fit';
CREATE AGGREGATE crm.pareto_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) (
    SFUNC = crm.pareto_nbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.pareto_nbd_fit(x float8, t_x float8, t float8, covariates float8[]) IS
    'the same with up to 16 static covariates per customer: coefficients on buying (alpha exp(-gamma z)) and as many on leaving (beta exp(-delta z)) follow the parameters (Fader and Hardie 2007, note on time-invariant covariates); crm.covariate_parameters() gives the parameters of one customer. Error 22023 when their number differs between rows';

CREATE FUNCTION crm.bg_cnbd_accum(bytea, float8, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.bg_cnbd_accum(bytea, float8, float8, float8, float8) IS 'counts one row into a state of crm.bg_cnbd_fit';
CREATE AGGREGATE crm.bg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8) (
    SFUNC = crm.bg_cnbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8) IS
    'fits the BG/CNBD-k: the BG/NBD for regular buyers, whose gaps are Erlang-k (Platzer and Reutterer 2016); parameters r, alpha, a, b, k, where k from 1 to 12 is chosen by likelihood. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default); log_gaps is the sum of the natural logarithms of the x gaps between purchases, 0 when x = 0 (error 22023 when that is impossible); rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.bg_cnbd_accum(bytea, float8, float8, float8, float8, int4) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.bg_cnbd_accum(bytea, float8, float8, float8, float8, int4) IS 'counts one row into a state of crm.bg_cnbd_fit';
CREATE AGGREGATE crm.bg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8, k int4) (
    SFUNC = crm.bg_cnbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8, k int4) IS
    'the same with the regularity k given, from 1 to 12, the same for all rows';

CREATE FUNCTION crm.mbg_cnbd_accum(bytea, float8, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbg_cnbd_accum(bytea, float8, float8, float8, float8) IS 'counts one row into a state of crm.mbg_cnbd_fit';
CREATE AGGREGATE crm.mbg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8) (
    SFUNC = crm.mbg_cnbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mbg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8) IS
    'fits the MBG/CNBD-k: the MBG/NBD for regular buyers, whose gaps are Erlang-k (Platzer and Reutterer 2016); parameters r, alpha, a, b, k, where k from 1 to 12 is chosen by likelihood. Arguments: x repeat purchases, the last at t_x, observed until t, both counted from the first purchase, in one unit (weeks by default); log_gaps is the sum of the natural logarithms of the x gaps between purchases, 0 when x = 0 (error 22023 when that is impossible); rows with a null are not counted; error 22023, naming the row, for t_x > t, a negative or infinite value, an x that is not whole, x > 0 with t_x = 0 or the reverse';

CREATE FUNCTION crm.mbg_cnbd_accum(bytea, float8, float8, float8, float8, int4) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbg_cnbd_accum(bytea, float8, float8, float8, float8, int4) IS 'counts one row into a state of crm.mbg_cnbd_fit';
CREATE AGGREGATE crm.mbg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8, k int4) (
    SFUNC = crm.mbg_cnbd_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mbg_cnbd_fit(x float8, t_x float8, t float8, log_gaps float8, k int4) IS
    'the same with the regularity k given, from 1 to 12, the same for all rows';

CREATE FUNCTION crm.gamma_gamma_accum(bytea, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_gamma_gamma_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.gamma_gamma_accum(bytea, float8, float8) IS 'counts one row into a state of crm.gamma_gamma_fit';
CREATE AGGREGATE crm.gamma_gamma_fit(x float8, m_x float8) (
    SFUNC = crm.gamma_gamma_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.gamma_gamma_fit(x float8, m_x float8) IS
    'fits the gamma-gamma model of spending (Fader and Hardie 2013): x purchases of mean value m_x; parameters p, q, gamma. It supposes that spending does not depend on x: look at corr(x, m_x). Rows with a null, x = 0 or m_x = 0 are not counted; error 22023 for negative or infinite values';

CREATE FUNCTION crm.bg_bb_accum(bytea, float8, float8, float8) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_bg_bb_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.bg_bb_accum(bytea, float8, float8, float8) IS 'counts one row into a state of crm.bg_bb_fit';
CREATE AGGREGATE crm.bg_bb_fit(x float8, t_x float8, n float8) (
    SFUNC = crm.bg_bb_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bg_bb_fit(x float8, t_x float8, n float8) IS
    'fits the BG/BB model of discrete opportunities (Fader, Hardie and Shang 2010): of n opportunities x were taken, the last at number t_x; parameters alpha, beta (buying), gamma, delta (leaving). Rows with a null are not counted; error 22023 unless x <= t_x <= n <= 10000 are whole numbers';

CREATE FUNCTION crm.sbg_accum(bytea, float8, bool) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_sbg_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_accum(bytea, float8, bool) IS 'counts one row into a state of crm.sbg_fit';
CREATE AGGREGATE crm.sbg_fit(periods float8, lost bool) (
    SFUNC = crm.sbg_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.fit_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sbg_fit(periods float8, lost bool) IS
    'fits the shifted-beta-geometric model of contracts (Fader and Hardie 2007): lost in period number "periods", or still there after so many; parameters alpha, beta. Rows with a null are not counted; error 22023 for a lost contract without a period';

CREATE FUNCTION crm.survival_accum(bytea, float8, bool) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_survival_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.survival_accum(bytea, float8, bool) IS 'counts one row into a state of crm.survival';
CREATE AGGREGATE crm.survival(duration float8, event bool) (
    SFUNC = crm.survival_accum, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.survival_final,
    COMBINEFUNC = crm.fit_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.survival(duration float8, event bool) IS
    'survival curve (Kaplan and Meier 1958) with standard errors (Greenwood 1926): time until the event, or until the customer was lost from sight; at equal times, events come first. Rows with a null are not counted; error 22023 for a negative or infinite duration';

-- Predictions -------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.nbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.nbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (always 1); parameters r, alpha; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.nbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.nbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.nbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_nbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.nbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t; parameters r, alpha; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.nbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_nbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.nbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.nbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_nbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.nbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.bg_nbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.bg_nbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (Fader, Hardie and Lee 2008; always 1 when x = 0); parameters r, alpha, a, b; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_nbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.bg_nbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_nbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.bg_nbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t (Fader, Hardie and Lee 2005); parameters r, alpha, a, b; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_nbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.bg_nbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.bg_nbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_nbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.bg_nbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.mbg_nbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.mbg_nbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (Batislam, Denizel and Filiztekin 2007); parameters r, alpha, a, b; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_nbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.mbg_nbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_nbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.mbg_nbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t (Wagner and Hoppe 2008); parameters r, alpha, a, b; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_nbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.mbg_nbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.mbg_nbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_nbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.mbg_nbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.pareto_nbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.pareto_nbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (Schmittlein, Morrison and Colombo 1987); parameters r, alpha, s, beta; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.pareto_nbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.pareto_nbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.pareto_nbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.pareto_nbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t (Schmittlein, Morrison and Colombo 1987); parameters r, alpha, s, beta; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.pareto_nbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.pareto_nbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.pareto_nbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_pareto_nbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.pareto_nbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.bg_cnbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.bg_cnbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (Platzer and Reutterer 2016; always 1 when x = 0); parameters r, alpha, a, b, k; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_cnbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.bg_cnbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_cnbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.bg_cnbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t; exact, by the phase each customer may be in; parameters r, alpha, a, b, k; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_cnbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.bg_cnbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.bg_cnbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_cnbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.bg_cnbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.mbg_cnbd_alive(parameters float8[], x float8, t_x float8, t float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION crm.mbg_cnbd_alive(float8[], float8, float8, float8) IS
    'probability that a customer (x, t_x, t) is still one at t (Platzer and Reutterer 2016); parameters r, alpha, a, b, k; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_cnbd_alive(parameters float8[], x float8, t_x float8, t float8, later float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.mbg_cnbd_alive(float8[], float8, float8, float8, float8) IS
    'probability, seen from t, that a customer will still be one at t + later; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_cnbd_expected(parameters float8[], x float8, t_x float8, t float8, horizon float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_expected' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.mbg_cnbd_expected(float8[], float8, float8, float8, float8) IS
    'expected purchases of a customer (x, t_x, t) within the horizon after t; exact, by the phase each customer may be in; parameters r, alpha, a, b, k; a new customer is (0, 0, 0); error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.mbg_cnbd_probability(parameters float8[], x float8, t_x float8, t float8, horizon float8, purchases int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.mbg_cnbd_probability(float8[], float8, float8, float8, float8, int4) IS
    'probability that a customer (x, t_x, t) makes exactly so many purchases within the horizon after t; error 22023 for invalid parameters or an invalid customer, or purchases outside 0 to 1000000';
CREATE FUNCTION crm.mbg_cnbd_dert(parameters float8[], x float8, t_x float8, t float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_mbg_cnbd_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.mbg_cnbd_dert(float8[], float8, float8, float8, float8) IS
    'discounted expected residual transactions: all purchases after t, each times exp(-discount * time since t) (Fader, Hardie and Lee 2005, RFM and CLV); error 22023 for invalid parameters or an invalid customer, or a discount that is not greater than 0';

CREATE FUNCTION crm.covariate_parameters(model text, parameters float8[], covariates float8[]) RETURNS float8[]
    AS 'MODULE_PATHNAME', 'crm_covariate_parameters' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.covariate_parameters(text, float8[], float8[]) IS
    'parameters of a customer with these covariates, from those of a fit with covariates: what the prediction functions take; error 22023 when their numbers do not fit, 22003 when the result is out of range';

CREATE FUNCTION crm.customer_value(model text, parameters float8[], x float8, t_x float8, t float8, spend float8, horizon float8, discount float8, period float8 DEFAULT NULL) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_customer_value' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.customer_value(text, float8[], float8, float8, float8, float8, float8, float8, float8) IS
    'expected value of a customer''s purchases within the horizon after t, each of the value spend, discounted: without period each by exp(-discount * time since t), and the horizon may be infinite; with period those of the i-th period by (1 + discount)^-i (12 months: horizon 52.14, period 4.345). model is nbd, bg_nbd, mbg_nbd, pareto_nbd, bg_cnbd or mbg_cnbd; null for a null argument but period; error 22023 for invalid parameters or an invalid customer, horizon, discount or period';

CREATE FUNCTION crm.alive_interval(model text, parameters float8[], covariance float8[], x float8, t_x float8, t float8, level float8 DEFAULT 0.95) RETURNS crm.estimate
    AS 'MODULE_PATHNAME', 'crm_alive_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION crm.alive_interval(text, float8[], float8[], float8, float8, float8, float8) IS
    'probability of being a customer, with the interval that comes from not knowing the parameters exactly (delta method on the logit scale); error 22023 for invalid parameters or an invalid customer, covariance or level';
CREATE FUNCTION crm.expected_interval(model text, parameters float8[], covariance float8[], x float8, t_x float8, t float8, horizon float8, level float8 DEFAULT 0.95) RETURNS crm.estimate
    AS 'MODULE_PATHNAME', 'crm_expected_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;
COMMENT ON FUNCTION crm.expected_interval(text, float8[], float8[], float8, float8, float8, float8, float8) IS
    'expected purchases within the horizon, with the interval of the expectation that comes from not knowing the parameters exactly (delta method on the logarithmic scale); what one customer will buy varies more, see the _probability functions; error 22023 for invalid parameters or an invalid customer, covariance or level';

CREATE FUNCTION crm.gamma_gamma_spend(parameters float8[], x float8, m_x float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_gamma_gamma_spend' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.gamma_gamma_spend(float8[], float8, float8) IS
    'expected mean value of a customer''s purchases, given x of mean m_x (Fader and Hardie 2013, eq. 5); with x = 0 that of the population, m_x may then be null; null where it is not finite (x = 0 and q <= 1); error 22023 for invalid parameters, negative or infinite values';

CREATE FUNCTION crm.spend_interval(parameters float8[], covariance float8[], x float8, m_x float8, level float8 DEFAULT 0.95) RETURNS crm.estimate
    AS 'MODULE_PATHNAME', 'crm_spend_interval' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.spend_interval(float8[], float8[], float8, float8, float8) IS
    'what crm.gamma_gamma_spend() expects, with the interval that comes from not knowing the parameters exactly (delta method on the logarithmic scale); null where that is null; error 22023 for invalid parameters, values, covariance or level';
CREATE FUNCTION crm.value_interval(model text, parameters float8[], covariance float8[], spend_parameters float8[], spend_covariance float8[],
    x float8, t_x float8, t float8, m_x float8, horizon float8, discount float8, level float8 DEFAULT 0.95) RETURNS crm.estimate
    AS 'MODULE_PATHNAME', 'crm_value_interval' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION crm.value_interval(text, float8[], float8[], float8[], float8[], float8, float8, float8, float8, float8, float8, float8) IS
    'expected value of the purchases within the horizon, each discounted by exp(-discount * time) and of the value that the gamma-gamma model expects, with the interval that comes from not knowing the parameters of either model exactly (delta method on the logarithmic scale; the two are independent); null for a null argument but m_x when x = 0, and where expected spend is not finite; error 22023 for invalid parameters, customer, horizon, discount, covariance or level';

CREATE FUNCTION crm.bg_bb_alive(parameters float8[], x float8, t_x float8, n float8, periods int4 DEFAULT 0) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_bb_alive_later' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.bg_bb_alive(float8[], float8, float8, float8, int4) IS
    'probability of being alive for so many periods after the n observed (Fader, Hardie and Shang 2010, eq. 11); 1 is the next opportunity; error 22023 for invalid parameters or an invalid customer';
CREATE FUNCTION crm.bg_bb_expected(parameters float8[], x float8, t_x float8, n float8, periods int4) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_bg_bb_expected_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.bg_bb_expected(float8[], float8, float8, float8, int4) IS
    'expected opportunities taken of the next so many (Fader, Hardie and Shang 2010, eq. 13); error 22023 for invalid parameters or an invalid customer';

CREATE FUNCTION crm.sbg_survival(parameters float8[], periods float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_sbg_survives' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_survival(float8[], float8) IS 'share of contracts that last longer than so many periods (Fader and Hardie 2007); error 22023 for invalid arguments';
CREATE FUNCTION crm.sbg_retention(parameters float8[], periods float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_sbg_retention' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_retention(float8[], float8) IS 'share of the contracts that have lasted so many periods that lasts one more (Fader and Hardie 2007); error 22023 for invalid arguments';
CREATE FUNCTION crm.sbg_derl(parameters float8[], periods float8, discount float8) RETURNS float8
    AS 'MODULE_PATHNAME', 'crm_sbg_derl' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_derl(float8[], float8, float8) IS
    'discounted expected residual lifetime, in periods, of a contract that has lasted so many, right before its next renewal, which is counted in full (Fader and Hardie 2010); error 22023 for invalid arguments or a discount that is not greater than 0';
