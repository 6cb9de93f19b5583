/*-------------------------------------------------------------------------
 *
 * channel_gap_math.c
 *	  Choosing by the gap rule, and judging policies by what was chosen.
 *
 * The gap rule is inverse gap weighting, the rule of SquareCB (Foster and
 * Rakhlin, "Beyond UCB", ICML 2020): the further a value is behind the best,
 * the less often it is chosen, and none of those allowed is never chosen.  Its
 * propensities are known in closed form, so what was logged can be used later
 * to judge another policy: by inverse propensity scores (Horvitz and Thompson
 * 1952), self-normalised ones (Swaminathan and Joachims, NIPS 2015), and doubly
 * robust (Dudik, Langford and Li, ICML 2011).
 *
 *-------------------------------------------------------------------------
 */
#include "channel_gap_math.h"
#include "channel_random.h"

#include <math.h>

/*
 * The gap rule ------------------------------------------------------------
 */

/*
 * With m values allowed and b the greatest, v_j is chosen with probability
 *
 *		p_j = 1 / (m + gamma (v_b - v_j)),		p_b = 1 - the sum of the others.
 *
 * Of equal values the first is the best.  What is not allowed has propensity 0
 * and its value is not looked at.  Returns the position of the best, from 0; -1
 * when nothing is allowed.  gamma and the values lie within the bounds of the
 * header.
 */
int
crm_gap_propensities(int n, const double *value, const bool *allowed, double gamma, double *propensity)
{
	int			best = -1,
				m = 0;
	double		others = 0;

	for (int j = 0; j < n; j++)
	{
		propensity[j] = 0;
		if (!allowed[j])
			continue;
		m++;
		if (best < 0 || value[j] > value[best])
			best = j;
	}
	if (best < 0)
		return -1;
	for (int j = 0; j < n; j++)
	{
		if (!allowed[j] || j == best)
			continue;
		propensity[j] = 1 / (m + gamma * (value[best] - value[j]));
		others += propensity[j];
	}
	propensity[best] = 1 - others;
	return best;
}

/*
 * A choice by these propensities, a function of the seed.  Rounding falls to
 * the best.
 */
int
crm_gap_choose(int n, const double *propensity, int best, uint64_t seed)
{
	uint64_t	counter = crm_random_mix(seed ^ UINT64_C(0xbb67ae8584caa73b));
	double		left = crm_random_uniform(&counter);

	for (int j = 0; j < n; j++)
	{
		if (left < propensity[j])
			return j;
		left -= propensity[j];
	}
	return best;
}

/*
 * Sums of twice the precision ----------------------------------------------
 *
 * A sum must come out the same in any order and split, and squares are
 * subtracted from each other at the end; so sums carry what rounding takes
 * away (Dekker 1971).  An error of 2^-104 of the sum of the sizes remains.
 */

/* a + b exactly (Knuth). */
static CrmTwofold
twofold_of_sum(double a, double b)
{
	CrmTwofold	s;
	double		part;

	s.head = a + b;
	part = s.head - a;
	s.tail = (a - (s.head - part)) + (b - part);
	return s;
}

/* a * b exactly. */
static CrmTwofold
twofold_of_product(double a, double b)
{
	CrmTwofold	p;

	p.head = a * b;
	p.tail = fma(a, b, -p.head);
	return p;
}

static CrmTwofold
twofold_add(CrmTwofold a, CrmTwofold b)
{
	CrmTwofold	heads = twofold_of_sum(a.head, b.head);
	CrmTwofold	tails = twofold_of_sum(a.tail, b.tail);

	heads = twofold_of_sum(heads.head, heads.tail + tails.head);
	return twofold_of_sum(heads.head, heads.tail + tails.tail);
}

static CrmTwofold
twofold_multiply(CrmTwofold a, CrmTwofold b)
{
	CrmTwofold	p = twofold_of_product(a.head, b.head);

	return twofold_of_sum(p.head, p.tail + (a.head * b.tail + a.tail * b.head));
}

static CrmTwofold
twofold_divide(CrmTwofold a, double b)
{
	double		head = a.head / b;
	CrmTwofold	product = twofold_of_product(head, b);

	return twofold_of_sum(head, ((a.head - product.head) - product.tail + a.tail) / b);
}

static CrmTwofold
twofold_negate(CrmTwofold a)
{
	a.head = -a.head;
	a.tail = -a.tail;
	return a;
}

static double
twofold_value(CrmTwofold a)
{
	return a.head + a.tail;
}

/*
 * Policies ------------------------------------------------------------------
 */

static bool
twofold_good(CrmTwofold a)
{
	return isfinite(a.head) && isfinite(a.tail) && fabs(a.tail) <= fabs(a.head);
}

/*
 * Whether these can be sums of logged decisions: they may come from anywhere.
 */
bool
crm_policy_sums_good(const CrmPolicySums *sums)
{
	return sums->n >= 0 && sums->n <= 9007199254740992.0 && sums->n == floor(sums->n) &&
		(sums->modelled == 0 || sums->modelled == 1) &&
		twofold_good(sums->w) && twofold_good(sums->ww) && twofold_good(sums->y) && twofold_good(sums->yy) &&
		twofold_good(sums->wy) && twofold_good(sums->d) && twofold_good(sums->dd) &&
		sums->w.head >= 0 && sums->ww.head >= 0 && sums->yy.head >= 0 && sums->dd.head >= 0;
}

/*
 * One more logged decision, within the bounds of the header.
 */
void
crm_policy_add(CrmPolicySums *sums, double reward, double propensity, double target,
			   bool modelled, double prediction, double expected)
{
	double		w = target / propensity;
	double		y = w * reward;

	sums->n += 1;
	sums->w = twofold_add(sums->w, (CrmTwofold) {w, 0});
	sums->ww = twofold_add(sums->ww, twofold_of_product(w, w));
	sums->y = twofold_add(sums->y, (CrmTwofold) {y, 0});
	sums->yy = twofold_add(sums->yy, twofold_of_product(y, y));
	sums->wy = twofold_add(sums->wy, twofold_of_product(w, y));
	if (modelled)
	{
		double		d = expected + w * (reward - prediction);

		sums->modelled = 1;
		sums->d = twofold_add(sums->d, (CrmTwofold) {d, 0});
		sums->dd = twofold_add(sums->dd, twofold_of_product(d, d));
	}
}

/*
 * The sums of both; false if only one was made with a model.
 */
bool
crm_policy_combine(CrmPolicySums *sums, const CrmPolicySums *other)
{
	if (other->n == 0)
		return true;
	if (sums->n == 0)
	{
		*sums = *other;
		return true;
	}
	if (sums->modelled != other->modelled)
		return false;
	sums->n += other->n;
	sums->w = twofold_add(sums->w, other->w);
	sums->ww = twofold_add(sums->ww, other->ww);
	sums->y = twofold_add(sums->y, other->y);
	sums->yy = twofold_add(sums->yy, other->yy);
	sums->wy = twofold_add(sums->wy, other->wy);
	sums->d = twofold_add(sums->d, other->d);
	sums->dd = twofold_add(sums->dd, other->dd);
	return true;
}

/*
 * The mean, and its standard error from the sum of squares; the latter is NaN
 * for less than two.
 */
static void
mean_and_error(double n, CrmTwofold sum, CrmTwofold squares, double *mean, double *error)
{
	CrmTwofold	average = twofold_divide(sum, n);
	double		rest = twofold_value(twofold_add(squares, twofold_negate(twofold_multiply(average, sum))));

	*mean = twofold_value(average);
	if (n < 2)
		*error = NAN;
	else
		*error = rest > 0 ? sqrt(rest / (n - 1) / n) : 0;
}

/*
 * The estimates.  The self-normalised one is a ratio; its error is that of its
 * first-order expansion, sqrt(sum w^2 (reward - snips)^2) / sum w.
 */
void
crm_policy_value(const CrmPolicySums *sums, CrmPolicyValue *value)
{
	double		weights = twofold_value(sums->w);

	value->ips = value->ips_error = value->snips = value->snips_error = value->dr = value->dr_error = NAN;
	value->mean_weight = value->mean_weight_error = NAN;
	value->effective = 0;
	if (sums->n == 0)
		return;
	mean_and_error(sums->n, sums->y, sums->yy, &value->ips, &value->ips_error);
	mean_and_error(sums->n, sums->w, sums->ww, &value->mean_weight, &value->mean_weight_error);
	if (sums->modelled != 0)
		mean_and_error(sums->n, sums->d, sums->dd, &value->dr, &value->dr_error);
	if (weights > 0)
	{
		double		ww = twofold_value(sums->ww);
		CrmTwofold	ratio = {twofold_value(sums->y) / weights, 0};
		CrmTwofold	square,
					cross;
		double		rest;

		/* One correction makes the ratio of twofold precision. */
		ratio = twofold_of_sum(ratio.head,
							   twofold_value(twofold_add(sums->y, twofold_negate(twofold_multiply(ratio, sums->w)))) / weights);
		square = twofold_multiply(twofold_multiply(ratio, ratio), sums->ww);
		cross = twofold_multiply(ratio, sums->wy);
		rest = twofold_value(twofold_add(twofold_add(sums->yy, square),
										 twofold_negate(twofold_add(cross, cross))));
		value->snips = twofold_value(ratio);
		if (sums->n >= 2)
			value->snips_error = rest > 0 ? sqrt(rest) / weights : 0;

		/* The ratio first: the square of a small sum may be nothing. */
		value->effective = ww > 0 ? weights / ww * weights : 1;
	}
}
