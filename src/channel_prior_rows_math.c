/*-------------------------------------------------------------------------
 *
 * channel_prior_rows_math.c
 *	  The rows of a fit of priors: their features made comparable, and a
 *	  sample of them.
 *
 * Neither depends on the order of the rows, nor on how equal ones were put
 * together: sums are 128-bit integers, and a sample is drawn by a hash of a
 * row's content.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_prior_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 int128;

/* A hash of what a row says. */
uint64_t
crm_prior_hash(double success, double failure, const float *feature, int features)
{
	uint64_t	hash = 0x9E3779B97F4A7C15;
	uint64_t	bits;

	memcpy(&bits, &success, sizeof(bits));
	hash = (hash ^ bits) * 0xFF51AFD7ED558CCD;
	hash ^= hash >> 32;
	memcpy(&bits, &failure, sizeof(bits));
	hash = (hash ^ bits) * 0xFF51AFD7ED558CCD;
	hash ^= hash >> 32;
	for (int i = 0; i < features; i++)
	{
		uint32_t	half;

		memcpy(&half, &feature[i], sizeof(half));
		hash = (hash ^ half) * 0xFF51AFD7ED558CCD;
		hash ^= hash >> 32;
	}
	hash *= 0xC4CEB9FE1A85EC53;
	return hash ^ hash >> 29;
}

void
crm_prior_free_rows(CrmPriorRows *rows)
{
	free(rows->success);
	free(rows->failure);
	free(rows->customers);
	free(rows->feature);
}

/*
 * The rows whose hash ends in "bits" zeros, of all those that stand for so
 * many customers; none if the sample is not like the whole.  False without
 * memory, else the caller frees it.
 */
bool
crm_prior_sample(const CrmPriorRows *all, int bits, double customers, CrmPriorRows *rows)
{
	int			p = all->features;
	size_t		room = (all->rows >> bits) * 2;
	double		drawn = 0;

	*rows = *all;
	rows->rows = 0;
	rows->success = malloc(room * sizeof(double));
	rows->failure = malloc(room * sizeof(double));
	rows->customers = malloc(room * sizeof(uint32_t));
	rows->feature = malloc((room * p + 1) * sizeof(float));
	if (rows->success == NULL || rows->failure == NULL || rows->customers == NULL || rows->feature == NULL)
	{
		crm_prior_free_rows(rows);
		return false;
	}
	for (size_t i = 0; i < all->rows; i++)
	{
		if ((crm_prior_hash(all->success[i], all->failure[i], all->feature + i * p, p) & ((UINT64_C(1) << bits) - 1)) != 0)
			continue;
		if (rows->rows == room)
		{
			rows->rows = 0;
			return true;
		}
		rows->success[rows->rows] = all->success[i];
		rows->failure[rows->rows] = all->failure[i];
		rows->customers[rows->rows] = all->customers[i];
		memcpy(rows->feature + rows->rows * p, all->feature + i * p, p * sizeof(float));
		drawn += all->customers[i];
		rows->rows++;
	}
	/* A row that stands for very many customers is in or out as a whole. */
	if (fabs(ldexp(drawn, bits) / customers - 1) > 0.1)
		rows->rows = 0;
	return true;
}

/*
 * Puts the mean of each feature at 0 and its standard deviation at 1, over all
 * customers whose feature is known; what is not a number is not known and gets
 * the mean.  A feature that is the same for all has deviation 1.
 */
void
crm_prior_standardise(CrmPriorRows *rows, double *mean, double *deviation)
{
	int			p = rows->features;

	for (int j = 0; j < p; j++)
	{
		int128		sum = 0;
		int128		squares = 0;
		double		known = 0;
		double		largest = 0;
		double		scale;
		int			exponent;

		for (size_t i = 0; i < rows->rows; i++)
			if (fabs(rows->feature[i * p + j]) > largest)
				largest = fabs(rows->feature[i * p + j]);
		(void) frexp(largest, &exponent);
		scale = ldexp(1, 60 - exponent);
		for (size_t i = 0; i < rows->rows; i++)
			if (!isnan(rows->feature[i * p + j]))
			{
				sum += (int128) llrint(rows->feature[i * p + j] * scale) * rows->customers[i];
				known += rows->customers[i];
			}
		mean[j] = known > 0 ? (double) sum / scale / known : 0;
		/* Squares of differences, which do not cancel. */
		scale = ldexp(1, 58 - 2 * exponent);
		for (size_t i = 0; i < rows->rows; i++)
			if (!isnan(rows->feature[i * p + j]))
			{
				double		x = rows->feature[i * p + j] - mean[j];

				squares += (int128) llrint(x * x * scale) * rows->customers[i];
			}
		deviation[j] = known > 0 ? sqrt((double) squares / scale / known) : 0;
		if (!(deviation[j] > 1e-7 * fabs(mean[j])) || !(deviation[j] > 1e-30))
			deviation[j] = 1;
		for (size_t i = 0; i < rows->rows; i++)
		{
			float	   *x = &rows->feature[i * p + j];

			*x = isnan(*x) ? 0 : (float) ((*x - mean[j]) / deviation[j]);
		}
	}
}
