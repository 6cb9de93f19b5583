/* build: src/channel_gap_math.c -lm */
/*
 * The gap rule: its formula, its bounds, and the frequencies of its choices.
 * Policies: against the plain formulas, in any order and split, and against
 * the truth in a simulation.
 */
#include "channel_gap_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
near(double a, double b, double error)
{
	return fabs(a - b) <= error * (fabs(b) > 1 ? fabs(b) : 1);
}

static void
test_propensities(void)
{
	const double value[] = {0.25, 0.5, 0.1, 0.5, 0.45};
	const bool	all[] = {true, true, true, true, true};
	const bool	some[] = {true, false, true, false, false};
	const bool	none[] = {false, false, false, false, false};
	double		p[5];
	bool		good = true,
				bounded = true;

	ok(crm_gap_propensities(5, value, all, 1000, p) == 1 &&
		  near(p[0], 1 / 255.0, 1e-15) && near(p[2], 1 / 405.0, 1e-15) && near(p[3], 1 / 5.0, 1e-15) && near(p[4], 1 / 55.0, 1e-15) &&
		  near(p[1], 1 - 1 / 255.0 - 1 / 405.0 - 1 / 5.0 - 1 / 55.0, 1e-15),
		  "the formula; of equal values the first is the best");
	ok(crm_gap_propensities(5, value, some, 1000, p) == 0 &&
		  near(p[2], 1 / 152.0, 1e-15) && near(p[0], 1 - 1 / 152.0, 1e-15) && p[1] == 0 && p[3] == 0 && p[4] == 0,
		  "what is not allowed has propensity 0 and does not count");
	ok(crm_gap_propensities(5, value, none, 1000, p) == -1 && p[0] == 0 && p[4] == 0, "nothing is allowed");
	ok(crm_gap_propensities(0, value, all, 1000, p) == -1, "nothing is there");
	crm_gap_propensities(5, value, all, 0, p);
	ok(near(p[0], 0.2, 1e-15) && near(p[1], 0.2, 1e-15) && near(p[4], 0.2, 1e-15), "gamma 0 chooses all alike");
	ok(crm_gap_propensities(2, (double[]) {-CRM_GAP_VALUE_MAX, CRM_GAP_VALUE_MAX}, all, CRM_GAP_GAMMA_MAX, p) == 1 && p[0] > 0,
		  "at the bounds, too, no propensity is 0");

	for (int round = 0; round < 100000; round++)
	{
		double		v[8],
					sum = 0,
					gamma = exp(uniform() * 12);
		bool		allowed[8];
		double		q[8];
		int			m = 0,
					best;

		for (int j = 0; j < 8; j++)
		{
			v[j] = uniform();
			allowed[j] = uniform() < 0.6;
			m += allowed[j];
		}
		best = crm_gap_propensities(8, v, allowed, gamma, q);
		good &= (best < 0) == (m == 0);
		for (int j = 0; j < 8; j++)
		{
			sum += q[j];
			good &= (q[j] > 0) == allowed[j];
			if (allowed[j])
				bounded &= q[j] >= 1 / (m + gamma) && q[j] <= q[best];
		}
		if (m > 0)
			good &= near(sum, 1, 1e-14);
	}
	ok(good, "propensities are above 0 for the allowed, 0 for the others, and sum to 1");
	ok(bounded, "none is below 1 / (m + gamma) when values lie between 0 and 1, and none above that of the best");
}

static void
test_choice(void)
{
	const double value[] = {0.30, 0.303, 0.1, 0.2, 0.29};
	const bool	allowed[] = {true, true, true, false, true};
	double		p[5];
	long		count[5] = {0};
	const long	draws = 2000000;
	int			best = crm_gap_propensities(5, value, allowed, 300, p);
	bool		good = true,
				replayed = true,
				masked = true;
	double		serial = 0;
	int			last = 0;

	/* Consecutive seeds are the hardest for a bad generator. */
	for (long i = 0; i < draws; i++)
	{
		int			j = crm_gap_choose(5, p, best, (uint64_t) i);

		count[j]++;
		serial += (j == best) == (last == best);
		last = j;
	}
	for (int j = 0; j < 5; j++)
		good &= fabs(count[j] - draws * p[j]) <= 4 * sqrt(draws * p[j] * (1 - p[j]));
	ok(good && count[3] == 0, "frequencies of 2,000,000 choices agree with the propensities within 4 standard errors");
	{
		double		agree = p[best] * p[best] + (1 - p[best]) * (1 - p[best]);

		ok(fabs(serial - draws * agree) <= 6 * sqrt(draws * agree * (1 - agree)), "choices of neighbouring seeds are independent");
	}

	memset(count, 0, sizeof(count));
	for (long i = 0; i < draws / 4; i++)
		count[crm_gap_choose(5, p, best, (uint64_t) i << 40)]++;
	good = true;
	for (int j = 0; j < 5; j++)
		good &= fabs(count[j] - draws / 4 * p[j]) <= 4 * sqrt(draws / 4 * p[j] * (1 - p[j]));
	ok(good, "also of seeds that differ in high bits only");

	for (int round = 0; round < 1000000; round++)
	{
		double		v[6],
					q[6];
		bool		mask[6];
		uint64_t	seed;
		int			b,
					j;

		for (int k = 0; k < 6; k++)
		{
			v[k] = uniform();
			mask[k] = uniform() < 0.5;
		}
		b = crm_gap_propensities(6, v, mask, 1000, q);
		if (b < 0)
			continue;
		seed = (uint64_t) (uniform() * 1e18);
		j = crm_gap_choose(6, q, b, seed);
		masked &= mask[j];
		replayed &= j == crm_gap_choose(6, q, b, seed);
	}
	ok(masked, "of 1,000,000 choices none was outside the mask");
	ok(replayed, "the same seed makes the same choice");
}

#define N 4000

static double reward[N],
			propensity[N],
			target[N],
			prediction[N],
			expected[N];

static void
add(CrmPolicySums *sums, int i)
{
	crm_policy_add(sums, reward[i], propensity[i], target[i], true, prediction[i], expected[i]);
}

static void
test_sums(void)
{
	CrmPolicySums forward = {0},
				backward = {0},
				odd = {0},
				even = {0};
	CrmPolicyValue v,
				u,
				t;
	long double sw = 0,
				sww = 0,
				sy = 0,
				sd = 0,
				residual = 0,
				vy = 0,
				vd = 0;
	bool		equal;

	for (int i = 0; i < N; i++)
	{
		reward[i] = 1e6 + uniform();
		propensity[i] = exp(-7 * uniform());
		target[i] = uniform() < 0.3 ? 0 : uniform();
		prediction[i] = 1e6 + uniform();
		expected[i] = 1e6 + uniform();
	}
	for (int i = 0; i < N; i++)
	{
		long double w = (long double) target[i] / propensity[i];

		add(&forward, i);
		add(&backward, N - 1 - i);
		add(i % 2 ? &odd : &even, i);
		sw += w;
		sww += w * w;
		sy += w * reward[i];
		sd += expected[i] + w * (reward[i] - prediction[i]);
	}
	for (int i = 0; i < N; i++)
	{
		long double w = (long double) target[i] / propensity[i];

		residual += w * w * (reward[i] - sy / sw) * (reward[i] - sy / sw);
		vy += (w * reward[i] - sy / N) * (w * reward[i] - sy / N);
		vd += (expected[i] + w * (reward[i] - prediction[i]) - sd / N) * (expected[i] + w * (reward[i] - prediction[i]) - sd / N);
	}
	crm_policy_value(&forward, &v);
	ok(near(v.ips, sy / N, 1e-13) && near(v.ips_error, sqrtl(vy / (N - 1) / N), 1e-12), "inverse propensity estimate and its error");
	ok(near(v.snips, sy / sw, 1e-13) && fabs(v.snips_error / (double) (sqrtl(residual) / sw) - 1) < 1e-6,
		  "self-normalised estimate and its error, rewards far from 0");
	ok(near(v.dr, sd / N, 1e-13) && near(v.dr_error, sqrtl(vd / (N - 1) / N), 1e-12), "doubly robust estimate and its error");
	ok(near(v.effective, sw * sw / sww, 1e-12), "effective sample size");

	crm_policy_value(&backward, &u);
	equal = true;
	for (size_t i = 0; i < sizeof(v) / sizeof(double); i++)
		equal &= fabs(((double *) &u)[i] / ((double *) &v)[i] - 1) < 1e-14;
	ok(equal, "the order does not matter");
	ok(crm_policy_combine(&odd, &even), "states of one kind merge");
	crm_policy_value(&odd, &t);
	equal = odd.n == N;
	for (size_t i = 0; i < sizeof(v) / sizeof(double); i++)
		equal &= fabs(((double *) &t)[i] / ((double *) &v)[i] - 1) < 1e-14;
	ok(equal && crm_policy_sums_good(&odd), "nor does the split");

	{
		CrmPolicySums plain = {0},
					empty = {0};

		crm_policy_add(&plain, 1, 0.5, 1, false, 0, 0);
		ok(!crm_policy_combine(&odd, &plain), "states with and without a model do not merge");
		ok(crm_policy_combine(&empty, &odd) && memcmp(&empty, &odd, sizeof(odd)) == 0 &&
			  crm_policy_combine(&odd, &(CrmPolicySums) {0}) && memcmp(&empty, &odd, sizeof(odd)) == 0, "nothing merges with everything");
		crm_policy_value(&plain, &v);
		ok(v.ips == 2 && v.snips == 1 && isnan(v.ips_error) && isnan(v.snips_error) && isnan(v.dr) && v.effective == 1,
			  "one decision has an estimate and no error");
		crm_policy_value(&(CrmPolicySums) {0}, &v);
		ok(isnan(v.ips) && isnan(v.snips) && isnan(v.dr) && v.effective == 0, "no decision has no estimate");
		plain.n = 1.5;
		ok(!crm_policy_sums_good(&plain), "half a decision is no state");
		plain.n = 1;
		plain.yy.head = NAN;
		ok(!crm_policy_sums_good(&plain), "nor is what is not a number");
	}
	{
		CrmPolicySums edge = {0};

		for (int i = 0; i < 3; i++)
			crm_policy_add(&edge, i ? CRM_POLICY_REWARD_MAX : -CRM_POLICY_REWARD_MAX, CRM_POLICY_PROPENSITY_MIN, 1, true,
						   -CRM_POLICY_REWARD_MAX, CRM_POLICY_REWARD_MAX);
		crm_policy_value(&edge, &v);
		ok(crm_policy_sums_good(&edge) && isfinite(v.ips_error) && isfinite(v.snips_error) && isfinite(v.dr_error), "nothing overflows at the bounds");
	}
}

/*
 * 400 logs of 2,000 decisions among 3 actions by the gap rule; the policy to
 * be judged always takes the third. Its true value is .3.
 */
static void
test_truth(void)
{
	const double truth[] = {0.5, 0.4, 0.3};
	const double guess[] = {0.45, 0.45, 0.25};
	const bool	allowed[] = {true, true, true};
	double		p[3];
	int			best = crm_gap_propensities(3, truth, allowed, 20, p);
	int			inside[3] = {0};
	double		sum[3] = {0},
				square[3] = {0},
				error[3] = {0};
	const int	logs = 400;

	for (int log = 0; log < logs; log++)
	{
		CrmPolicySums sums = {0};
		CrmPolicyValue v;

		for (int i = 0; i < 2000; i++)
		{
			int			j = crm_gap_choose(3, p, best, (uint64_t) log * 2000 + i);

			crm_policy_add(&sums, uniform() < truth[j], p[j], j == 2, true, guess[j], guess[2]);
		}
		crm_policy_value(&sums, &v);
		{
			const double estimate[] = {v.ips, v.snips, v.dr},
						e[] = {v.ips_error, v.snips_error, v.dr_error};

			for (int k = 0; k < 3; k++)
			{
				inside[k] += fabs(estimate[k] - 0.3) <= 1.96 * e[k];
				sum[k] += estimate[k];
				square[k] += (estimate[k] - 0.3) * (estimate[k] - 0.3);
				error[k] += e[k];
			}
		}
	}
	for (int k = 0; k < 3; k++)
	{
		const char *const name[] = {"inverse propensity", "self-normalised", "doubly robust"};
		double		sd = sqrt(square[k] / logs);
		char		what[200];

		snprintf(what, sizeof(what), "%s estimates are right on average, their errors too, and 95 %% intervals hold the truth", name[k]);
		ok(fabs(sum[k] / logs - 0.3) <= 4 * sd / sqrt(logs) && fabs(error[k] / logs / sd - 1) < 0.15 &&
			  inside[k] >= 0.91 * logs && inside[k] <= 0.98 * logs, what);
	}
	ok(error[2] < error[0] && error[1] < error[0], "a model makes the estimate more precise, and so does normalising");
}

int
main(void)
{
	test_propensities();
	test_choice();
	test_sums();
	test_truth();
	return done_testing();
}
