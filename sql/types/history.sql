-- history: crm.buying_history, one customer's purchases as the sufficient statistic of the customer-base models.

CREATE TYPE crm.buying_history;

CREATE FUNCTION crm.buying_history_in(cstring) RETURNS crm.buying_history
    AS 'MODULE_PATHNAME', 'crm_buying_history_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_out(crm.buying_history) RETURNS cstring
    AS 'MODULE_PATHNAME', 'crm_buying_history_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_recv(internal) RETURNS crm.buying_history
    AS 'MODULE_PATHNAME', 'crm_buying_history_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_send(crm.buying_history) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_buying_history_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.buying_history_in(cstring) IS 'input of crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_out(crm.buying_history) IS 'output of crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_recv(internal) IS 'binary input of crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_send(crm.buying_history) IS 'binary output of crm.buying_history';

CREATE TYPE crm.buying_history (
    INPUT = crm.buying_history_in, OUTPUT = crm.buying_history_out,
    RECEIVE = crm.buying_history_recv, SEND = crm.buying_history_send,
    INTERNALLENGTH = 64, ALIGNMENT = double, STORAGE = plain
);
COMMENT ON TYPE crm.buying_history IS
    'one customer''s purchases, summed up: (purchases,UTC days with a purchase,first time,last time,total,total of the first day); amounts are exact to six decimals. Made by the aggregate crm.buying_history(purchased_at, amount)';

CREATE CAST (text AS crm.buying_history) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS crm.buying_history) IS 'reads the text form; for clients that send text';

-- Comparison: equality is what matters; the order is by first purchase and serves sorting and DISTINCT.
CREATE FUNCTION crm.buying_history_eq(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_ne(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_lt(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_le(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_gt(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_ge(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_cmp(crm.buying_history, crm.buying_history) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_buying_history_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_hash(crm.buying_history) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_buying_history_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_hash_extended(crm.buying_history, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_buying_history_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION crm.buying_history_eq(crm.buying_history, crm.buying_history) IS 'implementation of = operator';
COMMENT ON FUNCTION crm.buying_history_ne(crm.buying_history, crm.buying_history) IS 'implementation of <> operator';
COMMENT ON FUNCTION crm.buying_history_lt(crm.buying_history, crm.buying_history) IS 'implementation of < operator';
COMMENT ON FUNCTION crm.buying_history_le(crm.buying_history, crm.buying_history) IS 'implementation of <= operator';
COMMENT ON FUNCTION crm.buying_history_gt(crm.buying_history, crm.buying_history) IS 'implementation of > operator';
COMMENT ON FUNCTION crm.buying_history_ge(crm.buying_history, crm.buying_history) IS 'implementation of >= operator';
COMMENT ON FUNCTION crm.buying_history_cmp(crm.buying_history, crm.buying_history) IS 'less-equal-greater';
COMMENT ON FUNCTION crm.buying_history_hash(crm.buying_history) IS 'hash';
COMMENT ON FUNCTION crm.buying_history_hash_extended(crm.buying_history, bigint) IS 'hash with seed';

CREATE OPERATOR crm.= (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR crm.= (crm.buying_history, crm.buying_history) IS 'equal';
COMMENT ON OPERATOR crm.<> (crm.buying_history, crm.buying_history) IS 'not equal';
COMMENT ON OPERATOR crm.< (crm.buying_history, crm.buying_history) IS 'less than, by first and last purchase, then counts and sums';
COMMENT ON OPERATOR crm.<= (crm.buying_history, crm.buying_history) IS 'less than or equal, in the same order';
COMMENT ON OPERATOR crm.> (crm.buying_history, crm.buying_history) IS 'greater than, in the same order';
COMMENT ON OPERATOR crm.>= (crm.buying_history, crm.buying_history) IS 'greater than or equal, in the same order';

CREATE OPERATOR CLASS crm.buying_history_ops DEFAULT FOR TYPE crm.buying_history USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.buying_history_cmp(crm.buying_history, crm.buying_history);
CREATE OPERATOR CLASS crm.buying_history_ops DEFAULT FOR TYPE crm.buying_history USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.buying_history_hash(crm.buying_history),
    FUNCTION 2 crm.buying_history_hash_extended(crm.buying_history, bigint);
COMMENT ON OPERATOR CLASS crm.buying_history_ops USING btree IS 'order of buying histories, by first purchase';
COMMENT ON OPERATOR CLASS crm.buying_history_ops USING hash IS 'equality of buying histories';
COMMENT ON OPERATOR FAMILY crm.buying_history_ops USING btree IS 'order of buying histories';
COMMENT ON OPERATOR FAMILY crm.buying_history_ops USING hash IS 'equality of buying histories';

-- The aggregate --------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.buying_history_accum(state bytea, purchased_at timestamptz, amount double precision) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_buying_history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_accum(state bytea, purchased_at timestamptz, amount numeric) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_buying_history_accum_numeric' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_combine(bytea, bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_buying_history_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION crm.buying_history_final(bytea) RETURNS crm.buying_history
    AS 'MODULE_PATHNAME', 'crm_buying_history_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.buying_history_accum(bytea, timestamptz, double precision) IS 'transition of aggregate crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_accum(bytea, timestamptz, numeric) IS 'transition of aggregate crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_combine(bytea, bytea) IS 'combination of two states of aggregate crm.buying_history';
COMMENT ON FUNCTION crm.buying_history_final(bytea) IS 'result of aggregate crm.buying_history';

CREATE AGGREGATE crm.buying_history(purchased_at timestamptz, amount double precision) (
    SFUNC = crm.buying_history_accum, STYPE = bytea, SSPACE = 192, FINALFUNC = crm.buying_history_final,
    COMBINEFUNC = crm.buying_history_combine, PARALLEL = SAFE
);
CREATE AGGREGATE crm.buying_history(purchased_at timestamptz, amount numeric) (
    SFUNC = crm.buying_history_accum, STYPE = bytea, SSPACE = 192, FINALFUNC = crm.buying_history_final,
    COMBINEFUNC = crm.buying_history_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.buying_history(timestamptz, double precision) IS
    'sums up purchases, in any order, to a buying history; amounts 0 to 9e12 (else error 22003; a refund is no purchase), each the decimal that it prints as, rounded to six decimals, halves away from zero; infinite times are refused (22008); rows with a null are no purchase; null of none. With FILTER (WHERE purchased_at < ...) the history as of then';
COMMENT ON AGGREGATE crm.buying_history(timestamptz, numeric) IS
    'sums up purchases, in any order, to a buying history; amounts 0 to 9e12 (else error 22003; a refund is no purchase), rounded to six decimals, halves away from zero; infinite times are refused (22008); rows with a null are no purchase; null of none. With FILTER (WHERE purchased_at < ...) the history as of then';

CREATE FUNCTION crm.buying_history_add(crm.buying_history, crm.buying_history) RETURNS crm.buying_history
    AS 'MODULE_PATHNAME', 'crm_buying_history_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.buying_history_add(crm.buying_history, crm.buying_history) IS 'implementation of + operator';
CREATE OPERATOR crm.+ (LEFTARG = crm.buying_history, RIGHTARG = crm.buying_history, FUNCTION = crm.buying_history_add,
    COMMUTATOR = OPERATOR(crm.+));
COMMENT ON OPERATOR crm.+ (crm.buying_history, crm.buying_history) IS
    'joins two histories of which one ends, by UTC days, when the other begins; error 22023 when they interleave';

CREATE FUNCTION crm.joinable(crm.buying_history, crm.buying_history) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_buying_history_joinable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.joinable(crm.buying_history, crm.buying_history) IS
    'can the two be added: has one ended, by UTC days, when the other begins';

-- What a history says ----------------------------------------------------------------------------------------------

CREATE FUNCTION crm.purchases(history crm.buying_history) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_buying_history_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases(crm.buying_history) IS 'number of purchases';
CREATE FUNCTION crm.purchase_days(history crm.buying_history) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_buying_history_purchase_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchase_days(crm.buying_history) IS 'number of UTC days with a purchase';
CREATE FUNCTION crm.first_purchase(history crm.buying_history) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'crm_buying_history_first' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.first_purchase(crm.buying_history) IS 'time of the first purchase';
CREATE FUNCTION crm.last_purchase(history crm.buying_history) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'crm_buying_history_last' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.last_purchase(crm.buying_history) IS 'time of the last purchase';
CREATE FUNCTION crm.total_spend(history crm.buying_history) RETURNS numeric
    AS 'MODULE_PATHNAME', 'crm_buying_history_total' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.total_spend(crm.buying_history) IS 'sum of the amounts';
CREATE FUNCTION crm.x(history crm.buying_history) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_buying_history_x' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.x(crm.buying_history) IS
    'frequency x of the customer-base models: repeat transactions, that is UTC days with a purchase after the first';
CREATE FUNCTION crm.t_x(history crm.buying_history, unit interval DEFAULT '7 days') RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_buying_history_t_x' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.t_x(crm.buying_history, interval) IS
    'recency t_x of the customer-base models: whole UTC days from the first to the last purchase, in units (weeks by default; a month counts 30 days)';
CREATE FUNCTION crm.age(history crm.buying_history, as_of timestamptz, unit interval DEFAULT '7 days') RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_buying_history_age' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.age(crm.buying_history, timestamptz, interval) IS
    'age T of the customer-base models: whole UTC days from the first purchase to the day of as_of, in units (weeks by default; a month counts 30 days); negative when that is before it';
CREATE FUNCTION crm.mean_spend(history crm.buying_history) RETURNS double precision
    AS 'MODULE_PATHNAME', 'crm_buying_history_mean_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.mean_spend(crm.buying_history) IS
    'mean spend m_x of the models of spend: mean over the repeat transactions (UTC days after the first); null when there are none';
