/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *	  Calls the input and receive functions of a type with mutated and random
 *	  text and bytes, a million times in a few seconds.
 *
 * For tests only, and never installed: no SQL function calls a receive
 * function, and a subtransaction per attempt would take most of the time.
 * Errors are caught without one, which is safe for functions that take no
 * lock and open nothing, as those of a base type.
 *
 * Of a value that is accepted everything else is asked too: its text and its
 * bytes must be accepted again and give the same value, and its order and hash
 * must agree with themselves.  What is not so ends the run with an error that
 * shows the input.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz_in);
PG_FUNCTION_INFO_V1(fuzz_recv);

#define MAX_STATES 64
/* Recent values that a new one is compared with. */
#define KEPT 8
#define LONG_RUN 70000

typedef struct Sample
{
	char	   *data;
	int			len;
} Sample;

/* How often a SQLSTATE came, and the first input that it came for. */
typedef struct Count
{
	int			sqlstate;
	int64		runs;
	char	   *input;
	char	   *message;
} Count;

typedef struct Fuzz
{
	Oid			type;
	bool		binary;			/* the receive function is what is tried */
	FmgrInfo	in,
				out,
				recv,
				send;
	Oid			ioparam;
	TypeCacheEntry *cache;
	pg_prng_state random;
	Sample	   *samples;
	int			nsamples;
	Datum		kept[KEPT];
	bool		is_kept[KEPT];
	MemoryContext kept_context[KEPT];
	Count		counts[MAX_STATES];
	int			ncounts;
} Fuzz;

static const char *const tokens[] = {
	"", " ", "0", "-0", "1", "-1", "1e308", "-1e400", "1e-400", "NaN", "Infinity", "-infinity", "null", "0x7f",
	"2147483648", "-9223372036854775809", "99999999999999999999999999999999999999999", "65536", "4294967296",
	"(", ")", "{", "}", "[", "]", "\"", "'", "\\", ",", ";", ":", ".", "..", "@", "@@", "+", "-", "/", "%00", "\t", "\n",
	"phone", "email", "accountable", "via", "2026-11-23 12:00:00+00", "294276-12-31 23:59:59+00", "4714-11-24 00:00:00+00 BC",
	"10 years", "P1D", "xn--", "\xc3\xa4", "\xe2\x80\x8b", "\xf0\x9f\x98\x80", "\xc4\xb0", "\xe2\x80\xae", "\xef\xbb\xbf",
	"+49", "00", "tel:", "mailto:", "example.com"
};

static uint32
below(Fuzz *fuzz, uint32 limit)
{
	return (uint32) (pg_prng_uint64(&fuzz->random) % limit);
}

/* Cuts out of the buffer, puts into it: where and how much by chance. */
static void
splice(StringInfo buf, int at, int cut, const char *data, int len)
{
	char	   *tail = palloc(buf->len - at - cut + 1);
	int			ntail = buf->len - at - cut;

	memcpy(tail, buf->data + at + cut, ntail);
	buf->len = at;
	buf->data[at] = '\0';
	appendBinaryStringInfo(buf, data, len);
	appendBinaryStringInfo(buf, tail, ntail);
	pfree(tail);
}

static void
mutate(Fuzz *fuzz, StringInfo buf)
{
	int			times = 1 + below(fuzz, 4);

	while (times-- > 0)
	{
		int			at = below(fuzz, buf->len + 1);
		int			rest = buf->len - at;
		char		byte = (char) below(fuzz, fuzz->binary ? 256 : 128);
		char		field[8];
		uint64		value;
		Sample	   *other;

		switch (below(fuzz, 10))
		{
			case 0:				/* change a byte */
				if (rest > 0)
					buf->data[at] = byte;
				break;
			case 1:				/* flip a bit */
				if (rest > 0)
					buf->data[at] ^= 1 << below(fuzz, fuzz->binary ? 8 : 7);
				break;
			case 2:				/* insert a byte */
				splice(buf, at, 0, &byte, 1);
				break;
			case 3:				/* cut some */
				splice(buf, at, below(fuzz, Min(rest, 8) + 1), "", 0);
				break;
			case 4:				/* end early */
				splice(buf, at, rest, "", 0);
				break;
			case 5:				/* double some */
				{
					int			len = below(fuzz, Min(rest, 32) + 1);
					char	   *copy = palloc(len + 1);

					memcpy(copy, buf->data + at, len);
					splice(buf, at, 0, copy, len);
					pfree(copy);
				}
				break;
			case 6:				/* a piece of another sample */
				other = &fuzz->samples[below(fuzz, fuzz->nsamples)];
				{
					int			from = below(fuzz, other->len + 1);

					splice(buf, at, below(fuzz, rest + 1), other->data + from, other->len - from);
				}
				break;
			case 7:				/* in text a word that means something somewhere, in bytes an extreme number */
			case 8:
				if (!fuzz->binary)
				{
					const char *token = tokens[below(fuzz, lengthof(tokens))];

					splice(buf, at, below(fuzz, Min(rest, 8) + 1), token, strlen(token));
					break;
				}
				switch (below(fuzz, 6))
				{
					case 0:
						value = 0;
						break;
					case 1:
						value = PG_UINT64_MAX;
						break;
					case 2:
						value = (uint64) PG_INT64_MAX;
						break;
					case 3:
						value = UINT64CONST(1) << below(fuzz, 64);
						break;
					case 4:
						value = UINT64CONST(0x7ff0000000000000) + below(fuzz, 2);
						break;
					default:
						value = pg_prng_uint64(&fuzz->random);
				}
				for (int i = 0; i < 8; i++)
					field[i] = (char) (value >> (56 - 8 * i));
				{
					int			width = 1 << below(fuzz, 4);

					splice(buf, at, Min(rest, width), field + (below(fuzz, 2) ? 8 - width : 0), width);
				}
				break;
			default:			/* rarely a very long run */
				if (below(fuzz, 2000) == 0)
				{
					char	   *run = palloc(LONG_RUN);

					memset(run, byte ? byte : 'a', LONG_RUN);
					splice(buf, at, 0, run, LONG_RUN);
					pfree(run);
				}
		}
	}
}

static void
random_input(Fuzz *fuzz, StringInfo buf)
{
	int			len = below(fuzz, below(fuzz, 16) == 0 ? 300 : 40);

	resetStringInfo(buf);
	for (int i = 0; i < len; i++)
		appendStringInfoCharMacro(buf, (char) below(fuzz, fuzz->binary ? 256 : 128));
}

/* The next input: mostly a mutated sample, sometimes noise. */
static void
next_input(Fuzz *fuzz, StringInfo buf)
{
	Sample	   *sample;

	if (below(fuzz, 8) == 0)
		random_input(fuzz, buf);
	else
	{
		sample = &fuzz->samples[below(fuzz, fuzz->nsamples)];
		resetStringInfo(buf);
		appendBinaryStringInfo(buf, sample->data, sample->len);
		mutate(fuzz, buf);
	}
	if (fuzz->binary)
		return;
	/* A C string ends at the first zero byte.  Text that reaches a type has been checked for its encoding, mostly. */
	buf->len = strnlen(buf->data, buf->len);
	buf->data[buf->len] = '\0';
	if (below(fuzz, 10) != 0)
	{
		int			valid = pg_encoding_verifymbstr(GetDatabaseEncoding(), buf->data, buf->len);

		buf->len = valid;
		buf->data[valid] = '\0';
	}
}

static char *
shown(const char *data, int len)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < Min(len, 400); i++)
	{
		unsigned char c = data[i];

		if (c >= 32 && c < 127 && c != '\\')
			appendStringInfoCharMacro(&text, c);
		else
			appendStringInfo(&text, "\\x%02x", c);
	}
	if (len > 400)
		appendStringInfo(&text, "... (%d bytes)", len);
	return text.data;
}

static Datum
receive(Fuzz *fuzz, const char *data, int len)
{
	StringInfoData message;
	Datum		value;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, data, len);
	value = ReceiveFunctionCall(&fuzz->recv, &message, fuzz->ioparam, -1);
	/* The server checks this itself, after the receive function. */
	if (message.cursor != message.len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("incorrect binary data format")));
	return value;
}

static void
must_be(bool holds, const char *what)
{
	if (!holds)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("%s", what)));
}

static int
compare(Fuzz *fuzz, Datum a, Datum b)
{
	int			order = DatumGetInt32(FunctionCall2Coll(&fuzz->cache->cmp_proc_finfo, fuzz->cache->typcollation, a, b));

	return (order > 0) - (order < 0);
}

/* Everything that must hold of a value, and of a value beside others. */
static void
check_value(Fuzz *fuzz, Datum value)
{
	TypeCacheEntry *cache = fuzz->cache;
	char	   *text = OutputFunctionCall(&fuzz->out, value);
	Datum		again = InputFunctionCall(&fuzz->in, text, fuzz->ioparam, -1);
	bytea	   *bytes;
	int			slot;

	must_be(datum_image_eq(value, again, cache->typbyval, cache->typlen), "its text gives another value");
	must_be(strcmp(text, OutputFunctionCall(&fuzz->out, again)) == 0, "its text changes when read and written");
	if (OidIsValid(fuzz->recv.fn_oid))
	{
		bytes = SendFunctionCall(&fuzz->send, value);
		again = receive(fuzz, VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ);
		must_be(datum_image_eq(value, again, cache->typbyval, cache->typlen), "its bytes give another value");
	}
	if (!OidIsValid(cache->cmp_proc))
		return;
	must_be(compare(fuzz, value, again) == 0, "it is not equal to itself");
	for (int i = 0; i < KEPT; i++)
	{
		int			order;

		if (!fuzz->is_kept[i])
			continue;
		order = compare(fuzz, value, fuzz->kept[i]);
		must_be(order == -compare(fuzz, fuzz->kept[i], value), "its order depends on the side it stands on");
		if (order == 0 && OidIsValid(cache->hash_proc))
			must_be(DatumGetUInt32(FunctionCall1Coll(&cache->hash_proc_finfo, cache->typcollation, value)) ==
					DatumGetUInt32(FunctionCall1Coll(&cache->hash_proc_finfo, cache->typcollation, fuzz->kept[i])),
					"it equals a value of another hash");
		for (int j = 0; j < i; j++)
			if (fuzz->is_kept[j] && order <= 0 && compare(fuzz, fuzz->kept[i], fuzz->kept[j]) <= 0)
				must_be(compare(fuzz, value, fuzz->kept[j]) <= 0, "its order is not transitive");
	}
	if (below(fuzz, 4) != 0)
		return;
	slot = below(fuzz, KEPT);
	MemoryContextReset(fuzz->kept_context[slot]);
	{
		MemoryContext old = MemoryContextSwitchTo(fuzz->kept_context[slot]);

		fuzz->kept[slot] = datumCopy(value, cache->typbyval, cache->typlen);
		fuzz->is_kept[slot] = true;
		MemoryContextSwitchTo(old);
	}
}

/* One try: returns the SQLSTATE that it ended with, and in a context of the caller its message. */
static int
attempt(Fuzz *fuzz, StringInfo input, MemoryContext scratch, char **message)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	volatile bool accepted = false;
	volatile int sqlstate = 0;

	*message = NULL;
	PG_TRY();
	{
		Datum		value = fuzz->binary ? receive(fuzz, input->data, input->len) :
			InputFunctionCall(&fuzz->in, input->data, fuzz->ioparam, -1);

		accepted = true;
		check_value(fuzz, value);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(scratch);
		error = CopyErrorData();
		FlushErrorState();
		if (accepted || error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		{
			MemoryContextSwitchTo(old);
			ereport(ERROR,
					(errcode(error->sqlerrcode),
					 errmsg("%s accepts what it can't keep: %s", format_type_be(fuzz->type), error->message),
					 errdetail("The input was: %s", shown(input->data, input->len))));
		}
		sqlstate = error->sqlerrcode;
		*message = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return sqlstate;
}

static void
count(Fuzz *fuzz, int sqlstate, StringInfo input, const char *message)
{
	for (int i = 0; i < fuzz->ncounts; i++)
		if (fuzz->counts[i].sqlstate == sqlstate)
		{
			fuzz->counts[i].runs++;
			return;
		}
	if (fuzz->ncounts == MAX_STATES)
		ereport(ERROR, (errmsg("more than %d kinds of error", MAX_STATES)));
	fuzz->counts[fuzz->ncounts].sqlstate = sqlstate;
	fuzz->counts[fuzz->ncounts].runs = 1;
	fuzz->counts[fuzz->ncounts].input = shown(input->data, input->len);
	fuzz->counts[fuzz->ncounts].message = message ? pstrdup(message) : NULL;
	fuzz->ncounts++;
}

static Oid
receive_function(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			function = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		function = ((Form_pg_type) GETSTRUCT(tuple))->typreceive;
		ReleaseSysCache(tuple);
	}
	return function;
}

static void
look_up(Fuzz *fuzz, Oid type)
{
	Oid			function;
	bool		varlena;
	Oid			ioparam;

	fuzz->type = type;
	fuzz->cache = lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO | TYPECACHE_HASH_PROC_FINFO);
	getTypeInputInfo(type, &function, &fuzz->ioparam);
	fmgr_info(function, &fuzz->in);
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info(function, &fuzz->out);
	/* Not every type of contrib has a binary form; for those of crm the test asks for both. */
	if (!fuzz->binary && !OidIsValid(receive_function(type)))
		return;
	getTypeBinaryInputInfo(type, &function, &ioparam);
	fmgr_info(function, &fuzz->recv);
	getTypeBinaryOutputInfo(type, &function, &varlena);
	fmgr_info(function, &fuzz->send);
}

/*
 * The samples, as given and as bytes.  Each must be accepted, so that no run
 * tries rejected inputs only.
 */
static void
read_samples(Fuzz *fuzz, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &fuzz->nsamples);
	if (fuzz->nsamples == 0)
		ereport(ERROR, (errmsg("no samples")));
	fuzz->samples = palloc(fuzz->nsamples * sizeof(Sample));
	for (int i = 0; i < fuzz->nsamples; i++)
	{
		char	   *sample = TextDatumGetCString(elements[i]);
		Datum		value = InputFunctionCall(&fuzz->in, sample, fuzz->ioparam, -1);

		fuzz->samples[i].data = sample;
		fuzz->samples[i].len = strlen(sample);
		if (fuzz->binary)
		{
			bytea	   *bytes = SendFunctionCall(&fuzz->send, value);

			fuzz->samples[i].data = VARDATA(bytes);
			fuzz->samples[i].len = VARSIZE(bytes) - VARHDRSZ;
		}
	}
}

static Datum
run(FunctionCallInfo fcinfo, bool binary)
{
	Fuzz	   *fuzz = palloc0(sizeof(Fuzz));
	int64		runs = PG_GETARG_INT64(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "fuzz scratch", ALLOCSET_DEFAULT_SIZES);
	StringInfoData input;

	InitMaterializedSRF(fcinfo, 0);
	fuzz->binary = binary;
	pg_prng_seed(&fuzz->random, PG_GETARG_INT64(2));
	look_up(fuzz, PG_GETARG_OID(0));
	read_samples(fuzz, PG_GETARG_ARRAYTYPE_P(3));
	for (int i = 0; i < KEPT; i++)
		fuzz->kept_context[i] = AllocSetContextCreate(CurrentMemoryContext, "fuzz kept", ALLOCSET_SMALL_SIZES);
	initStringInfo(&input);

	for (int64 i = 0; i < runs; i++)
	{
		char	   *message;
		int			sqlstate;

		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		next_input(fuzz, &input);
		sqlstate = attempt(fuzz, &input, scratch, &message);
		count(fuzz, sqlstate, &input, message);
		MemoryContextReset(scratch);
		if (input.maxlen > LONG_RUN)
		{
			pfree(input.data);
			initStringInfo(&input);
		}
	}

	for (int i = 0; i < fuzz->ncounts; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(unpack_sql_state(fuzz->counts[i].sqlstate));
		values[1] = Int64GetDatum(fuzz->counts[i].runs);
		values[2] = CStringGetTextDatum(fuzz->counts[i].input);
		nulls[3] = fuzz->counts[i].message == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(fuzz->counts[i].message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * fuzz_in(type regtype, runs bigint, seed bigint, samples text[])
 *     returns setof (sqlstate text, runs bigint, input text, message text)
 *
 * Text to the input function.  00000 counts what was accepted; the input and
 * message are the first ones of each SQLSTATE.
 */
Datum
fuzz_in(PG_FUNCTION_ARGS)
{
	return run(fcinfo, false);
}

/* The same with bytes and the receive function. */
Datum
fuzz_recv(PG_FUNCTION_ARGS)
{
	return run(fcinfo, true);
}
