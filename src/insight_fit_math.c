/*-------------------------------------------------------------------------
 *
 * insight_fit_math.c
 *	  From distinct rows to the fitted model.
 *
 * Rows are sorted first, so that the result is the same to the last bit for
 * any order, split or number of workers.  Times, amounts and covariates are
 * brought to scale 1, since the user may count in seconds or in years.  Large
 * data are looked at through a sample of rows to find a start; all rows then
 * decide.  A likelihood without a maximum inside is told by its boundary.
 * No server call in here.
 *
 *-------------------------------------------------------------------------
 */
#include "insight_fit_math.h"
#include "insight_special_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Logarithms of parameters, at scale 1, are drawn back beyond this. */
#define LOG_LIMIT 14.0
#define COVARIATE_LIMIT 12.0
/* A parameter whose logarithm is this large stands for infinity. */
#define LOG_BOUNDARY 9.0
/* A logarithm known no better than this is not known. */
#define UNKNOWN_DEVIATION 50.0
/* How far a log-likelihood may stay below its maximum. */
#define ACCURACY 1e-9
/* A log-likelihood that gains less over the limiting model is its limit. */
#define NO_GAIN 1e-5
/* Slope per customer below which a search has ended on a boundary. */
#define BOUNDARY_SLOPE 1e-4
/* Starts are compared on about this many rows. */
#define LOOK_ROWS 4096
#define MAX_STARTS 5

/* Number of parameters without covariates. */
int
crm_model_parameters(CrmModel model)
{
	switch (model)
	{
		case CRM_NBD:
		case CRM_SBG:
			return 2;
		case CRM_GAMMA_GAMMA:
			return 3;
		default:
			return 4;
	}
}

static bool
is_timing(CrmModel model)
{
	return model <= CRM_MBG_CNBD;
}

/* The columns of a row, but for its count. */
static int
compare_rows(const double *left, const double *right, int width)
{
	for (int i = 1; i < width; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

/*
 * Sorts the rows and adds up equal ones.  Merge sort, bottom up: no worst case,
 * no recursion.  False without memory.
 */
bool
crm_sort_observations(CrmObservations *observations)
{
	int			width = observations->width;
	size_t		rows = observations->rows;
	double	   *from = observations->cells;
	double	   *to = malloc((rows > 0 ? rows : 1) * width * sizeof(double));
	double	   *buffer = to;

	if (to == NULL)
		return false;
	for (size_t run = 1; run < rows; run *= 2)
	{
		double	   *swap;

		for (size_t start = 0; start < rows; start += 2 * run)
		{
			size_t		left = start,
						middle = start + run < rows ? start + run : rows,
						right = middle,
						end = start + 2 * run < rows ? start + 2 * run : rows;

			for (size_t i = start; i < end; i++)
			{
				size_t		take;

				if (right >= end ||
					(left < middle && compare_rows(from + left * width, from + right * width, width) <= 0))
					take = left++;
				else
					take = right++;
				memcpy(to + i * width, from + take * width, width * sizeof(double));
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != observations->cells)
		memcpy(observations->cells, from, rows * width * sizeof(double));
	free(buffer);

	if (rows > 1)
	{
		double	   *last = observations->cells;

		for (size_t i = 1; i < rows; i++)
		{
			const double *cell = observations->cells + i * width;

			if (compare_rows(last, cell, width) == 0)
				last[0] += cell[0];
			else
			{
				last += width;
				if (last != cell)
					memcpy(last, cell, width * sizeof(double));
			}
		}
		observations->rows = (last - observations->cells) / width + 1;
	}
	return true;
}

/* What scaling took out, to be put back into the result. */
typedef struct Scale
{
	double		unit;			/* of time or money */
	double		measured;		/* how many densities in that unit there are */
	double		mean[CRM_MAX_COVARIATES];
	double		deviation[CRM_MAX_COVARIATES];	/* 0: the covariate is constant */
} Scale;

/* Mean and standard deviation to 1 for covariates, mean T to 1. */
static void
scale_timing(CrmObservations *observations, Scale *scale)
{
	int			m = observations->covariates;
	double		customers = 0,
				time = 0;

	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;

		customers += cell[0];
		time += cell[0] * cell[m + 3];
		scale->measured += cell[0] * cell[m + 1];
	}
	scale->unit = time > 0 ? time / customers : 1;
	for (int i = 0; i < m; i++)
	{
		double		sum = 0,
					square = 0;

		for (size_t row = 0; row < observations->rows; row++)
			sum += observations->cells[row * observations->width] *
				observations->cells[row * observations->width + 1 + i] / customers;
		for (size_t row = 0; row < observations->rows; row++)
		{
			double		distance = observations->cells[row * observations->width + 1 + i] - sum;

			square += observations->cells[row * observations->width] * distance * distance / customers;
		}
		scale->mean[i] = sum;
		scale->deviation[i] = sqrt(square);
		if (!(scale->deviation[i] > 1e-9 * fabs(sum)))
			scale->deviation[i] = 0;
	}
	for (size_t row = 0; row < observations->rows; row++)
	{
		double	   *cell = observations->cells + row * observations->width;

		for (int i = 0; i < m; i++)
			cell[1 + i] = scale->deviation[i] > 0 ? (cell[1 + i] - scale->mean[i]) / scale->deviation[i] : 0;
		cell[m + 2] /= scale->unit;
		cell[m + 3] /= scale->unit;
	}
}

/* Mean of m_x to 1. */
static void
scale_spend(CrmObservations *observations, Scale *scale)
{
	double		sum = 0;

	for (size_t row = 0; row < observations->rows; row++)
	{
		scale->measured += observations->cells[row * 3];
		sum += observations->cells[row * 3] * observations->cells[row * 3 + 2];
	}
	scale->unit = sum / scale->measured;
	for (size_t row = 0; row < observations->rows; row++)
		observations->cells[row * 3 + 2] /= scale->unit;
}

/*
 * Several starts on "look", the best of them on "all".  With one sample only,
 * both are the same.
 */
static CrmOptimum
search(CrmProblem *problem, void *look, void *all, double starts[][CRM_MAX_UNKNOWNS], int count,
	   CrmMinimum *best)
{
	CrmOptimum	status = CRM_OPTIMUM_NOT_REACHED;
	CrmMinimum	trial;
	int			iterations = 0;
	bool		any = false;

	problem->context = look;
	for (int i = 0; i < count; i++)
	{
		trial.iterations = 0;
		status = crm_descend(problem, starts[i], &trial);
		iterations += trial.iterations;
		if (status == CRM_OPTIMUM_STOPPED || status == CRM_OPTIMUM_NO_MEMORY)
			return status;
		if (status == CRM_OPTIMUM_FOUND && (!any || trial.value < best->value))
		{
			*best = trial;
			any = true;
		}
	}
	if (!any)
		memcpy(best->theta, starts[0], sizeof(best->theta));
	best->iterations = iterations;

	if (look != all)
	{
		status = crm_polish(problem, best, false);
		if (status > CRM_OPTIMUM_NOT_REACHED)
			return status;
	}
	problem->context = all;
	status = crm_polish(problem, best, look != all && status == CRM_OPTIMUM_FOUND);
	if (status == CRM_OPTIMUM_NOT_REACHED && best->gradient_norm < BOUNDARY_SLOPE)
		for (int i = 0; i < problem->n; i++)
			if (fabs(best->theta[i]) > LOG_BOUNDARY)
				return status;		/* as far out as it gets */
	if (status == CRM_OPTIMUM_NOT_REACHED)
	{
		status = crm_descend(problem, best->theta, best);
		if (status == CRM_OPTIMUM_STOPPED || status == CRM_OPTIMUM_NO_MEMORY)
			return status;
		status = crm_polish(problem, best, false);
	}
	return status;
}

/*
 * Covariance of theta from the Hessian, for the parameters that are free;
 * false when these are not known well enough to speak of.
 */
static bool
theta_covariance(const CrmMinimum *minimum, int n, double customers, const bool *free_parameter,
				 double *covariance)
{
	double		matrix[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS] = {0};
	double		inverse[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	int			at[CRM_MAX_UNKNOWNS];
	int			count = 0;

	memset(covariance, 0, sizeof(double) * n * n);
	for (int i = 0; i < n; i++)
		if (free_parameter[i])
			at[count++] = i;
	if (count == 0)
		return false;
	for (int i = 0; i < count; i++)
		for (int j = 0; j < count; j++)
			matrix[i * count + j] = minimum->hessian[at[i] * n + at[j]] * customers;
	if (!crm_invert(matrix, inverse, count))
		return false;
	for (int i = 0; i < count; i++)
		if (!(inverse[i * count + i] < UNKNOWN_DEVIATION * UNKNOWN_DEVIATION))
			return false;
	for (int i = 0; i < count; i++)
		for (int j = 0; j < count; j++)
			covariance[at[i] * n + at[j]] = inverse[i * count + j];
	return true;
}

/*
 * Puts a minimum, at scale 1, into the result at the user's scale: parameters
 * are exp(theta), times the unit for alpha, beta of the Pareto/NBD and gamma of
 * the gamma-gamma; covariates move the logarithms of what they act on.
 */
static void
put_result(const CrmObservations *observations, const Scale *scale, const CrmMinimum *minimum,
		   const double *theta_variance, const bool *known, CrmFit *fit)
{
	CrmModel	model = observations->model;
	int			natural = crm_model_parameters(model);
	int			m = observations->covariates;
	int			n = natural + m * (natural == 4 ? 2 : 1);
	double		jacobian[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS] = {0};
	double		theta[CRM_MAX_UNKNOWNS] = {0};

	if (m == 0)
		n = natural;
	for (int i = 0; i < n; i++)
		jacobian[i * n + i] = 1;
	for (int i = 0; i < m; i++)
	{
		double		step = scale->deviation[i] > 0 ? 1 / scale->deviation[i] : 0;
		double		shift = scale->mean[i] * step;
		int			gamma = natural + i;
		int			delta = natural + m + i;

		jacobian[gamma * n + gamma] = step;
		jacobian[1 * n + gamma] = shift;
		if (natural == 4)
		{
			jacobian[delta * n + delta] = step;
			if (model == CRM_PARETO_NBD)
				jacobian[3 * n + delta] = shift;
			else
				jacobian[2 * n + delta] = jacobian[3 * n + delta] = -shift;
		}
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			theta[i] += jacobian[i * n + j] * minimum->theta[j];
	if (is_timing(model))
		theta[1] += log(scale->unit);
	if (model == CRM_PARETO_NBD)
		theta[3] += log(scale->unit);
	if (model == CRM_GAMMA_GAMMA)
		theta[2] += log(scale->unit);

	fit->parameters = n;
	for (int i = 0; i < n; i++)
	{
		fit->parameter[i] = i < natural ? exp(theta[i]) : theta[i];
		fit->known[i] = known[i] && !(i >= natural && scale->deviation[(i - natural) % m] == 0);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 0;

			for (int k = 0; k < n; k++)
				for (int l = 0; l < n; l++)
					sum += jacobian[i * n + k] * theta_variance[k * n + l] * jacobian[j * n + l];
			fit->covariance[i * n + j] = sum *
				(i < natural ? fit->parameter[i] : 1) * (j < natural ? fit->parameter[j] : 1);
		}
	fit->gradient_norm = minimum->gradient_norm;
	fit->log_likelihood = -minimum->value * fit->customers - scale->measured * log(scale->unit);
}

/* A result that is known without a search. */
static void
put_limit(CrmFit *fit, CrmBoundary boundary, int parameters, const double *parameter)
{
	fit->boundary = boundary;
	fit->parameters = parameters;
	memset(fit->known, 0, sizeof(fit->known));
	memset(fit->covariance, 0, sizeof(fit->covariance));
	for (int i = 0; i < parameters; i++)
		fit->parameter[i] = parameter[i];
	fit->converged = boundary != CRM_BOUNDARY_NO_INFORMATION;
}

/*
 * Which boundary theta lies on, if any; the parameters that are not free there
 * are struck out.
 */
static CrmBoundary
classify(CrmModel model, const double *theta, bool *free_parameter)
{
	static const struct
	{
		bool		models[CRM_MODELS];
		int			parameter;
		int			sign;
		int			partner;
		CrmBoundary boundary;
	}			rules[] =
	{
		{{1, 1, 1, 1, 1, 1, 0, 0, 0}, 0, 1, 1, CRM_BOUNDARY_EQUAL_RATES},
		{{0, 1, 1, 0, 1, 1, 0, 0, 0}, 3, 1, 2, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 1, 1, 0, 1, 1, 0, 0, 0}, 2, 1, 3, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 1, 1, 0, 1, 1, 0, 0, 0}, 3, -1, 2, CRM_BOUNDARY_CERTAIN_DROPOUT},
		{{0, 0, 0, 1, 0, 0, 0, 0, 0}, 2, 1, 3, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 0, 0, 1, 0, 0, 0, 0, 0}, 3, -1, 2, CRM_BOUNDARY_CERTAIN_DROPOUT},
		{{0, 0, 0, 0, 0, 0, 1, 0, 0}, 0, 1, 2, CRM_BOUNDARY_CONSTANT_SPEND},
		{{0, 0, 0, 0, 0, 0, 1, 0, 0}, 1, 1, 2, CRM_BOUNDARY_EQUAL_SPEND},
		{{0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, 1, 1, CRM_BOUNDARY_EQUAL_RATES},
		{{0, 0, 0, 0, 0, 0, 0, 1, 0}, 1, 1, 0, CRM_BOUNDARY_EQUAL_RATES},
		{{0, 0, 0, 0, 0, 0, 0, 1, 0}, 2, 1, 3, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 0, 0, 0, 0, 0, 0, 1, 0}, 3, 1, 2, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 0, 0, 0, 0, 0, 0, 1, 0}, 3, -1, 2, CRM_BOUNDARY_CERTAIN_DROPOUT},
		{{0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 1, 1, CRM_BOUNDARY_EQUAL_DROPOUT},
		{{0, 0, 0, 0, 0, 0, 0, 0, 1}, 1, 1, 0, CRM_BOUNDARY_EQUAL_DROPOUT}
	};
	CrmBoundary boundary = CRM_BOUNDARY_NONE;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].models[model] && theta[rules[i].parameter] * rules[i].sign > LOG_BOUNDARY)
		{
			if (boundary == CRM_BOUNDARY_NONE)
				boundary = rules[i].boundary;
			free_parameter[rules[i].parameter] = false;
			free_parameter[rules[i].partner] = false;
		}
	return boundary;
}

/* Judges a minimum and writes the result. */
static void
conclude(const CrmObservations *observations, const Scale *scale, const CrmMinimum *minimum, int n,
		 CrmOptimum status, CrmFit *fit)
{
	bool		free_parameter[CRM_MAX_UNKNOWNS];
	double		variance[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	int			natural = crm_model_parameters(observations->model);

	for (int i = 0; i < n; i++)
		free_parameter[i] = i < natural || scale->deviation[(i - natural) % observations->covariates] > 0;
	fit->boundary = classify(observations->model, minimum->theta, free_parameter);
	if (!theta_covariance(minimum, n, fit->customers, free_parameter, variance))
	{
		memset(free_parameter, 0, sizeof(free_parameter));
		if (fit->boundary == CRM_BOUNDARY_NONE)
			fit->boundary = CRM_BOUNDARY_UNIDENTIFIED;
	}
	for (int i = natural; i < n; i++)
		if (fit->boundary == CRM_BOUNDARY_NONE && scale->deviation[(i - natural) % observations->covariates] == 0)
			fit->boundary = CRM_BOUNDARY_UNIDENTIFIED;
	/* Far out, rounding hides the last digits; the place is as good. */
	fit->converged = status == CRM_OPTIMUM_FOUND ||
		(fit->boundary != CRM_BOUNDARY_NONE && minimum->gradient_norm < BOUNDARY_SLOPE);
	/* The likelihood of spending that never varies has no maximum. */
	if (fit->boundary == CRM_BOUNDARY_CONSTANT_SPEND)
		fit->converged = false;
	fit->iterations += minimum->iterations;
	put_result(observations, scale, minimum, variance, free_parameter, fit);
}

/* Where to begin: from the fitted NBD and from shares of customers leaving. */
static int
timing_starts(CrmModel model, const CrmMinimum *nbd, int m, double starts[][CRM_MAX_UNKNOWNS])
{
	static const double beta_start[MAX_STARTS][4] = {
		/* r and alpha against the NBD's, a, b */
		{1, 0.8, 0.5, 2}, {1, 0.5, 1, 1}, {1.5, 0.9, 0.05, 1}, {0.7, 0.4, 0.8, 2.4}, {3, 2, 2, 20}
	};
	static const double pareto_start[MAX_STARTS][4] = {
		/* r and alpha against the NBD's, s, beta */
		{1, 0.8, 0.5, 0.4}, {1.3, 0.9, 0.6, 1}, {1, 0.5, 1, 0.2}, {1.5, 1, 0.1, 0.5}, {2, 1, 2, 5}
	};

	memset(starts, 0, sizeof(double) * MAX_STARTS * CRM_MAX_UNKNOWNS);
	for (int i = 0; i < MAX_STARTS; i++)
	{
		const double *p = model == CRM_PARETO_NBD ? pareto_start[i] : beta_start[i];

		starts[i][0] = fmin(nbd->theta[0], 3) + log(p[0]);
		starts[i][1] = nbd->theta[1] - nbd->theta[0] + fmin(nbd->theta[0], 3) + log(p[1]);
		starts[i][2] = log(p[2]);
		starts[i][3] = log(p[3]);
		for (int j = 0; j < m; j++)
			starts[i][4 + j] = nbd->theta[2 + j];
	}
	return MAX_STARTS;
}

/*
 * Fits an NBD or another model of purchase times; the NBD comes first in any
 * case, since it is what the others become where nobody leaves.
 */
static CrmOptimum
fit_timing(CrmObservations *observations, const Scale *scale, const double *limit, CrmStop stop, CrmFit *fit)
{
	CrmModel	model = observations->model;
	int			m = observations->covariates;
	CrmTiming	all = {0},
				look = {0};
	CrmTiming  *small = &all;
	CrmProblem	problem = {0};
	CrmMinimum	nbd,
				minimum;
	double		starts[MAX_STARTS][CRM_MAX_UNKNOWNS];
	double		rate = scale->measured / fit->customers;
	CrmOptimum	status = CRM_OPTIMUM_NO_MEMORY;

	if (!crm_timing_prepare(observations, 1, stop, &all))
		return status;
	if (observations->rows > 4 * LOOK_ROWS)
	{
		if (!crm_timing_prepare(observations, observations->rows / LOOK_ROWS, stop, &look))
			goto done;
		small = &look;
	}

	problem.objective = crm_timing_objective;
	problem.stop = stop;
	problem.limit = limit;
	problem.accuracy = ACCURACY / fit->customers;
	problem.n = 2 + m;
	all.model = small->model = CRM_NBD;
	memset(starts, 0, sizeof(starts));
	for (int i = 0; i < 3; i++)
	{
		static const double shape[] = {0.5, 0.1, 4};

		starts[i][0] = log(shape[i]);
		starts[i][1] = log(shape[i] / rate);
	}
	if (model == CRM_NBD)
	{
		status = search(&problem, small, &all, starts, 3, &nbd);
		if (status <= CRM_OPTIMUM_NOT_REACHED)
			conclude(observations, scale, &nbd, problem.n, status, fit);
		goto done;
	}
	/* As a start, a look is enough. */
	status = search(&problem, small, small, starts, 2, &nbd);
	if (status > CRM_OPTIMUM_NOT_REACHED)
		goto done;
	fit->iterations += nbd.iterations;

	all.model = small->model = model;
	problem.n = 4 + 2 * m;
	status = search(&problem, small, &all, starts, timing_starts(model, &nbd, m, starts), &minimum);
	if (status > CRM_OPTIMUM_NOT_REACHED)
		goto done;

	/* Does leaving explain anything?  Only then is the NBD fitted on all rows. */
	{
		bool		leaves = true;
		double		gradient[CRM_MAX_UNKNOWNS];
		bool		near_limit = minimum.theta[2] < -5 || minimum.theta[2] - minimum.theta[3] < -5 ||
			status != CRM_OPTIMUM_FOUND;

		all.model = CRM_NBD;
		problem.n = 2 + m;
		if (!near_limit)
			near_limit = crm_timing_objective(&all, nbd.theta, gradient, problem.n) * fit->customers
				< minimum.value * fit->customers + 1;
		if (near_limit)
		{
			CrmOptimum	limit_status;

			memcpy(starts[0], nbd.theta, sizeof(starts[0]));
			limit_status = search(&problem, &all, &all, starts, 1, &nbd);
			if (limit_status > CRM_OPTIMUM_NOT_REACHED)
			{
				status = limit_status;
				goto done;
			}
			leaves = (nbd.value - minimum.value) * fit->customers > NO_GAIN;
			if (!leaves)
			{
				CrmObservations limiting = *observations;

				status = limit_status;
				fit->iterations += minimum.iterations;
				limiting.model = CRM_NBD;
				conclude(&limiting, scale, &nbd, problem.n, status, fit);
				/* Make room for who leaves: never, {0, 1}. */
				{
					CrmFit		nbd_fit = *fit;
					int			n = 4 + 2 * m;
					int			from[CRM_MAX_UNKNOWNS];

					for (int i = 0; i < n; i++)
						from[i] = i < 2 ? i : i >= 4 && i < 4 + m ? i - 2 : -1;
					fit->parameters = n;
					for (int i = 0; i < n; i++)
					{
						fit->parameter[i] = from[i] >= 0 ? nbd_fit.parameter[from[i]] : i == 3 ? 1 : 0;
						fit->known[i] = from[i] >= 0 && nbd_fit.known[from[i]];
						for (int j = 0; j < n; j++)
							fit->covariance[i * n + j] = from[i] >= 0 && from[j] >= 0 ?
								nbd_fit.covariance[from[i] * (2 + m) + from[j]] : 0;
					}
				}
				fit->boundary = CRM_BOUNDARY_NO_DROPOUT;
			}
		}
		all.model = model;
		if (leaves)
			conclude(observations, scale, &minimum, 4 + 2 * m, status, fit);
	}

done:
	crm_timing_free(&all);
	crm_timing_free(&look);
	return status;
}

/* Gamma-gamma, BG/BB or sBG. */
static CrmOptimum
fit_discrete(CrmObservations *observations, const Scale *scale, const double *limit, CrmStop stop, CrmFit *fit)
{
	static const double spend_start[][4] = {{2, 3, 1}, {6, 4, 0.5}, {1, 1.5, 0.5}, {20, 3, 0.1}};
	static const double period_start[][4] = {{1, 1, 0.5, 2}, {0.5, 0.5, 1, 4}, {2, 1, 2, 10}, {0.3, 1, 0.2, 1}};
	static const double renewal_start[][4] = {{1, 1}, {0.7, 3}, {3, 10}, {0.3, 0.3}};
	CrmModel	model = observations->model;
	const double (*start)[4] = model == CRM_GAMMA_GAMMA ? spend_start : model == CRM_BG_BB ? period_start : renewal_start;
	double		starts[MAX_STARTS][CRM_MAX_UNKNOWNS] = {{0}};
	CrmDiscrete discrete;
	CrmProblem	problem = {0};
	CrmMinimum	minimum;
	CrmOptimum	status;

	if (!crm_discrete_prepare(observations, stop, &discrete))
		return CRM_OPTIMUM_NO_MEMORY;
	problem.n = crm_model_parameters(model);
	problem.objective = model == CRM_GAMMA_GAMMA ? crm_gamma_gamma_objective :
		model == CRM_BG_BB ? crm_bg_bb_objective : crm_sbg_objective;
	problem.stop = stop;
	problem.limit = limit;
	problem.accuracy = ACCURACY / fit->customers;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < problem.n; j++)
			starts[i][j] = log(start[i][j]);
	status = search(&problem, &discrete, &discrete, starts, 4, &minimum);
	if (status <= CRM_OPTIMUM_NOT_REACHED)
	{
		conclude(observations, scale, &minimum, problem.n, status, fit);
		if (model == CRM_BG_BB && minimum.theta[2] - log(exp(minimum.theta[2]) + exp(minimum.theta[3])) < -LOG_BOUNDARY)
		{
			/* Nobody leaves: the beta-binomial, with its own likelihood. */
			double		gradient[CRM_MAX_UNKNOWNS];

			minimum.theta[2] = -700;
			minimum.theta[3] = 0;
			fit->log_likelihood = -crm_bg_bb_objective(&discrete, minimum.theta, gradient, 4) * fit->customers;
			fit->parameter[2] = 0;
			fit->parameter[3] = 1;
			fit->known[2] = fit->known[3] = false;
			fit->boundary = CRM_BOUNDARY_NO_DROPOUT;
		}
	}
	free(discrete.table);
	return status;
}

/*
 * Fits the model to the observations, which it sorts and scales in place.
 * They must be valid; see the description of CrmObservations.
 */
CrmOptimum
crm_fit(CrmObservations *observations, CrmStop stop, CrmFit *fit)
{
	CrmModel	model = observations->model;
	int			m = observations->covariates;
	int			natural = crm_model_parameters(model);
	Scale		scale = {1, 0, {0}, {0}};
	double		limit[CRM_MAX_UNKNOWNS];
	double		events = 0,
				time = 0;
	CrmOptimum	status;

	memset(fit, 0, sizeof(*fit));
	if (!crm_sort_observations(observations))
		return CRM_OPTIMUM_NO_MEMORY;
	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;

		fit->customers += cell[0];
		events += cell[0] * cell[m + 1];
		time += cell[0] * cell[observations->width - 1];
	}
	for (int i = 0; i < CRM_MAX_UNKNOWNS; i++)
		limit[i] = i < natural ? LOG_LIMIT : COVARIATE_LIMIT;

	/* Limits that no search would find. */
	if (observations->rows == 0 || time == 0)
	{
		put_limit(fit, CRM_BOUNDARY_NO_INFORMATION, 0, NULL);
		return CRM_OPTIMUM_FOUND;
	}
	if (model != CRM_GAMMA_GAMMA && events == 0)
	{
		double		limiting[CRM_MAX_UNKNOWNS] = {0, 1, 0, 1};

		put_limit(fit, model == CRM_SBG ? CRM_BOUNDARY_NO_DROPOUT : CRM_BOUNDARY_NO_REPEAT,
				  natural + m * (natural == 4 ? 2 : 1), limiting);
		return CRM_OPTIMUM_FOUND;
	}
	if (model == CRM_SBG && time == events && events == fit->customers)
	{
		double		limiting[] = {1, 0};

		put_limit(fit, CRM_BOUNDARY_CERTAIN_DROPOUT, 2, limiting);
		return CRM_OPTIMUM_FOUND;
	}

	if (is_timing(model))
	{
		scale_timing(observations, &scale);
		status = fit_timing(observations, &scale, limit, stop, fit);
		if (status <= CRM_OPTIMUM_NOT_REACHED && observations->regularity > 1)
			fit->log_likelihood += (observations->regularity - 1) *
				(observations->log_gaps - events * log(scale.unit)) - events * crm_lgamma(observations->regularity);
	}
	else
	{
		if (model == CRM_GAMMA_GAMMA)
			scale_spend(observations, &scale);
		status = fit_discrete(observations, &scale, limit, stop, fit);
	}
	return status;
}
