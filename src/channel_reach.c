/*-------------------------------------------------------------------------
 *
 * channel_reach.c
 *	  The aggregate crm.reach, over which channels a customer may be contacted
 *	  and what is known of them, and crm.rank_reach, which is worth most.
 *
 * What crm.best_channel does with a customer could be done by sorting: the
 * entries that count first, then the contact points, then the channels by
 * their value.  For a million customers that is the most of the work, in one
 * process, of millions of rows.  The aggregate is computed where the rows are
 * joined, by as many processes as there are, and leaves one row of a customer.
 *
 * Its state is a bytea: a header, then the options as they came.  Support
 * functions can be called by anybody with any bytea, so each checks what it
 * uses.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "channel.h"
#include "channel_beta_math.h"
#include "channel_prior.h"
#include "channel_reach_math.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include <math.h>

PG_FUNCTION_INFO_V1(crm_reach_accum);
PG_FUNCTION_INFO_V1(crm_reach_combine);
PG_FUNCTION_INFO_V1(crm_rank_reach);

#define REACH_MAGIC 0x43525231	/* "CRR1" */
/* Room at first; it doubles. A process that sees part of the rows has few of each customer. */
#define REACH_MIN_OPTIONS 2

/* No padding: a state is compared and sent as bytes. */
typedef struct ReachState
{
	int32		vl_len_;
	uint32		magic;
	uint32		used;
	uint32		unused;
	/* the options follow, and room for more */
} ReachState;

StaticAssertDecl(sizeof(ReachState) == 16, "size of the state's header");
StaticAssertDecl(sizeof(CrmReachOption) == 64, "size of an option");

#define STATE_OPTIONS(state) ((char *) (state) + sizeof(ReachState))
#define STATE_SIZE(capacity) (sizeof(ReachState) + (Size) (capacity) * sizeof(CrmReachOption))
#define STATE_CAPACITY(state) ((VARSIZE(state) - sizeof(ReachState)) / sizeof(CrmReachOption))

/* Columns of crm.channel_term and of crm.reach_rank */
enum
{
	TERM_CHANNEL, TERM_UNIT_COST, TERM_SUCCESS, TERM_FAILURE, TERM_STRENGTH, TERM_WEIGHTS, TERM_MEANS, TERM_COLUMNS
};
enum
{
	RANK_CHANNEL, RANK_PRIOR_SUCCESS, RANK_PRIOR_FAILURE, RANK_SUCCESSES, RANK_FAILURES, RANK_OBSERVATIONS,
	RANK_LAST_CONTACT_AT, RANK_CONTACT_POINT_ID, RANK_CONSENT_ID, RANK_VALUE, RANK_CHANNELS, RANK_NEXT_CHANNEL, RANK_NEXT_VALUE,
	RANK_ALL_A, RANK_ALL_B, RANK_ALL_COST, RANK_COLUMNS
};

/* A channel's term with its regression, if there is one. */
typedef struct Regression
{
	double		strength;		/* 0: none */
	int			weights;
	const double *weight;
	const double *mean;
} Regression;

/* What stays the same for all customers of a query; kept with the call. */
typedef struct RankCall
{
	MemoryContext context;
	TupleDesc	result;
	ArrayType  *array;			/* the terms as they were given */
	int			nterms;
	CrmReachTerm *terms;
	Regression *regressions;
	/* the same with one customer's priors */
	CrmReachTerm *own;
} RankCall;

/*
 * A state argument, checked.  The options may lie at any address: copy them.
 */
static ReachState *
state_argument(FunctionCallInfo fcinfo, int place)
{
	ReachState *state = (ReachState *) PG_DETOAST_DATUM(PG_GETARG_DATUM(place));

	if (VARSIZE(state) < sizeof(ReachState) || state->magic != REACH_MAGIC || state->used > STATE_CAPACITY(state))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of crm.reach")));
	return state;
}

static ReachState *
state_new(uint32 capacity)
{
	ReachState *state = palloc0(STATE_SIZE(capacity));

	SET_VARSIZE(state, STATE_SIZE(capacity));
	state->magic = REACH_MAGIC;
	return state;
}

/*
 * The state with room for so many options more: itself where it is an
 * aggregate's own and has the room, else a larger one in the memory of the
 * call, which the aggregate copies to its own.
 */
static ReachState *
state_with_room(FunctionCallInfo fcinfo, ReachState *state, uint32 more)
{
	bool		own = AggCheckCallContext(fcinfo, NULL) != 0;
	uint64		needed = (uint64) state->used + more;
	uint64		capacity = STATE_CAPACITY(state);
	ReachState *grown;

	if (own && capacity >= needed)
		return state;
	if (STATE_SIZE(needed) > MaxAllocSize / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many contact points of one customer")));
	grown = state_new((uint32) Max(needed, own ? 2 * capacity : needed));
	grown->used = state->used;
	memcpy(STATE_OPTIONS(grown), STATE_OPTIONS(state), state->used * sizeof(CrmReachOption));
	return grown;
}

/*
 * crm.reach_accum(state, channel, contact_point_id, is_primary, consent_id,
 *		is_objection, recorded_at, permits, score, last_contact_at, at)
 */
Datum
crm_reach_accum(PG_FUNCTION_ARGS)
{
	ReachState *state;
	CrmReachOption option = {0};

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	option.channel = PG_GETARG_OID(1);
	option.contact_point = PG_GETARG_INT64(2);
	option.flags = (!PG_ARGISNULL(3) && PG_GETARG_BOOL(3) ? CRM_REACH_PRIMARY : 0) |
		(!PG_ARGISNULL(4) ? CRM_REACH_ENTRY : 0) |
		(!PG_ARGISNULL(5) && PG_GETARG_BOOL(5) ? CRM_REACH_OBJECTION : 0) |
		(!PG_ARGISNULL(7) && PG_GETARG_BOOL(7) ? CRM_REACH_PERMITS : 0) |
		(!PG_ARGISNULL(9) ? CRM_REACH_CONTACTED : 0);
	option.consent = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4);
	option.recorded_at = PG_ARGISNULL(6) ? PG_INT64_MIN : PG_GETARG_TIMESTAMPTZ(6);
	option.last_contact_at = PG_ARGISNULL(9) ? 0 : PG_GETARG_TIMESTAMPTZ(9);
	if (!PG_ARGISNULL(8))
	{
		int			cells;
		const unsigned char *score;

		if (PG_ARGISNULL(10))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the time as of which a score is read must not be null")));
		score = crm_score_open(PG_GETARG_DATUM(8), &cells);
		option.observations = crm_score_successes(score) + crm_score_failures(score);
		crm_score_read(PG_GETARG_DATUM(8), PG_GETARG_TIMESTAMPTZ(10), &option.successes, &option.failures);
	}

	if (PG_ARGISNULL(0))
		state = state_new(REACH_MIN_OPTIONS);
	else
		state = state_with_room(fcinfo, state_argument(fcinfo, 0), 1);
	memcpy(STATE_OPTIONS(state) + state->used++ * sizeof(CrmReachOption), &option, sizeof(option));
	PG_RETURN_POINTER(state);
}

/*
 * crm.reach_combine(state, state)
 */
Datum
crm_reach_combine(PG_FUNCTION_ARGS)
{
	ReachState *state;
	ReachState *other;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	other = state_argument(fcinfo, 1);
	if (PG_ARGISNULL(0))
		state = state_new(Max(other->used, REACH_MIN_OPTIONS));
	else
		state = state_with_room(fcinfo, state_argument(fcinfo, 0), other->used);
	memcpy(STATE_OPTIONS(state) + state->used * sizeof(CrmReachOption), STATE_OPTIONS(other), other->used * sizeof(CrmReachOption));
	state->used += other->used;
	PG_RETURN_POINTER(state);
}

/* The numbers of an array of a term, and how many they are. */
static const double *
term_numbers(Datum datum, const char *name, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != FLOAT8OID || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of a channel must be a one-dimensional array without nulls", name)));
	*count = n;
	return (const double *) ARR_DATA_PTR(array);
}

/*
 * Takes the terms apart, once for all customers.  Invalid ones raise errors.
 */
static void
open_terms(RankCall *call, ArrayType *array)
{
	MemoryContext caller;
	TupleDesc	desc;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	call->array = NULL;
	MemoryContextReset(call->context);
	caller = MemoryContextSwitchTo(call->context);
	array = DatumGetArrayTypePCopy(PointerGetDatum(array));
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	call->terms = palloc0(Max(n, 1) * sizeof(CrmReachTerm));
	call->own = palloc0(Max(n, 1) * sizeof(CrmReachTerm));
	call->regressions = palloc0(Max(n, 1) * sizeof(Regression));
	call->nterms = 0;
	desc = lookup_rowtype_tupdesc_copy(ARR_ELEMTYPE(array), -1);
	if (desc->natts != TERM_COLUMNS)
		elog(ERROR, "crm.channel_term has %d columns", desc->natts);
	for (int i = 0; i < n; i++)
	{
		CrmReachTerm *term = &call->terms[call->nterms];
		Regression *regression = &call->regressions[call->nterms];
		HeapTupleHeader header;
		HeapTupleData tuple;
		Datum		values[TERM_COLUMNS];
		bool		isnull[TERM_COLUMNS];

		if (nulls[i])
			continue;
		header = DatumGetHeapTupleHeader(elements[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuple.t_data = header;
		heap_deform_tuple(&tuple, desc, values, isnull);
		/* A channel of which something is not known is not one to choose. */
		if (isnull[TERM_CHANNEL] || isnull[TERM_UNIT_COST] || isnull[TERM_SUCCESS] || isnull[TERM_FAILURE])
			continue;
		term->channel = DatumGetObjectId(values[TERM_CHANNEL]);
		term->position = i;
		term->unit_cost = DatumGetFloat8(values[TERM_UNIT_COST]);
		term->prior_success = DatumGetFloat8(values[TERM_SUCCESS]);
		term->prior_failure = DatumGetFloat8(values[TERM_FAILURE]);
		if (!(term->prior_success > 0 && term->prior_failure > 0 && isfinite(term->prior_success) && isfinite(term->prior_failure)) ||
			isnan(term->unit_cost))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("a channel's prior or cost is out of range")));
		if (!isnull[TERM_STRENGTH] && !isnull[TERM_WEIGHTS] && !isnull[TERM_MEANS])
		{
			int			means;

			regression->strength = DatumGetFloat8(values[TERM_STRENGTH]);
			regression->weight = term_numbers(values[TERM_WEIGHTS], "weights", &regression->weights);
			regression->mean = term_numbers(values[TERM_MEANS], "means", &means);
			if (!(regression->strength > 0 && regression->strength <= 1e6) || regression->weights != means + 1)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("the regression of a channel is not one"),
						 errdetail("It has %d weights and %d means, and strength %g.", regression->weights, means, regression->strength)));
		}
		call->nterms++;
	}
	call->array = array;
	MemoryContextSwitchTo(caller);
}

/*
 * The terms with the customer's own priors: the regression's by his features,
 * where there is one and they are known, else the common one.
 */
static void
own_priors(RankCall *call, ArrayType *features)
{
	int			known = features == NULL ? 0 : ArrayGetNItems(ARR_NDIM(features), ARR_DIMS(features));

	if (features != NULL && (ARR_NDIM(features) > 1 || ARR_ELEMTYPE(features) != FLOAT8OID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a one-dimensional array")));
	memcpy(call->own, call->terms, call->nterms * sizeof(CrmReachTerm));
	for (int i = 0; i < call->nterms; i++)
	{
		const Regression *regression = &call->regressions[i];

		if (regression->strength == 0 || features == NULL)
			continue;
		if (known < regression->weights - 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("%d features are too few for %d weights", known, regression->weights)));
		crm_prior_shapes(crm_prior_logit_of(regression->weight, regression->weights, regression->mean, features),
						 regression->strength, &call->own[i].prior_success, &call->own[i].prior_failure);
	}
}

/* An array of a number of each rank. */
static Datum
rank_array(const Datum *numbers, int n)
{
	return PointerGetDatum(construct_array(unconstify(Datum *, numbers), n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * crm.rank_reach(reach bytea, terms crm.channel_term[], features float8[],
 *		response_value float8) returns crm.reach_rank
 */
Datum
crm_rank_reach(PG_FUNCTION_ARGS)
{
	RankCall   *call = fcinfo->flinfo->fn_extra;
	ReachState *state;
	ArrayType  *terms;
	CrmReachOption *options;
	CrmReachRank *ranks;
	Datum	   *numbers;
	Datum		values[RANK_COLUMNS] = {0};
	bool		nulls[RANK_COLUMNS] = {false};
	int			n;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	state = state_argument(fcinfo, 0);
	terms = PG_GETARG_ARRAYTYPE_P(1);
	if (call == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		call = palloc0(sizeof(RankCall));
		call->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm channel terms", ALLOCSET_SMALL_SIZES);
		if (get_call_result_type(fcinfo, NULL, &call->result) != TYPEFUNC_COMPOSITE || call->result->natts != RANK_COLUMNS)
			elog(ERROR, "crm.reach_rank has another number of columns");
		call->result = BlessTupleDesc(call->result);
		MemoryContextSwitchTo(caller);
		fcinfo->flinfo->fn_extra = call;
	}
	if (call->array == NULL || VARSIZE(call->array) != VARSIZE(terms) || memcmp(call->array, terms, VARSIZE(terms)) != 0)
		open_terms(call, terms);
	own_priors(call, PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2));

	options = palloc(Max(state->used, 1) * sizeof(CrmReachOption));
	memcpy(options, STATE_OPTIONS(state), state->used * sizeof(CrmReachOption));
	for (uint32 i = 0; i < state->used; i++)
		if ((options[i].flags & ~CRM_REACH_FLAGS) != 0 || !isfinite(options[i].successes) || !isfinite(options[i].failures) ||
			options[i].successes < 0 || options[i].failures < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid state of crm.reach")));
	n = crm_reach_permitted(options, state->used);
	ranks = palloc(Max(n, 1) * sizeof(CrmReachRank));
	n = crm_reach_rank(options, n, call->own, call->nterms, PG_GETARG_FLOAT8(3), ranks);
	if (n == 0)
		PG_RETURN_NULL();

	values[RANK_CHANNEL] = ObjectIdGetDatum(ranks[0].option->channel);
	values[RANK_PRIOR_SUCCESS] = Float8GetDatum(ranks[0].term->prior_success);
	values[RANK_PRIOR_FAILURE] = Float8GetDatum(ranks[0].term->prior_failure);
	values[RANK_SUCCESSES] = Float8GetDatum(ranks[0].option->successes);
	values[RANK_FAILURES] = Float8GetDatum(ranks[0].option->failures);
	values[RANK_OBSERVATIONS] = Int64GetDatum(ranks[0].option->observations);
	values[RANK_LAST_CONTACT_AT] = TimestampTzGetDatum(ranks[0].option->last_contact_at);
	nulls[RANK_LAST_CONTACT_AT] = (ranks[0].option->flags & CRM_REACH_CONTACTED) == 0;
	values[RANK_CONTACT_POINT_ID] = Int64GetDatum(ranks[0].option->contact_point);
	values[RANK_CONSENT_ID] = Int64GetDatum(ranks[0].option->consent);
	nulls[RANK_CONSENT_ID] = (ranks[0].option->flags & CRM_REACH_ENTRY) == 0;
	values[RANK_VALUE] = Float8GetDatum(ranks[0].value);
	values[RANK_CHANNELS] = Int64GetDatum(n);
	nulls[RANK_NEXT_CHANNEL] = nulls[RANK_NEXT_VALUE] = n < 2;
	if (n > 1)
	{
		values[RANK_NEXT_CHANNEL] = ObjectIdGetDatum(ranks[1].option->channel);
		values[RANK_NEXT_VALUE] = Float8GetDatum(ranks[1].value);
	}
	numbers = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
		numbers[i] = Float8GetDatum(Max(ranks[i].term->prior_success + ranks[i].option->successes, CRM_BEST_SHAPE_MIN));
	values[RANK_ALL_A] = rank_array(numbers, n);
	for (int i = 0; i < n; i++)
		numbers[i] = Float8GetDatum(Max(ranks[i].term->prior_failure + ranks[i].option->failures, CRM_BEST_SHAPE_MIN));
	values[RANK_ALL_B] = rank_array(numbers, n);
	for (int i = 0; i < n; i++)
		numbers[i] = Float8GetDatum(ranks[i].term->unit_cost);
	values[RANK_ALL_COST] = rank_array(numbers, n);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(call->result, values, nulls)));
}
