/*-------------------------------------------------------------------------
 *
 * insight_timing_math.c
 *	  Likelihoods, with gradients, of the models of purchase times: NBD,
 *	  BG/NBD, MBG/NBD, BG/CNBD-k, MBG/CNBD-k and Pareto/NBD.
 *
 * A customer made x repeat purchases, the last at t_x, and was watched until
 * T.  Each is buying at a rate drawn from a gamma distribution (r, alpha).
 * The models differ in how customers leave:
 *   NBD           never (Ehrenberg 1959)
 *   BG/NBD        after a repeat purchase, with a probability from a beta
 *                 distribution (a, b): Fader, Hardie and Lee 2005
 *   MBG/NBD       the same, but after the first purchase too: Batislam,
 *                 Denizel and Filiztekin 2007; Wagner and Hoppe 2008
 *   (M)BG/CNBD-k  the same with gaps of an Erlang-k distribution: Platzer and
 *                 Reutterer 2016
 *   Pareto/NBD    at any time, at a rate from a gamma distribution (s, beta):
 *                 Schmittlein, Morrison and Colombo 1987
 * All give the density of the purchase times, so that their log-likelihoods
 * can be compared with each other.
 *
 * Covariates z act as in Fader and Hardie 2007 (note on time-invariant
 * covariates): alpha exp(-gamma'z); a exp(delta'z) and b exp(delta'z), or
 * beta exp(-delta'z).
 *
 *-------------------------------------------------------------------------
 */
#include "insight_fit_math.h"
#include "insight_special_math.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many points are computed between two looks at the stop callback. */
#define STOP_POINTS 128
#define STOP_ROWS 65536
/* exp() of covariates stays within exp(+-this). */
#define COVARIATE_LIMIT 40.0
/* Per group: the four parameters, their slopes, ln alpha. */
#define LOCAL 9
/* Points of an interpolated panel of the Pareto/NBD's share, and its width. */
#define PANEL_NODES 20
#define PANEL_WIDTH 1.8
/* So many panels reach from any alpha or beta to any time. */
#define PANELS 32
/* Interpolated are panels that save three in four of their points. */
#define PANEL_WORTH (4 * (PANEL_NODES + 2))
/* Relative error of an interpolation that is good enough. */
#define PANEL_ERROR 1e-13
/* Far out on a boundary the exact values themselves are known to so many units of their shapes only. */
#define SHAPE_ERROR (16 * DBL_EPSILON)

static bool
is_bg(CrmModel model)
{
	return model == CRM_BG_NBD || model == CRM_MBG_NBD || model == CRM_BG_CNBD || model == CRM_MBG_CNBD;
}

/* May a customer leave after the first purchase? */
static bool
leaves_at_once(CrmModel model)
{
	return model == CRM_MBG_NBD || model == CRM_MBG_CNBD;
}

/* Mixing of the bits of a time and a small number (finaliser of MurmurHash3). */
static uint64_t
hash_point(uint32_t x, double t)
{
	uint64_t	bits;

	memcpy(&bits, &t, sizeof(bits));
	bits ^= (uint64_t) x * UINT64_C(0x9E3779B97F4A7C15);
	bits ^= bits >> 33;
	bits *= UINT64_C(0xFF51AFD7ED558CCD);
	bits ^= bits >> 33;
	bits *= UINT64_C(0xC4CEB9FE1A85EC53);
	bits ^= bits >> 33;
	return bits;
}

void
crm_timing_free(CrmTiming *timing)
{
	free(timing->z);
	free(timing->count);
	free(timing->tail);
	free(timing->drop);
	free(timing->row_tail);
	free(timing->row_drop);
	free(timing->row_customers);
	free(timing->local);
	memset(timing, 0, sizeof(*timing));
}

/*
 * Takes sorted rows apart; of "stride" rows only the first is used, for a
 * quick look at large data.  False without memory.
 */
bool
crm_timing_prepare(const CrmObservations *observations, size_t stride, CrmStop stop, CrmTiming *timing)
{
	size_t		rows = (observations->rows + stride - 1) / stride;
	int			m = observations->covariates;
	size_t		slots = 16;
	uint32_t   *table;
	void	   *smaller;

	memset(timing, 0, sizeof(*timing));
	if (rows > UINT32_MAX / 2)
		return false;
	while (slots < rows * 2)
		slots *= 2;
	timing->model = observations->model;
	timing->regularity = observations->regularity;
	timing->covariates = m;
	timing->stop = stop;
	timing->rows = rows;
	timing->z = malloc((m > 0 ? rows * m : 1) * sizeof(double));
	timing->count = malloc(rows * sizeof(CrmCount));
	timing->tail = malloc(rows * sizeof(CrmPoint));
	timing->drop = malloc(rows * sizeof(CrmPoint));
	timing->row_tail = malloc(rows * sizeof(uint32_t));
	timing->row_drop = malloc(rows * sizeof(uint32_t));
	timing->row_customers = malloc(rows * sizeof(double));
	table = calloc(slots, sizeof(uint32_t));
	if (timing->z == NULL || timing->count == NULL || timing->tail == NULL || timing->drop == NULL ||
		timing->row_tail == NULL || timing->row_drop == NULL || timing->row_customers == NULL || table == NULL)
	{
		free(table);
		crm_timing_free(timing);
		return false;
	}

	for (size_t row = 0; row < rows; row++)
	{
		const double *cell = observations->cells + row * stride * observations->width;
		const double *z = cell + 1;
		double		x = cell[m + 1];
		double		t_x = cell[m + 2];
		double		t = cell[m + 3];
		size_t		slot;

		if (timing->groups == 0 ||
			(m > 0 && memcmp(z, timing->z + (timing->groups - 1) * m, m * sizeof(double)) != 0))
		{
			if (m > 0)
				memcpy(timing->z + timing->groups * m, z, m * sizeof(double));
			timing->groups++;
			timing->count[timing->counts++] = (CrmCount) {timing->groups - 1, x, 0};
		}
		else if (timing->count[timing->counts - 1].x != x)
			timing->count[timing->counts++] = (CrmCount) {timing->groups - 1, x, 0};
		timing->count[timing->counts - 1].customers += cell[0];
		timing->customers += cell[0];

		if (timing->drops == 0 || timing->drop[timing->drops - 1].x != timing->counts - 1 ||
			timing->drop[timing->drops - 1].t != t_x)
		{
			timing->drop[timing->drops].x = timing->counts - 1;
			timing->drop[timing->drops++].t = t_x;
		}

		for (slot = hash_point(timing->counts - 1, t) & (slots - 1);
			 table[slot] != 0; slot = (slot + 1) & (slots - 1))
		{
			CrmPoint   *point = &timing->tail[table[slot] - 1];

			if (point->x == timing->counts - 1 && point->t == t)
				break;
		}
		if (table[slot] == 0)
		{
			timing->tail[timing->tails].x = timing->counts - 1;
			timing->tail[timing->tails++].t = t;
			table[slot] = timing->tails;
		}
		timing->row_drop[row] = timing->drops - 1;
		timing->row_tail[row] = table[slot] - 1;
		timing->row_customers[row] = cell[0];
	}
	free(table);
	timing->local = malloc(timing->groups * LOCAL * sizeof(double));
	if (timing->local == NULL)
	{
		crm_timing_free(timing);
		return false;
	}
	/* Give back what the distinct points do not need. */
	if ((smaller = realloc(timing->tail, timing->tails * sizeof(CrmPoint))) != NULL)
		timing->tail = smaller;
	if ((smaller = realloc(timing->drop, timing->drops * sizeof(CrmPoint))) != NULL)
		timing->drop = smaller;
	return true;
}

/*
 * What depends on x only: ln Gamma(r + kx) - ln Gamma(r), and for the beta
 * models the probability of having stayed after x purchases.  The counts of a
 * group come in ascending order, so each goes on where the last one ended.
 */
static long double
constant_terms(CrmTiming *timing)
{
	bool		bg = is_bg(timing->model);
	int			first = leaves_at_once(timing->model) ? 1 : 0;
	int			k = timing->regularity;
	long double total = 0;
	uint32_t	group = UINT32_MAX;
	double		x = 0,
				stays = 0,
				rate_term = 0,
				rate_slope = 0,
				stay_term = 0,
				stay_a = 0,
				stay_b = 0;

	for (size_t i = 0; i < timing->counts; i++)
	{
		const CrmCount *count = &timing->count[i];
		const double *p = timing->local + count->group * LOCAL;
		double	   *slope = timing->local + count->group * LOCAL + 4;

		if (count->group != group)
		{
			group = count->group;
			x = stays = rate_term = rate_slope = stay_term = stay_a = stay_b = 0;
		}
		rate_term += crm_log_rising(p[0] + k * x, k * (count->x - x));
		rate_slope += crm_digamma_rise(p[0] + k * x, k * (count->x - x));
		x = count->x;
		total += count->customers * rate_term;
		slope[0] += count->customers * rate_slope * p[0];
		if (bg)
		{
			double		a = p[2],
						b = p[3];
			double		steps = count->x + first - stays;

			if (steps <= 32)
			{
				/* ln((b + j) / (a + b + j)), without cancellation for large b */
				for (int j = 0; j < (int) steps; j++)
				{
					stay_term -= log1p(a / (b + stays + j));
					stay_a -= 1 / (a + b + stays + j);
					stay_b += a / ((b + stays + j) * (a + b + stays + j));
				}
			}
			else
			{
				double		all = crm_digamma_rise(a + b + stays, steps);

				stay_term += crm_log_rising(b + stays, steps) - crm_log_rising(a + b + stays, steps);
				stay_a -= all;
				stay_b += crm_digamma_rise(b + stays, steps) - all;
			}
			stays = count->x + first;
			total += count->customers * stay_term;
			slope[2] += count->customers * stay_a * a;
			slope[3] += count->customers * stay_b * b;
		}
	}
	return total;
}

/*
 * -(r + kx) ln(alpha + t) + r ln alpha and its slopes, common to all terms.
 */
static inline void
rate_point(CrmPoint *point, const double *p, double kx)
{
	double		t = point->t;
	double		sum = p[1] + t;
	double		growth = log1p(t / p[1]);

	point->value = -(p[0] + kx) * growth - kx * p[8];
	point->slope[0] = -p[0] * growth;
	point->slope[1] = (p[0] * t - kx * p[1]) / sum;
	point->slope[2] = point->slope[3] = 0;
	point->weight = 0;
}

/*
 * s Int_t^inf (alpha + u)^-(r + x) (beta + u)^-(s + 1) du, divided by
 * (alpha + t)^-(r + x) (beta + t)^-s: the share G, between 0 and 1, of those
 * who will have left in the end among those who are there at t.  Logarithm
 * and slopes by the logarithms of r, alpha, s and beta.  (Fader and Hardie
 * 2005, note on deriving the Pareto/NBD, after Euler's transformation.)
 */
double
crm_pareto_share(const double *p, double x, double t, double *slope)
{
	double		r = p[0],
				alpha = p[1],
				s = p[2],
				beta = p[3];
	double		all = r + s + x;
	double		by_r,
				by_s,
				by_alpha,
				by_beta,
				value;
	CrmHyper	f;

	if (alpha >= beta)
	{
		double		sum = alpha + t;
		double		rest = (beta + t) / sum;

		crm_hyper_one(r + x, all + 1, (alpha - beta) / sum, rest, &f);
		value = log(s / all * f.value);
		by_r = (f.db + f.dc) / f.value - 1 / all;
		by_s = f.dc / f.value + 1 / s - 1 / all;
		by_alpha = f.dz / f.value * rest / sum;
		by_beta = -f.dz / f.value / sum;
	}
	else
	{
		double		sum = beta + t;
		double		rest = (alpha + t) / sum;

		crm_hyper_one(s + 1, all + 1, (beta - alpha) / sum, rest, &f);
		value = log(s / all * f.value * rest);
		by_r = f.dc / f.value - 1 / all;
		by_s = (f.db + f.dc) / f.value + 1 / s - 1 / all;
		by_alpha = -f.dz / f.value / sum + 1 / (alpha + t);
		by_beta = f.dz / f.value * rest / sum - 1 / sum;
	}
	slope[0] = by_r * r;
	slope[1] = by_alpha * alpha;
	slope[2] = by_s * s;
	slope[3] = by_beta * beta;
	return value;
}

/*
 * The share of one (covariates, x) over a range of times, as polynomials.  In
 * u = ln(min(alpha, beta) + t) the share and its slopes are analytic as far as
 * |Im u| < pi, so that 20 Chebyshev points give a panel of width 1.8 to the
 * last digits; where two further points say otherwise, nothing is
 * interpolated.  Five columns: the logarithm of the share and its slopes.
 */
typedef struct ShareCurve
{
	int			panels;			/* 0: not interpolated */
	double		base;			/* min(alpha, beta) */
	double		start;			/* u of the first panel */
	double		width;
	double		coefficient[PANELS][PANEL_NODES][5];
} ShareCurve;

static void
share_columns(const double *p, double x, double t, double *column)
{
	column[0] = crm_pareto_share(p, x, t, column + 1);
}

static void
curve_value(const ShareCurve *curve, double t, double *column)
{
	double		u = (log(curve->base + t) - curve->start) / curve->width;
	int			panel = u > 0 ? (int) u : 0;
	const double (*coefficient)[5];
	double		y,
				last[5] = {0},
				before[5] = {0};

	if (panel >= curve->panels)
		panel = curve->panels - 1;
	coefficient = curve->coefficient[panel];
	y = 2 * (u - panel) - 1;
	/* Clenshaw's recurrence */
	for (int i = PANEL_NODES - 1; i > 0; i--)
		for (int j = 0; j < 5; j++)
		{
			double		next = coefficient[i][j] + 2 * y * last[j] - before[j];

			before[j] = last[j];
			last[j] = next;
		}
	for (int j = 0; j < 5; j++)
		column[j] = coefficient[0][j] + y * last[j] - before[j];
}

/*
 * Interpolates for "points" times from first to last, if that is worth it and
 * exact enough.
 */
static void
curve_prepare(ShareCurve *curve, const double *p, double x, double first, double last, size_t points)
{
	static double cosine[PANEL_NODES][PANEL_NODES];
	static double node[PANEL_NODES];
	double		length;
	double		tolerance = PANEL_ERROR + SHAPE_ERROR * (p[0] + p[2] + x);

	curve->panels = 0;
	curve->base = p[1] < p[3] ? p[1] : p[3];
	curve->start = log(curve->base + first);
	length = log(curve->base + last) - curve->start;
	if (!(length > 0 && length < PANELS * PANEL_WIDTH) || points < ceil(length / PANEL_WIDTH) * PANEL_WORTH)
		return;
	if (cosine[0][0] == 0)
		for (int i = PANEL_NODES - 1; i >= 0; i--)
		{
			node[i] = cos(M_PI * (i + 0.5) / PANEL_NODES);
			for (int j = PANEL_NODES - 1; j >= 0; j--)
				cosine[i][j] = cos(M_PI * i * (j + 0.5) / PANEL_NODES) * (i == 0 ? 1.0 : 2.0) / PANEL_NODES;
		}
	curve->panels = (int) ceil(length / PANEL_WIDTH);
	curve->width = length / curve->panels;
	for (int panel = 0; panel < curve->panels; panel++)
	{
		double		column[PANEL_NODES][5];

		for (int i = 0; i < PANEL_NODES; i++)
			share_columns(p, x, exp(curve->start + (panel + 0.5 * (node[i] + 1)) * curve->width) - curve->base, column[i]);
		for (int i = 0; i < PANEL_NODES; i++)
			for (int j = 0; j < 5; j++)
			{
				double		sum = 0;

				for (int k = 0; k < PANEL_NODES; k++)
					sum += cosine[i][k] * column[k][j];
				curve->coefficient[panel][i][j] = sum;
			}
	}
	for (int panel = 0; panel < curve->panels; panel++)
		for (int i = 0; i < 2; i++)
		{
			double		t = exp(curve->start + (panel + (i == 0 ? 0.03 : 0.52)) * curve->width) - curve->base;
			double		exact[5],
						got[5];

			share_columns(p, x, t, exact);
			curve_value(curve, t, got);
			for (int j = 0; j < 5; j++)
				if (!(fabs(got[j] - exact[j]) <= tolerance * (1 + fabs(exact[j]))))
				{
					curve->panels = 0;
					return;
				}
		}
}

static double
share_at(const ShareCurve *curve, const double *p, double x, double t, double *slope)
{
	double		column[5];

	if (curve->panels == 0)
		return crm_pareto_share(p, x, t, slope);
	curve_value(curve, t, column);
	memcpy(slope, column + 1, 4 * sizeof(double));
	return column[0];
}

/* Still a customer at T. */
static void
tail_point(const CrmTiming *timing, const ShareCurve *curve, CrmPoint *point)
{
	const CrmCount *count = &timing->count[point->x];
	const double *p = timing->local + count->group * LOCAL;

	rate_point(point, p, timing->regularity * count->x);
	if (timing->model == CRM_PARETO_NBD)
	{
		double		share_slope[4];
		double		log_share = share_at(curve, p, count->x, point->t, share_slope);
		double		growth = log1p(point->t / p[3]);
		double		stay = -expm1(log_share);
		double		factor;

		/* Where rounding leaves nothing, the other term outweighs this one. */
		if (stay < 1e-15)
			stay = 1e-15;
		factor = -(1 - stay) / stay;
		point->value += log(stay) - p[2] * growth;
		for (int i = 0; i < 4; i++)
			point->slope[i] += factor * share_slope[i];
		point->slope[2] -= p[2] * growth;
		point->slope[3] += p[2] * point->t / (p[3] + point->t);
	}
}

/* Left after the last purchase. */
static void
drop_point(const CrmTiming *timing, const ShareCurve *curve, CrmPoint *point)
{
	const CrmCount *count = &timing->count[point->x];
	const double *p = timing->local + count->group * LOCAL;

	rate_point(point, p, timing->regularity * count->x);
	if (timing->model == CRM_PARETO_NBD)
	{
		double		share_slope[4];
		double		growth = log1p(point->t / p[3]);

		point->value += share_at(curve, p, count->x, point->t, share_slope) - p[2] * growth;
		for (int i = 0; i < 4; i++)
			point->slope[i] += share_slope[i];
		point->slope[2] -= p[2] * growth;
		point->slope[3] += p[2] * point->t / (p[3] + point->t);
	}
	else if (timing->model == CRM_NBD || (count->x == 0 && !leaves_at_once(timing->model)))
		point->value = -HUGE_VAL;
	else
	{
		/* p / (1 - p) of the last purchase, whose stay the constant counts */
		double		before = p[3] + count->x - (leaves_at_once(timing->model) ? 0 : 1);

		point->value += log(p[2] / before);
		point->slope[2] = 1;
		point->slope[3] = -p[3] / before;
	}
}

/*
 * No further purchase of an Erlang-k customer in the time since the last one:
 * the k - 1 further terms, ln sum_j (R)_j / j! u^j with u = (T - t_x) /
 * (alpha + T).
 */
double
crm_erlang_wait(int k, double total, double u, double *by_total, double *by_u)
{
	double		term = 1,
				sum = 1,
				rise = 0,
				d_total = 0,
				d_u = 0;

	for (int j = 1; j < k; j++)
	{
		term *= (total + j - 1) / j * u;
		rise += 1 / (total + j - 1);
		sum += term;
		d_total += term * rise;
		d_u += term * j;
	}
	*by_total = d_total / sum;
	*by_u = d_u / sum;			/* by ln u */
	return log(sum);
}

static long double
rows_term(CrmTiming *timing)
{
	long double total = 0;
	int			k = timing->regularity;

	for (size_t row = 0; row < timing->rows; row++)
	{
		CrmPoint   *tail = &timing->tail[timing->row_tail[row]];
		CrmPoint   *drop = &timing->drop[timing->row_drop[row]];
		double		customers = timing->row_customers[row];
		double		value = tail->value;
		double		wait_total = 0,
					wait_u = 0;
		double		difference;
		double		ratio;
		double		stayed;

		if (k > 1)
		{
			const CrmCount *count = &timing->count[tail->x];
			const double *p = timing->local + count->group * LOCAL;

			value += crm_erlang_wait(k, p[0] + k * count->x, (tail->t - drop->t) / (p[1] + tail->t),
								 &wait_total, &wait_u);
		}
		difference = drop->value - value;
		if (difference == -HUGE_VAL)
		{
			total += customers * value;
			stayed = 1;
		}
		else if (difference > 0)
		{
			ratio = exp(-difference);
			total += customers * (drop->value + log1p(ratio));
			stayed = ratio / (1 + ratio);
		}
		else
		{
			ratio = exp(difference);
			total += customers * (value + log1p(ratio));
			stayed = 1 / (1 + ratio);
		}
		tail->weight += customers * stayed;
		drop->weight += customers * (1 - stayed);
		if (k > 1)
		{
			double	   *p = timing->local + timing->count[tail->x].group * LOCAL;

			p[4] += customers * stayed * wait_total * p[0];
			p[5] -= customers * stayed * wait_u * p[1] / (p[1] + tail->t);
		}
		if (row % STOP_ROWS == 0 && timing->stop != NULL && timing->stop())
			break;
	}
	return total;
}

/*
 * Computes all points; those of one (covariates, x) stand together.  False
 * when the work is to stop.
 */
static bool
all_points(const CrmTiming *timing, CrmPoint *point, size_t points,
		   void (*compute) (const CrmTiming *, const ShareCurve *, CrmPoint *))
{
	ShareCurve	curve;
	size_t		end = 0;

	curve.panels = 0;
	for (size_t i = 0; i < points; i++)
	{
		if (i == end && timing->model == CRM_PARETO_NBD)
		{
			double		first = point[i].t,
						last = point[i].t;

			for (end = i; end < points && point[end].x == point[i].x; end++)
			{
				first = fmin(first, point[end].t);
				last = fmax(last, point[end].t);
			}
			curve_prepare(&curve, timing->local + timing->count[point[i].x].group * LOCAL,
						  timing->count[point[i].x].x, first, last, end - i);
		}
		compute(timing, &curve, &point[i]);
		if (i % STOP_POINTS == 0 && timing->stop != NULL && timing->stop())
			return false;
	}
	return true;
}

/*
 * The negative log-likelihood per customer and its gradient.  theta holds the
 * logarithms of the parameters, then the coefficients of the covariates on
 * the purchase process and on leaving.
 */
double
crm_timing_objective(void *context, const double *theta, double *gradient, int n)
{
	CrmTiming  *timing = context;
	int			m = timing->covariates;
	int			natural = timing->model == CRM_NBD ? 2 : 4;
	bool		bg = is_bg(timing->model);
	long double total;

	for (size_t group = 0; group < timing->groups; group++)
	{
		const double *z = timing->z + group * m;
		double	   *p = timing->local + group * LOCAL;
		double		purchase = 0,
					leaving = 0;

		for (int i = 0; i < m; i++)
		{
			purchase += theta[natural + i] * z[i];
			if (natural == 4)
				leaving += theta[natural + m + i] * z[i];
		}
		purchase = fmax(-COVARIATE_LIMIT, fmin(COVARIATE_LIMIT, purchase));
		leaving = fmax(-COVARIATE_LIMIT, fmin(COVARIATE_LIMIT, leaving));
		p[0] = exp(theta[0]);
		p[1] = exp(theta[1] - purchase);
		p[8] = theta[1] - purchase;
		p[2] = p[3] = 1;
		if (natural == 4)
		{
			p[2] = exp(theta[2] + (bg ? leaving : 0));
			p[3] = exp(theta[3] + (bg ? leaving : -leaving));
		}
		p[4] = p[5] = p[6] = p[7] = 0;
	}

	for (int i = 0; i < n; i++)
		gradient[i] = 0;
	total = constant_terms(timing);
	if (!all_points(timing, timing->tail, timing->tails, tail_point) ||
		!all_points(timing, timing->drop, timing->drops, drop_point))
		return HUGE_VAL;
	total += rows_term(timing);

	for (int kind = 0; kind < 2; kind++)
	{
		size_t		points = kind == 0 ? timing->tails : timing->drops;
		const CrmPoint *point = kind == 0 ? timing->tail : timing->drop;

		for (size_t i = 0; i < points; i++, point++)
		{
			double	   *slope = timing->local + timing->count[point->x].group * LOCAL + 4;

			if (point->weight != 0)
				for (int j = 0; j < 4; j++)
					slope[j] += point->weight * point->slope[j];
		}
	}

	for (size_t group = 0; group < timing->groups; group++)
	{
		const double *z = timing->z + group * m;
		const double *slope = timing->local + group * LOCAL + 4;

		for (int i = 0; i < natural; i++)
			gradient[i] -= slope[i] / timing->customers;
		for (int i = 0; i < m; i++)
		{
			gradient[natural + i] += slope[1] * z[i] / timing->customers;
			if (natural == 4)
				gradient[natural + m + i] -=
					(bg ? slope[2] + slope[3] : -slope[3]) * z[i] / timing->customers;
		}
	}
	return (double) (-total / timing->customers);
}
