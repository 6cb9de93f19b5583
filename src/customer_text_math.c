/*-------------------------------------------------------------------------
 *
 * customer_text_math.c
 *	  White space, dashes and invisible marks of Unicode, without a server.
 *
 * Addresses are pasted from web pages, letters and address books, which put
 * no-break spaces between groups of digits, typographic dashes for hyphens,
 * and marks of direction around numbers.  The lists are fixed ones: what an
 * address means must not change with a version of Unicode.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_text_math.h"

/*
 * The character at p in UTF-8 and its length in octets.  What is no sequence
 * of UTF-8 is taken octet by octet, as UINT32_MAX.
 */
uint32_t
crm_text_character(const char *p, const char *end, int *length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char) *p;
	int			n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
	uint32_t	value = n <= 1 ? c : c & (0x7f >> n);

	*length = 1;
	if (n == 0 || end - p < n)
		return UINT32_MAX;
	for (int i = 1; i < n; i++)
	{
		if (((unsigned char) p[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		value = value << 6 | ((unsigned char) p[i] & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return UINT32_MAX;
	*length = n;
	return value;
}

/* How many octets of white space stand at p (one character of it), or 0. */
int
crm_text_space(const char *p, const char *end)
{
	int			length;
	uint32_t	c;

	if (p == end)
		return 0;
	c = crm_text_character(p, end, &length);
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
		c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 ? length : 0;
}

/*
 * How many octets of an invisible character stand at p, or 0: soft hyphen,
 * zero-width space, word joiner, byte order mark, marks of direction, control
 * characters beyond ASCII.  The joiners U+200C and U+200D are not among them: they make other words.
 */
int
crm_text_mark(const char *p, const char *end)
{
	int			length;
	uint32_t	c;

	if (p == end)
		return 0;
	c = crm_text_character(p, end, &length);
	return (c >= 0x80 && c < 0xa0 && c != 0x85) || c == 0xad || c == 0x61c || c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
		c == 0x2060 || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ? length : 0;
}

/* How many octets of a hyphen, dash or minus stand at p, or 0. */
int
crm_text_dash(const char *p, const char *end)
{
	int			length;
	uint32_t	c;

	if (p == end)
		return 0;
	c = crm_text_character(p, end, &length);
	return c == '-' || (c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xfe63 || c == 0xff0d ? length : 0;
}

/* Leaves out white space and invisible marks at both ends. */
void
crm_text_trim(const char **p, const char **end)
{
	int			length;

	while ((length = crm_text_space(*p, *end)) > 0 || (length = crm_text_mark(*p, *end)) > 0)
		*p += length;
	while (*end > *p)
	{
		const char *last = *end - 1;

		while (last > *p && *end - last < 4 && ((unsigned char) *last & 0xc0) == 0x80)
			last--;
		if (crm_text_space(last, *end) != *end - last && crm_text_mark(last, *end) != *end - last)
			return;
		*end = last;
	}
}
