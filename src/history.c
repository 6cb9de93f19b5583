/*-------------------------------------------------------------------------
 *
 * history.c
 *	  The type crm.buying_history: one customer's purchases as the sufficient
 *	  statistic of the customer-base models.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include <math.h>

#include "common/hashfn.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "history_math.h"
#include "history_numeric.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Leading byte of the binary format. */
#define HISTORY_WIRE_VERSION 1

StaticAssertDecl(sizeof(CrmHistory) == 64, "crm.buying_history has no padding");
StaticAssertDecl(sizeof(CrmHistoryState) == 80, "the head of the state has no padding");
StaticAssertDecl(CRM_HISTORY_STATE_SIZE(CRM_HISTORY_STATE_START) == 128, "a small state fills a block of memory");

/* The state of the aggregate is a bytea, whose size says how much room there is. */
#define STATE_ROOM(state)	CRM_HISTORY_STATE_ROOM(VARSIZE(state))

#define PG_GETARG_HISTORY(n) ((CrmHistory *) PG_GETARG_POINTER(n))

PG_FUNCTION_INFO_V1(crm_buying_history_in);
PG_FUNCTION_INFO_V1(crm_buying_history_out);
PG_FUNCTION_INFO_V1(crm_buying_history_recv);
PG_FUNCTION_INFO_V1(crm_buying_history_send);
PG_FUNCTION_INFO_V1(crm_buying_history_eq);
PG_FUNCTION_INFO_V1(crm_buying_history_ne);
PG_FUNCTION_INFO_V1(crm_buying_history_lt);
PG_FUNCTION_INFO_V1(crm_buying_history_le);
PG_FUNCTION_INFO_V1(crm_buying_history_gt);
PG_FUNCTION_INFO_V1(crm_buying_history_ge);
PG_FUNCTION_INFO_V1(crm_buying_history_cmp);
PG_FUNCTION_INFO_V1(crm_buying_history_hash);
PG_FUNCTION_INFO_V1(crm_buying_history_hash_extended);
PG_FUNCTION_INFO_V1(crm_buying_history_accum);
PG_FUNCTION_INFO_V1(crm_buying_history_accum_numeric);
PG_FUNCTION_INFO_V1(crm_buying_history_combine);
PG_FUNCTION_INFO_V1(crm_buying_history_final);
PG_FUNCTION_INFO_V1(crm_buying_history_add);
PG_FUNCTION_INFO_V1(crm_buying_history_joinable);
PG_FUNCTION_INFO_V1(crm_buying_history_purchases);
PG_FUNCTION_INFO_V1(crm_buying_history_purchase_days);
PG_FUNCTION_INFO_V1(crm_buying_history_first);
PG_FUNCTION_INFO_V1(crm_buying_history_last);
PG_FUNCTION_INFO_V1(crm_buying_history_total);
PG_FUNCTION_INFO_V1(crm_buying_history_x);
PG_FUNCTION_INFO_V1(crm_buying_history_t_x);
PG_FUNCTION_INFO_V1(crm_buying_history_age);
PG_FUNCTION_INFO_V1(crm_buying_history_mean_spend);

/* Text and binary -------------------------------------------------------------*/

/* A time in UTC, as 1997-01-18T00:00:00, whatever the session's settings. */
static void
print_time(StringInfo out, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char		buffer[MAXDATELEN + 1];

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	EncodeDateTime(&tm, fsec, false, 0, NULL, USE_XSD_DATES, buffer);
	appendStringInfoString(out, buffer);
}

static bool
parse_digits(const char **text, int least, int most, int *value)
{
	int			n = 0;

	for (*value = 0; **text >= '0' && **text <= '9' && n < most; n++)
		*value = *value * 10 + (*(*text)++ - '0');
	return n >= least;
}

/* The reverse of print_time(); false when the text is not such a time. */
static bool
parse_time(const char **text, TimestampTz *at)
{
	const char *p = *text;
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				fraction = 0,
				check_year,
				check_month,
				check_day;
	int64		days;

	if (!parse_digits(&p, 4, 6, &year) || *p++ != '-' ||
		!parse_digits(&p, 2, 2, &month) || *p++ != '-' ||
		!parse_digits(&p, 2, 2, &day) || *p++ != 'T' ||
		!parse_digits(&p, 2, 2, &hour) || *p++ != ':' ||
		!parse_digits(&p, 2, 2, &minute) || *p++ != ':' ||
		!parse_digits(&p, 2, 2, &second))
		return false;
	if (*p == '.')
	{
		int			unit = 100000;

		for (p++; *p >= '0' && *p <= '9' && unit > 0; unit /= 10)
			fraction += (*p++ - '0') * unit;
		if (p[-1] == '.')
			return false;
	}
	if (strncmp(p, " BC", 3) == 0)
	{
		p += 3;
		year = 1 - year;
	}
	else if (year == 0)
		return false;
	if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 ||
		!IS_VALID_JULIAN(year, month, day))
		return false;
	days = date2j(year, month, day);
	j2date(days, &check_year, &check_month, &check_day);
	if (check_year != year || check_month != month || check_day != day)
		return false;
	days -= POSTGRES_EPOCH_JDATE;
	if (days > CRM_HISTORY_TIME_END / CRM_USECS_PER_DAY)
		return false;
	*at = days * USECS_PER_DAY +
		((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC + fraction;
	*text = p;
	return true;
}

/* A number of purchases or days; *too_great tells why there is none. */
static bool
parse_count(const char **text, int64 *value, bool *too_great)
{
	const char *p = *text;

	for (*value = 0; *p >= '0' && *p <= '9'; p++)
		if (pg_mul_s64_overflow(*value, 10, value) || pg_add_s64_overflow(*value, *p - '0', value))
		{
			*too_great = true;
			return false;
		}
	if (p == *text)
		return false;
	*text = p;
	return true;
}

/*
 * crm.buying_history_in(cstring)
 *
 * (purchases,days,first,last,total,first day's total)
 */
Datum
crm_buying_history_in(PG_FUNCTION_ARGS)
{
	char	   *input = PG_GETARG_CSTRING(0);
	const char *p = input;
	const char *fault = NULL;
	bool		too_great = false;
	CrmHistory *history = palloc0(sizeof(CrmHistory));
	CrmAmount	total = 0,
				first_day = 0;

	while (isspace((unsigned char) *p))
		p++;
	if (*p++ != '(' || !parse_count(&p, &history->purchases, &too_great) || *p++ != ',' ||
		!parse_count(&p, &history->days, &too_great) || *p++ != ',' ||
		!parse_time(&p, &history->first) || *p++ != ',' ||
		!parse_time(&p, &history->last) || *p++ != ',')
		fault = "it must read (purchases,days,first time,last time,total,total of the first day), with times in UTC as 1997-01-18T00:00:00";
	if (fault == NULL)
		fault = crm_amount_parse(p, &p, &total);
	if (fault == NULL && *p++ != ',')
		fault = "the total is not followed by the total of the first day";
	if (fault == NULL)
		fault = crm_amount_parse(p, &p, &first_day);
	if (fault == NULL)
	{
		if (*p == ')')
			p++;
		else
			fault = "the closing parenthesis is missing";
		while (isspace((unsigned char) *p))
			p++;
		if (fault == NULL && *p != '\0')
			fault = "there is something after the closing parenthesis";
	}
	if (fault == NULL)
	{
		history->total_low = (uint64) total;
		history->total_high = (int64) (total >> 64);
		history->first_day_low = (uint64) first_day;
		history->first_day_high = (int64) (first_day >> 64);
		fault = crm_history_fault(history);
	}
	if (too_great || fault == crm_amount_too_great)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value \"%s\" is out of range for type %s", input, "crm.buying_history")));
	if (fault != NULL)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.buying_history", input),
				 errdetail("In this value, %s.", fault)));
	PG_RETURN_POINTER(history);
}

Datum
crm_buying_history_out(PG_FUNCTION_ARGS)
{
	CrmHistory *history = PG_GETARG_HISTORY(0);
	char		amount[CRM_AMOUNT_TEXT_SIZE];
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "(" INT64_FORMAT "," INT64_FORMAT ",", history->purchases, history->days);
	print_time(&out, history->first);
	appendStringInfoChar(&out, ',');
	print_time(&out, history->last);
	crm_amount_print(crm_history_total(history), amount);
	appendStringInfo(&out, ",%s", amount);
	crm_amount_print(crm_history_first_day(history), amount);
	appendStringInfo(&out, ",%s)", amount);
	PG_RETURN_CSTRING(out.data);
}

Datum
crm_buying_history_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	CrmHistory *history = palloc0(sizeof(CrmHistory));
	const char *fault;
	int			version = pq_getmsgbyte(buffer);

	if (version != HISTORY_WIRE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown version %d of the binary format of type %s", version, "crm.buying_history")));
	history->purchases = pq_getmsgint64(buffer);
	history->days = pq_getmsgint64(buffer);
	history->first = pq_getmsgint64(buffer);
	history->last = pq_getmsgint64(buffer);
	history->total_high = pq_getmsgint64(buffer);
	history->total_low = (uint64) pq_getmsgint64(buffer);
	history->first_day_high = pq_getmsgint64(buffer);
	history->first_day_low = (uint64) pq_getmsgint64(buffer);
	fault = crm_history_fault(history);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type %s", "crm.buying_history"),
				 errdetail("In this value, %s.", fault)));
	PG_RETURN_POINTER(history);
}

Datum
crm_buying_history_send(PG_FUNCTION_ARGS)
{
	CrmHistory *history = PG_GETARG_HISTORY(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, HISTORY_WIRE_VERSION);
	pq_sendint64(&buffer, history->purchases);
	pq_sendint64(&buffer, history->days);
	pq_sendint64(&buffer, history->first);
	pq_sendint64(&buffer, history->last);
	pq_sendint64(&buffer, history->total_high);
	pq_sendint64(&buffer, history->total_low);
	pq_sendint64(&buffer, history->first_day_high);
	pq_sendint64(&buffer, history->first_day_low);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* Comparison ------------------------------------------------------------------*/

#define COMPARISON(name, test) \
Datum \
crm_buying_history_##name(PG_FUNCTION_ARGS) \
{ \
	int			cmp = crm_history_compare(PG_GETARG_HISTORY(0), PG_GETARG_HISTORY(1)); \
	PG_RETURN_BOOL(cmp test 0); \
}

COMPARISON(eq, ==)
COMPARISON(ne, !=)
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

Datum
crm_buying_history_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(crm_history_compare(PG_GETARG_HISTORY(0), PG_GETARG_HISTORY(1)));
}

/* There is no padding and one representation of each value: its bytes will do. */
Datum
crm_buying_history_hash(PG_FUNCTION_ARGS)
{
	return hash_any((unsigned char *) PG_GETARG_POINTER(0), sizeof(CrmHistory));
}

Datum
crm_buying_history_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((unsigned char *) PG_GETARG_POINTER(0), sizeof(CrmHistory),
							 PG_GETARG_INT64(1));
}

/* Aggregate -------------------------------------------------------------------*/

pg_noreturn static void
history_error(CrmHistoryStatus status)
{
	switch (status)
	{
		case CRM_HISTORY_BAD_TIME:
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time of a purchase must be finite")));
			break;
		case CRM_HISTORY_BAD_AMOUNT:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("amount of a purchase is out of range"),
					 errdetail("It must be a number between 0 and 9000000000000.")));
			break;
		case CRM_HISTORY_INTERLEAVED:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("buying histories that interleave can't be added"),
					 errdetail("Each has purchases between those of the other, so that common days are not known."),
					 errhint("Aggregate the purchases themselves: crm.buying_history(purchased_at, amount).")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("crm.buying_history is out of range")));
	}
	pg_unreachable();
}

pg_noreturn static void
state_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("malformed state of aggregate %s", "crm.buying_history")));
	pg_unreachable();
}

/* An empty state with room for so many days. */
static CrmHistoryState *
make_state(int64 room)
{
	Size		size = CRM_HISTORY_STATE_SIZE(room);
	CrmHistoryState *state;

	if (!AllocSizeIsValid(size))
		history_error(CRM_HISTORY_OVERFLOW);
	state = palloc0(size);
	SET_VARSIZE(state, size);
	return state;
}

/* A larger state of the same contents; blocks of memory are powers of two. */
static CrmHistoryState *
enlarge_state(const CrmHistoryState *state, int64 room)
{
	Size		size = VARSIZE(state);
	CrmHistoryState *larger;

	while (CRM_HISTORY_STATE_ROOM(size) < room && size <= MaxAllocSize / 2)
		size *= 2;
	larger = make_state(Max(CRM_HISTORY_STATE_ROOM(size), room));
	memcpy(&larger->format, &state->format, CRM_HISTORY_STATE_SIZE(state->count) - offsetof(CrmHistoryState, format));
	return larger;
}

/*
 * The state argument.  Within an aggregate it is ours to write on and is as we
 * left it; otherwise it comes from anywhere and is copied and looked through.
 * (Somebody may build an aggregate of his own on these functions, with a false
 * state: its head is looked at in any case, and the result at the end.)
 */
static CrmHistoryState *
get_state(FunctionCallInfo fcinfo, int arg, bool ours)
{
	CrmHistoryState *state = (CrmHistoryState *) (ours ? PG_GETARG_BYTEA_P(arg) : PG_GETARG_BYTEA_P_COPY(arg));

	if (!crm_history_state_good(state, VARSIZE(state)) ||
		(!ours && !crm_history_state_plausible(state)))
		state_error();
	return state;
}

/*
 * Adds a purchase to the state where it lies.  When there is no room a larger
 * state is returned in the short-lived context, which the executor copies and
 * puts in the place of the old one.
 */
static Datum
add_purchase(FunctionCallInfo fcinfo, int64 amount)
{
	CrmPurchase purchase;
	CrmHistoryStatus status;
	CrmHistoryState *state;

	purchase.at = PG_GETARG_TIMESTAMPTZ(1);
	purchase.amount = amount;
	status = crm_purchase_check(&purchase);
	if (status != CRM_HISTORY_OK)
		history_error(status);

	if (PG_ARGISNULL(0))
	{
		state = make_state(CRM_HISTORY_STATE_START);
		crm_history_begin(state, &purchase);
		PG_RETURN_POINTER(state);
	}
	state = get_state(fcinfo, 0, AggCheckCallContext(fcinfo, NULL) != 0);
	status = crm_history_append(state, STATE_ROOM(state), &purchase);
	if (status == CRM_HISTORY_FULL)
	{
		state = enlarge_state(state, 2 * (int64) state->count);
		status = crm_history_append(state, STATE_ROOM(state), &purchase);
	}
	if (status != CRM_HISTORY_OK)
		history_error(status);
	PG_RETURN_POINTER(state);
}

/*
 * crm.buying_history_accum(state bytea, purchased_at timestamptz, amount float8)
 *
 * A row with a null in it is no purchase.
 */
Datum
crm_buying_history_accum(PG_FUNCTION_ARGS)
{
	int64		amount;
	CrmHistoryStatus status;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	status = crm_amount_from_double(PG_GETARG_FLOAT8(2), &amount);
	if (status != CRM_HISTORY_OK)
		history_error(status);
	return add_purchase(fcinfo, amount);
}

/* crm.buying_history_accum(state bytea, purchased_at timestamptz, amount numeric) */
Datum
crm_buying_history_accum_numeric(PG_FUNCTION_ARGS)
{
	int64		amount;
	CrmHistoryStatus status;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	status = crm_amount_from_numeric(PG_GETARG_DATUM(2), &amount);
	if (status != CRM_HISTORY_OK)
		history_error(status);
	return add_purchase(fcinfo, amount);
}

/* crm.buying_history_combine(bytea, bytea): the purchases of both. */
Datum
crm_buying_history_combine(PG_FUNCTION_ARGS)
{
	CrmHistoryState *state,
			   *other;
	CrmHistoryStatus status;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	/* The second comes in a row of another process, at any address: a copy. */
	other = get_state(fcinfo, 1, false);
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(other);
	state = get_state(fcinfo, 0, AggCheckCallContext(fcinfo, NULL) != 0);
	status = crm_history_combine(state, STATE_ROOM(state), other);
	if (status == CRM_HISTORY_FULL)
	{
		state = enlarge_state(state, (int64) state->count + other->count);
		status = crm_history_combine(state, STATE_ROOM(state), other);
	}
	if (status != CRM_HISTORY_OK)
		history_error(status);
	PG_RETURN_POINTER(state);
}

/* crm.buying_history_final(bytea) */
Datum
crm_buying_history_final(PG_FUNCTION_ARGS)
{
	CrmHistoryState *state;
	int32	   *scratch = NULL;
	CrmHistory *history;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = get_state(fcinfo, 0, AggCheckCallContext(fcinfo, NULL) != 0);
	if (state->sorted < state->count)
		scratch = palloc(state->count * sizeof(int32));
	history = palloc(sizeof(CrmHistory));
	if (crm_history_finish(state, scratch, history) != CRM_HISTORY_OK)
		state_error();
	if (scratch != NULL)
		pfree(scratch);
	PG_RETURN_POINTER(history);
}

/* Operators and accessors -----------------------------------------------------*/

Datum
crm_buying_history_add(PG_FUNCTION_ARGS)
{
	CrmHistory *joined = palloc(sizeof(CrmHistory));
	CrmHistoryStatus status = crm_history_join(PG_GETARG_HISTORY(0), PG_GETARG_HISTORY(1), joined);

	if (status != CRM_HISTORY_OK)
		history_error(status);
	PG_RETURN_POINTER(joined);
}

Datum
crm_buying_history_joinable(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_history_joinable(PG_GETARG_HISTORY(0), PG_GETARG_HISTORY(1)));
}

Datum
crm_buying_history_purchases(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_HISTORY(0)->purchases);
}

Datum
crm_buying_history_purchase_days(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_HISTORY(0)->days);
}

Datum
crm_buying_history_first(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(PG_GETARG_HISTORY(0)->first);
}

Datum
crm_buying_history_last(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(PG_GETARG_HISTORY(0)->last);
}

Datum
crm_buying_history_total(PG_FUNCTION_ARGS)
{
	char		text[CRM_AMOUNT_TEXT_SIZE];

	crm_amount_print(crm_history_total(PG_GETARG_HISTORY(0)), text);
	PG_RETURN_DATUM(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
										ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

Datum
crm_buying_history_x(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) (PG_GETARG_HISTORY(0)->days - 1));
}

/* Days per unit; a month counts 30 days, as when intervals are compared. */
static double
unit_days(const Interval *unit)
{
	double		days = unit->month * 30.0 + unit->day + (double) unit->time / USECS_PER_DAY;

	if (!(days > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unit of time must be positive")));
	return days;
}

Datum
crm_buying_history_t_x(PG_FUNCTION_ARGS)
{
	CrmHistory *history = PG_GETARG_HISTORY(0);

	PG_RETURN_FLOAT8((crm_history_day(history->last) - crm_history_day(history->first)) /
					 unit_days(PG_GETARG_INTERVAL_P(1)));
}

Datum
crm_buying_history_age(PG_FUNCTION_ARGS)
{
	CrmHistory *history = PG_GETARG_HISTORY(0);
	TimestampTz as_of = PG_GETARG_TIMESTAMPTZ(1);

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time as of which an age is asked must be finite")));
	PG_RETURN_FLOAT8((crm_history_day(as_of) - crm_history_day(history->first)) /
					 unit_days(PG_GETARG_INTERVAL_P(2)));
}

Datum
crm_buying_history_mean_spend(PG_FUNCTION_ARGS)
{
	CrmHistory *history = PG_GETARG_HISTORY(0);

	if (history->days == 1)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) (crm_history_total(history) - crm_history_first_day(history)) /
					 CRM_AMOUNT_SCALE / (history->days - 1));
}
