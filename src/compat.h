/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between the supported server versions (15 to 18).
 *
 * No other file tests PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or later"
#endif

/*
 * Soft errors came with 16: an input function reports a bad value to its
 * caller instead of throwing.  Before that both macros throw.
 */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#define crm_escontext(fcinfo) ((Node *) (fcinfo)->context)
#else
struct Node;
#define crm_escontext(fcinfo) ((Node *) NULL)
#ifndef ereturn
#define ereturn(context, dummy_value, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#define errsave(context, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
	} while (0)
#endif
#endif

/* 16 moved the varlena macros to a header of their own. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 names the module in the magic block. */
#if PG_VERSION_NUM >= 180000
#define CRM_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "crm", .version = CRM_VERSION)
#else
#define CRM_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 18 writes the attribute in front of the declaration. */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 16 made one function of all the *_aclcheck functions. */
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"

static inline bool
crm_may_create(Oid schema)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, GetUserId(), ACL_CREATE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, GetUserId(), ACL_CREATE) == ACLCHECK_OK;
#endif
}

/* 18 counts an index scan for EXPLAIN, where asked to. */
#include "access/genam.h"

static inline IndexScanDesc
crm_index_beginscan(Relation table, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(table, index, snapshot, nkeys, 0);
#endif
}

#endif							/* CRM_COMPAT_H */
