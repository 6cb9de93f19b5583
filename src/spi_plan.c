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
