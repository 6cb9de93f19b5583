/* build: src/channel_beta_math.c src/channel_best_math.c -lm */
/*
 * The Beta distribution: against values computed with 40 digits by quadrature
 * of the density on the logit scale (no continued fraction), draws against the
 * distribution function, and the probability of being the best against exact
 * values, 30-digit quadrature and simulation.
 */
#include "channel_beta_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* x, a, b, F(x) */
static const double cdf_table[][4] = {
	{0.01, 1.0, 9.0, 0.086482752516359101},
	{0.1, 1.0, 9.0, 0.612579511},
	{0.5, 1.0, 9.0, 0.998046875},
	{1e-06, 0.5, 4.5, 0.0023282067369876868},
	{0.1, 0.5, 4.5, 0.65656360386208649},
	{0.6, 0.5, 4.5, 0.99487892723572736},
	{0.5, 2.0, 2.0, 0.5},
	{0.9, 2.0, 2.0, 0.972},
	{1e-20, 0.02, 0.3, 0.37624580284091603},
	{0.5, 0.02, 0.3, 0.9404922754042445},
	{0.999, 0.02, 0.3, 0.99206624717235473},
	{1e-100, 0.05, 0.05, 5.0192053089336399e-6},
	{0.3, 0.05, 0.05, 0.48021832800581023},
	{0.2, 30.0, 70.0, 0.0096920857490070376},
	{0.3, 30.0, 70.0, 0.51162510455860922},
	{0.45, 30.0, 70.0, 0.99900718079242713},
	{0.23, 1000.0, 3000.0, 0.0014881742347628587},
	{0.25, 1000.0, 3000.0, 0.50242798089209898},
	{0.28, 1000.0, 3000.0, 0.99999068291271533},
	{0.33, 100000.0, 200000.0, 5.2427818184777299e-5},
	{0.335, 100000.0, 200000.0, 0.97352417002546734},
	{0.9899, 1000000.0, 10000.0, 0.022212456695327305},
	{0.9903, 1000000.0, 10000.0, 0.97985028340725034},
	{0.29995, 30000000.0, 70000000.0, 0.1376155423646406},
	{0.3001, 30000000.0, 70000000.0, 0.98544779745563845},
	{1e-08, 0.3, 5000.0, 0.057102693455094801},
	{0.0001, 0.3, 5000.0, 0.81380851132388061},
	{0.5, 8.0, 0.4, 0.00071131879182481382},
	{0.999, 8.0, 0.4, 0.83938805160723318},
	{3e-09, 5.0, 1000000000.0, 0.18473675724055717},
	{8e-09, 5.0, 1000000000.0, 0.90036760226106381},
};

/* p, a, b, quantile */
static const double quantile_table[][4] = {
	{1e-12, 1.0, 9.0, 1.1111111111116049e-13},
	{0.005, 1.0, 9.0, 0.00055679402414919986},
	{0.025, 1.0, 9.0, 0.0028091367465992142},
	{0.5, 1.0, 9.0, 0.074125287712709571},
	{0.9, 1.0, 9.0, 0.22573631731887294},
	{0.975, 1.0, 9.0, 0.33626711687994289},
	{0.995, 1.0, 9.0, 0.44495269221518849},
	{1e-12, 0.5, 4.5, 1.8448280931601661e-25},
	{0.005, 0.5, 4.5, 4.6121198664444057e-6},
	{0.025, 0.5, 4.5, 0.00011533278823827482},
	{0.5, 0.5, 4.5, 0.052014731472718564},
	{0.9, 0.5, 4.5, 0.27186251157287735},
	{0.975, 0.5, 4.5, 0.44476261765763961},
	{0.995, 0.5, 4.5, 0.60200956108064934},
	{1e-12, 1.0, 1.0, 1.0e-12},
	{0.005, 1.0, 1.0, 0.005},
	{0.025, 1.0, 1.0, 0.025},
	{0.5, 1.0, 1.0, 0.5},
	{0.9, 1.0, 1.0, 0.9},
	{0.975, 1.0, 1.0, 0.975},
	{0.995, 1.0, 1.0, 0.995},
	{1e-12, 2.0, 2.0, 5.7735038030079033e-7},
	{0.005, 2.0, 2.0, 0.041400150716043125},
	{0.025, 2.0, 2.0, 0.094299324050246077},
	{0.5, 2.0, 2.0, 0.5},
	{0.9, 2.0, 2.0, 0.80419989434090828},
	{0.975, 2.0, 2.0, 0.90570067594975392},
	{0.995, 2.0, 2.0, 0.95859984928395688},
	{0.005, 0.02, 0.3, 1.4959498033913608e-114},
	{0.025, 0.02, 0.3, 1.3286703323268519e-79},
	{0.5, 0.02, 0.3, 1.4959498033913455e-14},
	{0.9, 0.02, 0.3, 0.081892936632607901},
	{0.975, 0.02, 0.3, 0.95563458233133611},
	{0.995, 0.02, 0.3, 0.99978526886296984},
	{1e-12, 0.05, 0.05, 9.7118236027200241e-235},
	{0.005, 0.05, 0.05, 9.2619167353821031e-41},
	{0.025, 0.05, 0.05, 8.8328521112271338e-27},
	{0.5, 0.05, 0.05, 0.5},
	{1e-12, 5.0, 1.0, 0.0039810717055349725},
	{0.005, 5.0, 1.0, 0.3465724215775732},
	{0.025, 5.0, 1.0, 0.47817624989501849},
	{0.5, 5.0, 1.0, 0.87055056329612414},
	{0.9, 5.0, 1.0, 0.97914836236097679},
	{0.975, 5.0, 1.0, 0.99494923662053194},
	{0.995, 5.0, 1.0, 0.99899799397891988},
	{1e-12, 12.3, 40.1, 0.013019918956705585},
	{0.005, 12.3, 40.1, 0.10654491307200428},
	{0.025, 12.3, 40.1, 0.1313920409074065},
	{0.5, 12.3, 40.1, 0.23133877067227619},
	{0.9, 12.3, 40.1, 0.31142419632244155},
	{0.975, 12.3, 40.1, 0.3572239240465817},
	{0.995, 12.3, 40.1, 0.40017236902283045},
	{1e-12, 30.0, 70.0, 0.066440231506480411},
	{0.005, 30.0, 70.0, 0.19105668304215827},
	{0.025, 30.0, 70.0, 0.21466799296798693},
	{0.5, 30.0, 70.0, 0.29866197430869573},
	{0.9, 30.0, 70.0, 0.35943474099998402},
	{0.975, 30.0, 70.0, 0.39290872698476161},
	{0.995, 30.0, 70.0, 0.42382285062208667},
	{1e-12, 0.4, 12.0, 6.3362916389134289e-32},
	{0.005, 0.4, 12.0, 1.1201096821552948e-7},
	{0.025, 0.4, 12.0, 6.2619060480663846e-6},
	{0.5, 0.4, 12.0, 0.012319828747210139},
	{0.9, 0.4, 12.0, 0.092011190295062864},
	{0.975, 0.4, 12.0, 0.17305832528677936},
	{0.995, 0.4, 12.0, 0.26487504652667111},
	{1e-12, 1000.0, 3000.0, 0.20397763419939467},
	{0.005, 1000.0, 3000.0, 0.23260549811014706},
	{0.025, 1000.0, 3000.0, 0.23670221220291947},
	{0.5, 1000.0, 3000.0, 0.24995832999084497},
	{0.9, 1000.0, 3000.0, 0.25880017116816469},
	{0.975, 1000.0, 3000.0, 0.26353457381523409},
	{0.995, 1000.0, 3000.0, 0.26786395607223959},
	{1e-12, 100000.0, 200000.0, 0.32729720249770316},
	{0.005, 100000.0, 200000.0, 0.33111850988524803},
	{0.025, 100000.0, 200000.0, 0.33164752155069936},
	{0.5, 100000.0, 200000.0, 0.33333296296250572},
	{0.9, 100000.0, 200000.0, 0.33443655435815101},
	{0.975, 100000.0, 200000.0, 0.33502124990043868},
	{0.995, 100000.0, 200000.0, 0.33555233076585852},
	{1e-12, 30000000.0, 70000000.0, 0.29967770413540535},
	{0.005, 30000000.0, 70000000.0, 0.29988196818725938},
	{0.025, 30000000.0, 70000000.0, 0.29991018695612441},
	{0.5, 30000000.0, 70000000.0, 0.29999999866666666},
	{0.9, 30000000.0, 70000000.0, 0.3000587289268993},
	{0.975, 30000000.0, 70000000.0, 0.30008982062109911},
	{0.995, 30000000.0, 70000000.0, 0.30011804683913141},
	{1e-12, 0.3, 5000.0, 1.3946374417874492e-44},
	{0.005, 0.3, 5000.0, 2.980995633910451e-12},
	{0.025, 0.3, 5000.0, 6.3718040780693436e-10},
	{0.5, 0.3, 5000.0, 1.4627144079814958e-5},
	{0.9, 0.3, 5000.0, 0.00017695888336831957},
	{0.975, 0.3, 5000.0, 0.00038000711170249459},
	{0.995, 0.3, 5000.0, 0.0006439519842257853},
	{0.025, 5.0, 1000000000.0, 1.6234863855535937e-9},
	{0.75, 5.0, 1000000000.0, 6.274430666211587e-9},
	{0.975, 5.0, 1000000000.0, 1.0241588602475452e-8},
	{0.025, 0.83, 580000000.0, 1.8898587502299978e-11},
	{0.75, 0.83, 580000000.0, 1.9803446958142504e-9},
	{0.975, 0.83, 580000000.0, 5.7247091657317683e-9},
	{0.025, 73.0, 850000000.0, 6.7318050085962666e-8},
	{0.75, 73.0, 850000000.0, 9.2431757827734234e-8},
	{0.975, 73.0, 850000000.0, 1.0667302984505399e-7},
	{0.025, 200000000000.0, 10000000000.0, 0.9523800415535405},
	{0.75, 200000000000.0, 10000000000.0, 0.95238126582678107},
	{0.975, 200000000000.0, 10000000000.0, 0.95238186320020285},
};

static void
test_tables(void)
{
	double		worst = 0;

	for (size_t i = 0; i < sizeof(cdf_table) / sizeof(*cdf_table); i++)
	{
		const double *t = cdf_table[i];

		worst = fmax(worst, fabs(crm_beta_cdf(t[0], t[1], t[2]) / t[3] - 1));
	}
	printf("# greatest relative error %.3g\n", worst);
	ok(worst < 1e-11, "distribution function: 1e-11 relative");
	worst = 0;
	for (size_t i = 0; i < sizeof(quantile_table) / sizeof(*quantile_table); i++)
	{
		const double *t = quantile_table[i];

		worst = fmax(worst, fabs(crm_beta_quantile(t[0], t[1], t[2]) / t[3] - 1));
	}
	printf("# greatest relative error %.3g\n", worst);
	ok(worst < 1e-12, "quantiles: 1e-12 relative");
}

static double
random_shape(void)
{
	return pow(10, uniform() * 9 - 3);
}

static void
test_inverse(void)
{
	double		worst = 0,
				mirror = 0;
	bool		ordered = true,
				inside = true;

	for (int i = 0; i < 20000; i++)
	{
		double		a = random_shape(),
					b = random_shape(),
					p = uniform(),
					x = crm_beta_quantile(p, a, b),
					f = crm_beta_cdf(x, a, b);

		inside &= x >= 0 && x <= 1 && f >= 0 && f <= 1;
		ordered &= crm_beta_quantile(p * 0.99, a, b) <= x;

		/* Near 1 a double has too few digits of 1 - x to invert. */
		if (x > 1e-290 && x < 0.99)
			worst = fmax(worst, fabs(f - p));
		mirror = fmax(mirror, fabs(crm_beta_quantile(1 - p, b, a) + x - 1));
	}
	printf("# greatest errors %.3g, %.3g\n", worst, mirror);
	ok(inside, "results lie between 0 and 1");
	ok(ordered, "quantiles ascend");
	ok(worst < 1e-11, "F(quantile(p)) = p");
	ok(mirror < 1e-12, "the two tails mirror each other");
	ok(crm_beta_cdf(-1, 2, 3) == 0 && crm_beta_cdf(0, 2, 3) == 0 && crm_beta_cdf(1, 2, 3) == 1 &&
		  crm_beta_cdf(2, 2, 3) == 1 && crm_beta_quantile(0, 2, 3) == 0 && crm_beta_quantile(1, 2, 3) == 1, "the ends");
	ok(fabs(crm_beta_cdf(0.5, CRM_BETA_SHAPE_MAX, CRM_BETA_SHAPE_MAX) - 0.5) < 1e-9 &&
		  fabs(crm_beta_quantile(0.5, CRM_BETA_SHAPE_MAX, CRM_BETA_SHAPE_MAX) - 0.5) < 1e-12 &&
		  fabs(crm_beta_cdf(0.5, CRM_BETA_SHAPE_MIN, CRM_BETA_SHAPE_MIN) - 0.5) < 1e-12 &&
		  fabs(crm_beta_cdf(0.5, CRM_BETA_SHAPE_MIN, CRM_BETA_SHAPE_MAX) - 1) < 1e-12 &&
		  crm_beta_quantile(0.4, CRM_BETA_SHAPE_MIN, CRM_BETA_SHAPE_MAX) == 0 &&
		  crm_beta_quantile(0.999, CRM_BETA_SHAPE_MAX, CRM_BETA_SHAPE_MIN) == 1, "the least and the greatest shapes");
}

static int
ascending(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/*
 * Kolmogorov-Smirnov: sqrt(n) D exceeds 1.95 with probability .001.
 */
static void
test_draws(void)
{
	static const double shapes[][2] = {{1, 9}, {0.5, 4.5}, {0.02, 0.3}, {0.05, 0.05}, {2.5, 0.7}, {30, 70}, {2000, 5000}, {1e6, 3e6}, {1, 1}};
	enum
	{
		N = 50000
	};
	double	   *x = malloc(sizeof(double) * N);
	double		worst = 0;

	for (int s = 0; s < 9; s++)
	{
		double		d = 0;

		/* Seeds in a row, as decisions have them. */
		for (int i = 0; i < N; i++)
			x[i] = crm_beta_draw(shapes[s][0], shapes[s][1], (uint64_t) (s * 1000000 + i));
		qsort(x, N, sizeof(double), ascending);
		for (int i = 0; i < N; i++)
		{
			double		f = crm_beta_cdf(x[i], shapes[s][0], shapes[s][1]);

			/* Draws that a double cannot tell from 1 tie there. */
			if (x[i] == 1)
				break;
			d = fmax(d, fmax(f - (double) i / N, (double) (i + 1) / N - f));
		}
		d *= sqrt(N);
		printf("# Beta(%g, %g): %.3f\n", shapes[s][0], shapes[s][1], d);
		worst = fmax(worst, d);
	}
	free(x);
	ok(worst < 1.95, "draws pass a Kolmogorov-Smirnov test");
	ok(crm_beta_draw(2, 3, 42) == crm_beta_draw(2, 3, 42), "the same seed gives the same draw");
	ok(crm_beta_draw(2, 3, 42) != crm_beta_draw(2, 3, 43), "another seed another");

	/* Neighbouring seeds are independent. */
	{
		double		sum = 0;

		for (int i = 0; i < N; i++)
			sum += (crm_beta_draw(2, 2, (uint64_t) i) - 0.5) * (crm_beta_draw(2, 2, (uint64_t) i + 1) - 0.5);
		ok(fabs(sum / N / 0.05 * sqrt(N)) < 4, "neighbouring seeds do not correlate");
	}
}

static bool
near(int n, const double *p, const double *expected, double tolerance)
{
	double		sum = 0;

	for (int k = 0; k < n; k++)
	{
		sum += p[k];
		if (!(fabs(p[k] - expected[k]) <= tolerance))
		{
			printf("# %d: %.15g instead of %.15g\n", k, p[k], expected[k]);
			return false;
		}
	}
	return fabs(sum - 1) < 1e-12;
}

static void
test_best(void)
{
	double		p[CRM_BEST_COMPETITORS];
	double		a[CRM_BEST_COMPETITORS],
				b[CRM_BEST_COMPETITORS];
	bool		good = true;

	/* Exact values. */
	good = crm_probability_best(2, (double[]) {1, 2}, (double[]) {5, 4}, 1, NULL, p, NULL) &&
		near(2, p, (double[]) {2.0 / 9, 7.0 / 9}, 5e-8);
	ok(good, "Beta(1, 5) against Beta(2, 4): 2/9");
	good = crm_probability_best(1, (double[]) {0.3}, (double[]) {7}, 1, NULL, p, NULL) && near(1, p, (double[]) {1}, 0);
	ok(good, "one alone is the best");
	good = true;
	for (int n = 2; n <= CRM_BEST_COMPETITORS; n *= 2)
	{
		double		each[CRM_BEST_COMPETITORS];

		for (int k = 0; k < n; k++)
		{
			a[k] = 0.7;
			b[k] = 3.1;
			each[k] = 1.0 / n;
		}
		good &= crm_probability_best(n, a, b, 1, NULL, p, NULL) && near(n, p, each, 5e-8);
	}
	ok(good, "equals share equally");

	/* 30-digit quadrature. */
	good = crm_probability_best(3, (double[]) {1.5, 2.5, 4}, (double[]) {8.5, 7.5, 16}, 1, NULL, p, NULL) &&
		near(3, p, (double[]) {0.171241343243, 0.520083056437, 0.30867560032}, 5e-8);
	ok(good, "three");
	good = crm_probability_best(2, (double[]) {0.4, 3.2}, (double[]) {4.5, 20.5}, 1, NULL, p, NULL) &&
		near(2, p, (double[]) {0.243804382136, 0.756195617864}, 5e-8);
	ok(good, "a shape below 1");
	good = crm_probability_best(3, (double[]) {1.5, 2.5, 4}, (double[]) {8.5, 7.5, 16}, 60, (double[]) {0.5, 5, 1}, p, NULL) &&
		near(3, p, (double[]) {0.238126802029, 0.351788533423, 0.410084664548}, 5e-8);
	ok(good, "three with costs");
	good = crm_probability_best(2, (double[]) {3, 0.7}, (double[]) {2, 0.6}, 10, (double[]) {0, 6}, p, NULL) &&
		near(2, p, (double[]) {0.96553522963, 0.03446477037}, 5e-8);
	ok(good, "a cost above half of the value");
	good = crm_probability_best(2, (double[]) {3, 90}, (double[]) {2, 1}, 1, (double[]) {0, 5}, p, NULL) &&
		near(2, p, (double[]) {1, 0}, 1e-12);
	ok(good, "a cost above the value can never pay");
	good = crm_probability_best(2, (double[]) {1, 300000}, (double[]) {1, 700000}, 1, NULL, p, NULL) &&
		near(2, p, (double[]) {0.7, 0.3}, 5e-8);
	ok(good, "a wide against a narrow one");
	good = crm_probability_best(2, (double[]) {1e8, 1e8}, (double[]) {1e8, 1e8}, 1, NULL, p, NULL) &&
		near(2, p, (double[]) {0.5, 0.5}, 5e-8) &&
		crm_probability_best(2, (double[]) {0.01, 0.01}, (double[]) {0.01, 0.01}, 1, NULL, p, NULL) &&
		near(2, p, (double[]) {0.5, 0.5}, 5e-8);
	ok(good, "the least and the greatest shapes");

	/* No cost and equal costs are the same; order does not matter. */
	good = true;
	for (int i = 0; i < 300; i++)
	{
		int			n = 2 + (int) (uniform() * 8);
		double		cost[10],
					q[10],
					r[10];

		for (int k = 0; k < n; k++)
		{
			a[k] = pow(10, uniform() * 4 - 1.3);
			b[k] = pow(10, uniform() * 4 - 1.3);
			cost[k] = 2;
		}
		good &= crm_probability_best(n, a, b, 1, NULL, p, NULL) &&
			crm_probability_best(n, a, b, 7, cost, q, NULL) && near(n, q, p, 1e-7);
		for (int k = 0; k < n; k++)
		{
			cost[k] = uniform();
			r[k] = a[n - 1 - k];
		}
		good &= crm_probability_best(n, a, b, 1, cost, p, NULL);
		for (int k = 0; k < n; k++)
			q[n - 1 - k] = p[k];
		{
			double		s[10],
						c[10];

			for (int k = 0; k < n; k++)
			{
				s[k] = b[n - 1 - k];
				c[k] = cost[n - 1 - k];
			}
			good &= crm_probability_best(n, r, s, 1, c, p, NULL) && near(n, p, q, 1e-7);
		}
	}
	ok(good, "equal costs change nothing, nor does the order, in 300 random cases");
}

/*
 * Simulation: frequencies of draws within 4.5 standard errors; of the first
 * of the six cases 10 million.
 */
static void
test_simulation(int many, int few)
{
	double		worst = 0;

	for (int t = 0; t < 6; t++)
	{
		int			draws = t == 0 ? many : few;
		double		a[6],
					b[6],
					cost[6],
					p[6];
		int			wins[6] = {0};
		bool		net = t % 2;

		for (int k = 0; k < 6; k++)
		{
			a[k] = 0.1 + uniform() * 6;
			b[k] = 0.5 + uniform() * 30;
			cost[k] = net ? uniform() * 6 : 0;
		}
		if (!crm_probability_best(6, a, b, 60, net ? cost : NULL, p, NULL))
			worst = HUGE_VAL;
		for (int i = 0; i < draws; i++)
		{
			int			best = 0;
			double		most = -HUGE_VAL;

			for (int k = 0; k < 6; k++)
			{
				double		worth = 60 * crm_beta_draw(a[k], b[k], (uint64_t) i * 64 + (uint64_t) (t * 8 + k)) - cost[k];

				if (worth > most)
				{
					most = worth;
					best = k;
				}
			}
			wins[best]++;
		}
		for (int k = 0; k < 6; k++)
			worst = fmax(worst, fabs((double) wins[k] / draws - p[k]) / sqrt(p[k] * (1 - p[k]) / draws + 1e-12));
	}
	printf("# greatest deviation %.2f standard errors\n", worst);
	ok(worst < 4.5, "probability of being the best agrees with simulation");
}

int
main(int argc, char **argv)
{
	test_tables();
	test_inverse();
	test_draws();
	test_best();
	/* More draws on request: the argument. */
	test_simulation(10000000, argc > 1 ? atoi(argv[1]) : 100000);
	return done_testing();
}
