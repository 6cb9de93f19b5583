/* build: src/customer_phone_math.c src/customer_text_math.c */
/*
 * Unit tests of customer_phone_math.c: what is read is stable under reading
 * again, whatever the input; what is cleaned is digits of the input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "customer_phone_math.h"
#include "tap.h"

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
	ok(reads_as("+242 (0)6 612 3456", 242066123456) && reads_as("+229 (0)1 97 12 34 56", 2290197123456) &&
	   reads_as("+226 (0)7 00 48 69", 22607004869) && reads_as("+243 (0)81 234 5678", 243812345678) &&
	   cleans_as("00242 (0)6 612 3456", "00242066123456", 5), "so does that of Congo, Benin and Burkina Faso, not that of the other Congo");
	ok(reads_as("+49\xc2\xa0" "211\xe2\x80\xaf" "12\xe2\x80\x89" "34\xe3\x80\x80" "56", 49211123456) &&
	   reads_as("\xe2\x80\xaa+49\xe2\x80\x91" "211\xe2\x80\x93" "123\xe2\x88\x92" "456\xe2\x80\xac", 49211123456) &&
	   cleans_as("Tel.\xc2\xa0" "0211\xe2\x80\x93" "123456\xc2\xa0(abends)", "0211123456", 4) &&
	   cleans_as("\xc2\xa0" "0211\xe2\x80\x8b" "123456", "0211123456", 4), "spaces, dashes and marks of Unicode are separators");
	ok(!reads_as("+49 211\n123456", 49211123456) && is_refused("0211 123456\n0211 654321") && is_refused("0211\xe2\x80\xa8" "123456") &&
	   is_refused("0211 12\xc3\xa9" "3456") && is_refused("\xc3\xa9" "0211 123456"), "line breaks and letters are not");
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
		static const char *const others[] = {"\xc2\xa0", "\xe2\x80\x93", "\xe2\x80\xa8", "\xe2\x80\x8e", "\xef\xbb\xbf", "\xe2\x80"};
		char		input[64],
					text[CRM_PHONE_TEXT_SIZE],
					cleaned[CRM_PHONE_INPUT_MAX + 1];
		size_t		length = random_below(48);
		int64_t		phone,
					again;
		int			group;

		for (size_t i = 0; i < length; i++)
			input[i] = random_below(8) == 0 ? characters[random_below(sizeof(characters) - 1)] : "0123456789"[random_below(10)];
		if (random_below(2) && length > 0)
			input[0] = '+';
		if (length > 18 && random_below(2))
			length = 18;
		input[length] = '\0';
		if (random_below(4) == 0)
		{
			const char *other = others[random_below(sizeof(others) / sizeof(others[0]))];
			size_t		at = random_below((unsigned) length + 1);

			memmove(input + at + strlen(other), input + at, length - at + 1);
			memcpy(input + at, other, strlen(other));
		}
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

	return done_testing();
}
