/*-------------------------------------------------------------------------
 *
 * channel.c
 *	  The type crm.channel_score: what is known of reaching one customer over
 *	  one channel, with exponential forgetting.
 *
 * Input, output, comparison, the aggregates and the readings that need no
 * distribution.  channel_math.c holds the arithmetic and says why it is exact;
 * channel_beta.c holds the functions over the Beta distribution.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel.h"
#include "channel_math.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

StaticAssertDecl(CRM_TIME_MIN == MIN_TIMESTAMP && CRM_TIME_END == END_TIMESTAMP,
				 "the calendar of channel_math.h is the server's");
StaticAssertDecl(sizeof(CrmSum) == 16, "sums have 128 bits");

/* The leading byte of the binary form. */
#define SCORE_BINARY_VERSION	1

/* A score of one observation, on the stack. */
typedef struct OneScore
{
	unsigned char bytes[CRM_SCORE_SIZE(1)];
	int			cells;
} OneScore;

PG_FUNCTION_INFO_V1(crm_channel_score_in);
PG_FUNCTION_INFO_V1(crm_channel_score_out);
PG_FUNCTION_INFO_V1(crm_channel_score_recv);
PG_FUNCTION_INFO_V1(crm_channel_score_send);
PG_FUNCTION_INFO_V1(crm_channel_score_eq);
PG_FUNCTION_INFO_V1(crm_channel_score_ne);
PG_FUNCTION_INFO_V1(crm_channel_score_lt);
PG_FUNCTION_INFO_V1(crm_channel_score_le);
PG_FUNCTION_INFO_V1(crm_channel_score_gt);
PG_FUNCTION_INFO_V1(crm_channel_score_ge);
PG_FUNCTION_INFO_V1(crm_channel_score_cmp);
PG_FUNCTION_INFO_V1(crm_channel_score_hash);
PG_FUNCTION_INFO_V1(crm_channel_score_hash_extended);
PG_FUNCTION_INFO_V1(crm_channel_score_of);
PG_FUNCTION_INFO_V1(crm_channel_score_observe);
PG_FUNCTION_INFO_V1(crm_channel_score_add);
PG_FUNCTION_INFO_V1(crm_channel_score_subtract);
PG_FUNCTION_INFO_V1(crm_channel_score_successes);
PG_FUNCTION_INFO_V1(crm_channel_score_failures);
PG_FUNCTION_INFO_V1(crm_channel_score_observations);
PG_FUNCTION_INFO_V1(crm_channel_score_half_life);

/*
 * The score's bytes and number of cells, wherever and however it is stored.
 */
const unsigned char *
crm_score_open(Datum datum, int *cells)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);

	*cells = (int) ((VARSIZE_ANY_EXHDR(value) - CRM_SCORE_HEAD) / CRM_SCORE_CELL);
	return (const unsigned char *) VARDATA_ANY(value);
}

static struct varlena *
score_alloc(int cells)
{
	return (struct varlena *) palloc(VARHDRSZ + CRM_SCORE_SIZE(cells));
}

static void
score_set_cells(struct varlena *value, int cells)
{
	SET_VARSIZE(value, VARHDRSZ + CRM_SCORE_SIZE(cells));
}

#define SCORE_BYTES(value) ((unsigned char *) VARDATA(value))

/*
 * "182 days", "1.5 days", "90 minutes": for messages only.
 */
static char *
half_life_text(int64 half_life)
{
	if (half_life >= USECS_PER_DAY)
		return psprintf("%.10g days", (double) half_life / USECS_PER_DAY);
	return psprintf("%.10g minutes", (double) half_life / USECS_PER_MINUTE);
}

pg_noreturn static void
half_life_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("half-life of a crm.channel_score is out of range"),
			 errdetail("It must lie between 1 hour and 10000 years.")));
	pg_unreachable();
}

/*
 * An interval as microseconds, a month being 30 days and a day 24 hours, as
 * when intervals are compared.  Only the interval's fields count, so the
 * result depends on no setting.
 */
int64
crm_half_life_from_interval(const Interval *interval)
{
	int64		days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	int64		half_life;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &half_life) ||
		pg_add_s64_overflow(half_life, interval->time, &half_life) ||
		half_life < CRM_HALF_LIFE_MIN || half_life > CRM_HALF_LIFE_MAX)
		half_life_error();
	return half_life;
}

/*
 * Refuses infinite times, for which no weight can be told.
 */
void
crm_score_check_time(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("time of a crm.channel_score must be finite")));
}

/*
 * Reports what the arithmetic refused; a and b are the half-lives concerned.
 */
void
crm_score_error(CrmScoreStatus status, int64 a, int64 b)
{
	switch (status)
	{
		case CRM_SCORE_OTHER_HALF_LIFE:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("values of crm.channel_score have different half-lives"),
					 errdetail("One has a half-life of %s, the other of %s.",
							   half_life_text(a), half_life_text(b)),
					 errhint("Compute both from the interactions with one half-life.")));
			break;
		case CRM_SCORE_NOT_CONTAINED:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("crm.channel_score would fall below zero"),
					 errdetail("What is subtracted was never part of it."),
					 errhint("Rebuild the score from the interactions.")));
			break;
		case CRM_SCORE_BAD_TIME:
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
					 errmsg("time of a crm.channel_score must be finite")));
			break;
		case CRM_SCORE_BAD_HALF_LIFE:
			half_life_error();
			break;
		case CRM_SCORE_TOO_LONG:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("crm.channel_score spans too many half-lives"),
					 errhint("Use a longer half-life.")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("crm.channel_score out of range")));
	}
	pg_unreachable();
}

pg_noreturn static void
weight_error(float8 success, float8 failure)
{
	bool		success_is_right = success >= 0 && success <= CRM_WEIGHT_MAX;

	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("%s weight %g of a crm.channel_score is out of range",
					success_is_right ? "failure" : "success",
					success_is_right ? failure : success),
			 errdetail("A weight must lie between 0 and %.0f.", CRM_WEIGHT_MAX)));
	pg_unreachable();
}

/*
 * crm.channel_score_in(cstring): the text that crm_score_print() writes.
 */
Datum
crm_channel_score_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	struct varlena *value = score_alloc(crm_score_parse_bound(text));
	int			cells;
	const char *fault = crm_score_parse(text, SCORE_BYTES(value), &cells);

	if (fault != NULL)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.channel_score", text),
				 errdetail("%s", fault)));
	score_set_cells(value, cells);
	PG_RETURN_POINTER(value);
}

Datum
crm_channel_score_out(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);
	char	   *text = palloc(CRM_SCORE_TEXT_SIZE(cells));

	crm_score_print(score, cells, text);
	PG_RETURN_CSTRING(text);
}

static CrmSum
receive_sum(StringInfo buffer)
{
	CrmSum		high = (uint64) pq_getmsgint64(buffer);

	return high << 64 | (uint64) pq_getmsgint64(buffer);
}

static void
send_sum(StringInfo buffer, CrmSum sum)
{
	pq_sendint64(buffer, (uint64) (sum >> 64));
	pq_sendint64(buffer, (uint64) sum);
}

/*
 * crm.channel_score_recv(internal)
 *
 * A version byte, half-life in microseconds, the two counts, the number of
 * cells (int4), and per cell index (int4) and two sums (16 bytes each), all in
 * network order.  Checked like the text form.
 */
Datum
crm_channel_score_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	struct varlena *value;
	int64		half_life,
				successes,
				failures;
	int			cells;
	const char *fault;

	if (version != SCORE_BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary format of type %s", version, "crm.channel_score")));
	half_life = pq_getmsgint64(buffer);
	successes = pq_getmsgint64(buffer);
	failures = pq_getmsgint64(buffer);
	cells = pq_getmsgint(buffer, 4);
	if (cells < 0 || cells > CRM_SCORE_MAX_CELLS || buffer->len - buffer->cursor != (int64) cells * CRM_SCORE_CELL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "crm.channel_score"),
				 errdetail("Its length does not fit its %d cells.", cells)));
	value = score_alloc(cells);
	crm_score_start(SCORE_BYTES(value), half_life, successes, failures);
	for (int i = 0; i < cells; i++)
	{
		int32		index = (int32) pq_getmsgint(buffer, 4);
		CrmSum		s = receive_sum(buffer);
		CrmSum		f = receive_sum(buffer);

		crm_score_set_cell(SCORE_BYTES(value), i, index, s, f);
	}
	fault = crm_score_fault(SCORE_BYTES(value), CRM_SCORE_SIZE(cells));
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "crm.channel_score"),
				 errdetail("%s", fault)));
	score_set_cells(value, cells);
	PG_RETURN_POINTER(value);
}

Datum
crm_channel_score_send(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, SCORE_BINARY_VERSION);
	pq_sendint64(&buffer, crm_score_half_life(score));
	pq_sendint64(&buffer, crm_score_successes(score));
	pq_sendint64(&buffer, crm_score_failures(score));
	pq_sendint32(&buffer, cells);
	for (int i = 0; i < cells; i++)
	{
		int32		index;
		CrmSum		s,
					f;

		crm_score_cell(score, i, &index, &s, &f);
		pq_sendint32(&buffer, index);
		send_sum(&buffer, s);
		send_sum(&buffer, f);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static int
compare_arguments(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	int			a_cells,
				b_cells,
				result;
	const unsigned char *a_score = crm_score_open(PointerGetDatum(a), &a_cells);
	const unsigned char *b_score = crm_score_open(PointerGetDatum(b), &b_cells);

	result = crm_score_compare(a_score, a_cells, b_score, b_cells);

	/* An index compares many values in one memory context. */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
crm_channel_score_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) == 0);
}

Datum
crm_channel_score_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) != 0);
}

Datum
crm_channel_score_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

Datum
crm_channel_score_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

Datum
crm_channel_score_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

Datum
crm_channel_score_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

Datum
crm_channel_score_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

Datum
crm_channel_score_hash(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);

	return hash_any(score, (int) CRM_SCORE_SIZE(cells));
}

Datum
crm_channel_score_hash_extended(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);

	return hash_any_extended(score, (int) CRM_SCORE_SIZE(cells), PG_GETARG_INT64(1));
}

/*
 * The score of one observation from arguments first .. first + 3: success,
 * failure, at, half_life.
 */
static void
observe(FunctionCallInfo fcinfo, int first, OneScore *one)
{
	float8		success = PG_GETARG_FLOAT8(first);
	float8		failure = PG_GETARG_FLOAT8(first + 1);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(first + 2);
	int64		half_life = crm_half_life_from_interval(PG_GETARG_INTERVAL_P(first + 3));
	CrmScoreStatus status;

	crm_score_check_time(at);
	status = crm_score_event(success, failure, at, half_life, one->bytes, &one->cells);
	if (status == CRM_SCORE_BAD_WEIGHT)
		weight_error(success, failure);
	if (status != CRM_SCORE_OK)
		crm_score_error(status, half_life, half_life);
}

static Datum
one_score_datum(const OneScore *one)
{
	struct varlena *value = score_alloc(one->cells);

	memcpy(SCORE_BYTES(value), one->bytes, CRM_SCORE_SIZE(one->cells));
	score_set_cells(value, one->cells);
	return PointerGetDatum(value);
}

/*
 * crm.channel_score_of(success float8, failure float8, at timestamptz, half_life interval)
 */
Datum
crm_channel_score_of(PG_FUNCTION_ARGS)
{
	OneScore	one;

	observe(fcinfo, 0, &one);
	return one_score_datum(&one);
}

/*
 * The sum of a state and a score.
 *
 * In an aggregate the state is ours: it is changed where it lies, so that an
 * observation costs no allocation.  When it needs another cell, a new value is
 * returned, which the executor copies and puts in the place of the old one.
 * A window frame may still show the last state, so it is never touched there.
 */
static Datum
add_to_state(FunctionCallInfo fcinfo, Datum state, const unsigned char *b, int b_cells)
{
	int			a_cells;
	unsigned char *a = (unsigned char *) crm_score_open(state, &a_cells);
	CrmScoreStatus status = CRM_SCORE_GROW;
	struct varlena *sum;
	int			cells;

	if (AggCheckCallContext(fcinfo, NULL) == AGG_CONTEXT_AGGREGATE &&
		!VARATT_IS_EXTENDED(DatumGetPointer(state)))
		status = crm_score_add_in_place(a, a_cells, b, b_cells);
	if (status == CRM_SCORE_OK)
		return state;
	if (status == CRM_SCORE_GROW)
	{
		sum = score_alloc(a_cells + b_cells);
		status = crm_score_add(a, a_cells, b, b_cells, SCORE_BYTES(sum), &cells);
		if (status == CRM_SCORE_OK)
		{
			score_set_cells(sum, cells);
			return PointerGetDatum(sum);
		}
	}
	crm_score_error(status, crm_score_half_life(a), crm_score_half_life(b));
}

/*
 * crm.channel_score_observe(crm.channel_score, success, failure, at, half_life)
 *
 * Transition of the aggregate crm.channel_score: a row with a null in it says
 * nothing and leaves the state as it is.
 */
Datum
crm_channel_score_observe(PG_FUNCTION_ARGS)
{
	OneScore	one;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	observe(fcinfo, 1, &one);
	if (PG_ARGISNULL(0))
		return one_score_datum(&one);
	return add_to_state(fcinfo, PG_GETARG_DATUM(0), one.bytes, one.cells);
}

/*
 * score + score; also the combine function of both aggregates and the
 * transition of crm.sum.
 */
Datum
crm_channel_score_add(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *b = crm_score_open(PG_GETARG_DATUM(1), &cells);

	return add_to_state(fcinfo, PG_GETARG_DATUM(0), b, cells);
}

/*
 * score - score: undoes an addition, to the last bit.
 */
Datum
crm_channel_score_subtract(PG_FUNCTION_ARGS)
{
	int			a_cells,
				b_cells,
				cells;
	const unsigned char *a = crm_score_open(PG_GETARG_DATUM(0), &a_cells);
	const unsigned char *b = crm_score_open(PG_GETARG_DATUM(1), &b_cells);
	struct varlena *difference = score_alloc(a_cells);
	CrmScoreStatus status = crm_score_subtract(a, a_cells, b, b_cells, SCORE_BYTES(difference), &cells);

	if (status != CRM_SCORE_OK)
		crm_score_error(status, crm_score_half_life(a), crm_score_half_life(b));
	score_set_cells(difference, cells);
	PG_RETURN_POINTER(difference);
}

/*
 * The decayed successes and failures of a score at a time.
 */
void
crm_score_read(Datum datum, TimestampTz at, double *successes, double *failures)
{
	int			cells;
	const unsigned char *score = crm_score_open(datum, &cells);
	CrmScoreStatus status;

	crm_score_check_time(at);
	status = crm_score_value(score, cells, at, successes, failures);
	if (status == CRM_SCORE_OVERFLOW)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("crm.channel_score out of range at this time"),
				 errdetail("It has observations that are more than a thousand half-lives younger.")));
	if (status != CRM_SCORE_OK)
		crm_score_error(status, 0, 0);
}

Datum
crm_channel_score_successes(PG_FUNCTION_ARGS)
{
	double		successes,
				failures;

	crm_score_read(PG_GETARG_DATUM(0), PG_GETARG_TIMESTAMPTZ(1), &successes, &failures);
	PG_RETURN_FLOAT8(successes);
}

Datum
crm_channel_score_failures(PG_FUNCTION_ARGS)
{
	double		successes,
				failures;

	crm_score_read(PG_GETARG_DATUM(0), PG_GETARG_TIMESTAMPTZ(1), &successes, &failures);
	PG_RETURN_FLOAT8(failures);
}

Datum
crm_channel_score_observations(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);

	PG_RETURN_INT64(crm_score_successes(score) + crm_score_failures(score));
}

/*
 * The half-life in days and hours; equal to the interval it was given as.
 */
Datum
crm_channel_score_half_life(PG_FUNCTION_ARGS)
{
	int			cells;
	const unsigned char *score = crm_score_open(PG_GETARG_DATUM(0), &cells);
	int64		half_life = crm_score_half_life(score);
	Interval   *interval = palloc0(sizeof(Interval));

	interval->day = (int32) (half_life / USECS_PER_DAY);
	interval->time = half_life % USECS_PER_DAY;
	PG_RETURN_INTERVAL_P(interval);
}
