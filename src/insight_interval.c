/*-------------------------------------------------------------------------
 *
 * insight_interval.c
 *	  Intervals of what the customer-base models predict.
 *
 * They come from not knowing the parameters exactly: the delta method, from
 * the parameters' covariance, on a scale where an interval cannot leave the
 * range of what it is about: the logit for a probability, the logarithm for
 * purchases, spend and value.  What one customer does varies more.
 *
 *-------------------------------------------------------------------------
 */
#include "insight.h"
#include "insight_predict_math.h"
#include "insight_special_math.h"

#include "access/htup_details.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(crm_alive_interval);
PG_FUNCTION_INFO_V1(crm_expected_interval);
PG_FUNCTION_INFO_V1(crm_spend_interval);
PG_FUNCTION_INFO_V1(crm_value_interval);

/* Steps of the derivatives, relative to the parameter. */
#define STEP 1e-4
#define STEP_FORWARD 1e-6

typedef enum Prediction
{
	ALIVE,
	PURCHASES,
	DISCOUNTED
} Prediction;

typedef struct Question
{
	Prediction	what;
	double		x;
	double		t_x;
	double		t;
	double		horizon;
	double		discount;
} Question;

/* The prediction, on its scale when "scaled". */
static double
predict(const CrmRate *rate, const Question *q, bool scaled)
{
	double		p;

	switch (q->what)
	{
		case ALIVE:
			p = crm_rate_alive(rate, q->x, q->t_x, q->t);
			return scaled ? log(p / (1 - p)) : p;
		case PURCHASES:
			p = crm_rate_expected(rate, q->x, q->t_x, q->t, q->horizon);
			break;
		default:
			p = crm_rate_discounted(rate, q->x, q->t_x, q->t, q->horizon, q->discount);
	}
	return scaled ? log(p) : p;
}

/* slope' covariance slope; NaN when an element is not known. */
static double
delta_variance(ArrayType *covariance, const double *slope, int n)
{
	float8	   *cell = (float8 *) ARR_DATA_PTR(covariance);
	double		variance = 0;

	if (array_contains_nulls(covariance))
		return NAN;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			variance += slope[i] * slope[j] * cell[i * n + j];
	return variance > 0 || isnan(variance) ? variance : 0;
}

/*
 * "estimate" is the prediction itself: derivatives of what is dear, the
 * discounted purchases, are taken on one side only.
 */
static double
rate_variance(const CrmRate *rate, ArrayType *covariance, const Question *q, double estimate)
{
	int			n = crm_model_parameters(rate->model);
	double		slope[4];

	if (array_contains_nulls(covariance))
		return NAN;				/* spare the derivatives */
	for (int i = 0; i < n; i++)
	{
		CrmRate		up = *rate,
					down = *rate;
		double		step = rate->p[i] * (q->what == DISCOUNTED ? STEP_FORWARD : STEP);

		up.p[i] += step;
		down.p[i] -= step;
		if (!(step > 0))
			slope[i] = 0;
		else if (q->what == DISCOUNTED)
			slope[i] = (predict(&up, q, true) - log(estimate)) / step;
		else
			slope[i] = (predict(&up, q, true) - predict(&down, q, true)) / (2 * step);
	}
	return delta_variance(covariance, slope, n);
}

static void
check_covariance(ArrayType *covariance, int n)
{
	if (ARR_NDIM(covariance) != 2 || ARR_DIMS(covariance)[0] != n || ARR_DIMS(covariance)[1] != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("covariance must be a matrix of %d times %d", n, n)));
}

static double
check_level(double level)
{
	if (!(level > 0 && level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level must be between 0 and 1, not %g", level)));
	return level;
}

/* The result: value, and bounds unless the variance is NaN. */
static Datum
make_estimate(FunctionCallInfo fcinfo, double estimate, bool alive, double variance, double level)
{
	TupleDesc	desc;
	Datum		value[3];
	bool		null[3] = {false};
	double		half = crm_normal_quantile(0.5 + level / 2) * sqrt(variance);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 3)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the result must be of type crm.estimate")));
	value[0] = value[1] = value[2] = Float8GetDatum(estimate);
	/* What is certain by the model has no interval. */
	if (estimate > 0 && !(alive && estimate >= 1))
	{
		double		middle = alive ? log(estimate / (1 - estimate)) : log(estimate);

		null[1] = null[2] = !isfinite(half);
		value[1] = Float8GetDatum(alive ? 1 / (1 + exp(half - middle)) : exp(middle - half));
		value[2] = Float8GetDatum(alive ? 1 / (1 + exp(-half - middle)) : exp(middle + half));
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), value, null));
}

/* (model, parameters, covariance, x, t_x, t [, horizon], level) */
static Datum
rate_interval(FunctionCallInfo fcinfo, bool alive)
{
	CrmRate		rate;
	ArrayType  *covariance = PG_GETARG_ARRAYTYPE_P(2);
	Question	q = {alive ? ALIVE : PURCHASES, PG_GETARG_FLOAT8(3), PG_GETARG_FLOAT8(4), PG_GETARG_FLOAT8(5), 0, 0};
	double		level;
	double		estimate;

	rate.model = crm_rate_model(fcinfo, 0);
	rate.regularity = crm_check_parameters(rate.model, PG_GETARG_ARRAYTYPE_P(1), rate.p);
	crm_check_customer(q.x, q.t_x, q.t);
	if (!alive)
		q.horizon = PG_GETARG_FLOAT8(6);
	crm_check_measure(q.horizon, "horizon");
	level = check_level(PG_GETARG_FLOAT8(alive ? 6 : 7));
	check_covariance(covariance, crm_model_parameters(rate.model));
	estimate = crm_check_result(predict(&rate, &q, false));
	return make_estimate(fcinfo, estimate, alive, rate_variance(&rate, covariance, &q, estimate), level);
}

Datum
crm_alive_interval(PG_FUNCTION_ARGS)
{
	return rate_interval(fcinfo, true);
}

Datum
crm_expected_interval(PG_FUNCTION_ARGS)
{
	return rate_interval(fcinfo, false);
}

/*
 * Expected spend of the gamma-gamma, p (gamma + x m_x) / (p x + q - 1), and
 * the slopes of its logarithm; NaN where it does not exist.
 */
static double
spend_slopes(const double *p, double x, double m_x, double *slope)
{
	double		divisor = p[0] * x + p[1] - 1;

	if (divisor <= 0)
		return NAN;
	slope[0] = 1 / p[0] - x / divisor;
	slope[1] = -1 / divisor;
	slope[2] = 1 / (p[2] + x * m_x);
	return p[0] * (p[2] + x * m_x) / divisor;
}

/* (parameters, covariance, x, m_x, level); m_x may be null when x is 0 */
Datum
crm_spend_interval(PG_FUNCTION_ARGS)
{
	double		p[4];
	double		slope[3];
	double		x,
				m_x,
				level;
	double		spend;
	ArrayType  *covariance;

	for (int i = 0; i < 5; i++)
		if (PG_ARGISNULL(i) && !(i == 3 && PG_GETARG_FLOAT8(2) == 0))
			PG_RETURN_NULL();
	(void) crm_check_parameters(CRM_GAMMA_GAMMA, PG_GETARG_ARRAYTYPE_P(0), p);
	covariance = PG_GETARG_ARRAYTYPE_P(1);
	check_covariance(covariance, 3);
	x = PG_GETARG_FLOAT8(2);
	m_x = PG_ARGISNULL(3) ? 0 : PG_GETARG_FLOAT8(3);
	crm_check_spend(x, m_x);
	level = check_level(PG_GETARG_FLOAT8(4));
	spend = spend_slopes(p, x, m_x, slope);
	if (isnan(spend))
		PG_RETURN_NULL();
	return make_estimate(fcinfo, spend, false, delta_variance(covariance, slope, 3), level);
}

/*
 * (model, parameters, covariance, spend_parameters, spend_covariance, x, t_x,
 * t, m_x, horizon, discount, level): discounted purchases times spend.  The
 * two models are fitted apart and suppose that spending does not depend on
 * buying, so the variances of the logarithms add up.
 */
Datum
crm_value_interval(PG_FUNCTION_ARGS)
{
	CrmRate		rate;
	Question	q = {DISCOUNTED, 0, 0, 0, 0, 0};
	double		p[4];
	double		slope[3];
	double		m_x,
				level,
				spend,
				purchases;
	ArrayType  *covariance,
			   *spend_covariance;

	for (int i = 0; i < 12; i++)
		if (PG_ARGISNULL(i) && !(i == 8 && PG_GETARG_FLOAT8(5) == 0))
			PG_RETURN_NULL();
	rate.model = crm_rate_model(fcinfo, 0);
	rate.regularity = crm_check_parameters(rate.model, PG_GETARG_ARRAYTYPE_P(1), rate.p);
	covariance = PG_GETARG_ARRAYTYPE_P(2);
	check_covariance(covariance, crm_model_parameters(rate.model));
	(void) crm_check_parameters(CRM_GAMMA_GAMMA, PG_GETARG_ARRAYTYPE_P(3), p);
	spend_covariance = PG_GETARG_ARRAYTYPE_P(4);
	check_covariance(spend_covariance, 3);
	q.x = PG_GETARG_FLOAT8(5);
	q.t_x = PG_GETARG_FLOAT8(6);
	q.t = PG_GETARG_FLOAT8(7);
	crm_check_customer(q.x, q.t_x, q.t);
	m_x = PG_ARGISNULL(8) ? 0 : PG_GETARG_FLOAT8(8);
	crm_check_spend(q.x, m_x);
	q.horizon = PG_GETARG_FLOAT8(9);
	q.discount = PG_GETARG_FLOAT8(10);
	crm_check_measure(q.discount, "discount");
	if (!(isinf(q.horizon) && q.horizon > 0 && q.discount > 0))
		crm_check_measure(q.horizon, "horizon");
	level = check_level(PG_GETARG_FLOAT8(11));
	spend = spend_slopes(p, q.x, m_x, slope);
	if (isnan(spend))
		PG_RETURN_NULL();
	purchases = crm_check_result(predict(&rate, &q, false));
	return make_estimate(fcinfo, spend * purchases, false,
						 delta_variance(spend_covariance, slope, 3) +
						 (purchases > 0 ? rate_variance(&rate, covariance, &q, purchases) : 0), level);
}
