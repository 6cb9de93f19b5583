-- customer: the types of addresses, crm.email_address and crm.phone_number.

-- E-mail addresses ------------------------------------------------------------------------------------------------

CREATE TYPE crm.email_address;

CREATE FUNCTION crm.email_address_in(cstring) RETURNS crm.email_address
    AS 'MODULE_PATHNAME', 'crm_email_address_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.email_address_out(crm.email_address) RETURNS cstring
    AS 'MODULE_PATHNAME', 'crm_email_address_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.email_address_recv(internal) RETURNS crm.email_address
    AS 'MODULE_PATHNAME', 'crm_email_address_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.email_address_send(crm.email_address) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_email_address_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_address_in(cstring) IS 'input of crm.email_address';
COMMENT ON FUNCTION crm.email_address_out(crm.email_address) IS 'output of crm.email_address';
COMMENT ON FUNCTION crm.email_address_recv(internal) IS 'binary input of crm.email_address';
COMMENT ON FUNCTION crm.email_address_send(crm.email_address) IS 'binary output of crm.email_address';

CREATE TYPE crm.email_address (
    INPUT = crm.email_address_in, OUTPUT = crm.email_address_out,
    RECEIVE = crm.email_address_recv, SEND = crm.email_address_send,
    INTERNALLENGTH = variable, ALIGNMENT = int4, STORAGE = extended, CATEGORY = 'S'
);
COMMENT ON TYPE crm.email_address IS
    'an e-mail address (RFC 5321, RFC 6531): the local part as given, the domain in lower-case ASCII (IDNA 2008); compared without regard to the case of ASCII letters';

CREATE CAST (text AS crm.email_address) WITH INOUT AS ASSIGNMENT;
CREATE CAST (crm.email_address AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS crm.email_address) IS 'reads an e-mail address';
COMMENT ON CAST (crm.email_address AS text) IS 'the address as stored';

CREATE FUNCTION crm.email_address_eq(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_ne(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_lt(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_le(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_gt(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_ge(crm.email_address, crm.email_address) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_email_address_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_cmp(crm.email_address, crm.email_address) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_email_address_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_hash(crm.email_address) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_email_address_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.email_address_hash_extended(crm.email_address, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_email_address_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_address_eq(crm.email_address, crm.email_address) IS 'implementation of = operator';
COMMENT ON FUNCTION crm.email_address_ne(crm.email_address, crm.email_address) IS 'implementation of <> operator';
COMMENT ON FUNCTION crm.email_address_lt(crm.email_address, crm.email_address) IS 'implementation of < operator';
COMMENT ON FUNCTION crm.email_address_le(crm.email_address, crm.email_address) IS 'implementation of <= operator';
COMMENT ON FUNCTION crm.email_address_gt(crm.email_address, crm.email_address) IS 'implementation of > operator';
COMMENT ON FUNCTION crm.email_address_ge(crm.email_address, crm.email_address) IS 'implementation of >= operator';
COMMENT ON FUNCTION crm.email_address_cmp(crm.email_address, crm.email_address) IS 'less-equal-greater';
COMMENT ON FUNCTION crm.email_address_hash(crm.email_address) IS 'hash';
COMMENT ON FUNCTION crm.email_address_hash_extended(crm.email_address, bigint) IS 'hash with seed';

CREATE OPERATOR crm.= (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (LEFTARG = crm.email_address, RIGHTARG = crm.email_address, FUNCTION = crm.email_address_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR crm.= (crm.email_address, crm.email_address) IS 'equal, ASCII letters of either case being the same';
COMMENT ON OPERATOR crm.<> (crm.email_address, crm.email_address) IS 'not equal, ASCII letters of either case being the same';
COMMENT ON OPERATOR crm.< (crm.email_address, crm.email_address) IS 'less than, ASCII letters of either case being the same';
COMMENT ON OPERATOR crm.<= (crm.email_address, crm.email_address) IS 'less than or equal, ASCII letters of either case being the same';
COMMENT ON OPERATOR crm.> (crm.email_address, crm.email_address) IS 'greater than, ASCII letters of either case being the same';
COMMENT ON OPERATOR crm.>= (crm.email_address, crm.email_address) IS 'greater than or equal, ASCII letters of either case being the same';

CREATE OPERATOR CLASS crm.email_address_ops DEFAULT FOR TYPE crm.email_address USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.email_address_cmp(crm.email_address, crm.email_address);
CREATE OPERATOR CLASS crm.email_address_ops DEFAULT FOR TYPE crm.email_address USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.email_address_hash(crm.email_address),
    FUNCTION 2 crm.email_address_hash_extended(crm.email_address, bigint);
COMMENT ON OPERATOR CLASS crm.email_address_ops USING btree IS 'order of crm.email_address';
COMMENT ON OPERATOR CLASS crm.email_address_ops USING hash IS 'equality of crm.email_address';
COMMENT ON OPERATOR FAMILY crm.email_address_ops USING btree IS 'order of crm.email_address';
COMMENT ON OPERATOR FAMILY crm.email_address_ops USING hash IS 'equality of crm.email_address';

CREATE FUNCTION crm.canonical(email crm.email_address) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_email_address_canonical' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.local_part(email crm.email_address) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_email_address_local_part' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.domain(email crm.email_address) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_email_address_domain' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.domain_unicode(email crm.email_address) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_email_address_domain_unicode' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.canonical(crm.email_address) IS 'the text that equal addresses share';
COMMENT ON FUNCTION crm.local_part(crm.email_address) IS 'what stands before the @';
COMMENT ON FUNCTION crm.domain(crm.email_address) IS 'the domain, in ASCII';
COMMENT ON FUNCTION crm.domain_unicode(crm.email_address) IS
    'the domain to be shown, in its own letters (IDNA 2008, by libidn2); a label that libidn2 does not take stays in ASCII, as does all in databases of other encodings than UTF8. Letters of different scripts can look alike: compare domains, not what is shown';

-- Telephone numbers -----------------------------------------------------------------------------------------------

CREATE TYPE crm.phone_number;

CREATE FUNCTION crm.phone_number_in(cstring) RETURNS crm.phone_number
    AS 'MODULE_PATHNAME', 'crm_phone_number_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_out(crm.phone_number) RETURNS cstring
    AS 'MODULE_PATHNAME', 'crm_phone_number_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_recv(internal) RETURNS crm.phone_number
    AS 'MODULE_PATHNAME', 'crm_phone_number_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_send(crm.phone_number) RETURNS bytea
    AS 'MODULE_PATHNAME', 'crm_phone_number_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_number_in(cstring) IS 'input of crm.phone_number';
COMMENT ON FUNCTION crm.phone_number_out(crm.phone_number) IS 'output of crm.phone_number';
COMMENT ON FUNCTION crm.phone_number_recv(internal) IS 'binary input of crm.phone_number';
COMMENT ON FUNCTION crm.phone_number_send(crm.phone_number) IS 'binary output of crm.phone_number';

CREATE TYPE crm.phone_number (
    INPUT = crm.phone_number_in, OUTPUT = crm.phone_number_out,
    RECEIVE = crm.phone_number_recv, SEND = crm.phone_number_send,
    INTERNALLENGTH = 8, PASSEDBYVALUE, ALIGNMENT = double, STORAGE = plain, CATEGORY = 'S'
);
COMMENT ON TYPE crm.phone_number IS
    'a telephone number (E.164): + and 7 to 15 digits; input may have spaces and - . / ( ), and may begin with tel:';

CREATE CAST (text AS crm.phone_number) WITH INOUT AS ASSIGNMENT;
CREATE CAST (crm.phone_number AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS crm.phone_number) IS 'reads a telephone number in international form';
COMMENT ON CAST (crm.phone_number AS text) IS 'the number in E.164';

CREATE FUNCTION crm.phone_number_eq(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_ne(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_lt(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_le(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_gt(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_ge(crm.phone_number, crm.phone_number) RETURNS boolean
    AS 'MODULE_PATHNAME', 'crm_phone_number_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_cmp(crm.phone_number, crm.phone_number) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_phone_number_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_hash(crm.phone_number) RETURNS integer
    AS 'MODULE_PATHNAME', 'crm_phone_number_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION crm.phone_number_hash_extended(crm.phone_number, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'crm_phone_number_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_number_eq(crm.phone_number, crm.phone_number) IS 'implementation of = operator';
COMMENT ON FUNCTION crm.phone_number_ne(crm.phone_number, crm.phone_number) IS 'implementation of <> operator';
COMMENT ON FUNCTION crm.phone_number_lt(crm.phone_number, crm.phone_number) IS 'implementation of < operator';
COMMENT ON FUNCTION crm.phone_number_le(crm.phone_number, crm.phone_number) IS 'implementation of <= operator';
COMMENT ON FUNCTION crm.phone_number_gt(crm.phone_number, crm.phone_number) IS 'implementation of > operator';
COMMENT ON FUNCTION crm.phone_number_ge(crm.phone_number, crm.phone_number) IS 'implementation of >= operator';
COMMENT ON FUNCTION crm.phone_number_cmp(crm.phone_number, crm.phone_number) IS 'less-equal-greater';
COMMENT ON FUNCTION crm.phone_number_hash(crm.phone_number) IS 'hash';
COMMENT ON FUNCTION crm.phone_number_hash_extended(crm.phone_number, bigint) IS 'hash with seed';

CREATE OPERATOR crm.= (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (LEFTARG = crm.phone_number, RIGHTARG = crm.phone_number, FUNCTION = crm.phone_number_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR crm.= (crm.phone_number, crm.phone_number) IS 'equal, by digits';
COMMENT ON OPERATOR crm.<> (crm.phone_number, crm.phone_number) IS 'not equal, by digits';
COMMENT ON OPERATOR crm.< (crm.phone_number, crm.phone_number) IS 'less than, by digits';
COMMENT ON OPERATOR crm.<= (crm.phone_number, crm.phone_number) IS 'less than or equal, by digits';
COMMENT ON OPERATOR crm.> (crm.phone_number, crm.phone_number) IS 'greater than, by digits';
COMMENT ON OPERATOR crm.>= (crm.phone_number, crm.phone_number) IS 'greater than or equal, by digits';

CREATE OPERATOR CLASS crm.phone_number_ops DEFAULT FOR TYPE crm.phone_number USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.phone_number_cmp(crm.phone_number, crm.phone_number);
CREATE OPERATOR CLASS crm.phone_number_ops DEFAULT FOR TYPE crm.phone_number USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.phone_number_hash(crm.phone_number),
    FUNCTION 2 crm.phone_number_hash_extended(crm.phone_number, bigint);
COMMENT ON OPERATOR CLASS crm.phone_number_ops USING btree IS 'order of crm.phone_number';
COMMENT ON OPERATOR CLASS crm.phone_number_ops USING hash IS 'equality of crm.phone_number';
COMMENT ON OPERATOR FAMILY crm.phone_number_ops USING btree IS 'order of crm.phone_number';
COMMENT ON OPERATOR FAMILY crm.phone_number_ops USING hash IS 'equality of crm.phone_number';

CREATE FUNCTION crm.phone_number(number text, default_country text) RETURNS crm.phone_number
    AS 'MODULE_PATHNAME', 'crm_phone_number_from_text' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 5000;
CREATE FUNCTION crm.phone_country(phone crm.phone_number) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_phone_number_country' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000;
CREATE FUNCTION crm.phone_type(phone crm.phone_number) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_phone_number_type' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000;
CREATE FUNCTION crm.phone_format(phone crm.phone_number, style text DEFAULT 'international') RETURNS text
    AS 'MODULE_PATHNAME', 'crm_phone_number_format' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000;
CREATE FUNCTION crm.phone_library_version() RETURNS text
    AS 'MODULE_PATHNAME', 'crm_phone_library_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_library_version() IS
    'version of libphonenumber, whose tables say which numbers are in use, by the name of its file; null where that does not tell';
COMMENT ON FUNCTION crm.phone_number(text, text) IS
    'reads a number as people in a country (ISO 3166-1 alpha-2) write and dial it; only numbers in use there, by the tables of libphonenumber. Errors: 22P02 for what is no such number, 22023 for an unknown country';
COMMENT ON FUNCTION crm.phone_country(crm.phone_number) IS 'country (ISO 3166-1 alpha-2) of the number, by the tables of libphonenumber; null when it has none';
COMMENT ON FUNCTION crm.phone_type(crm.phone_number) IS 'mobile, fixed_line, fixed_line_or_mobile, toll_free, premium_rate, shared_cost, voip, personal, pager, company, voicemail or unknown, by the tables of libphonenumber';
COMMENT ON FUNCTION crm.phone_format(crm.phone_number, text) IS 'the number as it is written: e164, international, national or rfc3966';

-- Contact points ----------------------------------------------------------------------------------------------------

CREATE FUNCTION crm.canonical_contact(channel crm.channel, address text) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_canonical_contact' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION crm.resolve_address(channel crm.channel, address text, country text) RETURNS text
    AS 'MODULE_PATHNAME', 'crm_resolve_address' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.canonical_contact(crm.channel, text) IS
    'the form in which equal addresses of a channel are equal: an e-mail address with IDNA domain in small letters; E.164 for phone, sms and fax; a web address with scheme and IDNA host in small letters, without the scheme''s own port; a social handle without @; other text with white space collapsed; Unicode composed (NFC), ASCII letters small but for the path of a web address. Errors: 22P02 for what is no address of the channel, 54000 for more than 8 kB';
COMMENT ON FUNCTION crm.resolve_address(crm.channel, text, text) IS
    'the address in the form that a program can send to: a telephone number in E.164, completed by the country (ISO 3166-1 alpha-2) when it is in national form, and taken out of the words around it; an e-mail or web address with its domain in ASCII; other addresses come back as they are. Errors: 22P02 for what is no address, when a country is needed, or has no such number; 22023 for an unknown country';
