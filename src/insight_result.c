/*-------------------------------------------------------------------------
 *
 * insight_result.c
 *	  Fitting customer-base models: from the aggregates' states to results.
 *
 * The rows of a state are handed to insight_fit_math.c; what comes back is a
 * crm.fitted_model.  The survival curve of Kaplan and Meier needs no fit.
 *
 *-------------------------------------------------------------------------
 */
#include "insight.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include <math.h>

static const char *const boundary_names[] = {
	NULL, "no_dropout", "no_repeat", "no_information", "equal_rates", "equal_dropout",
	"certain_dropout", "equal_spend", "constant_spend", "unidentified"
};

PG_FUNCTION_INFO_V1(crm_fit_final);
PG_FUNCTION_INFO_V1(crm_survival_final);

/*
 * The rows of a state as cells (count, values, x in its place), checked as if
 * they had just come in.
 */
static void
state_rows(FitState *state, CrmObservations *observations)
{
	int			m = state->covariates;
	uint64		counted = 0;
	double	   *cell;

	observations->model = state->model;
	observations->covariates = m;
	observations->rows = 0;
	observations->width = state->values + 2;
	cell = MemoryContextAllocHuge(CurrentMemoryContext,
								  Max(state->used, 1) * (Size) observations->width * sizeof(double));
	observations->cells = cell;
	for (uint32 i = 0; i < state->slots; i++)
	{
		FitSlot    *slot = STATE_SLOT(state, i);

		if (slot->count == 0)
			continue;
		if (observations->rows == state->used)
			break;
		*cell++ = slot->count;
		for (int j = 0; j < m; j++)
			*cell++ = fabs(slot->value[j]) <= CRM_MAX_MEASURE ? slot->value[j] : 0;
		*cell++ = slot->x;
		for (int j = m; j < state->values; j++)
			*cell++ = slot->value[j];
		switch ((int) state->model)
		{
			case CRM_GAMMA_GAMMA:
				crm_check_spend(Max(slot->x, 1), slot->value[0] > 0 ? slot->value[0] : -1);
				break;
			case CRM_BG_BB:
				crm_check_periods(slot->x, slot->value[0], slot->value[1]);
				break;
			case CRM_SBG:
			case STATE_SURVIVAL:
				if (slot->x > 1 || !(slot->value[0] >= 0 && slot->value[0] <= CRM_MAX_MEASURE))
					crm_customer_error(slot->x, slot->value[0], slot->value[0], "The state was not made by this aggregate.");
				break;
			default:
				crm_check_customer(slot->x, slot->value[m], slot->value[m + 1]);
		}
		observations->rows++;
		counted += slot->count;
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	if (observations->rows != state->used || counted != (uint64) state->customers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of a fit"),
				 errdetail("Its rows do not add up.")));
}

/* Asked for by the optimiser, which then returns normally and frees its memory. */
static bool
cancel_pending(void)
{
	return QueryCancelPending || ProcDiePending;
}

static void
run_fit(CrmObservations *observations, CrmFit *fit)
{
	switch (crm_fit(observations, cancel_pending, fit))
	{
		case CRM_OPTIMUM_STOPPED:
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("canceling fit due to user request")));
			break;
		case CRM_OPTIMUM_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Failed while fitting a model to %zu distinct rows.", observations->rows)));
			break;
		default:
			break;
	}
	for (int i = 0; i < fit->parameters; i++)
		if (!isfinite(fit->parameter[i]))
		{
			/* A parameter beyond all numbers belongs to no usable result. */
			fit->parameters = 0;
			fit->converged = false;
			fit->boundary = CRM_BOUNDARY_UNIDENTIFIED;
		}
}

/* An array in which null stands for what is not known. */
static Datum
nullable_array(const double *value, const bool *known, int count, int dimensions)
{
	Datum	   *datum = palloc(sizeof(Datum) * count * count);
	bool	   *null = palloc(sizeof(bool) * count * count);
	int			dims[2] = {count, count};
	int			lower[2] = {1, 1};
	int			items = dimensions == 2 ? count * count : count;

	for (int i = 0; i < items; i++)
	{
		int			at = dimensions == 2 ? i : i * count + i;

		null[i] = dimensions == 2 ? !(known[i / count] && known[i % count]) : !known[i];
		datum[i] = Float8GetDatum(dimensions == 2 ? value[at] : sqrt(Max(value[at], 0)));
		if (!isfinite(value[at]))
			null[i] = true;
	}
	return PointerGetDatum(construct_md_array(datum, null, dimensions, dims, lower, FLOAT8OID, sizeof(float8),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * crm_fit_final(state) returns crm.fitted_model; no rows give null.
 */
Datum
crm_fit_final(PG_FUNCTION_ARGS)
{
	FitState   *state;
	CrmObservations observations = {0};
	CrmFit		fit;
	TupleDesc	desc;
	Datum		value[11];
	bool		null[11] = {false};
	Datum		parameter[CRM_MAX_UNKNOWNS + 1];
	int			count;
	bool		any_known = false;
	int			regularity;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = crm_fit_state(fcinfo, 0, -1, false);
	if (state->model == STATE_SURVIVAL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of a fit")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != lengthof(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the result of a fit must be of type crm.fitted_model")));

	state_rows(state, &observations);
	{
		int128		log_gaps;

		memcpy(&log_gaps, state->log_gaps, sizeof(log_gaps));
		observations.log_gaps = (double) ((long double) log_gaps / LOG_UNIT);
	}
	regularity = Max(state->regularity, 1);
	observations.regularity = regularity;
	if (state->regularity == 0)
	{
		/* The likelihood has one maximum over k: stop after it. */
		Size		size = observations.rows * observations.width * sizeof(double);
		double	   *cells = MemoryContextAllocHuge(CurrentMemoryContext, Max(size, 1));
		CrmObservations trial = observations;
		CrmFit		next;

		memcpy(cells, observations.cells, size);
		run_fit(&observations, &fit);
		while (regularity < CRM_MAX_REGULARITY && fit.parameters > 0 && fit.boundary != CRM_BOUNDARY_NO_REPEAT)
		{
			memcpy(trial.cells, cells, size);
			trial.regularity = regularity + 1;
			run_fit(&trial, &next);
			next.iterations += fit.iterations;
			if (!(next.parameters > 0 && next.log_likelihood > fit.log_likelihood))
			{
				fit.iterations = next.iterations;
				break;
			}
			fit = next;
			regularity++;
		}
	}
	else
		run_fit(&observations, &fit);

	desc = BlessTupleDesc(desc);
	count = fit.parameters;
	for (int i = 0; i < count; i++)
	{
		parameter[i] = Float8GetDatum(fit.parameter[i]);
		any_known |= fit.known[i];
	}
	if (state->model == CRM_BG_CNBD || state->model == CRM_MBG_CNBD)
		parameter[count] = Float8GetDatum(regularity);
	else
		regularity = 0;
	null[0] = null[6] = count == 0;
	if (count > 0)
	{
		value[0] = PointerGetDatum(construct_array(parameter, count + (regularity > 0), FLOAT8OID, sizeof(float8),
												   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		value[6] = nullable_array(fit.covariance, fit.known, count, 1);
	}
	value[1] = Float8GetDatum(fit.log_likelihood);
	null[1] = !isfinite(fit.log_likelihood);
	value[2] = Int64GetDatum(state->customers);
	value[3] = Int32GetDatum(fit.iterations);
	value[4] = BoolGetDatum(fit.converged);
	value[5] = CStringGetTextDatum(crm_model_name(state->model));
	null[7] = !any_known;
	if (any_known)
		value[7] = nullable_array(fit.covariance, fit.known, count, 2);
	null[8] = fit.boundary == CRM_BOUNDARY_NONE;
	if (!null[8])
		value[8] = CStringGetTextDatum(boundary_names[fit.boundary]);
	value[9] = Int64GetDatum(state->used);
	value[10] = Float8GetDatum(fit.gradient_norm);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, null)));
}

/*
 * crm_survival_final(state) returns crm.survival_curve: the product-limit
 * estimate of Kaplan and Meier 1958 at each time with an event, with
 * Greenwood's standard errors.  Who is lost from sight at a time was still at
 * risk then.
 */
Datum
crm_survival_final(PG_FUNCTION_ARGS)
{
	FitState   *state;
	CrmObservations observations = {0};
	TupleDesc	desc;
	Datum		value[5];
	bool		null[5] = {false};
	Datum	   *column[5];
	int			times = 0;
	double		at_risk;
	double		survival = 1;
	double		greenwood = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = crm_fit_state(fcinfo, 0, STATE_SURVIVAL, false);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != lengthof(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the result must be of type crm.survival_curve")));
	state_rows(state, &observations);
	/* Events and losses of one time next to each other: time before kind. */
	for (size_t i = 0; i < observations.rows; i++)
	{
		double	   *cell = observations.cells + 3 * i;
		double		kind = cell[1];

		cell[1] = cell[2];
		cell[2] = -kind;
	}
	if (!crm_sort_observations(&observations))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	for (int i = 0; i < 5; i++)
		column[i] = palloc(sizeof(Datum) * Max(observations.rows, 1));
	at_risk = (double) state->customers;
	for (size_t i = 0; i < observations.rows; i++)
	{
		const double *cell = observations.cells + 3 * i;

		if (cell[2] != 0)
		{
			double		events = cell[0];

			survival *= (at_risk - events) / at_risk;
			if (at_risk > events)
				greenwood += events / (at_risk * (at_risk - events));
			column[0][times] = Float8GetDatum(cell[1]);
			column[1][times] = Int64GetDatum((int64) at_risk);
			column[2][times] = Int64GetDatum((int64) events);
			column[3][times] = Float8GetDatum(survival);
			column[4][times] = Float8GetDatum(survival * sqrt(greenwood));
			times++;
		}
		at_risk -= cell[0];
	}
	for (int i = 0; i < 5; i++)
		value[i] = PointerGetDatum(i == 1 || i == 2 ?
								   construct_array(column[i], times, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE) :
								   construct_array(column[i], times, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	desc = BlessTupleDesc(desc);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, null)));
}
