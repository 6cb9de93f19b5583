/*-------------------------------------------------------------------------
 *
 * insight.c
 *	  Fitting customer-base models: the aggregates.
 *
 * The state is a bytea: a header and a hash table of the distinct rows with
 * their counts, so that it grows with what differs and not with customers,
 * can be merged in any order, and can travel between servers.  While an
 * aggregate runs, the table is changed in place.  The final functions are in
 * insight_result.c.
 *
 * Support functions can be called by anybody with any bytea, even as parts of
 * an aggregate of one's own; so each checks the header, and every row is
 * checked again before it is used.
 *
 *-------------------------------------------------------------------------
 */
#include "insight.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/memutils.h"
#include "miscadmin.h"

#include <math.h>

static const char *const model_names[CRM_MODELS] = {
	"nbd", "bg_nbd", "mbg_nbd", "pareto_nbd", "bg_cnbd", "mbg_cnbd", "gamma_gamma", "bg_bb", "sbg"
};

const char *
crm_model_name(CrmModel model)
{
	return model_names[model];
}

/* The model of that name, or -1. */
int
crm_model_by_name(const char *name)
{
	for (int i = 0; i < CRM_MODELS; i++)
		if (strcmp(model_names[i], name) == 0)
			return i;
	return -1;
}

pg_noinline void
crm_customer_error(double x, double t_x, double t, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid customer: x = %g, t_x = %g, t = %g", x, t_x, t),
			 errdetail("%s", detail)));
}

/*
 * x repeat purchases, the last at t_x, watched until t, all from the first
 * purchase on.  Error 22023 naming the row.
 */
void
crm_check_customer(double x, double t_x, double t)
{
	if (likely(x >= 0 && x <= CRM_MAX_COUNT && x == floor(x) && t_x >= 0 && t_x <= t &&
			   t <= CRM_MAX_MEASURE && (x > 0) == (t_x > 0)))
		return;
	if (!(x >= 0) || x > CRM_MAX_COUNT || x != floor(x))
		crm_customer_error(x, t_x, t, "The number of repeat purchases, x, must be a whole number from 0 to 1000000000.");
	if (!(t_x >= 0) || !(t >= 0) || t > CRM_MAX_MEASURE)
		crm_customer_error(x, t_x, t, "Times are counted from the first purchase and must be finite and not negative.");
	if (t_x > t)
		crm_customer_error(x, t_x, t, "The last purchase, t_x, is after the end of the observation, t.");
	if (x > 0)
		crm_customer_error(x, t_x, t, "Repeat purchases take place after the first purchase, so t_x must be greater than 0.");
	crm_customer_error(x, t_x, t, "Without repeat purchases, the last purchase is the first, so t_x must be 0.");
}

/* x of n opportunities taken, the last one t_x, each a whole number. */
void
crm_check_periods(double x, double t_x, double n)
{
	if (likely(x >= 0 && x <= t_x && t_x <= n && n <= CRM_MAX_PERIODS && x == floor(x) &&
			   t_x == floor(t_x) && n == floor(n) && (x > 0) == (t_x > 0)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid customer: x = %g, t_x = %g, n = %g", x, t_x, n),
			 errdetail("Of n opportunities, at most %d, x were taken, the last of them at number t_x: whole numbers, x <= t_x <= n, and t_x = 0 only with x = 0.",
					   CRM_MAX_PERIODS)));
}

/* x purchases of mean value m_x. */
void
crm_check_spend(double x, double m_x)
{
	if (likely(x >= 0 && x <= CRM_MAX_COUNT && x == floor(x) && m_x >= 0 && m_x <= CRM_MAX_MEASURE))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid customer: x = %g, m_x = %g", x, m_x),
			 errdetail("The number of purchases, x, must be a whole number from 0 to 1000000000, and their mean value, m_x, finite and not negative.")));
}

/*
 * The elements of a one-dimensional float8 array without nulls; "what" names
 * it in the error (22023, 22004 for a null).
 */
float8 *
crm_float8_array(ArrayType *array, const char *what, int *count)
{
	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a one-dimensional array", what)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", what)));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (float8 *) ARR_DATA_PTR(array);
}

/* The state -------------------------------------------------------------------------------------------------- */

static Size
state_size(uint32 slots, int values)
{
	return sizeof(FitState) + (Size) slots * SLOT_SIZE(values);
}

static FitState *
state_new(int model, int values, int covariates, int regularity, uint32 slots)
{
	Size		size = state_size(slots, values);
	FitState   *state;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many distinct rows for a fit"),
				 errhint("Round times to days and amounts to the currency's smallest unit, or fit a sample.")));
	state = palloc0(size);
	SET_VARSIZE(state, size);
	state->magic = STATE_MAGIC;
	state->model = model;
	state->values = values;
	state->covariates = covariates;
	state->regularity = regularity;
	state->slots = slots;
	return state;
}

static int
state_values(int model, int covariates)
{
	if (model == CRM_GAMMA_GAMMA || model == CRM_SBG || model == STATE_SURVIVAL)
		return 1;
	return covariates + 2;
}

/*
 * A state as an argument: what its header says must hold, or else 22P03.
 * "writable": the caller will change it, which is right in place only inside
 * an aggregate.
 */
FitState *
crm_fit_state(FunctionCallInfo fcinfo, int argument, int model, bool writable)
{
	FitState   *state = (FitState *) PG_GETARG_BYTEA_P(argument);

	if (VARSIZE(state) < sizeof(FitState) || state->magic != STATE_MAGIC ||
		(model >= 0 && state->model != model) || state->model > STATE_SURVIVAL ||
		state->covariates > CRM_MAX_COVARIATES ||
		(state->covariates > 0 && state->model > CRM_PARETO_NBD) ||
		state->regularity > CRM_MAX_REGULARITY ||
		state->values != state_values(state->model, state->covariates) ||
		state->slots < STATE_MIN_SLOTS || (state->slots & (state->slots - 1)) != 0 ||
		state->used > STATE_FULL(state->slots) ||
		VARSIZE(state) != state_size(state->slots, state->values))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of a fit"),
				 errdetail("The value was not made by this aggregate's own functions.")));
	if (writable && AggCheckCallContext(fcinfo, NULL) == 0)
	{
		FitState   *copy = palloc(VARSIZE(state));

		memcpy(copy, state, VARSIZE(state));
		state = copy;
	}
	return state;
}

/* Adds "count" customers with the same x and values. */
static inline void
state_put(FitState *state, uint32 x, const float8 *value, uint32 count)
{
	int			values = state->values;
	uint64		hash = x * UINT64CONST(0x9E3779B97F4A7C15);
	uint32		at;

	for (int i = 0; i < values; i++)
	{
		uint64		bits;

		memcpy(&bits, &value[i], sizeof(bits));
		hash = (hash ^ bits) * UINT64CONST(0xFF51AFD7ED558CCD);
		hash ^= hash >> 32;
	}
	hash *= UINT64CONST(0xC4CEB9FE1A85EC53);
	at = (uint32) (hash >> 32) & (state->slots - 1);
	for (uint32 i = 0; i < state->slots; i++, at = (at + 1) & (state->slots - 1))
	{
		FitSlot    *slot = STATE_SLOT(state, at);

		if (slot->count == 0)
		{
			slot->count = count;
			slot->x = x;
			memcpy(slot->value, value, values * sizeof(float8));
			state->used++;
			return;
		}
		if (slot->x == x && memcmp(slot->value, value, values * sizeof(float8)) == 0)
		{
			if (pg_add_u32_overflow(slot->count, count, &slot->count))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("too many equal customers for a fit")));
			return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of a fit")));
}

/*
 * Room for one row more, if necessary in a table of twice the size.  The
 * executor copies a state that is not where the last one was.
 */
static inline FitState *
state_reserve(FitState *state)
{
	FitState   *larger;

	if (likely(state->used < STATE_FULL(state->slots)))
		return state;
	larger = state_new(state->model, state->values, state->covariates, state->regularity,
					   state->slots <= PG_UINT32_MAX / 2 ? state->slots * 2 : state->slots);
	for (uint32 i = 0; i < state->slots; i++)
	{
		FitSlot    *slot = STATE_SLOT(state, i);

		if (slot->count > 0)
			state_put(larger, slot->x, slot->value, slot->count);
	}
	larger->customers = state->customers;
	memcpy(larger->log_gaps, state->log_gaps, sizeof(state->log_gaps));
	return larger;
}

static void
state_add_log(FitState *state, int128 more)
{
	int128		sum;

	memcpy(&sum, state->log_gaps, sizeof(sum));
	if (__builtin_add_overflow(sum, more, &sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of the logarithms of gaps is out of range")));
	memcpy(state->log_gaps, &sum, sizeof(sum));
}

static inline FitState *
state_count(FitState *state, double x, float8 *value)
{
	state = state_reserve(state);
	for (int i = 0; i < state->values; i++)
		value[i] += 0.0;		/* minus zero is zero */
	state_put(state, (uint32) x, value, 1);
	state->customers++;
	return state;
}

/* Transition functions ----------------------------------------------------------------------------------------- */

/* Is any argument from "first" on null?  Then the row does not count. */
static inline bool
any_null(FunctionCallInfo fcinfo, int first)
{
	for (int i = first; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

static Datum
skip_row(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* (state, x, t_x, t [, covariates]) */
static Datum
accumulate_timing(FunctionCallInfo fcinfo, CrmModel model)
{
	FitState   *state = NULL;
	double		x,
				t_x,
				t;
	float8		value[CRM_MAX_COVARIATES + 2];
	int			covariates = 0;

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	t_x = PG_GETARG_FLOAT8(2);
	t = PG_GETARG_FLOAT8(3);
	crm_check_customer(x, t_x, t);
	if (!PG_ARGISNULL(0))
		state = crm_fit_state(fcinfo, 0, model, true);
	if (PG_NARGS() > 4)
	{
		float8	   *z = crm_float8_array(PG_GETARG_ARRAYTYPE_P(4), "covariates", &covariates);

		if (covariates > CRM_MAX_COVARIATES)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("at most %d covariates are possible, not %d", CRM_MAX_COVARIATES, covariates)));
		for (int i = 0; i < covariates; i++)
		{
			if (!(fabs(z[i]) <= CRM_MAX_MEASURE))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("covariate %d must be finite, not %g", i + 1, z[i])));
			value[i] = z[i];
		}
	}
	if (state != NULL && state->covariates != covariates)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all customers must have the same number of covariates: %d, not %d",
						state->covariates, covariates)));
	value[covariates] = t_x;
	value[covariates + 1] = t;
	if (state == NULL)
		state = state_new(model, covariates + 2, covariates, 1, STATE_MIN_SLOTS);
	PG_RETURN_POINTER(state_count(state, x, value));
}

/* (state, x, t_x, t, log_gaps [, k]) */
static Datum
accumulate_regular(FunctionCallInfo fcinfo, CrmModel model)
{
	FitState   *state = NULL;
	double		x,
				t_x,
				log_gaps;
	float8		value[2];
	int			k = 0;

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	t_x = value[0] = PG_GETARG_FLOAT8(2);
	value[1] = PG_GETARG_FLOAT8(3);
	log_gaps = PG_GETARG_FLOAT8(4);
	crm_check_customer(x, t_x, value[1]);
	/* The gaps add up to t_x, so their logarithms are largest when equal. */
	if (!(fabs(log_gaps) <= LOG_MAX) || (x == 0 && log_gaps != 0) ||
		(x > 0 && log_gaps > x * log(t_x / x) + 1e-6 * (x + fabs(log_gaps))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid customer: x = %g, t_x = %g, t = %g, log_gaps = %g", x, t_x, value[1], log_gaps),
				 errdetail("The sum of the logarithms of the x gaps between purchases is at most x * ln(t_x / x); it is 0 when x is 0.")));
	if (PG_NARGS() > 5)
	{
		k = PG_GETARG_INT32(5);
		if (k < 1 || k > CRM_MAX_REGULARITY)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the regularity k must be from 1 to %d, not %d", CRM_MAX_REGULARITY, k)));
	}
	if (!PG_ARGISNULL(0))
	{
		state = crm_fit_state(fcinfo, 0, model, true);
		if (state->regularity != k)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the regularity k must be the same for all customers")));
	}
	else
		state = state_new(model, 2, 0, k, STATE_MIN_SLOTS);
	state = state_count(state, x, value);
	state_add_log(state, (int128) rint(log_gaps * LOG_UNIT));
	PG_RETURN_POINTER(state);
}

#define TIMING_ACCUM(name, model) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return accumulate_timing(fcinfo, model); \
}

TIMING_ACCUM(crm_nbd_accum, CRM_NBD)
TIMING_ACCUM(crm_bg_nbd_accum, CRM_BG_NBD)
TIMING_ACCUM(crm_mbg_nbd_accum, CRM_MBG_NBD)
TIMING_ACCUM(crm_pareto_nbd_accum, CRM_PARETO_NBD)

PG_FUNCTION_INFO_V1(crm_bg_cnbd_accum);
PG_FUNCTION_INFO_V1(crm_mbg_cnbd_accum);
PG_FUNCTION_INFO_V1(crm_gamma_gamma_accum);
PG_FUNCTION_INFO_V1(crm_bg_bb_accum);
PG_FUNCTION_INFO_V1(crm_sbg_accum);
PG_FUNCTION_INFO_V1(crm_survival_accum);
PG_FUNCTION_INFO_V1(crm_fit_combine);

Datum
crm_bg_cnbd_accum(PG_FUNCTION_ARGS)
{
	return accumulate_regular(fcinfo, CRM_BG_CNBD);
}

Datum
crm_mbg_cnbd_accum(PG_FUNCTION_ARGS)
{
	return accumulate_regular(fcinfo, CRM_MBG_CNBD);
}

/*
 * (state, x, m_x); customers without repeat purchases or who got everything
 * for nothing say nothing about spending and do not count.
 */
Datum
crm_gamma_gamma_accum(PG_FUNCTION_ARGS)
{
	FitState   *state;
	double		x;
	float8		m_x;

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	m_x = PG_GETARG_FLOAT8(2);
	crm_check_spend(x, m_x);
	if (x == 0 || m_x == 0)
		return skip_row(fcinfo);
	state = PG_ARGISNULL(0) ? state_new(CRM_GAMMA_GAMMA, 1, 0, 1, STATE_MIN_SLOTS) :
		crm_fit_state(fcinfo, 0, CRM_GAMMA_GAMMA, true);
	PG_RETURN_POINTER(state_count(state, x, &m_x));
}

/* (state, x, t_x, n) */
Datum
crm_bg_bb_accum(PG_FUNCTION_ARGS)
{
	FitState   *state;
	double		x;
	float8		value[2];

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	value[0] = PG_GETARG_FLOAT8(2);
	value[1] = PG_GETARG_FLOAT8(3);
	crm_check_periods(x, value[0], value[1]);
	state = PG_ARGISNULL(0) ? state_new(CRM_BG_BB, 2, 0, 1, STATE_MIN_SLOTS) :
		crm_fit_state(fcinfo, 0, CRM_BG_BB, true);
	PG_RETURN_POINTER(state_count(state, x, value));
}

/* (state, periods, lost) */
Datum
crm_sbg_accum(PG_FUNCTION_ARGS)
{
	FitState   *state;
	float8		periods;
	bool		lost;

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	periods = PG_GETARG_FLOAT8(1);
	lost = PG_GETARG_BOOL(2);
	if (!(periods >= lost && periods <= CRM_MAX_COUNT && periods == floor(periods)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid contract: %g periods, %s", periods, lost ? "lost" : "not lost"),
				 errdetail("Periods are a whole number from 0 to 1000000000; a lost contract has had at least one.")));
	state = PG_ARGISNULL(0) ? state_new(CRM_SBG, 1, 0, 1, STATE_MIN_SLOTS) :
		crm_fit_state(fcinfo, 0, CRM_SBG, true);
	PG_RETURN_POINTER(state_count(state, lost, &periods));
}

/* (state, duration, event) */
Datum
crm_survival_accum(PG_FUNCTION_ARGS)
{
	FitState   *state;
	float8		duration;

	if (any_null(fcinfo, 1))
		return skip_row(fcinfo);
	duration = PG_GETARG_FLOAT8(1);
	if (!(duration >= 0 && duration <= CRM_MAX_MEASURE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a duration must be finite and not negative, not %g", duration)));
	state = PG_ARGISNULL(0) ? state_new(STATE_SURVIVAL, 1, 0, 1, STATE_MIN_SLOTS) :
		crm_fit_state(fcinfo, 0, STATE_SURVIVAL, true);
	PG_RETURN_POINTER(state_count(state, PG_GETARG_BOOL(2), &duration));
}

/* (state, state): the rows of the second are put to those of the first. */
Datum
crm_fit_combine(PG_FUNCTION_ARGS)
{
	FitState   *state;
	FitState   *other;
	uint64		counted = 0;
	uint32		used = 0;
	int128		log_gaps;

	if (PG_ARGISNULL(1))
		return skip_row(fcinfo);
	other = crm_fit_state(fcinfo, 1, -1, false);
	if (PG_ARGISNULL(0))
		state = state_new(other->model, other->values, other->covariates, other->regularity, STATE_MIN_SLOTS);
	else
	{
		state = crm_fit_state(fcinfo, 0, other->model, true);
		if (state->covariates != other->covariates || state->regularity != other->regularity)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("all customers must have the same number of covariates and the same regularity k")));
	}
	for (uint32 i = 0; i < other->slots; i++)
	{
		FitSlot    *slot = STATE_SLOT(other, i);

		if (slot->count == 0)
			continue;
		state = state_reserve(state);
		state_put(state, slot->x, slot->value, slot->count);
		counted += slot->count;
		used++;
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	if (used != other->used || counted != (uint64) other->customers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of a fit"),
				 errdetail("Its rows do not add up.")));
	state->customers += other->customers;
	memcpy(&log_gaps, other->log_gaps, sizeof(log_gaps));
	state_add_log(state, log_gaps);
	PG_RETURN_POINTER(state);
}
