/*-------------------------------------------------------------------------
 *
 * spi_plan.h
 *	  Statements that are prepared once per session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_SPI_PLAN_H
#define CRM_SPI_PLAN_H

#include "crm.h"
#include "executor/spi.h"

#define CRM_PLAN_MAX_ARGS 8

/* A statement and, once it was used, its plan.  Declare it static. */
typedef struct CrmPlan
{
	const char *sql;
	SPIPlanPtr	plan;
	int			nargs;
	Oid			argtypes[CRM_PLAN_MAX_ARGS];
} CrmPlan;

extern SPIPlanPtr crm_plan(CrmPlan *statement, int nargs, const Oid *argtypes);
extern void crm_run_plan(CrmPlan *statement, int nargs, const Oid *argtypes,
						 Datum *values, const char *nulls, int expected);
extern Datum crm_ask_once(FunctionCallInfo fcinfo, CrmPlan *statement, const Oid *argtypes);

#endif							/* CRM_SPI_PLAN_H */
