/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  The outbox's question whether a customer may be contacted, asked of what
 *	  is committed now.
 *
 * What may be sent is decided in SQL, by crm.contact_check().  But a rule that
 * reads consents and slots and then writes a message must not read an old
 * snapshot: under REPEATABLE READ a withdrawal that was committed a minute ago
 * would not be seen.  Foreign keys have the same problem; like them
 * (ri_triggers.c) this takes its locks and then reads with the latest snapshot,
 * whatever the isolation level.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "spi_plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_contact_check_locked);

#define CHECK_ARGS 7			/* as those of crm.contact_check_locked() */
#define CHECK_AT 4				/* which of them is the time */
#define CHECK_COLUMNS 8			/* as those of its result; the last two are its own */

static CrmPlan lock_points = {
	"SELECT FROM crm.contact_point AS p WHERE p.customer_id OPERATOR(pg_catalog.=) $1 AND p.channel OPERATOR(pg_catalog.=) $2"
	" ORDER BY p.contact_point_id FOR SHARE"
};

static CrmPlan lock_customer = {
	"SELECT FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE"
};

static CrmPlan check = {
	"SELECT k.ordinal, k.contact_point_id, k.consent_id, k.refusal, k.detail, k.next_at, $5,"
	" (SELECT coalesce(p.resolved, p.address) FROM crm.contact_point AS p WHERE p.contact_point_id OPERATOR(pg_catalog.=) k.contact_point_id)"
	" FROM crm.contact_check(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5], ARRAY[$6], $7) AS k"
};

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
