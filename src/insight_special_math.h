/*-------------------------------------------------------------------------
 *
 * insight_special_math.h
 *	  Special functions of the customer-base models, in forms that stay exact
 *	  in the tails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_INSIGHT_SPECIAL_MATH_H
#define CRM_INSIGHT_SPECIAL_MATH_H

/* 2F1(1, b; c; z) and its partial derivatives. */
typedef struct CrmHyper
{
	double		value;
	double		db;
	double		dc;
	double		dz;
} CrmHyper;

#define CRM_GAUSS_NODES 16

/* Gauss-Legendre of 16 points on [0, 1]. */
extern const double crm_gauss_node[CRM_GAUSS_NODES];
extern const double crm_gauss_weight[CRM_GAUSS_NODES];

extern double crm_lgamma(double x);
extern double crm_digamma(double x);
extern double crm_log_add(double a, double b);
extern double crm_log1mexp(double x);
extern double crm_log_beta(double a, double b);
extern double crm_log_rising(double a, double n);
extern double crm_digamma_rise(double a, double n);
extern double crm_normal_quantile(double p);
extern void crm_hyper_one(double b, double c, double z, double one_minus_z, CrmHyper *result);

#endif							/* CRM_INSIGHT_SPECIAL_MATH_H */
