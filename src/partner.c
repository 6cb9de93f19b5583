/*-------------------------------------------------------------------------
 *
 * partner.c
 *	  The type crm.responsibility: input, output, operators, accessors.
 *
 * The comparisons, && and the hashes depend on 64 bits and nothing else and
 * raise no error, so they are marked leakproof.  What reads the labels of
 * crm.channel is STABLE, as enum_in and enum_out are: a label can be renamed.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "partner_math.h"

#define RESPONSIBILITY_VERSION 1
#define ALL_CHANNEL_BITS ((1 << CRM_RESP_CHANNELS) - 1)

#define PG_GETARG_RESP(n) ((crm_resp) PG_GETARG_INT64(n))
#define PG_RETURN_RESP(v) PG_RETURN_INT64((int64) (v))

PG_FUNCTION_INFO_V1(crm_responsibility_in);
PG_FUNCTION_INFO_V1(crm_responsibility_out);
PG_FUNCTION_INFO_V1(crm_responsibility_recv);
PG_FUNCTION_INFO_V1(crm_responsibility_send);
PG_FUNCTION_INFO_V1(crm_responsibility_make);
PG_FUNCTION_INFO_V1(crm_responsibility_conflicts);
PG_FUNCTION_INFO_V1(crm_responsibility_covers);
PG_FUNCTION_INFO_V1(crm_responsibility_covered);
PG_FUNCTION_INFO_V1(crm_responsibility_union);
PG_FUNCTION_INFO_V1(crm_responsibility_difference);
PG_FUNCTION_INFO_V1(crm_responsibility_intersection);
PG_FUNCTION_INFO_V1(crm_responsibility_eq);
PG_FUNCTION_INFO_V1(crm_responsibility_ne);
PG_FUNCTION_INFO_V1(crm_responsibility_lt);
PG_FUNCTION_INFO_V1(crm_responsibility_le);
PG_FUNCTION_INFO_V1(crm_responsibility_gt);
PG_FUNCTION_INFO_V1(crm_responsibility_ge);
PG_FUNCTION_INFO_V1(crm_responsibility_cmp);
PG_FUNCTION_INFO_V1(crm_responsibility_hash);
PG_FUNCTION_INFO_V1(crm_responsibility_hash_extended);
PG_FUNCTION_INFO_V1(crm_responsibility_role);
PG_FUNCTION_INFO_V1(crm_responsibility_duties);
PG_FUNCTION_INFO_V1(crm_responsibility_channels);
PG_FUNCTION_INFO_V1(crm_responsibility_is_accountable);
PG_FUNCTION_INFO_V1(crm_responsibility_has_duty);
PG_FUNCTION_INFO_V1(crm_responsibility_allows);
PG_FUNCTION_INFO_V1(crm_responsibility_channel_bits);
PG_FUNCTION_INFO_V1(crm_responsibility_channel_names);
PG_FUNCTION_INFO_V1(crm_path_prefixes);

Datum
crm_responsibility_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	crm_resp	v;
	const char *wrong = crm_resp_parse(text, &v);

	if (wrong != NULL)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type crm.responsibility: \"%s\"", text),
				 errdetail("%s", wrong)));
	PG_RETURN_RESP(v);
}

Datum
crm_responsibility_out(PG_FUNCTION_ARGS)
{
	char	   *text = (char *) palloc(CRM_RESP_TEXT_SIZE);

	crm_resp_format(PG_GETARG_RESP(0), text);
	PG_RETURN_CSTRING(text);
}

Datum
crm_responsibility_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buf);
	uint64_t	v;

	if (version != RESPONSIBILITY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of binary crm.responsibility", version)));
	v = (uint64_t) pq_getmsgint64(buf);
	if (!crm_resp_valid(v))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type crm.responsibility"),
				 errdetail("A value names a duty and sets none of the reserved bits.")));
	PG_RETURN_RESP(v);
}

Datum
crm_responsibility_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, RESPONSIBILITY_VERSION);
	pq_sendint64(&buf, PG_GETARG_INT64(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* The number of a text in a table of names, or an error. */
static int
number_of(const char *const *names, int count, text *name, const char *what)
{
	int			number = crm_resp_find(names, count, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized %s: \"%s\"", what, text_to_cstring(name))));
	return number;
}

/* The bit of a value of crm.channel, by its label: never by its OID or order. */
static uint64_t
channel_bit(Oid channel)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(channel));
	char		label[NAMEDATALEN];
	int			number;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid internal value for enum: %u", channel)));
	strlcpy(label, NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel), NAMEDATALEN);
	ReleaseSysCache(tuple);
	number = crm_resp_find(crm_resp_channel_names, CRM_RESP_CHANNELS, label, strlen(label));
	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type crm.responsibility does not know the channel \"%s\"", label)));
	return (uint64_t) 1 << (CRM_RESP_CHANNEL_SHIFT + number);
}

Datum
crm_responsibility_make(PG_FUNCTION_ARGS)
{
	ArrayType  *duties = PG_GETARG_ARRAYTYPE_P(1);
	ArrayType  *channels = PG_GETARG_ARRAYTYPE_P(2);
	Datum	   *values;
	bool	   *nulls;
	int			count;
	crm_resp	v;

	if (array_contains_nulls(duties) || array_contains_nulls(channels))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("duties and channels of a responsibility must not be null")));
	v = (uint64_t) number_of(crm_resp_role_names, CRM_RESP_ROLES, PG_GETARG_TEXT_PP(0), "role") << CRM_RESP_ROLE_SHIFT;
	deconstruct_array(duties, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a responsibility must name a duty")));
	for (int i = 0; i < count; i++)
		v |= (uint64_t) 1 << number_of(crm_resp_duty_names, CRM_RESP_DUTIES, DatumGetTextPP(values[i]), "duty");
	deconstruct_array(channels, ARR_ELEMTYPE(channels), sizeof(Oid), true, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		v |= channel_bit(DatumGetObjectId(values[i]));
	PG_RETURN_RESP(v);
}

Datum
crm_responsibility_conflicts(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_resp_test(CRM_RESP_CONFLICTS, PG_GETARG_RESP(0), PG_GETARG_RESP(1)));
}

Datum
crm_responsibility_covers(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_resp_test(CRM_RESP_COVERS, PG_GETARG_RESP(0), PG_GETARG_RESP(1)));
}

Datum
crm_responsibility_covered(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_resp_test(CRM_RESP_COVERED, PG_GETARG_RESP(0), PG_GETARG_RESP(1)));
}

Datum
crm_responsibility_union(PG_FUNCTION_ARGS)
{
	crm_resp	result;

	if (crm_resp_union(PG_GETARG_RESP(0), PG_GETARG_RESP(1), &result) != CRM_RESP_VALUE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("responsibilities of different roles have no union")));
	PG_RETURN_RESP(result);
}

Datum
crm_responsibility_difference(PG_FUNCTION_ARGS)
{
	crm_resp	result;

	switch (crm_resp_difference(PG_GETARG_RESP(0), PG_GETARG_RESP(1), &result))
	{
		case CRM_RESP_VALUE:
			PG_RETURN_RESP(result);
		case CRM_RESP_EMPTY:
			break;
		case CRM_RESP_SPLIT:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("result of the difference of responsibilities would not be one responsibility"),
					 errhint("Take away whole duties or whole channels.")));
	}
	PG_RETURN_NULL();
}

Datum
crm_responsibility_intersection(PG_FUNCTION_ARGS)
{
	crm_resp	result;

	if (crm_resp_intersect(PG_GETARG_RESP(0), PG_GETARG_RESP(1), &result) != CRM_RESP_VALUE)
		PG_RETURN_NULL();
	PG_RETURN_RESP(result);
}

static int
compare(FunctionCallInfo fcinfo)
{
	crm_resp	a = PG_GETARG_RESP(0);
	crm_resp	b = PG_GETARG_RESP(1);

	return a < b ? -1 : a > b;
}

Datum
crm_responsibility_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) == 0);
}

Datum
crm_responsibility_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) != 0);
}

Datum
crm_responsibility_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
crm_responsibility_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
crm_responsibility_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}

Datum
crm_responsibility_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

Datum
crm_responsibility_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

/* All that varies stands in the lower half. */
Datum
crm_responsibility_hash(PG_FUNCTION_ARGS)
{
	return hash_uint32((uint32) PG_GETARG_INT64(0));
}

Datum
crm_responsibility_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_uint32_extended((uint32) PG_GETARG_INT64(0), (uint64) PG_GETARG_INT64(1));
}

Datum
crm_responsibility_role(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(crm_resp_role_names[CRM_RESP_ROLE(PG_GETARG_RESP(0))]));
}

Datum
crm_responsibility_duties(PG_FUNCTION_ARGS)
{
	crm_resp	v = PG_GETARG_RESP(0);
	Datum		values[CRM_RESP_DUTIES];
	int			count = 0;

	for (int i = 0; i < CRM_RESP_DUTIES; i++)
		if (v >> i & 1)
			values[count++] = CStringGetTextDatum(crm_resp_duty_names[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The values of crm.channel are looked up by label once per call site: a
 * label cannot change its OID while a statement runs.
 */
Datum
crm_responsibility_channels(PG_FUNCTION_ARGS)
{
	typedef struct ChannelOids
	{
		Oid			type;
		Oid			value[CRM_RESP_CHANNELS];	/* InvalidOid: not looked up yet */
	} ChannelOids;

	uint64_t	bits = (PG_GETARG_RESP(0) & CRM_RESP_CHANNEL_MASK) >> CRM_RESP_CHANNEL_SHIFT;
	ChannelOids *oids = (ChannelOids *) fcinfo->flinfo->fn_extra;
	Datum		values[CRM_RESP_CHANNELS];
	int			count = 0;

	if (oids == NULL)
	{
		oids = (ChannelOids *) MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ChannelOids));
		oids->type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
		fcinfo->flinfo->fn_extra = oids;
	}
	for (int i = 0; i < CRM_RESP_CHANNELS; i++)
	{
		if (!(bits >> i & 1))
			continue;
		if (!OidIsValid(oids->value[i]))
			oids->value[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(oids->type),
											 CStringGetDatum(crm_resp_channel_names[i]));
		if (!OidIsValid(oids->value[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("type crm.channel has no value \"%s\"", crm_resp_channel_names[i])));
		values[count++] = ObjectIdGetDatum(oids->value[i]);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(values, count, oids->type, sizeof(Oid), true, TYPALIGN_INT));
}

Datum
crm_responsibility_is_accountable(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CRM_RESP_ROLE(PG_GETARG_RESP(0)) == CRM_RESP_ACCOUNTABLE);
}

Datum
crm_responsibility_has_duty(PG_FUNCTION_ARGS)
{
	int			duty = number_of(crm_resp_duty_names, CRM_RESP_DUTIES, PG_GETARG_TEXT_PP(1), "duty");

	PG_RETURN_BOOL((PG_GETARG_RESP(0) >> duty & 1) != 0);
}

/* Without a named channel all are allowed. */
Datum
crm_responsibility_allows(PG_FUNCTION_ARGS)
{
	uint64_t	channels = PG_GETARG_RESP(0) & CRM_RESP_CHANNEL_MASK;

	PG_RETURN_BOOL(channels == 0 || (channels & channel_bit(PG_GETARG_OID(1))) != 0);
}

/* The channels as bits of an integer; without a named channel all that there are. */
Datum
crm_responsibility_channel_bits(PG_FUNCTION_ARGS)
{
	uint64_t	bits = (PG_GETARG_RESP(0) & CRM_RESP_CHANNEL_MASK) >> CRM_RESP_CHANNEL_SHIFT;

	PG_RETURN_INT32((int32) (bits == 0 ? ALL_CHANNEL_BITS : bits));
}

/* The names of the channels whose bits are set. */
Datum
crm_responsibility_channel_names(PG_FUNCTION_ARGS)
{
	int32		bits = PG_GETARG_INT32(0);
	StringInfoData names;

	if ((bits & ~ALL_CHANNEL_BITS) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no channel has a bit of %d", bits & ~ALL_CHANNEL_BITS)));
	initStringInfo(&names);
	for (int i = 0; i < CRM_RESP_CHANNELS; i++)
	{
		if (bits >> i & 1)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", crm_resp_channel_names[i]);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(names.data, names.len));
}

/*
 * The empty path and every prefix of a path of labels divided by dots: {"",
 * eu, eu.de}.  What is known of a wider path also holds for the narrower.
 */
Datum
crm_path_prefixes(PG_FUNCTION_ARGS)
{
	text	   *path = PG_GETARG_TEXT_PP(0);
	const char *data = VARDATA_ANY(path);
	int			length = VARSIZE_ANY_EXHDR(path);
	int			count = 0;
	Datum	   *prefixes;

	for (int i = 0; i < length; i++)
		count += data[i] == '.';
	prefixes = (Datum *) palloc(((size_t) count + 2) * sizeof(Datum));
	count = 0;
	prefixes[count++] = PointerGetDatum(cstring_to_text_with_len(data, 0));
	for (int i = 1; i <= length; i++)
	{
		if (i == length || data[i] == '.')
			prefixes[count++] = PointerGetDatum(cstring_to_text_with_len(data, i));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(prefixes, count, TEXTOID, -1, false, TYPALIGN_INT));
}
