/*-------------------------------------------------------------------------
 *
 * insight_optimise_math.c
 *	  Minimising the negative log-likelihood of a model.
 *
 * Two steps: libLBFGS from any start, then Newton's method with a Hessian
 * by differences of the analytic gradient.  The first gets near from
 * anywhere; the second makes the last digits right, and its Hessian gives
 * the standard errors.  No server call in here: an interrupt is noticed
 * through a callback, and everything returns normally.
 *
 *-------------------------------------------------------------------------
 */
#include "insight_optimise_math.h"

#include <lbfgs.h>
#include <math.h>
#include <string.h>

#define DESCENT_STEPS 300
#define POLISH_STEPS 60
/* Longest step of Newton's method; the unknowns are logarithms. */
#define LONGEST_STEP 2.0
#define HESSIAN_STEP 1e-4
/* How strongly theta is drawn back beyond its limit. */
#define LIMIT_FORCE 1.0

/*
 * The objective, plus a parabola beyond the limits: where a likelihood rises
 * for ever, the search ends a little beyond the limit instead of overflowing.
 */
static double
evaluate(const CrmProblem *problem, const double *theta, double *gradient, double *bare)
{
	double		value = problem->objective(problem->context, theta, gradient, problem->n);

	if (bare != NULL)
		*bare = value;
	for (int i = 0; i < problem->n; i++)
	{
		double		beyond = fabs(theta[i]) - problem->limit[i];

		if (beyond > 0)
		{
			value += 0.5 * LIMIT_FORCE * beyond * beyond;
			gradient[i] += copysign(LIMIT_FORCE * beyond, theta[i]);
		}
	}
	return value;
}

static bool
stop_now(const CrmProblem *problem)
{
	return problem->stop != NULL && problem->stop();
}

/* What the library hands back to its callbacks. */
typedef struct Descent
{
	const CrmProblem *problem;
	int			iterations;
} Descent;

static lbfgsfloatval_t
lbfgs_evaluate(void *instance, const lbfgsfloatval_t *theta, lbfgsfloatval_t *gradient,
			   const int n, const lbfgsfloatval_t step)
{
	(void) n;
	(void) step;
	return evaluate(((Descent *) instance)->problem, theta, gradient, NULL);
}

static int
lbfgs_progress(void *instance, const lbfgsfloatval_t *theta, const lbfgsfloatval_t *gradient,
			   const lbfgsfloatval_t value, const lbfgsfloatval_t norm_theta,
			   const lbfgsfloatval_t norm_gradient, const lbfgsfloatval_t step,
			   int n, int iteration, int evaluations)
{
	(void) theta;
	(void) gradient;
	(void) value;
	(void) norm_theta;
	(void) norm_gradient;
	(void) step;
	(void) n;
	(void) evaluations;
	((Descent *) instance)->iterations = iteration;
	return stop_now(((Descent *) instance)->problem);
}

/*
 * From "start" down to the neighbourhood of a minimum.  Adds the iterations
 * to result->iterations, which the caller has set.
 */
CrmOptimum
crm_descend(const CrmProblem *problem, const double *start, CrmMinimum *result)
{
	lbfgs_parameter_t parameter;
	Descent		descent = {problem, 0};
	lbfgsfloatval_t *theta;
	double		gradient[CRM_MAX_UNKNOWNS];
	double		value;
	int			status;

	/* The library wants a multiple of 16 bytes; it pads by itself. */
	theta = lbfgs_malloc(problem->n);
	if (theta == NULL)
		return CRM_OPTIMUM_NO_MEMORY;
	memcpy(theta, start, problem->n * sizeof(double));

	lbfgs_parameter_init(&parameter);
	parameter.m = 10;
	parameter.epsilon = 1e-7;
	parameter.max_iterations = DESCENT_STEPS;
	parameter.max_linesearch = 30;
	/* The gain of five iterations is beyond what the polishing needs. */
	parameter.past = 5;
	parameter.delta = 1e-11;
	status = lbfgs(problem->n, theta, &value, lbfgs_evaluate, lbfgs_progress,
				   &descent, &parameter);
	memcpy(result->theta, theta, problem->n * sizeof(double));
	lbfgs_free(theta);

	if (stop_now(problem))
		return CRM_OPTIMUM_STOPPED;
	if (status == LBFGSERR_OUTOFMEMORY)
		return CRM_OPTIMUM_NO_MEMORY;
	result->iterations += descent.iterations;
	for (int i = 0; i < problem->n; i++)
		if (!isfinite(result->theta[i]))
			return CRM_OPTIMUM_NOT_REACHED;
	value = evaluate(problem, result->theta, gradient, &result->value);
	return isfinite(value) ? CRM_OPTIMUM_FOUND : CRM_OPTIMUM_NOT_REACHED;
}

/*
 * Cholesky factor of matrix + ridge * identity into the lower triangle of
 * "factor"; false when it is not positive definite.
 */
static bool
cholesky(const double *matrix, double ridge, double *factor, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = matrix[i * n + j] + (i == j ? ridge : 0);

			for (int k = 0; k < j; k++)
				sum -= factor[i * n + k] * factor[j * n + k];
			if (i != j)
				factor[i * n + j] = sum / factor[j * n + j];
			else if (sum > 1e-13 * (fabs(matrix[i * n + i]) + ridge) && sum > 0)
				factor[i * n + i] = sqrt(sum);
			else
				return false;
		}
	return true;
}

static void
cholesky_solve(const double *factor, const double *right, double *solution, int n)
{
	for (int i = 0; i < n; i++)
	{
		double		sum = right[i];

		for (int k = 0; k < i; k++)
			sum -= factor[i * n + k] * solution[k];
		solution[i] = sum / factor[i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		double		sum = solution[i];

		for (int k = i + 1; k < n; k++)
			sum -= factor[k * n + i] * solution[k];
		solution[i] = sum / factor[i * n + i];
	}
}

/*
 * Inverse of a symmetric positive definite matrix, scaled by its diagonal
 * first; false when it is not positive definite.
 */
bool
crm_invert(const double *matrix, double *inverse, int n)
{
	double		scaled[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS] = {0};
	double		factor[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	double		scale[CRM_MAX_UNKNOWNS];

	for (int i = 0; i < n; i++)
	{
		if (!(matrix[i * n + i] > 0))
			return false;
		scale[i] = sqrt(matrix[i * n + i]);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			scaled[i * n + j] = matrix[i * n + j] / (scale[i] * scale[j]);
	if (!cholesky(scaled, 0, factor, n))
		return false;
	for (int j = 0; j < n; j++)
	{
		double		unit[CRM_MAX_UNKNOWNS] = {0};
		double		column[CRM_MAX_UNKNOWNS];

		unit[j] = 1;
		cholesky_solve(factor, unit, column, n);
		for (int i = 0; i < n; i++)
			inverse[i * n + j] = column[i] / (scale[i] * scale[j]);
	}
	return true;
}

/* The Hessian by central differences of the gradient. */
static void
difference_hessian(const CrmProblem *problem, const double *theta, double *hessian)
{
	int			n = problem->n;

	for (int j = 0; j < n && !stop_now(problem); j++)
	{
		double		moved[CRM_MAX_UNKNOWNS];
		double		up[CRM_MAX_UNKNOWNS],
					down[CRM_MAX_UNKNOWNS];

		memcpy(moved, theta, n * sizeof(double));
		moved[j] = theta[j] + HESSIAN_STEP;
		(void) evaluate(problem, moved, up, NULL);
		moved[j] = theta[j] - HESSIAN_STEP;
		(void) evaluate(problem, moved, down, NULL);
		for (int i = 0; i < n; i++)
			hessian[i * n + j] = (up[i] - down[i]) / (2 * HESSIAN_STEP);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			hessian[i * n + j] = hessian[j * n + i] =
				0.5 * (hessian[i * n + j] + hessian[j * n + i]);
}

/*
 * From result->theta to the minimum itself, by Newton's method.  A Hessian is
 * kept as long as it brings the gradient down well, and "near" says that
 * result->hessian is near enough to begin with.  The last one is taken at the
 * minimum and left in result->hessian.
 */
CrmOptimum
crm_polish(const CrmProblem *problem, CrmMinimum *result, bool near)
{
	int			n = problem->n;
	double		theta[CRM_MAX_UNKNOWNS];
	double		gradient[CRM_MAX_UNKNOWNS];
	double		factor[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	double		value;
	double		last_decrement = HUGE_VAL;
	bool		fresh;
	bool		found = false;

	memcpy(theta, result->theta, n * sizeof(double));
	value = evaluate(problem, theta, gradient, &result->value);
	fresh = near && cholesky(result->hessian, 0, factor, n);

	for (int step = 0; step < POLISH_STEPS && !stop_now(problem); step++)
	{
		double		direction[CRM_MAX_UNKNOWNS];
		double		decrement = 0;
		double		longest = 0;
		double		length = 1;
		bool		moved = false;
		bool		current = !fresh;

		if (!fresh)
		{
			double		ridge = 0;
			double		largest = 0;

			difference_hessian(problem, theta, result->hessian);
			if (stop_now(problem))
				break;
			for (int i = 0; i < n; i++)
				if (fabs(result->hessian[i * n + i]) > largest)
					largest = fabs(result->hessian[i * n + i]);
			while (!cholesky(result->hessian, ridge, factor, n) && ridge < 1e100)
				ridge = ridge > 0 ? ridge * 10 : 1e-12 * (largest > 1e-20 ? largest : 1);
			if (!(ridge < 1e100))
				break;
			fresh = true;
			last_decrement = HUGE_VAL;
		}
		cholesky_solve(factor, gradient, direction, n);
		for (int i = 0; i < n; i++)
		{
			decrement += 0.5 * gradient[i] * direction[i];
			if (fabs(direction[i]) > longest)
				longest = fabs(direction[i]);
		}
		if (decrement <= problem->accuracy)
		{
			/* A step is worth taking even so: it is computed already. */
			found = true;
		}
		else if (decrement > 0.1 * last_decrement)
		{
			fresh = false;
			last_decrement = HUGE_VAL;
			continue;
		}
		last_decrement = decrement;
		if (longest > LONGEST_STEP)
			length = LONGEST_STEP / longest;
		result->iterations++;
		for (int halving = 0; halving < 30; halving++)
		{
			double		trial[CRM_MAX_UNKNOWNS];
			double		trial_gradient[CRM_MAX_UNKNOWNS];
			double		trial_value,
						bare;

			for (int i = 0; i < n; i++)
				trial[i] = theta[i] - length * direction[i];
			trial_value = evaluate(problem, trial, trial_gradient, &bare);
			if (stop_now(problem))
				break;
			/* Next to the minimum the value is rounding noise. */
			if (trial_value <= value - 1e-4 * length * decrement ||
				(trial_value <= value + 1e-13 * (1 + fabs(value)) && decrement < 1e-10))
			{
				memcpy(theta, trial, n * sizeof(double));
				memcpy(gradient, trial_gradient, n * sizeof(double));
				value = trial_value;
				result->value = bare;
				moved = true;
				break;
			}
			if (found)
				break;
			length *= 0.5;
		}
		if (found || (!moved && current))
			break;
		if (!moved)
			fresh = false;
	}

	memcpy(result->theta, theta, n * sizeof(double));
	result->gradient_norm = 0;
	for (int i = 0; i < n; i++)
		if (fabs(gradient[i]) > result->gradient_norm)
			result->gradient_norm = fabs(gradient[i]);
	if (stop_now(problem))
		return CRM_OPTIMUM_STOPPED;
	difference_hessian(problem, theta, result->hessian);
	if (stop_now(problem))
		return CRM_OPTIMUM_STOPPED;
	if (!found && result->gradient_norm < 1e-9)
		found = true;
	return found ? CRM_OPTIMUM_FOUND : CRM_OPTIMUM_NOT_REACHED;
}
