/* build: src/insight_special_math.c src/insight_optimise_math.c src/insight_timing_math.c src/insight_discrete_math.c src/insight_fit_math.c -llbfgs */
/*
 * Likelihoods against known values, gradients against differences, fits
 * against order, splits, units and odd data.
 */
#include "insight_fit_math.h"
#include "insight_special_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
near(double got, double expected, double tolerance, const char *what)
{
	int			good = fabs(got - expected) <= tolerance;

	ok(good, what);
	if (!good)
		printf("# got %.12g, expected %.12g\n", got, expected);
}

/* Rows with everything that occurs; no claim to follow any model. */
static void
some_rows(double *cells, int rows, int covariates)
{
	int			width = 4 + covariates;

	for (int i = 0; i < rows; i++)
	{
		double	   *cell = cells + i * width;
		double		t = 10 + floor(uniform() * 40);

		cell[0] = 1 + floor(3 * uniform());
		for (int j = 0; j < covariates; j++)
			cell[1 + j] = floor(3 * uniform()) - 1;
		cell[covariates + 1] = i % 2 ? 0 : floor(uniform() * uniform() * 30);
		cell[covariates + 2] = cell[covariates + 1] > 0 ? i % 5 ? 1 + floor(uniform() * t) : t : 0;
		cell[covariates + 3] = t;
		if (cell[covariates + 2] > t)
			cell[covariates + 2] = t;
	}
}

static void
check_gradient(CrmModel model, int regularity, int covariates, const double *parameter, const char *name)
{
	enum
	{
		ROWS = 60
	};
	double		cells[ROWS * 6];
	CrmObservations observations = {model, regularity, covariates, ROWS, 4 + covariates, cells, 0};
	CrmTiming	timing;
	int			n = crm_model_parameters(model) * (covariates ? 1 : 1) +
		covariates * (crm_model_parameters(model) == 4 ? 2 : 1);
	double		theta[CRM_MAX_UNKNOWNS],
				gradient[CRM_MAX_UNKNOWNS],
				unused[CRM_MAX_UNKNOWNS];
	double		worst = 0;

	tap_seed = 7;
	some_rows(cells, ROWS, covariates);
	crm_sort_observations(&observations);
	if (!crm_timing_prepare(&observations, 1, NULL, &timing))
		abort();
	for (int i = 0; i < n; i++)
		theta[i] = i < crm_model_parameters(model) ? log(parameter[i]) : 0.1 * (i - 3);
	crm_timing_objective(&timing, theta, gradient, n);
	for (int i = 0; i < n; i++)
	{
		double		h = 1e-5;
		double		keep = theta[i];
		double		up,
					down;

		theta[i] = keep + h;
		up = crm_timing_objective(&timing, theta, unused, n);
		theta[i] = keep - h;
		down = crm_timing_objective(&timing, theta, unused, n);
		theta[i] = keep;
		worst = fmax(worst, fabs((up - down) / (2 * h) - gradient[i]) / fmax(1, fabs(gradient[i])));
	}
	crm_timing_free(&timing);
	near(worst, 0, 2e-8, name);
}

/* Log-likelihood of one customer at given parameters. */
static double
one_row(CrmModel model, const double *parameter, double x, double t_x, double t)
{
	double		cells[] = {1, x, t_x, t};
	CrmObservations observations = {model, 1, 0, 1, 4, cells, 0};
	CrmTiming	timing;
	double		theta[4],
				gradient[4],
				value;

	if (!crm_timing_prepare(&observations, 1, NULL, &timing))
		abort();
	for (int i = 0; i < 4; i++)
		theta[i] = log(parameter[i]);
	value = -crm_timing_objective(&timing, theta, gradient, crm_model_parameters(model));
	crm_timing_free(&timing);
	return value;
}

/*
 * Many times of the same x are interpolated, one alone is not: the same value
 * and gradient, for any parameters.
 */
static void
check_curve(const double *parameter, int x, const char *name)
{
	enum
	{
		TIMES = 3000
	};
	static double cells[TIMES * 4];
	CrmObservations observations = {CRM_PARETO_NBD, 1, 0, TIMES, 4, cells, 0};
	CrmTiming	timing;
	double		theta[4],
				gradient[4],
				single[4],
				sum[4] = {0};
	double		value,
				singles = 0,
				worst;

	tap_seed = 23;
	for (int i = 0; i < TIMES; i++)
	{
		double		t = 0.01 + 4 * uniform();

		cells[4 * i] = 1;
		cells[4 * i + 1] = x;
		cells[4 * i + 2] = x > 0 ? t * (1e-4 + 0.9999 * uniform()) : 0;
		cells[4 * i + 3] = t;
	}
	for (int i = 0; i < 4; i++)
		theta[i] = log(parameter[i]);
	for (int i = 0; i < TIMES; i++)
	{
		CrmObservations one = {CRM_PARETO_NBD, 1, 0, 1, 4, cells + 4 * i, 0};

		if (!crm_timing_prepare(&one, 1, NULL, &timing))
			abort();
		singles += crm_timing_objective(&timing, theta, single, 4) / TIMES;
		for (int j = 0; j < 4; j++)
			sum[j] += single[j] / TIMES;
		crm_timing_free(&timing);
	}
	crm_sort_observations(&observations);
	if (!crm_timing_prepare(&observations, 1, NULL, &timing))
		abort();
	value = crm_timing_objective(&timing, theta, gradient, 4);
	worst = fabs(value - singles) / (1 + fabs(singles));
	for (int j = 0; j < 4; j++)
		worst = fmax(worst, fabs(gradient[j] - sum[j]) / (1 + fabs(sum[j])));
	crm_timing_free(&timing);
	near(worst, 0, 1e-12, name);
}

static void
copy_fit(const double *cells, size_t rows, int width, CrmModel model, int covariates, CrmFit *fit)
{
	double	   *copy = malloc(rows * width * sizeof(double));
	CrmObservations observations = {model, 1, covariates, rows, width, copy, 0};

	memcpy(copy, cells, rows * width * sizeof(double));
	if (crm_fit(&observations, NULL, fit) > CRM_OPTIMUM_NOT_REACHED)
		abort();
	free(copy);
}

static int	stops_left;

static bool
stop_later(void)
{
	return stops_left-- <= 0;
}

int
main(void)
{
	static const double bg[] = {0.25, 4, 0.8, 2.5};
	static const double pareto_above[] = {0.6, 12, 0.5, 3};
	static const double pareto_below[] = {0.6, 3, 0.5, 12};
	static const double pareto_far[] = {0.6, 1e-3, 1.7, 40};
	static const double pareto_even[] = {0.6, 5, 0.5, 5};
	enum
	{
		ROWS = 400
	};
	double		cells[ROWS * 6],
				other[ROWS * 6];
	CrmFit		fit,
				again;

	/* BG/NBD, one customer: pymc-marketing's stability case, see analytics.md 2a */
	near(one_row(CRM_BG_NBD, bg, 0, 0, 40), -0.59947382, 1e-8, "BG/NBD of (0, 0, 40)");
	near(one_row(CRM_BG_NBD, bg, 200, 38, 40), 100.7957, 1e-4, "BG/NBD of (200, 38, 40)");
	ok(isfinite(one_row(CRM_PARETO_NBD, bg, 200, 38, 40)), "Pareto/NBD of (200, 38, 40)");
	near(one_row(CRM_BG_NBD, bg, 0, 0, 40), one_row(CRM_NBD, bg, 0, 0, 40), 1e-15, "BG/NBD of x = 0 is the NBD");

	check_gradient(CRM_NBD, 1, 0, bg, "gradient of the NBD");
	check_gradient(CRM_BG_NBD, 1, 0, bg, "gradient of the BG/NBD");
	check_gradient(CRM_MBG_NBD, 1, 0, bg, "gradient of the MBG/NBD");
	check_gradient(CRM_BG_CNBD, 2, 0, bg, "gradient of the BG/CNBD-2");
	check_gradient(CRM_MBG_CNBD, 5, 0, bg, "gradient of the MBG/CNBD-5");
	check_gradient(CRM_PARETO_NBD, 1, 0, pareto_above, "gradient of the Pareto/NBD, alpha > beta");
	check_gradient(CRM_PARETO_NBD, 1, 0, pareto_below, "gradient of the Pareto/NBD, alpha < beta");
	check_gradient(CRM_PARETO_NBD, 1, 0, pareto_far, "gradient of the Pareto/NBD, next to z = 1");
	check_gradient(CRM_PARETO_NBD, 1, 0, pareto_even, "gradient of the Pareto/NBD, alpha = beta");
	check_gradient(CRM_NBD, 1, 2, bg, "gradient of the NBD with covariates");
	check_gradient(CRM_BG_NBD, 1, 2, bg, "gradient of the BG/NBD with covariates");
	check_gradient(CRM_MBG_NBD, 1, 2, bg, "gradient of the MBG/NBD with covariates");
	check_gradient(CRM_PARETO_NBD, 1, 2, pareto_below, "gradient of the Pareto/NBD with covariates");

	/* Interpolation is exact: near and far singularities, the limit of equal drop-out, many purchases. */
	{
		static const double shape[][4] = {
			{0.6, 12, 0.5, 3}, {0.6, 0.1, 0.5, 0.4}, {0.6, 1e-3, 1.7, 40}, {0.6, 5, 0.5, 5}, {1.3, 0.13, 80, 50},
			{1.3, 0.13, 1e5, 6e4}, {50, 3, 2, 1e-4}, {0.02, 1e-6, 0.01, 1e3}, {1e4, 1e3, 3, 2}
		};

		for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++)
			for (int x = 0; x <= 200; x += x == 0 ? 3 : 197)
			{
				char		name[80];

				snprintf(name, sizeof(name), "many times of x = %d as each alone, parameters %zu", x, i);
				check_curve(shape[i], x, name);
			}
	}

	/* The order of rows is irrelevant to the last bit. */
	for (int model = CRM_NBD; model <= CRM_PARETO_NBD; model++)
	{
		char		name[80];
		double		shift;

		tap_seed = 11;
		some_rows(cells, ROWS, 0);
		for (int i = 0; i < ROWS; i++)
			memcpy(other + 4 * i, cells + 4 * ((i * 37 + 5) % ROWS), 4 * sizeof(double));
		copy_fit(cells, ROWS, 4, model, 0, &fit);
		copy_fit(other, ROWS, 4, model, 0, &again);
		snprintf(name, sizeof(name), "model %d: any order gives the same bits", model);
		ok(memcmp(fit.parameter, again.parameter, fit.parameters * sizeof(double)) == 0 &&
		   fit.log_likelihood == again.log_likelihood, name);
		snprintf(name, sizeof(name), "model %d: converged", model);
		ok(fit.converged, name);

		/* Days instead of weeks: only alpha and beta move. */
		shift = 0;
		for (int i = 0; i < ROWS; i++)
		{
			shift -= other[4 * i] * other[4 * i + 1] * log(7);
			other[4 * i + 2] *= 7;
			other[4 * i + 3] *= 7;
		}
		copy_fit(other, ROWS, 4, model, 0, &again);
		snprintf(name, sizeof(name), "model %d: the unit of time changes alpha only", model);
		ok(fabs(again.parameter[0] / fit.parameter[0] - 1) < 1e-6 &&
		   fabs(again.parameter[1] / fit.parameter[1] / 7 - 1) < 1e-6, name);
		snprintf(name, sizeof(name), "model %d: and the likelihood as a density does", model);
		near(again.log_likelihood, fit.log_likelihood + shift, 1e-6, name);
	}

	/* Covariates: their unit and origin change only what they must. */
	tap_seed = 3;
	some_rows(cells, ROWS, 2);
	for (int model = CRM_NBD; model <= CRM_PARETO_NBD; model++)
	{
		int			natural = crm_model_parameters(model);
		char		name[80];

		memcpy(other, cells, sizeof(cells));
		for (int i = 0; i < ROWS; i++)
			other[6 * i + 1] = 1000 + 50 * other[6 * i + 1];
		copy_fit(cells, ROWS, 6, model, 2, &fit);
		copy_fit(other, ROWS, 6, model, 2, &again);
		snprintf(name, sizeof(name), "model %d: covariates in other units, same likelihood", model);
		near(again.log_likelihood, fit.log_likelihood, 1e-5, name);
		snprintf(name, sizeof(name), "model %d: and coefficients in these units", model);
		near(again.parameter[natural] * 50, fit.parameter[natural], 1e-4, name);
		snprintf(name, sizeof(name), "model %d: with standard errors in these units", model);
		near(sqrt(again.covariance[natural * (again.parameters + 1)]) * 50 /
			 sqrt(fit.covariance[natural * (fit.parameters + 1)]), 1, 1e-3, name);
	}

	/* A covariate that is the same for all explains nothing, and is told. */
	for (int i = 0; i < ROWS; i++)
		cells[6 * i + 2] = 4;
	copy_fit(cells, ROWS, 6, CRM_BG_NBD, 2, &fit);
	ok(fit.boundary != CRM_BOUNDARY_NONE && fit.parameter[5] == 0 && !fit.known[5] && fit.known[0],
	   "a constant covariate is told");

	/* Data without a maximum inside. */
	{
		double		nobody[] = {5, 0, 0, 10, 3, 0, 0, 20};
		double		nothing[] = {5, 0, 0, 0};
		double		regulars[] = {50, 10, 40, 40, 40, 11, 40, 40, 10, 9, 40, 40};
		double		contracts[] = {10, 1, 1};
		double		kept[] = {10, 0, 5};
		double		same[] = {10, 2, 5};

		for (int model = CRM_NBD; model <= CRM_PARETO_NBD; model++)
		{
			char		name[80];
			bool		finite = true;

			copy_fit(nobody, 2, 4, model, 0, &fit);
			snprintf(name, sizeof(name), "model %d: nobody buys again", model);
			ok(fit.boundary == CRM_BOUNDARY_NO_REPEAT && fit.converged && fit.log_likelihood == 0, name);
			copy_fit(nothing, 1, 4, model, 0, &fit);
			snprintf(name, sizeof(name), "model %d: no time observed", model);
			ok(fit.boundary == CRM_BOUNDARY_NO_INFORMATION && fit.parameters == 0, name);
			copy_fit(regulars, 3, 4, model, 0, &fit);
			snprintf(name, sizeof(name), "model %d: all buy until the end", model);
			for (int i = 0; i < fit.parameters; i++)
				finite = finite && isfinite(fit.parameter[i]);
			ok(finite && fit.converged && isfinite(fit.log_likelihood) &&
			   fit.boundary == (model == CRM_NBD ? CRM_BOUNDARY_EQUAL_RATES : CRM_BOUNDARY_NO_DROPOUT), name);
			snprintf(name, sizeof(name), "model %d: not below the Poisson limit", model);
			{
				double		events = 50 * 10 + 40 * 11 + 10 * 9;
				double		rate = events / 4000;

				near(fit.log_likelihood, events * log(rate) - events, 0.01, name);
			}
		}
		copy_fit(contracts, 1, 3, CRM_SBG, 0, &fit);
		ok(fit.boundary == CRM_BOUNDARY_CERTAIN_DROPOUT && fit.parameter[1] == 0, "sBG: all lost at once");
		copy_fit(kept, 1, 3, CRM_SBG, 0, &fit);
		ok(fit.boundary == CRM_BOUNDARY_NO_DROPOUT && fit.parameter[0] == 0, "sBG: none lost");
		copy_fit(same, 1, 3, CRM_GAMMA_GAMMA, 0, &fit);
		ok(fit.boundary == CRM_BOUNDARY_CONSTANT_SPEND && !fit.converged, "gamma-gamma: all spend the same");
	}

	/* Each row again and again: the same maximum, n times as high. */
	tap_seed = 11;
	some_rows(cells, ROWS, 0);
	memcpy(other, cells, sizeof(cells));
	for (int i = 0; i < ROWS; i++)
		other[4 * i] *= 1000;
	copy_fit(cells, ROWS, 4, CRM_MBG_NBD, 0, &fit);
	copy_fit(other, ROWS, 4, CRM_MBG_NBD, 0, &again);
	near(again.parameter[0] / fit.parameter[0], 1, 1e-7, "a thousand times the customers, the same parameters");
	near(again.log_likelihood / fit.log_likelihood, 1000, 1e-6, "and a thousand times the likelihood");
	near(sqrt(fit.covariance[0] / again.covariance[0]), sqrt(1000), 1e-3, "and smaller standard errors");

	/* Stopping anywhere is a normal return without a leak. */
	{
		CrmObservations observations = {CRM_PARETO_NBD, 1, 0, ROWS, 4, cells, 0};
		int			stopped = 0;

		for (int after = 0; after < 2000; after += 97)
		{
			some_rows(cells, ROWS, 0);
			stops_left = after;
			stopped += crm_fit(&observations, stop_later, &fit) == CRM_OPTIMUM_STOPPED;
		}
		ok(stopped > 3, "a fit can be stopped anywhere");
	}

	return done_testing();
}
