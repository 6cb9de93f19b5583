/* build: src/customer_phone_math.c */
/*
 * Unit tests of customer_phone_math.c: what is read is stable under reading
 * again, whatever the input; what is cleaned is digits of the input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "customer_phone_math.h"

static int	tests = 0,
			failures = 0;

static void
ok(bool passed, const char *what)
{
	printf("%s %d - %s\n", passed ? "ok" : "not ok", ++tests, what);
	failures += !passed;
}

static unsigned long long seed = 88172645463325252ULL;

static unsigned
next(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned) (seed % below);
}

static bool
reads_as(const char *input, int64_t expected)
{
	int64_t		phone;

	return crm_phone_parse(input, &phone) == NULL && phone == expected;
}

static bool
cleans_as(const char *input, const char *expected, int expected_group)
{
	char		cleaned[CRM_PHONE_INPUT_MAX + 1];
	int			group;

	return crm_phone_clean(input, cleaned, &group) == NULL && strcmp(cleaned, expected) == 0 && group == expected_group;
}

static bool
is_refused(const char *input)
{
	char		cleaned[CRM_PHONE_INPUT_MAX + 1];
	int			group;

	return crm_phone_clean(input, cleaned, &group) != NULL;
}

int
main(void)
{
	bool		all = true;
	long		good = 0;

	ok(reads_as("+49 (0)211/123-456", 49211123456) && reads_as("TEL:+1.212.555.0123", 12125550123), "numbers in international form");
	ok(reads_as("+39 (0)6 1234 5678", 390612345678), "Italy's 0 belongs to the number");
	ok(reads_as("+1 212 555 (0)123", 12125550123) && cleans_as("+1 212 555 (0)123", "+12125550123", 1),
	   "a bracketed 0 is a trunk prefix right behind the country code only");
	ok(reads_as("+1234567", CRM_PHONE_MIN + 234567) && reads_as("+999999999999999", CRM_PHONE_MAX), "7 to 15 digits");
	ok(cleans_as("Tel.: 0211/123456 (abends)", "0211123456", 4), "words before and behind are left out");
	ok(cleans_as("+49 (0)211 123456", "+49211123456", 2) && cleans_as("49 211 123456", "49211123456", 2), "the first group is told");
	ok(cleans_as("+39 (0)6 1234", "+39061234", 2), "Italy's 0 stays");
	ok(is_refused("0211 12345O") && is_refused("X0211 12345") && is_refused("0211 12345\xc3\xb6"), "a letter that touches a digit is refused");
	ok(is_refused("0211 123456 Durchwahl 12") && is_refused("abends") && is_refused(""), "digits in two places, or none, are refused");

	for (long round = 0; round < 500000; round++)
	{
		static const char characters[] = "+0123456789 ()-./telTEL:\n\t\xc3\xb6x";
		char		input[48],
					text[CRM_PHONE_TEXT_SIZE],
					cleaned[CRM_PHONE_INPUT_MAX + 1];
		size_t		length = next(sizeof(input));
		int64_t		phone,
					again;
		int			group;

		for (size_t i = 0; i < length; i++)
			input[i] = next(8) == 0 ? characters[next(sizeof(characters) - 1)] : "0123456789"[next(10)];
		if (next(2) && length > 0)
			input[0] = '+';
		if (length > 18 && next(2))
			length = 18;
		input[length < sizeof(input) ? length : sizeof(input) - 1] = '\0';
		if (crm_phone_parse(input, &phone) == NULL)
		{
			good++;
			crm_phone_print(phone, text);
			all &= crm_phone_valid(phone) && crm_phone_parse(text, &again) == NULL && again == phone;
		}
		if (crm_phone_clean(input, cleaned, &group) == NULL)
			all &= strlen(cleaned) <= strlen(input) && group > 0 &&
				strspn(cleaned + (cleaned[0] == '+'), "0123456789") == strlen(cleaned + (cleaned[0] == '+'));
	}
	ok(all, "500,000 random inputs are refused or stable");
	ok(good > 1000 && good < 400000, "some of them are refused and some are not");

	printf("1..%d\n", tests);
	return failures > 0;
}
