-- partner: the type crm.responsibility --------------------------------------------------------------------------

CREATE TYPE crm.responsibility;

CREATE FUNCTION crm.responsibility_in(cstring) RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_in(cstring) IS 'input of crm.responsibility, such as accountable: sell, service via phone, email; without via all channels are meant';
CREATE FUNCTION crm.responsibility_out(crm.responsibility) RETURNS cstring
    AS 'MODULE_PATHNAME', 'crm_responsibility_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_out(crm.responsibility) IS 'output of crm.responsibility, in one order, so that equal values have the same text';
CREATE FUNCTION crm.responsibility_recv(internal) RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_recv(internal) IS 'binary input of crm.responsibility, checked like the text';
CREATE FUNCTION crm.responsibility_send(crm.responsibility) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_responsibility_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_send(crm.responsibility) IS 'binary output of crm.responsibility, with a leading version byte';

CREATE TYPE crm.responsibility (
    INPUT = crm.responsibility_in,
    OUTPUT = crm.responsibility_out,
    RECEIVE = crm.responsibility_recv,
    SEND = crm.responsibility_send,
    LIKE = pg_catalog.int8
);
COMMENT ON TYPE crm.responsibility IS 'what a partner answers for: a role (accountable, responsible, consulted, informed), duties (acquire, advise, sell, deliver, service, collect, retain, market), and the channels it may use (none named: all); 8 bytes';

CREATE CAST (text AS crm.responsibility) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS crm.responsibility) IS 'input of crm.responsibility, on assignment';

-- Comparison. The order is total and means nothing. Leakproof: these read 64 bits and raise no error.

CREATE FUNCTION crm.responsibility_eq(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_eq(crm.responsibility, crm.responsibility) IS 'implementation of = operator';
CREATE OPERATOR crm.= (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR crm.= (crm.responsibility, crm.responsibility) IS 'the same role, duties and channels';
CREATE FUNCTION crm.responsibility_ne(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_ne(crm.responsibility, crm.responsibility) IS 'implementation of <> operator';
CREATE OPERATOR crm.<> (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR crm.<> (crm.responsibility, crm.responsibility) IS 'not equal';
CREATE FUNCTION crm.responsibility_lt(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_lt(crm.responsibility, crm.responsibility) IS 'implementation of < operator';
CREATE OPERATOR crm.< (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR crm.< (crm.responsibility, crm.responsibility) IS 'comparison in an arbitrary total order';
CREATE FUNCTION crm.responsibility_le(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_le(crm.responsibility, crm.responsibility) IS 'implementation of <= operator';
CREATE OPERATOR crm.<= (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR crm.<= (crm.responsibility, crm.responsibility) IS 'comparison in an arbitrary total order';
CREATE FUNCTION crm.responsibility_gt(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_gt(crm.responsibility, crm.responsibility) IS 'implementation of > operator';
CREATE OPERATOR crm.> (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR crm.> (crm.responsibility, crm.responsibility) IS 'comparison in an arbitrary total order';
CREATE FUNCTION crm.responsibility_ge(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_ge(crm.responsibility, crm.responsibility) IS 'implementation of >= operator';
CREATE OPERATOR crm.>= (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR crm.>= (crm.responsibility, crm.responsibility) IS 'comparison in an arbitrary total order';
CREATE FUNCTION crm.responsibility_cmp(crm.responsibility, crm.responsibility) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_responsibility_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_cmp(crm.responsibility, crm.responsibility) IS 'less, equal or greater in an order that means nothing but is total';
CREATE FUNCTION crm.responsibility_hash(crm.responsibility) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_responsibility_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_hash(crm.responsibility) IS 'hash';
CREATE FUNCTION crm.responsibility_hash_extended(crm.responsibility, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_responsibility_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_hash_extended(crm.responsibility, bigint) IS 'hash with a seed';

CREATE OPERATOR CLASS crm.responsibility_ops DEFAULT FOR TYPE crm.responsibility USING btree AS
    OPERATOR 1 crm.<,
    OPERATOR 2 crm.<=,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.>=,
    OPERATOR 5 crm.>,
    FUNCTION 1 crm.responsibility_cmp(crm.responsibility, crm.responsibility),
    FUNCTION 4 (crm.responsibility, crm.responsibility) pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS crm.responsibility_ops USING btree IS 'an arbitrary total order of responsibilities, for DISTINCT, merge joins and unique indexes';
COMMENT ON OPERATOR FAMILY crm.responsibility_ops USING btree IS 'an arbitrary total order of responsibilities';

CREATE OPERATOR CLASS crm.responsibility_ops DEFAULT FOR TYPE crm.responsibility USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.responsibility_hash(crm.responsibility),
    FUNCTION 2 crm.responsibility_hash_extended(crm.responsibility, bigint);
COMMENT ON OPERATOR CLASS crm.responsibility_ops USING hash IS 'hash of responsibilities';
COMMENT ON OPERATOR FAMILY crm.responsibility_ops USING hash IS 'hash of responsibilities';

-- Conflict and cover. Leakproof for the same reason.

CREATE FUNCTION crm.responsibility_conflicts(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_conflicts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_conflicts(crm.responsibility, crm.responsibility) IS 'implementation of && operator';
CREATE OPERATOR crm.&& (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_conflicts,
    COMMUTATOR = OPERATOR(crm.&&), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.&& (crm.responsibility, crm.responsibility) IS 'conflict: both accountable, a duty in common, a channel in common. Not reflexive: no role but accountable conflicts, not even with itself';
CREATE FUNCTION crm.responsibility_covers(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_covers' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_covers(crm.responsibility, crm.responsibility) IS 'implementation of @> operator';
CREATE OPERATOR crm.@> (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_covers,
    COMMUTATOR = OPERATOR(crm.<@), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.@> (crm.responsibility, crm.responsibility) IS 'covers: the same role, every duty and every channel of the right; only one for all channels covers one for all';
CREATE FUNCTION crm.responsibility_covered(crm.responsibility, crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_covered' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.responsibility_covered(crm.responsibility, crm.responsibility) IS 'implementation of <@ operator';
CREATE OPERATOR crm.<@ (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_covered,
    COMMUTATOR = OPERATOR(crm.@>), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.<@ (crm.responsibility, crm.responsibility) IS 'covered by';

-- Arithmetic.

CREATE FUNCTION crm.responsibility_union(crm.responsibility, crm.responsibility) RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_union' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_union(crm.responsibility, crm.responsibility) IS 'implementation of + operator';
CREATE OPERATOR crm.+ (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_union,
    COMMUTATOR = OPERATOR(crm.+)
);
COMMENT ON OPERATOR crm.+ (crm.responsibility, crm.responsibility) IS 'the least responsibility that covers both; error 22023 when the roles differ';
CREATE FUNCTION crm.responsibility_difference(crm.responsibility, crm.responsibility) RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_difference' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_difference(crm.responsibility, crm.responsibility) IS 'implementation of - operator';
CREATE OPERATOR crm.- (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_difference
);
COMMENT ON OPERATOR crm.- (crm.responsibility, crm.responsibility) IS 'what is left of the first without the second (which takes nothing when its role differs); null when nothing is left, error 22000 when what is left is not one responsibility; all channels less one are the other channels known today';
CREATE FUNCTION crm.responsibility_intersection(crm.responsibility, crm.responsibility) RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_intersection' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_intersection(crm.responsibility, crm.responsibility) IS 'implementation of * operator';
CREATE OPERATOR crm.* (
    LEFTARG = crm.responsibility, RIGHTARG = crm.responsibility, FUNCTION = crm.responsibility_intersection,
    COMMUTATOR = OPERATOR(crm.*)
);
COMMENT ON OPERATOR crm.* (crm.responsibility, crm.responsibility) IS 'the greatest responsibility that both cover; null when there is none';

-- GiST: the key is the union of roles, duties and channels, as bits of a bigint.

CREATE FUNCTION crm.responsibility_gist_consistent(internal, crm.responsibility, smallint, oid, internal) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_consistent' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_consistent(internal, crm.responsibility, smallint, oid, internal) IS 'GiST support: may something under this key satisfy the operator';
CREATE FUNCTION crm.responsibility_gist_union(internal, internal) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_union' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_union(internal, internal) IS 'GiST support: union of keys';
CREATE FUNCTION crm.responsibility_gist_compress(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_compress' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_compress(internal) IS 'GiST support: key of a responsibility';
CREATE FUNCTION crm.responsibility_gist_fetch(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_fetch' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_fetch(internal) IS 'GiST support: responsibility of a key, for index-only scans';
CREATE FUNCTION crm.responsibility_gist_penalty(internal, internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_penalty' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_penalty(internal, internal, internal) IS 'GiST support: bits that a key would gain';
CREATE FUNCTION crm.responsibility_gist_picksplit(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_picksplit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_picksplit(internal, internal) IS 'GiST support: division of a page by the bit that divides it best';
CREATE FUNCTION crm.responsibility_gist_same(bigint, bigint, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'crm_responsibility_gist_same' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility_gist_same(bigint, bigint, internal) IS 'GiST support: equality of keys';

CREATE OPERATOR CLASS crm.responsibility_ops DEFAULT FOR TYPE crm.responsibility USING gist AS
    OPERATOR 3 crm.&&,
    OPERATOR 6 crm.=,
    OPERATOR 7 crm.@>,
    OPERATOR 8 crm.<@,
    FUNCTION 1 crm.responsibility_gist_consistent(internal, crm.responsibility, smallint, oid, internal),
    FUNCTION 2 crm.responsibility_gist_union(internal, internal),
    FUNCTION 3 crm.responsibility_gist_compress(internal),
    FUNCTION 5 crm.responsibility_gist_penalty(internal, internal, internal),
    FUNCTION 6 crm.responsibility_gist_picksplit(internal, internal),
    FUNCTION 7 crm.responsibility_gist_same(bigint, bigint, internal),
    FUNCTION 9 crm.responsibility_gist_fetch(internal),
    STORAGE bigint;
COMMENT ON OPERATOR CLASS crm.responsibility_ops USING gist IS 'conflict, cover and equality of responsibilities; for exclusion constraints';
COMMENT ON OPERATOR FAMILY crm.responsibility_ops USING gist IS 'conflict, cover and equality of responsibilities';

-- Parts. What reads the labels of crm.channel is STABLE, as for every enumeration.

CREATE FUNCTION crm.responsibility(role text, duties text[], channels crm.channel[] DEFAULT '{}') RETURNS crm.responsibility
    AS 'MODULE_PATHNAME', 'crm_responsibility_make' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.responsibility(role text, duties text[], channels crm.channel[]) IS 'a responsibility from its parts; no channels: all. Errors 22023 for an unknown name or no duty, 22004 for null elements';
CREATE FUNCTION crm.role(duty crm.responsibility) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_responsibility_role' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.role(duty crm.responsibility) IS 'accountable, responsible, consulted or informed';
CREATE FUNCTION crm.duties(duty crm.responsibility) RETURNS text[]
    AS 'MODULE_PATHNAME', 'crm_responsibility_duties' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.duties(duty crm.responsibility) IS 'the duties, in the order of the text';
CREATE FUNCTION crm.channels(duty crm.responsibility) RETURNS crm.channel[]
    AS 'MODULE_PATHNAME', 'crm_responsibility_channels' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channels(duty crm.responsibility) IS 'the channels that it is limited to; empty: all';
CREATE FUNCTION crm.is_accountable(duty crm.responsibility) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_is_accountable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION crm.is_accountable(duty crm.responsibility) IS 'whether the role is accountable';
CREATE FUNCTION crm.has_duty(duty crm.responsibility, name text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_has_duty' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.has_duty(duty crm.responsibility, name text) IS 'whether the named duty is among its duties; error 22023 for an unknown name';
CREATE FUNCTION crm.allows(duty crm.responsibility, channel crm.channel) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_responsibility_allows' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.allows(duty crm.responsibility, channel crm.channel) IS 'whether the channel may be used; one without named channels allows all';
CREATE FUNCTION crm.channel_bits(duty crm.responsibility) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_responsibility_channel_bits' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_bits(duty crm.responsibility) IS 'the channels that it may use as bits, all of them when none is named; for bit_or() over several';
CREATE FUNCTION crm.channel_names(bits integer) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_responsibility_channel_names' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_names(bits integer) IS 'the names of channels given as bits, as in crm.channel_bits; error 22023 for a bit that no channel has';
CREATE FUNCTION crm.path_prefixes(path text) RETURNS text[]
    AS 'MODULE_PATHNAME', 'crm_path_prefixes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.path_prefixes(path text) IS 'the empty path and every prefix of a path of labels divided by dots, the path itself the last: {"",eu,eu.de}';
