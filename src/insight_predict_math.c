/*-------------------------------------------------------------------------
 *
 * insight_predict_math.c
 *	  Predictions of the customer-base models for one customer.
 *
 * Given that a customer is alive at T, the rate of buying is gamma
 * (r + kx, alpha + T) again, and the willingness to leave is beta (a, b + x)
 * or gamma (s, beta + T).  All predictions are taken from there and weighted
 * by the probability of being alive; sums have positive terms only, so that
 * none of the published closed forms' cancellations (a near 1, s near 1) is
 * met.  Times are in any unit, the same everywhere.  No server call in here.
 *
 *-------------------------------------------------------------------------
 */
#include "insight_predict_math.h"
#include "insight_special_math.h"

#include <math.h>

/* Beyond this many terms the sum gives way to an integral. */
#define SUM_TERMS 20000.0
/* Where there is no integral, the longest sum. */
#define LONGEST_SUM 2e7
#define SUM_ACCURACY 1e-14

static bool
is_pareto(CrmModel model)
{
	return model == CRM_PARETO_NBD;
}

/* b of the beta distribution of someone alive after x repeat purchases */
static double
stayed(const CrmRate *rate, double x)
{
	return rate->p[3] + x + (rate->model == CRM_MBG_NBD || rate->model == CRM_MBG_CNBD ? 1 : 0);
}

/*
 * Probability of being a customer at T (BG/NBD: Fader, Hardie and Lee 2008
 * note; MBG/NBD: Batislam et al. 2007; CNBD-k: Platzer and Reutterer 2016;
 * Pareto/NBD: Schmittlein et al. 1987).
 */
double
crm_rate_alive(const CrmRate *rate, double x, double t_x, double t)
{
	const double *p = rate->p;
	double		wait = t - t_x;
	double		gone;			/* logarithm of the odds of having left */

	if (rate->model == CRM_NBD || p[2] == 0)
		return 1;
	gone = (p[0] + rate->regularity * x) * log1p(wait / (p[1] + t_x));
	if (is_pareto(rate->model))
	{
		double		slope[4];

		gone += p[2] * log1p(wait / (p[3] + t_x)) + crm_pareto_share(p, x, t_x, slope);
		/* 1 - G(T) is what of the tail stays; see crm_pareto_share(). */
		return 1 / (1 + fmax(0, exp(gone) - exp(crm_pareto_share(p, x, t, slope))));
	}
	if (rate->model == CRM_BG_NBD || rate->model == CRM_BG_CNBD)
	{
		if (x == 0)
			return 1;
		gone += log(p[2] / (p[3] + x - 1));
	}
	else
		gone += log(p[2] / (p[3] + x));
	if (rate->regularity > 1)
	{
		double		by_total,
					by_u;

		gone -= crm_erlang_wait(rate->regularity, p[0] + rate->regularity * x, wait / (p[1] + t),
								&by_total, &by_u);
	}
	return 1 / (1 + exp(gone));
}

/* ln P(N = n) of the negative binomial: shape total, odds growth = h / A. */
static double
log_negative_binomial(double total, double growth, double n)
{
	return crm_log_rising(total, n) - crm_lgamma(n + 1) - total * log1p(growth) +
		(n > 0 ? n * (log(growth) - log1p(growth)) : 0);
}

/*
 * For leaving after purchases with a probability p from beta (a, b), when N
 * arrivals of a negative binomial come and each k-th (the first after
 * k - phase) is a purchase: the expected number of purchases made, and the
 * probability of having left.
 *     sum_m P(N >= k (m + 1) - phase) E[(1 - p)^m]
 */
static void
purchase_sum(double total, double growth, double a, double b, int k, int phase,
			 double *expected, double *leaves)
{
	double		z = growth / (1 + growth);
	double		log_none = -total * log1p(growth);
	double		n = 0;			/* arrivals so far */
	double		weight = exp(log_none);
	double		beyond = -expm1(log_none);	/* P(N > n) */
	double		stays = 1;		/* E[(1 - p)^m] */
	double		first = 0;
	int			to_next = k - phase;	/* arrivals until the next purchase */
	double		sum = 0,
				gone = 0;

	if (k == 1 && log_none >= -600)
	{
		/* The common case, with one division per term. */
		double		limit = SUM_ACCURACY * (1 - z);

		for (double m = 0; m < LONGEST_SUM && beyond > 0; m++)
		{
			double		inverse = 1 / ((a + b + m) * (m + 1));
			double		willing = (m + 1) * inverse;
			double		term = beyond * stays;

			sum += term;
			gone += term * willing;
			if (term < limit * sum)
				break;
			stays *= (b + m) * willing;
			weight *= (total + m) * z * (a + b + m) * inverse;
			beyond -= weight;
		}
		*expected = sum;
		*leaves = a * gone;
		return;
	}
	if (log_none < -600)
	{
		/* The first weights are nothing: find where they begin. */
		double		high = floor(total * growth);

		while (high - first > 1)
		{
			double		middle = floor(0.5 * (first + high));

			if (log_negative_binomial(total, growth, middle) < -60)
				first = middle;
			else
				high = middle;
		}
		weight = exp(log_negative_binomial(total, growth, first));
		beyond = 1;
	}

	for (double m = 0; n < LONGEST_SUM; m++)
	{
		double		term;

		/* P(N >= n + to_next) = P(N > n + to_next - 1) */
		for (int i = 1; i < to_next; i++)
		{
			n += 1;
			if (n > first)
			{
				weight *= (total + n - 1) / n * z;
				beyond -= weight;
			}
		}
		if (beyond <= 0)
			break;
		term = beyond * stays;
		sum += term;
		gone += term * a / (a + b + m);
		if (term < SUM_ACCURACY * sum * (1 - z) && n > first)
			break;
		stays *= (b + m) / (a + b + m);
		n += 1;
		if (n > first)
		{
			weight *= (total + n - 1) / n * z;
			beyond -= weight;
		}
		to_next = k;
	}
	*expected = sum;
	*leaves = gone;
}

/*
 * The same for k = 1 as an integral over p, for horizons so long that the sum
 * would not end: the trapezoidal rule over ln(p / (1 - p)), which converges
 * exponentially; both tails are geometric series.
 */
static void
purchase_integral(double total, double growth, double a, double b, double *expected, double *leaves)
{
	double		width = sqrt(1 / a + 1 / b) / 2;
	double		step = width < 0.25 ? width : 0.25;
	double		centre = log(a / b);
	double		log_norm = crm_log_beta(a, b);
	double		low = -40 - log1p(total * growth);
	double		high = 40;
	double		sum = 0,
				stay = 0;

	for (int side = 0; side < 2; side++)
	{
		double		weights = 0;

		for (long i = side; i < 1000000; i++)
		{
			double		y = side == 0 ? centre - i * step : centre + i * step;
			double		log_weight = a * y - (a + b) * (y > 0 ? y + log1p(exp(-y)) : log1p(exp(y))) - log_norm;
			double		weight = exp(log_weight) * step;
			double		probability = 1 / (1 + exp(-y));
			double		log_stay = -total * log1p(probability * growth);
			double		purchases = probability * growth * total < 1e-12 ? growth * total : -expm1(log_stay) / probability;
			bool		end = side == 0 ? y < low : y > high;

			if (end)
				weight /= -expm1(-(side == 0 ? a : b) * step);
			sum += weight * purchases;
			stay += weight * exp(log_stay);
			weights += weight;
			if (end || weight < 1e-18 * weights)
				break;
		}
	}
	*expected = sum;
	*leaves = 1 - stay;
}

/*
 * Expected purchases within the horizon of a customer who is alive at T, and
 * the probability of still being one at its end.
 */
double
crm_rate_expected_alive(const CrmRate *rate, double x, double t_x, double t, double horizon, double *stays)
{
	const double *p = rate->p;
	int			k = rate->regularity;
	double		total = p[0] + k * x;
	double		since = p[1] + t;
	double		growth = horizon / since;
	double		a = p[2],
				b;
	double		expected,
				leaves;

	if (total == 0 || horizon == 0 || (rate->model == CRM_NBD && k == 1) ||
		(p[2] == 0 && k == 1))
	{
		/* Pareto/NBD customers leave without buying, too. */
		*stays = is_pareto(rate->model) && p[2] > 0 ? exp(-p[2] * log1p(horizon / (p[3] + t))) : 1;
		return total * growth;
	}
	if (is_pareto(rate->model))
	{
		double		stay = log1p(horizon / (p[3] + t));
		double		u = (p[2] - 1) * stay;

		*stays = exp(-p[2] * stay);
		return total * (p[3] + t) / since * stay * (fabs(u) < 1e-8 ? 1 - u / 2 : -expm1(-u) / u);
	}
	if (rate->model == CRM_NBD)
		a = 0;
	b = a > 0 ? stayed(rate, x) : 1;
	if (k == 1)
	{
		/* The sum ends where the negative binomial does. */
		if (total * growth + 40 * (1 + growth) * (1 + sqrt(total)) > SUM_TERMS)
			purchase_integral(total, growth, a, b, &expected, &leaves);
		else
			purchase_sum(total, growth, a, b, 1, 0, &expected, &leaves);
	}
	else
	{
		/* Which of the k steps to the next purchase has been reached? */
		double		u = (t - t_x) / since;
		double		term = 1,
					weight = 0;

		if (total * growth + 40 * (1 + growth) * (1 + sqrt(total)) > LONGEST_SUM)
		{
			*stays = NAN;
			return NAN;
		}
		expected = leaves = 0;
		for (int phase = 0; phase < k; phase++)
		{
			double		part,
						part_leaves;

			if (phase > 0)
				term *= (total + phase - 1) / phase * u;
			if (term == 0)
				break;
			purchase_sum(total + phase, growth, a, b, k, phase, &part, &part_leaves);
			expected += term * part;
			leaves += term * part_leaves;
			weight += term;
		}
		expected /= weight;
		leaves /= weight;
	}
	*stays = fmax(0, 1 - leaves);
	return expected;
}

/* Expected purchases within the horizon, for a customer who may have left. */
double
crm_rate_expected(const CrmRate *rate, double x, double t_x, double t, double horizon)
{
	double		stays;

	return crm_rate_alive(rate, x, t_x, t) * crm_rate_expected_alive(rate, x, t_x, t, horizon, &stays);
}

/* Probability of being a customer at T + later, seen from T. */
double
crm_rate_alive_later(const CrmRate *rate, double x, double t_x, double t, double later)
{
	double		stays;

	(void) crm_rate_expected_alive(rate, x, t_x, t, later, &stays);
	return crm_rate_alive(rate, x, t_x, t) * stays;
}

/* P(N >= n) of the negative binomial, exact in either tail. */
static double
negative_binomial_beyond(double total, double growth, double n)
{
	double		z = growth / (1 + growth);

	if (n <= 0)
		return 1;
	if (n > total * growth)
	{
		double		weight = exp(log_negative_binomial(total, growth, n));
		double		sum = 0;

		for (double i = n; i < n + LONGEST_SUM; i++)
		{
			sum += weight;
			weight *= (total + i) / (i + 1) * z;
			if (weight <= 1e-17 * sum * (1 - z))
				break;
		}
		return sum;
	}
	else
	{
		double		weight = exp(log_negative_binomial(total, growth, n - 1));
		double		sum = 0;

		for (double i = n - 1; i >= 0; i--)
		{
			sum += weight;
			if (i > 0)
				weight *= i / ((total + i - 1) * z);
			if (weight <= 1e-18 * sum)
				break;
		}
		return fmax(0, 1 - sum);
	}
}

/*
 * Probability that a customer alive at T makes exactly n purchases in the
 * horizon, when each is followed by leaving with probability p from beta
 * (a, b): exactly n arrivals, the first n - 1 survived; or more, and leaving
 * after the n-th.
 */
static double
purchases_beta(double total, double growth, double a, double b, int k, int phase, int n)
{
	double		enough = negative_binomial_beyond(total, growth, k * (double) n - phase);
	double		more = negative_binomial_beyond(total, growth, k * (n + 1.0) - phase);
	double		survived;
	double		exactly;

	if (k == 1)
		exactly = exp(log_negative_binomial(total, growth, n));
	else
		exactly = fmax(0, enough - more);
	if (n == 0)
		return exactly;
	survived = a > 0 ? exp(crm_log_rising(b, n - 1) - crm_log_rising(a + b, n - 1)) : 1;
	return survived * (exactly + more * (a > 0 ? a / (a + b + n - 1) : 0));
}

/*
 * Probability of exactly n purchases in the horizon after T.
 */
double
crm_rate_purchases_probability(const CrmRate *rate, double x, double t_x, double t, double horizon, int n)
{
	const double *p = rate->p;
	int			k = rate->regularity;
	double		total = p[0] + k * x;
	double		since = p[1] + t;
	double		growth = horizon / since;
	double		alive = crm_rate_alive(rate, x, t_x, t);
	double		probability = 0;

	if (total == 0 || horizon == 0)
		return n == 0 ? 1 : 0;
	if (rate->model == CRM_NBD || p[2] == 0)
	{
		if (k == 1)
			return exp(log_negative_binomial(total, growth, n));
	}
	if (is_pareto(rate->model))
	{
		/* Stayed for all of it, or left on the way. */
		double		s = p[2],
					beta = p[3] + t;
		double		start = 0,
					width = fmin(fmin(since, beta), horizon);

		probability = exp(log_negative_binomial(total, growth, n) - s * log1p(horizon / beta));
		/* Near the start the count grows like time^n: more panels there. */
		width /= 64;
		while (start < horizon)
		{
			double		end = fmin(start + width, horizon);

			for (int i = 0; i < CRM_GAUSS_NODES; i++)
			{
				double		u = start + (end - start) * crm_gauss_node[i];

				probability += crm_gauss_weight[i] * (end - start) * s / (beta + u) *
					exp(log_negative_binomial(total, u / since, n) - s * log1p(u / beta));
			}
			start = end;
			width *= 1.5;
		}
	}
	else
	{
		double		a = rate->model == CRM_NBD ? 0 : p[2];
		double		b = a > 0 ? stayed(rate, x) : 1;
		double		u = (t - t_x) / since;
		double		term = 1,
					weight = 0;

		for (int phase = 0; phase < k; phase++)
		{
			if (phase > 0)
				term *= (total + phase - 1) / phase * u;
			if (term == 0)
				break;
			probability += term * purchases_beta(total + phase, growth, a, b, k, phase, n);
			weight += term;
		}
		probability /= weight;
	}
	probability *= alive;
	return n == 0 ? probability + (1 - alive) : probability;
}

/*
 * Expected purchases within the horizon (which may be infinite when discount
 * is positive), each discounted by exp(-discount * time from T); for an
 * infinite horizon this is DERT (Fader, Hardie and Lee 2005, "RFM and CLV").
 *     exp(-d H) Y(H) + d Int_0^H exp(-d u) Y(u) du
 * where Y(u) is what is expected up to u; Gauss-Legendre on growing panels.
 */
double
crm_rate_discounted(const CrmRate *rate, double x, double t_x, double t, double horizon, double discount)
{
	double		stays;
	double		end = horizon;
	double		value;
	double		start = 0,
				width;

	if (discount == 0)
		return crm_rate_expected(rate, x, t_x, t, horizon);
	if (end > 45 / discount)
		end = 45 / discount;
	value = exp(-discount * end) * crm_rate_expected_alive(rate, x, t_x, t, end, &stays);
	width = rate->p[1] + t;
	if (is_pareto(rate->model))
		width = fmin(width, rate->p[3] + t);
	while (start < end)
	{
		double		stop = fmin(start + fmin(width, 6 / discount), end);

		for (int i = 0; i < CRM_GAUSS_NODES; i++)
		{
			double		u = start + (stop - start) * crm_gauss_node[i];

			value += crm_gauss_weight[i] * (stop - start) * discount * exp(-discount * u) *
				crm_rate_expected_alive(rate, x, t_x, t, u, &stays);
		}
		start = stop;
		width = start + fmin(rate->p[1] + t, width);
	}
	return crm_rate_alive(rate, x, t_x, t) * value;
}

/*
 * Expected purchases within the horizon, those of the i-th period divided by
 * (1 + discount)^i.  The last period may be cut short by the horizon.
 */
double
crm_rate_discounted_periods(const CrmRate *rate, double x, double t_x, double t, double horizon,
							double discount, double period)
{
	double		stays;
	double		value = 0,
				before = 0;

	for (int i = 1; i <= CRM_MAX_VALUE_PERIODS; i++)
	{
		/* A horizon of twelve periods has twelve, whatever rounding says. */
		bool		last = i * period >= horizon * (1 - 1e-12);
		double		after = crm_rate_expected_alive(rate, x, t_x, t, last ? horizon : i * period, &stays);

		value += (after - before) * exp(-i * log1p(discount));
		before = after;
		if (last)
			break;
	}
	return crm_rate_alive(rate, x, t_x, t) * value;
}

/*
 * BG/BB: probability of being alive for "later" periods after the n observed
 * (Fader, Hardie and Shang 2010, eq. 11).
 */
double
crm_bg_bb_alive(const double *p, int x, int t_x, int n, int later)
{
	double		alive = 0;
	double		all;

	if (p[2] == 0)
		return 1;
	alive = crm_log_rising(p[0], x) + crm_log_rising(p[1], n - x) - crm_log_rising(p[0] + p[1], n) +
		crm_log_rising(p[3], n) - crm_log_rising(p[2] + p[3], n);
	all = alive;
	for (int lived = t_x; lived < n; lived++)
		all = crm_log_add(all, crm_log_rising(p[0], x) + crm_log_rising(p[1], lived - x) -
						  crm_log_rising(p[0] + p[1], lived) + log(p[2]) + crm_log_rising(p[3], lived) -
						  crm_log_rising(p[2] + p[3], lived + 1));
	return exp(alive - all + crm_log_rising(p[3] + n, later) - crm_log_rising(p[2] + p[3] + n, later));
}

/* BG/BB: expected purchases in the next "horizon" periods (eq. 13). */
double
crm_bg_bb_expected(const double *p, int x, int t_x, int n, int horizon)
{
	double		stays = 1,
				sum = 0;

	for (int i = 0; i < horizon; i++)
	{
		stays *= (p[3] + n + i) / (p[2] + p[3] + n + i);
		sum += stays;
	}
	return crm_bg_bb_alive(p, x, t_x, n, 0) * (p[0] + x) / (p[0] + p[1] + n) * sum;
}

/* sBG: share of contracts that are renewed at least "periods" times. */
double
crm_sbg_survival(const double *p, double periods)
{
	if (p[0] == 0)
		return 1;
	if (p[1] == 0)
		return periods > 0 ? 0 : 1;
	return exp(crm_log_rising(p[1], periods) - crm_log_rising(p[0] + p[1], periods));
}

/*
 * sBG: discounted expected residual lifetime of a contract that has been
 * renewed "periods" times, right before its next renewal, which is counted in
 * full (Fader and Hardie 2010, "Customer-base valuation in a contractual
 * setting", eq. 6).
 */
double
crm_sbg_residual(const double *p, double periods, double discount)
{
	CrmHyper	f;

	if (p[0] == 0)
		return (1 + discount) / discount;
	if (p[1] + periods == 0)
		return 0;
	crm_hyper_one(p[1] + periods + 1, p[0] + p[1] + periods + 1, 1 / (1 + discount), discount / (1 + discount), &f);
	return (p[1] + periods) / (p[0] + p[1] + periods) * f.value;
}
