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
#include "utils/relcache.h"
#include "utils/snapshot.h"

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

extern bool crm_find_table(CrmTable *table);
extern bool crm_may_read(const CrmTable *table);
extern Oid	crm_find_index(Relation rel, AttrNumber first, AttrNumber second);
extern CrmMoment crm_moment(void);
extern bool crm_is_moment(const CrmMoment *moment);

#endif							/* CRM_OWN_TABLE_H */
