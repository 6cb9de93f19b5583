/* build: src/customer_email_math.c -lidn2 */
/*
 * Unit tests of customer_email_math.c: what is read is stable under reading
 * again, whatever the input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "customer_email_math.h"

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

/* Accepted input must be accepted again as stored, and stay what it is. */
static bool
stable(const char *input, size_t length, bool *accepted)
{
	char		once[CRM_EMAIL_MAX + 1],
				twice[CRM_EMAIL_MAX + 1];
	size_t		local,
				local_again;

	*accepted = crm_email_parse(input, length, once, &local) == NULL;
	if (!*accepted)
		return true;
	return strlen(once) <= CRM_EMAIL_MAX && local <= CRM_EMAIL_LOCAL_MAX && once[local] == '@' &&
		crm_email_at(once, strlen(once)) == local &&
		crm_email_parse(once, strlen(once), twice, &local_again) == NULL &&
		local == local_again && strcmp(once, twice) == 0 &&
		crm_email_compare(once, strlen(once), twice, strlen(twice)) == 0;
}

int
main(void)
{
	static const char *const samples[] = {
		"ann@example.org", "Ann.B+c@Sub.Example.CO.uk", "\"ann example\"@example.org", "\"a\\\"b\"@x.de",
		"jos\xc3\xa9@stra\xc3\x9f" "e.de", "a@xn--strae-oqa.de", "!#$%&'*+-/=?^_`{|}~@e-x.org", " x@y.zz "
	};
	bool		all = true,
				accepted;
	long		good = 0;

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
	{
		all &= stable(samples[i], strlen(samples[i]), &accepted);
		all &= accepted;
	}
	ok(all, "the samples are addresses, and stay what they are when read again");

	all = true;
	for (long round = 0; round < 300000; round++)
	{
		char		input[400];
		const char *sample = samples[next(sizeof(samples) / sizeof(samples[0]))];
		size_t		length = strlen(sample);

		memcpy(input, sample, length);
		for (unsigned changes = next(4); changes > 0; changes--)
		{
			unsigned	at = length > 0 ? next((unsigned) length) : 0;

			switch (next(4))
			{
				case 0:
					if (length > 0)
						memmove(input + at, input + at + 1, --length - at);
					break;
				case 1:
					memmove(input + at + 1, input + at, length++ - at);
					input[at] = "@.\"\\<>()[] -_aZ0\xc3\x9f"[next(18)];
					break;
				case 2:
					if (length > 0)
						input[at] = (char) next(256);
					break;
				case 3:
					for (unsigned n = next(70); n > 0 && length < 390; n--)
					{
						memmove(input + at + 1, input + at, length++ - at);
						input[at] = 'q';
					}
			}
		}
		all &= stable(input, length, &accepted);
		good += accepted;
	}
	ok(all, "300,000 bent addresses are refused or stable");
	ok(good > 30000 && good < 270000, "some of them are refused and some are not");

	all = true;
	for (long round = 0; round < 200000; round++)
	{
		char		input[64];
		size_t		length = next(sizeof(input));

		for (size_t i = 0; i < length; i++)
			input[i] = (char) next(256);
		all &= stable(input, length, &accepted);
	}
	ok(all, "200,000 strings of random octets are refused or stable");

	printf("1..%d\n", tests);
	return failures > 0;
}
