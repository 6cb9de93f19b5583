/*-------------------------------------------------------------------------
 *
 * channel_prior_loss.c
 *	  The aggregates crm.prequential_loss and crm.compare_half_lives: how well
 *	  the past foretells, for several half-lives at once.
 *
 * The state is a bytea: what does not change, and the trials in any order.
 * They are sorted by time when the loss is asked for, so the aggregate needs
 * no ORDER BY, and its parts can be merged.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel_prior_math.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include <math.h>

#define LOSS_MAGIC 0x43524C31	/* "CRL1" */
#define LOSS_MIN_TRIALS 16
#define MAX_HALF_LIVES 64
#define MAX_TIME 1e15
#define MAX_PRIOR 1e6

typedef struct LossState
{
	int32		vl_len_;
	uint32		magic;
	uint32		half_lives;
	uint32		capacity;		/* trials there is room for: a power of two */
	int64		used;
	float8		prior_a;
	float8		prior_b;
	float8		half_life[MAX_HALF_LIVES];
	CrmTrial	trial[FLEXIBLE_ARRAY_MEMBER];
} LossState;

StaticAssertDecl(sizeof(CrmTrial) == 3 * sizeof(float8), "size of a trial");

PG_FUNCTION_INFO_V1(crm_prequential_loss_accum);
PG_FUNCTION_INFO_V1(crm_prequential_loss_accum_time);
PG_FUNCTION_INFO_V1(crm_prequential_loss_combine);
PG_FUNCTION_INFO_V1(crm_prequential_loss_final);
PG_FUNCTION_INFO_V1(crm_half_life_comparison_final);

static Size
state_size(uint32 capacity)
{
	return offsetof(LossState, trial) + (Size) capacity * sizeof(CrmTrial);
}

static LossState *
state_new(const LossState *like, uint32 capacity)
{
	Size		size = state_size(capacity);
	LossState  *state;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many observations for a prequential loss"),
				 errhint("Take a sample of the customers.")));
	state = palloc(size);
	memcpy(state, like, offsetof(LossState, trial));
	SET_VARSIZE(state, size);
	state->magic = LOSS_MAGIC;
	state->capacity = capacity;
	state->used = 0;
	return state;
}

static inline bool
valid_trial(const CrmTrial *trial)
{
	return fabs(trial->at) <= MAX_TIME &&
		trial->success >= 0 && trial->success <= CRM_PRIOR_COUNT_MAX &&
		trial->failure >= 0 && trial->failure <= CRM_PRIOR_COUNT_MAX;
}

static inline bool
valid_prior(float8 shape)
{
	return shape > 0 && shape <= MAX_PRIOR;
}

/* A state as an argument; 22P03 for what is none. */
static LossState *
state_argument(FunctionCallInfo fcinfo, int argument, bool writable)
{
	LossState  *state = (LossState *) PG_GETARG_BYTEA_P(argument);
	bool		valid = VARSIZE(state) >= offsetof(LossState, trial) && state->magic == LOSS_MAGIC &&
		state->half_lives <= MAX_HALF_LIVES &&
		state->capacity >= LOSS_MIN_TRIALS && (state->capacity & (state->capacity - 1)) == 0 &&
		state->used >= 0 && state->used <= state->capacity &&
		VARSIZE(state) == state_size(state->capacity) &&
		valid_prior(state->prior_a) && valid_prior(state->prior_b);

	for (uint32 i = 0; valid && i < state->half_lives; i++)
		valid = state->half_life[i] > 0;
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of a prequential loss"),
				 errdetail("The value was not made by this aggregate's own functions.")));
	if (writable && AggCheckCallContext(fcinfo, NULL) == 0)
	{
		LossState  *copy = palloc(VARSIZE(state));

		memcpy(copy, state, VARSIZE(state));
		state = copy;
	}
	return state;
}

static inline LossState *
state_put(LossState *state, const CrmTrial *trial)
{
	if (unlikely(state->used == state->capacity))
	{
		LossState  *larger = state_new(state, state->capacity <= PG_UINT32_MAX / 2 ? state->capacity * 2 : state->capacity);

		larger->used = state->used;
		memcpy(larger->trial, state->trial, state->used * sizeof(CrmTrial));
		state = larger;
	}
	state->trial[state->used++] = *trial;
	return state;
}

static bool
same_question(const LossState *one, const LossState *other)
{
	return one->half_lives == other->half_lives && one->prior_a == other->prior_a && one->prior_b == other->prior_b &&
		memcmp(one->half_life, other->half_life, one->half_lives * sizeof(float8)) == 0;
}

pg_noinline static void
question_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("half-lives and prior must be the same in all rows")));
}

/*
 * The half-lives and the prior of the row's arguments; a null or infinite half-life
 * forgets nothing.
 */
static void
read_question(FunctionCallInfo fcinfo, bool timed, LossState *question)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(4);
	Oid			element = timed ? INTERVALOID : FLOAT8OID;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	memset(question, 0, sizeof(*question));
	question->prior_a = PG_GETARG_FLOAT8(5);
	question->prior_b = PG_GETARG_FLOAT8(6);
	if (!valid_prior(question->prior_a) || !valid_prior(question->prior_b))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("prior Beta(%g, %g) is out of range", question->prior_a, question->prior_b),
				 errdetail("Both parameters must be positive and at most %g.", MAX_PRIOR)));
	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != element)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half-lives must be a one-dimensional array")));
	if (timed)
		deconstruct_array(array, element, sizeof(Interval), false, TYPALIGN_DOUBLE, &values, &nulls, &count);
	else
		deconstruct_array(array, element, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
	if (count > MAX_HALF_LIVES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d half-lives cannot be compared", MAX_HALF_LIVES)));
	question->half_lives = count;
	for (int i = 0; i < count; i++)
	{
		float8		half_life = HUGE_VAL;

		if (!nulls[i] && timed)
		{
			Interval   *interval = DatumGetIntervalP(values[i]);

			half_life = interval->time / 1e6 + (interval->day + interval->month * 30.0) * SECS_PER_DAY;
		}
		else if (!nulls[i])
			half_life = DatumGetFloat8(values[i]);
		if (!(half_life > 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("half-life %d must be positive", i + 1)));
		question->half_life[i] = half_life;
	}
}

/* (state, success, failure, at, half_lives, prior_success, prior_failure) */
static Datum
accumulate(FunctionCallInfo fcinfo, bool timed)
{
	LossState	question;
	LossState  *state = NULL;
	CrmTrial	trial;

	for (int i = 1; i < 7; i++)
		if (PG_ARGISNULL(i))
		{
			if (PG_ARGISNULL(0))
				PG_RETURN_NULL();
			PG_RETURN_DATUM(PG_GETARG_DATUM(0));
		}
	read_question(fcinfo, timed, &question);
	if (timed)
	{
		TimestampTz at = PG_GETARG_TIMESTAMPTZ(3);

		if (TIMESTAMP_NOT_FINITE(at))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("the time of an observation must be finite")));
		trial.at = at / 1e6;
	}
	else
		trial.at = PG_GETARG_FLOAT8(3) + 0.0;
	trial.success = PG_GETARG_FLOAT8(1) + 0.0;
	trial.failure = PG_GETARG_FLOAT8(2) + 0.0;
	if (!valid_trial(&trial))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("invalid observation: success = %g, failure = %g, at = %g", trial.success, trial.failure, trial.at),
				 errdetail("Successes and failures must lie between 0 and %g, and times between %g and %g.",
						   CRM_PRIOR_COUNT_MAX, -MAX_TIME, MAX_TIME)));
	if (PG_ARGISNULL(0))
		state = state_new(&question, LOSS_MIN_TRIALS);
	else
	{
		state = state_argument(fcinfo, 0, true);
		if (!same_question(state, &question))
			question_error();
	}
	/* What tells nothing neither costs nor teaches. */
	if (trial.success > 0 || trial.failure > 0)
		state = state_put(state, &trial);
	PG_RETURN_POINTER(state);
}

/*
 * Transition of crm.prequential_loss with times as numbers
 */
Datum
crm_prequential_loss_accum(PG_FUNCTION_ARGS)
{
	return accumulate(fcinfo, false);
}

/*
 * Transition of crm.prequential_loss with times and intervals
 */
Datum
crm_prequential_loss_accum_time(PG_FUNCTION_ARGS)
{
	return accumulate(fcinfo, true);
}

/*
 * The trials of both states.
 */
Datum
crm_prequential_loss_combine(PG_FUNCTION_ARGS)
{
	LossState  *state;
	LossState  *other;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	other = state_argument(fcinfo, 1, false);
	state = PG_ARGISNULL(0) ? state_new(other, LOSS_MIN_TRIALS) : state_argument(fcinfo, 0, true);
	if (!same_question(state, other))
		question_error();
	for (int64 i = 0; i < other->used; i++)
	{
		state = state_put(state, &other->trial[i]);
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_POINTER(state);
}

/*
 * The trials of a state in memory of their own, checked; the caller frees them.
 */
static CrmTrial *
state_trials(const LossState *state)
{
	CrmTrial   *trial = MemoryContextAllocHuge(CurrentMemoryContext, state->used * sizeof(CrmTrial));

	memcpy(trial, state->trial, state->used * sizeof(CrmTrial));
	for (int64 i = 0; i < state->used; i++)
		if (!valid_trial(&trial[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid state of a prequential loss"),
					 errdetail("It contains an observation that is out of range.")));
	return trial;
}

static ArrayType *
float8_array(const double *number, int numbers)
{
	Datum		values[MAX_HALF_LIVES];

	for (int i = 0; i < numbers; i++)
		values[i] = Float8GetDatum(number[i]);
	return construct_array(values, numbers, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * The mean log loss for each half-life.
 */
Datum
crm_prequential_loss_final(PG_FUNCTION_ARGS)
{
	LossState  *state;
	CrmTrial   *trial;
	double		loss[MAX_HALF_LIVES];

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = state_argument(fcinfo, 0, false);
	if (state->used == 0)
		PG_RETURN_NULL();
	trial = state_trials(state);
	/* Sorted by the first call; the next ones find it sorted. */
	for (uint32 h = 0; h < state->half_lives; h++)
	{
		crm_prequential_loss(trial, state->used, state->prior_a, state->prior_b, &state->half_life[h], 1, &loss[h], NULL, NULL);
		CHECK_FOR_INTERRUPTS();
	}
	pfree(trial);
	PG_RETURN_ARRAYTYPE_P(float8_array(loss, state->half_lives));
}

/*
 * The losses, how much less each half-life loses than the first, the standard
 * errors of that, and from how many stretches of the log these are.
 */
Datum
crm_half_life_comparison_final(PG_FUNCTION_ARGS)
{
	LossState  *state;
	CrmTrial   *trial;
	TupleDesc	tupdesc;
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};
	double		loss[MAX_HALF_LIVES];
	double		gain[MAX_HALF_LIVES];
	double		error[MAX_HALF_LIVES];
	int			blocks = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = state_argument(fcinfo, 0, false);
	if (state->used == 0)
		PG_RETURN_NULL();
	trial = state_trials(state);
	blocks = crm_prequential_loss(trial, state->used, state->prior_a, state->prior_b, state->half_life, state->half_lives, loss, gain, error);
	pfree(trial);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = PointerGetDatum(float8_array(loss, state->half_lives));
	values[1] = PointerGetDatum(float8_array(gain, state->half_lives));
	values[2] = PointerGetDatum(float8_array(error, state->half_lives));
	values[3] = Int32GetDatum(blocks);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}
