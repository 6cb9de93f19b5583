/*-------------------------------------------------------------------------
 *
 * own_table.c
 *	  Tables of crm whose rows C code reads by itself, and the moment of which
 *	  something was read.
 *
 * A query of a few rows by an index takes ten times longer to start than to
 * run.  Where such a query is asked for every message, the rows are read
 * without one: by whoever may read all of the table anyway, and as long as the
 * table is what crm.setup() made it.  In all other cases the query is asked.
 *
 *-------------------------------------------------------------------------
 */
#include "own_table.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* All that were looked for. */
static CrmTable *tables = NULL;

static void
forget_table(Datum arg, Oid relation)
{
	for (CrmTable *table = tables; table != NULL; table = table->next)
		if (relation == InvalidOid || relation == table->oid)
			table->known = false;
}

/* Where a table and its columns are, and whether its rows can be read as they are. */
static void
find_table(CrmTable *table)
{
	Oid			oid = get_relname_relid(table->name, get_namespace_oid("crm", false));
	Relation	rel;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"crm.%s\" does not exist", table->name)));
	if (table->oid == InvalidOid)
	{
		if (tables == NULL)
			CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
		table->next = tables;
		tables = table;
	}
	table->oid = oid;
	rel = table_open(oid, AccessShareLock);
	/* Locked: what is told of it from now on is another change. */
	table->known = true;
	table->version++;
	table->simple = rel->rd_rel->relkind == RELKIND_RELATION && !rel->rd_rel->relhassubclass;
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		column->number = SPI_fnumber(RelationGetDescr(rel), column->name);
		if (column->number <= 0 ||
			(OidIsValid(column->type) && TupleDescAttr(RelationGetDescr(rel), column->number - 1)->atttypid != column->type))
			table->simple = false;
	}
	table_close(rel, AccessShareLock);
}

/*
 * Locks tables for the transaction, as a query would.  False when their rows
 * cannot be read as they are, or the caller may not read them all: then a
 * query is to be asked.
 */
bool
crm_lock_tables(CrmTable *const *tables, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!tables[i]->known)
			find_table(tables[i]);
		if (!tables[i]->simple ||
			pg_class_aclcheck(tables[i]->oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
			check_enable_rls(tables[i]->oid, InvalidOid, true) == RLS_ENABLED)
			return false;
	}
	for (int i = 0; i < n; i++)
		LockRelationOid(tables[i]->oid, AccessShareLock);
	/* What was found before they were locked may have changed until then. */
	return crm_know_tables(tables, n);
}

/* Is what was found of the tables still so? */
bool
crm_know_tables(CrmTable *const *tables, int n)
{
	for (int i = 0; i < n; i++)
		if (!tables[i]->known)
			return false;
	return true;
}

/*
 * The next row of a table that is locked, in the running query's snapshot; at
 * the end NULL, and all is closed.  Who stops earlier calls crm_end_rows().
 */
TupleTableSlot *
crm_next_row(CrmRows *rows, const CrmTable *table)
{
	CHECK_FOR_INTERRUPTS();
	if (rows->rel == NULL)
	{
		rows->rel = table_open(table->oid, NoLock);
		rows->slot = table_slot_create(rows->rel, NULL);
		rows->scan = table_beginscan(rows->rel, GetActiveSnapshot(), 0, NULL);
	}
	if (table_scan_getnextslot(rows->scan, ForwardScanDirection, rows->slot))
		return rows->slot;
	crm_end_rows(rows);
	return NULL;
}

void
crm_end_rows(CrmRows *rows)
{
	if (rows->rel == NULL)
		return;
	table_endscan(rows->scan);
	ExecDropSingleTupleTableSlot(rows->slot);
	table_close(rows->rel, NoLock);
	memset(rows, 0, sizeof(CrmRows));
}

/*
 * Begins to find rows of a table that is locked by an index, of so many keys,
 * in the running query's snapshot: then crm_seek(), as often as is liked.
 */
void
crm_open_scan(CrmScan *scan, const CrmTable *table, Oid index, int nkeys)
{
	scan->context = CurrentMemoryContext;
	scan->rel = table_open(table->oid, NoLock);
	scan->index = index_open(index, AccessShareLock);
	scan->slot = table_slot_create(scan->rel, NULL);
	scan->scan = crm_index_beginscan(scan->rel, scan->index, GetActiveSnapshot(), nkeys);
}

void
crm_seek(CrmScan *scan, ScanKey keys, int nkeys)
{
	MemoryContext caller = MemoryContextSwitchTo(scan->context);

	index_rescan(scan->scan, keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(caller);
}

/* Is there another row?  It is in the slot. */
bool
crm_next_found(CrmScan *scan)
{
	MemoryContext caller = MemoryContextSwitchTo(scan->context);
	bool		found;

	CHECK_FOR_INTERRUPTS();
	found = index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
	MemoryContextSwitchTo(caller);
	return found;
}

void
crm_close_scan(CrmScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

/*
 * Has a column the same value in both versions of a row?  Nearly always it has
 * the same bytes; else it is looked at what they stand for.
 */
bool
crm_same_value(TupleDesc desc, AttrNumber number, HeapTuple old, HeapTuple new)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
	bool		old_null;
	bool		new_null;
	Datum		old_value = heap_getattr(old, number, desc, &old_null);
	Datum		new_value = heap_getattr(new, number, desc, &new_null);

	if (old_null || new_null)
		return old_null && new_null;
	return datumIsEqual(old_value, new_value, attribute->attbyval, attribute->attlen) ||
		datum_image_eq(old_value, new_value, attribute->attbyval, attribute->attlen);
}

/* Is a text this one? */
bool
crm_text_is(Datum value, const char *name)
{
	text	   *is = DatumGetTextPP(value);
	int			length = strlen(name);

	return VARSIZE_ANY_EXHDR(is) == length && memcmp(VARDATA_ANY(is), name, length) == 0;
}

/* Are two texts the same, or both NULL? */
bool
crm_same_text(const text *a, const text *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) && memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static bool
is_btree(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	bool		answer = HeapTupleIsValid(tuple) && ((Form_pg_class) GETSTRUCT(tuple))->relam == BTREE_AM_OID;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return answer;
}

/*
 * An index of a table, by which all its rows are found, whose first columns
 * are these (the second 0: any); InvalidOid when there is none.
 */
Oid
crm_find_index(Relation rel, AttrNumber first, AttrNumber second)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	Oid			found = InvalidOid;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (!OidIsValid(found) && index->indisvalid && !index->indcheckxmin &&
			index->indkey.values[0] == first &&
			(second == 0 || (index->indnkeyatts > 1 && index->indkey.values[1] == second)) &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) && is_btree(lfirst_oid(cell)))
			found = lfirst_oid(cell);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return found;
}

/* The moment of the running query. */
CrmMoment
crm_moment(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	CrmMoment	moment = {
		.xmin = snapshot->xmin, .xmax = snapshot->xmax, .xcnt = snapshot->xcnt, .subxcnt = snapshot->subxcnt,
		.curcid = snapshot->curcid, .subtransaction = GetCurrentSubTransactionId(), .user = GetUserId()
	};

	return moment;
}

/* Does the running query see the same, with the same rights? */
bool
crm_is_moment(const CrmMoment *moment)
{
	CrmMoment	now = crm_moment();

	return now.xmin == moment->xmin && now.xmax == moment->xmax && now.xcnt == moment->xcnt && now.subxcnt == moment->subxcnt &&
		now.curcid == moment->curcid && now.subtransaction == moment->subtransaction && now.user == moment->user;
}
