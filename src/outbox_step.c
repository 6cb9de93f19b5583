/*-------------------------------------------------------------------------
 *
 * outbox_step.c
 *	  The row trigger of crm.message, where a message only takes a step.
 *
 * What is written to the outbox and what is about to leave it must be allowed,
 * and crm.message_gate() in SQL sees to that.  But two of the three steps on
 * the way of every message ask for nothing: it is claimed, and later it was
 * sent.  As long as such an UPDATE leaves alone what a message may not change,
 * there is nothing to decide, and the step is made here at a tenth of what a
 * function in PL/pgSQL costs.  Everything else goes to the gate.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "own_table.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_message_before);

#define KEPT_MAX 12

/* A step from state to state that needs no permission while the columns keep their values. */
typedef struct Step
{
	const char *from;
	const char *to;
	bool		is_lease;		/* else the message has come to its end */
	const char *kept[KEPT_MAX]; /* the last is NULL */
} Step;

static const Step steps[] = {
	/* What a message says and where to may change while it is ready; here only the former does. */
	{"ready", "leased", true,
		{"message_id", "customer_id", "channel", "purpose", "queued_at", "queued_by", "contact_point_id", "consent_id",
		"not_before", "begun_at", "finished_at"}
	},
	{"sending", "sent", false,
		{"message_id", "customer_id", "channel", "purpose", "queued_at", "queued_by", "contact_point_id", "consent_id",
		"subject", "body", "parameters"}
	},
};

/* Where the columns are, and the function for everything else; found once per query, each when it is needed. */
typedef struct StepColumns
{
	AttrNumber	status;
	AttrNumber	token;
	AttrNumber	address;
	AttrNumber	begun_at;
	AttrNumber	finished_at;
	AttrNumber	leased_until;
	AttrNumber	kept[lengthof(steps)][KEPT_MAX];
	FmgrInfo	gate;
} StepColumns;

static AttrNumber
find_column(Relation rel, const char *name)
{
	int			number = SPI_fnumber(RelationGetDescr(rel), name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function crm.message_before() serves table crm.message only"),
				 errdetail("Relation \"%s\" has no column \"%s\".", RelationGetRelationName(rel), name)));
	return number;
}

static StepColumns *
step_columns(FunctionCallInfo fcinfo, Relation rel)
{
	StepColumns *columns = fcinfo->flinfo->fn_extra;

	if (columns != NULL)
		return columns;
	/* The gate acts as its owner, so it must not be lent to the tables of others. */
	if (RelationGetNamespace(rel) != get_namespace_oid("crm", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function crm.message_before() serves tables of schema \"crm\" only")));
	columns = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(StepColumns));
	fcinfo->flinfo->fn_extra = columns;
	return columns;
}

static void
find_columns(StepColumns *columns, Relation rel)
{
	columns->status = find_column(rel, "status");
	columns->token = find_column(rel, "token");
	columns->address = find_column(rel, "address");
	columns->begun_at = find_column(rel, "begun_at");
	columns->finished_at = find_column(rel, "finished_at");
	columns->leased_until = find_column(rel, "leased_until");
	for (int i = 0; i < lengthof(steps); i++)
		for (int k = 0; steps[i].kept[k] != NULL; k++)
			columns->kept[i][k] = find_column(rel, steps[i].kept[k]);
}

/* The step that an UPDATE takes, if it is one that needs no permission. */
static int
find_step(StepColumns *columns, TupleDesc desc, HeapTuple old, HeapTuple new)
{
	bool		old_null;
	bool		new_null;
	Datum		from = heap_getattr(old, columns->status, desc, &old_null);
	Datum		to = heap_getattr(new, columns->status, desc, &new_null);

	if (old_null || new_null)
		return -1;
	for (int i = 0; i < lengthof(steps); i++)
	{
		if (!crm_text_is(from, steps[i].from) || !crm_text_is(to, steps[i].to))
			continue;
		for (int k = 0; steps[i].kept[k] != NULL; k++)
			if (!crm_same_value(desc, columns->kept[i][k], old, new))
				return -1;
		return i;
	}
	return -1;
}

/* Sets what the database keeps, whatever the UPDATE has put there. */
static HeapTuple
make_step(const Step *step, StepColumns *columns, TupleDesc desc, HeapTuple old, HeapTuple new)
{
	int			numbers[5];
	Datum		values[5];
	bool		nulls[5];
	int			n = 0;
	bool		no_token;
	Datum		token = heap_getattr(old, columns->token, desc, &no_token);

	/* A lease has a number that no earlier one had. */
	numbers[n] = columns->token;
	values[n] = step->is_lease && !no_token ? Int64GetDatum(DatumGetInt64(token) + 1) : token;
	nulls[n++] = no_token;
	if (!step->is_lease)
	{
		numbers[n] = columns->address;
		values[n] = heap_getattr(old, columns->address, desc, &nulls[n]);
		n++;
		numbers[n] = columns->begun_at;
		values[n] = heap_getattr(old, columns->begun_at, desc, &nulls[n]);
		n++;
		numbers[n] = columns->finished_at;
		values[n] = TimestampTzGetDatum(GetCurrentTimestamp());
		nulls[n++] = false;
		numbers[n] = columns->leased_until;
		values[n] = (Datum) 0;
		nulls[n++] = true;
	}
	return heap_modify_tuple_by_cols(new, desc, n, numbers, values, nulls);
}

/* Calls crm.message_gate() in our place: as the trigger function that it is, for the same row. */
static Datum
ask_gate(FunctionCallInfo fcinfo, StepColumns *columns)
{
	LOCAL_FCINFO(gate, 0);
	Datum		result;

	if (!OidIsValid(columns->gate.fn_oid))
		fmgr_info_cxt(LookupFuncName(list_make2(makeString("crm"), makeString("message_gate")), 0, NULL, false),
					  &columns->gate, fcinfo->flinfo->fn_mcxt);
	InitFunctionCallInfoData(*gate, &columns->gate, 0, InvalidOid, fcinfo->context, fcinfo->resultinfo);
	result = FunctionCallInvoke(gate);
	if (gate->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function %u returned null value", columns->gate.fn_oid)));
	return result;
}

/*
 * crm.message_before() returns trigger
 *
 * BEFORE INSERT OR UPDATE OR DELETE FOR EACH ROW of crm.message.  A message
 * that is claimed gets the next token; one that was sent ends, with its
 * address, its slot and its token as they were.  What else is done to a
 * message crm.message_gate() allows or refuses.
 */
Datum
crm_message_before(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	StepColumns *columns;
	int			step;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.message_before")));
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE, FOR EACH ROW", "crm.message_before")));
	columns = step_columns(fcinfo, trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

		if (columns->status == 0)
			find_columns(columns, trigdata->tg_relation);
		step = find_step(columns, desc, trigdata->tg_trigtuple, trigdata->tg_newtuple);
		if (step >= 0)
			return PointerGetDatum(make_step(&steps[step], columns, desc, trigdata->tg_trigtuple, trigdata->tg_newtuple));
	}
	return ask_gate(fcinfo, columns);
}
