/*-------------------------------------------------------------------------
 *
 * channel_prior.c
 *	  Beta priors of many customers: the aggregates crm.beta_prior and
 *	  crm.beta_regression, and a customer's own prior.
 *
 * The state is a bytea: a header, a small index, and the rows (successes,
 * failures, features) with the number of customers for each.  The index finds
 * the rows met lately, so that equal rows are usually one; it is too small to
 * miss the processor's cache, which a table of all rows does for each customer.
 * What it overlooks is put together when the state has grown large and before
 * the fit; the fit is the same, bit by bit, in either case.
 *
 * Support functions can be called by anybody with any bytea, so each checks
 * what it uses.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel_prior.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include <math.h>

#define STATE_MAGIC 0x43525031	/* "CRP1" */
#define STATE_MIN_ROWS 16
#define STATE_MAX_INDEX 4096
/* A state this full is first freed of equal rows, and grows only if that does not halve it. */
#define STATE_MERGE_FROM 1048576
#define RIDGE 1.0

typedef struct PriorState
{
	int32		vl_len_;
	uint32		magic;
	uint32		features;
	uint32		capacity;		/* rows there is room for: a power of two */
	uint32		used;
	uint32		unused;
	int64		customers;		/* in the rows */
	int64		silent;			/* customers without observations */
	/* the index, then the rows follow */
} PriorState;

typedef struct PriorRow
{
	float8		success;
	float8		failure;
	uint32		customers;
	float4		feature[FLEXIBLE_ARRAY_MEMBER];
} PriorRow;

StaticAssertDecl(sizeof(PriorState) == 40, "size of the state's header");

#define ROW_SIZE(features) MAXALIGN(offsetof(PriorRow, feature) + (features) * sizeof(float4))
#define INDEX_SIZE(capacity) Min(capacity, STATE_MAX_INDEX)
#define STATE_INDEX(state) ((uint32 *) ((char *) (state) + sizeof(PriorState)))
#define STATE_ROWS(state) ((char *) STATE_INDEX(state) + INDEX_SIZE((state)->capacity) * sizeof(uint32))

static const char *const boundary_names[] = {
	NULL, "no_information", "no_success", "no_failure", "strength_min", "strength_max", "strength_unknown"
};

PG_FUNCTION_INFO_V1(crm_beta_prior_accum);
PG_FUNCTION_INFO_V1(crm_beta_regression_accum);
PG_FUNCTION_INFO_V1(crm_beta_regression_combine);
PG_FUNCTION_INFO_V1(crm_beta_prior_final);
PG_FUNCTION_INFO_V1(crm_beta_regression_final);
PG_FUNCTION_INFO_V1(crm_beta_regression_prior);
PG_FUNCTION_INFO_V1(crm_beta_regression_mean);

/* The state ----------------------------------------------------------------------------------------------------- */

static Size
state_size(uint32 capacity, uint32 features)
{
	return sizeof(PriorState) + INDEX_SIZE(capacity) * sizeof(uint32) + (Size) capacity * ROW_SIZE(features);
}

static PriorState *
state_new(uint32 capacity, uint32 features)
{
	Size		size = state_size(capacity, features);
	PriorState *state;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many distinct rows for a fit"),
				 errhint("Fit a sample of the customers, or round their counts and features.")));
	state = palloc(size);
	memset(state, 0, sizeof(PriorState) + INDEX_SIZE(capacity) * sizeof(uint32));
	SET_VARSIZE(state, size);
	state->magic = STATE_MAGIC;
	state->features = features;
	state->capacity = capacity;
	return state;
}

pg_noinline static void
state_error(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of a fit"),
			 errdetail("%s", detail)));
}

/*
 * A state as an argument: what its header says must hold, or else 22P03.
 * "writable": the caller will change it, which is right in place only inside
 * an aggregate.
 */
static PriorState *
state_argument(FunctionCallInfo fcinfo, int argument, bool writable)
{
	PriorState *state = (PriorState *) PG_GETARG_BYTEA_P(argument);

	if (VARSIZE(state) < sizeof(PriorState) || state->magic != STATE_MAGIC ||
		state->features > CRM_PRIOR_FEATURES ||
		state->capacity < STATE_MIN_ROWS || (state->capacity & (state->capacity - 1)) != 0 ||
		state->used > state->capacity || state->customers < 0 || state->silent < 0 ||
		VARSIZE(state) != state_size(state->capacity, state->features))
		state_error("The value was not made by this aggregate's own functions.");
	if (writable && AggCheckCallContext(fcinfo, NULL) == 0)
	{
		PriorState *copy = palloc(VARSIZE(state));

		memcpy(copy, state, VARSIZE(state));
		state = copy;
	}
	return state;
}

static inline PriorRow *
row_at(PriorState *state, Size row_size, uint32 i)
{
	return (PriorRow *) (STATE_ROWS(state) + i * row_size);
}

static inline uint64
row_hash(const PriorRow *row, uint32 features)
{
	return crm_prior_hash(row->success, row->failure, row->feature, features);
}

static inline bool
row_equal(const PriorRow *one, const PriorRow *other, uint32 features)
{
	return one->success == other->success && one->failure == other->failure &&
		memcmp(one->feature, other->feature, features * sizeof(float4)) == 0;
}

static inline void
row_count(PriorRow *row, uint32 customers)
{
	if (pg_add_u32_overflow(row->customers, customers, &row->customers))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("too many equal customers for a fit")));
}

/*
 * Makes one row of equal ones, in place.
 */
static void
state_merge(PriorState *state)
{
	Size		row_size = ROW_SIZE(state->features);
	uint32		slots = STATE_MIN_ROWS;
	uint32		kept = 0;
	uint32	   *table;

	while (slots < state->used / 3 * 4 + 4)
		slots *= 2;
	table = MemoryContextAllocExtended(CurrentMemoryContext, slots * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < state->used; i++)
	{
		PriorRow   *row = row_at(state, row_size, i);
		uint32		at = (uint32) (row_hash(row, state->features) >> 32) & (slots - 1);

		while (table[at] != 0 && !row_equal(row_at(state, row_size, table[at] - 1), row, state->features))
			at = (at + 1) & (slots - 1);
		if (table[at] != 0)
			row_count(row_at(state, row_size, table[at] - 1), row->customers);
		else
		{
			if (kept != i)
				memcpy(row_at(state, row_size, kept), row, row_size);
			table[at] = ++kept;
		}
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	pfree(table);
	state->used = kept;
	memset(STATE_INDEX(state), 0, INDEX_SIZE(state->capacity) * sizeof(uint32));
}

/* A state with room for one row more. */
static PriorState *
state_reserve(PriorState *state)
{
	PriorState *larger;
	uint32		mask;
	Size		row_size = ROW_SIZE(state->features);

	if (likely(state->used < state->capacity))
		return state;
	if (state->capacity >= STATE_MERGE_FROM)
	{
		state_merge(state);
		if (state->used < state->capacity / 2)
			return state;
	}
	larger = state_new(state->capacity * 2, state->features);
	larger->used = state->used;
	larger->customers = state->customers;
	larger->silent = state->silent;
	memcpy(STATE_ROWS(larger), STATE_ROWS(state), state->used * row_size);
	mask = INDEX_SIZE(larger->capacity) - 1;
	for (uint32 i = larger->used > mask ? larger->used - mask : 0; i < larger->used; i++)
		STATE_INDEX(larger)[(uint32) (row_hash(row_at(larger, row_size, i), larger->features) >> 32) & mask] = i + 1;
	return larger;
}

/* Adds a row. */
static inline PriorState *
state_put(PriorState *state, const PriorRow *row)
{
	uint32		features = state->features;
	Size		row_size = ROW_SIZE(features);
	uint32	   *found;
	PriorRow   *new_row;

	state = state_reserve(state);
	found = &STATE_INDEX(state)[(uint32) (row_hash(row, features) >> 32) & (INDEX_SIZE(state->capacity) - 1)];
	if (*found > 0 && *found <= state->used && row_equal(row_at(state, row_size, *found - 1), row, features))
	{
		row_count(row_at(state, row_size, *found - 1), row->customers);
		return state;
	}
	new_row = row_at(state, row_size, state->used);
	/* The end of a row may be padding. */
	memset((char *) new_row + row_size - sizeof(uint64), 0, sizeof(uint64));
	memcpy(new_row, row, offsetof(PriorRow, feature) + features * sizeof(float4));
	*found = ++state->used;
	return state;
}

/* Transition ---------------------------------------------------------------------------------------------------- */

static Datum
skip_row(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static inline bool
valid_counts(float8 success, float8 failure)
{
	return success >= 0 && success <= CRM_PRIOR_COUNT_MAX && failure >= 0 && failure <= CRM_PRIOR_COUNT_MAX;
}

/*
 * The elements of a one-dimensional float8 array; 22023 otherwise.
 */
static float8 *
float8_elements(ArrayType *array, const char *name, bits8 **nulls, int *count)
{
	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a one-dimensional array", name)));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (nulls != NULL)
		*nulls = ARR_NULLBITMAP(array);
	else if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
	return (float8 *) ARR_DATA_PTR(array);
}

#define IS_NULL_AT(nulls, i) ((nulls) != NULL && ((nulls)[(i) / 8] & (1 << ((i) % 8))) == 0)

/* (state, success, failure [, features]) */
static Datum
accumulate(FunctionCallInfo fcinfo, bool regression)
{
	PriorState *state;
	union
	{
		PriorRow	row;
		char		space[ROW_SIZE(CRM_PRIOR_FEATURES)];
	}			new;
	int			features = 0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (regression && PG_ARGISNULL(3)))
		return skip_row(fcinfo);
	new.row.success = PG_GETARG_FLOAT8(1);
	new.row.failure = PG_GETARG_FLOAT8(2);
	new.row.customers = 1;
	if (!valid_counts(new.row.success, new.row.failure))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("invalid customer: success = %g, failure = %g", new.row.success, new.row.failure),
				 errdetail("Successes and failures must lie between 0 and %g.", CRM_PRIOR_COUNT_MAX)));
	new.row.success += 0.0;		/* minus zero is zero */
	new.row.failure += 0.0;
	if (regression)
	{
		bits8	   *nulls;
		float8	   *x = float8_elements(PG_GETARG_ARRAYTYPE_P(3), "features", &nulls, &features);

		if (features > CRM_PRIOR_FEATURES)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("at most %d features are possible, not %d", CRM_PRIOR_FEATURES, features)));
		for (int i = 0; i < features; i++)
		{
			if (IS_NULL_AT(nulls, i))
			{
				new.row.feature[i] = get_float4_nan();
				continue;
			}
			if (!(fabs(*x) <= CRM_PRIOR_FEATURE_MAX))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("feature %d must lie between %g and %g, not be %g", i + 1,
								-CRM_PRIOR_FEATURE_MAX, CRM_PRIOR_FEATURE_MAX, *x)));
			new.row.feature[i] = (float4) *x + 0.0f;
			x++;
		}
	}
	state = PG_ARGISNULL(0) ? state_new(STATE_MIN_ROWS, features) : state_argument(fcinfo, 0, true);
	if (state->features != features)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all customers must have the same number of features: %u, not %d", state->features, features)));
	if (new.row.success == 0 && new.row.failure == 0)
		state->silent++;
	else
	{
		state = state_put(state, &new.row);
		state->customers++;
	}
	PG_RETURN_POINTER(state);
}

/*
 * Transition of crm.beta_prior(success, failure)
 */
Datum
crm_beta_prior_accum(PG_FUNCTION_ARGS)
{
	return accumulate(fcinfo, false);
}

/*
 * Transition of crm.beta_regression(success, failure, features)
 */
Datum
crm_beta_regression_accum(PG_FUNCTION_ARGS)
{
	return accumulate(fcinfo, true);
}

/* Is this row one that the transition functions make? */
static void
check_row(const PriorRow *row, uint32 features)
{
	if (!valid_counts(row->success, row->failure) || (row->success == 0 && row->failure == 0) || row->customers == 0)
		state_error("It contains a row without customers or observations.");
	for (uint32 i = 0; i < features; i++)
		if (fabsf(row->feature[i]) > (float) CRM_PRIOR_FEATURE_MAX)
			state_error("It contains a feature that is out of range.");
}

/*
 * Two states of the same aggregate.
 */
Datum
crm_beta_regression_combine(PG_FUNCTION_ARGS)
{
	PriorState *state;
	PriorState *other;
	Size		row_size;
	uint64		counted = 0;

	if (PG_ARGISNULL(1))
		return skip_row(fcinfo);
	other = state_argument(fcinfo, 1, false);
	row_size = ROW_SIZE(other->features);
	state = PG_ARGISNULL(0) ? state_new(STATE_MIN_ROWS, other->features) : state_argument(fcinfo, 0, true);
	if (state->features != other->features)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all customers must have the same number of features: %u, not %u", state->features, other->features)));
	for (uint32 i = 0; i < other->used; i++)
	{
		PriorRow   *row = row_at(other, row_size, i);

		check_row(row, other->features);
		state = state_put(state, row);
		counted += row->customers;
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	if (counted != (uint64) other->customers ||
		pg_add_s64_overflow(state->customers, other->customers, &state->customers) ||
		pg_add_s64_overflow(state->silent, other->silent, &state->silent))
		state_error("Its rows do not add up.");
	PG_RETURN_POINTER(state);
}

/* Results ------------------------------------------------------------------------------------------------------- */

/* Asked for by the fit, which then returns normally and frees its memory. */
static bool
cancel_pending(void)
{
	return QueryCancelPending || ProcDiePending;
}

static void
run_fit(CrmPriorRows *rows, CrmPriorFit *fit)
{
	switch (crm_prior_fit(rows, RIDGE, cancel_pending, fit))
	{
		case CRM_PRIOR_STOPPED:
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("canceling fit due to user request")));
			break;
		case CRM_PRIOR_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Failed while fitting a prior to %zu distinct rows.", rows->rows)));
			break;
		case CRM_PRIOR_DONE:
			break;
	}
}

/*
 * Fits the rows of a state, which stays as it is; "common" gets the fit
 * without features.
 */
static void
fit_state(PriorState *original, CrmPriorFit *fit, double *mean, double *deviation, CrmPriorFit *common)
{
	PriorState *state = MemoryContextAllocHuge(CurrentMemoryContext, VARSIZE(original));
	Size		row_size = ROW_SIZE(original->features);
	uint64		counted = 0;
	CrmPriorRows rows;

	memcpy(state, original, VARSIZE(original));
	for (uint32 i = 0; i < state->used; i++)
	{
		PriorRow   *row = row_at(state, row_size, i);

		check_row(row, state->features);
		counted += row->customers;
	}
	if (counted != (uint64) state->customers)
		state_error("Its rows do not add up.");
	state_merge(state);

	rows.rows = state->used;
	rows.features = state->features;
	rows.success = MemoryContextAllocHuge(CurrentMemoryContext, (state->used + 1) * sizeof(double));
	rows.failure = MemoryContextAllocHuge(CurrentMemoryContext, (state->used + 1) * sizeof(double));
	rows.customers = MemoryContextAllocHuge(CurrentMemoryContext, (state->used + 1) * sizeof(uint32));
	rows.feature = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) state->used * state->features + 1) * sizeof(float4));
	for (uint32 i = 0; i < state->used; i++)
	{
		PriorRow   *row = row_at(state, row_size, i);

		rows.success[i] = row->success;
		rows.failure[i] = row->failure;
		rows.customers[i] = row->customers;
		memcpy(rows.feature + (Size) i * state->features, row->feature, state->features * sizeof(float4));
	}
	pfree(state);
	crm_prior_standardise(&rows, mean, deviation);
	run_fit(&rows, fit);
	if (common != NULL)
	{
		*common = *fit;
		if (rows.features > 0)
		{
			rows.features = 0;
			run_fit(&rows, common);
		}
	}
	pfree(rows.success);
	pfree(rows.failure);
	pfree(rows.customers);
	pfree(rows.feature);
}

static TupleDesc
result_type(FunctionCallInfo fcinfo)
{
	TupleDesc	tupdesc = (TupleDesc) fcinfo->flinfo->fn_extra;

	if (tupdesc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		tupdesc = BlessTupleDesc(tupdesc);
		fcinfo->flinfo->fn_extra = tupdesc;
		MemoryContextSwitchTo(old);
	}
	return tupdesc;
}

/* The columns from log_likelihood on, which both results have. */
static void
common_columns(PriorState *state, const CrmPriorFit *fit, Datum *values, bool *nulls)
{
	bool		known = fit->boundary != CRM_PRIOR_NO_INFORMATION && fit->boundary != CRM_PRIOR_NO_SUCCESS &&
		fit->boundary != CRM_PRIOR_NO_FAILURE;

	values[0] = Float8GetDatum(fit->log_likelihood);
	nulls[0] = !known;
	values[1] = Int64GetDatum(state->customers + state->silent);
	values[2] = Int64GetDatum(state->customers);
	values[3] = Int32GetDatum(fit->iterations);
	values[4] = BoolGetDatum(fit->converged);
	nulls[5] = boundary_names[fit->boundary] == NULL;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(boundary_names[fit->boundary]);
}

/*
 * The result of crm.beta_prior
 */
Datum
crm_beta_prior_final(PG_FUNCTION_ARGS)
{
	PriorState *state;
	CrmPriorFit fit;
	Datum		values[8] = {0};
	bool		nulls[8] = {false};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = state_argument(fcinfo, 0, false);
	if (state->features != 0)
		state_error("It is the state of a regression.");
	fit_state(state, &fit, NULL, NULL, NULL);
	common_columns(state, &fit, &values[2], &nulls[2]);
	nulls[0] = nulls[1] = nulls[2];
	values[0] = Float8GetDatum(fit.strength / (1 + exp(-fit.weight[0])));
	values[1] = Float8GetDatum(fit.strength / (1 + exp(fit.weight[0])));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo), values, nulls)));
}

static Datum
float8_array(const double *number, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = Float8GetDatum(number[i]);
	return PointerGetDatum(construct_array(elements, count, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * The result of crm.beta_regression; the weights in the features' own units.
 */
Datum
crm_beta_regression_final(PG_FUNCTION_ARGS)
{
	PriorState *state;
	CrmPriorFit fit;
	CrmPriorFit common;
	double		mean[CRM_PRIOR_FEATURES];
	double		deviation[CRM_PRIOR_FEATURES];
	Datum		values[15] = {0};
	bool		nulls[15] = {false};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = state_argument(fcinfo, 0, false);
	fit_state(state, &fit, mean, deviation, &common);
	for (uint32 i = 0; i < state->features; i++)
	{
		fit.weight[i + 1] /= deviation[i];
		fit.weight[0] -= fit.weight[i + 1] * mean[i];
	}
	common_columns(state, &fit, &values[4], &nulls[4]);
	nulls[0] = nulls[1] = nulls[2] = nulls[3] = nulls[10] = nulls[11] = nulls[12] = nulls[4];
	values[0] = float8_array(fit.weight, state->features + 1);
	values[1] = Float8GetDatum(fit.strength);
	values[2] = float8_array(mean, state->features);
	values[3] = float8_array(deviation, state->features);
	values[10] = Float8GetDatum(common.strength / (1 + exp(-common.weight[0])));
	values[11] = Float8GetDatum(common.strength / (1 + exp(common.weight[0])));
	values[12] = Float8GetDatum(common.log_likelihood);
	values[13] = Float8GetDatum(fit.successes);
	values[14] = Float8GetDatum(fit.failures);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo), values, nulls)));
}

/* A customer's own prior ---------------------------------------------------------------------------------------- */

/*
 * crm_prior_logit() of an array of features, of which there are at least as
 * many as the weights ask for.  Error 22003 when there is no sum.
 */
double
crm_prior_logit_of(const double *weight, int weights, const double *mean, ArrayType *features)
{
	double		logit = crm_prior_logit(weight, weights, mean, (const double *) ARR_DATA_PTR(features), ARR_NULLBITMAP(features));

	if (isnan(logit))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights and features are out of range"),
				 errdetail("Their products do not have a sum.")));
	return logit;
}

/*
 * The logit of the prior's mean from the arguments weights, features and means
 * in these places.  Features that are not known have their means; those beyond
 * the weights came later than the fit and do not count.
 */
static double
prior_logit(FunctionCallInfo fcinfo, int at_weights, int at_features, int at_means)
{
	int			weights,
				features,
				means;
	bits8	   *nulls;
	ArrayType  *x = PG_GETARG_ARRAYTYPE_P(at_features);
	float8	   *w = float8_elements(PG_GETARG_ARRAYTYPE_P(at_weights), "weights", NULL, &weights);
	float8	   *m;

	(void) float8_elements(x, "features", &nulls, &features);
	m = float8_elements(PG_GETARG_ARRAYTYPE_P(at_means), "means", NULL, &means);
	if (weights < 1 || features < weights - 1 || means != weights - 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("weights, features and means do not fit together"),
				 errdetail("There are %d weights, %d features and %d means; after the first weight each weight has a feature and a mean.",
						   weights, features, means)));
	return crm_prior_logit_of(w, weights, m, x);
}

/*
 * crm.beta_regression_prior(weights, strength, features, means, OUT a, OUT b)
 */
Datum
crm_beta_regression_prior(PG_FUNCTION_ARGS)
{
	float8		strength = PG_GETARG_FLOAT8(1);
	double		a,
				b;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (!(strength > 0 && strength <= 1e6))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("strength %g of a prior is out of range", strength),
				 errdetail("It must be positive and at most 1000000.")));
	crm_prior_shapes(prior_logit(fcinfo, 0, 2, 3), strength, &a, &b);
	values[0] = Float8GetDatum(a);
	values[1] = Float8GetDatum(b);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo), values, nulls)));
}

/*
 * crm.beta_regression_mean(weights, features, means)
 */
Datum
crm_beta_regression_mean(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(1 / (1 + exp(-prior_logit(fcinfo, 0, 1, 2))));
}
