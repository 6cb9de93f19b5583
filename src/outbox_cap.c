/*-------------------------------------------------------------------------
 *
 * outbox_cap.c
 *	  Which cap on the contacts of a customer is used up.
 *
 * crm.used_up_cap() in SQL says what that means.  But it is asked for every
 * message when it is written, claimed and sent, and a query of three branches
 * takes longer to set up than to run.  So the few rows that it would read are
 * read here, from the same tables, with the same snapshot and by the same
 * indexes.  Where anything is not as simple as that (the caller may read only
 * some columns or rows, a table has partitions, an index is not there), the
 * query is asked.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "own_table.h"
#include "spi_plan.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_cap_reached);

#define CAP_ARGS 5				/* customer, channel, time, message, whether what waits counts */
#define CAP_COLUMNS 4			/* cap, window, channel, next time */

static CrmPlan used_up_cap = {
	"SELECT k.cap, k.cap_window, k.channel, k.next_at FROM crm.used_up_cap($1, $2, $3, $4, $5) AS k"
};

/* What is read.  Of the two tables of caps it is the same. */
enum
{
	CAP_CHANNEL, CAP_CAP, CAP_WINDOW
};
enum
{
	PURPOSE_PURPOSE, PURPOSE_IS_CAPPED
};
enum
{
	MESSAGE_ID, MESSAGE_CUSTOMER, MESSAGE_CHANNEL, MESSAGE_PURPOSE, MESSAGE_STATUS, MESSAGE_NOT_BEFORE, MESSAGE_BEGUN_AT
};
enum
{
	INTERACTION_CUSTOMER, INTERACTION_CHANNEL, INTERACTION_OCCURRED_AT, INTERACTION_DIRECTION, INTERACTION_MESSAGE
};

static CrmColumn policy_columns[] = {{"channel"}, {"cap", INT4OID}, {"cap_window", INTERVALOID}};
static CrmColumn cap_columns[] = {{"channel"}, {"cap", INT4OID}, {"cap_window", INTERVALOID}};
static CrmColumn purpose_columns[] = {{"purpose", TEXTOID}, {"is_capped", BOOLOID}};
static CrmColumn message_columns[] = {
	{"message_id", INT8OID}, {"customer_id", INT8OID}, {"channel"}, {"purpose", TEXTOID}, {"status", TEXTOID},
	{"not_before", TIMESTAMPTZOID}, {"begun_at", TIMESTAMPTZOID}
};
static CrmColumn interaction_columns[] = {
	{"customer_id", INT8OID}, {"channel"}, {"occurred_at", TIMESTAMPTZOID}, {"direction"}, {"message_id", INT8OID}
};

static CrmTable policy_table = {"channel_policy", policy_columns, lengthof(policy_columns)};
static CrmTable cap_table = {"contact_cap", cap_columns, lengthof(cap_columns)};
static CrmTable purpose_table = {"purpose", purpose_columns, lengthof(purpose_columns)};
static CrmTable message_table = {"message", message_columns, lengthof(message_columns)};
static CrmTable interaction_table = {"interaction", interaction_columns, lengthof(interaction_columns)};

static CrmTable *const all_tables[] = {&policy_table, &cap_table, &purpose_table, &message_table, &interaction_table};

/* A cap on contacts. */
typedef struct Cap
{
	Oid			channel;		/* what counts for it; InvalidOid: all channels */
	int32		cap;
	Interval	window;
	TimestampTz since;			/* at the time that is asked about: what is later counts */
	TimestampTz until;			/* ... and of what waits, what is earlier */
} Cap;

/* The rules of all channels, read once per query. */
typedef struct Rules
{
	MemoryContext context;		/* of what is below, and all that is by reference */
	bool		read;
	bool		simple;			/* else the query is asked */
	CrmMoment	moment;
	Cap		   *caps;
	int			ncaps;
	text	  **uncapped;		/* purposes */
	int			nuncapped;
} Rules;

/* By what contacts are found; kept by the session as long as their tables are the same. */
static struct
{
	uint32		message_version;
	uint32		interaction_version;
	Oid			outbound;		/* of crm.direction */
	Oid			message_customer;	/* indexes: (customer_id, begun_at), (message_id), (customer_id, occurred_at) */
	Oid			message_key;
	Oid			interaction_customer;
} found;

/* A contact that counts, and when. */
typedef struct Slot
{
	TimestampTz used_at;
	Oid			channel;
	bool		waits;
} Slot;

typedef struct Slots
{
	Slot	   *slots;
	int			n;
	int			room;
} Slots;

static void
add_cap(Rules *rules, Oid channel, Datum cap, Datum window)
{
	if (rules->ncaps % 16 == 0)
		rules->caps = rules->caps == NULL ? palloc(16 * sizeof(Cap)) : repalloc(rules->caps, (rules->ncaps + 16) * sizeof(Cap));
	rules->caps[rules->ncaps].channel = channel;
	rules->caps[rules->ncaps].cap = DatumGetInt32(cap);
	rules->caps[rules->ncaps].window = *DatumGetIntervalP(window);
	rules->ncaps++;
}

static void
add_uncapped(Rules *rules, Datum purpose)
{
	if (rules->nuncapped % 16 == 0)
		rules->uncapped = rules->uncapped == NULL ? palloc(16 * sizeof(text *)) :
			repalloc(rules->uncapped, (rules->nuncapped + 16) * sizeof(text *));
	rules->uncapped[rules->nuncapped++] = DatumGetTextPCopy(purpose);
}

/* Reads one of the two tables of caps. */
static void
read_caps(Rules *rules, const CrmTable *table)
{
	CrmRows		rows = {NULL};
	TupleTableSlot *slot;

	while ((slot = crm_next_row(&rows, table)) != NULL)
	{
		bool		no_channel;
		bool		isnull;
		Datum		channel = crm_column(slot, table, CAP_CHANNEL, &no_channel);
		Datum		cap = crm_column(slot, table, CAP_CAP, &isnull);

		if (!isnull)
			add_cap(rules, no_channel ? InvalidOid : DatumGetObjectId(channel), cap, crm_column(slot, table, CAP_WINDOW, &isnull));
	}
}

static void
read_purposes(Rules *rules)
{
	CrmRows		rows = {NULL};
	TupleTableSlot *slot;

	while ((slot = crm_next_row(&rows, &purpose_table)) != NULL)
	{
		bool		isnull;

		if (!DatumGetBool(crm_column(slot, &purpose_table, PURPOSE_IS_CAPPED, &isnull)))
			add_uncapped(rules, crm_column(slot, &purpose_table, PURPOSE_PURPOSE, &isnull));
	}
}

/* By what contacts are found; false when an index is not there. */
static bool
find_contacts(void)
{
	if (found.message_version != message_table.version || found.interaction_version != interaction_table.version)
	{
		Relation	messages = table_open(message_table.oid, NoLock);
		Relation	interactions = table_open(interaction_table.oid, NoLock);
		AttrNumber	direction = interaction_columns[INTERACTION_DIRECTION].number;

		found.message_customer = crm_find_index(messages, message_columns[MESSAGE_CUSTOMER].number, message_columns[MESSAGE_BEGUN_AT].number);
		found.message_key = crm_find_index(messages, message_columns[MESSAGE_ID].number, 0);
		found.interaction_customer = crm_find_index(interactions, interaction_columns[INTERACTION_CUSTOMER].number,
													interaction_columns[INTERACTION_OCCURRED_AT].number);
		found.outbound = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										 ObjectIdGetDatum(TupleDescAttr(RelationGetDescr(interactions), direction - 1)->atttypid),
										 CStringGetDatum("outbound"));
		found.message_version = message_table.version;
		found.interaction_version = interaction_table.version;
		table_close(interactions, NoLock);
		table_close(messages, NoLock);
	}
	return OidIsValid(found.message_customer) && OidIsValid(found.message_key) &&
		OidIsValid(found.interaction_customer) && OidIsValid(found.outbound);
}

/* The rules, as the running query sees them. */
static Rules *
find_rules(FunctionCallInfo fcinfo)
{
	Rules	   *rules = fcinfo->flinfo->fn_extra;

	if (rules == NULL)
	{
		rules = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Rules));
		rules->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm caps", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = rules;
	}
	if (rules->read && crm_know_tables(all_tables, lengthof(all_tables)) && crm_is_moment(&rules->moment))
		return rules;

	rules->read = false;
	MemoryContextReset(rules->context);
	rules->caps = NULL;
	rules->ncaps = 0;
	rules->uncapped = NULL;
	rules->nuncapped = 0;
	rules->moment = crm_moment();
	rules->simple = crm_lock_tables(all_tables, lengthof(all_tables)) && find_contacts();
	if (rules->simple)
	{
		MemoryContext caller = MemoryContextSwitchTo(rules->context);

		read_caps(rules, &policy_table);
		read_caps(rules, &cap_table);
		if (rules->ncaps > 0)
			read_purposes(rules);
		MemoryContextSwitchTo(caller);
	}
	rules->read = true;
	return rules;
}

static void
add_slot(Slots *slots, TimestampTz used_at, Oid channel, bool waits)
{
	if (slots->n == slots->room)
	{
		slots->room = Max(2 * slots->room, 16);
		slots->slots = slots->slots == NULL ? palloc(slots->room * sizeof(Slot)) : repalloc(slots->slots, slots->room * sizeof(Slot));
	}
	slots->slots[slots->n].used_at = used_at;
	slots->slots[slots->n].channel = channel;
	slots->slots[slots->n].waits = waits;
	slots->n++;
}

/* Does a message count for the caps at all: not the one that is asked about, nor one for a purpose that is not capped. */
static bool
message_counts(Rules *rules, TupleTableSlot *slot, Datum message, bool no_message)
{
	bool		isnull;
	Datum		id = crm_column(slot, &message_table, MESSAGE_ID, &isnull);
	text	   *purpose = DatumGetTextPP(crm_column(slot, &message_table, MESSAGE_PURPOSE, &isnull));

	if (!no_message && DatumGetInt64(id) == DatumGetInt64(message))
		return false;
	for (int i = 0; i < rules->nuncapped; i++)
		if (crm_same_text(purpose, rules->uncapped[i]))
			return false;
	return true;
}

/* Begins to find a customer's rows between these times, by an index of both; the first is left out, the last is not. */
static void
open_window(CrmScan *scan, const CrmTable *table, Oid index, Datum customer, TimestampTz since, Datum at)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, customer);
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT, TimestampTzGetDatum(since));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, at);
	crm_open_scan(scan, table, index, 3);
	crm_seek(scan, keys, 3);
}

/* The slots that a customer's messages take. */
static void
read_messages(Rules *rules, Slots *slots, Datum *args, bool no_message, TimestampTz since)
{
	CrmScan		scan;
	bool		isnull;

	open_window(&scan, &message_table, found.message_customer, args[0], since, args[2]);
	while (crm_next_found(&scan))
		if (message_counts(rules, scan.slot, args[3], no_message))
			add_slot(slots, DatumGetTimestampTz(crm_column(scan.slot, &message_table, MESSAGE_BEGUN_AT, &isnull)),
					 DatumGetObjectId(crm_column(scan.slot, &message_table, MESSAGE_CHANNEL, &isnull)), false);
	crm_close_scan(&scan);
}

/* What waits for a customer: it has not been begun. */
static void
read_waiting(Rules *rules, Slots *slots, Datum *args, bool no_message, TimestampTz until)
{
	CrmScan		scan;
	ScanKeyData keys[2];
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, args[0]);
	ScanKeyEntryInitialize(&keys[1], SK_ISNULL | SK_SEARCHNULL, 2, InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	crm_open_scan(&scan, &message_table, found.message_customer, 2);
	crm_seek(&scan, keys, 2);
	while (crm_next_found(&scan))
	{
		Datum		status = crm_column(scan.slot, &message_table, MESSAGE_STATUS, &isnull);
		TimestampTz not_before = DatumGetTimestampTz(crm_column(scan.slot, &message_table, MESSAGE_NOT_BEFORE, &isnull));

		if (not_before < until && (crm_text_is(status, "ready") || crm_text_is(status, "leased")) &&
			message_counts(rules, scan.slot, args[3], no_message))
			add_slot(slots, not_before, DatumGetObjectId(crm_column(scan.slot, &message_table, MESSAGE_CHANNEL, &isnull)), true);
	}
	crm_close_scan(&scan);
}

/* Is there a message of this key, the customer's, that takes a slot itself? */
static bool
message_has_slot(Datum message, Datum customer)
{
	CrmScan		scan;
	ScanKeyData key;
	bool		has_slot = false;
	bool		isnull;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, message);
	crm_open_scan(&scan, &message_table, found.message_key, 1);
	crm_seek(&scan, &key, 1);
	while (!has_slot && crm_next_found(&scan))
	{
		has_slot = DatumGetInt64(crm_column(scan.slot, &message_table, MESSAGE_CUSTOMER, &isnull)) == DatumGetInt64(customer);
		(void) crm_column(scan.slot, &message_table, MESSAGE_BEGUN_AT, &isnull);
		has_slot &= !isnull;
	}
	crm_close_scan(&scan);
	return has_slot;
}

/* Contacts that no message stands for. */
static void
read_interactions(Slots *slots, Datum *args, TimestampTz since)
{
	CrmScan		scan;
	bool		isnull;

	open_window(&scan, &interaction_table, found.interaction_customer, args[0], since, args[2]);
	while (crm_next_found(&scan))
	{
		bool		no_message;
		Datum		message;

		if (DatumGetObjectId(crm_column(scan.slot, &interaction_table, INTERACTION_DIRECTION, &isnull)) != found.outbound)
			continue;
		message = crm_column(scan.slot, &interaction_table, INTERACTION_MESSAGE, &no_message);
		if (no_message || !message_has_slot(message, args[0]))
			add_slot(slots, DatumGetTimestampTz(crm_column(scan.slot, &interaction_table, INTERACTION_OCCURRED_AT, &isnull)),
					 DatumGetObjectId(crm_column(scan.slot, &interaction_table, INTERACTION_CHANNEL, &isnull)), false);
	}
	crm_close_scan(&scan);
}

static int
newest_first(const void *a, const void *b)
{
	TimestampTz x = ((const Slot *) a)->used_at;
	TimestampTz y = ((const Slot *) b)->used_at;

	return (x < y) - (x > y);
}

/* Does a cap bind contacts over this channel? */
static bool
is_for(const Cap *cap, Datum channel)
{
	return !OidIsValid(cap->channel) || cap->channel == DatumGetObjectId(channel);
}

/* When the slot that uses a cap up was or will be used; false: it is not used up.  The slots are sorted, newest first. */
static bool
cap_is_reached(const Cap *cap, const Slots *slots, TimestampTz *used_at)
{
	int			counted = 0;

	for (int i = 0; i < slots->n; i++)
	{
		const Slot *slot = &slots->slots[i];

		if ((OidIsValid(cap->channel) && slot->channel != cap->channel) ||
			(slot->waits ? slot->used_at >= cap->until : slot->used_at <= cap->since))
			continue;
		if (++counted == cap->cap)
		{
			*used_at = slot->used_at;
			return true;
		}
	}
	return false;
}

/* Windows are of ten years at most: what would lie outside of time is its end. */
#define WINDOW_MAX (INT64CONST(11) * 366 * USECS_PER_DAY)

static TimestampTz
earlier(TimestampTz at, const Interval *window)
{
	if (TIMESTAMP_NOT_FINITE(at) || at < MIN_TIMESTAMP + WINDOW_MAX)
		return DT_NOBEGIN;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(at), IntervalPGetDatum(window)));
}

static TimestampTz
later(TimestampTz at, const Interval *window)
{
	if (TIMESTAMP_NOT_FINITE(at) || at >= END_TIMESTAMP - WINDOW_MAX)
		return DT_NOEND;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(at), IntervalPGetDatum(window)));
}

/* Of the answer.  Most calls have none. */
static TupleDesc
result_desc(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != CAP_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("crm.cap_reached() must return %d columns", CAP_COLUMNS)));
	return desc;
}

/* The same from the query. */
static Datum
ask_query(FunctionCallInfo fcinfo, Datum *args, const char *nulls)
{
	Oid		   *argtypes;
	int			nargs;
	Datum		out[CAP_COLUMNS];
	bool		out_nulls[CAP_COLUMNS];
	bool		found;
	HeapTuple	tuple = NULL;
	MemoryContext caller = CurrentMemoryContext;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &argtypes, &nargs);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(crm_plan(&used_up_cap, CAP_ARGS, argtypes), args, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "crm.used_up_cap() could not be asked");
	found = SPI_processed > 0;
	if (found)
	{
		MemoryContext spi;

		for (int i = 0; i < CAP_COLUMNS; i++)
			out[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &out_nulls[i]);
		spi = MemoryContextSwitchTo(caller);
		tuple = heap_form_tuple(result_desc(fcinfo), out, out_nulls);
		MemoryContextSwitchTo(spi);
		found = !out_nulls[0];
	}
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/*
 * crm.cap_reached(customer_id bigint, channel crm.channel, at timestamptz,
 *		message_id bigint, waiting boolean) returns crm.used_cap
 *
 * The cap that is used up for a contact with this customer over this channel
 * at this time, of several the one that lasts longest; null when there is
 * none.  The message itself does not count; what waits does if it is said to.
 * The same as crm.used_up_cap(), with the rights of the caller.
 */
Datum
crm_cap_reached(PG_FUNCTION_ARGS)
{
	Datum		args[CAP_ARGS];
	char		nulls[CAP_ARGS + 1];
	Rules	   *rules;
	Slots		slots = {NULL, 0, 0};
	TimestampTz at;
	TimestampTz since = DT_NOEND;
	TimestampTz until = DT_NOBEGIN;
	const Cap  *longest = NULL;
	TimestampTz longest_at = 0;
	bool		counts = false;
	Datum		out[CAP_COLUMNS];
	bool		out_nulls[CAP_COLUMNS] = {false, false, false, false};

	for (int i = 0; i < CAP_ARGS; i++)
	{
		args[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	nulls[CAP_ARGS] = '\0';
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();

	rules = find_rules(fcinfo);
	if (!rules->simple)
		return ask_query(fcinfo, args, nulls);

	at = DatumGetTimestampTz(args[2]);
	for (int i = 0; i < rules->ncaps; i++)
	{
		Cap		   *cap = &rules->caps[i];

		if (!is_for(cap, args[1]))
			continue;
		cap->since = earlier(at, &cap->window);
		cap->until = later(at, &cap->window);
		since = Min(since, cap->since);
		until = Max(until, cap->until);
		counts |= cap->cap > 0;
	}
	if (counts)
	{
		read_messages(rules, &slots, args, PG_ARGISNULL(3), since);
		if (DatumGetBool(args[4]))
			read_waiting(rules, &slots, args, PG_ARGISNULL(3), until);
		read_interactions(&slots, args, since);
		/* What waits will be sent at its time, or when this is, whichever is later. */
		for (int i = 0; i < slots.n; i++)
			if (slots.slots[i].waits)
				slots.slots[i].used_at = Max(slots.slots[i].used_at, at);
		if (slots.n > 1)
			qsort(slots.slots, slots.n, sizeof(Slot), newest_first);
	}
	for (int i = 0; i < rules->ncaps; i++)
	{
		const Cap  *cap = &rules->caps[i];
		TimestampTz next_at = DT_NOEND;
		TimestampTz used_at;

		if (!is_for(cap, args[1]))
			continue;
		if (cap->cap > 0)
		{
			if (!cap_is_reached(cap, &slots, &used_at))
				continue;
			next_at = later(used_at, &cap->window);
		}
		if (longest == NULL || next_at > longest_at)
		{
			longest = cap;
			longest_at = next_at;
		}
	}
	if (slots.slots != NULL)
		pfree(slots.slots);
	if (longest == NULL)
		PG_RETURN_NULL();
	out[0] = Int32GetDatum(longest->cap);
	out[1] = IntervalPGetDatum(&longest->window);
	out[2] = ObjectIdGetDatum(longest->channel);
	out_nulls[2] = !OidIsValid(longest->channel);
	out[3] = TimestampTzGetDatum(longest_at);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_desc(fcinfo), out, out_nulls)));
}
