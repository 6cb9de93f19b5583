/*-------------------------------------------------------------------------
 *
 * spi_plan.c
 *	  Statements that are prepared once per session.
 *
 * The only plans that crm keeps.  They are statements with parameters, never
 * with values in their text, and all names in them are qualified.  When a
 * table changes, PostgreSQL plans again by itself; when the types of the
 * arguments do (the extension was dropped and created again), the statement is
 * prepared anew.
 *
 *-------------------------------------------------------------------------
 */
#include "spi_plan.h"

#include "own_table.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* An answer of crm_ask_once(), and to what. */
typedef struct Answer
{
	CrmMoment	moment;			/* of which it is the answer */
	/* The question and the answer; what is not by value is in a context below the calling query's. */
	MemoryContext context;
	Datum		args[CRM_PLAN_MAX_ARGS];
	bool		nulls[CRM_PLAN_MAX_ARGS];
	int16		lengths[CRM_PLAN_MAX_ARGS];	/* of their types */
	bool		by_value[CRM_PLAN_MAX_ARGS];
	bool		answered;
	bool		isnull;
	Datum		value;
} Answer;

/*
 * The kept plan of a statement.  Call it between SPI_connect and SPI_finish.
 */
SPIPlanPtr
crm_plan(CrmPlan *statement, int nargs, const Oid *argtypes)
{
	SPIPlanPtr	plan;

	Assert(nargs <= CRM_PLAN_MAX_ARGS);
	if (statement->plan != NULL)
	{
		if (statement->nargs == nargs &&
			(nargs == 0 || memcmp(statement->argtypes, argtypes, nargs * sizeof(Oid)) == 0))
			return statement->plan;
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}

	plan = SPI_prepare(statement->sql, nargs, unconstify(Oid *, argtypes));
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s",
			 SPI_result_code_string(SPI_result), statement->sql);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed: %s", statement->sql);
	statement->plan = plan;
	statement->nargs = nargs;
	/* A statement without parameters has no array of types. */
	if (nargs > 0)
		memcpy(statement->argtypes, argtypes, nargs * sizeof(Oid));
	return plan;
}

/*
 * Runs a kept statement with a snapshot of its own and checks that it was of
 * the expected kind (SPI_OK_...).
 */
void
crm_run_plan(CrmPlan *statement, int nargs, const Oid *argtypes,
			 Datum *values, const char *nulls, int expected)
{
	int			result = SPI_execute_plan(crm_plan(statement, nargs, argtypes),
										  values, nulls, false, 0);

	if (result != expected)
		elog(ERROR, "SPI_execute_plan returned %s: %s",
			 SPI_result_code_string(result), statement->sql);
}

/* Does the answer hold for these arguments and the snapshot of the calling query? */
static bool
same_question(const Answer *answer, FunctionCallInfo fcinfo)
{
	if (!answer->answered || !crm_is_moment(&answer->moment))
		return false;
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) != answer->nulls[i] ||
			(!PG_ARGISNULL(i) &&
			 !datumIsEqual(PG_GETARG_DATUM(i), answer->args[i], answer->by_value[i], answer->lengths[i])))
			return false;
	return true;
}

/*
 * What a function returns that asks tables: the one value of a statement, null
 * without a row.  Its arguments are the statement's parameters.  For all rows
 * of a query it is asked once, as long as the arguments stay the same.
 *
 * The answer is kept with the call in the query's plan, which may outlive the
 * statement: an expression of PL/pgSQL lives for a transaction.
 */
Datum
crm_ask_once(FunctionCallInfo fcinfo, CrmPlan *statement, const Oid *argtypes)
{
	Answer	   *answer = fcinfo->flinfo->fn_extra;
	Snapshot	snapshot = GetActiveSnapshot();
	Datum		values[CRM_PLAN_MAX_ARGS];
	char		nulls[CRM_PLAN_MAX_ARGS + 1] = "";
	int			result;

	Assert(PG_NARGS() <= CRM_PLAN_MAX_ARGS);
	if (answer == NULL)
		answer = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Answer));
	if (!same_question(answer, fcinfo))
	{
		MemoryContext caller;
		bool		isnull = true;
		Datum		value = (Datum) 0;

		answer->answered = false;
		for (int i = 0; i < PG_NARGS(); i++)
		{
			values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
			nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		}
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		result = SPI_execute_snapshot(crm_plan(statement, PG_NARGS(), argtypes), values, nulls,
									  snapshot, InvalidSnapshot, true, false, 1);
		if (result != SPI_OK_SELECT)
			elog(ERROR, "SPI_execute_snapshot returned %s: %s", SPI_result_code_string(result), statement->sql);
		if (SPI_processed > 0)
			value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		/* What was kept for another snapshot goes with its memory. */
		if (answer->context == NULL)
			answer->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm answer", ALLOCSET_SMALL_SIZES);
		else
			MemoryContextReset(answer->context);
		caller = MemoryContextSwitchTo(answer->context);
		for (int i = 0; i < PG_NARGS(); i++)
		{
			get_typlenbyval(argtypes[i], &answer->lengths[i], &answer->by_value[i]);
			answer->nulls[i] = PG_ARGISNULL(i);
			if (!PG_ARGISNULL(i))
				answer->args[i] = datumCopy(PG_GETARG_DATUM(i), answer->by_value[i], answer->lengths[i]);
		}
		answer->isnull = isnull;
		if (!isnull)
		{
			Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, 0);

			answer->value = datumCopy(value, attribute->attbyval, attribute->attlen);
		}
		MemoryContextSwitchTo(caller);
		SPI_finish();
		answer->moment = crm_moment();
		answer->answered = true;
	}
	if (answer->isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(answer->value);
}
