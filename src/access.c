/*-------------------------------------------------------------------------
 *
 * access.c
 *	  The row trigger that gives a fact the audience of its customer.
 *
 * Once partners have access it runs for every interaction, purchase and
 * message, so it is in C, and what it asks of every row it asks the table
 * itself: a statement is a tenth of what an interaction costs.  What an
 * audience is and who is in it is in sql/schema/access.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "rewrite/rowsecurity.h"
#include "spi_plan.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(crm_audience_stamp);
PG_FUNCTION_INFO_V1(crm_serially);

/* A customer that this command has asked for already. */
typedef struct KnownCustomer
{
	int64		customer;
	int32		audience;
	bool		filled;
} KnownCustomer;

/* Powers of two: customers that a command keeps at first and at most (4 MB), and audiences. */
#define KNOWN_CUSTOMERS 256
#define KNOWN_CUSTOMERS_MAX 262144
#define KNOWN_AUDIENCES 256

/*
 * What a command has learnt.  Within one command of one subtransaction the
 * lock on a customer holds his audience, and the same audience means the same
 * answer to who sees a customer.
 */
typedef struct Known
{
	CommandId	command;
	SubTransactionId subtransaction;
	KnownCustomer *customers;	/* by the low bits of the key */
	uint32		size;
	uint32		displaced;		/* customers that lost their place to others since there was this room */
	int32		audiences[KNOWN_AUDIENCES];	/* whose customers the caller sees; 0: free */
} Known;

/* What stays the same from row to row; found once per query. */
typedef struct AudienceColumns
{
	/* Columns of the table of facts, 0 where it has none. */
	AttrNumber	customer_id;
	AttrNumber	partner_id;
	AttrNumber	audience_id;
	AttrNumber	contact_point_id;
	AttrNumber	key;			/* what is unique over all: source, or idempotency_key */
	/* crm.customer */
	Oid			customer_table;
	Oid			customer_index;
	AttrNumber	customer_audience;
	/* The caller, of whom the rest is said. */
	bool		asked;
	Oid			user;
	Oid			acting;
	bool		restricted;		/* sees not all customers */
	bool		by_audience;	/* but all or none of an audience */
	bool		is_partner;
	Datum		own_partner;
	bool		no_own_partner;
	int64		rows;
	Known	   *known;			/* null until there is a second row */
} AudienceColumns;

static CrmPlan visible = {
	"SELECT FROM crm.customer AS c WHERE c.customer_id OPERATOR(pg_catalog.=) $1"
};

static CrmPlan visible_contact_point = {
	"SELECT FROM crm.contact_point AS p WHERE p.contact_point_id OPERATOR(pg_catalog.=) $1"
};

static CrmPlan own_partner = {
	"SELECT (crm.own_partners())[1], NOT crm.acts_for_all()"
};

/* What locked_audience() does, for all that is not simple. */
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
	if (columns->partner_id != 0)
	{
		columns->contact_point_id = find_column(rel, "contact_point_id", INT8OID);
		columns->key = find_column(rel, "idempotency_key", TEXTOID);
		if (columns->key == 0)
			columns->key = find_column(rel, "source", TEXTOID);
	}
	fcinfo->flinfo->fn_extra = columns;
	return columns;
}

/* Where crm.customer has its audience, and the index of its key. */
static bool
look_at_customer(AudienceColumns *columns, Relation customer)
{
	if (!OidIsValid(columns->customer_index))
	{
		list_free(RelationGetIndexList(customer));
		columns->customer_index = customer->rd_pkindex;
		columns->customer_audience = find_column(customer, "audience_id", INT4OID);
	}
	return OidIsValid(columns->customer_index) && columns->customer_audience != 0;
}

/* Does a condition look at no other column of its table, and say the same all the time? */
static bool
depends_on(Node *condition, AttrNumber column)
{
	ListCell   *cell;

	foreach(cell, pull_vars_of_level(condition, 0))
		if (((Var *) lfirst(cell))->varattno != column)
			return false;
	return !contain_volatile_functions(condition);
}

/*
 * What the policies of crm.customer let a role see, found from what the
 * database keeps of them anyway: all customers, as the policy of staff does;
 * or all or none of an audience.
 */
static void
look_at_policies(AudienceColumns *columns, Oid user, bool *all, bool *by_audience)
{
	Relation	customer = table_open(columns->customer_table, AccessShareLock);
	bool		has_restrictive = false;
	ListCell   *cell;

	*all = false;
	*by_audience = false;
	if (customer->rd_rsdesc != NULL && look_at_customer(columns, customer) &&
		row_security_policy_hook_permissive == NULL && row_security_policy_hook_restrictive == NULL)
	{
		*by_audience = true;
		foreach(cell, customer->rd_rsdesc->policies)
		{
			RowSecurityPolicy *policy = lfirst(cell);
			Const	   *qual = (Const *) policy->qual;
			Oid		   *roles = (Oid *) ARR_DATA_PTR(policy->roles);

			has_restrictive |= !policy->permissive;
			if (qual == NULL)
				continue;
			*by_audience &= depends_on((Node *) qual, columns->customer_audience);
			if (strcmp(policy->policy_name, "staff") == 0 && policy->polcmd == '*' &&
				IsA(qual, Const) && !qual->constisnull && DatumGetBool(qual->constvalue))
				for (int i = 0; i < ARR_DIMS(policy->roles)[0] && !*all; i++)
					*all = roles[i] == ACL_ID_PUBLIC || has_privs_of_role(user, roles[i]);
		}
		*all &= !has_restrictive;
	}
	table_close(customer, AccessShareLock);
}

static void
forget_known(AudienceColumns *columns)
{
	Known	   *known = columns->known;

	if (known == NULL)
		return;
	if (known->size > KNOWN_CUSTOMERS)
	{
		known->customers = repalloc(known->customers, KNOWN_CUSTOMERS * sizeof(KnownCustomer));
		known->size = KNOWN_CUSTOMERS;
	}
	memset(known->customers, 0, known->size * sizeof(KnownCustomer));
	memset(known->audiences, 0, sizeof(known->audiences));
	known->displaced = 0;
}

/* More room, when as many customers have lost their place as there are places. */
static void
keep_more(Known *known)
{
	uint32		size = known->size * 4;
	KnownCustomer *customers = MemoryContextAllocZero(GetMemoryChunkContext(known), size * sizeof(KnownCustomer));

	for (uint32 i = 0; i < known->size; i++)
		if (known->customers[i].filled)
			customers[known->customers[i].customer & (size - 1)] = known->customers[i];
	pfree(known->customers);
	known->customers = customers;
	known->size = size;
	known->displaced = 0;
}

/*
 * Finds out who writes: once per query, as long as it is one who does.
 */
static void
ask_caller(AudienceColumns *columns)
{
	Oid			user = GetUserId();
	Oid			acting = GetCurrentRoleId();

	if (!OidIsValid(acting))
		acting = GetSessionUserId();
	if (columns->asked && columns->user == user && columns->acting == acting)
		return;
	columns->asked = false;
	columns->by_audience = false;
	columns->is_partner = false;
	columns->no_own_partner = true;
	columns->own_partner = (Datum) 0;
	columns->restricted = check_enable_rls(columns->customer_table, InvalidOid, true) == RLS_ENABLED;
	if (columns->restricted)
	{
		bool		all;

		look_at_policies(columns, user, &all, &columns->by_audience);
		columns->restricted = !(all && user == acting);
	}
	if (columns->restricted)
	{
		bool		isnull;

		SPI_connect();
		crm_run_plan(&own_partner, 0, NULL, NULL, NULL, SPI_OK_SELECT);
		columns->own_partner = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &columns->no_own_partner);
		columns->is_partner = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull)) && !isnull;
		/* What was read is by value: it outlives SPI's memory. */
		SPI_finish();
	}
	forget_known(columns);
	columns->user = user;
	columns->acting = acting;
	columns->asked = true;
}

/*
 * Where what is known of a customer stands, or would; null while a query has
 * not shown yet that it has more than one row.
 */
static KnownCustomer *
known_customer(FunctionCallInfo fcinfo, AudienceColumns *columns, int64 customer)
{
	CommandId	command = GetCurrentCommandId(false);
	SubTransactionId subtransaction = GetCurrentSubTransactionId();
	Known	   *known = columns->known;
	KnownCustomer *place;

	if (columns->rows++ == 0)
		return NULL;
	if (known == NULL)
	{
		known = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Known));
		known->customers = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, KNOWN_CUSTOMERS * sizeof(KnownCustomer));
		known->size = KNOWN_CUSTOMERS;
		columns->known = known;
	}
	else if (known->command != command || known->subtransaction != subtransaction)
		forget_known(columns);
	known->command = command;
	known->subtransaction = subtransaction;
	if (known->displaced >= known->size && known->size < KNOWN_CUSTOMERS_MAX)
		keep_more(known);
	place = &known->customers[customer & (known->size - 1)];
	if (place->filled && place->customer != customer)
	{
		place->filled = false;
		known->displaced++;
	}
	return place;
}

/* Refuses a fact that names what its writer may not see; there is no saying whether there is such a thing. */
static void
check_visible(Relation facts, CrmPlan *statement, Datum id)
{
	Oid			type = INT8OID;

	SPI_connect();
	crm_run_plan(statement, 1, &type, &id, NULL, SPI_OK_SELECT);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy for table \"%s\"",
						RelationGetRelationName(facts))));
	SPI_finish();
}

/* The same for a customer whose audience is known, and others of it perhaps asked for. */
static void
check_visible_audience(AudienceColumns *columns, Relation facts, Datum customer, int32 audience)
{
	int32	   *known = columns->known == NULL ? NULL : &columns->known->audiences[audience & (KNOWN_AUDIENCES - 1)];

	if (known != NULL && audience != 0 && *known == audience)
		return;
	check_visible(facts, &visible, customer);
	if (known != NULL)
		*known = audience;
}

/*
 * The audience of a customer, whose row is locked as the foreign key will lock
 * it anyway.  Locked now, it keeps the audience until the fact is committed:
 * who moves a customer locks him FOR UPDATE, and then finds the fact.
 *
 * Reads with the snapshot of the running command, or, where that customer has
 * since been changed without regard to this lock, with the latest.  False in
 * all other cases: no such customer, or none yet, or he was moved or deleted
 * meanwhile; then a statement of its own says what is to be done.
 *
 * Where *checked is false, a customer whom the caller does not see is refused
 * before he is locked.
 */
static bool
locked_audience(AudienceColumns *columns, Relation facts, Datum customer, bool *checked, int32 *audience)
{
	int			flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
		(IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION);
	Relation	rel,
				index;
	TupleTableSlot *slot;
	ScanKeyData key;
	bool		found = false;
	bool		stale = false;
	bool		isnull;

	if (!ActiveSnapshotSet())
		return false;
	rel = table_open(columns->customer_table, RowShareLock);
	if (!look_at_customer(columns, rel))
	{
		table_close(rel, RowShareLock);
		return false;
	}
	index = index_open(columns->customer_index, AccessShareLock);
	slot = table_slot_create(rel, NULL);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, customer);
	do
	{
		Snapshot	snapshot = RegisterSnapshot(stale ? GetLatestSnapshot() : GetActiveSnapshot());
		IndexScanDesc scan = crm_index_beginscan(rel, index, snapshot, 1);

		index_rescan(scan, &key, 1, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, slot);
		if (found)
		{
			ItemPointerData tid = slot->tts_tid;
			TM_FailureData failure;

			if (!*checked)
			{
				int32		seen = DatumGetInt32(slot_getattr(slot, columns->customer_audience, &isnull));

				check_visible_audience(columns, facts, customer, isnull ? 0 : seen);
				*checked = true;
			}
			found = table_tuple_lock(rel, &tid, snapshot, slot, GetCurrentCommandId(false), LockTupleKeyShare,
									 LockWaitBlock, flags, &failure) == TM_Ok;
		}
		index_endscan(scan);
		UnregisterSnapshot(snapshot);
		if (!found || stale)
			break;
		/* An update that leaves the key alone doesn't mind this lock, nor this lock the update: there is a successor. */
		stale = !TTS_IS_BUFFERTUPLE(slot) ||
			!ItemPointerEquals(&((HeapTupleTableSlot *) slot)->tuple->t_data->t_ctid, &slot->tts_tid);
	} while (stale);
	if (found)
	{
		*audience = DatumGetInt32(slot_getattr(slot, columns->customer_audience, &isnull));
		found = !isnull;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	/* The lock on the table is that of the row's: until the end of the transaction. */
	table_close(rel, NoLock);
	return found;
}

/* The same by a statement, as the owner of the table of facts; 0 if there is no such customer. */
static int32
selected_audience(Relation facts, Datum customer)
{
	Oid			type = INT8OID;
	Oid			caller;
	int			caller_context;
	bool		isnull = true;
	Datum		value = (Datum) 0;

	SPI_connect();
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(facts->rd_rel->relowner,
						   caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	crm_run_plan(&audience, 1, &type, &customer, NULL, SPI_OK_SELECT);
	if (SPI_processed > 0)
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	SetUserIdAndSecContext(caller, caller_context);
	SPI_finish();
	return isnull ? 0 : DatumGetInt32(value);
}

/*
 * Keys that are unique over all would tell a partner which ones others use, so
 * those that its login writes begin with its number.
 */
static bool
partners_key(Datum *key, bool partner_null, Datum partner)
{
	text	   *written = DatumGetTextPP(*key);
	char	   *prefix = partner_null ? pstrdup("partner : ") : psprintf("partner " INT64_FORMAT ": ", DatumGetInt64(partner));
	size_t		length = strlen(prefix);
	size_t		size = VARSIZE_ANY_EXHDR(written);
	text	   *result;

	if (size >= length && memcmp(VARDATA_ANY(written), prefix, length) == 0)
		return false;
	result = palloc(VARHDRSZ + length + size);
	SET_VARSIZE(result, VARHDRSZ + length + size);
	memcpy(VARDATA(result), prefix, length);
	memcpy(VARDATA(result) + length, VARDATA_ANY(written), size);
	*key = PointerGetDatum(result);
	return true;
}

/*
 * crm.audience_stamp() returns trigger
 *
 * BEFORE INSERT OR UPDATE FOR EACH ROW, the first of a table's row triggers.
 * Under row-level security a fact of a customer that the writer may not see is
 * refused, with the same error whether there is such a customer or not, and
 * before any other trigger says more; and what a partner's login writes bears
 * the partner's name, in its keys too, and names no contact point that it may
 * not see.  Then the fact gets the audience of its customer, which is read as
 * the table's owner; 0 for a customer that does not exist, which the foreign
 * key refuses.
 */
Datum
crm_audience_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Relation	rel;
	AudienceColumns *columns;
	KnownCustomer *known;
	TupleDesc	desc;
	HeapTuple	tuple;
	Datum		customer,
				value,
				values[3];
	int			numbers[3],
				n = 0;
	bool		nulls[3] = {false, false, false};
	bool		isnull,
				checked;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.audience_stamp")));
	rel = trigdata->tg_relation;
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		!(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE INSERT OR UPDATE FOR EACH ROW", "crm.audience_stamp")));
	/* It reads as the table's owner, so it must not serve where others put it. */
	if (fcinfo->flinfo->fn_extra == NULL && RelationGetNamespace(rel) != get_namespace_oid("crm", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" serves tables of schema \"crm\" only", "crm.audience_stamp")));

	columns = audience_columns(fcinfo, rel);
	desc = RelationGetDescr(rel);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	customer = heap_getattr(tuple, columns->customer_id, desc, &isnull);
	if (isnull)					/* left to the NOT NULL constraint */
		return PointerGetDatum(tuple);

	ask_caller(columns);
	known = known_customer(fcinfo, columns, DatumGetInt64(customer));
	checked = !columns->restricted || (known != NULL && known->filled);
	if (columns->restricted)
	{
		Datum		partner = (Datum) 0;
		bool		no_partner = true;

		if (!checked && (!columns->by_audience || columns->audience_id == 0))
		{
			check_visible(rel, &visible, customer);
			checked = true;
		}
		if (columns->partner_id != 0)
		{
			partner = heap_getattr(tuple, columns->partner_id, desc, &no_partner);
			if (no_partner)
			{
				partner = columns->own_partner;
				no_partner = columns->no_own_partner;
				values[n] = partner;
				nulls[n] = no_partner;
				numbers[n++] = columns->partner_id;
			}
		}
		if (columns->is_partner && TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		{
			if (columns->contact_point_id != 0)
			{
				value = heap_getattr(tuple, columns->contact_point_id, desc, &isnull);
				if (!isnull)
					check_visible(rel, &visible_contact_point, value);
			}
			if (columns->key != 0)
			{
				value = heap_getattr(tuple, columns->key, desc, &isnull);
				if (!isnull && partners_key(&value, no_partner, partner))
				{
					values[n] = value;
					numbers[n++] = columns->key;
				}
			}
		}
	}
	if (columns->audience_id != 0)
	{
		int32		number;

		if (known != NULL && known->filled)
			number = known->audience;
		else if (!locked_audience(columns, rel, customer, &checked, &number))
		{
			if (!checked)
				check_visible(rel, &visible, customer);
			number = selected_audience(rel, customer);
		}
		if (known != NULL && number != 0)
		{
			known->customer = DatumGetInt64(customer);
			known->audience = number;
			known->filled = true;
		}
		value = heap_getattr(tuple, columns->audience_id, desc, &isnull);
		if (isnull || DatumGetInt32(value) != number)
		{
			values[n] = Int32GetDatum(number);
			numbers[n++] = columns->audience_id;
		}
	}
	if (n > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, n, numbers, values, nulls);
	return PointerGetDatum(tuple);
}

/*
 * crm.serially(keys anyarray) returns anyarray
 *
 * What it is given.  What matters is its label, parallel restricted: without a
 * number of elements the planner takes an array for ten, and a partner's few
 * rows for work that is worth sharing out.
 */
Datum
crm_serially(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
