/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  The outbox's question whether a customer may be contacted, asked of what
 *	  is committed now.
 *
 * What may be sent is for crm.contact_check() to say.  But a rule that
 * reads consents and slots and then writes a message must not read an old
 * snapshot: under REPEATABLE READ a withdrawal that was committed a minute ago
 * would not be seen.  Foreign keys have the same problem; like them
 * (ri_triggers.c) this takes its locks and then reads with the latest snapshot,
 * whatever the isolation level.
 *
 * The gate is a row trigger, and asking for one row at a time costs ten times
 * what asking for a hundred at once does.  So whoever is about to send a batch
 * locks it and asks for all of it (crm.lock_messages, crm.check_messages); the
 * answers are noted, and the trigger takes the one for its row instead of
 * asking again.  A note serves once, in the very next statement, and only the
 * role that the trigger runs as can have made it: nothing can have changed in
 * between, for the locks are held.  Without a note the trigger asks.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "spi_plan.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

PG_FUNCTION_INFO_V1(crm_contact_check_locked);
PG_FUNCTION_INFO_V1(crm_lock_messages);
PG_FUNCTION_INFO_V1(crm_check_messages);

#define CHECK_ARGS 7			/* as those of crm.contact_check_locked() */
#define CHECK_AT 4				/* which of them is the time */
#define CHECK_MESSAGE 5			/* ... the message */
#define CHECK_WAITING 6			/* ... whether what waits counts */
#define CHECK_COLUMNS 8			/* as those of its result; the last two are its own */

/* How long a message that another session holds is asked for, and the longest pause between two times, in milliseconds. */
#define MESSAGE_PATIENCE 1000
#define MESSAGE_PAUSE 32

static CrmPlan lock_points = {
	"SELECT FROM crm.contact_point AS p WHERE p.customer_id OPERATOR(pg_catalog.=) $1 AND p.channel OPERATOR(pg_catalog.=) $2"
	" ORDER BY p.contact_point_id FOR SHARE"
};

static CrmPlan lock_customer = {
	"SELECT FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE"
};

static CrmPlan check = {
	"SELECT k.ordinal, k.contact_point_id, k.consent_id, k.refusal, k.detail, k.next_at, $5, k.address"
	" FROM crm.contact_check(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5], ARRAY[$6], $7) AS k"
};

/* The same for messages, all at once: contact points, customers, messages, each in the order of their keys. */
static CrmPlan lock_batch[] = {
	{
		"SELECT FROM crm.contact_point AS p WHERE p.contact_point_id OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT q.contact_point_id FROM crm.message AS m JOIN crm.contact_point AS q"
		" ON q.customer_id OPERATOR(pg_catalog.=) m.customer_id AND q.channel OPERATOR(pg_catalog.=) m.channel"
		" WHERE m.message_id OPERATOR(pg_catalog.=) ANY ($1)))"
		" ORDER BY p.contact_point_id FOR SHARE"
	},
	{
		"SELECT FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT m.customer_id FROM crm.message AS m WHERE m.message_id OPERATOR(pg_catalog.=) ANY ($1)))"
		" ORDER BY c.customer_id FOR NO KEY UPDATE"
	},
	{
		"SELECT pg_catalog.array_agg(l.message_id) FROM ("
		"SELECT m.message_id FROM crm.message AS m WHERE m.message_id OPERATOR(pg_catalog.=) ANY ($1)"
		" ORDER BY m.message_id FOR NO KEY UPDATE SKIP LOCKED) AS l"
	},
};

static CrmPlan count_messages = {
	"SELECT pg_catalog.count(*) FROM crm.message AS m WHERE m.message_id OPERATOR(pg_catalog.=) ANY ($1)"
};

static CrmPlan check_batch = {
	"SELECT a.ids[k.ordinal], k.contact_point_id, k.consent_id, k.refusal, k.detail, k.next_at, $2, k.address"
	" FROM (SELECT pg_catalog.array_agg(m.message_id) AS ids, pg_catalog.array_agg(m.customer_id) AS customers,"
	" pg_catalog.array_agg(m.channel) AS channels, pg_catalog.array_agg(m.contact_point_id) AS points,"
	" pg_catalog.array_agg(m.purpose) AS purposes, pg_catalog.array_agg($2) AS ats"
	" FROM (SELECT n.message_id, n.customer_id, n.channel, n.contact_point_id, n.purpose FROM crm.message AS n"
	" WHERE n.message_id OPERATOR(pg_catalog.=) ANY ($1) ORDER BY n.message_id) AS m"
	" HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0) AS a"
	" CROSS JOIN LATERAL crm.contact_check(a.customers, a.channels, a.points, a.purposes, a.ats, a.ids, false) AS k"
	" ORDER BY 1"
};

/* The answers to crm.check_messages(), for the trigger. */
typedef struct Note
{
	int64		message_id;
	bool		used;
	HeapTuple	answer;			/* as the result of crm.contact_check_locked() */
} Note;

static struct
{
	MemoryContext context;
	Oid			user;			/* who asked */
	CommandId	command;		/* the statement that may use them */
	int			n;
	Note	   *notes;			/* in the order of their messages */
} noted;

static void
forget_notes(void)
{
	if (noted.n > 0)
		MemoryContextReset(noted.context);
	noted.n = 0;
	noted.notes = NULL;
}

/* With the transaction, or a part of it that fails, the locks are gone. */
static void
forget_notes_xact(XactEvent event, void *arg)
{
	forget_notes();
}

static void
forget_notes_subxact(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	forget_notes();
}

static int
compare_notes(const void *a, const void *b)
{
	int64		x = ((const Note *) a)->message_id;
	int64		y = ((const Note *) b)->message_id;

	return (x > y) - (x < y);
}

/*
 * The noted answer for a message, or NULL.  The statement after the check has
 * its command; what its row triggers call has the next one.
 */
static HeapTuple
take_note(int64 message_id)
{
	Note		key;
	Note	   *note;

	if (noted.n == 0 || noted.user != GetUserId() || GetCurrentCommandId(false) > noted.command + 1)
		return NULL;
	key.message_id = message_id;
	note = bsearch(&key, noted.notes, noted.n, sizeof(Note), compare_notes);
	if (note == NULL || note->used)
		return NULL;
	note->used = true;
	return note->answer;
}

/* Runs a kept statement with a snapshot of this moment. */
static void
run_latest(CrmPlan *statement, int nargs, const Oid *argtypes, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = crm_plan(statement, nargs, argtypes);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int			result;

	result = SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, false, false, 0);
	UnregisterSnapshot(snapshot);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot returned %s: %s",
			 SPI_result_code_string(result), statement->sql);
}

/*
 * crm.contact_check_locked(customer_id bigint, channel crm.channel,
 *		contact_point_id bigint, purpose text, at timestamptz,
 *		message_id bigint, waiting boolean) returns record
 *
 * Locks the customer's contact points of the channel and the customer, in this
 * order, and answers as crm.contact_check() does for the one contact, from what
 * is committed by then and what this transaction has done, at the given time
 * or, if that is over or null, at the moment when the locks are held.  The locks last to
 * the end of the transaction: until then nobody takes the permission away, and
 * nobody else takes a slot of the caps.  All nulls when there is no such
 * customer.
 */
Datum
crm_contact_check_locked(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Oid			argtypes[CHECK_ARGS];
	Datum		values[CHECK_ARGS];
	char		nulls[CHECK_ARGS + 1];
	HeapTuple	tuple;
	Datum		out[CHECK_COLUMNS];
	bool		out_nulls[CHECK_COLUMNS];
	TimestampTz held;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != CHECK_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("crm.contact_check_locked() must be called where a row is accepted")));
	BlessTupleDesc(desc);

	for (int i = 0; i < CHECK_ARGS; i++)
	{
		argtypes[i] = get_fn_expr_argtype(fcinfo->flinfo, i);
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	nulls[CHECK_ARGS] = '\0';

	/* Before it is sent, without a time: perhaps the whole batch was asked about. */
	if (nulls[CHECK_AT] == 'n' && nulls[CHECK_MESSAGE] == ' ' &&
		nulls[CHECK_WAITING] == ' ' && !DatumGetBool(values[CHECK_WAITING]))
	{
		tuple = take_note(DatumGetInt64(values[CHECK_MESSAGE]));
		if (tuple != NULL)
			PG_RETURN_DATUM(heap_copy_tuple_as_datum(tuple, desc));
	}
	memset(out_nulls, true, sizeof(out_nulls));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_latest(&lock_points, 2, argtypes, values, nulls);
	run_latest(&lock_customer, 1, argtypes, values, nulls);

	/*
	 * Only now is it known what came before: a time taken earlier would leave
	 * out a slot that another session took while we waited for its locks.
	 */
	held = GetCurrentTimestamp();
	if (nulls[CHECK_AT] == 'n' || DatumGetTimestampTz(values[CHECK_AT]) < held)
	{
		values[CHECK_AT] = TimestampTzGetDatum(held);
		nulls[CHECK_AT] = ' ';
	}
	run_latest(&check, CHECK_ARGS, argtypes, values, nulls);
	if (SPI_processed > 0)
	{
		/* What is not by value must outlive SPI's memory. */
		for (int i = 0; i < CHECK_COLUMNS; i++)
		{
			out[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &out_nulls[i]);
			if (!out_nulls[i])
			{
				Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, i);

				out[i] = SPI_datumTransfer(out[i], attribute->attbyval, attribute->attlen);
			}
		}
	}
	SPI_finish();

	tuple = heap_form_tuple(desc, out, out_nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/*
 * crm.lock_messages(message_ids bigint[]) returns bigint[]
 *
 * Locks all that sending these messages depends on, in the order in which
 * everybody does: their customers' contact points of their channels, their
 * customers, and the messages.  Returns the messages that were locked.
 *
 * A direct UPDATE of a message has it locked before its trigger can ask for
 * the customer, and would wait for us while we wait for the message.  So a
 * message that another session holds is not waited for but asked for again,
 * for a while: a claim that came too late for it holds it for a moment.
 */
Datum
crm_lock_messages(PG_FUNCTION_ARGS)
{
	Oid			type = INT8ARRAYOID;
	Datum		ids = PG_GETARG_DATUM(0);
	ArrayType  *asked = PG_GETARG_ARRAYTYPE_P(0);
	int			nasked = ArrayGetNItems(ARR_NDIM(asked), ARR_DIMS(asked));
	ArrayType  *locked;
	long		pause = 1;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_latest(&lock_batch[0], 1, &type, &ids, NULL);
	run_latest(&lock_batch[1], 1, &type, &ids, NULL);
	for (long waited = 0;; waited += pause, pause = Min(2 * pause, MESSAGE_PAUSE))
	{
		Datum		found;
		bool		none;

		run_latest(&lock_batch[2], 1, &type, &ids, NULL);
		found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &none);
		locked = none ? NULL : DatumGetArrayTypeP(found);
		if (waited >= MESSAGE_PATIENCE || (locked != NULL && ARR_DIMS(locked)[0] >= nasked))
			break;
		/* Perhaps the others are not there. */
		run_latest(&count_messages, 1, &type, &ids, NULL);
		found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &none);
		if (DatumGetInt64(found) <= (locked == NULL ? 0 : ARR_DIMS(locked)[0]))
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	if (locked != NULL)
		locked = DatumGetArrayTypeP(SPI_datumTransfer(PointerGetDatum(locked), false, -1));
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(locked != NULL ? locked : construct_empty_array(INT8OID));
}

/*
 * crm.check_messages(message_ids bigint[]) returns setof record
 *
 * Answers as crm.contact_check_locked() does before sending, for all of these
 * messages, of this moment; crm.lock_messages() has locked them.  The same
 * customer's are not counted for each other's caps.  The answers are noted for
 * the trigger of the next statement.
 */
Datum
crm_check_messages(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			argtypes[2] = {INT8ARRAYOID, TIMESTAMPTZOID};
	Datum		values[2];
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (result->setDesc->natts != CHECK_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("crm.check_messages() must return %d columns", CHECK_COLUMNS)));
	if (!registered)
	{
		noted.context = AllocSetContextCreate(TopMemoryContext, "crm outbox", ALLOCSET_SMALL_SIZES);
		RegisterXactCallback(forget_notes_xact, NULL);
		RegisterSubXactCallback(forget_notes_subxact, NULL);
		registered = true;
	}
	forget_notes();

	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_latest(&check_batch, 2, argtypes, values, NULL);
	n = (int) SPI_processed;
	if (n > 0)
		noted.notes = MemoryContextAlloc(noted.context, n * sizeof(Note));
	for (int i = 0; i < n; i++)
	{
		Datum		row[CHECK_COLUMNS];
		bool		nulls[CHECK_COLUMNS];
		MemoryContext caller;

		for (int k = 0; k < CHECK_COLUMNS; k++)
			row[k] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, k + 1, &nulls[k]);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
		noted.notes[i].message_id = DatumGetInt64(row[0]);
		noted.notes[i].used = false;
		caller = MemoryContextSwitchTo(noted.context);
		noted.notes[i].answer = heap_form_tuple(result->setDesc, row, nulls);
		MemoryContextSwitchTo(caller);
	}
	noted.n = n;
	noted.user = GetUserId();
	noted.command = GetCurrentCommandId(false);
	SPI_finish();
	return (Datum) 0;
}
