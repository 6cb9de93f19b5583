/*-------------------------------------------------------------------------
 *
 * insight_optimise_math.h
 *	  Minimising a smooth function of a few unknowns, to the last digits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_INSIGHT_OPTIMISE_MATH_H
#define CRM_INSIGHT_OPTIMISE_MATH_H

#include <stdbool.h>

/* Four parameters and sixteen covariates on each of two processes. */
#define CRM_MAX_UNKNOWNS 36

/*
 * The function to be minimised at theta[n]; writes its gradient.  Must return
 * soon with any value once its own stop callback has said so.
 */
typedef double (*CrmObjective) (void *context, const double *theta, double *gradient, int n);

/* Should the work stop now?  Called about every millisecond. */
typedef bool (*CrmStop) (void);

typedef enum CrmOptimum
{
	CRM_OPTIMUM_FOUND,
	CRM_OPTIMUM_NOT_REACHED,
	CRM_OPTIMUM_STOPPED,
	CRM_OPTIMUM_NO_MEMORY
} CrmOptimum;

typedef struct CrmProblem
{
	int			n;
	CrmObjective objective;
	void	   *context;
	CrmStop		stop;			/* or NULL */
	double		accuracy;		/* how far above the minimum the value may stay */
	const double *limit;		/* |theta[i]| is drawn back beyond it */
} CrmProblem;

typedef struct CrmMinimum
{
	double		theta[CRM_MAX_UNKNOWNS];
	double		value;			/* without what draws back from the limits */
	double		gradient_norm;	/* largest component */
	double		hessian[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	int			iterations;
} CrmMinimum;

extern CrmOptimum crm_descend(const CrmProblem *problem, const double *start, CrmMinimum *result);
extern CrmOptimum crm_polish(const CrmProblem *problem, CrmMinimum *result, bool near);
extern bool crm_invert(const double *matrix, double *inverse, int n);

#endif							/* CRM_INSIGHT_OPTIMISE_MATH_H */
