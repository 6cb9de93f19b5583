/*-------------------------------------------------------------------------
 *
 * loop_stamp.c
 *	  The feedback loop's row trigger: stamps a fact before it is stored.
 *
 * It also notes whose facts a statement writes.  A statement that both inserts
 * and updates (ON CONFLICT DO UPDATE, MERGE) has one statement trigger for
 * each, and each locks derived rows in the order of their keys, but not both
 * together; so the first to fire locks ahead for all of them.  A note too many
 * or too few costs a lock or the protection from a deadlock, never a wrong
 * result.
 *
 * It runs once per fact, so it is in C; what the loop does with the facts is in
 * loop.c and, for all that is not as hot, in sql/schema/loop.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "own_table.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/*
 * Clocks of the systems that report events are never quite ours: this much
 * ahead is still the present.
 */
#define CLOCK_TOLERANCE (INT64CONST(60) * USECS_PER_SEC)

#define MAX_FACT_COLUMNS 8

/* Which columns the trigger looks at; found once per query. */
typedef struct StampColumns
{
	AttrNumber	analysed_at;
	AttrNumber	customer_id;
	AttrNumber	at;				/* when the fact took place */
	int			nfacts;			/* columns that the loop derives from, "at" first */
	AttrNumber	facts[MAX_FACT_COLUMNS];
} StampColumns;

/* Whose facts the running statement writes, and how. */
#define MAX_TOUCHED 10000
#define TOUCHED_BY_INSERT	1
#define TOUCHED_BY_UPDATE	2
#define TOUCHED_BY_DELETE	4

typedef struct Touched
{
	Oid			relation;
	int			events;
	int			ncustomers;
	int64	   *customers;		/* room for MAX_TOUCHED, in TopMemoryContext */
} Touched;

static Touched touched;

PG_FUNCTION_INFO_V1(crm_stamp_fact);
PG_FUNCTION_INFO_V1(crm_touched_customers);

void
crm_forget_touched(void)
{
	touched.ncustomers = touched.events = 0;
}

static void
forget_touched(XactEvent event, void *arg)
{
	crm_forget_touched();
}

/* Notes a customer; a bulk load, which has more than there is room for, goes without. */
static void
note_customer(Oid relation, int event, int64 customer)
{
	if (touched.customers == NULL)
	{
		touched.customers = MemoryContextAlloc(TopMemoryContext, MAX_TOUCHED * sizeof(int64));
		RegisterXactCallback(forget_touched, NULL);
	}
	if (touched.relation != relation)
	{
		touched.relation = relation;
		touched.ncustomers = touched.events = 0;
	}
	touched.events |= event;
	if (touched.ncustomers < MAX_TOUCHED &&
		(touched.ncustomers == 0 || touched.customers[touched.ncustomers - 1] != customer))
		touched.customers[touched.ncustomers++] = customer;
}

/*
 * crm.touched_customers(relation regclass) returns bigint[]
 *
 * For the statement triggers of a table of facts: the customers whose facts
 * the statement inserts, updates and deletes, when it does more than one of
 * these; null otherwise.  The notes are gone then.
 */
Datum
crm_touched_customers(PG_FUNCTION_ARGS)
{
	bool		several = (touched.events & (touched.events - 1)) != 0;
	int			n = touched.ncustomers;
	Datum	   *values;

	if (touched.relation != PG_GETARG_OID(0) || !several || n == MAX_TOUCHED)
		n = 0;
	touched.ncustomers = touched.events = 0;
	if (n == 0)
		PG_RETURN_NULL();
	values = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(touched.customers[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static AttrNumber
column_number(Relation rel, const char *name)
{
	int			number = SPI_fnumber(RelationGetDescr(rel), name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, RelationGetRelationName(rel))));
	return number;
}

static StampColumns *
stamp_columns(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	StampColumns *columns = fcinfo->flinfo->fn_extra;
	Trigger    *trigger = trigdata->tg_trigger;

	if (columns != NULL)
		return columns;
	if (trigger->tgnargs < 1 || trigger->tgnargs > MAX_FACT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function crm.stamp_fact() takes 1 to %d column names", MAX_FACT_COLUMNS)));
	columns = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(StampColumns));
	columns->analysed_at = column_number(trigdata->tg_relation, "analysed_at");
	columns->customer_id = column_number(trigdata->tg_relation, "customer_id");
	columns->nfacts = trigger->tgnargs;
	for (int i = 0; i < trigger->tgnargs; i++)
		columns->facts[i] = column_number(trigdata->tg_relation, trigger->tgargs[i]);
	columns->at = columns->facts[0];
	if (TupleDescAttr(RelationGetDescr(trigdata->tg_relation), columns->customer_id - 1)->atttypid != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is not of type bigint",
						"customer_id", RelationGetRelationName(trigdata->tg_relation))));
	if (TupleDescAttr(RelationGetDescr(trigdata->tg_relation), columns->at - 1)->atttypid != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is not of type timestamp with time zone",
						trigger->tgargs[0], RelationGetRelationName(trigdata->tg_relation))));
	fcinfo->flinfo->fn_extra = columns;
	return columns;
}

static void
note_row(StampColumns *columns, TriggerData *trigdata, int event, HeapTuple tuple)
{
	bool		isnull;
	Datum		customer = heap_getattr(tuple, columns->customer_id,
										RelationGetDescr(trigdata->tg_relation), &isnull);

	if (!isnull)
		note_customer(RelationGetRelid(trigdata->tg_relation), event, DatumGetInt64(customer));
}

/* Has an update left alone everything that the loop derives from? */
static bool
same_facts(StampColumns *columns, TupleDesc desc, HeapTuple old, HeapTuple new)
{
	for (int i = 0; i < columns->nfacts; i++)
		if (!crm_same_value(desc, columns->facts[i], old, new))
			return false;
	return true;
}

/*
 * crm.stamp_fact() returns trigger
 *
 * BEFORE INSERT OR UPDATE OR DELETE FOR EACH ROW.  The first trigger argument names the
 * column with the time of the fact, the further ones the other columns that
 * the loop derives from.  Refuses a time that is infinite or in the future,
 * and sets analysed_at, whatever the client supplied: to the transaction's
 * time, or to null when crm.loop is deferred.  An update that changes nothing
 * the loop derives from keeps the time at which the row was analysed.  Notes
 * the customer of each row.
 */
Datum
crm_stamp_fact(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	StampColumns *columns;
	TupleDesc	desc;
	HeapTuple	tuple,
				old = NULL;
	Datum		value,
				current;
	bool		isnull,
				current_null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.stamp_fact")));
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE INSERT, UPDATE or DELETE FOR EACH ROW", "crm.stamp_fact")));

	columns = stamp_columns(fcinfo, trigdata);
	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = trigdata->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		old = tuple;
		tuple = trigdata->tg_newtuple;
		note_row(columns, trigdata, TOUCHED_BY_UPDATE, old);
		note_row(columns, trigdata, TOUCHED_BY_UPDATE, tuple);
	}
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		note_row(columns, trigdata, TOUCHED_BY_DELETE, tuple);
		return PointerGetDatum(tuple);
	}
	else
		note_row(columns, trigdata, TOUCHED_BY_INSERT, tuple);

	/* A null time is left to the NOT NULL constraint, which says it best. */
	value = heap_getattr(tuple, columns->at, desc, &isnull);
	if (!isnull)
	{
		TimestampTz at = DatumGetTimestampTz(value);

		if (TIMESTAMP_NOT_FINITE(at))
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("%s of %s must be a finite time",
							NameStr(TupleDescAttr(desc, columns->at - 1)->attname),
							RelationGetRelationName(trigdata->tg_relation)),
					 errtableconstraint(trigdata->tg_relation,
										psprintf("%s_%s", RelationGetRelationName(trigdata->tg_relation),
												 NameStr(TupleDescAttr(desc, columns->at - 1)->attname)))));
		if (at > GetCurrentTimestamp() + CLOCK_TOLERANCE)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("%s of %s must not be in the future",
							NameStr(TupleDescAttr(desc, columns->at - 1)->attname),
							RelationGetRelationName(trigdata->tg_relation)),
					 errdetail("It is %s; now it is %s.",
							   pstrdup(timestamptz_to_str(at)), pstrdup(timestamptz_to_str(GetCurrentTimestamp()))),
					 errtableconstraint(trigdata->tg_relation,
										psprintf("%s_%s", RelationGetRelationName(trigdata->tg_relation),
												 NameStr(TupleDescAttr(desc, columns->at - 1)->attname)))));
	}

	isnull = crm_loop_mode == CRM_LOOP_DEFERRED;
	value = isnull ? (Datum) 0 : TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	if (old != NULL)
	{
		bool		old_null;
		Datum		old_value = heap_getattr(old, columns->analysed_at, desc, &old_null);

		if (!old_null && same_facts(columns, desc, old, tuple))
		{
			value = old_value;
			isnull = false;
		}
	}

	current = heap_getattr(tuple, columns->analysed_at, desc, &current_null);
	if (current_null != isnull || (!isnull && current != value))
	{
		int			column = columns->analysed_at;

		tuple = heap_modify_tuple_by_cols(tuple, desc, 1, &column, &value, &isnull);
	}
	return PointerGetDatum(tuple);
}
