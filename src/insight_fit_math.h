/*-------------------------------------------------------------------------
 *
 * insight_fit_math.h
 *	  Fitting customer-base models by maximum likelihood.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_INSIGHT_FIT_MATH_H
#define CRM_INSIGHT_FIT_MATH_H

#include "insight_optimise_math.h"

#include <stddef.h>
#include <stdint.h>

#define CRM_MAX_COVARIATES 16
#define CRM_MAX_REGULARITY 12
/* Longest history of the discrete models, in periods. */
#define CRM_MAX_PERIODS 10000

typedef enum CrmModel
{
	CRM_NBD,
	CRM_BG_NBD,
	CRM_MBG_NBD,
	CRM_PARETO_NBD,
	CRM_BG_CNBD,
	CRM_MBG_CNBD,
	CRM_GAMMA_GAMMA,
	CRM_BG_BB,
	CRM_SBG,
	CRM_MODELS
} CrmModel;

/* Where a likelihood has no maximum inside the range of its parameters. */
typedef enum CrmBoundary
{
	CRM_BOUNDARY_NONE,
	CRM_BOUNDARY_NO_DROPOUT,	/* nobody leaves: the NBD */
	CRM_BOUNDARY_NO_REPEAT,		/* nobody buys again */
	CRM_BOUNDARY_NO_INFORMATION,	/* no time observed, or nothing to tell */
	CRM_BOUNDARY_EQUAL_RATES,	/* customers do not differ in their rate */
	CRM_BOUNDARY_EQUAL_DROPOUT, /* nor in how they leave */
	CRM_BOUNDARY_CERTAIN_DROPOUT,	/* everybody leaves at once */
	CRM_BOUNDARY_EQUAL_SPEND,	/* customers do not differ in what they spend */
	CRM_BOUNDARY_CONSTANT_SPEND,	/* every purchase of a customer is the same */
	CRM_BOUNDARY_UNIDENTIFIED	/* several parameters explain the data equally */
} CrmBoundary;

/*
 * Distinct rows with their counts, one after the other in "cells":
 *   timing models    count, covariates, x, t_x, T
 *   gamma_gamma      count, x, m_x
 *   bg_bb            count, x, t_x, n
 *   sbg              count, lost (0 or 1), periods
 * The fit sorts them, so its result does not depend on their order.
 */
typedef struct CrmObservations
{
	CrmModel	model;
	int			regularity;		/* k of the CNBD models; 1 otherwise */
	int			covariates;
	size_t		rows;
	int			width;
	double	   *cells;
	double		log_gaps;		/* CNBD: sum of the logarithms of all gaps */
} CrmObservations;

typedef struct CrmFit
{
	int			parameters;		/* how many; 0 when there are none to give */
	double		parameter[CRM_MAX_UNKNOWNS];
	bool		known[CRM_MAX_UNKNOWNS];	/* is its standard error known? */
	double		covariance[CRM_MAX_UNKNOWNS * CRM_MAX_UNKNOWNS];
	double		log_likelihood;
	double		gradient_norm;	/* per customer */
	double		customers;
	int			iterations;
	bool		converged;
	CrmBoundary boundary;
} CrmFit;

extern int	crm_model_parameters(CrmModel model);
extern bool crm_sort_observations(CrmObservations *observations);
extern CrmOptimum crm_fit(CrmObservations *observations, CrmStop stop, CrmFit *fit);

/* The models' likelihoods, each over its own preparation of the rows. */

/* One time within a customer's pattern: (covariates, x, t). */
typedef struct CrmPoint
{
	uint32_t	x;				/* index of its (covariates, x) */
	double		t;
	double		value;			/* of the term of the likelihood */
	double		slope[4];		/* by the logarithms of the four parameters */
	double		weight;
} CrmPoint;

typedef struct CrmCount
{
	uint32_t	group;			/* index of the covariates */
	double		x;
	double		customers;
} CrmCount;

/*
 * Rows of a timing model, taken apart: a likelihood is
 *     constant(x) + ln(exp(tail(x, T)) + exp(drop(x, t_x))),
 * so that the costly terms are computed once per distinct (x, T) and
 * (x, t_x), which are far fewer than the rows where time is counted in days.
 */
typedef struct CrmTiming
{
	CrmModel	model;
	int			regularity;
	int			covariates;
	size_t		groups,
				counts,
				tails,
				drops,
				rows;
	double	   *z;				/* groups x covariates */
	CrmCount   *count;
	CrmPoint   *tail;			/* still there at T */
	CrmPoint   *drop;			/* gone right after t_x */
	uint32_t   *row_tail;
	uint32_t   *row_drop;
	double	   *row_customers;
	double	   *local;			/* of each group: its parameters and slopes */
	double		customers;
	CrmStop		stop;
} CrmTiming;

/* Rows of a discrete model, with tables over the number of periods. */
typedef struct CrmDiscrete
{
	const CrmObservations *observations;
	int			periods;
	double	   *table;
	double		customers;
	CrmStop		stop;
} CrmDiscrete;

extern bool crm_timing_prepare(const CrmObservations *observations, size_t stride, CrmStop stop,
							   CrmTiming *timing);
extern void crm_timing_free(CrmTiming *timing);
extern double crm_timing_objective(void *context, const double *theta, double *gradient, int n);
extern bool crm_discrete_prepare(const CrmObservations *observations, CrmStop stop, CrmDiscrete *discrete);
extern double crm_pareto_share(const double *p, double x, double t, double *slope);
extern double crm_erlang_wait(int k, double total, double u, double *by_total, double *by_u);
extern double crm_gamma_gamma_objective(void *context, const double *theta, double *gradient, int n);
extern double crm_bg_bb_objective(void *context, const double *theta, double *gradient, int n);
extern double crm_sbg_objective(void *context, const double *theta, double *gradient, int n);

#endif							/* CRM_INSIGHT_FIT_MATH_H */
