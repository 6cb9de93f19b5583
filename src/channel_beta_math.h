/*-------------------------------------------------------------------------
 *
 * channel_beta_math.h
 *	  The Beta distribution, as far as crm.channel_score needs it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_BETA_MATH_H
#define CRM_CHANNEL_BETA_MATH_H

#include <stdbool.h>
#include <stdint.h>

/* Shapes of distribution functions, quantiles and draws. */
#define CRM_BETA_SHAPE_MIN		1e-6
#define CRM_BETA_SHAPE_MAX		1e12

/* Shapes and number of competitors in crm_probability_best(). */
#define CRM_BEST_SHAPE_MIN		1e-2
#define CRM_BEST_SHAPE_MAX		1e8
#define CRM_BEST_COMPETITORS	64

extern double crm_beta_cdf(double x, double a, double b);
extern double crm_beta_quantile(double p, double a, double b);
extern double crm_beta_draw(double a, double b, uint64_t seed);

/*
 * Called now and then by long computations; may not return.
 */
typedef void (*CrmPause) (void);

extern bool crm_probability_best(int n, const double *a, const double *b,
								 double value, const double *cost,
								 double *probability, CrmPause pause);

#endif							/* CRM_CHANNEL_BETA_MATH_H */
