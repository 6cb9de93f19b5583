/*-------------------------------------------------------------------------
 *
 * outbox_quiet.c
 *	  When a quiet time ends.
 *
 * crm.quiet_time_until() in SQL says what that means.  Like the caps
 * (outbox_cap.c) it is asked for every message several times, so the rules are
 * read here without a query, once for all that a query asks about; whether a
 * day is a holiday is left to crm.is_holiday(), for the few times at which it
 * matters.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "own_table.h"
#include "spi_plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_quiet_until);

#define QUIET_ARGS 5			/* channel, country, region, time zone, time */

/* Where one quiet time ends another may begin: so often at most, which is two weeks without a gap at least. */
#define QUIET_STEPS 64

static CrmPlan quiet_time_until = {
	"SELECT crm.quiet_time_until($1, $2, $3, $4, $5)"
};

static CrmPlan is_holiday = {
	"SELECT crm.is_holiday($1, $2, $3)"
};

/* What is read. */
enum
{
	POLICY_CHANNEL, POLICY_FROM, POLICY_UNTIL
};
enum
{
	RULE_COUNTRY, RULE_CHANNEL, RULE_WEEKDAYS, RULE_ON_HOLIDAYS, RULE_FROM, RULE_UNTIL
};

static CrmColumn policy_columns[] = {{"channel"}, {"quiet_from", TIMEOID}, {"quiet_until", TIMEOID}};
static CrmColumn rule_columns[] = {
	{"country", TEXTOID}, {"channel"}, {"weekdays", INT4ARRAYOID}, {"on_holidays", BOOLOID}, {"quiet_from", TIMEOID}, {"quiet_until", TIMEOID}
};
static CrmTable policy_table = {"channel_policy", policy_columns, lengthof(policy_columns)};
static CrmTable rule_table = {"quiet_rule", rule_columns, lengthof(rule_columns)};

static CrmTable *const all_tables[] = {&policy_table, &rule_table};

/* A quiet time. */
typedef struct Quiet
{
	Oid			channel;		/* InvalidOid: all */
	text	   *country;		/* NULL: any */
	bool		daily;			/* by the channel's policy: perhaps over midnight */
	int			weekdays;		/* bit n: day n, 1 Monday to 7 Sunday */
	bool		on_holidays;
	TimeADT		from;
	TimeADT		until;
} Quiet;

/* All of them, read once per query. */
typedef struct Quiets
{
	MemoryContext context;
	bool		read;
	bool		simple;			/* else the query is asked */
	CrmMoment	moment;
	Quiet	   *quiets;
	int			n;
} Quiets;

static Quiet *
add_quiet(Quiets *quiets)
{
	if (quiets->n % 16 == 0)
		quiets->quiets = quiets->quiets == NULL ? palloc(16 * sizeof(Quiet)) : repalloc(quiets->quiets, (quiets->n + 16) * sizeof(Quiet));
	memset(&quiets->quiets[quiets->n], 0, sizeof(Quiet));
	return &quiets->quiets[quiets->n++];
}

static void
read_policy(Quiets *quiets, TupleTableSlot *slot)
{
	bool		no_channel;
	bool		no_from;
	bool		no_until;
	Datum		channel = crm_column(slot, &policy_table, POLICY_CHANNEL, &no_channel);
	Datum		from = crm_column(slot, &policy_table, POLICY_FROM, &no_from);
	Datum		until = crm_column(slot, &policy_table, POLICY_UNTIL, &no_until);
	Quiet	   *quiet;

	if (no_channel || no_from || no_until || from == until)
		return;
	quiet = add_quiet(quiets);
	quiet->daily = true;
	quiet->channel = DatumGetObjectId(channel);
	quiet->from = DatumGetTimeADT(from);
	quiet->until = DatumGetTimeADT(until);
}

static void
read_rule(Quiets *quiets, TupleTableSlot *slot)
{
	Quiet	   *quiet = add_quiet(quiets);
	bool		isnull;
	Datum		value;

	value = crm_column(slot, &rule_table, RULE_COUNTRY, &isnull);
	quiet->country = isnull ? NULL : DatumGetTextPCopy(value);
	value = crm_column(slot, &rule_table, RULE_CHANNEL, &isnull);
	quiet->channel = isnull ? InvalidOid : DatumGetObjectId(value);
	value = crm_column(slot, &rule_table, RULE_WEEKDAYS, &isnull);
	if (!isnull)
	{
		Datum	   *days;
		bool	   *nulls;
		int			n;

		deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32), true, TYPALIGN_INT, &days, &nulls, &n);
		for (int i = 0; i < n; i++)
			if (!nulls[i] && DatumGetInt32(days[i]) >= 1 && DatumGetInt32(days[i]) <= 7)
				quiet->weekdays |= 1 << DatumGetInt32(days[i]);
	}
	value = crm_column(slot, &rule_table, RULE_ON_HOLIDAYS, &isnull);
	quiet->on_holidays = !isnull && DatumGetBool(value);
	quiet->from = DatumGetTimeADT(crm_column(slot, &rule_table, RULE_FROM, &isnull));
	quiet->until = DatumGetTimeADT(crm_column(slot, &rule_table, RULE_UNTIL, &isnull));
}

/* The quiet times, as the running query sees them. */
static Quiets *
find_quiets(FunctionCallInfo fcinfo)
{
	Quiets	   *quiets = fcinfo->flinfo->fn_extra;

	if (quiets == NULL)
	{
		quiets = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Quiets));
		quiets->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm quiet times", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = quiets;
	}
	if (quiets->read && crm_know_tables(all_tables, lengthof(all_tables)) && crm_is_moment(&quiets->moment))
		return quiets;

	quiets->read = false;
	MemoryContextReset(quiets->context);
	quiets->quiets = NULL;
	quiets->n = 0;
	quiets->moment = crm_moment();
	quiets->simple = crm_lock_tables(all_tables, lengthof(all_tables));
	if (quiets->simple)
	{
		MemoryContext caller = MemoryContextSwitchTo(quiets->context);
		CrmRows		policies = {NULL};
		CrmRows		rules = {NULL};

		while (crm_next_row(&policies, &policy_table) != NULL)
			read_policy(quiets, policies.slot);
		while (crm_next_row(&rules, &rule_table) != NULL)
			read_rule(quiets, rules.slot);
		MemoryContextSwitchTo(caller);
	}
	quiets->read = true;
	return quiets;
}

/* The value of a statement that is a function of these arguments. */
static Datum
ask(CrmPlan *statement, int nargs, const Oid *argtypes, Datum *args, const char *nulls, bool *isnull)
{
	Datum		value;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(crm_plan(statement, nargs, argtypes), args, nulls, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "no answer to: %s", statement->sql);
	/* Both are by value: they outlive SPI's memory. */
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	SPI_finish();
	return value;
}

static bool
day_is_holiday(FunctionCallInfo fcinfo, DateADT day)
{
	const Oid	argtypes[3] = {TEXTOID, TEXTOID, DATEOID};
	Datum		args[3] = {fcinfo->args[1].value, fcinfo->args[2].value, DateADTGetDatum(day)};
	char		nulls[4] = {PG_ARGISNULL(1) ? 'n' : ' ', PG_ARGISNULL(2) ? 'n' : ' ', ' ', '\0'};
	bool		isnull;
	Datum		answer = ask(&is_holiday, 3, argtypes, args, nulls, &isnull);

	return !isnull && DatumGetBool(answer);
}

/* Is it one for this channel and country? */
static bool
quiet_is_for(const Quiet *quiet, Oid channel, const text *country)
{
	if (OidIsValid(quiet->channel) && quiet->channel != channel)
		return false;
	return quiet->country == NULL || crm_same_text(quiet->country, country);
}

/* Does a quiet time lie over this day and time, and when does it end?  Local time. */
static bool
quiet_ends(FunctionCallInfo fcinfo, const Quiet *quiet, DateADT day, TimeADT now, Timestamp *ends)
{
	Timestamp	midnight = (Timestamp) day * USECS_PER_DAY;

	if (quiet->daily && quiet->from > quiet->until)
	{
		if (now >= quiet->from)
			midnight += USECS_PER_DAY;
		else if (now >= quiet->until)
			return false;
	}
	else if (now < quiet->from || now >= quiet->until)
		return false;
	if (!quiet->daily)
	{
		/* 2000-01-01, day 0, was a Saturday. */
		int			weekday = ((day + 5) % 7 + 7) % 7 + 1;

		if (!(quiet->weekdays & (1 << weekday)) && !(quiet->on_holidays && day_is_holiday(fcinfo, day)))
			return false;
	}
	*ends = midnight + quiet->until;
	return true;
}

/*
 * crm.quiet_until(channel crm.channel, country text, region text,
 *		time_zone text, at timestamptz) returns timestamptz
 *
 * The end of the quiet time in which the time lies, for a customer of this
 * country, region and time zone; null: it lies in none; infinity: the rules
 * leave no time at all.  The same as crm.quiet_time_until(), with the rights of
 * the caller.
 */
Datum
crm_quiet_until(PG_FUNCTION_ARGS)
{
	Quiets	   *quiets;
	TimestampTz at;
	TimestampTz free_at;
	text	   *country;
	bool		any = false;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	at = free_at = PG_GETARG_TIMESTAMPTZ(4);
	quiets = find_quiets(fcinfo);
	/* Near the ends of time there is no day before or after. */
	if (!quiets->simple || at < MIN_TIMESTAMP + 1000 * USECS_PER_DAY || at >= END_TIMESTAMP - 1000 * USECS_PER_DAY)
	{
		Oid		   *argtypes;
		int			nargs;
		Datum		args[QUIET_ARGS];
		char		nulls[QUIET_ARGS + 1] = "     ";
		bool		isnull;
		Datum		answer;

		(void) get_func_signature(fcinfo->flinfo->fn_oid, &argtypes, &nargs);
		for (int i = 0; i < QUIET_ARGS; i++)
		{
			args[i] = fcinfo->args[i].value;
			if (PG_ARGISNULL(i))
				nulls[i] = 'n';
		}
		answer = ask(&quiet_time_until, QUIET_ARGS, argtypes, args, nulls, &isnull);
		if (isnull)
			PG_RETURN_NULL();
		PG_RETURN_DATUM(answer);
	}
	country = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	for (int i = 0; i < quiets->n; i++)
		any |= quiet_is_for(&quiets->quiets[i], PG_GETARG_OID(0), country);
	if (!any)
		PG_RETURN_NULL();

	for (int step = 0; step < QUIET_STEPS; step++)
	{
		Timestamp	here = DatumGetTimestamp(DirectFunctionCall2(timestamptz_zone, PG_GETARG_DATUM(3), TimestampTzGetDatum(free_at)));
		TimeADT		now = (here % USECS_PER_DAY + USECS_PER_DAY) % USECS_PER_DAY;
		DateADT		day = (here - now) / USECS_PER_DAY;
		Timestamp	latest = DT_NOBEGIN;
		Timestamp	ends;

		for (int i = 0; i < quiets->n; i++)
			if (quiet_is_for(&quiets->quiets[i], PG_GETARG_OID(0), country) &&
				quiet_ends(fcinfo, &quiets->quiets[i], day, now, &ends))
				latest = Max(latest, ends);
		if (latest == DT_NOBEGIN)
		{
			if (free_at > at)
				PG_RETURN_TIMESTAMPTZ(free_at);
			PG_RETURN_NULL();
		}
		/* An hour that a change of the clocks skips or repeats must not turn time back. */
		ends = DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, PG_GETARG_DATUM(3), TimestampGetDatum(latest)));
		free_at = Max(ends, free_at + USECS_PER_MINUTE);
	}
	PG_RETURN_TIMESTAMPTZ(DT_NOEND);
}
