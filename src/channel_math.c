/*-------------------------------------------------------------------------
 *
 * channel_math.c
 *	  The state of crm.channel_score: forward decay in integers.
 *
 * An observation at time t weighs 2^(t/h) with the half-life h and t counted
 * from 2000-01-01 (forward decay: Cormode, Shkapenyuk, Srivastava and Xu,
 * "Forward decay", ICDE 2009).  The value of a sum at time T is the sum
 * divided by 2^(T/h), so a state needs no touching as time passes.
 *
 * How a weight is computed.  k = floor(t/h) whole half-lives, and a fraction
 * floor(2^48 (t - kh)/h), which gives a mantissa m = 2^fraction as an integer
 * between 2^40 and 2^41.  A weight w is rounded to q, a multiple of 2^-32.
 * The product q m is an integer.  None of this is left to the C library's
 * pow(), whose last bit differs between platforms and releases: an undo after
 * an upgrade would leave a residue.  The relative error against the real
 * number is below 1e-12, apart from the rounding of w.
 *
 * How sums are kept.  The landmark of an observation is the start of its
 * cell: cells are the fixed grid of 16 half-lives, k = 16 index + shift, so
 * the landmark is a function of the half-life and the observation's own time
 * and of nothing else.  A cell holds the integers sum of q m 2^shift over
 * successes and over failures (at most 108 bits for one observation, so there
 * is room for a total weight of 5e11 in a cell; an overflow is an error, never
 * a wrap).  A cell exists if and only if one of its two sums is positive.
 *
 * Why it is exact.  A state is a finite map from cells to pairs of integers,
 * plus two counts.  Adding and merging add the integers cell by cell;
 * subtracting subtracts them.  Integer addition is associative and
 * commutative and has an inverse; nothing is ever rounded, shifted out or
 * dropped when states meet.  Cells appear when a sum becomes positive and
 * vanish when both are zero, and are kept in ascending order, so that equal
 * maps have equal bytes.  Hence every order, split and undo of the same
 * observations ends in the same bytes, over the whole calendar.
 *
 * Why the length depends on the span.  No state of fixed length can do this.
 * Let states have N bits, and let R half-lives lie between the first and the
 * last observation that are possible.  Take the sets with at most one
 * observation in every second half-life: 2^(R/2) sets.  If R/2 > N, two of
 * them share a state; undo from both what they have in common above their
 * newest difference, and two sets still share a state, one of which has an
 * observation of weight 1 at a moment when the other's all together weigh at
 * most 1/3.  So either undo is wrong or the value is.  Fifty years at a
 * half-life of a day need thousands of bits, however a landmark moves.  With
 * half-lives as they are used (26 or 52 weeks) a cell spans 8 or 16 years, and
 * a score has one or two cells.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL_HALF_LIVES		16
#define FRACTION_BITS		48
#define MANTISSA_BITS		40
#define WEIGHT_BITS			32

#define OFFSET_HALF_LIFE	4
#define OFFSET_SUCCESSES	12
#define OFFSET_FAILURES		20

/* 2^(2^-i) for i = 1..24, times 2^62, rounded down. */
static const uint64_t root_of_two[24] = {
	UINT64_C(0x5a827999fcef3242), UINT64_C(0x4c1bf828c6dc54b7), UINT64_C(0x45cae0f1f545eb73),
	UINT64_C(0x42d561b3e6243d8a), UINT64_C(0x4166c34c5615d0eb), UINT64_C(0x40b268f9de0183b9),
	UINT64_C(0x4058f6a7ecccd5b6), UINT64_C(0x402c6be96af2fb58), UINT64_C(0x4016321b687027a8),
	UINT64_C(0x400b18178ba33b14), UINT64_C(0x40058bce410147e8), UINT64_C(0x4002c5d7bff71dae),
	UINT64_C(0x400162e807ee7e5b), UINT64_C(0x4000b1730df6a524), UINT64_C(0x400058b9497b8151),
	UINT64_C(0x40002c5c955dd701), UINT64_C(0x4000162e46d6f26b), UINT64_C(0x40000b1722757b1b),
	UINT64_C(0x4000058b90fd3e0c), UINT64_C(0x400002c5c86f3f26), UINT64_C(0x40000162e433c79b),
	UINT64_C(0x400000b17218edcf), UINT64_C(0x40000058b90c3968), UINT64_C(0x4000002c5c860d54)
};

/* The natural logarithm of 2, times 2^62, rounded down. */
#define LN2		UINT64_C(0x2c5c85fdf473de6a)

/* power[j][i] = 2^(i / 2^(8 (j + 1))) times 2^62; filled from root_of_two when first needed. */
static uint64_t power[3][256];
static bool power_filled = false;

static uint64_t
multiply62(uint64_t a, uint64_t b)
{
	return (uint64_t) (((CrmSum) a * b) >> 62);
}

static void
fill_power(void)
{
	for (int j = 0; j < 3; j++)
		for (int i = 0; i < 256; i++)
		{
			uint64_t	p = UINT64_C(1) << 62;

			for (int bit = 0; bit < 8; bit++)
				if (i & (128 >> bit))
					p = multiply62(p, root_of_two[8 * j + bit]);
			power[j][i] = p;
		}
	power_filled = true;
}

/*
 * 2^(fraction / 2^48) as an integer times 2^40, rounded down: at least 2^40,
 * less than 2^41.  The upper 24 bits come from three tables; what is left is
 * so small that the quadratic term of its power is below the last bit.
 */
static uint64_t
mantissa(uint64_t fraction)
{
	uint64_t	m;

	if (!power_filled)
		fill_power();
	m = multiply62(power[0][(fraction >> 40) & 255], power[1][(fraction >> 32) & 255]);
	m = multiply62(m, power[2][(fraction >> 24) & 255]);
	m += multiply62(m, ((fraction & 0xffffff) * (LN2 >> 24)) >> 24);
	return m >> (62 - MANTISSA_BITS);
}

/*
 * Whole half-lives since 2000 (rounded down) and the mantissa of what is left.
 */
static int64_t
split_time(int64_t at, int64_t half_life, uint64_t *m)
{
	int64_t		whole = at / half_life;
	int64_t		rest = at % half_life;

	if (rest < 0)
	{
		whole--;
		rest += half_life;
	}
	*m = mantissa((uint64_t) (((CrmSum) rest << FRACTION_BITS) / (uint64_t) half_life));
	return whole;
}

static int32_t
cell_index(int64_t whole)
{
	return (int32_t) ((whole - (whole % CELL_HALF_LIVES + CELL_HALF_LIVES) % CELL_HALF_LIVES) / CELL_HALF_LIVES);
}

static int64_t
get_int64(const unsigned char *p)
{
	int64_t		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static CrmSum
get_sum(const unsigned char *p)
{
	CrmSum		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int32_t
get_index(const unsigned char *cell)
{
	int32_t		v;

	memcpy(&v, cell + 32, sizeof(v));
	return v;
}

static const unsigned char *
cell_at(const unsigned char *score, int i)
{
	return score + CRM_SCORE_SIZE(i);
}

int64_t
crm_score_half_life(const unsigned char *score)
{
	return get_int64(score + OFFSET_HALF_LIFE);
}

int64_t
crm_score_successes(const unsigned char *score)
{
	return get_int64(score + OFFSET_SUCCESSES);
}

int64_t
crm_score_failures(const unsigned char *score)
{
	return get_int64(score + OFFSET_FAILURES);
}

void
crm_score_cell(const unsigned char *score, int i, int32_t *index, CrmSum *successes, CrmSum *failures)
{
	const unsigned char *cell = cell_at(score, i);

	*successes = get_sum(cell);
	*failures = get_sum(cell + 16);
	*index = get_index(cell);
}

/*
 * Writes the head of a score; the caller adds the cells.
 */
void
crm_score_start(unsigned char *score, int64_t half_life, int64_t successes, int64_t failures)
{
	uint32_t	format = CRM_SCORE_FORMAT;

	memcpy(score, &format, sizeof(format));
	memcpy(score + OFFSET_HALF_LIFE, &half_life, sizeof(half_life));
	memcpy(score + OFFSET_SUCCESSES, &successes, sizeof(successes));
	memcpy(score + OFFSET_FAILURES, &failures, sizeof(failures));
}

void
crm_score_set_cell(unsigned char *score, int i, int32_t index, CrmSum successes, CrmSum failures)
{
	unsigned char *cell = score + CRM_SCORE_SIZE(i);

	memcpy(cell, &successes, 16);
	memcpy(cell + 16, &failures, 16);
	memcpy(cell + 32, &index, 4);
}

/*
 * What is wrong with a score of so many bytes that came from outside, as a
 * sentence for the error's detail, or NULL if it is one that adding and
 * subtracting observations can lead to, as far as that can be told.
 */
const char *
crm_score_fault(const unsigned char *score, size_t size)
{
	uint32_t	format;
	int64_t		half_life,
				successes,
				failures,
				cells;
	int32_t		first,
				last,
				before = 0;
	bool		any_success = false,
				any_failure = false;

	if (size < CRM_SCORE_HEAD || (size - CRM_SCORE_HEAD) % CRM_SCORE_CELL != 0)
		return "Its length fits no number of cells.";
	memcpy(&format, score, sizeof(format));
	if (format != CRM_SCORE_FORMAT)
		return "Its format is not known.";
	cells = (int64_t) ((size - CRM_SCORE_HEAD) / CRM_SCORE_CELL);
	if (cells > CRM_SCORE_MAX_CELLS)
		return "It has too many cells.";
	half_life = crm_score_half_life(score);
	if (half_life < CRM_HALF_LIFE_MIN || half_life > CRM_HALF_LIFE_MAX)
		return "The half-life must lie between 1 hour and 10000 years.";
	successes = crm_score_successes(score);
	failures = crm_score_failures(score);
	if (successes < 0 || failures < 0 || successes > INT64_MAX - failures)
		return "The counts of observations must not be negative, nor their sum beyond 64 bits.";
	if (cells > successes + failures)
		return "There are more cells than observations.";
	first = cell_index(CRM_TIME_MIN / half_life - 1);
	last = cell_index((CRM_TIME_END - 1) / half_life);
	for (int i = 0; i < cells; i++)
	{
		int32_t		index;
		CrmSum		s,
					f;

		crm_score_cell(score, i, &index, &s, &f);
		if (index < first || index > last)
			return "A cell lies outside of the calendar.";
		if (i > 0 && index <= before)
			return "The cells do not ascend.";
		if (s == 0 && f == 0)
			return "A cell is empty.";
		any_success |= s > 0;
		any_failure |= f > 0;
		before = index;
	}
	if ((successes > 0 && !any_success) || (failures > 0 && !any_failure))
		return "There are observations without a weight.";
	return NULL;
}

/*
 * A weight as a multiple of 2^-32, rounded half up; false if it is none.
 */
static bool
round_weight(double weight, uint64_t *q)
{
	if (!(weight >= 0 && weight <= CRM_WEIGHT_MAX))
		return false;
	*q = (uint64_t) (weight * 4294967296.0 + 0.5);
	return true;
}

/*
 * The score of one observation: at most one cell, so the caller gives
 * CRM_SCORE_SIZE(1) bytes.
 *
 * success and failure are the weights, 0 to CRM_WEIGHT_MAX; at is in
 * microseconds since 2000, half_life in microseconds.  An observation counts
 * as a success if success >= failure, else as a failure; one whose weights
 * both round to 0 says nothing and is not counted.
 */
CrmScoreStatus
crm_score_event(double success, double failure, int64_t at, int64_t half_life,
				unsigned char *score, int *cells)
{
	uint64_t	s,
				f,
				m;
	int64_t		whole;
	int32_t		index;
	int			shift;

	if (!round_weight(success, &s) || !round_weight(failure, &f))
		return CRM_SCORE_BAD_WEIGHT;
	if (half_life < CRM_HALF_LIFE_MIN || half_life > CRM_HALF_LIFE_MAX)
		return CRM_SCORE_BAD_HALF_LIFE;
	if (at < CRM_TIME_MIN || at >= CRM_TIME_END)
		return CRM_SCORE_BAD_TIME;
	if (s == 0 && f == 0)
	{
		crm_score_start(score, half_life, 0, 0);
		*cells = 0;
		return CRM_SCORE_OK;
	}
	whole = split_time(at, half_life, &m);
	index = cell_index(whole);
	shift = (int) (whole - (int64_t) index * CELL_HALF_LIVES);
	crm_score_start(score, half_life, s >= f, s < f);
	crm_score_set_cell(score, 0, index, ((CrmSum) s * m) << shift, ((CrmSum) f * m) << shift);
	*cells = 1;
	return CRM_SCORE_OK;
}

/*
 * The position of the cell with this index, or -1.  Looks at the newest cell
 * first, since contacts arrive more or less in the order of time.
 */
static int
find_cell(const unsigned char *score, int cells, int32_t index)
{
	int			low = 0,
				high = cells - 1;

	if (cells == 0)
		return -1;
	if (get_index(cell_at(score, high)) == index)
		return high;
	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int32_t		there = get_index(cell_at(score, middle));

		if (there == index)
			return middle;
		if (there < index)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/*
 * Adds b to a where it lies, which works when a has all the cells of b;
 * otherwise CRM_SCORE_GROW, with a untouched.  After CRM_SCORE_OVERFLOW the
 * cells of a are partly added: the caller reports an error and gives a up.
 */
CrmScoreStatus
crm_score_add_in_place(unsigned char *a, int a_cells, const unsigned char *b, int b_cells)
{
	int64_t		successes,
				failures,
				total;

	if (crm_score_half_life(a) != crm_score_half_life(b))
		return CRM_SCORE_OTHER_HALF_LIFE;
	for (int i = 0; i < b_cells; i++)
		if (find_cell(a, a_cells, get_index(cell_at(b, i))) < 0)
			return CRM_SCORE_GROW;
	if (__builtin_add_overflow(crm_score_successes(a), crm_score_successes(b), &successes) ||
		__builtin_add_overflow(crm_score_failures(a), crm_score_failures(b), &failures) ||
		__builtin_add_overflow(successes, failures, &total))
		return CRM_SCORE_OVERFLOW;
	for (int i = 0; i < b_cells; i++)
	{
		const unsigned char *from = cell_at(b, i);
		unsigned char *to = a + CRM_SCORE_SIZE(find_cell(a, a_cells, get_index(from)));

		for (int part = 0; part <= 16; part += 16)
		{
			CrmSum		sum;

			if (__builtin_add_overflow(get_sum(to + part), get_sum(from + part), &sum))
				return CRM_SCORE_OVERFLOW;
			memcpy(to + part, &sum, 16);
		}
	}
	memcpy(a + OFFSET_SUCCESSES, &successes, sizeof(successes));
	memcpy(a + OFFSET_FAILURES, &failures, sizeof(failures));
	return CRM_SCORE_OK;
}

/*
 * The sum of two scores of the same half-life, written to a buffer of
 * CRM_SCORE_SIZE(a_cells + b_cells) bytes that is neither of them.
 */
CrmScoreStatus
crm_score_add(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells,
			  unsigned char *sum, int *cells)
{
	int64_t		successes,
				failures,
				total;
	int			i = 0,
				j = 0,
				n = 0;

	if (crm_score_half_life(a) != crm_score_half_life(b))
		return CRM_SCORE_OTHER_HALF_LIFE;
	if (__builtin_add_overflow(crm_score_successes(a), crm_score_successes(b), &successes) ||
		__builtin_add_overflow(crm_score_failures(a), crm_score_failures(b), &failures) ||
		__builtin_add_overflow(successes, failures, &total))
		return CRM_SCORE_OVERFLOW;
	crm_score_start(sum, crm_score_half_life(a), successes, failures);
	while (i < a_cells || j < b_cells)
	{
		const unsigned char *p = cell_at(a, i);
		const unsigned char *q = cell_at(b, j);
		int32_t		index;
		CrmSum		s = 0,
					f = 0;

		/* The lower index of the two; both, if they are equal. */
		if (j >= b_cells || (i < a_cells && get_index(p) < get_index(q)))
			index = get_index(p);
		else
			index = get_index(q);
		if (i < a_cells && get_index(p) == index)
		{
			s = get_sum(p);
			f = get_sum(p + 16);
			i++;
		}
		if (j < b_cells && get_index(q) == index)
		{
			if (__builtin_add_overflow(s, get_sum(q), &s) ||
				__builtin_add_overflow(f, get_sum(q + 16), &f))
				return CRM_SCORE_OVERFLOW;
			j++;
		}
		crm_score_set_cell(sum, n++, index, s, f);
	}
	if (n > CRM_SCORE_MAX_CELLS)
		return CRM_SCORE_TOO_LONG;
	*cells = n;
	return CRM_SCORE_OK;
}

/*
 * a without b, written to a buffer of CRM_SCORE_SIZE(a_cells) bytes that is
 * neither of them.  Refused if b is not a part of a: if a count or a sum fell
 * below zero, or observations were left without a weight or the reverse.
 */
CrmScoreStatus
crm_score_subtract(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells,
				   unsigned char *difference, int *cells)
{
	int64_t		successes,
				failures;
	int			j = 0,
				n = 0;
	bool		any_success = false,
				any_failure = false;

	if (crm_score_half_life(a) != crm_score_half_life(b))
		return CRM_SCORE_OTHER_HALF_LIFE;
	successes = crm_score_successes(a) - crm_score_successes(b);
	failures = crm_score_failures(a) - crm_score_failures(b);
	if (successes < 0 || failures < 0)
		return CRM_SCORE_NOT_CONTAINED;
	crm_score_start(difference, crm_score_half_life(a), successes, failures);
	for (int i = 0; i < a_cells; i++)
	{
		int32_t		index;
		CrmSum		s,
					f;

		crm_score_cell(a, i, &index, &s, &f);
		if (j < b_cells && get_index(cell_at(b, j)) == index)
		{
			const unsigned char *q = cell_at(b, j++);

			if (__builtin_sub_overflow(s, get_sum(q), &s) ||
				__builtin_sub_overflow(f, get_sum(q + 16), &f))
				return CRM_SCORE_NOT_CONTAINED;
			if (s == 0 && f == 0)
				continue;
		}
		any_success |= s > 0;
		any_failure |= f > 0;
		crm_score_set_cell(difference, n++, index, s, f);
	}
	if (j < b_cells || n > successes + failures ||
		(successes > 0 && !any_success) || (failures > 0 && !any_failure))
		return CRM_SCORE_NOT_CONTAINED;
	*cells = n;
	return CRM_SCORE_OK;
}

/*
 * The decayed weights of successes and failures at a time, as doubles.
 *
 * The mantissa of the time is computed like that of an observation, so that
 * an observation of weight 1 is worth exactly 1 at its own time.  Observations
 * after that time weigh more than they did; CRM_SCORE_OVERFLOW if a sum leaves
 * the range of double.
 */
CrmScoreStatus
crm_score_value(const unsigned char *score, int cells, int64_t at, double *successes, double *failures)
{
	int64_t		half_life = crm_score_half_life(score);
	int64_t		whole;
	uint64_t	m;
	double		s = 0,
				f = 0;

	if (at < CRM_TIME_MIN || at >= CRM_TIME_END)
		return CRM_SCORE_BAD_TIME;
	whole = split_time(at, half_life, &m);
	for (int i = cells - 1; i >= 0; i--)
	{
		const unsigned char *cell = cell_at(score, i);
		int64_t		exponent = (int64_t) get_index(cell) * CELL_HALF_LIVES - whole - WEIGHT_BITS;

		/* From here on everything is nothing, even 128 bits of it. */
		if (exponent < -1400)
			break;
		if (exponent > 1100)
			exponent = 1100;
		s += ldexp((double) get_sum(cell) / (double) m, (int) exponent);
		f += ldexp((double) get_sum(cell + 16) / (double) m, (int) exponent);
	}
	if (!isfinite(s) || !isfinite(f))
		return CRM_SCORE_OVERFLOW;
	*successes = s;
	*failures = f;
	return CRM_SCORE_OK;
}

#define COMPARE(x, y) do { if ((x) != (y)) return (x) < (y) ? -1 : 1; } while (0)

/*
 * A total order that means nothing in particular: half-life, counts, then
 * cell by cell, then the number of cells.  Equal if and only if the bytes are.
 */
int
crm_score_compare(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells)
{
	COMPARE(crm_score_half_life(a), crm_score_half_life(b));
	COMPARE(crm_score_successes(a), crm_score_successes(b));
	COMPARE(crm_score_failures(a), crm_score_failures(b));
	for (int i = 0; i < a_cells && i < b_cells; i++)
	{
		const unsigned char *p = cell_at(a, i);
		const unsigned char *q = cell_at(b, i);

		COMPARE(get_index(p), get_index(q));
		COMPARE(get_sum(p), get_sum(q));
		COMPARE(get_sum(p + 16), get_sum(q + 16));
	}
	COMPARE(a_cells, b_cells);
	return 0;
}

static char *
print_hex(char *text, CrmSum v)
{
	int			digits = 1;

	while (digits < 32 && v >> (4 * digits) != 0)
		digits++;
	for (int i = digits - 1; i >= 0; i--)
		*text++ = "0123456789abcdef"[(unsigned) (v >> (4 * i)) & 15];
	return text;
}

/*
 * The text of a score, CRM_SCORE_TEXT_SIZE(cells) bytes at most:
 *
 *		31449600s 3/1 [0:1ac3f000000/0 1:7f0000000/3a0000000]
 *
 * half-life in seconds, counts of successes and failures, and the cells, each
 * as index, sum of successes and sum of failures, the sums in hexadecimal.
 */
void
crm_score_print(const unsigned char *score, int cells, char *text)
{
	int64_t		half_life = crm_score_half_life(score);
	int			micro = (int) (half_life % 1000000);

	text += sprintf(text, "%lld", (long long) (half_life / 1000000));
	if (micro != 0)
	{
		text += sprintf(text, ".%06d", micro);
		while (text[-1] == '0')
			text--;
	}
	text += sprintf(text, "s %lld/%lld [", (long long) crm_score_successes(score),
					(long long) crm_score_failures(score));
	for (int i = 0; i < cells; i++)
	{
		int32_t		index;
		CrmSum		s,
					f;

		crm_score_cell(score, i, &index, &s, &f);
		if (i > 0)
			*text++ = ' ';
		text += sprintf(text, "%d:", (int) index);
		text = print_hex(text, s);
		*text++ = '/';
		text = print_hex(text, f);
	}
	strcpy(text, "]");
}

/*
 * How many cells a text can have at most.
 */
int
crm_score_parse_bound(const char *text)
{
	int			colons = 0;

	for (; *text != '\0' && colons < CRM_SCORE_MAX_CELLS; text++)
		colons += *text == ':';
	return colons;
}

static void
skip_space(const char **text)
{
	while (**text == ' ' || **text == '\t' || **text == '\n' || **text == '\r')
		(*text)++;
}

static bool
take(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Decimal digits, at least one; false as well when 63 bits do not hold them. */
static bool
take_decimal(const char **text, int64_t *v)
{
	if (**text < '0' || **text > '9')
		return false;
	for (*v = 0; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(*v, 10, v) || __builtin_add_overflow(*v, **text - '0', v))
			return false;
	return true;
}

/* Hexadecimal digits, at least one; false as well when 128 bits do not hold them. */
static bool
take_hex(const char **text, CrmSum *v)
{
	const char *start = *text;

	for (*v = 0;; (*text)++)
	{
		char		c = **text;
		int			digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			break;
		if (*v >> 124 != 0)
			return false;
		*v = *v << 4 | (unsigned) digit;
	}
	return *text > start;
}

/* The half-life: seconds with up to six decimals, and an s. */
static bool
take_half_life(const char **text, int64_t *half_life)
{
	int64_t		seconds,
				micro = 0;

	if (!take_decimal(text, &seconds))
		return false;
	if (take(text, '.'))
	{
		const char *start = *text;
		int			digits;

		if (!take_decimal(text, &micro))
			return false;
		digits = (int) (*text - start);
		if (digits > 6)
			return false;
		for (; digits < 6; digits++)
			micro *= 10;
	}
	return take(text, 's') &&
		!__builtin_mul_overflow(seconds, 1000000, half_life) &&
		!__builtin_add_overflow(*half_life, micro, half_life);
}

/*
 * Reads the text of a score into CRM_SCORE_SIZE(crm_score_parse_bound(text))
 * bytes.  Returns NULL, or what is wrong as a sentence for the error's detail.
 */
const char *
crm_score_parse(const char *text, unsigned char *score, int *cells)
{
	static const char *const form =
		"The form is: half-life in seconds, counts, cells, as in \"31449600s 3/1 [0:1ac3f000000/0]\".";
	int			bound = crm_score_parse_bound(text);
	int64_t		half_life,
				successes,
				failures;
	int			n = 0;

	skip_space(&text);
	if (!take_half_life(&text, &half_life) || *text != ' ')
		return form;
	skip_space(&text);
	if (!take_decimal(&text, &successes) || !take(&text, '/') || !take_decimal(&text, &failures))
		return form;
	skip_space(&text);
	if (!take(&text, '['))
		return form;
	skip_space(&text);
	while (!take(&text, ']'))
	{
		int64_t		index;
		CrmSum		s,
					f;
		bool		negative = take(&text, '-');

		if (!take_decimal(&text, &index) || index > INT32_MAX || !take(&text, ':') ||
			!take_hex(&text, &s) || !take(&text, '/') || !take_hex(&text, &f))
			return form;
		if (*text != ' ' && *text != ']')
			return form;
		skip_space(&text);
		if (n >= bound)
			return "It has too many cells.";
		crm_score_set_cell(score, n++, (int32_t) (negative ? -index : index), s, f);
	}
	skip_space(&text);
	if (*text != '\0')
		return form;
	crm_score_start(score, half_life, successes, failures);
	*cells = n;
	return crm_score_fault(score, CRM_SCORE_SIZE(n));
}
