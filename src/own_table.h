/*-------------------------------------------------------------------------
 *
 * own_table.h
 *	  Tables of crm whose rows C code reads by itself, and the moment of which
 *	  something was read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_OWN_TABLE_H
#define CRM_OWN_TABLE_H

#include "crm.h"
#include "access/htup.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"

typedef struct CrmColumn
{
	const char *name;
	Oid			type;			/* that it must have; InvalidOid: an enum of ours */
	AttrNumber	number;			/* found */
} CrmColumn;

/* Declare it static, with its name in schema crm and its columns; the rest is found. */
typedef struct CrmTable
{
	const char *name;
	CrmColumn  *columns;
	int			ncolumns;
	bool		known;			/* is what follows true: until the table changes */
	bool		simple;			/* an ordinary table alone, with these columns */
	Oid			oid;
	uint32		version;		/* another whenever the table was looked at anew */
	struct CrmTable *next;
} CrmTable;

/*
 * Snapshots that agree in this see the same: none can have been assigned a
 * transaction between them, and as many still run of those that did.
 */
typedef struct CrmMoment
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
	SubTransactionId subtransaction;
	Oid			user;			/* whose rights decide what is seen */
} CrmMoment;

/* All rows of a table, one by one; begin with zeros. */
typedef struct CrmRows
{
	Relation	rel;
	TupleTableSlot *slot;
	TableScanDesc scan;
} CrmRows;

/* The rows of a table that an index finds. */
typedef struct CrmScan
{
	MemoryContext context;		/* of what the scan keeps from row to row: it must not go between them */
	Relation	rel;
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;
} CrmScan;

/* A column of a row. */
static inline Datum
crm_column(TupleTableSlot *slot, const CrmTable *table, int column, bool *isnull)
{
	return slot_getattr(slot, table->columns[column].number, isnull);
}

extern bool crm_lock_tables(CrmTable *const *tables, int n);
extern bool crm_know_tables(CrmTable *const *tables, int n);
extern TupleTableSlot *crm_next_row(CrmRows *rows, const CrmTable *table);
extern void crm_end_rows(CrmRows *rows);
extern void crm_open_scan(CrmScan *scan, const CrmTable *table, Oid index, int nkeys);
extern void crm_seek(CrmScan *scan, ScanKey keys, int nkeys);
extern bool crm_next_found(CrmScan *scan);
extern void crm_close_scan(CrmScan *scan);
extern bool crm_same_value(TupleDesc desc, AttrNumber number, HeapTuple old, HeapTuple new);
extern bool crm_text_is(Datum value, const char *name);
extern bool crm_same_text(const text *a, const text *b);
extern Oid	crm_find_index(Relation rel, AttrNumber first, AttrNumber second);
extern CrmMoment crm_moment(void);
extern bool crm_is_moment(const CrmMoment *moment);

#endif							/* CRM_OWN_TABLE_H */
