/*-------------------------------------------------------------------------
 *
 * outbox_check.c
 *	  May these customers be contacted?
 *
 * crm.contact_answers() in SQL says what that means, and why not.  But it is
 * asked for every message when it is written, claimed and sent, and nearly
 * always the answer is yes.  So here the rows that it depends on are read
 * without a query, and a yes is given where there is nothing against it: a
 * contact point that is not blocked, a basis that is enough and in force, no
 * quiet time, no cap used up.  Whatever is not clearly so is put to the query,
 * whose answer counts; so a refusal always has its reason from there.
 *
 * Nobody sees more by this than he may: who may not read all of these tables,
 * or not all their rows, gets his answers from the query.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "outbox_rules.h"
#include "own_table.h"
#include "parser/parse_func.h"
#include "spi_plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_contact_check);

#define CHECK_ARGS 7			/* customers, channels, contact points, purposes, times, messages; whether what waits counts */
#define CHECK_ARRAYS 6
#define CHECK_COLUMNS 9

static CrmPlan contact_answers = {
	"SELECT k.ordinal, k.customer_id, k.channel, k.contact_point_id, k.consent_id, k.refusal, k.detail, k.next_at, k.address"
	" FROM crm.contact_answers($1, $2, $3, $4, $5, $6, $7) AS k"
};

static CrmPlan is_suppressed = {
	"SELECT FROM crm.suppression AS s WHERE s.digest OPERATOR(pg_catalog.=) crm.contact_digest($1, $2)"
};

/* What is read. */
enum
{
	CUSTOMER_ID, CUSTOMER_KIND, CUSTOMER_COUNTRY, CUSTOMER_ZONE, CUSTOMER_ATTRIBUTES
};
enum
{
	POINT_ID, POINT_CUSTOMER, POINT_CHANNEL, POINT_ADDRESS, POINT_RESOLVED, POINT_CANONICAL, POINT_IS_PRIMARY, POINT_BLOCKED_AT
};
enum
{
	CONSENT_ID, CONSENT_CUSTOMER, CONSENT_CHANNEL, CONSENT_PURPOSE, CONSENT_POINT, CONSENT_STATUS, CONSENT_BASIS, CONSENT_EXPIRES_AT,
	CONSENT_RECORDED_AT, CONSENT_IS_CURRENT
};

static CrmColumn customer_columns[] = {
	{"customer_id", INT8OID}, {"kind"}, {"country", TEXTOID}, {"time_zone", TEXTOID}, {"attributes", JSONBOID}
};
static CrmColumn point_columns[] = {
	{"contact_point_id", INT8OID}, {"customer_id", INT8OID}, {"channel"}, {"address", TEXTOID}, {"resolved", TEXTOID}, {"canonical", TEXTOID},
	{"is_primary", BOOLOID}, {"blocked_at", TIMESTAMPTZOID}
};
static CrmColumn consent_columns[] = {
	{"consent_id", INT8OID}, {"customer_id", INT8OID}, {"channel"}, {"purpose", TEXTOID}, {"contact_point_id", INT8OID}, {"status", TEXTOID},
	{"basis", TEXTOID}, {"expires_at", TIMESTAMPTZOID}, {"recorded_at", TIMESTAMPTZOID}, {"is_current", BOOLOID}
};

static CrmTable customer_table = {"customer", customer_columns, lengthof(customer_columns)};
static CrmTable point_table = {"contact_point", point_columns, lengthof(point_columns)};
static CrmTable consent_table = {"consent", consent_columns, lengthof(consent_columns)};
static CrmTable suppression_table = {"suppression", NULL, 0};

static CrmTable *const all_tables[] = {
	&customer_table, &point_table, &consent_table, &suppression_table
};

/* Indexes by the customer; kept by the session as long as their tables are the same. */
static struct
{
	uint32		versions[3];
	Oid			customer;
	Oid			point;
	Oid			consent;
} found;

/* All of a call. */
typedef struct Check
{
	FunctionCallInfo fcinfo;
	CrmScan		customers;
	CrmScan		points;
	CrmScan		consents;
	CrmRuleBook rules;
	bool		suppressing;
	FmgrInfo	quiet_until;
	FmgrInfo	cap_reached;
} Check;

/* One question, its values as they are in the arrays. */
typedef struct Question
{
	int64		ordinal;
	Datum		values[CHECK_ARRAYS];
	bool		nulls[CHECK_ARRAYS];
} Question;

enum
{
	ASK_CUSTOMER, ASK_CHANNEL, ASK_POINT, ASK_PURPOSE, ASK_AT, ASK_MESSAGE
};

/* The index of the entries in force, else of all of them. */
static Oid
find_consent_index(Relation consent)
{
	Oid			oid = get_relname_relid("consent_current", get_namespace_oid("crm", false));
	bool		serves = false;

	if (OidIsValid(oid) && list_member_oid(RelationGetIndexList(consent), oid))
	{
		Relation	index = index_open(oid, AccessShareLock);
		List	   *predicate = RelationGetIndexPredicate(index);

		serves = index->rd_index->indisvalid && !index->rd_index->indcheckxmin &&
			index->rd_index->indkey.values[0] == consent_columns[CONSENT_CUSTOMER].number &&
			list_length(predicate) == 1 && IsA(linitial(predicate), Var) &&
			((Var *) linitial(predicate))->varattno == consent_columns[CONSENT_IS_CURRENT].number;
		index_close(index, NoLock);
	}
	return serves ? oid : crm_find_index(consent, consent_columns[CONSENT_CUSTOMER].number, 0);
}

/* By what rows are found; false when an index is not there. */
static bool
find_indexes(void)
{
	if (found.versions[0] != customer_table.version || found.versions[1] != point_table.version ||
		found.versions[2] != consent_table.version)
	{
		Relation	customer = table_open(customer_table.oid, NoLock);
		Relation	point = table_open(point_table.oid, NoLock);
		Relation	consent = table_open(consent_table.oid, NoLock);

		found.customer = crm_find_index(customer, customer_columns[CUSTOMER_ID].number, 0);
		found.point = crm_find_index(point, point_columns[POINT_CUSTOMER].number, 0);
		found.consent = find_consent_index(consent);
		found.versions[0] = customer_table.version;
		found.versions[1] = point_table.version;
		found.versions[2] = consent_table.version;
		table_close(consent, NoLock);
		table_close(point, NoLock);
		table_close(customer, NoLock);
	}
	return OidIsValid(found.customer) && OidIsValid(found.point) && OidIsValid(found.consent);
}

/* Then the rows of this customer. */
static void
seek(CrmScan *scan, Datum customer)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, customer);
	crm_seek(scan, &key, 1);
}

static bool
has_rows(const CrmTable *table)
{
	CrmRows		rows = {NULL};
	bool		has = crm_next_row(&rows, table) != NULL;

	crm_end_rows(&rows);
	return has;
}

/* Calls a function of these arguments; is the answer null? */
static bool
is_null(FmgrInfo *function, int nargs, const NullableDatum *args)
{
	LOCAL_FCINFO(call, 5);

	InitFunctionCallInfoData(*call, function, nargs, InvalidOid, NULL, NULL);
	for (int i = 0; i < nargs; i++)
		call->args[i] = args[i];
	(void) FunctionCallInvoke(call);
	return call->isnull;
}

static NullableDatum
nullable(Datum value, bool isnull)
{
	NullableDatum result = {.value = value, .isnull = isnull};

	return result;
}

/* Is the time in no quiet time of the customer's, whose row is the current one? */
static bool
is_waking_time(Check *check, const Question *question, text *country)
{
	TupleTableSlot *slot = check->customers.slot;
	bool		no_zone;
	bool		no_attributes;
	Datum		zone = crm_column(slot, &customer_table, CUSTOMER_ZONE, &no_zone);
	Datum		attributes = crm_column(slot, &customer_table, CUSTOMER_ATTRIBUTES, &no_attributes);
	NullableDatum args[5];

	args[0] = nullable(question->values[ASK_CHANNEL], false);
	args[1] = nullable(PointerGetDatum(country), country == NULL);
	args[2] = nullable((Datum) 0, true);
	if (!no_attributes)
	{
		LOCAL_FCINFO(call, 2);

		InitFunctionCallInfoData(*call, NULL, 2, InvalidOid, NULL, NULL);
		call->args[0] = nullable(attributes, false);
		call->args[1] = nullable(CStringGetTextDatum("region"), false);
		args[2].value = jsonb_object_field_text(call);
		args[2].isnull = call->isnull;
	}
	args[3] = nullable(no_zone ? crm_find_zone(&check->rules, country) : zone, false);
	args[4] = nullable(question->values[ASK_AT], false);
	return is_null(&check->quiet_until, 5, args);
}

static bool
is_within_caps(Check *check, const Question *question)
{
	NullableDatum args[5];

	args[0] = nullable(question->values[ASK_CUSTOMER], false);
	args[1] = nullable(question->values[ASK_CHANNEL], false);
	args[2] = nullable(question->values[ASK_AT], false);
	args[3] = nullable(question->values[ASK_MESSAGE], question->nulls[ASK_MESSAGE]);
	args[4] = check->fcinfo->args[CHECK_ARRAYS];
	return is_null(&check->cap_reached, 5, args);
}

/*
 * Does the ledger allow this contact point, and by which entry?  The newest
 * entry in force that covers it counts, an objection before all.
 */
static bool
is_allowed(Check *check, const Question *question, const CrmSituation *situation, int64 point, Datum *consent, bool *no_consent)
{
	CrmScan    *consents = &check->consents;
	bool		any = false;
	bool		objected = false;
	bool		granted = false;
	bool		enough = false;
	TimestampTz recorded_at = 0;
	int64		id = 0;

	seek(consents, question->values[ASK_CUSTOMER]);
	while (crm_next_found(consents))
	{
		TupleTableSlot *slot = consents->slot;
		bool		isnull;
		Datum		value;
		Datum		status;
		bool		is_objection;
		TimestampTz when;
		int64		number;

		if (!DatumGetBool(crm_column(slot, &consent_table, CONSENT_IS_CURRENT, &isnull)))
			continue;
		value = crm_column(slot, &consent_table, CONSENT_CHANNEL, &isnull);
		if (!isnull && DatumGetObjectId(value) != situation->channel)
			continue;
		value = crm_column(slot, &consent_table, CONSENT_PURPOSE, &isnull);
		if (isnull ? !situation->is_advertising : !crm_same_text(DatumGetTextPP(value), situation->purpose))
			continue;
		value = crm_column(slot, &consent_table, CONSENT_POINT, &isnull);
		if (!isnull && DatumGetInt64(value) != point)
			continue;
		status = crm_column(slot, &consent_table, CONSENT_STATUS, &isnull);
		is_objection = crm_text_is(status, "objected");
		when = DatumGetTimestampTz(crm_column(slot, &consent_table, CONSENT_RECORDED_AT, &isnull));
		number = DatumGetInt64(crm_column(slot, &consent_table, CONSENT_ID, &isnull));
		if (any && (objected != is_objection ? objected : recorded_at != when ? recorded_at > when : id > number))
			continue;
		any = true;
		objected = is_objection;
		recorded_at = when;
		id = number;
		granted = crm_text_is(status, "granted");
		enough = false;
		if (granted && situation->is_advertising && situation->bases != NULL)
		{
			Datum		basis = crm_column(slot, &consent_table, CONSENT_BASIS, &isnull);
			Datum		expires_at = crm_column(slot, &consent_table, CONSENT_EXPIRES_AT, &isnull);
			Datum	   *bases;
			int			n;

			if (!isnull && DatumGetTimestampTz(expires_at) <= DatumGetTimestampTz(question->values[ASK_AT]))
				continue;
			deconstruct_array(situation->bases, TEXTOID, -1, false, TYPALIGN_INT, &bases, NULL, &n);
			for (int i = 0; i < n && !enough; i++)
				enough = crm_same_text(DatumGetTextPP(basis), DatumGetTextPP(bases[i]));
			pfree(bases);
		}
	}
	*no_consent = !(any && granted && situation->is_advertising);
	*consent = Int64GetDatum(id);
	if (!any)
		return !situation->is_advertising || situation->strength <= 10;
	return granted && (!situation->is_advertising || enough);
}

/* Is the address of the contact point, whose row is the current one, one that advertising must not use? */
static bool
point_is_suppressed(Check *check)
{
	TupleTableSlot *slot = check->points.slot;
	Oid			argtypes[2];
	Datum		values[2];
	bool		no_canonical;
	bool		is;

	argtypes[0] = get_element_type(get_fn_expr_argtype(check->fcinfo->flinfo, ASK_CHANNEL));
	argtypes[1] = TEXTOID;
	values[0] = crm_column(slot, &point_table, POINT_CHANNEL, &is);
	values[1] = crm_column(slot, &point_table, POINT_CANONICAL, &no_canonical);
	if (no_canonical)
		return false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(crm_plan(&is_suppressed, 2, argtypes), values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "crm.suppression could not be asked");
	is = SPI_processed > 0;
	SPI_finish();
	return is;
}

/*
 * Is it clear that this contact is permitted?  Then out and nulls are the
 * answer's columns.
 */
static bool
is_permitted(Check *check, const Question *question, Datum *out, bool *nulls)
{
	CrmScan    *customers = &check->customers;
	CrmScan    *points = &check->points;
	CrmSituation *situation;
	Oid			channel = DatumGetObjectId(question->values[ASK_CHANNEL]);
	bool		isnull;
	Datum		value;
	Oid			kind;
	text	   *country;
	bool		any = false;
	bool		any_is_primary = false;

	if (question->nulls[ASK_CUSTOMER] || question->nulls[ASK_CHANNEL] || question->nulls[ASK_PURPOSE] || question->nulls[ASK_AT])
		return false;
	seek(customers, question->values[ASK_CUSTOMER]);
	if (!crm_next_found(customers))
		return false;
	kind = DatumGetObjectId(crm_column(customers->slot, &customer_table, CUSTOMER_KIND, &isnull));
	value = crm_column(customers->slot, &customer_table, CUSTOMER_COUNTRY, &isnull);
	country = isnull ? NULL : DatumGetTextPP(value);
	situation = crm_find_situation(&check->rules, kind, channel, country, DatumGetTextPP(question->values[ASK_PURPOSE]));

	/* Of those that may be used the primary one, then the oldest. */
	seek(points, question->values[ASK_CUSTOMER]);
	while (crm_next_found(points))
	{
		TupleTableSlot *slot = points->slot;
		int64		point = DatumGetInt64(crm_column(slot, &point_table, POINT_ID, &isnull));
		bool		is_primary = DatumGetBool(crm_column(slot, &point_table, POINT_IS_PRIMARY, &isnull));
		Datum		consent;
		bool		no_consent;

		if (DatumGetObjectId(crm_column(slot, &point_table, POINT_CHANNEL, &isnull)) != channel ||
			(!question->nulls[ASK_POINT] && DatumGetInt64(question->values[ASK_POINT]) != point) ||
			(any && (any_is_primary != is_primary ? any_is_primary : DatumGetInt64(out[3]) < point)))
			continue;
		(void) crm_column(slot, &point_table, POINT_BLOCKED_AT, &isnull);
		if (!isnull || !is_allowed(check, question, situation, point, &consent, &no_consent) ||
			(situation->is_advertising && check->suppressing && point_is_suppressed(check)))
			continue;
		any = true;
		any_is_primary = is_primary;
		out[3] = Int64GetDatum(point);
		nulls[3] = false;
		out[4] = consent;
		nulls[4] = no_consent;
		value = crm_column(slot, &point_table, POINT_RESOLVED, &isnull);
		if (isnull)
			value = crm_column(slot, &point_table, POINT_ADDRESS, &isnull);
		out[8] = PointerGetDatum(DatumGetTextPCopy(value));
		nulls[8] = false;
	}
	if (!any || (situation->keeps_quiet && !is_waking_time(check, question, country)) ||
		(situation->is_capped && !is_within_caps(check, question)))
		return false;
	out[0] = Int64GetDatum(question->ordinal);
	out[1] = question->values[ASK_CUSTOMER];
	out[2] = question->values[ASK_CHANNEL];
	nulls[0] = nulls[1] = nulls[2] = false;
	nulls[5] = nulls[6] = nulls[7] = true;
	return true;
}

/* Puts questions to the query, and its answers to the result; ordinals: the places of the questions, null for 1, 2, 3 … */
static void
ask_query(FunctionCallInfo fcinfo, const Datum *args, const char *nulls, const int64 *ordinals)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			argtypes[CHECK_ARGS];

	for (int i = 0; i < CHECK_ARGS; i++)
		argtypes[i] = get_fn_expr_argtype(fcinfo->flinfo, i);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(crm_plan(&contact_answers, CHECK_ARGS, argtypes), (Datum *) args, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "crm.contact_answers() could not be asked");
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Datum		out[CHECK_COLUMNS];
		bool		out_nulls[CHECK_COLUMNS];

		for (int i = 0; i < CHECK_COLUMNS; i++)
			out[i] = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1, &out_nulls[i]);
		if (ordinals != NULL)
			out[0] = Int64GetDatum(ordinals[DatumGetInt64(out[0]) - 1]);
		tuplestore_putvalues(result->setResult, result->setDesc, out, out_nulls);
	}
	SPI_finish();
}

/* Puts to the query what was not clear. */
static void
ask_the_rest(FunctionCallInfo fcinfo, const Question *questions, int n)
{
	Datum		args[CHECK_ARGS];
	Datum	   *values = palloc(n * sizeof(Datum));
	bool	   *nulls = palloc(n * sizeof(bool));
	int64	   *ordinals = palloc(n * sizeof(int64));

	for (int k = 0; k < n; k++)
		ordinals[k] = questions[k].ordinal;
	for (int i = 0; i < CHECK_ARRAYS; i++)
	{
		Oid			type = get_element_type(get_fn_expr_argtype(fcinfo->flinfo, i));
		int			lower = 1;
		int16		length;
		bool		by_value;
		char		align;

		get_typlenbyvalalign(type, &length, &by_value, &align);
		for (int k = 0; k < n; k++)
		{
			values[k] = questions[k].values[i];
			nulls[k] = questions[k].nulls[i];
		}
		args[i] = PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, type, length, by_value, align));
	}
	args[CHECK_ARRAYS] = fcinfo->args[CHECK_ARRAYS].value;
	ask_query(fcinfo, args, NULL, ordinals);
}

/*
 * The questions, as unnest() makes them of the arrays: as many as the longest
 * has, null where another has none.
 */
static Question *
read_questions(FunctionCallInfo fcinfo, int *n)
{
	Question   *questions;
	Datum	   *values[CHECK_ARRAYS] = {NULL};
	bool	   *nulls[CHECK_ARRAYS] = {NULL};
	int			counts[CHECK_ARRAYS] = {0};

	*n = 0;
	for (int i = 0; i < CHECK_ARRAYS; i++)
	{
		ArrayType  *array;
		int16		length;
		bool		by_value;
		char		align;

		if (PG_ARGISNULL(i))
			continue;
		array = PG_GETARG_ARRAYTYPE_P(i);
		get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
		deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &values[i], &nulls[i], &counts[i]);
		*n = Max(*n, counts[i]);
	}
	questions = palloc_extended(Max(*n, 1) * sizeof(Question), MCXT_ALLOC_HUGE);
	for (int k = 0; k < *n; k++)
	{
		questions[k].ordinal = k + 1;
		for (int i = 0; i < CHECK_ARRAYS; i++)
		{
			questions[k].nulls[i] = k >= counts[i] || nulls[i][k];
			questions[k].values[i] = questions[k].nulls[i] ? (Datum) 0 : values[i][k];
		}
	}
	return questions;
}

static void
find_function(FmgrInfo *function, const char *name, int nargs, const Oid *argtypes)
{
	fmgr_info(LookupFuncName(list_make2(makeString("crm"), makeString(unconstify(char *, name))), nargs, argtypes, false), function);
}

/*
 * crm.contact_check(customer_ids bigint[], channels crm.channel[],
 *		contact_point_ids bigint[], purposes text[], ats timestamptz[],
 *		message_ids bigint[], waiting boolean) returns setof record
 *
 * The same rows as crm.contact_answers(), in any order, with the rights of the
 * caller and of the running query's snapshot.
 */
Datum
crm_contact_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Check	   *check;
	Question   *questions;
	int			n;
	int			rest = 0;
	Oid			channel_type;
	MemoryContext each;
	MemoryContext caller = CurrentMemoryContext;

	InitMaterializedSRF(fcinfo, 0);
	if (result->setDesc->natts != CHECK_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("crm.contact_check() must return %d columns", CHECK_COLUMNS)));
	if (PG_ARGISNULL(CHECK_ARRAYS) || !crm_lock_tables(all_tables, lengthof(all_tables)) || !find_indexes() || !crm_lock_rules())
	{
		Datum		args[CHECK_ARGS];
		char		nulls[CHECK_ARGS + 1] = "       ";

		for (int i = 0; i < CHECK_ARGS; i++)
		{
			args[i] = fcinfo->args[i].value;
			if (PG_ARGISNULL(i))
				nulls[i] = 'n';
		}
		ask_query(fcinfo, args, nulls, NULL);
		return (Datum) 0;
	}

	questions = read_questions(fcinfo, &n);
	check = palloc0(sizeof(Check));
	check->fcinfo = fcinfo;
	check->rules.context = caller;
	channel_type = get_element_type(get_fn_expr_argtype(fcinfo->flinfo, ASK_CHANNEL));
	find_function(&check->quiet_until, "quiet_until", 5, (Oid[]) {channel_type, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID});
	find_function(&check->cap_reached, "cap_reached", 5, (Oid[]) {INT8OID, channel_type, TIMESTAMPTZOID, INT8OID, BOOLOID});
	check->suppressing = has_rows(&suppression_table);
	crm_open_scan(&check->customers, &customer_table, found.customer, 1);
	crm_open_scan(&check->points, &point_table, found.point, 1);
	crm_open_scan(&check->consents, &consent_table, found.consent, 1);

	each = AllocSetContextCreate(caller, "crm contact check", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < n; i++)
	{
		Datum		out[CHECK_COLUMNS];
		bool		nulls[CHECK_COLUMNS];

		MemoryContextSwitchTo(each);
		if (is_permitted(check, &questions[i], out, nulls))
			tuplestore_putvalues(result->setResult, result->setDesc, out, nulls);
		else
			questions[rest++] = questions[i];
		MemoryContextSwitchTo(caller);
		MemoryContextReset(each);
	}
	MemoryContextDelete(each);
	crm_close_scan(&check->consents);
	crm_close_scan(&check->points);
	crm_close_scan(&check->customers);
	if (rest > 0)
		ask_the_rest(fcinfo, questions, rest);
	return (Datum) 0;
}
