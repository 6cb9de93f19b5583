/*-------------------------------------------------------------------------
 *
 * channel_beta.c
 *	  What a crm.channel_score says under a Beta prior: mean, interval, draw,
 *	  and which of several channels is probably the best.
 *
 * The posterior of a score with s successes and f failures under the prior
 * Beta(prior_a, prior_b) is Beta(prior_a + s, prior_b + f).
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel.h"
#include "channel_beta_math.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include <math.h>

PG_FUNCTION_INFO_V1(crm_channel_score_mean);
PG_FUNCTION_INFO_V1(crm_channel_score_interval);
PG_FUNCTION_INFO_V1(crm_channel_score_draw);
PG_FUNCTION_INFO_V1(crm_channel_probability_best);
PG_FUNCTION_INFO_V1(crm_channel_probability_best_net);
PG_FUNCTION_INFO_V1(crm_channel_beta_cdf);
PG_FUNCTION_INFO_V1(crm_channel_beta_quantile);
PG_FUNCTION_INFO_V1(crm_channel_beta_draw);

static void
check_shape(const char *name, float8 value)
{
	if (!(value >= CRM_BETA_SHAPE_MIN && value <= CRM_BETA_SHAPE_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s %g of a Beta distribution is out of range", name, value),
				 errdetail("It must be positive and finite, from %g to %g.",
						   CRM_BETA_SHAPE_MIN, CRM_BETA_SHAPE_MAX)));
}

/*
 * The posterior's shapes from the arguments score, prior_a, prior_b, at.
 */
static void
posterior(FunctionCallInfo fcinfo, double *a, double *b)
{
	float8		prior_a = PG_GETARG_FLOAT8(1);
	float8		prior_b = PG_GETARG_FLOAT8(2);
	double		successes,
				failures;

	check_shape("prior_a", prior_a);
	check_shape("prior_b", prior_b);
	crm_score_read(PG_GETARG_DATUM(0), PG_GETARG_TIMESTAMPTZ(3), &successes, &failures);
	*a = prior_a + successes;
	*b = prior_b + failures;
}

/*
 * crm.score_mean(score, prior_a, prior_b, at)
 */
Datum
crm_channel_score_mean(PG_FUNCTION_ARGS)
{
	double		a,
				b;

	posterior(fcinfo, &a, &b);

	/* The sum of two doubles may be infinite, though each is finite. */
	PG_RETURN_FLOAT8(a / 2 / (a / 2 + b / 2));
}

/*
 * crm.score_interval(score, prior_a, prior_b, at, level, OUT lower, OUT upper)
 */
Datum
crm_channel_score_interval(PG_FUNCTION_ARGS)
{
	float8		level = PG_GETARG_FLOAT8(4);
	TupleDesc	tupdesc = (TupleDesc) fcinfo->flinfo->fn_extra;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	double		a,
				b,
				tail;

	if (!(level > 0 && level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level %g of an interval is out of range", level),
				 errdetail("It must lie between 0 and 1.")));
	posterior(fcinfo, &a, &b);
	check_shape("shape a", a);
	check_shape("shape b", b);
	if (tupdesc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		tupdesc = BlessTupleDesc(tupdesc);
		fcinfo->flinfo->fn_extra = tupdesc;
		MemoryContextSwitchTo(old);
	}
	tail = (1 - level) / 2;
	values[0] = Float8GetDatum(crm_beta_quantile(tail, a, b));
	values[1] = Float8GetDatum(crm_beta_quantile(1 - tail, a, b));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}

/*
 * crm.score_draw(score, prior_a, prior_b, at, seed)
 */
Datum
crm_channel_score_draw(PG_FUNCTION_ARGS)
{
	double		a,
				b;

	posterior(fcinfo, &a, &b);
	check_shape("shape a", a);
	check_shape("shape b", b);
	PG_RETURN_FLOAT8(crm_beta_draw(a, b, (uint64) PG_GETARG_INT64(4)));
}

/*
 * The numbers of a one-dimensional array without nulls.
 */
static const float8 *
float8_elements(ArrayType *array, const char *name, int *n)
{
	if (ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "array of double precision expected");
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", name)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (const float8 *) ARR_DATA_PTR(array);
}

static void
interrupt_pause(void)
{
	CHECK_FOR_INTERRUPTS();
}

static Datum
probability_best(FunctionCallInfo fcinfo, bool net)
{
	int			n,
				n_b,
				n_cost;
	const float8 *a = float8_elements(PG_GETARG_ARRAYTYPE_P(0), "a", &n);
	const float8 *b = float8_elements(PG_GETARG_ARRAYTYPE_P(1), "b", &n_b);
	const float8 *cost = NULL;
	float8		value = 1;
	double		probability[CRM_BEST_COMPETITORS];
	Datum		values[CRM_BEST_COMPETITORS];

	if (n != n_b)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a and b must have the same length"),
				 errdetail("a has %d elements, b has %d.", n, n_b)));
	if (n > CRM_BEST_COMPETITORS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d channels cannot be compared", CRM_BEST_COMPETITORS)));
	for (int k = 0; k < n; k++)
	{
		const float8 wrong = !(a[k] >= CRM_BEST_SHAPE_MIN && a[k] <= CRM_BEST_SHAPE_MAX) ? a[k] : b[k];

		if (!(wrong >= CRM_BEST_SHAPE_MIN && wrong <= CRM_BEST_SHAPE_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("shape %g of a Beta distribution is out of range", wrong),
					 errdetail("To be compared, shapes must lie between %g and %g.",
							   CRM_BEST_SHAPE_MIN, CRM_BEST_SHAPE_MAX)));
	}
	if (net)
	{
		value = PG_GETARG_FLOAT8(2);
		cost = float8_elements(PG_GETARG_ARRAYTYPE_P(3), "cost", &n_cost);
		if (n != n_cost)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("a and cost must have the same length"),
					 errdetail("a has %d elements, cost has %d.", n, n_cost)));
		if (!(value > 0 && isfinite(value)))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value %g of a success is out of range", value),
					 errdetail("It must be positive and finite.")));
		for (int k = 0; k < n; k++)
			if (!(cost[k] >= 0 && isfinite(cost[k])) || !isfinite(cost[k] / value))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("cost %g of a contact is out of range", cost[k]),
						 errdetail("It must be finite and not negative.")));
	}
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));
	if (!crm_probability_best(n, a, b, value, cost, probability, interrupt_pause))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("Beta distributions are too different to be compared"),
				 errdetail("The narrowest and the widest do not fit on one grid.")));
	for (int k = 0; k < n; k++)
		values[k] = Float8GetDatum(probability[k]);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * crm.probability_best(a float8[], b float8[])
 */
Datum
crm_channel_probability_best(PG_FUNCTION_ARGS)
{
	return probability_best(fcinfo, false);
}

/*
 * crm.probability_best(a float8[], b float8[], value float8, cost float8[])
 */
Datum
crm_channel_probability_best_net(PG_FUNCTION_ARGS)
{
	return probability_best(fcinfo, true);
}

/*
 * crm.beta_cdf(x, a, b)
 */
Datum
crm_channel_beta_cdf(PG_FUNCTION_ARGS)
{
	float8		x = PG_GETARG_FLOAT8(0);

	check_shape("shape a", PG_GETARG_FLOAT8(1));
	check_shape("shape b", PG_GETARG_FLOAT8(2));
	if (isnan(x))
		PG_RETURN_FLOAT8(x);
	PG_RETURN_FLOAT8(crm_beta_cdf(x, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2)));
}

/*
 * crm.beta_quantile(p, a, b)
 */
Datum
crm_channel_beta_quantile(PG_FUNCTION_ARGS)
{
	float8		p = PG_GETARG_FLOAT8(0);

	if (!(p >= 0 && p <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("probability %g is out of range", p),
				 errdetail("It must lie between 0 and 1.")));
	check_shape("shape a", PG_GETARG_FLOAT8(1));
	check_shape("shape b", PG_GETARG_FLOAT8(2));
	PG_RETURN_FLOAT8(crm_beta_quantile(p, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2)));
}

/*
 * crm.beta_draw(a, b, seed)
 */
Datum
crm_channel_beta_draw(PG_FUNCTION_ARGS)
{
	check_shape("shape a", PG_GETARG_FLOAT8(0));
	check_shape("shape b", PG_GETARG_FLOAT8(1));
	PG_RETURN_FLOAT8(crm_beta_draw(PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1), (uint64) PG_GETARG_INT64(2)));
}
