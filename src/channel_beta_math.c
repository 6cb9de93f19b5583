/*-------------------------------------------------------------------------
 *
 * channel_beta_math.c
 *	  Distribution function, quantiles and draws of the Beta distribution,
 *	  and the probability that one of several is the greatest.
 *
 * Everything works on the logit scale, z = ln(x / (1 - x)), and with
 * logarithms of the tails: at a shape of .02 a quantile may be 1e-300, and 1
 * minus it is not 1 for the purpose of the other tail.  On that scale the
 * density is x^a (1-x)^b / B(a, b), which is log-concave and analytic.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_beta_math.h"

#include <float.h>
#include <math.h>

#define HALF_LN_2PI		0.918938533204672741780329736406
#define TWO_PI			6.28318530717958647692528676656

/*
 * A pair of shapes with what every evaluation needs.
 */
typedef struct Shape
{
	double		a,
				b;
	double		mean,			/* a / (a + b) */
				other;			/* b / (a + b) */
	double		log_factor;		/* -ln B(a, b); with deviance, of the density at the mean */
	bool		deviance;		/* both shapes large: measure from the mean */
} Shape;

/*
 * A place on the logit scale, by whatever of it does not cancel.
 */
typedef struct Place
{
	double		x,
				y;				/* 1 - x */
	double		log_x,
				log_y;
} Place;

static Place
place_of(double z)
{
	double		e = exp(-fabs(z));
	double		l = log1p(e);
	Place		p;

	if (z < 0)
	{
		p.x = e / (1 + e);
		p.y = 1 / (1 + e);
		p.log_x = z - l;
		p.log_y = -l;
	}
	else
	{
		p.x = 1 / (1 + e);
		p.y = e / (1 + e);
		p.log_x = -l;
		p.log_y = -z - l;
	}
	return p;
}

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

static Shape
shape_of(double a, double b)
{
	Shape		s;

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
 * ln of x^a y^b / B(a, b), the density on the logit scale.
 *
 * With large shapes near the mean, two large numbers would cancel; there the
 * logarithms are taken of the ratio to the mean (C. Loader, "Fast and accurate
 * computation of binomial probabilities", 2000).
 */
static double
log_density(const Shape *s, const Place *p)
{
	double		u,
				v;

	if (!s->deviance)
		return s->a * p->log_x + s->b * p->log_y + s->log_factor;

	/* The difference is taken where it is exact: on the side of the smaller share. */
	u = p->x < p->y ? p->x - s->mean : s->other - p->y;
	v = -u / s->other;
	u = u / s->mean;
	if (fabs(u) < 0.5 && fabs(v) < 0.5)
		return s->a * log1p(u) + s->b * log1p(v) + s->log_factor;
	return s->a * (p->log_x - log(s->mean)) + s->b * (p->log_y - log(s->other)) + s->log_factor;
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
is_left(const Shape *s, const Place *p)
{
	if (p->x < p->y)
		return p->x * (s->a + s->b + 2) < s->a + 1;
	return p->y * (s->a + s->b + 2) > s->b + 1;
}

/*
 * The lower tail at a place: its logarithm, and the ratio tail / density.
 */
static void
lower_tail(const Shape *s, const Place *p, double *log_tail, double *ratio)
{
	double		density = log_density(s, p);

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

static double
tail_at(const Shape *s, const Place *p)
{
	double		density = exp(log_density(s, p));
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
	Shape		s;
	Place		p;

	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	s = shape_of(a, b);
	p.x = x;
	p.y = 1 - x;
	p.log_x = log(x);
	p.log_y = log1p(-x);
	return tail_at(&s, &p);
}

/*
 * A first guess of the quantile p <= 1/2 on the logit scale: Abramowitz and
 * Stegun 26.5.22, or the power at the ends if a shape is below 1.
 */
static double
guess_quantile(const Shape *s, double p)
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
quantile_logit(const Shape *s, double p)
{
	double		z = guess_quantile(s, p);
	double		log_p = log(p);

	for (int i = 0; i < 200; i++)
	{
		Place		place = place_of(z);
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
	Shape		s;

	if (p <= 0)
		return 0;
	if (p >= 1)
		return 1;
	if (p <= 0.5)
	{
		s = shape_of(a, b);
		return place_of(quantile_logit(&s, p)).x;
	}
	s = shape_of(b, a);
	return place_of(quantile_logit(&s, 1 - p)).y;
}

/*
 * Draws ------------------------------------------------------------------
 */

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a counter and a mixer. */
static uint64_t
mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
	return v ^ (v >> 31);
}

/* Uniform between 0 and 1, neither included. */
static double
draw_uniform(uint64_t *counter)
{
	*counter += UINT64_C(0x9e3779b97f4a7c15);
	return ((double) (mix(*counter) >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

/* Standard normal, by the polar method. */
static double
draw_normal(uint64_t *counter)
{
	double		u,
				v,
				r;

	do
	{
		u = 2 * draw_uniform(counter) - 1;
		v = 2 * draw_uniform(counter) - 1;
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
		boost = log(draw_uniform(counter)) / shape;
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
		u = draw_uniform(counter);
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
	uint64_t	counter = mix(seed ^ UINT64_C(0x6a09e667f3bcc908));
	double		log_a = draw_log_gamma(a, &counter);
	double		log_b = draw_log_gamma(b, &counter);

	return place_of(log_a - log_b).x;
}

/*
 * The probability of being the best -----------------------------------------
 *
 * Competitor k is worth value * x_k - cost_k with x_k from Beta(a_k, b_k), and
 *
 *		P_j = integral of f_j(y) times the product of F_k(y) over k != j
 *
 * over the worth y.  F_k is 0 below -cost_k and 1 above value - cost_k, so the
 * integrand is nothing below minus the least cost, and it is cut into panels
 * at the points value - cost_k: inside a panel everything is analytic.  On the
 * logit scale of a panel the integrand vanishes exponentially at both ends,
 * and the trapezoid rule converges exponentially.  The distribution functions
 * are carried along from node to node by the two-point Hermite rule with the
 * first two derivatives of the density, which are had for nothing, so that a
 * node costs one exponential per competitor.  Steps are halved until the
 * probabilities move by less than 1e-9.
 *
 * Without costs there is one panel, and its logit scale is that of x.
 */

/* Tails below this are left out. */
#define TAIL			1e-11

/* Where a panel ends that no distribution ends in. */
#define PANEL_END		30.0

#define SETTLED			1e-6

#define NODES_MAX		(1 << 23)
#define PAUSE_NODES		4096

typedef struct Competitor
{
	Shape		shape;
	double		cost;
	double		least,			/* logits of x between which all but TAIL lies */
				greatest;
	/* In the current panel: x = start + width p, 1 - x = end + width (1 - p). */
	double		start,
				end,
				width,
				log_width;
	bool		over;			/* F is 1 */
	double		low,
				high;			/* on the panel's scale: all but TAIL of it lies between */
	bool		ends;			/* nothing lies behind high, also outside of the panel */
	double		first;			/* F at the first node */
	/* At the current node: */
	double		cdf,
				density,
				slope,
				curve;
} Competitor;

/*
 * The logit below which Beta(a, b) has no more than TAIL.  Since the density f
 * is log-concave, its tail is at most f / (ln f)'.
 */
static double
least_logit(const Shape *s)
{
	double		z = (log(TAIL) + log(s->a) - s->log_factor) / s->a;

	if (s->deviance || z > log(s->mean / s->other))
		z = log(s->mean / s->other) - 7 / sqrt(s->a * s->other);
	for (int i = 0; i < 50; i++)
	{
		Place		p = place_of(z);
		double		slope = s->a * p.y - s->b * p.x;
		double		excess;

		if (slope <= 0)
		{
			z -= 1 / sqrt(s->a * s->other);
			continue;
		}
		excess = log_density(s, &p) - log(slope) - log(TAIL);
		if (fabs(excess) < 0.3)
			break;
		z -= excess / (slope + (s->a + s->b) * p.x * p.y / slope);
	}
	return z;
}

static double
greatest_logit(const Shape *s)
{
	Shape		mirror = *s;

	mirror.a = s->b;
	mirror.b = s->a;
	mirror.mean = s->other;
	mirror.other = s->mean;
	return -least_logit(&mirror);
}

/*
 * The place of competitor k where the panel's logit is that of p.
 */
static Place
competitor_place(const Competitor *c, const Place *p)
{
	Place		place;

	place.x = c->start + c->width * p->x;
	place.y = c->end + c->width * p->y;
	place.log_x = c->start == 0 ? c->log_width + p->log_x : log(place.x);
	place.log_y = c->end == 0 ? c->log_width + p->log_y : log(place.y);
	return place;
}

/*
 * The panel's logit where x is exp(log_x), for x = start + width p; -HUGE_VAL
 * or HUGE_VAL if that lies before or behind the panel.  With 1 - x, end and
 * 1 - p it is the same, mirrored.
 */
static double
panel_logit(double log_x, double start, double log_width)
{
	double		log_p;

	if (start == 0)
		log_p = log_x - log_width;
	else
	{
		double		x = exp(log_x) - start;

		if (x <= 0)
			return -HUGE_VAL;
		log_p = log(x) - log_width;
	}
	if (log_p >= 0)
		return HUGE_VAL;
	return log_p - log(-expm1(log_p));
}

/*
 * How far from one end of a panel, on its logit scale, a distribution that
 * goes on behind that end has more than TAIL: its greatest density in this
 * half of the panel times what is left.
 */
static double
panel_reach(const Competitor *c, bool upper)
{
	double		half = c->width / 2;
	double		greatest = -HUGE_VAL;
	double		reach;

	for (int i = 0; i < 3; i++)
	{
		Place		place;
		double		density;

		/* The two ends of the half and, if it lies between, the mode. */
		place.x = c->start + (upper ? half : 0) + (i == 1 ? half : 0);
		place.y = c->end + (upper ? 0 : half) + (i == 1 ? 0 : half);
		if (i == 2)
		{
			double		mode = (c->shape.a - 1) / (c->shape.a + c->shape.b - 2);

			if (!(c->shape.a > 1 && c->shape.b > 1 &&
				  mode > place.x && 1 - mode > place.y - half))
				continue;
			place.x = mode;
			place.y = 1 - mode;
		}
		place.log_x = log(place.x);
		place.log_y = log(place.y);
		density = log_density(&c->shape, &place) - place.log_x - place.log_y;
		if (density > greatest)
			greatest = density;
	}
	reach = greatest + c->log_width - log(TAIL);
	return reach < 1 ? 1 : reach > PANEL_END ? PANEL_END : reach;
}

/*
 * Density and its two derivatives on the panel's scale, at p.
 */
static void
evaluate(Competitor *c, const Place *p)
{
	Place		place = competitor_place(c, p);
	double		speed = c->width * p->x * p->y;
	double		r = c->start == 0 ? p->y : speed / place.x;
	double		s = c->end == 0 ? p->x : speed / place.y;
	double		turn = p->y - p->x;
	double		first = (c->shape.a - 1) * r - (c->shape.b - 1) * s + turn;
	double		second = (c->shape.a - 1) * r * (turn - r) - (c->shape.b - 1) * s * (turn + s) - 2 * p->x * p->y;

	/* x^a (1-x)^b / B is the density on the logit scale of x: times x' / (x (1-x)). */
	c->density = exp(log_density(&c->shape, &place));
	if (c->end != 0)
		c->density *= r / place.y;
	else if (c->start != 0)
		c->density *= p->x / place.x;
	c->slope = c->density * first;
	c->curve = c->density * (first * first + second);
}

/*
 * One pass of the trapezoid rule over a panel; adds to the probabilities.
 */
static void
integrate_panel(Competitor *c, int n, double low, double step, int nodes, double *probability, CrmPause pause)
{
	for (int i = 0; i < nodes; i++)
	{
		double		z = low + i * step;
		Place		p = place_of(z);
		double		before = 1;
		double		after[CRM_BEST_COMPETITORS + 1];

		if (pause && i % PAUSE_NODES == PAUSE_NODES - 1)
			pause();
		for (int k = 0; k < n; k++)
		{
			double		density = c[k].density,
						slope = c[k].slope,
						curve = c[k].curve;

			if (i == 0)
				c[k].cdf = c[k].first;
			if (c[k].over || z > c[k].high + step)
			{
				c[k].density = c[k].slope = c[k].curve = 0;
				if (c[k].over || c[k].ends)
					c[k].cdf = 1;
				continue;
			}
			evaluate(&c[k], &p);
			if (i > 0)
				c[k].cdf += step / 2 * (density + c[k].density + step / 5 *
										(slope - c[k].slope + step / 12 * (curve + c[k].curve)));
		}
		after[n] = 1;
		for (int k = n - 1; k >= 0; k--)
			after[k] = after[k + 1] * c[k].cdf;
		for (int k = 0; k < n; k++)
		{
			probability[k] += step * c[k].density * before * after[k + 1];
			before *= c[k].cdf;
		}
	}
}

/*
 * The probabilities over the panel of worth y from bottom to top, in units of
 * value.  False if they do not settle.
 */
static bool
panel_probability(Competitor *c, int n, double bottom, double top, double *probability, CrmPause pause)
{
	double		low = -HUGE_VAL,
				lowest = HUGE_VAL,
				high = -HUGE_VAL,
				step = 0.4;
	double		last[CRM_BEST_COMPETITORS];
	Place		start;

	for (int k = 0; k < n; k++)
	{
		Place		least = place_of(c[k].least);
		Place		greatest = place_of(c[k].greatest);
		double		spread,
					at;

		c[k].over = 1 - c[k].cost <= bottom;
		c[k].first = 1;
		if (c[k].over)
			continue;
		c[k].start = bottom + c[k].cost;
		c[k].end = (1 - c[k].cost) - top;
		if (c[k].end < 0)
			c[k].end = 0;
		c[k].width = top - bottom;
		c[k].log_width = log(c[k].width);
		c[k].low = panel_logit(least.log_x, c[k].start, c[k].log_width);
		if (c[k].low != -HUGE_VAL && c[k].low > low)
			low = c[k].low;		/* no maximum lies below, as this one does not */
		if (c[k].low == -HUGE_VAL)
			c[k].low = -panel_reach(&c[k], false);
		if (c[k].low < lowest)
			lowest = c[k].low;	/* nothing of any lies below */
		c[k].high = -panel_logit(greatest.log_y, c[k].end, c[k].log_width);
		c[k].ends = c[k].high != HUGE_VAL;
		if (!c[k].ends)
			c[k].high = panel_reach(&c[k], true);
		if (c[k].high > high)
			high = c[k].high;

		/* The step must be finer than the narrowest density on this scale. */
		at = (c[k].shape.mean - c[k].start) / c[k].width;
		if (at > 0 && at < 1)
		{
			spread = sqrt(c[k].shape.mean / c[k].shape.a * c[k].shape.other) / (c[k].width * at * (1 - at));
			if (spread * 0.4 < step)
				step = spread * 0.4;
		}
	}
	if (low < lowest)
		low = lowest;
	if (!(high > low))
		return true;
	start = place_of(low);
	for (int k = 0; k < n; k++)
		if (!c[k].over)
		{
			Place		place = competitor_place(&c[k], &start);

			c[k].first = tail_at(&c[k].shape, &place);
		}
	for (int level = 0;; level++)
	{
		double		now[CRM_BEST_COMPETITORS] = {0};
		double		change = 0;
		double		nodes = (high - low) / step + 1;

		if (!(nodes < NODES_MAX))
			return false;
		integrate_panel(c, n, low, step, (int) nodes + 1, now, pause);
		for (int k = 0; k < n; k++)
		{
			if (level > 0 && fabs(now[k] - last[k]) > change)
				change = fabs(now[k] - last[k]);
			last[k] = now[k];
		}
		if (level > 0 && change < SETTLED)
			break;
		step /= 2;
	}
	for (int k = 0; k < n; k++)
		probability[k] += last[k];
	return true;
}

/*
 * Whether any competitor has more than TAIL above this worth.
 */
static bool
anything_above(const Competitor *c, int n, double worth)
{
	for (int k = 0; k < n; k++)
	{
		double		y = 1 - c[k].cost - worth;

		if (y > 0 && log(y) > place_of(c[k].greatest).log_y)
			return true;
	}
	return false;
}

/*
 * P(value * x_j - cost_j is the greatest) for each of n competitors with
 * independent x_k from Beta(a_k, b_k).  cost may be NULL.  Shapes within
 * CRM_BEST_SHAPE_MIN and _MAX, n within 1 and CRM_BEST_COMPETITORS, value > 0,
 * costs finite.  False if the shapes are so different that no affordable grid
 * resolves them all.
 */
bool
crm_probability_best(int n, const double *a, const double *b, double value, const double *cost,
					 double *probability, CrmPause pause)
{
	Competitor	c[CRM_BEST_COMPETITORS];
	double		bottom = -HUGE_VAL;
	double		sum = 0;

	for (int k = 0; k < n; k++)
	{
		c[k].shape = shape_of(a[k], b[k]);
		c[k].least = least_logit(&c[k].shape);
		c[k].greatest = greatest_logit(&c[k].shape);
		c[k].cost = cost ? cost[k] / value : 0;
		if (-c[k].cost > bottom)
			bottom = -c[k].cost;
		probability[k] = 0;
	}
	for (;;)
	{
		double		top = HUGE_VAL;

		for (int k = 0; k < n; k++)
			if (1 - c[k].cost > bottom && 1 - c[k].cost < top)
				top = 1 - c[k].cost;
		if (top == HUGE_VAL || !anything_above(c, n, bottom))
			break;
		if (!panel_probability(c, n, bottom, top, probability, pause))
			return false;
		bottom = top;
	}
	for (int k = 0; k < n; k++)
		sum += probability[k];
	if (!(fabs(sum - 1) < 1e-7))
		return false;
	for (int k = 0; k < n; k++)
		probability[k] /= sum;
	return true;
}
