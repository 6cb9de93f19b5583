/*-------------------------------------------------------------------------
 *
 * insight_special_math.c
 *	  Special functions of the customer-base models.
 *
 * Everything works on logarithms or on differences that do not cancel, since
 * the models meet gamma functions of several hundred and hypergeometric
 * functions at arguments next to 1.  No server call in here.
 *
 *-------------------------------------------------------------------------
 */
#include "insight_special_math.h"

#include <float.h>
#include <math.h>

/* Below this the series of 2F1 is used, above it the integral. */
#define SERIES_LIMIT 0.9
/* Widths of the integral's panels: this, halved up to so many times. */
#define WIDEST_PANEL 1.5
#define PANEL_WIDTHS 64
/* Rises of at most this many steps are summed term by term. */
#define STEPWISE_RISE 32

const double crm_gauss_node[CRM_GAUSS_NODES] = {
	0.0052995325041750337019,
	0.0277124884633837119610,
	0.0671843988060841280598,
	0.1222977958224984830524,
	0.1910618777986781257767,
	0.2709916111713863068288,
	0.3591982246103705433848,
	0.4524937450811812799073,
	0.5475062549188187200927,
	0.6408017753896294566152,
	0.7290083888286136931712,
	0.8089381222013218742233,
	0.8777022041775015169476,
	0.9328156011939158719402,
	0.9722875115366162880390,
	0.9947004674958249662981
};

const double crm_gauss_weight[CRM_GAUSS_NODES] = {
	0.0135762297058770474259,
	0.0311267619693239464314,
	0.0475792558412463924050,
	0.0623144856277669360262,
	0.0747979944082883660408,
	0.0845782596975012690947,
	0.0913017075224617944334,
	0.0947253052275342481427,
	0.0947253052275342481427,
	0.0913017075224617944334,
	0.0845782596975012690947,
	0.0747979944082883660408,
	0.0623144856277669360262,
	0.0475792558412463924050,
	0.0311267619693239464314,
	0.0135762297058770474259
};

/*
 * ln Gamma(x) for x > 0.  lgamma() writes the global signgam; lgamma_r() does
 * not.
 */
double
crm_lgamma(double x)
{
	int			sign;

	return lgamma_r(x, &sign);
}

/*
 * The digamma function for x > 0: upward recurrence, then the asymptotic
 * series (Abramowitz and Stegun 6.3.18); error below 1e-15 relative to 1.
 */
double
crm_digamma(double x)
{
	double		shift = 0;
	double		y;

	while (x < 10)
	{
		shift -= 1 / x;
		x += 1;
	}
	y = 1 / (x * x);
	return shift + log(x) - 0.5 / x -
		y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * (691.0 / 32760 - y / 12))))));
}

/* ln(exp(a) + exp(b)); either may be minus infinity. */
double
crm_log_add(double a, double b)
{
	if (a < b)
	{
		double		swap = a;

		a = b;
		b = swap;
	}
	if (b == -HUGE_VAL)
		return a;
	return a + log1p(exp(b - a));
}

/* ln(1 - exp(x)) for x <= 0 (Maechler 2012: the switch at -ln 2). */
double
crm_log1mexp(double x)
{
	if (x >= 0)
		return -HUGE_VAL;
	return x > -M_LN2 ? log(-expm1(x)) : log1p(-exp(x));
}

/* ln B(a, b) */
double
crm_log_beta(double a, double b)
{
	/* The larger one's gamma functions nearly cancel. */
	if (a > b)
		return crm_lgamma(b) - crm_log_rising(a, b);
	return crm_lgamma(a) - crm_log_rising(b, a);
}

/*
 * ln Gamma(a + n) - ln Gamma(a) for a > 0, n >= 0, without the cancellation
 * of two large values.
 */
double
crm_log_rising(double a, double n)
{
	if (n <= STEPWISE_RISE && n == floor(n))
	{
		double		sum = 0;
		double		product = 1;

		for (int j = 0; j < (int) n; j++)
		{
			product *= a + j;
			if (product > 1e200 || product < 1e-200)
			{
				sum += log(product);
				product = 1;
			}
		}
		return sum + log(product);
	}
	if (a > 1e3)
	{
		/* Stirling's series of both, subtracted term by term. */
		double		b = a + n;
		double		correction = (1 / b - 1 / a) / 12 -
			(1 / (b * b * b) - 1 / (a * a * a)) / 360 +
			(1 / (b * b * b * b * b) - 1 / (a * a * a * a * a)) / 1260;

		return (a - 0.5) * log1p(n / a) + n * log(b) - n + correction;
	}
	return crm_lgamma(a + n) - crm_lgamma(a);
}

/* digamma(a + n) - digamma(a) for a > 0, n >= 0 */
double
crm_digamma_rise(double a, double n)
{
	if (n <= STEPWISE_RISE && n == floor(n))
	{
		double		sum = 0;

		for (int j = 0; j < (int) n; j++)
			sum += 1 / (a + j);
		return sum;
	}
	if (a > 1e3)
	{
		double		b = a + n;

		return log1p(n / a) - 0.5 * (1 / b - 1 / a) -
			(1 / (b * b) - 1 / (a * a)) / 12 +
			(1 / (b * b * b * b) - 1 / (a * a * a * a)) / 120;
	}
	return crm_digamma(a + n) - crm_digamma(a);
}

/*
 * Quantile of the standard normal distribution for 0 < p < 1: a rational
 * start (Abramowitz and Stegun 26.2.23), then Halley's steps on erfc.
 */
double
crm_normal_quantile(double p)
{
	double		tail = p < 0.5 ? p : 1 - p;
	double		u = sqrt(-2 * log(tail));
	double		z = u - (2.515517 + u * (0.802853 + u * 0.010328)) /
		(1 + u * (1.432788 + u * (0.189269 + u * 0.001308)));

	for (int i = 0; i < 3; i++)
	{
		double		error = 0.5 * erfc(z * M_SQRT1_2) - tail;
		double		density = exp(-0.5 * z * z) / sqrt(2 * M_PI);
		double		step = -error / density;

		z -= step / (1 - 0.5 * step * z);
	}
	return p < 0.5 ? -z : z;
}

/* 1 - exp(-y) at the nodes of a panel that starts at 0; computed once. */
static const double *
panel_fall(int halvings)
{
	static double fall[PANEL_WIDTHS][CRM_GAUSS_NODES];

	if (fall[halvings][0] == 0)
		for (int i = CRM_GAUSS_NODES - 1; i >= 0; i--)
			fall[halvings][i] = -expm1(-ldexp(WIDEST_PANEL, -halvings) * crm_gauss_node[i]);
	return fall[halvings];
}

/*
 * 2F1(1, b; c; z) and its partial derivatives for b > 0, c > 1, 0 <= z < 1.
 *
 * 2F1(n, q; n + 1; z) of the Pareto/NBD is brought to this form by Euler's
 * transformation, (1 - z)^(1 - q) 2F1(1, n + 1 - q; n + 1; z), which has
 * positive terms only and does not overflow.  The caller gives 1 - z
 * separately since it knows it without cancellation.
 *
 * Up to z = 0.9 the series; beyond it
 *     (c - 1) Int_0^inf exp(-(c - 1) y) (1 - z + z exp(-y))^(-b) dy
 * by Gauss-Legendre on panels narrow enough for its steepest part, and the
 * exponential tail in closed form.
 */
void
crm_hyper_one(double b, double c, double z, double one_minus_z, CrmHyper *result)
{
	if (z <= SERIES_LIMIT)
	{
		double		term = 1,
					value = 1,
					db = 0,
					dc = 0,
					dz = 0,
					rise_b = 0,
					rise_c = 0;

		for (int n = 0; n < 100000; n++)
		{
			double		p = b + n;
			double		q = c + n;
			double		inverse = 1 / (p * q);

			rise_b += q * inverse;
			rise_c += p * inverse;
			term *= p * p * inverse * z;
			value += term;
			db += term * rise_b;
			dc -= term * rise_c;
			dz += term * (n + 1);
			/* The ratio of terms tends to z from either side. */
			if (term * (n + 1) < 1e-17 * value * (1 - z))
				break;
		}
		result->value = value;
		result->db = db;
		result->dc = dc;
		result->dz = z > 0 ? dz / z : b / c;
	}
	else
	{
		double		decay = c - 1;
		double		turn = log(z / one_minus_z);
		double		end = (turn > 0 ? turn : 0) + 37;
		double		start,
					value = 0,
					db = 0,
					dc = 0,
					dz = 0,
					largest = 0;

		for (start = 0; start < end;)
		{
			double		panel = 0;
			double		share = one_minus_z / (one_minus_z + z * exp(-start));
			double		slope = fabs(decay - b * (1 - share));
			double		curvature = b * share * (1 - share);
			double		narrow = slope * WIDEST_PANEL / 8;
			double		scale = exp(-start);
			double		gone = -expm1(-start);
			double		width;
			const double *fall;
			int			halvings = 0;

			/* Over one panel the logarithm changes by a few units only. */
			if (curvature * WIDEST_PANEL * WIDEST_PANEL > 12 * narrow * narrow)
				narrow = sqrt(curvature * WIDEST_PANEL * WIDEST_PANEL / 12);
			if (narrow > 1)
				(void) frexp(narrow, &halvings);
			if (halvings >= PANEL_WIDTHS)
				halvings = PANEL_WIDTHS - 1;
			fall = panel_fall(halvings);
			width = ldexp(WIDEST_PANEL, -halvings);

			for (int i = 0; i < CRM_GAUSS_NODES; i++)
			{
				double		y = start + width * crm_gauss_node[i];
				double		base = one_minus_z + z * scale * (1 - fall[i]);
				double		log_base = log(base);
				double		f = width * crm_gauss_weight[i] * exp(-decay * y - b * log_base);

				panel += f;
				db -= f * log_base;
				dc -= f * y;
				/* 1 - exp(-y) = (1 - scale) + scale * fall, without cancellation */
				dz += f * b * (gone + scale * fall[i]) / base;
			}
			value += panel;
			start += width;
			if (panel > largest)
				largest = panel;
			/* One hump only: once small, it stays small. */
			else if (panel < 1e-16 * value)
				break;
		}
		if (start >= end)
		{
			double		log_base = log(one_minus_z);
			double		f = exp(-decay * start - b * log_base) / decay;

			value += f;
			db -= f * log_base;
			dc -= f * (start + 1 / decay);
			dz += f * b / one_minus_z;
		}
		result->value = decay * value;
		result->db = decay * db;
		result->dc = decay * dc + value;
		result->dz = decay * dz;
	}
}
