/*-------------------------------------------------------------------------
 *
 * insight_predict.c
 *	  Predictions of the customer-base models: the SQL functions.
 *
 * A query calls them for millions of customers with the same parameters, so
 * checked parameters are kept from call to call and compared by their bytes;
 * expected purchases, which depend on few distinct (x, t), are kept as well.
 *
 *-------------------------------------------------------------------------
 */
#include "insight.h"
#include "insight_predict_math.h"
#include "insight_special_math.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include <math.h>

/* Kept expectations; a power of two. */
#define KEPT 4096
/* After this many computed ones keeping them is worth its memory. */
#define KEEP_AFTER 32
/* After so many, fewer than an eighth found means that times are never the same. */
#define KEEP_TRIAL 8192

typedef struct Kept
{
	double		x;
	double		t_x;
	double		t;
	double		horizon;
	double		expected;		/* NaN: empty */
	double		stays;
} Kept;

typedef struct Predictor
{
	Size		size;			/* of the array it was made from */
	char	   *array;
	CrmRate		rate;
	int			computed;		/* all that were asked for, up to KEEP_TRIAL */
	int			found;			/* of these, the kept ones */
	Kept	   *kept;
} Predictor;

static pg_noinline void
parameters_error(CrmModel model, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid parameters of the model %s", crm_model_name(model)),
			 errdetail("%s", detail)));
}

/*
 * The parameters of a model from its array; error 22023 saying what they
 * must be.  Returns k of the CNBD models, else 1.
 */
int
crm_check_parameters(CrmModel model, ArrayType *array, double *p)
{
	int			count;
	int			expected = crm_model_parameters(model);
	bool		regular = model == CRM_BG_CNBD || model == CRM_MBG_CNBD;
	float8	   *value = crm_float8_array(array, "parameters", &count);

	if (count != expected + regular)
	{
		if (count > expected && model <= CRM_PARETO_NBD && (count - expected) % (expected == 4 ? 2 : 1) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the parameters of this model %s have covariates", crm_model_name(model)),
					 errhint("Use crm.covariate_parameters() to get the parameters of one customer.")));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model %s has %d parameters, not %d", crm_model_name(model), expected + regular, count)));
	}
	for (int i = 0; i < expected; i++)
	{
		if (!(value[i] >= 0 && value[i] <= CRM_MAX_MEASURE))
			parameters_error(model, "All parameters must be finite and not negative.");
		p[i] = value[i];
	}
	switch (model)
	{
		case CRM_GAMMA_GAMMA:
			if (p[0] == 0 || p[1] == 0 || p[2] == 0)
				parameters_error(model, "They are p, q and gamma, all greater than 0.");
			break;
		case CRM_SBG:
			if (p[0] + p[1] == 0)
				parameters_error(model, "They are alpha and beta, not both 0.");
			break;
		case CRM_BG_BB:
			if (p[1] == 0 || p[3] == 0)
				parameters_error(model, "They are alpha, beta, gamma and delta; beta and delta must be greater than 0.");
			break;
		default:
			if (p[1] == 0)
				parameters_error(model, "The second, alpha, must be greater than 0.");
			if (expected == 4 && p[3] == 0)
				parameters_error(model, "The fourth must be greater than 0.");
	}
	if (regular)
	{
		if (!(value[4] >= 1 && value[4] <= CRM_MAX_REGULARITY && value[4] == floor(value[4])))
			parameters_error(model, "The fifth, k, must be a whole number from 1 to 12.");
		return (int) value[4];
	}
	return 1;
}

/*
 * The predictor of a call: the one of the last call if the parameters are the
 * same bytes, else a new one.
 */
static Predictor *
predictor(FunctionCallInfo fcinfo, int argument, int model)
{
	struct varlena *array = (struct varlena *) PG_GETARG_POINTER(argument);
	Predictor  *last = fcinfo->flinfo->fn_extra;
	Size		size = VARSIZE_ANY(array);

	if (likely(last != NULL && last->size == size && last->rate.model == model &&
			   memcmp(last->array, array, size) == 0))
		return last;
	if (last == NULL)
	{
		last = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Predictor));
		fcinfo->flinfo->fn_extra = last;
	}
	/* Nothing may be taken for valid until all of it is. */
	if (last->array != NULL)
		pfree(last->array);
	last->array = NULL;
	last->size = 0;
	last->rate.regularity = crm_check_parameters(model, DatumGetArrayTypeP(PointerGetDatum(array)), last->rate.p);
	last->rate.model = model;
	last->array = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
	memcpy(last->array, array, size);
	last->size = size;
	last->computed = last->found = 0;
	if (last->kept != NULL)
		for (int i = 0; i < KEPT; i++)
			last->kept[i].expected = NAN;
	return last;
}

/* crm_rate_expected_alive(), kept. */
static double
expected_alive(FunctionCallInfo fcinfo, Predictor *predictor, double x, double t_x, double t, double horizon,
			   double *stays)
{
	const CrmRate *rate = &predictor->rate;
	Kept	   *kept;
	uint64		bits;
	uint64		hash;

	/* These are quicker computed than found. */
	if (rate->model == CRM_PARETO_NBD || rate->model == CRM_NBD)
		return crm_rate_expected_alive(rate, x, t_x, t, horizon, stays);
	if (rate->regularity == 1)
		t_x = 0;
	if (predictor->computed < KEEP_TRIAL)
		predictor->computed++;
	else if (predictor->found < KEEP_TRIAL / 8)
		return crm_check_result(crm_rate_expected_alive(rate, x, t_x, t, horizon, stays));
	if (predictor->kept == NULL)
	{
		if (predictor->computed < KEEP_AFTER)
			return crm_check_result(crm_rate_expected_alive(rate, x, t_x, t, horizon, stays));
		predictor->kept = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, KEPT * sizeof(Kept));
		for (int i = 0; i < KEPT; i++)
			predictor->kept[i].expected = NAN;
	}
	memcpy(&bits, &t, sizeof(bits));
	hash = ((uint64) x * UINT64CONST(0x9E3779B97F4A7C15)) ^ bits;
	hash *= UINT64CONST(0xFF51AFD7ED558CCD);
	if (rate->regularity > 1)
	{
		memcpy(&bits, &t_x, sizeof(bits));
		hash = (hash ^ bits ^ hash >> 32) * UINT64CONST(0xC4CEB9FE1A85EC53);
	}
	kept = &predictor->kept[(hash >> 40) & (KEPT - 1)];
	/* An empty place has only its mark: nothing else in it is set. */
	if (isnan(kept->expected) || !(kept->x == x && kept->t == t && kept->t_x == t_x && kept->horizon == horizon))
	{
		kept->expected = crm_rate_expected_alive(rate, x, t_x, t, horizon, &kept->stays);
		kept->x = x;
		kept->t_x = t_x;
		kept->t = t;
		kept->horizon = horizon;
		crm_check_result(kept->expected);
	}
	else if (predictor->computed < KEEP_TRIAL)
		predictor->found++;
	*stays = kept->stays;
	return kept->expected;
}

/* Models of purchase times ----------------------------------------------------------------------------------- */

#define CUSTOMER_ARGUMENTS \
	double		x = PG_GETARG_FLOAT8(1); \
	double		t_x = PG_GETARG_FLOAT8(2); \
	double		t = PG_GETARG_FLOAT8(3)

/* (parameters, x, t_x, t) and (parameters, x, t_x, t, later) */
static Datum
rate_alive(FunctionCallInfo fcinfo, CrmModel model)
{
	Predictor  *p = predictor(fcinfo, 0, model);
	double		stays = 1;

	CUSTOMER_ARGUMENTS;

	crm_check_customer(x, t_x, t);
	if (PG_NARGS() > 4)
	{
		double		later = PG_GETARG_FLOAT8(4);

		crm_check_measure(later, "later");
		(void) expected_alive(fcinfo, p, x, t_x, t, later, &stays);
	}
	PG_RETURN_FLOAT8(stays * crm_rate_alive(&p->rate, x, t_x, t));
}

/* (parameters, x, t_x, t, horizon) */
static Datum
rate_expected(FunctionCallInfo fcinfo, CrmModel model)
{
	Predictor  *p = predictor(fcinfo, 0, model);
	double		horizon = PG_GETARG_FLOAT8(4);
	double		stays;

	CUSTOMER_ARGUMENTS;

	crm_check_customer(x, t_x, t);
	crm_check_measure(horizon, "horizon");
	PG_RETURN_FLOAT8(crm_rate_alive(&p->rate, x, t_x, t) *
					 expected_alive(fcinfo, p, x, t_x, t, horizon, &stays));
}

/* (parameters, x, t_x, t, horizon, purchases) */
static Datum
rate_probability(FunctionCallInfo fcinfo, CrmModel model)
{
	Predictor  *p = predictor(fcinfo, 0, model);
	double		horizon = PG_GETARG_FLOAT8(4);
	int32		purchases = PG_GETARG_INT32(5);

	CUSTOMER_ARGUMENTS;

	crm_check_customer(x, t_x, t);
	crm_check_measure(horizon, "horizon");
	if (purchases < 0 || purchases > CRM_MAX_PURCHASES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("purchases must be from 0 to %d, not %d", CRM_MAX_PURCHASES, purchases)));
	PG_RETURN_FLOAT8(crm_rate_purchases_probability(&p->rate, x, t_x, t, horizon, purchases));
}

/* (parameters, x, t_x, t, discount) */
static Datum
rate_dert(FunctionCallInfo fcinfo, CrmModel model)
{
	Predictor  *p = predictor(fcinfo, 0, model);
	double		discount = PG_GETARG_FLOAT8(4);

	CUSTOMER_ARGUMENTS;

	crm_check_customer(x, t_x, t);
	if (!(discount > 0 && discount <= CRM_MAX_MEASURE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("discount must be greater than 0, not %g", discount),
				 errdetail("Without a discount an endless horizon can have an infinite value.")));
	PG_RETURN_FLOAT8(crm_check_result(crm_rate_discounted(&p->rate, x, t_x, t, HUGE_VAL, discount)));
}

#define RATE_FUNCTION(name, verb, model) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return verb(fcinfo, model); \
}

#define RATE_FUNCTIONS(prefix, model) \
	RATE_FUNCTION(crm_##prefix##_alive, rate_alive, model) \
	RATE_FUNCTION(crm_##prefix##_expected, rate_expected, model) \
	RATE_FUNCTION(crm_##prefix##_probability, rate_probability, model) \
	RATE_FUNCTION(crm_##prefix##_dert, rate_dert, model)

RATE_FUNCTIONS(nbd, CRM_NBD)
RATE_FUNCTIONS(bg_nbd, CRM_BG_NBD)
RATE_FUNCTIONS(mbg_nbd, CRM_MBG_NBD)
RATE_FUNCTIONS(pareto_nbd, CRM_PARETO_NBD)
RATE_FUNCTIONS(bg_cnbd, CRM_BG_CNBD)
RATE_FUNCTIONS(mbg_cnbd, CRM_MBG_CNBD)

/* The timing model named by an argument; error 22023 for any other. */
CrmModel
crm_rate_model(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	int			model = crm_model_by_name(name);

	if (model < 0 || model > CRM_MBG_CNBD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a model of purchase times", name),
				 errhint("The models are nbd, bg_nbd, mbg_nbd, pareto_nbd, bg_cnbd and mbg_cnbd.")));
	return model;
}

PG_FUNCTION_INFO_V1(crm_customer_value);
PG_FUNCTION_INFO_V1(crm_covariate_parameters);
PG_FUNCTION_INFO_V1(crm_gamma_gamma_spend);
PG_FUNCTION_INFO_V1(crm_bg_bb_alive_later);
PG_FUNCTION_INFO_V1(crm_bg_bb_expected_purchases);
PG_FUNCTION_INFO_V1(crm_sbg_survives);
PG_FUNCTION_INFO_V1(crm_sbg_retention);
PG_FUNCTION_INFO_V1(crm_sbg_derl);

/*
 * crm.customer_value(model, parameters, x, t_x, t, spend, horizon, discount,
 * period): expected value of the purchases in the horizon, discounted.  A
 * null period discounts continuously by exp(-discount * time), any other each
 * period by 1 / (1 + discount).
 */
Datum
crm_customer_value(PG_FUNCTION_ARGS)
{
	Predictor  *p;
	double		x,
				t_x,
				t,
				spend,
				horizon,
				discount;
	double		purchases;

	for (int i = 0; i < 8; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	p = predictor(fcinfo, 1, crm_rate_model(fcinfo, 0));
	x = PG_GETARG_FLOAT8(2);
	t_x = PG_GETARG_FLOAT8(3);
	t = PG_GETARG_FLOAT8(4);
	spend = PG_GETARG_FLOAT8(5);
	horizon = PG_GETARG_FLOAT8(6);
	discount = PG_GETARG_FLOAT8(7);
	crm_check_customer(x, t_x, t);
	crm_check_measure(spend, "spend");
	crm_check_measure(discount, "discount");
	if (!(horizon >= 0) || (isinf(horizon) && (discount == 0 || !PG_ARGISNULL(8))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon must be finite and not negative, not %g", horizon),
				 errhint("Only with a continuous discount greater than 0 can it be infinite.")));
	if (isfinite(horizon))
		crm_check_measure(horizon, "horizon");
	if (PG_ARGISNULL(8))
		purchases = crm_rate_discounted(&p->rate, x, t_x, t, horizon, discount);
	else
	{
		double		period = PG_GETARG_FLOAT8(8);

		if (!(period > 0) || horizon / period > CRM_MAX_VALUE_PERIODS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("period must be greater than 0 and at least a %dth of the horizon, not %g",
							CRM_MAX_VALUE_PERIODS, period)));
		purchases = crm_rate_discounted_periods(&p->rate, x, t_x, t, horizon, discount, period);
	}
	PG_RETURN_FLOAT8(spend * crm_check_result(purchases));
}

/*
 * crm.covariate_parameters(model, parameters, covariates): the parameters of
 * a customer with these covariates.
 */
Datum
crm_covariate_parameters(PG_FUNCTION_ARGS)
{
	CrmModel	model = crm_rate_model(fcinfo, 0);
	int			natural = crm_model_parameters(model);
	int			count,
				m;
	float8	   *value = crm_float8_array(PG_GETARG_ARRAYTYPE_P(1), "parameters", &count);
	float8	   *z = crm_float8_array(PG_GETARG_ARRAYTYPE_P(2), "covariates", &m);
	double		purchase = 0,
				leaving = 0;
	Datum		result[4];

	if (model > CRM_PARETO_NBD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model %s has no covariates", crm_model_name(model))));
	if (count != natural + m * (natural == 4 ? 2 : 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model %s with %d covariates has %d parameters, not %d", crm_model_name(model), m,
						natural + m * (natural == 4 ? 2 : 1), count)));
	for (int i = 0; i < m; i++)
	{
		purchase += value[natural + i] * z[i];
		if (natural == 4)
			leaving += value[natural + m + i] * z[i];
	}
	for (int i = 0; i < natural; i++)
	{
		double		p = value[i];

		if (i == 1)
			p *= exp(-purchase);
		if (i == 2 && model != CRM_PARETO_NBD)
			p *= exp(leaving);
		if (i == 3)
			p *= exp(model == CRM_PARETO_NBD ? -leaving : leaving);
		if (!(p >= 0 && p <= CRM_MAX_MEASURE))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the covariates lead to a parameter out of range")));
		result[i] = Float8GetDatum(p);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(result, natural, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
										  TYPALIGN_DOUBLE));
}

/* The other models --------------------------------------------------------------------------------------------- */

/*
 * crm.gamma_gamma_spend(parameters, x, m_x): expected mean value of a
 * customer's purchases, p (gamma + x m_x) / (p x + q - 1); null where it does
 * not exist (x = 0 and q <= 1).
 */
Datum
crm_gamma_gamma_spend(PG_FUNCTION_ARGS)
{
	Predictor  *p;
	double		x,
				m_x;
	double		divisor;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i) && !(i == 2 && !PG_ARGISNULL(1) && PG_GETARG_FLOAT8(1) == 0))
			PG_RETURN_NULL();
	p = predictor(fcinfo, 0, CRM_GAMMA_GAMMA);
	x = PG_GETARG_FLOAT8(1);
	m_x = PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2);
	crm_check_spend(x, m_x);
	divisor = p->rate.p[0] * x + p->rate.p[1] - 1;
	if (divisor <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(p->rate.p[0] * (p->rate.p[2] + x * m_x) / divisor);
}

/* (parameters, x, t_x, n, periods) */
static Datum
bg_bb_prediction(FunctionCallInfo fcinfo, double (*function) (const double *, int, int, int, int))
{
	Predictor  *p = predictor(fcinfo, 0, CRM_BG_BB);
	double		x = PG_GETARG_FLOAT8(1);
	double		t_x = PG_GETARG_FLOAT8(2);
	double		n = PG_GETARG_FLOAT8(3);
	int32		periods = PG_GETARG_INT32(4);

	crm_check_periods(x, t_x, n);
	if (periods < 0 || periods > CRM_MAX_PERIODS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("periods must be from 0 to %d, not %d", CRM_MAX_PERIODS, periods)));
	PG_RETURN_FLOAT8(function(p->rate.p, (int) x, (int) t_x, (int) n, periods));
}

Datum
crm_bg_bb_alive_later(PG_FUNCTION_ARGS)
{
	return bg_bb_prediction(fcinfo, crm_bg_bb_alive);
}

Datum
crm_bg_bb_expected_purchases(PG_FUNCTION_ARGS)
{
	return bg_bb_prediction(fcinfo, crm_bg_bb_expected);
}

static double
renewals(FunctionCallInfo fcinfo)
{
	double		periods = PG_GETARG_FLOAT8(1);

	if (!(periods >= 0 && periods <= CRM_MAX_COUNT && periods == floor(periods)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("periods must be a whole number from 0 to 1000000000, not %g", periods)));
	return periods;
}

Datum
crm_sbg_survives(PG_FUNCTION_ARGS)
{
	Predictor  *p = predictor(fcinfo, 0, CRM_SBG);

	PG_RETURN_FLOAT8(crm_sbg_survival(p->rate.p, renewals(fcinfo)));
}

/* Share of those with "periods" renewals who renew once more. */
Datum
crm_sbg_retention(PG_FUNCTION_ARGS)
{
	Predictor  *p = predictor(fcinfo, 0, CRM_SBG);
	double		periods = renewals(fcinfo);

	PG_RETURN_FLOAT8((p->rate.p[1] + periods) / (p->rate.p[0] + p->rate.p[1] + periods));
}

/* (parameters, periods, discount) */
Datum
crm_sbg_derl(PG_FUNCTION_ARGS)
{
	Predictor  *p = predictor(fcinfo, 0, CRM_SBG);
	double		discount = PG_GETARG_FLOAT8(2);

	if (!(discount > 0 && discount <= CRM_MAX_MEASURE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("discount must be greater than 0, not %g", discount)));
	PG_RETURN_FLOAT8(crm_sbg_residual(p->rate.p, renewals(fcinfo), discount));
}
