/* build: src/channel_prior_math.c src/channel_prior_rows_math.c src/channel_prior_loss_math.c -lm */
/*
 * Unit tests of channel_prior_math.c, channel_prior_rows_math.c and channel_prior_loss_math.c: derivatives against finite differences,
 * the likelihood against the C library's, recovery of what data were made
 * with, independence of order and of equal rows, inputs at the edge, and the
 * prequential loss against a plain loop.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel_prior_math.h"
#include "tap.h"

static double
normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

/* Marsaglia and Tsang 2000 */
static double
gamma_draw(double shape)
{
	double		d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
	double		c = 1 / sqrt(9 * d);

	for (;;)
	{
		double		x = normal();
		double		v = 1 + c * x;

		if (v <= 0)
			continue;
		v = v * v * v;
		if (log(uniform()) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v * (shape < 1 ? pow(uniform(), 1 / shape) : 1);
	}
}

static double
rate(double a, double b)
{
	double		x = gamma_draw(a);

	return x / (x + gamma_draw(b));
}

static CrmPriorRows
new_rows(size_t rows, int features)
{
	CrmPriorRows r = {rows, features, NULL, NULL, NULL, NULL};

	r.success = calloc(rows + 1, sizeof(double));
	r.failure = calloc(rows + 1, sizeof(double));
	r.customers = calloc(rows + 1, sizeof(uint32_t));
	r.feature = calloc(rows * features + 1, sizeof(float));
	return r;
}

static void
drop_rows(CrmPriorRows r)
{
	free(r.success);
	free(r.failure);
	free(r.customers);
	free(r.feature);
}

/* Customers of up to ten trials; "decay" makes the counts fractional. */
static CrmPriorRows
simulate(size_t rows, int features, const double *weight, double strength, bool decay)
{
	CrmPriorRows r = new_rows(rows, features);

	for (size_t i = 0; i < rows; i++)
	{
		double		logit = weight[0];
		double		x;
		int			n = 1 + (int) (uniform() * 10);
		double		fade = decay ? exp(-uniform()) : 1;

		for (int j = 0; j < features; j++)
		{
			r.feature[i * features + j] = (float) normal();
			logit += weight[j + 1] * r.feature[i * features + j];
		}
		x = 1 / (1 + exp(-logit));
		x = rate(strength * x, strength * (1 - x));
		for (int k = 0; k < n; k++)
			*(uniform() < x ? &r.success[i] : &r.failure[i]) += fade;
		r.customers[i] = 1;
	}
	return r;
}

static CrmPriorRows
copy_rows(CrmPriorRows r)
{
	CrmPriorRows c = new_rows(r.rows, r.features);

	memcpy(c.success, r.success, r.rows * sizeof(double));
	memcpy(c.failure, r.failure, r.rows * sizeof(double));
	memcpy(c.customers, r.customers, r.rows * sizeof(uint32_t));
	memcpy(c.feature, r.feature, r.rows * r.features * sizeof(float));
	return c;
}

/* The log-likelihood by the C library's functions. */
static double
likelihood(CrmPriorRows r, const double *theta)
{
	double		sum = 0;
	int			p = r.features;
	double		kappa = exp(theta[p + 1]);

	for (size_t i = 0; i < r.rows; i++)
	{
		double		logit = theta[0];
		double		a,
					b,
					s = r.success[i],
					f = r.failure[i];

		for (int j = 0; j < p; j++)
			logit += theta[j + 1] * r.feature[i * p + j];
		a = kappa / (1 + exp(-logit));
		b = kappa / (1 + exp(logit));
		sum += r.customers[i] * (lgamma(s + a) - lgamma(a) + lgamma(f + b) - lgamma(b) - lgamma(s + f + kappa) + lgamma(kappa));
	}
	return sum;
}

static void
test_slopes(bool decay, const char *what)
{
	static CrmPriorSlopes at,
				up,
				down;
	const double weight[] = {-1.2, 0.5, -0.3};
	const double thetas[][4] = {{-1.2, 0.5, -0.3, 1.5}, {2, -1, 0.4, 5.5}, {-6, 0, 3, -0.6}};
	CrmPriorRows r = simulate(500, 2, weight, 4, decay);
	double		worst_value = 0,
				worst_gradient = 0,
				worst_hessian = 0;
	char		name[200];

	for (int t = 0; t < 3; t++)
	{
		double		theta[4];

		memcpy(theta, thetas[t], sizeof(theta));
		crm_prior_slopes(&r, theta, NULL, &at);
		worst_value = fmax(worst_value, fabs(at.value - likelihood(r, theta)) / fabs(at.value));
		for (int j = 0; j < 4; j++)
		{
			double		h = 1e-4;
			double		scale = 0;

			theta[j] = thetas[t][j] + h;
			crm_prior_slopes(&r, theta, NULL, &up);
			theta[j] = thetas[t][j] - h;
			crm_prior_slopes(&r, theta, NULL, &down);
			theta[j] = thetas[t][j];
			worst_gradient = fmax(worst_gradient, fabs((up.value - down.value) / (2 * h) - at.gradient[j]) / (1 + fabs(at.gradient[j])));
			for (int k = 0; k < 4; k++)
				scale = fmax(scale, fabs(at.hessian[j * 4 + k]));
			for (int k = 0; k < 4; k++)
				worst_hessian = fmax(worst_hessian, fabs((up.gradient[k] - down.gradient[k]) / (2 * h) - at.hessian[j * 4 + k]) / (1 + scale));
		}
	}
	snprintf(name, sizeof(name), "%s: log-likelihood as by lgamma (%.1e)", what, worst_value);
	ok(worst_value < 1e-11, name);
	snprintf(name, sizeof(name), "%s: gradient as by differences (%.1e)", what, worst_gradient);
	ok(worst_gradient < 1e-6, name);
	snprintf(name, sizeof(name), "%s: second derivatives as by differences (%.1e)", what, worst_hessian);
	ok(worst_hessian < 1e-6, name);
	drop_rows(r);
}

static void
test_common(void)
{
	const double weight[] = {-1.5};
	CrmPriorRows r = simulate(20000, 0, weight, 3, false);
	CrmPriorFit fit;
	CrmPriorFit again;
	static CrmPriorSlopes slopes;
	double		theta[2];

	ok(crm_prior_fit(&r, 1, NULL, &fit) == CRM_PRIOR_DONE && fit.converged && fit.boundary == CRM_PRIOR_INSIDE, "common prior: found");
	ok(fabs(fit.weight[0] + 1.5) < 0.05 && fabs(fit.strength - 3) < 0.2, "common prior: recovers mean and strength");
	theta[0] = fit.weight[0];
	theta[1] = log(fit.strength);
	crm_prior_slopes(&r, theta, NULL, &slopes);
	ok(fabs(slopes.gradient[0]) < 1e-5 && fabs(slopes.gradient[1]) < 1e-5, "common prior: gradient is 0");
	ok(fabs(fit.log_likelihood - likelihood(r, theta)) < 1e-6, "common prior: log-likelihood");

	/* Backwards, and one row instead of equal ones. */
	for (size_t i = 0; i < r.rows / 2; i++)
	{
		double		s = r.success[i],
					f = r.failure[i];

		r.success[i] = r.success[r.rows - 1 - i];
		r.failure[i] = r.failure[r.rows - 1 - i];
		r.success[r.rows - 1 - i] = s;
		r.failure[r.rows - 1 - i] = f;
	}
	crm_prior_fit(&r, 1, NULL, &again);
	ok(memcmp(&fit, &again, sizeof(fit)) == 0, "common prior: the same bits in another order");
	for (size_t i = 0; i < r.rows; i++)
		for (size_t j = 0; j < i; j++)
			if (r.success[i] == r.success[j] && r.failure[i] == r.failure[j])
			{
				r.customers[j]++;
				r.rows--;
				r.success[i] = r.success[r.rows];
				r.failure[i] = r.failure[r.rows];
				i--;
				break;
			}
	crm_prior_fit(&r, 1, NULL, &again);
	ok(r.rows < 100 && memcmp(&fit, &again, sizeof(fit)) == 0, "common prior: the same bits with equal rows counted once");
	drop_rows(r);
}

static void
test_regression(bool decay)
{
	const double weight[] = {-1, 0.6, -0.4, 0};
	CrmPriorRows r = simulate(20000, 3, weight, 5, decay);
	CrmPriorRows c = copy_rows(r);
	CrmPriorFit fit;
	static CrmPriorSlopes slopes;
	double		theta[5];
	bool		near = true;
	bool		flat = true;

	ok(crm_prior_fit(&c, 1, NULL, &fit) == CRM_PRIOR_DONE && fit.converged, decay ? "regression, decayed counts: found" : "regression: found");
	for (int j = 0; j < 4; j++)
	{
		near = near && fabs(fit.weight[j] - weight[j]) < 0.05;
		theta[j] = fit.weight[j];
	}
	theta[4] = log(fit.strength);
	ok(near, "regression: recovers the weights");
	if (!decay)
		ok(fabs(fit.strength - 5) < 0.4, "regression: recovers the strength");
	crm_prior_slopes(&r, theta, NULL, &slopes);
	for (int j = 0; j < 5; j++)
		flat = flat && fabs(slopes.gradient[j] - (j > 0 && j < 4 ? theta[j] : 0)) < 1e-5;
	ok(flat, "regression: penalised gradient is 0");
	ok(fabs(fit.log_likelihood - likelihood(r, theta)) < 1e-6, "regression: log-likelihood is without the penalty");
	drop_rows(c);
	drop_rows(r);
}

/* Enough rows for a sample to come first. */
static void
test_many(void)
{
	const double weight[] = {-2, 0.6, -0.4};
	CrmPriorRows r = simulate(150000, 2, weight, 5, true);
	CrmPriorRows c = copy_rows(r);
	CrmPriorFit fit;
	CrmPriorFit again;
	static CrmPriorSlopes slopes;
	double		theta[4];
	bool		flat = true;

	for (size_t i = 0; i < r.rows; i++)
		r.feature[i * 2] *= 100;
	memcpy(c.feature, r.feature, r.rows * 2 * sizeof(float));
	ok(crm_prior_fit(&c, 1, NULL, &fit) == CRM_PRIOR_DONE && fit.converged, "many rows: found");
	ok(fabs(fit.weight[0] + 2) < 0.05 && fabs(fit.weight[1] - 0.006) < 0.0003 && fabs(fit.weight[2] + 0.4) < 0.03, "many rows: recovers the weights");
	memcpy(theta, fit.weight, sizeof(double) * 3);
	theta[3] = log(fit.strength);
	crm_prior_slopes(&r, theta, NULL, &slopes);
	for (int j = 0; j < 4; j++)
	{
		double		gradient = slopes.gradient[j] - (j == 1 || j == 2 ? theta[j] : 0);

		/* in standard errors */
		flat = flat && fabs(gradient) / sqrt(-slopes.hessian[j * 4 + j]) < 1e-3;
	}
	ok(flat, "many rows: within a thousandth of a standard error of the maximum of all rows");
	ok(fabs(fit.log_likelihood - likelihood(r, theta)) < 1e-5, "many rows: log-likelihood of all rows");
	for (size_t i = 0, j = r.rows; i < r.rows; i++)
	{
		j--;
		c.success[i] = r.success[j];
		c.failure[i] = r.failure[j];
		memcpy(c.feature + i * 2, r.feature + j * 2, 2 * sizeof(float));
	}
	crm_prior_fit(&c, 1, NULL, &again);
	ok(memcmp(&fit, &again, sizeof(fit)) == 0, "many rows: the same bits in another order");

	/* One row that stands for nearly all customers must not be missed by the sample. */
	memcpy(c.feature, r.feature, r.rows * 2 * sizeof(float));
	memcpy(c.success, r.success, r.rows * sizeof(double));
	memcpy(c.failure, r.failure, r.rows * sizeof(double));
	c.success[7] = 0;
	c.failure[7] = 5;
	c.customers[7] = r.customers[7] = 1000000;
	r.success[7] = 0;
	r.failure[7] = 5;
	ok(crm_prior_fit(&c, 1, NULL, &fit) == CRM_PRIOR_DONE && fit.converged, "one row for very many customers: found");
	memcpy(theta, fit.weight, sizeof(double) * 3);
	theta[3] = log(fit.strength);
	crm_prior_slopes(&r, theta, NULL, &slopes);
	ok(fabs(slopes.gradient[0]) / sqrt(-slopes.hessian[0]) < 1e-3, "one row for very many customers: the maximum");
	drop_rows(c);
	drop_rows(r);
}

static bool
finite_fit(const CrmPriorFit *fit, int features)
{
	for (int j = 0; j <= features; j++)
		if (!isfinite(fit->weight[j]))
			return false;
	return isfinite(fit->strength) && fit->strength >= CRM_STRENGTH_MIN && fit->strength <= CRM_STRENGTH_MAX && isfinite(fit->log_likelihood);
}

static void
test_edges(void)
{
	CrmPriorRows r = new_rows(200, 1);
	CrmPriorFit fit;
	bool		fine = true;

	r.rows = 0;
	ok(crm_prior_fit(&r, 1, NULL, &fit) == CRM_PRIOR_DONE && fit.boundary == CRM_PRIOR_NO_INFORMATION, "no rows");
	r.rows = 200;
	for (int i = 0; i < 200; i++)
	{
		r.failure[i] = 1 + i % 3;
		r.customers[i] = 1;
	}
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(fit.boundary == CRM_PRIOR_NO_SUCCESS, "no success");
	for (int i = 0; i < 200; i++)
	{
		r.success[i] = r.failure[i];
		r.failure[i] = 0;
	}
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(fit.boundary == CRM_PRIOR_NO_FAILURE, "no failure");
	for (int i = 0; i < 200; i++)
		r.success[i] = r.failure[i] = 10;
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(fit.boundary == CRM_PRIOR_STRENGTH_MAX && fit.strength == CRM_STRENGTH_MAX && fit.converged && finite_fit(&fit, 1), "customers all alike: the strength at its upper bound");
	for (int i = 0; i < 200; i++)
		*(i % 2 ? &r.success[i] : &r.failure[i]) = 0;
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(fit.boundary == CRM_PRIOR_STRENGTH_MIN && fit.strength == CRM_STRENGTH_MIN && fit.converged && finite_fit(&fit, 1), "all or nothing: the strength at its lower bound");
	for (int i = 0; i < 200; i++)
		r.success[i] = !(r.failure[i] = i % 4 != 0);
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(fit.boundary == CRM_PRIOR_STRENGTH_UNKNOWN && fabs(fit.weight[0] - log(1 / 3.0)) < 1e-6 && finite_fit(&fit, 1), "one observation each: the rate, and an unknown strength");
	for (int i = 0; i < 200; i++)
		r.feature[i] = i % 4 == 0 ? 1 : -1;
	crm_prior_fit(&r, 1, NULL, &fit);
	ok(finite_fit(&fit, 1) && fit.weight[1] > 1, "a feature that separates: the penalty holds it");

	/* Extremes of size */
	for (int trial = 0; trial < 300; trial++)
	{
		for (int i = 0; i < 200; i++)
		{
			r.success[i] = uniform() < 0.3 ? 0 : exp((uniform() - 0.5) * (trial % 41));
			r.failure[i] = uniform() < 0.3 ? 0 : exp((uniform() - 0.5) * (trial % 41));
			if (r.success[i] + r.failure[i] == 0)
				r.failure[i] = 1e-30;
			r.customers[i] = 1 + (trial % 7 == 0) * (uint32_t) (uniform() * 4e9);
			r.feature[i] = (float) (normal() * pow(10, trial % 12 - 6));
			if (fabs(r.feature[i]) > 1e6)
				r.feature[i] = 1e6;
		}
		if (crm_prior_fit(&r, 1, NULL, &fit) != CRM_PRIOR_DONE || !finite_fit(&fit, 1))
			fine = false;
	}
	ok(fine, "300 fits to extreme rows: always finite and within bounds");
	drop_rows(r);
}

static void
test_standardise(void)
{
	CrmPriorRows r = new_rows(4, 3);
	const float features[] = {1, 7, NAN, 3, 7, NAN, NAN, 7, NAN, 1e6, 7, NAN};
	double		mean[3],
				deviation[3],
				m = (1 + 2 * 3 + 1e6) / 4,
				d = sqrt(((1 - m) * (1 - m) + 2 * (3 - m) * (3 - m) + (1e6 - m) * (1e6 - m)) / 4);
	bool		fine = true;

	memcpy(r.feature, features, sizeof(features));
	for (int i = 0; i < 4; i++)
		r.customers[i] = 1 + (i == 1);
	crm_prior_standardise(&r, mean, deviation);
	ok(fabs(mean[0] - m) < 1e-9 * m && fabs(deviation[0] - d) < 1e-9 * d, "mean and deviation of what is known");
	ok(mean[1] == 7 && deviation[1] == 1 && mean[2] == 0 && deviation[2] == 1, "a feature that is the same for all, or known of nobody");
	for (int i = 0; i < 12; i++)
		fine = fine && fabs(r.feature[i] - (isnan(features[i]) ? 0 : (features[i] - mean[i % 3]) / deviation[i % 3])) < 1e-6;
	ok(fine, "features in deviations from the mean, 0 where not known");
	drop_rows(r);
}

static void
test_shapes(void)
{
	double		a,
				b;

	crm_prior_shapes(0, 10, &a, &b);
	ok(fabs(a - 5) < 1e-12 && fabs(b - 5) < 1e-12, "shapes of an even prior");
	crm_prior_shapes(-700, 10, &a, &b);
	ok(a == CRM_PRIOR_SHAPE_MIN && fabs(b - 10) < 1e-12, "no shape below 0.05");
	crm_prior_shapes(700, 10, &a, &b);
	ok(b == CRM_PRIOR_SHAPE_MIN && fabs(a - 10) < 1e-12, "on either side");
}

static void
test_loss(void)
{
	CrmTrial	trial[1000];
	CrmTrial	shuffled[1000];
	double		half_life[] = {HUGE_VAL, 50, 3};
	double		loss[3];
	double		again[3];
	double		gain[3];
	double		error[3];
	double		gains = 0;
	double		squares = 0;
	double		errors = 0;
	int			wrong = 0;
	bool		same = true;

	for (int i = 0; i < 1000; i++)
	{
		trial[i].at = i;
		trial[i].success = uniform() < (i < 500 ? 0.1 : 0.4);
		trial[i].failure = 1 - trial[i].success;
		shuffled[(i * 387) % 1000] = trial[i];
	}
	crm_prequential_loss(trial, 1000, 1, 9, half_life, 3, loss, NULL, NULL);
	for (int h = 0; h < 3; h++)
	{
		double		sum = 0;

		for (int i = 0; i < 1000; i++)
		{
			double		a = 1,
						b = 9,
						mean;

			for (int j = 0; j < i; j++)
			{
				a += trial[j].success * exp2((j - i) / half_life[h]);
				b += trial[j].failure * exp2((j - i) / half_life[h]);
			}
			mean = a / (a + b);
			sum -= log(trial[i].success > 0 ? mean : 1 - mean);
		}
		same = same && fabs(sum / 1000 - loss[h]) < 1e-12;
	}
	ok(same, "prequential loss as by a plain loop");
	ok(loss[1] < loss[0] && loss[1] < loss[2], "a rate that jumps is best foretold by a middle half-life");
	crm_prequential_loss(shuffled, 1000, 1, 9, half_life, 3, again, NULL, NULL);
	ok(memcmp(loss, again, sizeof(loss)) == 0, "the same bits in any order");
	crm_prequential_loss(trial, 0, 1, 9, half_life, 3, loss, NULL, NULL);
	ok(loss[0] == 0, "nothing to foretell");
	trial[0] = (CrmTrial) {1, 1, 0};
	trial[1] = (CrmTrial) {1, 0, 1};
	crm_prequential_loss(trial, 2, 1, 1, half_life, 1, loss, NULL, NULL);
	ok(fabs(loss[0] - log(2)) < 1e-15, "what happens at the same time is foretold together");
	ok(crm_prequential_loss(trial, 2, 1, 1, half_life, 2, loss, gain, error) == 1 && error[1] == HUGE_VAL,
	   "what happened at one time tells no half-lives apart");

	/* Rates that do not move, many times over: the error is that of the gains, and a short half-life is hardly ever taken for better. */
	for (int run = 0; run < 1000; run++)
	{
		for (int i = 0; i < 1000; i++)
			trial[i] = (CrmTrial) {i / 4, 0, 1};
		for (int i = 0; i < 1000; i++)
			if (uniform() < 0.2)
				trial[i] = (CrmTrial) {i / 4, 1, 0};
		if (crm_prequential_loss(trial, 1000, 1, 4, half_life, 2, loss, gain, error) != CRM_LOSS_BLOCKS)
			wrong = 1000;
		wrong += gain[1] > 2.7 * error[1];
		gains += gain[1] / 1000;
		squares += gain[1] * gain[1] / 1000;
		errors += error[1] * error[1] / 1000;
	}
	ok(gains < 0 && wrong <= 2, "a rate that stays is not taken for one that moves");
	ok((squares - gains * gains) / errors > 0.4 && (squares - gains * gains) / errors < 1.2, "the standard error of a gain");

	/* A rate that swings: a short half-life is better by far more than its error. */
	for (int i = 0; i < 1000; i++)
		trial[i] = (CrmTrial) {i, uniform() < (i / 250 % 2 == 0 ? 0.1 : 0.6), 0};
	for (int i = 0; i < 1000; i++)
		trial[i].failure = 1 - trial[i].success;
	crm_prequential_loss(trial, 1000, 1, 9, half_life, 2, loss, gain, error);
	ok(gain[0] == 0 && error[0] == 0 && fabs(gain[1] - (loss[0] - loss[1])) < 1e-15 && gain[1] > 2.7 * error[1] && error[1] > 0,
	   "a rate that swings is");
}

int
main(void)
{
	test_slopes(false, "whole counts");
	test_slopes(true, "decayed counts");
	test_common();
	test_regression(false);
	test_regression(true);
	test_many();
	test_edges();
	test_standardise();
	test_shapes();
	test_loss();
	return done_testing();
}
