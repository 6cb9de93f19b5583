/*-------------------------------------------------------------------------
 *
 * channel_prior_math.h
 *	  Beta priors of many customers: beta-binomial regression by maximum
 *	  likelihood, and how well a forgetting rate foretells.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_PRIOR_MATH_H
#define CRM_CHANNEL_PRIOR_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRM_PRIOR_FEATURES		64
/* Weights, and the logarithm of the strength. */
#define CRM_PRIOR_UNKNOWNS		(CRM_PRIOR_FEATURES + 2)
/* Bounds of the strength: between them a prior is neither void nor deaf. */
#define CRM_STRENGTH_MIN		0.5
#define CRM_STRENGTH_MAX		500.0
/* Successes and failures of a customer; beyond it, they are no counts of contacts. */
#define CRM_PRIOR_COUNT_MAX		1e9
/* Features, absolute. */
#define CRM_PRIOR_FEATURE_MAX	1e6
/* Neither parameter of a customer's prior falls below. */
#define CRM_PRIOR_SHAPE_MIN		0.05

/* Customers with the same counts and features are one row. */
typedef struct CrmPriorRows
{
	size_t		rows;
	int			features;
	double	   *success;
	double	   *failure;		/* not both 0 */
	uint32_t   *customers;		/* how many */
	float	   *feature;		/* row by row; NaN, not known, only in crm_prior_standardise() */
} CrmPriorRows;

typedef enum CrmPriorBoundary
{
	CRM_PRIOR_INSIDE,
	CRM_PRIOR_NO_INFORMATION,	/* nobody has an observation */
	CRM_PRIOR_NO_SUCCESS,
	CRM_PRIOR_NO_FAILURE,
	CRM_PRIOR_STRENGTH_MIN,
	CRM_PRIOR_STRENGTH_MAX,
	CRM_PRIOR_STRENGTH_UNKNOWN	/* nobody has more than one observation */
} CrmPriorBoundary;

typedef enum CrmPriorStatus
{
	CRM_PRIOR_DONE,
	CRM_PRIOR_STOPPED,
	CRM_PRIOR_NO_MEMORY
} CrmPriorStatus;

typedef struct CrmPriorFit
{
	double		weight[CRM_PRIOR_FEATURES + 1];	/* the intercept first */
	double		strength;
	double		log_likelihood;
	double		successes;		/* of all customers */
	double		failures;
	int			iterations;
	bool		converged;
	CrmPriorBoundary boundary;
} CrmPriorFit;

/* Log-likelihood (without the penalty) and its derivatives by weights and ln strength. */
typedef struct CrmPriorSlopes
{
	double		value;
	double		gradient[CRM_PRIOR_UNKNOWNS];
	double		hessian[CRM_PRIOR_UNKNOWNS * CRM_PRIOR_UNKNOWNS];
} CrmPriorSlopes;

typedef bool (*CrmPriorStop) (void);

extern CrmPriorStatus crm_prior_fit(const CrmPriorRows *rows, double ridge, CrmPriorStop stop, CrmPriorFit *fit);
extern void crm_prior_standardise(CrmPriorRows *rows, double *mean, double *deviation);
extern bool crm_prior_slopes(const CrmPriorRows *rows, const double *theta, CrmPriorStop stop, CrmPriorSlopes *slopes);
extern bool crm_prior_sample(const CrmPriorRows *all, int bits, double customers, CrmPriorRows *rows);
extern void crm_prior_free_rows(CrmPriorRows *rows);
extern uint64_t crm_prior_hash(double success, double failure, const float *feature, int features);
extern double crm_prior_logit(const double *weight, int weights, const double *mean, const double *feature, const uint8_t *known);
extern void crm_prior_shapes(double logit, double strength, double *a, double *b);

typedef struct CrmTrial
{
	double		at;
	double		success;
	double		failure;
} CrmTrial;

/* Stretches of the log over which two half-lives are compared. */
#define CRM_LOSS_BLOCKS			30

extern int	crm_prequential_loss(CrmTrial *trial, size_t trials, double prior_a, double prior_b,
								 const double *half_life, int half_lives, double *loss, double *gain, double *error);

#endif							/* CRM_CHANNEL_PRIOR_MATH_H */
