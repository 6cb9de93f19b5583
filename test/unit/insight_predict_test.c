/* build: src/insight_special_math.c src/insight_optimise_math.c src/insight_timing_math.c src/insight_discrete_math.c src/insight_fit_math.c src/insight_predict_math.c -llbfgs */
/*
 * Predictions against published closed forms, against each other, and where
 * the closed forms have holes.
 */
#include "insight_predict_math.h"
#include "insight_special_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>

static void
near(double got, double expected, double tolerance, const char *what)
{
	bool		good = fabs(got - expected) <= tolerance * fmax(1e-300, fabs(expected));

	ok(good, what);
	if (!good)
		printf("# got %.15g, expected %.15g\n", got, expected);
}

/* 2F1(a, b; c; z) by its series, for moderate arguments. */
static double
hypergeometric(double a, double b, double c, double z)
{
	double		term = 1,
				sum = 1;

	for (int n = 0; n < 100000 && fabs(term) > 1e-18 * fabs(sum); n++)
	{
		term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z;
		sum += term;
	}
	return sum;
}

/* Fader, Hardie and Lee 2005, eq. 10, without the probability of being alive */
static double
bg_closed(const CrmRate *rate, double x, double t, double horizon)
{
	double		r = rate->p[0],
				alpha = rate->p[1],
				a = rate->p[2],
				b = rate->p[3];

	return (a + b + x - 1) / (a - 1) *
		(1 - pow((alpha + t) / (alpha + t + horizon), r + x) *
		 hypergeometric(r + x, b + x, a + b + x - 1, horizon / (alpha + t + horizon)));
}

int
main(void)
{
	static const CrmRate rates[] = {
		{CRM_NBD, 1, {0.6, 8, 0, 1}},
		{CRM_BG_NBD, 1, {0.2425945, 4.4136017, 0.792922, 2.4259065}},
		{CRM_MBG_NBD, 1, {0.5248432, 6.1830859, 0.8913593, 1.6140019}},
		{CRM_PARETO_NBD, 1, {0.553277, 10.57768, 0.606240, 11.66874}},
		{CRM_BG_CNBD, 2, {0.9, 3, 0.8, 2.5}},
		{CRM_MBG_CNBD, 3, {0.9, 2, 0.9, 3.5}},
		{CRM_BG_NBD, 1, {0.5, 4, 0, 1}},
		{CRM_PARETO_NBD, 1, {0.5, 4, 0, 1}}
	};
	CrmRate		bg = rates[1];
	double		stays;

	near(crm_rate_expected_alive(&bg, 2, 30, 38, 39, &stays), bg_closed(&bg, 2, 38, 39), 1e-12, "BG/NBD: closed form");
	near(crm_rate_expected_alive(&bg, 0, 0, 38, 39, &stays), bg_closed(&bg, 0, 38, 39), 1e-12, "BG/NBD: closed form of x = 0");
	near(crm_rate_expected_alive(&bg, 26, 30, 31, 39, &stays), bg_closed(&bg, 26, 31, 39), 1e-11, "BG/NBD: closed form of x = 26");

	/* Holes of the closed forms: a = 1, a + b + x = 1, s = 1 */
	{
		CrmRate		below = bg,
					above = bg;
		double		middle;

		bg.p[2] = 1;
		below.p[2] = 1 - 1e-4;
		above.p[2] = 1 + 1e-4;
		middle = crm_rate_expected_alive(&bg, 3, 20, 30, 52, &stays);
		near(middle, (bg_closed(&below, 3, 30, 52) + bg_closed(&above, 3, 30, 52)) / 2, 1e-7, "BG/NBD: a = 1");
		bg.p[2] = 0.4;
		bg.p[3] = 0.6;
		above = bg;
		above.p[3] += 1e-9;
		near(crm_rate_expected_alive(&bg, 0, 0, 30, 52, &stays), crm_rate_expected_alive(&above, 0, 0, 30, 52, &stays),
			 1e-8, "BG/NBD: a + b + x = 1");
		below = above = bg = rates[3];
		bg.p[2] = 1;
		below.p[2] = 1 - 1e-9;
		above.p[2] = 1 + 1e-5;
		near(crm_rate_expected_alive(&bg, 3, 20, 30, 52, &stays), crm_rate_expected_alive(&below, 3, 20, 30, 52, &stays),
			 1e-8, "Pareto/NBD: s = 1");
		near(crm_rate_expected_alive(&bg, 3, 20, 30, 52, &stays), crm_rate_expected_alive(&above, 3, 20, 30, 52, &stays),
			 1e-4, "Pareto/NBD: next to s = 1");
	}

	/* Tiny and huge horizons */
	bg = rates[1];
	near(crm_rate_expected_alive(&bg, 3, 20, 30, 1e-9, &stays), 3.2425945 / 34.4136017 * 1e-9, 1e-8, "a horizon of nothing");
	{
		/* The sum and the integral meet where one gives way to the other. */
		double		last = 0,
					last_growth = 1,
					worst = 0;

		for (double horizon = 1000; horizon < 1e7; horizon *= 1.01)
		{
			double		expected = crm_rate_expected_alive(&bg, 5, 20, 30, horizon, &stays);

			/* With a < 1 the growth falls, without a jump, to horizon^(1 - a). */
			if (last > 0)
			{
				double		growth = log(expected / last) / log(1.01);

				worst = fmax(worst, growth - last_growth);
				last_growth = growth;
			}
			last = expected;
		}
		near(worst < 1e-9 && last_growth > 1 - bg.p[2], 1, 0, "sum and integral meet for long horizons");
	}
	near(crm_rate_expected_alive(&bg, 1000000, 20, 30, 39, &stays) > 0, 1, 0, "x of a million");
	near(crm_rate_alive(&bg, 200, 38, 40), 1 / (1 + 0.792922 / 201.4259065 * pow(44.4136017 / 42.4136017, 200.2425945)), 1e-12,
		 "BG/NBD: alive with x = 200");
	near(crm_rate_alive(&bg, 1e6, 1, 1000), 0, 1e-300, "hopelessly late is 0, not NaN");

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
	{
		const CrmRate *rate = &rates[i];
		double		x = 4,
					t_x = 22,
					t = 30,
					horizon = 13;
		double		sum = 0,
					mean = 0;
		char		name[80];

		for (int n = 0; n < 400; n++)
		{
			double		p = crm_rate_purchases_probability(rate, x, t_x, t, horizon, n);

			sum += p;
			mean += n * p;
		}
		snprintf(name, sizeof(name), "case %u: probabilities of n purchases add up to 1", i);
		near(sum, 1, 1e-9, name);
		snprintf(name, sizeof(name), "case %u: and have the expected mean", i);
		near(mean, crm_rate_expected(rate, x, t_x, t, horizon), 1e-8, name);

		/* Alive later: by the share of the purchases that come in a short while */
		{
			double		h = 1e-4;
			double		flow = (crm_rate_expected(rate, x, t_x, t, horizon + h) - crm_rate_expected(rate, x, t_x, t, horizon)) / h;
			double		later = crm_rate_alive_later(rate, x, t_x, t, horizon);

			snprintf(name, sizeof(name), "case %u: alive later is between alive now and buying then", i);
			near(later <= crm_rate_alive(rate, x, t_x, t) && later > 0 && flow > 0, 1, 0, name);
		}

		/* Discounting: many short periods are nearly continuous */
		{
			double		rate_of_time = 0.003;
			double		period = 0.01;
			double		by_period = crm_rate_discounted_periods(rate, x, t_x, t, 52, exp(rate_of_time * period) - 1, period);

			snprintf(name, sizeof(name), "case %u: continuous discounting is the limit of short periods", i);
			near(crm_rate_discounted(rate, x, t_x, t, 52, rate_of_time), by_period * exp(rate_of_time * period / 2), 1e-7, name);
			snprintf(name, sizeof(name), "case %u: without discount it is what is expected", i);
			near(crm_rate_discounted_periods(rate, x, t_x, t, 52, 0, 4), crm_rate_expected(rate, x, t_x, t, 52), 1e-12, name);
			snprintf(name, sizeof(name), "case %u: an endless horizon is the limit of long ones", i);
			near(crm_rate_discounted(rate, x, t_x, t, HUGE_VAL, 0.05), crm_rate_discounted(rate, x, t_x, t, 800, 0.05), 1e-9, name);
		}
		snprintf(name, sizeof(name), "case %u: a new customer", i);
		near(isfinite(crm_rate_expected(rate, 0, 0, 0, 52)), 1, 0, name);
	}

	/* NBD: (r + x) / (alpha + t) / discount */
	near(crm_rate_discounted(&rates[0], 4, 22, 30, HUGE_VAL, 0.01), 4.6 / 38 / 0.01, 1e-12, "NBD: DERT in closed form");

	/* k = 1 is the model without regularity */
	{
		CrmRate		regular = rates[1];

		regular.model = CRM_BG_CNBD;
		near(crm_rate_alive(&regular, 4, 22, 30), crm_rate_alive(&rates[1], 4, 22, 30), 0, "BG/CNBD-1 is the BG/NBD: alive");
		near(crm_rate_expected(&regular, 4, 22, 30, 13), crm_rate_expected(&rates[1], 4, 22, 30, 13), 0, "and expected");
	}

	/* BG/BB: by its definition, over every future of two periods */
	{
		double		p[] = {1.2, 0.75, 0.66, 2.78};
		double		alive = crm_bg_bb_alive(p, 2, 4, 6, 0);
		double		one = crm_bg_bb_alive(p, 2, 4, 6, 1),
					two = crm_bg_bb_alive(p, 2, 4, 6, 2);

		near(crm_bg_bb_expected(p, 2, 4, 6, 2), (one + two) * 3.2 / 7.95, 1e-12, "BG/BB: expected from alive");
		near(one / alive, 8.78 / 9.44, 1e-12, "BG/BB: survival of a period");
		near(crm_bg_bb_alive(p, 2, 6, 6, 0), 1, 1e-14, "BG/BB: who bought last is alive");
	}

	/* sBG: the sum that defines the residual lifetime */
	{
		double		p[] = {0.7, 1.2};
		double		sum = 0;

		for (int j = 1; j < 2000; j++)
			sum += crm_sbg_survival(p, 3 + j) / crm_sbg_survival(p, 3) * pow(1.1, -(j - 1));
		near(crm_sbg_residual(p, 3, 0.1), sum, 1e-10, "sBG: residual lifetime");
		near(crm_sbg_residual(p, 0, 1e-3) > crm_sbg_residual(p, 0, 0.1), 1, 0, "sBG: next to no discount");
	}

	return done_testing();
}
