/* build: src/customer_email_math.c src/customer_domain_math.c src/customer_text_math.c -lidn2 */
/*
 * Unit tests of customer_email_math.c and customer_domain_math.c: what is read
 * is stable under reading again, whatever the input, and what is stored does
 * not depend on the tables of libidn2.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "customer_domain_math.h"
#include "customer_email_math.h"
#include "tap.h"

/* Is the domain read as this one, and shown as that one? */
static bool
domain_is(const char *input, const char *stored, const char *shown)
{
	char		domain[CRM_DOMAIN_INPUT_MAX + 1],
				again[CRM_DOMAIN_INPUT_MAX + 1],
				text[CRM_DOMAIN_UNICODE_MAX + 1];

	if (crm_domain_read(input, strlen(input), CRM_DOMAIN_OF_MAIL, domain) != NULL || strcmp(domain, stored) != 0)
		return false;
	crm_domain_unicode(domain, strlen(domain), text);
	return strcmp(text, shown) == 0 && crm_domain_read(domain, strlen(domain), CRM_DOMAIN_OF_MAIL, again) == NULL &&
		strcmp(domain, again) == 0;
}

static bool
no_domain(const char *input)
{
	char		domain[CRM_DOMAIN_INPUT_MAX + 1];

	return crm_domain_read(input, strlen(input), CRM_DOMAIN_OF_MAIL, domain) != NULL;
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
		"jos\xc3\xa9@stra\xc3\x9f" "e.de", "a@xn--strae-oqa.de", "!#$%&'*+-/=?^_`{|}~@e-x.org", " x@y.zz ",
		"\"a\xc2\xa0" "b\"@example.org", "a@\xe4\xbe\x8b\xe3\x81\x88.xn--zckzah", "\xe2\x80\xaa" "a@example.org\xe2\x80\xac\xc2\xa0"
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
	ok(stable("\"a \xe2\x80\\\x8b" "b\"@x.de", 14, &accepted) && !accepted &&
	   stable("\"\\\xc3\xa9 b\"@x.de", 12, &accepted) && !accepted, "a backslash does not stand before or within a character that is not of ASCII");

	all = true;
	for (long round = 0; round < 300000; round++)
	{
		char		input[400];
		const char *sample = samples[random_below(sizeof(samples) / sizeof(samples[0]))];
		size_t		length = strlen(sample);

		memcpy(input, sample, length);
		for (unsigned changes = random_below(4); changes > 0; changes--)
		{
			unsigned	at = length > 0 ? random_below((unsigned) length) : 0;

			switch (random_below(5))
			{
				case 4:			/* white space, marks and letters of Unicode, whole */
					{
						static const char *const others[] = {"\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x8b", "\xe3\x80\x82", "\xef\xbc\xa1", "\xd7\x90", "xn--"};
						const char *other = others[random_below(sizeof(others) / sizeof(others[0]))];

						memmove(input + at + strlen(other), input + at, length - at);
						memcpy(input + at, other, strlen(other));
						length += strlen(other);
					}
					break;
				case 0:
					if (length > 0)
						memmove(input + at, input + at + 1, --length - at);
					break;
				case 1:
					memmove(input + at + 1, input + at, length++ - at);
					input[at] = "@.\"\\<>()[] -_aZ0\xc3\x9f"[random_below(18)];
					break;
				case 2:
					if (length > 0)
						input[at] = (char) random_below(256);
					break;
				case 3:
					for (unsigned n = random_below(70); n > 0 && length < 390; n--)
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
		size_t		length = random_below(sizeof(input));

		for (size_t i = 0; i < length; i++)
			input[i] = (char) random_below(256);
		all &= stable(input, length, &accepted);
	}
	ok(all, "200,000 strings of random octets are refused or stable");

	ok(domain_is("Stra\xc3\x9f" "e.DE", "xn--strae-oqa.de", "stra\xc3\x9f" "e.de") &&
	   domain_is("XN--FIQS8S", "xn--fiqs8s", "\xe4\xb8\xad\xe5\x9b\xbd") &&
	   domain_is("\xf0\x90\x8c\xb0.example", "xn--ec8c.example", "\xf0\x90\x8c\xb0.example") &&
	   domain_is("a.example.org", "a.example.org", "a.example.org"), "domains are stored in ASCII and shown in their letters");
	/* U+0378 and U+1FAFF are characters of no version of Unicode yet, U+00C4 is a capital: no name now, but Punycode */
	ok(domain_is("xn--zva.example", "xn--zva.example", "xn--zva.example") &&
	   domain_is("xn--4ca.example", "xn--4ca.example", "\xc3\xa4.example") &&
	   domain_is("xn--7ba.example", "xn--7ba.example", "xn--7ba.example"),
	   "what libidn2 of today does not take is kept, and shown as it is");
	ok(no_domain("xn--a.de") && no_domain("xn--.de") && no_domain("xn---foo.de") && no_domain("xn--abc-.de") && no_domain("xn--99999999.de") &&
	   no_domain("xn--strae-oq.de") && no_domain("xn--a_-foo.de") && no_domain("xn--6a.de") && no_domain("xn--zug.de") && no_domain("xn--ab-41t.de") && no_domain("xn--zzzzzzzzzzzzzzzzzzzzz.de"),
	   "what is no Punycode is refused");

	return done_testing();
}
