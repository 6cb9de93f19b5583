/*-------------------------------------------------------------------------
 *
 * channel_prior_feature.c
 *	  Customers' features as numbers, and what the views of features and priors
 *	  ask of small tables.
 *
 * The latter could be subqueries of these views.  But they would be planned
 * with every query, and a query that has them below its top is not shared
 * among parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_prior_math.h"
#include "crm.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "spi_plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include <math.h>

PG_FUNCTION_INFO_V1(crm_feature_values);
PG_FUNCTION_INFO_V1(crm_level_of);
PG_FUNCTION_INFO_V1(crm_is_any_regression);

/*
 * crm.feature_values(record): the columns after the first as numbers; null
 * where a value is null or not finite, drawn back to the range of features.
 */
Datum
crm_feature_values(PG_FUNCTION_ARGS)
{
	HeapTupleHeader record = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(record), HeapTupleHeaderGetTypMod(record));
	int			columns = tupdesc->natts;
	HeapTupleData tuple;
	Datum	   *values = palloc(columns * sizeof(Datum));
	bool	   *nulls = palloc(columns * sizeof(bool));
	int			features = 0;
	int			dims[1];
	int			lower[1] = {1};

	tuple.t_len = HeapTupleHeaderGetDatumLength(record);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = record;
	heap_deform_tuple(&tuple, tupdesc, values, nulls);
	for (int i = 1; i < columns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(tupdesc, i);
		double		value = 0;

		if (column->attisdropped)
			continue;
		if (!nulls[i])
			switch (column->atttypid)
			{
				case BOOLOID:
					value = DatumGetBool(values[i]);
					break;
				case INT2OID:
					value = DatumGetInt16(values[i]);
					break;
				case INT4OID:
					value = DatumGetInt32(values[i]);
					break;
				case INT8OID:
					value = (double) DatumGetInt64(values[i]);
					break;
				case FLOAT4OID:
					value = DatumGetFloat4(values[i]);
					break;
				case FLOAT8OID:
					value = DatumGetFloat8(values[i]);
					break;
				case NUMERICOID:
					value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, values[i]));
					break;
				default:
					ereport(ERROR,
							(errcode(ERRCODE_DATATYPE_MISMATCH),
							 errmsg("feature \"%s\" is of type %s", NameStr(column->attname), format_type_be(column->atttypid)),
							 errdetail("Features are numbers or booleans.")));
			}
		nulls[features] = nulls[i] || !isfinite(value);
		values[features++] = Float8GetDatum(Min(Max(value, -CRM_PRIOR_FEATURE_MAX), CRM_PRIOR_FEATURE_MAX));
	}
	ReleaseTupleDesc(tupdesc);
	dims[0] = features;
	if (features == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, 1, dims, lower, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * crm.level_of(feature text, position integer): the level of
 * crm.feature_level in this place, or null.
 */
Datum
crm_level_of(PG_FUNCTION_ARGS)
{
	static CrmPlan level = {
		"SELECT l.level FROM crm.feature_level AS l"
		" WHERE l.feature OPERATOR(pg_catalog.=) $1 AND l.position OPERATOR(pg_catalog.=) $2"
	};
	static const Oid argtypes[] = {TEXTOID, INT4OID};

	return crm_ask_once(fcinfo, &level, argtypes);
}

/*
 * crm.is_any_regression(): has any channel a prior that depends on features.
 */
Datum
crm_is_any_regression(PG_FUNCTION_ARGS)
{
	static CrmPlan regression = {
		"SELECT EXISTS (SELECT FROM crm.channel_prior AS r"
		" WHERE r.is_current AND r.method OPERATOR(pg_catalog.=) 'regression'::pg_catalog.text)"
	};

	return crm_ask_once(fcinfo, &regression, NULL);
}
