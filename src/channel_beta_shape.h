/*-------------------------------------------------------------------------
 *
 * channel_beta_shape.h
 *	  Places on the logit scale and the density there: what
 *	  channel_beta_math.c and channel_best_math.c share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_BETA_SHAPE_H
#define CRM_CHANNEL_BETA_SHAPE_H

#include <math.h>
#include <stdbool.h>

/*
 * A pair of shapes with what every evaluation needs.
 */
typedef struct CrmShape
{
	double		a,
				b;
	double		mean,			/* a / (a + b) */
				other;			/* b / (a + b) */
	double		log_factor;		/* -ln B(a, b); with deviance, of the density at the mean */
	bool		deviance;		/* both shapes large: measure from the mean */
} CrmShape;

/*
 * A place on the logit scale, by whatever of it does not cancel.
 */
typedef struct CrmPlace
{
	double		x,
				y;				/* 1 - x */
	double		log_x,
				log_y;
} CrmPlace;

extern CrmShape crm_beta_shape(double a, double b);
extern double crm_beta_tail(const CrmShape *s, const CrmPlace *p);

/*
 * The place with this logit.
 */
static inline CrmPlace
crm_beta_place(double z)
{
	double		e = exp(-fabs(z));
	double		l = log1p(e);
	CrmPlace	p;

	if (z < 0)
	{
		p.x = e / (1 + e);
		p.y = 1 / (1 + e);
		p.log_x = z - l;
		p.log_y = -l;
	}
	else
	{
		p.x = 1 / (1 + e);
		p.y = e / (1 + e);
		p.log_x = -l;
		p.log_y = -z - l;
	}
	return p;
}

/*
 * ln of x^a y^b / B(a, b), the density on the logit scale.
 *
 * With large shapes near the mean, two large numbers would cancel; there the
 * logarithms are taken of the ratio to the mean (C. Loader, "Fast and accurate
 * computation of binomial probabilities", 2000).
 */
static inline double
crm_beta_log_density(const CrmShape *s, const CrmPlace *p)
{
	double		u,
				v;

	if (!s->deviance)
		return s->a * p->log_x + s->b * p->log_y + s->log_factor;

	/* The difference is taken where it is exact: on the side of the smaller share. */
	u = p->x < p->y ? p->x - s->mean : s->other - p->y;
	v = -u / s->other;
	u = u / s->mean;
	if (fabs(u) < 0.5 && fabs(v) < 0.5)
		return s->a * log1p(u) + s->b * log1p(v) + s->log_factor;
	return s->a * (p->log_x - log(s->mean)) + s->b * (p->log_y - log(s->other)) + s->log_factor;
}

#endif							/* CRM_CHANNEL_BETA_SHAPE_H */
