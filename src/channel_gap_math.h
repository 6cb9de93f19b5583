/*-------------------------------------------------------------------------
 *
 * channel_gap_math.h
 *	  Choosing by the gap rule, and judging policies by what was chosen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_GAP_MATH_H
#define CRM_CHANNEL_GAP_MATH_H

#include <stdbool.h>
#include <stdint.h>

/* So far apart no propensity falls to zero. */
#define CRM_GAP_VALUE_MAX		1e12
#define CRM_GAP_GAMMA_MAX		1e12

extern int	crm_gap_propensities(int n, const double *value, const bool *allowed,
								 double gamma, double *propensity);
extern int	crm_gap_choose(int n, const double *propensity, int best, uint64_t seed);

/* Within these bounds no square overflows. */
#define CRM_POLICY_PROPENSITY_MIN	1e-50
#define CRM_POLICY_REWARD_MAX		1e50

/*
 * A sum of doubles in twice their precision: the sum is head + tail, and head
 * is the sum rounded.
 */
typedef struct CrmTwofold
{
	double		head;
	double		tail;
} CrmTwofold;

/*
 * What the estimators need to know of the logged decisions.  With the weight
 * w = target / propensity, y = w * reward, and
 * d = expected + w * (reward - prediction):
 */
typedef struct CrmPolicySums
{
	double		n;				/* decisions */
	double		modelled;		/* 1 if they came with a model's predictions, else 0 */
	CrmTwofold	w;
	CrmTwofold	ww;
	CrmTwofold	y;
	CrmTwofold	yy;
	CrmTwofold	wy;
	CrmTwofold	d;
	CrmTwofold	dd;
} CrmPolicySums;

#define CRM_POLICY_SUMS		((int) (sizeof(CrmPolicySums) / sizeof(double)))

/* Values that cannot be known are NaN. */
typedef struct CrmPolicyValue
{
	double		ips;
	double		ips_error;
	double		snips;
	double		snips_error;
	double		dr;
	double		dr_error;
	double		effective;		/* effective sample size */
	double		mean_weight;
	double		mean_weight_error;
} CrmPolicyValue;

extern bool crm_policy_sums_good(const CrmPolicySums *sums);
extern void crm_policy_add(CrmPolicySums *sums, double reward, double propensity, double target,
						   bool modelled, double prediction, double expected);
extern bool crm_policy_combine(CrmPolicySums *sums, const CrmPolicySums *other);
extern void crm_policy_value(const CrmPolicySums *sums, CrmPolicyValue *value);

#endif							/* CRM_CHANNEL_GAP_MATH_H */
