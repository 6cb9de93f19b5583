/*-------------------------------------------------------------------------
 *
 * channel_gap.c
 *	  crm.gap_propensities() and crm.gap_choose(): choosing by the gap rule;
 *	  crm.policy_value(): what another policy would have brought.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel_gap_math.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include <math.h>

PG_FUNCTION_INFO_V1(crm_channel_gap_propensities);
PG_FUNCTION_INFO_V1(crm_channel_gap_choose);
PG_FUNCTION_INFO_V1(crm_channel_policy_accum);
PG_FUNCTION_INFO_V1(crm_channel_policy_combine);
PG_FUNCTION_INFO_V1(crm_channel_policy_final);

/*
 * Estimates from fewer decisions' worth of information are not to be relied
 * upon: their standard errors are themselves unknown.
 */
#define POLICY_EFFECTIVE_MIN	100

/*
 * The gap rule ------------------------------------------------------------
 */

/*
 * The arguments value and gamma, checked, and what the rule makes of them.  The
 * propensities are palloc'd; returns the position of the best, -1 if none is
 * allowed.
 */
static int
gap_rule(ArrayType *array, float8 gamma, int *n, double **propensity)
{
	Datum	   *elements;
	bool	   *nulls;
	double	   *value;
	bool	   *allowed;

	if (ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "array of double precision expected");
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("value must be a one-dimensional array")));
	if (!(gamma >= 0 && gamma <= CRM_GAP_GAMMA_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("gamma %g of the gap rule is out of range", gamma),
				 errdetail("It must lie between 0 and %g.", CRM_GAP_GAMMA_MAX)));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, n);
	value = palloc(Max(*n, 1) * sizeof(double));
	allowed = palloc(Max(*n, 1) * sizeof(bool));
	*propensity = palloc(Max(*n, 1) * sizeof(double));
	for (int j = 0; j < *n; j++)
	{
		allowed[j] = !nulls[j];
		value[j] = nulls[j] ? 0 : DatumGetFloat8(elements[j]);
		if (!(fabs(value[j]) <= CRM_GAP_VALUE_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value %g of a choice is out of range", value[j]),
					 errdetail("It must lie between %g and %g.", -CRM_GAP_VALUE_MAX, CRM_GAP_VALUE_MAX)));
	}
	return crm_gap_propensities(*n, value, allowed, gamma, *propensity);
}

/*
 * crm.gap_propensities(value float8[], gamma float8)
 *
 * The probability of each position; 0 where the value is null.
 */
Datum
crm_channel_gap_propensities(PG_FUNCTION_ARGS)
{
	int			n;
	double	   *propensity;
	Datum	   *result;

	gap_rule(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_FLOAT8(1), &n, &propensity);
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));
	result = palloc(n * sizeof(Datum));
	for (int j = 0; j < n; j++)
		result[j] = Float8GetDatum(propensity[j]);
	PG_RETURN_ARRAYTYPE_P(construct_array(result, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * crm.gap_choose(value float8[], gamma float8, seed int8)
 *
 * A position from 1, chosen with these probabilities; null when none is
 * allowed.
 */
Datum
crm_channel_gap_choose(PG_FUNCTION_ARGS)
{
	int			n;
	double	   *propensity;
	int			best = gap_rule(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_FLOAT8(1), &n, &propensity);

	if (best < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(crm_gap_choose(n, propensity, best, (uint64) PG_GETARG_INT64(2)) + 1);
}

/*
 * Policies ------------------------------------------------------------------
 */

/*
 * The state argument, an array of the numbers of a CrmPolicySums.  Within an
 * aggregate it is ours to write on; otherwise it comes from anywhere and is
 * copied.  It is looked through in any case: somebody may build an aggregate of
 * his own on these functions.
 */
static ArrayType *
get_sums(FunctionCallInfo fcinfo, int arg, bool ours, CrmPolicySums **sums)
{
	ArrayType  *state = ours ? PG_GETARG_ARRAYTYPE_P(arg) : PG_GETARG_ARRAYTYPE_P_COPY(arg);

	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] != CRM_POLICY_SUMS ||
		ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID ||
		!crm_policy_sums_good((CrmPolicySums *) ARR_DATA_PTR(state)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of crm.policy_value")));
	*sums = (CrmPolicySums *) ARR_DATA_PTR(state);
	return state;
}

static float8
bounded_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	float8		value = PG_GETARG_FLOAT8(arg);

	if (!(fabs(value) <= CRM_POLICY_REWARD_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s %g of a logged decision is out of range", name, value),
				 errdetail("It must lie between %g and %g.", -CRM_POLICY_REWARD_MAX, CRM_POLICY_REWARD_MAX)));
	return value;
}

/*
 * crm.policy_value_accum(state float8[], reward, propensity, target [, prediction, expected])
 *
 * A row with a null in it is no decision.
 */
Datum
crm_channel_policy_accum(PG_FUNCTION_ARGS)
{
	bool		modelled = PG_NARGS() > 4;
	CrmPolicySums *sums;
	ArrayType  *state;
	float8		reward,
				propensity,
				target;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("state of crm.policy_value must not be null")));
	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	state = get_sums(fcinfo, 0, AggCheckCallContext(fcinfo, NULL) != 0, &sums);
	reward = bounded_argument(fcinfo, 1, "reward");
	propensity = PG_GETARG_FLOAT8(2);
	target = PG_GETARG_FLOAT8(3);
	if (!(propensity >= CRM_POLICY_PROPENSITY_MIN && propensity <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("propensity %g of a logged decision is out of range", propensity),
				 errdetail("What was chosen had a probability above 0 (at least %g), and at most 1.",
						   CRM_POLICY_PROPENSITY_MIN)));
	if (!(target >= 0 && target <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("target probability %g of a logged decision is out of range", target),
				 errdetail("It must lie between 0 and 1.")));
	if (modelled != (sums->modelled != 0) && sums->n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decisions with a model's predictions cannot be added to decisions without")));
	crm_policy_add(sums, reward, propensity, target, modelled,
				   modelled ? bounded_argument(fcinfo, 4, "prediction") : 0,
				   modelled ? bounded_argument(fcinfo, 5, "expected reward") : 0);
	PG_RETURN_ARRAYTYPE_P(state);
}

/* crm.policy_value_combine(float8[], float8[]): the decisions of both. */
Datum
crm_channel_policy_combine(PG_FUNCTION_ARGS)
{
	CrmPolicySums *sums,
			   *other;
	ArrayType  *state = get_sums(fcinfo, 0, AggCheckCallContext(fcinfo, NULL) != 0, &sums);

	get_sums(fcinfo, 1, false, &other);
	if (!crm_policy_combine(sums, other))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decisions with a model's predictions cannot be added to decisions without")));
	PG_RETURN_ARRAYTYPE_P(state);
}

/*
 * What to be warned of, or NULL.
 */
static char *
policy_warning(const CrmPolicySums *sums, const CrmPolicyValue *value)
{
	if (sums->n == 0)
		return pstrdup("no logged decision to judge by");
	if (value->effective == 0)
		return pstrdup("the policy would have taken none of the logged actions");
	if (value->effective < POLICY_EFFECTIVE_MIN)
		return psprintf("the log is worth only %.1f decisions of the policy's own: fewer than %d, too few to judge by",
						value->effective, POLICY_EFFECTIVE_MIN);

	/* Where the log could have taken whatever the policy takes, weights average 1. */
	if (fabs(value->mean_weight - 1) > 4 * value->mean_weight_error + 1e-6)
		return psprintf("weights average %.3f instead of 1: the propensities are wrong, or the policy takes actions that were never logged",
						value->mean_weight);
	return NULL;
}

/* crm.policy_value_final(float8[]) */
Datum
crm_channel_policy_final(PG_FUNCTION_ARGS)
{
	CrmPolicySums *sums;
	CrmPolicyValue value;
	TupleDesc	tupdesc;
	Datum		values[10];
	bool		nulls[10] = {false};
	char	   *warning;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	get_sums(fcinfo, 0, false, &sums);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE || tupdesc->natts != lengthof(values))
		elog(ERROR, "return type must be crm.policy_estimate");
	tupdesc = BlessTupleDesc(tupdesc);
	crm_policy_value(sums, &value);
	{
		const double estimates[] = {value.ips, value.ips_error, value.snips, value.snips_error, value.dr, value.dr_error};

		for (int i = 0; i < lengthof(estimates); i++)
		{
			values[i + 1] = Float8GetDatum(estimates[i]);
			nulls[i + 1] = isnan(estimates[i]);
		}
	}
	warning = policy_warning(sums, &value);
	values[0] = Int64GetDatum((int64) sums->n);
	values[7] = Float8GetDatum(value.effective);
	values[8] = BoolGetDatum(warning == NULL);
	values[9] = (Datum) 0;
	if (warning != NULL)
		values[9] = CStringGetTextDatum(warning);
	nulls[9] = warning == NULL;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
