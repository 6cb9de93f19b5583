/*-------------------------------------------------------------------------
 *
 * channel_beta_math.c
 *	  Distribution function, quantiles and draws of the Beta distribution.
 *
 * Everything works on the logit scale, z = ln(x / (1 - x)), and with
 * logarithms of the tails: at a shape of .02 a quantile may be 1e-300, and 1
 * minus it is not 1 for the purpose of the other tail.  On that scale the
 * density is x^a (1-x)^b / B(a, b), which is log-concave and analytic.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_beta_math.h"
#include "channel_beta_shape.h"
#include "channel_random.h"

#include <float.h>
#include <math.h>

#define HALF_LN_2PI		0.918938533204672741780329736406
#define TWO_PI			6.28318530717958647692528676656

/*
 * ln Gamma(v) - ((v - 1/2) ln v - v + ln(2 pi) / 2): what Stirling's formula
 * leaves out.
 */
static double
stirling_rest(double v)
{
	if (v < 15)
		return lgamma(v) - ((v - 0.5) * log(v) - v + HALF_LN_2PI);
	else
	{
		double		r = 1 / (v * v);

		return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r / 1188)))) / v;
	}
}

/*
 * ln B(a, b) without the cancellation of three large numbers.
 */
static double
log_beta(double a, double b)
{
	if (a > b)
		return log_beta(b, a);
	if (b < 15)
		return lgamma(a) + lgamma(b) - lgamma(a + b);
	return lgamma(a) + stirling_rest(b) - stirling_rest(a + b)
		- (b - 0.5) * log1p(a / b) - a * log(a + b) + a;
}

/*
 * A pair of shapes, ready for use.
 */
CrmShape
crm_beta_shape(double a, double b)
{
	CrmShape	s;

	s.a = a;
	s.b = b;
	s.mean = a / (a + b);
	s.other = b / (a + b);
	s.deviance = a >= 10 && b >= 10;
	if (s.deviance)
		s.log_factor = 0.5 * log(a * s.other / TWO_PI)
			- (stirling_rest(a) + stirling_rest(b) - stirling_rest(a + b));
	else
		s.log_factor = -log_beta(a, b);
	return s;
}

/*
 * The lower tail divided by the density, for places left of the middle: the
 * continued fraction 1 / (1 + d1 / (1 + d2 / (1 + ...))) / a of DLMF 8.17.22,
 *
 *		d[2m] = m (b - m) x / ((a + 2m - 1) (a + 2m))
 *		d[2m + 1] = -(a + m) (a + b + m) x / ((a + 2m) (a + 2m + 1))
 *
 * in its even contraction, b[0] - d1 d2 / (b[1] - d3 d4 / (b[2] - ...)) with
 * b[m] = 1 + d[2m] + d[2m + 1], by Lentz's method.  With v = (a + b) y - b,
 *
 *		1 + d[2m + 1] = ((a + m) (v + 1 + m (2 + y)) + m (m + 1)) / ((a + 2m) (a + 2m + 1))
 *
 * where nothing cancels, also when one shape is huge and the other small.
 * Converges in about sqrt(max(a, b)) steps.
 */
static double
tail_ratio(double a, double b, double x, double y)
{
	double		v = x < y ? a - (a + b) * x : (a + b) * y - b;
	double		value = (v + 1) / (a + 1),
				c = value,
				d = 0,
				odd = -(a + b) * x / (a + 1);
	int			limit = 1000 + (int) (10 * sqrt(a > b ? a : b));

	for (int m = 1; m <= limit; m++)
	{
		double		a2m = a + 2.0 * m;
		double		even = m * (b - m) * x / ((a2m - 1) * a2m);
		double		numerator = -odd * even;
		double		scale = 1 / (a2m * (a2m + 1));
		double		denominator = even + scale *
			((a + m) * (v + 1 + m * (2 + y)) + m * (m + 1.0));
		double		step;

		d = denominator + numerator * d;
		c = denominator + numerator / c;
		if (fabs(d) < DBL_MIN)
			d = DBL_MIN;
		if (fabs(c) < DBL_MIN)
			c = DBL_MIN;
		d = 1 / d;
		step = c * d;
		value *= step;
		if (fabs(step - 1) < 2 * DBL_EPSILON)
			break;
		odd = -(a + m) * (a + b + m) * x * scale;
	}
	return 1 / (a * value);
}

/*
 * Whether a place lies left of the middle, as tail_ratio() needs it.
 */
static bool
is_left(const CrmShape *s, const CrmPlace *p)
{
	if (p->x < p->y)
		return p->x * (s->a + s->b + 2) < s->a + 1;
	return p->y * (s->a + s->b + 2) > s->b + 1;
}

/*
 * The lower tail at a place: its logarithm, and the ratio tail / density.
 */
static void
lower_tail(const CrmShape *s, const CrmPlace *p, double *log_tail, double *ratio)
{
	double		density = crm_beta_log_density(s, p);

	if (is_left(s, p))
	{
		*ratio = tail_ratio(s->a, s->b, p->x, p->y);
		*log_tail = density + log(*ratio);
	}
	else
	{
		double		upper = exp(density) * tail_ratio(s->b, s->a, p->y, p->x);

		*log_tail = log1p(-upper);
		*ratio = (1 - upper) * exp(-density);
	}
}

/*
 * The lower tail at a place.
 */
double
crm_beta_tail(const CrmShape *s, const CrmPlace *p)
{
	double		density = exp(crm_beta_log_density(s, p));
	double		tail;

	if (is_left(s, p))
		tail = density * tail_ratio(s->a, s->b, p->x, p->y);
	else
		tail = 1 - density * tail_ratio(s->b, s->a, p->y, p->x);
	return tail < 0 ? 0 : tail > 1 ? 1 : tail;
}

/*
 * The distribution function of Beta(a, b); shapes within CRM_BETA_SHAPE_MIN
 * and _MAX.
 */
double
crm_beta_cdf(double x, double a, double b)
{
	CrmShape	s;
	CrmPlace	p;

	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	s = crm_beta_shape(a, b);
	p.x = x;
	p.y = 1 - x;
	p.log_x = log(x);
	p.log_y = log1p(-x);
	return crm_beta_tail(&s, &p);
}

/*
 * A first guess of the quantile p <= 1/2 on the logit scale: Abramowitz and
 * Stegun 26.5.22, or the power at the ends if a shape is below 1.
 */
static double
guess_quantile(const CrmShape *s, double p)
{
	double		a = s->a,
				b = s->b;

	if (a >= 1 && b >= 1)
	{
		double		t = sqrt(-2 * log(p));
		double		y = t - (2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481));
		double		l = (y * y - 3) / 6;
		double		h = 2 / (1 / (2 * a - 1) + 1 / (2 * b - 1));
		double		w = y * sqrt(h + l > 0 ? h + l : 0) / h
			- (1 / (2 * b - 1) - 1 / (2 * a - 1)) * (l + 5.0 / 6 - 2 / (3 * h));

		return log(a / b) - 2 * w;
	}
	else
	{
		double		t = exp(a * log(s->mean)) / a;
		double		u = exp(b * log(s->other)) / b;
		double		log_end;

		if (p < t / (t + u))
		{
			log_end = log(a * (t + u) * p) / a;
			return log_end < -1 ? log_end : 0;
		}
		log_end = log(b * (t + u) * (1 - p)) / b;
		return log_end < -1 ? -log_end : 0;
	}
}

/*
 * The quantile p, 0 < p <= 1/2, on the logit scale.
 *
 * The logarithm of the tail is a concave, increasing function of z.  So one
 * step of Newton's method from anywhere leads to the left of the root, and all
 * further ones approach it from there; Halley's correction is used where it
 * is small.
 */
static double
quantile_logit(const CrmShape *s, double p)
{
	double		z = guess_quantile(s, p);
	double		log_p = log(p);

	for (int i = 0; i < 200; i++)
	{
		CrmPlace	place = crm_beta_place(z);
		double		log_tail,
					ratio,
					step,
					pull,
					bend;

		lower_tail(s, &place, &log_tail, &ratio);
		step = (log_p - log_tail) * ratio;
		if (!(fabs(step) < 1e6))
		{
			/* Far to the right the density is nothing: go back to the middle, then left. */
			z = z > 0 ? z / 2 - 1 : z * 2 - 1;
			continue;
		}
		pull = s->a * place.y - s->b * place.x;
		bend = 0.5 * step * (pull - 1 / ratio);
		if (fabs(bend) < 0.5)
			step /= 1 + bend;
		z += step;

		/* The error goes with the third power: this step was the last that counts. */
		if (fabs(step) * (fabs(pull) + 1 / ratio + 1) < 1e-5)
			break;
	}
	return z;
}

/*
 * The quantile of Beta(a, b), 0 <= p <= 1.
 */
double
crm_beta_quantile(double p, double a, double b)
{
	CrmShape	s;

	if (p <= 0)
		return 0;
	if (p >= 1)
		return 1;
	if (p <= 0.5)
	{
		s = crm_beta_shape(a, b);
		return crm_beta_place(quantile_logit(&s, p)).x;
	}
	s = crm_beta_shape(b, a);
	return crm_beta_place(quantile_logit(&s, 1 - p)).y;
}

/*
 * Draws ------------------------------------------------------------------
 */

/* Standard normal, by the polar method. */
static double
draw_normal(uint64_t *counter)
{
	double		u,
				v,
				r;

	do
	{
		u = 2 * crm_random_uniform(counter) - 1;
		v = 2 * crm_random_uniform(counter) - 1;
		r = u * u + v * v;
	} while (r >= 1 || r == 0);
	return u * sqrt(-2 * log(r) / r);
}

/*
 * The logarithm of a Gamma variate: Marsaglia and Tsang, "A simple method for
 * generating gamma variables" (2000); for shapes below 1 their boost, which
 * would underflow if the logarithm was not kept.
 */
static double
draw_log_gamma(double shape, uint64_t *counter)
{
	double		boost = 0,
				d,
				c;

	if (shape < 1)
	{
		boost = log(crm_random_uniform(counter)) / shape;
		shape += 1;
	}
	d = shape - 1.0 / 3;
	c = 1 / sqrt(9 * d);
	for (;;)
	{
		double		n = draw_normal(counter);
		double		v = 1 + c * n;
		double		u;

		if (v <= 0)
			continue;
		v = v * v * v;
		u = crm_random_uniform(counter);
		if (log(u) < 0.5 * n * n + d * (1 - v + log(v)))
			return log(d * v) + boost;
	}
}

/*
 * One draw of Beta(a, b), a function of the shapes and the seed.
 */
double
crm_beta_draw(double a, double b, uint64_t seed)
{
	uint64_t	counter = crm_random_mix(seed ^ UINT64_C(0x6a09e667f3bcc908));
	double		log_a = draw_log_gamma(a, &counter);
	double		log_b = draw_log_gamma(b, &counter);

	return crm_beta_place(log_a - log_b).x;
}
