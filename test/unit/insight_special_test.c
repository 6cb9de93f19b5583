/* build: src/insight_special_math.c */
/*
 * Special functions against values of closed forms and against each other.
 */
#include "insight_special_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>

static void
near(const char *what, double got, double expected, double tolerance)
{
	double		scale = fabs(expected) > 1 ? fabs(expected) : 1;
	bool		good = fabs(got - expected) <= tolerance * scale;

	ok(good, what);
	if (!good)
		printf("# got %.17g, expected %.17g\n", got, expected);
}

/* The integral with a step that is wastefully fine: Simpson in y. */
static double
hyper_reference(double b, double c, double z)
{
	double		end = log(1 / (1 - z)) + 60 / (c - 1 < 1 ? c - 1 : 1);
	int			n = 2000000;
	double		h = end / n;
	double		sum = 0;

	for (int i = 0; i <= n; i++)
	{
		double		y = i * h;
		double		f = exp(-(c - 1) * y - b * log1p(-z * -expm1(-y)));

		sum += (i == 0 || i == n ? 1 : i % 2 ? 4 : 2) * f;
	}
	return (c - 1) * sum * h / 3;
}

int
main(void)
{
	static const double grid[][3] = {
		{1.5, 2.7, 0.2}, {0.3, 1.9, 0.85}, {0.3, 1.9, 0.95}, {26.5, 28.2, 0.97},
		{64705.1, 64706.9, 0.9999916}, {1.7, 90.4, 0.99}, {2.2, 1.8, 0.99}, {1.6, 12.4, 0.999}, {200.3, 202.0, 0.9999}, {3.0, 204.0, 0.95}
	};
	CrmHyper	f;

	near("digamma(1) is minus Euler's constant", crm_digamma(1), -0.57721566490153286061, 1e-15);
	near("digamma(0.5)", crm_digamma(0.5), -1.96351002602142347944, 1e-15);
	near("digamma(100)", crm_digamma(100), 4.60016185273808675967, 1e-15);
	near("digamma(1e-3)", crm_digamma(1e-3), -1000.5755719318103, 1e-14);
	near("ln Gamma(171) - ln Gamma(1)", crm_log_rising(1, 170), 706.57306224578734715, 1e-14);
	near("a rise of many steps", crm_log_rising(0.25, 400), crm_lgamma(400.25) - crm_lgamma(0.25), 1e-14);
	near("a rise from a large value", crm_log_rising(1e8, 40), 40 * log(1e8) + 780e-8, 4e-15);
	near("a digamma rise of a step", crm_digamma_rise(0.4, 1), 2.5, 1e-15);
	near("a digamma rise of many", crm_digamma_rise(0.4, 99), crm_digamma(99.4) - crm_digamma(0.4), 1e-14);
	near("a digamma rise from a large value", crm_digamma_rise(1e6, 0.5), 5.00000125e-07, 1e-19);
	near("ln B(2, 3)", crm_log_beta(2, 3), log(1.0 / 12), 1e-15);
	near("ln B(1e9, 0.5)", crm_log_beta(1e9, 0.5), 0.5 * log(M_PI) - 0.5 * log(1e9) + 0.125e-9, 1e-14);
	near("ln(e^-1000 + e^-1001)", crm_log_add(-1000, -1001), -1000 + log1p(exp(-1)), 1e-15);
	near("log add of nothing", crm_log_add(-HUGE_VAL, 3), 3, 0);
	near("ln(1 - e^-1e-10)", crm_log1mexp(-1e-10), log(1e-10) - 0.5e-10, 1e-15);
	near("ln(1 - e^-50)", crm_log1mexp(-50), -exp(-50), 1e-15);
	near("normal quantile", crm_normal_quantile(0.975), 1.95996398454005423552, 1e-14);
	near("normal quantile in the tail", crm_normal_quantile(1e-10), -6.36134090240405, 1e-12);

	/* 2F1(1, 1; 2; z) = -ln(1 - z) / z; 2F1(1, b; b; z) = 1 / (1 - z) */
	crm_hyper_one(1, 2, 0.5, 0.5, &f);
	near("2F1(1, 1; 2; 1/2)", f.value, 2 * M_LN2, 1e-15);
	near("its derivative in z", f.dz, 4 - 4 * M_LN2, 1e-14);
	crm_hyper_one(1, 2, 1 - 1e-9, 1e-9, &f);
	near("2F1(1, 1; 2; 1 - 1e-9)", f.value, 9 * M_LN10 / (1 - 1e-9), 1e-13);
	crm_hyper_one(7.5, 7.5, 0.99, 0.01, &f);
	near("2F1(1, b; b; .99)", f.value, 100, 1e-12);
	crm_hyper_one(0.4, 1.9, 0, 1, &f);
	near("2F1 at 0", f.value, 1, 0);
	near("and its derivative", f.dz, 0.4 / 1.9, 1e-15);
	/* Gauss: 2F1(1, b; c; 1) = (c - 1) / (c - 1 - b) */
	crm_hyper_one(0.6, 3.7, 1 - 1e-15, 1e-15, &f);
	near("2F1 next to 1", f.value, 2.7 / 2.1, 1e-12);

	for (unsigned i = 0; i < sizeof(grid) / sizeof(grid[0]); i++)
	{
		double		b = grid[i][0],
					c = grid[i][1],
					z = grid[i][2],
					h = 1e-5;
		CrmHyper	up,
					down;
		char		name[80];

		crm_hyper_one(b, c, z, 1 - z, &f);
		snprintf(name, sizeof(name), "2F1(1, %g; %g; %g)", b, c, z);
		near(name, f.value / hyper_reference(b, c, z), 1, 1e-9);
		crm_hyper_one(b + h, c, z, 1 - z, &up);
		crm_hyper_one(b - h, c, z, 1 - z, &down);
		near("  its derivative in b", f.db / ((up.value - down.value) / (2 * h)), 1, 1e-5);
		crm_hyper_one(b, c + h, z, 1 - z, &up);
		crm_hyper_one(b, c - h, z, 1 - z, &down);
		near("  its derivative in c", f.dc / ((up.value - down.value) / (2 * h)), 1, 1e-5);
		h *= 1 - z;
		crm_hyper_one(b, c, z + h, 1 - z - h, &up);
		crm_hyper_one(b, c, z - h, 1 - z + h, &down);
		near("  its derivative in z", f.dz / ((up.value - down.value) / (2 * h)), 1, 1e-4);
	}

	/* The two ways meet where one ends. */
	{
		CrmHyper	below,
					above;

		crm_hyper_one(4.2, 6.1, 0.9, 0.1, &below);
		crm_hyper_one(4.2, 6.1, 0.9 + 1e-13, 0.1 - 1e-13, &above);
		near("series and integral meet: value", above.value, below.value, 1e-12);
		near("series and integral meet: in b", above.db, below.db, 1e-11);
		near("series and integral meet: in c", above.dc, below.dc, 1e-11);
		near("series and integral meet: in z", above.dz, below.dz, 1e-11);
	}

	return done_testing();
}
