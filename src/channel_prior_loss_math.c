/*-------------------------------------------------------------------------
 *
 * channel_prior_loss_math.c
 *	  How well the past foretells, by half-life.  No server call in here.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_prior_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
compare_trials(const void *one, const void *other)
{
	const CrmTrial *a = one;
	const CrmTrial *b = other;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->success != b->success)
		return a->success < b->success ? -1 : 1;
	if (a->failure != b->failure)
		return a->failure < b->failure ? -1 : 1;
	return 0;
}

/*
 * The mean log loss, per observation, of foretelling each trial by all that
 * came before it, older ones counting less: by one Beta score for each
 * half-life, which starts at the prior.  Trials at the same time are foretold
 * together before any of them is learnt from.  An infinite half-life forgets
 * nothing.  The trials are sorted; without observations every loss is 0.
 * (Dawid 1984: prequential assessment.)
 *
 * gain and error, of the same length or NULL, get how much less each loses
 * than the first half-life, and the standard error of that: losses are
 * compared trial by trial, as by Diebold and Mariano (1995).  What one
 * half-life gains over another comes in stretches, so the error is that of
 * the means of CRM_LOSS_BLOCKS stretches of the log of equally many
 * observations (batch means: Schmeiser 1982), cut between times, never at one.
 * Returns how many of them have any, at most CRM_LOSS_BLOCKS; with fewer than
 * two the errors are infinite.
 */
int
crm_prequential_loss(CrmTrial *trial, size_t trials, double prior_a, double prior_b,
					 const double *half_life, int half_lives, double *loss, double *gain, double *error)
{
	double		observations = 0;
	double		first[CRM_LOSS_BLOCKS] = {0};
	double		weight[CRM_LOSS_BLOCKS] = {0};
	int			blocks = 0;

	qsort(trial, trials, sizeof(CrmTrial), compare_trials);
	for (size_t i = 0; i < trials; i++)
		observations += trial[i].success + trial[i].failure;
	for (int h = 0; h < half_lives; h++)
	{
		double		a = prior_a;
		double		b = prior_b;
		double		sum = 0;
		double		before = 0;
		double		block[CRM_LOSS_BLOCKS] = {0};

		for (size_t i = 0, next; i < trials; i = next)
		{
			double		success = 0;
			double		failure = 0;
			double		cost = 0;
			int			k;

			if (i > 0 && isfinite(half_life[h]))
			{
				/* What was observed fades; the prior does not. */
				double		keep = exp2((trial[i - 1].at - trial[i].at) / half_life[h]);

				a = prior_a + (a - prior_a) * keep;
				b = prior_b + (b - prior_b) * keep;
			}
			for (next = i; next < trials && trial[next].at == trial[i].at; next++)
			{
				success += trial[next].success;
				failure += trial[next].failure;
			}
			if (success > 0)
				cost += success * log1p(b / a);
			if (failure > 0)
				cost += failure * log1p(a / b);
			sum += cost;
			k = (int) (before / observations * CRM_LOSS_BLOCKS);
			k = k < CRM_LOSS_BLOCKS ? k : CRM_LOSS_BLOCKS - 1;
			block[k] += cost;
			before += success + failure;
			if (h == 0)
				weight[k] += success + failure;
			a += success;
			b += failure;
		}
		loss[h] = observations > 0 ? sum / observations : 0;
		if (gain == NULL)
			continue;
		if (h == 0)
		{
			memcpy(first, block, sizeof(first));
			for (int k = 0; k < CRM_LOSS_BLOCKS; k++)
				blocks += weight[k] > 0;
		}
		gain[h] = loss[0] - loss[h];
		error[h] = HUGE_VAL;
		if (blocks >= 2)
		{
			double		squares = 0;

			for (int k = 0; k < CRM_LOSS_BLOCKS; k++)
			{
				double		residue = first[k] - block[k] - gain[h] * weight[k];

				squares += residue * residue;
			}
			error[h] = sqrt(squares * blocks / (blocks - 1)) / observations;
		}
	}
	return blocks;
}
