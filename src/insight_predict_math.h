/*-------------------------------------------------------------------------
 *
 * insight_predict_math.h
 *	  What a fitted customer-base model says about one customer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_INSIGHT_PREDICT_MATH_H
#define CRM_INSIGHT_PREDICT_MATH_H

#include "insight_fit_math.h"

/* Longest count asked of crm_purchases_probability(). */
#define CRM_MAX_PURCHASES 1000000
/* Most periods of a value that is discounted period by period. */
#define CRM_MAX_VALUE_PERIODS 100000

/*
 * A model of purchase times with the parameters of one customer (covariates
 * already applied): r, alpha, then a, b or s, beta; k of the CNBD models.
 * r = 0, a = 0 and s = 0 are the limits where nobody buys again or leaves.
 */
typedef struct CrmRate
{
	CrmModel	model;
	int			regularity;
	double		p[4];
} CrmRate;

extern double crm_rate_alive(const CrmRate *rate, double x, double t_x, double t);
extern double crm_rate_expected_alive(const CrmRate *rate, double x, double t_x, double t, double horizon,
									  double *stays);
extern double crm_rate_expected(const CrmRate *rate, double x, double t_x, double t, double horizon);
extern double crm_rate_alive_later(const CrmRate *rate, double x, double t_x, double t, double later);
extern double crm_rate_purchases_probability(const CrmRate *rate, double x, double t_x, double t,
											 double horizon, int purchases);
extern double crm_rate_discounted(const CrmRate *rate, double x, double t_x, double t, double horizon,
								  double discount);
extern double crm_rate_discounted_periods(const CrmRate *rate, double x, double t_x, double t, double horizon,
										  double discount, double period);

extern double crm_bg_bb_alive(const double *p, int x, int t_x, int n, int later);
extern double crm_bg_bb_expected(const double *p, int x, int t_x, int n, int horizon);
extern double crm_sbg_survival(const double *p, double periods);
extern double crm_sbg_residual(const double *p, double periods, double discount);

#endif							/* CRM_INSIGHT_PREDICT_MATH_H */
