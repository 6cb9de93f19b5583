/*-------------------------------------------------------------------------
 *
 * channel_best_math.c
 *	  The probability that one of several Beta distributions is the greatest.
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
 * node costs one exponential per competitor.  The error of that rule falls
 * with the sixth power of the step: when halving the step has moved the
 * probabilities by less than SETTLED, they are right to about SETTLED / 63.
 *
 * Without costs there is one panel, and its logit scale is that of x.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_beta_math.h"
#include "channel_beta_shape.h"

/* Tails below this are left out. */
#define TAIL			1e-8

/* Where a panel ends that no distribution ends in. */
#define PANEL_END		30.0

/* Steps are halved until nothing moves by more. */
#define SETTLED			1e-5

/* A panel with less than this in it needs no finer steps than the first. */
#define SMALL			1e-5

/* The finest grid; and how often somebody may interrupt. */
#define NODES_MAX		(1 << 23)
#define PAUSE_NODES		4096

typedef struct Competitor
{
	CrmShape	shape;
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
least_logit(const CrmShape *s)
{
	double		z = (log(TAIL) + log(s->a) - s->log_factor) / s->a;

	if (s->deviance || z > log(s->mean / s->other))
		z = log(s->mean / s->other) - 7 / sqrt(s->a * s->other);
	for (int i = 0; i < 50; i++)
	{
		CrmPlace	p = crm_beta_place(z);
		double		slope = s->a * p.y - s->b * p.x;
		double		excess;

		if (slope <= 0)
		{
			z -= 1 / sqrt(s->a * s->other);
			continue;
		}
		excess = crm_beta_log_density(s, &p) - log(slope) - log(TAIL);
		if (fabs(excess) < 0.3)
			break;
		z -= excess / (slope + (s->a + s->b) * p.x * p.y / slope);
	}
	return z;
}

static double
greatest_logit(const CrmShape *s)
{
	CrmShape	mirror = *s;

	mirror.a = s->b;
	mirror.b = s->a;
	mirror.mean = s->other;
	mirror.other = s->mean;
	return -least_logit(&mirror);
}

/*
 * The place of competitor k where the panel's logit is that of p.
 */
static CrmPlace
competitor_place(const Competitor *c, const CrmPlace *p)
{
	CrmPlace	place;

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
		CrmPlace	place;
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
		density = crm_beta_log_density(&c->shape, &place) - place.log_x - place.log_y;
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
evaluate(Competitor *c, const CrmPlace *p)
{
	CrmPlace	place = competitor_place(c, p);
	double		speed = c->width * p->x * p->y;
	double		r = c->start == 0 ? p->y : speed / place.x;
	double		s = c->end == 0 ? p->x : speed / place.y;
	double		turn = p->y - p->x;
	double		first = (c->shape.a - 1) * r - (c->shape.b - 1) * s + turn;
	double		second = (c->shape.a - 1) * r * (turn - r) - (c->shape.b - 1) * s * (turn + s) - 2 * p->x * p->y;

	/* x^a (1-x)^b / B is the density on the logit scale of x: times x' / (x (1-x)). */
	c->density = exp(crm_beta_log_density(&c->shape, &place));
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
		CrmPlace	p = crm_beta_place(z);
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
				step = 0.8;
	double		last[CRM_BEST_COMPETITORS];
	CrmPlace	start;

	for (int k = 0; k < n; k++)
	{
		CrmPlace	least = crm_beta_place(c[k].least);
		CrmPlace	greatest = crm_beta_place(c[k].greatest);
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
			if (spread * 0.8 < step)
				step = spread * 0.8;
		}
	}
	if (low < lowest)
		low = lowest;
	if (!(high > low))
		return true;
	start = crm_beta_place(low);
	for (int k = 0; k < n; k++)
		if (!c[k].over)
		{
			CrmPlace	place = competitor_place(&c[k], &start);

			c[k].first = crm_beta_tail(&c[k].shape, &place);
		}
	for (int level = 0;; level++)
	{
		double		now[CRM_BEST_COMPETITORS] = {0};
		double		change = 0,
					total = 0;
		double		nodes = (high - low) / step + 1;

		if (!(nodes < NODES_MAX))
			return false;
		integrate_panel(c, n, low, step, (int) nodes + 1, now, pause);
		for (int k = 0; k < n; k++)
		{
			if (level > 0 && fabs(now[k] - last[k]) > change)
				change = fabs(now[k] - last[k]);
			last[k] = now[k];
			total += now[k];
		}
		if (level > 0 ? change < SETTLED : total < SMALL)
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

		if (y > 0 && log(y) > crm_beta_place(c[k].greatest).log_y)
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
		c[k].shape = crm_beta_shape(a[k], b[k]);
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
	if (!(fabs(sum - 1) < SETTLED))
		return false;
	for (int k = 0; k < n; k++)
		probability[k] /= sum;
	return true;
}
