/*-------------------------------------------------------------------------
 *
 * partner_gist.c
 *	  GiST support of crm.responsibility: the key is the union described in
 *	  partner_math.h, stored as bigint.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/gist.h"
#include "access/stratnum.h"

#include "partner_math.h"

PG_FUNCTION_INFO_V1(crm_responsibility_gist_consistent);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_union);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_compress);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_fetch);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_penalty);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_picksplit);
PG_FUNCTION_INFO_V1(crm_responsibility_gist_same);

static uint64_t
entry_key(GistEntryVector *entries, int at)
{
	return (uint64_t) DatumGetInt64(entries->vector[at].key);
}

/* Leaves are answered exactly, so that nothing needs a recheck. */
Datum
crm_responsibility_gist_consistent(PG_FUNCTION_ARGS)
{
	GISTENTRY  *entry = (GISTENTRY *) PG_GETARG_POINTER(0);
	crm_resp	query = (crm_resp) PG_GETARG_INT64(1);
	StrategyNumber strategy = (StrategyNumber) PG_GETARG_UINT16(2);
	bool	   *recheck = (bool *) PG_GETARG_POINTER(4);
	uint64_t	key = (uint64_t) DatumGetInt64(entry->key);
	CrmRespOperator op;

	switch (strategy)
	{
		case RTOverlapStrategyNumber:
			op = CRM_RESP_CONFLICTS;
			break;
		case RTSameStrategyNumber:
			op = CRM_RESP_EQUALS;
			break;
		case RTContainsStrategyNumber:
			op = CRM_RESP_COVERS;
			break;
		case RTContainedByStrategyNumber:
			op = CRM_RESP_COVERED;
			break;
		default:
			elog(ERROR, "unrecognized strategy number: %d", strategy);
	}
	*recheck = false;
	if (GIST_LEAF(entry))
		PG_RETURN_BOOL(crm_resp_test(op, crm_resp_of_key(key), query));
	PG_RETURN_BOOL(crm_resp_key_may(op, key, query));
}

Datum
crm_responsibility_gist_union(PG_FUNCTION_ARGS)
{
	GistEntryVector *entries = (GistEntryVector *) PG_GETARG_POINTER(0);
	int		   *size = (int *) PG_GETARG_POINTER(1);
	uint64_t	key = 0;

	for (int i = 0; i < entries->n; i++)
		key |= entry_key(entries, i);
	*size = sizeof(int64);
	PG_RETURN_INT64((int64) key);
}

Datum
crm_responsibility_gist_compress(PG_FUNCTION_ARGS)
{
	GISTENTRY  *entry = (GISTENTRY *) PG_GETARG_POINTER(0);
	GISTENTRY  *result = entry;

	if (entry->leafkey)
	{
		uint64_t	key = crm_resp_key((crm_resp) DatumGetInt64(entry->key));

		result = (GISTENTRY *) palloc(sizeof(GISTENTRY));
		gistentryinit(*result, Int64GetDatum((int64) key), entry->rel, entry->page, entry->offset, false);
	}
	PG_RETURN_POINTER(result);
}

Datum
crm_responsibility_gist_fetch(PG_FUNCTION_ARGS)
{
	GISTENTRY  *entry = (GISTENTRY *) PG_GETARG_POINTER(0);
	GISTENTRY  *result = (GISTENTRY *) palloc(sizeof(GISTENTRY));
	crm_resp	v = crm_resp_of_key((uint64_t) DatumGetInt64(entry->key));

	gistentryinit(*result, Int64GetDatum((int64) v), entry->rel, entry->page, entry->offset, false);
	PG_RETURN_POINTER(result);
}

/* How many bits the page's key would gain. */
Datum
crm_responsibility_gist_penalty(PG_FUNCTION_ARGS)
{
	uint64_t	page = (uint64_t) DatumGetInt64(((GISTENTRY *) PG_GETARG_POINTER(0))->key);
	uint64_t	added = (uint64_t) DatumGetInt64(((GISTENTRY *) PG_GETARG_POINTER(1))->key);
	float	   *penalty = (float *) PG_GETARG_POINTER(2);

	*penalty = (float) crm_resp_key_bits(added & ~page);
	PG_RETURN_POINTER(penalty);
}

typedef struct SplitItem
{
	uint64_t	key;
	OffsetNumber offset;
} SplitItem;

static int
compare_items(const void *a, const void *b)
{
	const SplitItem *x = (const SplitItem *) a;
	const SplitItem *y = (const SplitItem *) b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/*
 * Divide by the bit that divides best; where none leaves a quarter on either
 * side (as for equal keys) in the middle of the sorted keys.
 */
Datum
crm_responsibility_gist_picksplit(PG_FUNCTION_ARGS)
{
	GistEntryVector *entries = (GistEntryVector *) PG_GETARG_POINTER(0);
	GIST_SPLITVEC *split = (GIST_SPLITVEC *) PG_GETARG_POINTER(1);
	int			count = entries->n - FirstOffsetNumber;
	uint64_t   *keys = (uint64_t *) palloc(sizeof(uint64_t) * count);
	SplitItem  *items = (SplitItem *) palloc(sizeof(SplitItem) * count);
	uint64_t	left = 0;
	uint64_t	right = 0;
	int			bit;

	for (int i = 0; i < count; i++)
	{
		keys[i] = items[i].key = entry_key(entries, FirstOffsetNumber + i);
		items[i].offset = (OffsetNumber) (FirstOffsetNumber + i);
	}
	bit = crm_resp_key_split(keys, count);
	if (bit < 0)
		qsort(items, count, sizeof(SplitItem), compare_items);

	split->spl_left = (OffsetNumber *) palloc(sizeof(OffsetNumber) * count);
	split->spl_right = (OffsetNumber *) palloc(sizeof(OffsetNumber) * count);
	split->spl_nleft = split->spl_nright = 0;
	for (int i = 0; i < count; i++)
	{
		if (bit < 0 ? i < count / 2 : (items[i].key >> bit & 1) != 0)
		{
			split->spl_left[split->spl_nleft++] = items[i].offset;
			left |= items[i].key;
		}
		else
		{
			split->spl_right[split->spl_nright++] = items[i].offset;
			right |= items[i].key;
		}
	}
	split->spl_ldatum = Int64GetDatum((int64) left);
	split->spl_rdatum = Int64GetDatum((int64) right);
	PG_RETURN_POINTER(split);
}

Datum
crm_responsibility_gist_same(PG_FUNCTION_ARGS)
{
	bool	   *same = (bool *) PG_GETARG_POINTER(2);

	*same = PG_GETARG_INT64(0) == PG_GETARG_INT64(1);
	PG_RETURN_POINTER(same);
}
