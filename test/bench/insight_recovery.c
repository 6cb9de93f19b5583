/* build: src/insight_special_math.c src/insight_optimise_math.c src/insight_timing_math.c src/insight_discrete_math.c src/insight_fit_math.c -llbfgs */
/*
 * Do the fits recover what the data were made with?  For each model: simulate
 * customers, fit, and count how often the 95 % interval of each parameter
 * (on the logarithmic scale; covariates as they are) covers the true value.
 *
 *     insight_recovery [runs [customers [seed [model]]]]      500, 3000 and 1 by default, all models
 *
 * Covariates need more customers: three times as many.
 *
 * Prints one line per model and parameter and, last, whether every coverage
 * lies in 95 % +- 3 points.
 */
#include "insight_fit_math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static double
uniform(void)
{
	uint64_t	z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	z ^= z >> 31;
	return ((z >> 11) + 0.5) / 9007199254740992.0;
}

static double
exponential(void)
{
	return -log(uniform());
}

static double
normal(void)
{
	return sqrt(2 * exponential()) * cos(2 * M_PI * uniform());
}

/* Marsaglia and Tsang 2000 */
static double
gamma_variate(double shape)
{
	double		d,
				c;

	if (shape < 1)
		return gamma_variate(shape + 1) * pow(uniform(), 1 / shape);
	d = shape - 1.0 / 3;
	c = 1 / sqrt(9 * d);
	for (;;)
	{
		double		x = normal();
		double		v = 1 + c * x;

		if (v <= 0)
			continue;
		v = v * v * v;
		if (log(uniform()) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}

static double
beta_variate(double a, double b)
{
	double		x = gamma_variate(a);

	return x / (x + gamma_variate(b));
}

typedef struct Case
{
	const char *name;
	CrmModel	model;
	int			regularity;
	int			covariates;
	int			parameters;
	double		truth[10];
} Case;

static const Case cases[] = {
	{"nbd", CRM_NBD, 1, 0, 2, {0.6, 8}},
	{"bg_nbd", CRM_BG_NBD, 1, 0, 4, {0.5, 4, 0.8, 2.5}},
	{"mbg_nbd", CRM_MBG_NBD, 1, 0, 4, {0.7, 5, 0.9, 2.5}},
	{"pareto_nbd", CRM_PARETO_NBD, 1, 0, 4, {0.8, 6, 0.7, 10}},
	{"bg_cnbd k=2", CRM_BG_CNBD, 2, 0, 4, {0.9, 3, 0.8, 2.5}},
	{"mbg_cnbd k=3", CRM_MBG_CNBD, 3, 0, 4, {0.9, 2, 0.9, 3.5}},
	{"nbd, 2 covariates", CRM_NBD, 1, 2, 4, {0.6, 8, 0.5, -0.3}},
	{"bg_nbd, 2 covariates", CRM_BG_NBD, 1, 2, 8, {0.7, 4, 0.8, 2.5, 0.5, -0.3, 0.4, 0.2}},
	{"mbg_nbd, 2 covariates", CRM_MBG_NBD, 1, 2, 8, {0.7, 4, 0.9, 2.5, 0.5, -0.3, 0.4, 0.2}},
	{"pareto_nbd, 2 covariates", CRM_PARETO_NBD, 1, 2, 8, {0.8, 6, 0.7, 10, 0.5, -0.3, 0.4, 0.2}},
	{"gamma_gamma", CRM_GAMMA_GAMMA, 1, 0, 3, {6, 4, 15}},
	{"bg_bb", CRM_BG_BB, 1, 0, 4, {1.2, 0.75, 0.65, 2.8}},
	{"sbg", CRM_SBG, 1, 0, 2, {0.7, 1.2}}
};

/* One customer's row, without its count; adds the logarithms of gaps. */
static void
simulate(const Case *c, double *cell, double *log_gaps)
{
	const double *p = c->truth;
	int			m = c->covariates;
	int			natural = crm_model_parameters(c->model);

	switch ((int) c->model)
	{
		case CRM_GAMMA_GAMMA:
			{
				int			x = 1 + (int) (6 * uniform() * uniform());

				cell[0] = x;
				cell[1] = gamma_variate(p[0] * x) / x / (gamma_variate(p[1]) / p[2]);
				return;
			}
		case CRM_BG_BB:
			{
				double		buys = beta_variate(p[0], p[1]);
				double		leaves = beta_variate(p[2], p[3]);
				int			n = 8;

				cell[0] = cell[1] = 0;
				cell[2] = n;
				for (int i = 1; i <= n && uniform() >= leaves; i++)
					if (uniform() < buys)
					{
						cell[0]++;
						cell[1] = i;
					}
				return;
			}
		case CRM_SBG:
			{
				double		leaves = beta_variate(p[0], p[1]);
				int			i;

				for (i = 1; i <= 8; i++)
					if (uniform() < leaves)
						break;
				cell[0] = i <= 8;
				cell[1] = i <= 8 ? i : 8;
				return;
			}
		default:
			{
				double		alpha = p[1];
				double		purchase = 0,
							leaving = 0;
				double		rate,
							drop = 0,
							end = HUGE_VAL;
				double		t = 27 + 51 * uniform();
				double		now = 0,
							last = 0;
				int			x = 0;

				for (int i = 0; i < m; i++)
				{
					/* A share of ones, and a measure far from 0 */
					cell[i] = i == 0 ? uniform() < 0.4 : 5 + 2 * normal();
					purchase += p[natural + i] * cell[i];
					if (natural == 4)
						leaving += p[natural + m + i] * cell[i];
				}
				rate = gamma_variate(p[0]) / (alpha * exp(-purchase));
				if (c->model == CRM_PARETO_NBD)
					end = exponential() * p[3] * exp(-leaving) / gamma_variate(p[2]);
				else if (c->model != CRM_NBD)
					drop = beta_variate(p[2] * exp(leaving), p[3] * exp(leaving));
				if (!((c->model == CRM_MBG_NBD || c->model == CRM_MBG_CNBD) && uniform() < drop))
					for (;;)
					{
						double		gap = 0;

						for (int i = 0; i < c->regularity; i++)
							gap += exponential() / rate;
						if (now + gap > t || now + gap > end)
							break;
						now += gap;
						*log_gaps += log(gap);
						last = now;
						x++;
						if (c->model != CRM_NBD && c->model != CRM_PARETO_NBD && uniform() < drop)
							break;
					}
				cell[m] = x;
				cell[m + 1] = last;
				cell[m + 2] = t;
			}
	}
}

int
main(int argc, char **argv)
{
	int			runs = argc > 1 ? atoi(argv[1]) : 500;
	int			given = argc > 2 ? atoi(argv[2]) : 3000;
	bool		good = true;

	state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Case *c = &cases[i];
		int			width = c->model == CRM_GAMMA_GAMMA || c->model == CRM_SBG ? 3 : 4 + c->covariates;
		int			customers = c->covariates > 0 ? 3 * given : given;
		double	   *cells = malloc(sizeof(double) * customers * width);
		int			covered[10] = {0};
		double		sum[10] = {0};
		int			counted = 0,
					unsure = 0;

		if (argc > 4 && strcmp(argv[4], c->name) != 0)
		{
			free(cells);
			continue;
		}
		for (int run = 0; run < runs; run++)
		{
			CrmObservations observations = {c->model, c->regularity, c->covariates, customers, width, cells, 0};
			CrmFit		fit;

			for (int row = 0; row < customers; row++)
			{
				cells[row * width] = 1;
				simulate(c, cells + row * width + 1, &observations.log_gaps);
			}
			if (crm_fit(&observations, NULL, &fit) != CRM_OPTIMUM_FOUND || fit.boundary != CRM_BOUNDARY_NONE)
			{
				unsure++;
				continue;
			}
			counted++;
			for (int j = 0; j < c->parameters; j++)
			{
				double		error = sqrt(fit.covariance[j * fit.parameters + j]);
				double		distance = fit.parameter[j] - c->truth[j];

				if (j < crm_model_parameters(c->model))
				{
					error /= fit.parameter[j];
					distance = log(fit.parameter[j] / c->truth[j]);
				}
				covered[j] += fabs(distance) <= 1.959963984540054 * error;
				sum[j] += fit.parameter[j];
			}
		}
		printf("%s: %d fits, %d on a boundary or not converged\n", c->name, counted, unsure);
		for (int j = 0; j < c->parameters && counted > 0; j++)
		{
			double		coverage = 100.0 * covered[j] / counted;

			printf("    true %8.4f  mean %8.4f  covered %5.1f %%\n", c->truth[j], sum[j] / counted, coverage);
			if (fabs(coverage - 95) > 3)
				good = false;
		}
		fflush(stdout);
		free(cells);
	}
	printf("%s\n", good ? "every coverage lies in 95 % +- 3" : "a coverage lies outside 95 % +- 3");
	return !good;
}
