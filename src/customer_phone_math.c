/*-------------------------------------------------------------------------
 *
 * customer_phone_math.c
 *	  Reading telephone numbers in international form, without a server.
 *
 * A number is what E.164 says: a country code and a national number, at most
 * 15 digits together.  Which of them are in use is another question, whose
 * answer changes from month to month; it is libphonenumber's
 * (customer_phone_shim.cpp), and never asked of a value that is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_phone_math.h"

#include <string.h>

#include "customer_text_math.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Any octet beyond ASCII belongs to some letter. */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char) c >= 0x80;
}

/*
 * How many octets of a separator stand at p, or 0.  Spaces and dashes are
 * those of Unicode too, and invisible marks are skipped like them: that is
 * what web pages and address books put around and between digits.
 */
static int
separator(const char *p, const char *end)
{
	int			length;
	uint32_t	c = crm_text_character(p, end, &length);

	if (c == '.' || c == '/' || c == '(' || c == ')')
		return 1;
	if ((c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029)
		return 0;
	if ((length = crm_text_space(p, end)) > 0 || (length = crm_text_dash(p, end)) > 0)
		return length;
	return crm_text_mark(p, end);
}

/*
 * Is the 0 in "+49 (0)211" the trunk prefix, which is not dialled from abroad?
 * In a few countries the leading 0 belongs to the number itself: by the
 * numbering plans that libphonenumber knows, those without a trunk prefix whose
 * fixed or mobile numbers begin with 0, and Benin, whose numbers begin with 01
 * since November 2024.
 */
static bool
is_trunk_prefix(int64_t country_code)
{
	switch (country_code)
	{
		case 39:				/* Italy, Vatican */
		case 225:				/* Ivory Coast */
		case 226:				/* Burkina Faso */
		case 229:				/* Benin */
		case 241:				/* Gabon */
		case 242:				/* Congo */
		case 378:				/* San Marino */
		case 379:				/* Vatican */
		case 992:				/* Tajikistan */
			return false;
		default:
			return true;
	}
}

/*
 * Reads "+49 (211) 123-456" or "tel:+49-211-123456".  Returns null, or what is
 * wrong with the input, as the rest of a sentence.
 */
const char *
crm_phone_parse(const char *input, int64_t *phone)
{
	const char *p = input;
	const char *end = input + strlen(input);
	int			digits = 0;
	int			length;

	if (end - input > CRM_PHONE_INPUT_MAX)
		return "it is too long";
	crm_text_trim(&p, &end);
	if (end - p >= 4 && (p[0] == 't' || p[0] == 'T') && (p[1] == 'e' || p[1] == 'E') && (p[2] == 'l' || p[2] == 'L') && p[3] == ':')
	{
		p += 4;
		crm_text_trim(&p, &end);
	}
	if (p == end)
		return "it is empty";
	if (*p != '+')
		return "it does not begin with + and a country code";
	p++;
	*phone = 0;
	for (; p < end; p += length)
	{
		length = 1;
		if (is_digit(*p))
		{
			if (digits == 0 && *p == '0')
				return "no country code begins with 0";
			if (*p == '0' && p[-1] == '(' && p[1] == ')' && digits <= 3 && is_trunk_prefix(*phone))
				continue;
			if (++digits > 15)
				return "it has more than 15 digits";
			*phone = *phone * 10 + (*p - '0');
		}
		else if (*p >= '\n' && *p <= '\r')
			return "it has a line break in it";
		else if ((length = separator(p, end)) == 0)
			return "it has a character that is no digit and no separator";
	}
	if (digits < 7)
		return "it has fewer than 7 digits";
	return NULL;
}

void
crm_phone_print(int64_t phone, char *text)
{
	char		digits[16];
	int			n = 0;

	for (; phone > 0; phone /= 10)
		digits[n++] = '0' + (char) (phone % 10);
	*text++ = '+';
	while (n > 0)
		*text++ = digits[--n];
	*text = '\0';
}

/*
 * Takes the digits, and a leading +, out of a number as people write it:
 * "Tel.: 0211/123456 (abends)".  Words may stand before and behind, but a
 * letter that touches a digit may be a mistyped digit, and digits in two
 * places, as of an extension, are not guessed at.  "cleaned" has room for
 * CRM_PHONE_INPUT_MAX + 1 octets; *first_group is how many digits stand before
 * the first separator.  Returns null, or what is wrong.
 */
const char *
crm_phone_clean(const char *input, char *cleaned, int *first_group)
{
	const char *p = input;
	const char *end = input + strlen(input);
	size_t		n = 0;
	int			digits = 0;
	int			length;
	int64_t		value = 0;
	bool		touched = false;

	*first_group = 0;
	if (end - input > CRM_PHONE_INPUT_MAX)
		return "it is too long";
	crm_text_trim(&p, &end);
	for (; p < end && !is_digit(*p) && *p != '+'; p += length)
	{
		length = separator(p, end);
		touched = length == 0 && is_letter(*p);
		if (length == 0)
			length = 1;
	}
	if (p < end && is_digit(*p) && touched)
		return "a letter touches a digit";
	if (p < end && *p == '+')
		cleaned[n++] = *p++;
	touched = false;
	for (; p < end && (is_digit(*p) || separator(p, end) > 0); p += length)
	{
		length = 1;
		touched = is_digit(*p);
		if (!touched)
		{
			length = separator(p, end);
			if (*first_group == 0)
				*first_group = digits;
			continue;
		}
		/* a trunk prefix in brackets goes only with a country code before it */
		if (*p == '0' && p > input && p[-1] == '(' && p[1] == ')' &&
			digits > 0 && digits <= 5 && is_trunk_prefix(value))
			continue;
		cleaned[n++] = *p;
		value = digits < 6 ? value * 10 + (*p - '0') : value;
		digits++;
	}
	cleaned[n] = '\0';
	if (*first_group == 0)
		*first_group = digits;
	if (digits == 0)
		return "it has no digits";
	if (p < end && is_letter(*p) && touched)
		return "a letter touches a digit";
	for (; p < end; p++)
		if (is_digit(*p) || *p == '+')
			return "it has digits in two places";
	return NULL;
}
