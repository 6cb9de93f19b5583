/*-------------------------------------------------------------------------
 *
 * channel_prior_math.c
 *	  Beta-binomial regression by maximum likelihood.
 *
 * Customer i answered s times and did not answer f times; his rate is drawn
 * from Beta(kappa mu, kappa (1 - mu)) with logit mu = w'x, x beginning with 1.
 * Without features that is the beta-binomial prior common to all customers.
 * Maximised over w and ln kappa is
 *
 *     sum [ln B(s + a, f + b) - ln B(a, b)] - ridge/2 |w without intercept|^2
 *
 * by Newton's method on exact second derivatives.  Where these are not
 * definite, a step of Fisher scoring in w and of Minka's fixed point in kappa
 * (T. Minka, Estimating a Dirichlet distribution, 2000) takes its place.
 *
 * Many rows are fitted in two stages: Newton on a sample, and then steps with
 * the gradient of all rows and the sample's curvature, which is nearly theirs;
 * two or three passes are enough, and these need no second derivatives.
 *
 * Sums are kept as 128-bit integers: the result is the same, to the last bit,
 * for any order of the rows and however equal rows were put together.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_prior_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 int128;

/* Beyond, 1 - mu is lost, and a prior's parameter below any use. */
#define LOGIT_MAX 30.0
/* Counts up to this are summed term by term when they are whole. */
#define STEPWISE_RISE 6
/* From so many rows on, a sample comes first, of at least the second number. */
#define SAMPLE_FROM 65536
#define SAMPLE_SIZE 16384
#define STEP_CAP 1.0
#define MAX_ITERATIONS 100
#define MAX_PASSES 12
#define STOP_EVERY 8192
/* Where a strength of 1 to 500 is indistinguishable. */
#define FLAT 1e-9

/* How much is computed in a pass. */
typedef enum Depth
{
	GRADIENT,
	VALUE,						/* and gradient */
	CURVATURE					/* all */
} Depth;

/* The rows as fitted: each feature in a unit, a power of 2, that makes it at most 1. */
typedef struct Problem
{
	CrmPriorRows rows;
	int			n;				/* unknowns */
	double		ridge[CRM_PRIOR_UNKNOWNS];
	double		value_unit;		/* of the integer sums */
	double		slope_unit;
	CrmPriorStop stop;
} Problem;

/* ln Gamma(x + n) - ln Gamma(x) and its first two derivatives by x. */
typedef struct Rise
{
	double		value;
	double		first;
	double		second;
} Rise;

/*
 * For x > 0, n > 0.  Both ends are shifted by 6, where the asymptotic series
 * (Abramowitz and Stegun 6.1.40, 6.3.18, 6.4.12) are exact to 1e-12.  The
 * product of x to x + 5 is t (t + 4) (t + 6) with t = x (x + 5), so that both shifts
 * together take a single division.
 */
static inline void
rise(double x, double n, Depth depth, Rise *r)
{
	double		t,
				p,
				q,
				rise_x,
				rise_z,
				z,
				ix,
				iz,
				jx,
				jz,
				ratio;

	if (n <= STEPWISE_RISE && n == (int) n)
	{
		double		product = 1;

		r->first = r->second = 0;
		for (int j = 0; j < (int) n; j++)
		{
			double		inverse = 1 / (x + j);

			r->first += inverse;
			r->second -= inverse * inverse;
			product *= x + j;
		}
		if (depth != GRADIENT)
			r->value = log(product);
		return;
	}
	z = x + n;
	t = x * (x + 5);
	p = t * (t + 4) * (t + 6);
	rise_x = (2 * x + 5) * ((t + 4) * (t + 6) + t * (2 * t + 10));
	t = z * (z + 5);
	q = t * (t + 4) * (t + 6);
	rise_z = (2 * z + 5) * ((t + 4) * (t + 6) + t * (2 * t + 10));
	/* Two inverses of one product */
	t = 1 / ((x + 6) * (z + 6));
	ix = (z + 6) * t;
	iz = (x + 6) * t;
	jx = ix * ix;
	jz = iz * iz;
	ratio = log((z + 6) * ix);
#define DIGAMMA(i, j) \
	(0.5 * (i) + (j) * (1.0 / 12 - (j) * (1.0 / 120 - (j) * (1.0 / 252 - (j) * (1.0 / 240 - (j) * (1.0 / 132 - (j) * (691.0 / 32760 - (j) / 12)))))))
	r->first = ratio + DIGAMMA(ix, jx) - DIGAMMA(iz, jz) + (rise_x * q - rise_z * p) / (p * q);
	if (depth == GRADIENT)
		return;
#define STIRLING(i, j) \
	((i) * (1.0 / 12 - (j) * (1.0 / 360 - (j) * (1.0 / 1260 - (j) * (1.0 / 1680 - (j) * (1.0 / 1188 - (j) * (691.0 / 360360 - (j) / 156)))))))
	r->value = (x + 5.5) * ratio + n * log(z + 6) - n + STIRLING(iz, jz) - STIRLING(ix, jx) - log(q / p);
	if (depth == CURVATURE)
	{
		double		sum_x = 0,
					sum_z = 0;

		for (int k = 0; k < 6; k++)
		{
			sum_x += 1 / ((x + k) * (x + k));
			sum_z += 1 / ((z + k) * (z + k));
		}
#define TRIGAMMA(i, j) \
	((i) + 0.5 * (j) + (i) * (j) * (1.0 / 6 - (j) * (1.0 / 30 - (j) * (1.0 / 42 - (j) * (1.0 / 30 - (j) * (5.0 / 66 - (j) * (691.0 / 2730 - (j) * 7 / 6)))))))
		r->second = TRIGAMMA(iz, jz) - TRIGAMMA(ix, jx) + sum_z - sum_x;
	}
}

/* mean and 1 - mean of a logit, neither 0 */
static inline void
logistic(double logit, double *mean, double *rest)
{
	double		small = exp(-fabs(logit));
	double		large = 1 / (1 + small);

	*mean = logit >= 0 ? large : small * large;
	*rest = logit >= 0 ? small * large : large;
}

static inline void
add(int128 *sum, double amount, uint32_t times)
{
	*sum += (int128) llrint(amount) * times;
}

/*
 * Log-likelihood and derivatives over all rows at theta: weights in the units
 * of the problem, then ln kappa.  The penalty is the caller's.  False if
 * stopped.
 *
 * No summand exceeds a few times the observations of a row, since
 * x (digamma(x + n) - digamma(x)) <= n + 1 and x^2 (trigamma(x) -
 * trigamma(x + n)) <= n + 1; the units of the sums are chosen by that.
 */
static bool
evaluate(const Problem *problem, const double *theta, Depth depth, CrmPriorSlopes *slopes)
{
	int			n = problem->n;
	int			p = n - 2;
	double		kappa = exp(theta[n - 1]);
	double		unit = problem->slope_unit;
	int128		value = 0;
	int128		gradient[CRM_PRIOR_UNKNOWNS] = {0};
	int128		hessian[CRM_PRIOR_UNKNOWNS * CRM_PRIOR_UNKNOWNS];
	const float *x = problem->rows.feature;

	if (depth == CURVATURE)
		memset(hessian, 0, sizeof(int128) * n * n);
	for (size_t i = 0; i < problem->rows.rows; i++, x += p)
	{
		double		s = problem->rows.success[i];
		double		f = problem->rows.failure[i];
		uint32_t	times = problem->rows.customers[i];
		double		logit = theta[0];
		double		mean,
					rest,
					a,
					b,
					by_logit,
					by_strength;
		Rise		rs = {0},
					rf = {0},
					rn;

		for (int j = 0; j < p; j++)
			logit += theta[j + 1] * x[j];
		logit = logit > LOGIT_MAX ? LOGIT_MAX : logit < -LOGIT_MAX ? -LOGIT_MAX : logit;
		logistic(logit, &mean, &rest);
		a = kappa * mean;
		b = kappa * rest;
		if (s > 0)
			rise(a, s, depth, &rs);
		if (f > 0)
			rise(b, f, depth, &rf);
		rise(kappa, s + f, depth, &rn);
		by_logit = rest * a * rs.first - mean * b * rf.first;
		by_strength = a * rs.first + b * rf.first - kappa * rn.first;
		if (depth != GRADIENT)
			add(&value, (rs.value + rf.value - rn.value) * problem->value_unit, times);
		add(&gradient[0], by_logit * unit, times);
		for (int j = 0; j < p; j++)
			add(&gradient[j + 1], by_logit * x[j] * unit, times);
		add(&gradient[n - 1], by_strength * unit, times);
		if (depth == CURVATURE)
		{
			double		cs = a * a * rs.second;
			double		cf = b * b * rf.second;
			double		logit_logit = (rest - mean) * by_logit + rest * rest * cs + mean * mean * cf;
			double		logit_strength = by_logit + rest * cs - mean * cf;
			double		strength_strength = by_strength + cs + cf - kappa * kappa * rn.second;

			for (int j = 0; j <= p; j++)
			{
				double		xj = j == 0 ? 1 : x[j - 1];

				for (int k = 0; k <= j; k++)
					add(&hessian[j * n + k], logit_logit * xj * (k == 0 ? 1 : x[k - 1]) * unit, times);
				add(&hessian[(n - 1) * n + j], logit_strength * xj * unit, times);
			}
			add(&hessian[n * n - 1], strength_strength * unit, times);
		}
		if (i % STOP_EVERY == 0 && problem->stop != NULL && problem->stop())
			return false;
	}
	slopes->value = (double) value / problem->value_unit;
	for (int j = 0; j < n; j++)
		slopes->gradient[j] = (double) gradient[j] / unit;
	if (depth == CURVATURE)
		for (int j = 0; j < n; j++)
			for (int k = 0; k <= j; k++)
				slopes->hessian[j * n + k] = slopes->hessian[k * n + j] = (double) hessian[j * n + k] / unit;
	return true;
}

/*
 * The units of a problem's sums and features, taken from all rows.  The
 * features are divided in place, which is exact.
 */
static void
prepare(Problem *problem, double ridge, double *unit)
{
	CrmPriorRows *rows = &problem->rows;
	int			p = rows->features;
	double		most = 1;
	double		largest[CRM_PRIOR_FEATURES] = {0};
	int			exponent;

	for (size_t i = 0; i < rows->rows; i++)
	{
		double		n = rows->success[i] + rows->failure[i];

		if (n > most)
			most = n;
		for (int j = 0; j < p; j++)
		{
			double		x = fabs(rows->feature[i * p + j]);

			if (x > largest[j])
				largest[j] = x;
		}
	}
	(void) frexp(most + 2, &exponent);
	problem->slope_unit = ldexp(1, 58 - exponent);
	problem->value_unit = ldexp(1, 54 - exponent);
	problem->n = p + 2;
	memset(problem->ridge, 0, sizeof(problem->ridge));
	for (int j = 0; j < p; j++)
	{
		unit[j] = 1;
		if (largest[j] > 0)
		{
			(void) frexp(largest[j], &exponent);
			unit[j] = ldexp(1, exponent);
		}
		problem->ridge[j + 1] = ridge / (unit[j] * unit[j]);
	}
	for (size_t i = 0; i < rows->rows; i++)
		for (int j = 0; j < p; j++)
			rows->feature[i * p + j] /= unit[j];
}

/* Cholesky factor of the leading n of a matrix of row length stride, in place below the diagonal; false if it is not definite. */
static bool
factorise(double *matrix, int n, int stride)
{
	for (int j = 0; j < n; j++)
		for (int i = j; i < n; i++)
		{
			double		sum = matrix[i * stride + j];
			double		size = fabs(sum);

			for (int k = 0; k < j; k++)
				sum -= matrix[i * stride + k] * matrix[j * stride + k];
			if (i == j)
			{
				if (!(sum > 1e-12 * size) || !isfinite(sum))
					return false;
				matrix[j * stride + j] = sqrt(sum);
			}
			else
				matrix[i * stride + j] = sum / matrix[j * stride + j];
		}
	return true;
}

static void
solve(const double *factor, int n, int stride, const double *right, double *solution)
{
	for (int i = 0; i < n; i++)
	{
		double		sum = right[i];

		for (int k = 0; k < i; k++)
			sum -= factor[i * stride + k] * solution[k];
		solution[i] = sum / factor[i * stride + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		double		sum = solution[i];

		for (int k = i + 1; k < n; k++)
			sum -= factor[k * stride + i] * solution[k];
		solution[i] = sum / factor[i * stride + i];
	}
}

/* Adds the penalty to slopes of the likelihood. */
static void
penalise(const Problem *problem, const double *theta, CrmPriorSlopes *slopes)
{
	for (int j = 1; j < problem->n - 1; j++)
	{
		slopes->value -= 0.5 * problem->ridge[j] * theta[j] * theta[j];
		slopes->gradient[j] -= problem->ridge[j] * theta[j];
		slopes->hessian[j * problem->n + j] -= problem->ridge[j];
	}
}

/*
 * Fisher scoring for the weights: information of a row
 * n mu (1 - mu) / (1 + (n - 1) / (kappa + 1)), the denominator at least .05.
 * Any order of summation does, since it only directs a step; but the result
 * must not depend on it, so integers here as well.
 */
static void
scoring_matrix(const Problem *problem, const double *theta, double *matrix)
{
	int			n = problem->n;
	int			p = n - 2;
	double		kappa = exp(theta[n - 1]);
	int128		sum[CRM_PRIOR_UNKNOWNS * CRM_PRIOR_UNKNOWNS];
	const float *x = problem->rows.feature;

	memset(sum, 0, sizeof(int128) * n * n);
	for (size_t i = 0; i < problem->rows.rows; i++, x += p)
	{
		double		count = problem->rows.success[i] + problem->rows.failure[i];
		double		logit = theta[0];
		double		mean,
					rest,
					spread = 1 + (count - 1) / (kappa + 1),
					weight;

		for (int j = 0; j < p; j++)
			logit += theta[j + 1] * x[j];
		logistic(logit > LOGIT_MAX ? LOGIT_MAX : logit < -LOGIT_MAX ? -LOGIT_MAX : logit, &mean, &rest);
		weight = count * mean * rest / (spread > 0.05 ? spread : 0.05);
		for (int j = 0; j <= p; j++)
			for (int k = 0; k <= j; k++)
				add(&sum[j * n + k], weight * (j == 0 ? 1 : x[j - 1]) * (k == 0 ? 1 : x[k - 1]) * problem->value_unit,
					problem->rows.customers[i]);
	}
	for (int j = 0; j < n - 1; j++)
		for (int k = 0; k <= j; k++)
			matrix[j * n + k] = (double) sum[j * n + k] / problem->value_unit + (j == k ? problem->ridge[j] : 0);
}

/*
 * A step from theta by the slopes, in "step"; the curvature times "factor" is
 * that of the gradient's rows.  A strength at its bound that wants beyond
 * stays.  Returns twice the gain foretold, or a negative number if the
 * curvature is of no use.
 */
static double
newton_step(const Problem *problem, const double *theta, const double *gradient, const double *hessian,
			double factor, double *step)
{
	int			n = problem->n;
	bool		bound = (theta[n - 1] <= log(CRM_STRENGTH_MIN) && gradient[n - 1] < 0) ||
		(theta[n - 1] >= log(CRM_STRENGTH_MAX) && gradient[n - 1] > 0);
	int			free_unknowns = bound ? n - 1 : n;
	double		matrix[CRM_PRIOR_UNKNOWNS * CRM_PRIOR_UNKNOWNS];
	double		gain = 0;

	for (int j = 0; j < n; j++)
		for (int k = 0; k <= j; k++)
			/* The penalty is not part of what is sampled. */
			matrix[j * n + k] = -factor * (hessian[j * n + k] + (j == k ? problem->ridge[j] : 0)) +
				(j == k ? problem->ridge[j] : 0);
	memset(step, 0, sizeof(double) * n);
	if (!factorise(matrix, free_unknowns, n))
		return -1;
	solve(matrix, free_unknowns, n, gradient, step);
	for (int j = 0; j < n; j++)
		gain += gradient[j] * step[j];
	return gain;
}

/* Draws a step back to its cap and the strength to its bounds; theta moves. */
static double
move(const Problem *problem, double *theta, const double *from, const double *step, double fraction)
{
	int			n = problem->n;
	double		largest = 0;
	double		moved = 0;

	for (int j = 0; j < n; j++)
		largest = fmax(largest, fabs(step[j]));
	if (largest > STEP_CAP)
		fraction *= STEP_CAP / largest;
	for (int j = 0; j < n; j++)
	{
		theta[j] = from[j] + fraction * step[j];
		if (j == n - 1)
			theta[j] = fmin(fmax(theta[j], log(CRM_STRENGTH_MIN)), log(CRM_STRENGTH_MAX));
		moved = fmax(moved, fabs(theta[j] - from[j]));
	}
	return moved;
}

/*
 * The maximum from a start, with the slopes there.  Returns false if stopped.
 */
static bool
climb(const Problem *problem, double *theta, CrmPriorSlopes *slopes, int *iterations, bool *converged)
{
	int			n = problem->n;
	double		next[CRM_PRIOR_UNKNOWNS];
	double		step[CRM_PRIOR_UNKNOWNS];
	CrmPriorSlopes trial;

	*converged = false;
	if (!evaluate(problem, theta, CURVATURE, slopes))
		return false;
	penalise(problem, theta, slopes);
	for (int i = 0; i < MAX_ITERATIONS; i++)
	{
		double		gain = newton_step(problem, theta, slopes->gradient, slopes->hessian, 1, step);
		bool		newton = gain >= 0;
		double		fraction = 1;
		double		tolerance = 1e-13 * (1 + fabs(slopes->value));

		++*iterations;
		if (!newton)
		{
			double		matrix[CRM_PRIOR_UNKNOWNS * CRM_PRIOR_UNKNOWNS];
			double		curvature = slopes->hessian[n * n - 1];

			scoring_matrix(problem, theta, matrix);
			memset(step, 0, sizeof(double) * n);
			if (factorise(matrix, n - 1, n))
				solve(matrix, n - 1, n, slopes->gradient, step);
			/* The fixed point climbs the strength always, but slowly; by its own curvature where there is one. */
			step[n - 1] = slopes->gradient[n - 1] /
				fmax(-curvature, fabs(slopes->gradient[n - 1]) / STEP_CAP + 1e-300);
			if (fabs(slopes->gradient[n - 1]) < FLAT)
				step[n - 1] = 0;
		}
		for (;; fraction /= 4)
		{
			double		moved = move(problem, next, theta, step, fraction);

			if (moved < 1e-11)
			{
				/* Newton's last step is smaller than anything that matters. */
				*converged = newton || fraction == 1;
				return true;
			}
			if (!evaluate(problem, next, CURVATURE, &trial))
				return false;
			penalise(problem, next, &trial);
			if (trial.value >= slopes->value - tolerance)
			{
				memcpy(theta, next, sizeof(double) * n);
				*slopes = trial;
				/* Quadratic convergence: the next would be far below. */
				if (newton && fraction == 1 && moved < 1e-7)
				{
					*converged = true;
					return true;
				}
				break;
			}
		}
	}
	return true;
}

/*
 * From the maximum of a sample to that of all: gradients of all, curvature of
 * the sample.  False if stopped; not converged if the sample misleads.
 */
static bool
refine(const Problem *problem, double *theta, const double *hessian, double factor, int *iterations, bool *converged,
	   double *log_likelihood)
{
	double		step[CRM_PRIOR_UNKNOWNS];
	double		before = HUGE_VAL;
	CrmPriorSlopes *slopes = malloc(sizeof(CrmPriorSlopes));

	*converged = false;
	if (slopes == NULL)
		return true;
	for (int i = 0; i < MAX_PASSES; i++)
	{
		double		gain;
		double		from[CRM_PRIOR_UNKNOWNS];

		++*iterations;
		if (!evaluate(problem, theta, i == 0 ? GRADIENT : VALUE, slopes))
		{
			free(slopes);
			return false;
		}
		penalise(problem, theta, slopes);
		gain = newton_step(problem, theta, slopes->gradient, hessian, factor, step);
		if (gain < 0 || gain > before / 2)
			break;
		before = gain;
		memcpy(from, theta, sizeof(from));
		move(problem, theta, from, step, 1);
		/* A gain of 1e-6 is a step of 1e-3 standard errors, and all but a hundredth of it has just been done. */
		if (i > 0 && gain < 1e-6)
		{
			*converged = true;
			*log_likelihood = slopes->value + gain / 2;
			for (int j = 1; j < problem->n - 1; j++)
				*log_likelihood += 0.5 * problem->ridge[j] * theta[j] * theta[j];
			break;
		}
	}
	free(slopes);
	return true;
}

/*
 * Fits the rows.  The features are changed.  The penalty on each weight but
 * the intercept is ridge/2 times its square.
 */
CrmPriorStatus
crm_prior_fit(const CrmPriorRows *rows, double ridge, CrmPriorStop stop, CrmPriorFit *fit)
{
	Problem		problem;
	Problem		common;
	double		unit[CRM_PRIOR_FEATURES];
	double		theta[CRM_PRIOR_UNKNOWNS] = {0};
	double		pair[2];
	int128		successes = 0;
	int128		failures = 0;
	double		customers = 0;
	double		most = 0;
	int			p = rows->features;
	int			n = p + 2;
	bool		done = false;
	CrmPriorSlopes *slopes;

	memset(fit, 0, sizeof(*fit));
	memset(&problem, 0, sizeof(problem));
	problem.rows = *rows;
	problem.stop = stop;
	prepare(&problem, ridge, unit);
	for (size_t i = 0; i < rows->rows; i++)
	{
		add(&successes, rows->success[i] * problem.value_unit, rows->customers[i]);
		add(&failures, rows->failure[i] * problem.value_unit, rows->customers[i]);
		customers += rows->customers[i];
		most = fmax(most, rows->success[i] + rows->failure[i]);
	}
	fit->successes = (double) successes / problem.value_unit;
	fit->failures = (double) failures / problem.value_unit;
	if (rows->rows == 0)
		fit->boundary = CRM_PRIOR_NO_INFORMATION;
	else if (successes == 0)
		fit->boundary = CRM_PRIOR_NO_SUCCESS;
	else if (failures == 0)
		fit->boundary = CRM_PRIOR_NO_FAILURE;
	if (fit->boundary != CRM_PRIOR_INSIDE)
		return CRM_PRIOR_DONE;
	slopes = malloc(sizeof(CrmPriorSlopes));
	if (slopes == NULL)
		return CRM_PRIOR_NO_MEMORY;

	/* A strength of 10 and the overall rate, then the common prior, are the start. */
	pair[0] = log((double) successes / (double) failures);
	pair[0] = fmin(fmax(pair[0], -LOGIT_MAX / 2), LOGIT_MAX / 2);
	pair[1] = log(10);
	theta[0] = pair[0];
	theta[n - 1] = pair[1];
	if (rows->rows >= SAMPLE_FROM)
	{
		Problem		sample;
		int			bits = 0;
		bool		found = false;

		while (rows->rows >> (bits + 1) >= SAMPLE_SIZE)
			bits++;
		sample = problem;
		if (!crm_prior_sample(&problem.rows, bits, customers, &sample.rows))
		{
			free(slopes);
			return CRM_PRIOR_NO_MEMORY;
		}
		if (sample.rows.rows > 0)
		{
			if (!climb(&sample, theta, slopes, &fit->iterations, &found) ||
				(found && !refine(&problem, theta, slopes->hessian, ldexp(1, bits), &fit->iterations, &done, &fit->log_likelihood)))
			{
				crm_prior_free_rows(&sample.rows);
				free(slopes);
				return CRM_PRIOR_STOPPED;
			}
		}
		crm_prior_free_rows(&sample.rows);
		fit->converged = done;
	}
	if (!done)
	{
		if (p > 0)
		{
			common = problem;
			common.rows.features = 0;
			common.n = 2;
			if (!climb(&common, pair, slopes, &fit->iterations, &fit->converged))
			{
				free(slopes);
				return CRM_PRIOR_STOPPED;
			}
			memset(theta, 0, sizeof(theta));
		}
		theta[0] = pair[0];
		theta[n - 1] = pair[1];
		if (!climb(&problem, theta, slopes, &fit->iterations, &fit->converged))
		{
			free(slopes);
			return CRM_PRIOR_STOPPED;
		}
		fit->log_likelihood = slopes->value;
		for (int j = 1; j <= p; j++)
			fit->log_likelihood += 0.5 * problem.ridge[j] * theta[j] * theta[j];
	}
	free(slopes);
	fit->weight[0] = theta[0];
	for (int j = 1; j <= p; j++)
		fit->weight[j] = theta[j] / unit[j - 1];
	fit->strength = exp(theta[n - 1]);
	if (most <= 1)
		fit->boundary = CRM_PRIOR_STRENGTH_UNKNOWN;
	else if (theta[n - 1] <= log(CRM_STRENGTH_MIN))
	{
		fit->strength = CRM_STRENGTH_MIN;
		fit->boundary = CRM_PRIOR_STRENGTH_MIN;
	}
	else if (theta[n - 1] >= log(CRM_STRENGTH_MAX))
	{
		fit->strength = CRM_STRENGTH_MAX;
		fit->boundary = CRM_PRIOR_STRENGTH_MAX;
	}
	return CRM_PRIOR_DONE;
}

/*
 * The log-likelihood and its derivatives at theta (weights, then ln strength),
 * without penalty and in the features' own units.  For tests.
 */
bool
crm_prior_slopes(const CrmPriorRows *rows, const double *theta, CrmPriorStop stop, CrmPriorSlopes *slopes)
{
	Problem		problem;

	memset(&problem, 0, sizeof(problem));
	problem.rows = *rows;
	problem.n = rows->features + 2;
	problem.stop = stop;
	problem.slope_unit = problem.value_unit = ldexp(1, 40);
	return evaluate(&problem, theta, CURVATURE, slopes);
}

/*
 * The logit of a customer's prior mean: weights, the intercept first, of his
 * features.  Features that are not known, by a bitmap as arrays have it (NULL:
 * all are) and left out of the numbers, or NaN, have their means.  NaN when
 * the products do not have a sum.
 */
double
crm_prior_logit(const double *weight, int weights, const double *mean, const double *feature, const uint8_t *known)
{
	double		logit = weight[0];

	for (int i = 0; i < weights - 1; i++)
	{
		bool		missing = known != NULL && (known[i / 8] & (1 << (i % 8))) == 0;
		double		value = missing ? mean[i] : *feature++;

		if (isnan(value))
			value = mean[i];
		if (weight[i + 1] != 0)
			logit += weight[i + 1] * value;
	}
	return logit;
}

/* A customer's prior by the logit of its mean; neither parameter below CRM_PRIOR_SHAPE_MIN. */
void
crm_prior_shapes(double logit, double strength, double *a, double *b)
{
	double		mean,
				rest;

	logistic(logit, &mean, &rest);
	*a = fmax(strength * mean, CRM_PRIOR_SHAPE_MIN);
	*b = fmax(strength * rest, CRM_PRIOR_SHAPE_MIN);
}
