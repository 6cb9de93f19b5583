/*-------------------------------------------------------------------------
 *
 * access.c
 *	  The row trigger that gives a fact the audience of its customer.
 *
 * Once partners have access it runs for every interaction, purchase and
 * message, so it is in C; what an audience is and who is in it is in
 * sql/schema/access.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "spi_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

PG_FUNCTION_INFO_V1(crm_audience_stamp);

/* Which columns the trigger looks at; 0 where the table has none.  Found once per query. */
typedef struct AudienceColumns
{
	Oid			customer_table;
	AttrNumber	customer_id;
	AttrNumber	partner_id;
	AttrNumber	audience_id;
} AudienceColumns;

static CrmPlan visible = {
	"SELECT FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) $1"
};

static CrmPlan own_partner = {
	"SELECT (crm.own_partners())[1]"
};

/*
 * The lock is the one that the foreign key takes anyway.  Taken now, it keeps
 * the audience from changing until the fact is committed: who moves a customer
 * locks him FOR UPDATE, and then finds the fact.
 */
static CrmPlan audience = {
	"SELECT c.audience_id FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
};

static AttrNumber
find_column(Relation rel, const char *name, Oid type)
{
	int			number = SPI_fnumber(RelationGetDescr(rel), name);

	if (number <= 0)
		return 0;
	if (TupleDescAttr(RelationGetDescr(rel), number - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is not of type %s",
						name, RelationGetRelationName(rel), format_type_be(type))));
	return number;
}

static AudienceColumns *
audience_columns(FunctionCallInfo fcinfo, Relation rel)
{
	AudienceColumns *columns = fcinfo->flinfo->fn_extra;

	if (columns != NULL)
		return columns;
	columns = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(AudienceColumns));
	columns->customer_table = get_relname_relid("customer", get_namespace_oid("crm", false));
	columns->customer_id = find_column(rel, "customer_id", INT8OID);
	columns->partner_id = find_column(rel, "partner_id", INT8OID);
	columns->audience_id = find_column(rel, "audience_id", INT4OID);
	if (columns->customer_id == 0 || !OidIsValid(columns->customer_table))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function crm.audience_stamp() serves tables with a column \"customer_id\" only")));
	fcinfo->flinfo->fn_extra = columns;
	return columns;
}

/*
 * crm.audience_stamp() returns trigger
 *
 * BEFORE INSERT OR UPDATE FOR EACH ROW, the first of a table's row triggers.
 * Under row-level security a fact of a customer that the writer may not see is
 * refused, with the same error whether there is such a customer or not, and
 * before any other trigger says more; and what a partner's login writes bears
 * the partner's name.  Then the fact gets the audience of its customer, which
 * is read as the table's owner; 0 for a customer that does not exist, which
 * the foreign key refuses.
 */
Datum
crm_audience_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	AudienceColumns *columns;
	TupleDesc	desc;
	HeapTuple	tuple;
	Oid			type = INT8OID;
	Datum		customer,
				values[2];
	int			numbers[2],
				n = 0;
	bool		nulls[2] = {false, false};
	bool		isnull;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.audience_stamp")));
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		!(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE INSERT OR UPDATE FOR EACH ROW", "crm.audience_stamp")));
	/* It reads as the table's owner, so it must not serve where others put it. */
	if (RelationGetNamespace(trigdata->tg_relation) != get_namespace_oid("crm", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" serves tables of schema \"crm\" only", "crm.audience_stamp")));

	columns = audience_columns(fcinfo, trigdata->tg_relation);
	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	customer = heap_getattr(tuple, columns->customer_id, desc, &isnull);
	if (isnull)					/* left to the NOT NULL constraint */
		return PointerGetDatum(tuple);

	SPI_connect();
	if (check_enable_rls(columns->customer_table, InvalidOid, true) == RLS_ENABLED)
	{
		crm_run_plan(&visible, 1, &type, &customer, NULL, SPI_OK_SELECT);
		if (SPI_processed == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("new row violates row-level security policy for table \"%s\"",
							RelationGetRelationName(trigdata->tg_relation))));
		if (columns->partner_id != 0)
		{
			heap_getattr(tuple, columns->partner_id, desc, &isnull);
			if (isnull)
			{
				crm_run_plan(&own_partner, 0, NULL, NULL, NULL, SPI_OK_SELECT);
				values[n] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &nulls[n]);
				numbers[n++] = columns->partner_id;
			}
		}
	}
	if (columns->audience_id != 0)
	{
		Oid			caller;
		int			caller_context;

		GetUserIdAndSecContext(&caller, &caller_context);
		SetUserIdAndSecContext(trigdata->tg_relation->rd_rel->relowner,
							   caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
		crm_run_plan(&audience, 1, &type, &customer, NULL, SPI_OK_SELECT);
		values[n] = Int32GetDatum(0);
		if (SPI_processed > 0)
			values[n] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &nulls[n]);
		numbers[n++] = columns->audience_id;
		SetUserIdAndSecContext(caller, caller_context);
	}
	/* What was read is by value: it outlives SPI's memory. */
	SPI_finish();
	if (n > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, n, numbers, values, nulls);
	return PointerGetDatum(tuple);
}
