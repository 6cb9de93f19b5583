/*-------------------------------------------------------------------------
 *
 * insight_discrete_math.c
 *	  Likelihoods, with gradients, of the models that have no purchase times:
 *	  gamma-gamma (what is spent), BG/BB (buying or not in each of n periods)
 *	  and sBG (contracts renewed or not).
 *
 *-------------------------------------------------------------------------
 */
#include "insight_fit_math.h"
#include "insight_special_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STOP_ROWS 4096

/* The bases whose rises the BG/BB needs, and their columns in the table. */
enum
{
	RISE_ALPHA, RISE_BETA, RISE_ALPHA_BETA, RISE_GAMMA, RISE_DELTA, RISE_GAMMA_DELTA, RISES
};

/*
 * Prepares a discrete model; its table belongs to the caller, who frees it.
 */
bool
crm_discrete_prepare(const CrmObservations *observations, CrmStop stop, CrmDiscrete *discrete)
{
	memset(discrete, 0, sizeof(*discrete));
	discrete->observations = observations;
	discrete->stop = stop;
	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;

		discrete->customers += cell[0];
		if (observations->model == CRM_BG_BB && cell[3] > discrete->periods)
			discrete->periods = (int) cell[3];
	}
	if (observations->model == CRM_BG_BB)
	{
		discrete->table = malloc((discrete->periods + 2) * RISES * 2 * sizeof(double));
		return discrete->table != NULL;
	}
	return true;
}

/*
 * Gamma-gamma: x purchases of a customer have the mean m_x; each is gamma
 * (p, nu), nu is gamma (q, gamma) over customers.  Density of m_x as in Fader
 * and Hardie 2013, "The gamma-gamma model of monetary value", eq. 1a.
 * theta: ln p, ln q, ln gamma.
 */
double
crm_gamma_gamma_objective(void *context, const double *theta, double *gradient, int n)
{
	CrmDiscrete *discrete = context;
	const CrmObservations *observations = discrete->observations;
	double		p = exp(theta[0]),
				q = exp(theta[1]),
				gamma = exp(theta[2]);
	long double total = 0;
	double		slope[3] = {0};
	double		x = -1,
				constant = 0,
				rise_p = 0,
				rise_q = 0;

	(void) n;
	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;
		double		mean = cell[2];
		double		sum;
		double		log_gamma_share,
					log_sum_share;

		if (cell[1] != x)
		{
			x = cell[1];
			constant = -crm_log_beta(p * x, q);
			rise_p = crm_digamma_rise(p * x, q);
			rise_q = crm_digamma_rise(q, p * x);
		}
		sum = x * mean;
		log_gamma_share = -log1p(sum / gamma);
		log_sum_share = -log1p(gamma / sum);
		total += cell[0] * (constant + q * log_gamma_share + p * x * log_sum_share - log(mean));
		slope[0] += cell[0] * x * (rise_p + log_sum_share);
		slope[1] += cell[0] * (rise_q + log_gamma_share);
		slope[2] += cell[0] * (q * sum - p * x * gamma) / (gamma + sum);
		if (row % STOP_ROWS == 0 && discrete->stop != NULL && discrete->stop())
			return HUGE_VAL;
	}
	gradient[0] = -slope[0] * p / discrete->customers;
	gradient[1] = -slope[1] * q / discrete->customers;
	gradient[2] = -slope[2] / discrete->customers;
	return (double) (-total / discrete->customers);
}

/* ln and digamma rises of one base by 0, 1, ... steps. */
static void
fill_rises(double *value, double *slope, double base, int steps)
{
	value[0] = slope[0] = 0;
	for (int j = 0; j < steps; j++)
	{
		value[j + 1] = value[j] + log(base + j);
		slope[j + 1] = slope[j] + 1 / (base + j);
	}
}

/*
 * BG/BB: of n opportunities a customer took x, the last at t_x; alive, each
 * is taken with a probability from a beta distribution (alpha, beta), and
 * before each the customer leaves with one from (gamma, delta).  Fader,
 * Hardie and Shang 2010, eq. 7.  theta: logarithms of the four.
 */
double
crm_bg_bb_objective(void *context, const double *theta, double *gradient, int n)
{
	CrmDiscrete *discrete = context;
	const CrmObservations *observations = discrete->observations;
	double		parameter[4];
	double	   *rise[RISES];
	double	   *digamma[RISES];
	double		slope[4] = {0};
	long double total = 0;
	int			steps = discrete->periods + 1;

	(void) n;
	for (int i = 0; i < 4; i++)
		parameter[i] = exp(theta[i]);
	for (int i = 0; i < RISES; i++)
	{
		rise[i] = discrete->table + (size_t) 2 * i * (steps + 1);
		digamma[i] = rise[i] + steps + 1;
	}
	fill_rises(rise[RISE_ALPHA], digamma[RISE_ALPHA], parameter[0], steps);
	fill_rises(rise[RISE_BETA], digamma[RISE_BETA], parameter[1], steps);
	fill_rises(rise[RISE_ALPHA_BETA], digamma[RISE_ALPHA_BETA], parameter[0] + parameter[1], steps);
	fill_rises(rise[RISE_GAMMA], digamma[RISE_GAMMA], parameter[2], steps);
	fill_rises(rise[RISE_DELTA], digamma[RISE_DELTA], parameter[3], steps);
	fill_rises(rise[RISE_GAMMA_DELTA], digamma[RISE_GAMMA_DELTA], parameter[2] + parameter[3], steps);

	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;
		int			x = (int) cell[1],
					last = (int) cell[2],
					periods = (int) cell[3];
		double		value = 0;
		double		part[4];

		/* The ways it can have gone: alive for "lived" periods, then gone. */
		for (int lived = periods; lived >= last; lived--)
		{
			bool		gone = lived < periods;
			double		term = rise[RISE_ALPHA][x] + rise[RISE_BETA][lived - x] - rise[RISE_ALPHA_BETA][lived] +
				rise[RISE_DELTA][lived] - rise[RISE_GAMMA_DELTA][lived + gone] + (gone ? theta[2] : 0);
			double		by[4];
			double		share;
			double		joined;

			by[0] = digamma[RISE_ALPHA][x] - digamma[RISE_ALPHA_BETA][lived];
			by[1] = digamma[RISE_BETA][lived - x] - digamma[RISE_ALPHA_BETA][lived];
			by[2] = (gone ? 1 / parameter[2] : 0) - digamma[RISE_GAMMA_DELTA][lived + gone];
			by[3] = digamma[RISE_DELTA][lived] - digamma[RISE_GAMMA_DELTA][lived + gone];
			if (!gone)
			{
				value = term;
				memcpy(part, by, sizeof(part));
				continue;
			}
			joined = crm_log_add(value, term);
			share = exp(term - joined);
			for (int i = 0; i < 4; i++)
				part[i] += share * (by[i] - part[i]);
			value = joined;
		}
		total += cell[0] * value;
		for (int i = 0; i < 4; i++)
			slope[i] += cell[0] * part[i];
		if (row % 64 == 0 && discrete->stop != NULL && discrete->stop())
			return HUGE_VAL;
	}
	for (int i = 0; i < 4; i++)
		gradient[i] = -slope[i] * parameter[i] / discrete->customers;
	return (double) (-total / discrete->customers);
}

/*
 * sBG: a contract ends at each renewal with a probability from a beta
 * distribution (alpha, beta).  Fader and Hardie 2007, "How to project customer
 * retention", eq. 5 and 6.  theta: ln alpha, ln beta.
 */
double
crm_sbg_objective(void *context, const double *theta, double *gradient, int n)
{
	CrmDiscrete *discrete = context;
	const CrmObservations *observations = discrete->observations;
	double		alpha = exp(theta[0]),
				beta = exp(theta[1]);
	double		slope[2] = {0};
	long double total = 0;

	(void) n;
	for (size_t row = 0; row < observations->rows; row++)
	{
		const double *cell = observations->cells + row * observations->width;
		bool		lost = cell[1] != 0;
		double		periods = cell[2];
		double		stayed = periods - lost;
		double		all = crm_digamma_rise(alpha + beta, periods);

		total += cell[0] * (crm_log_rising(beta, stayed) - crm_log_rising(alpha + beta, periods) +
							(lost ? theta[0] : 0));
		slope[0] += cell[0] * ((lost ? 1 / alpha : 0) - all);
		slope[1] += cell[0] * (crm_digamma_rise(beta, stayed) - all);
		if (row % STOP_ROWS == 0 && discrete->stop != NULL && discrete->stop())
			return HUGE_VAL;
	}
	gradient[0] = -slope[0] * alpha / discrete->customers;
	gradient[1] = -slope[1] * beta / discrete->customers;
	return (double) (-total / discrete->customers);
}
