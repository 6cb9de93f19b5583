/* build: src/customer_web_math.c src/customer_domain_math.c src/customer_text_math.c -lidn2 */
/*
 * Unit tests of customer_web_math.c: only scheme and host are folded, and what
 * is read is stable under reading again, whatever the input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "customer_web_math.h"
#include "tap.h"

/* In memory of exactly the promised size, so that a sanitizer sees what lies beyond. */
static bool
reads_as(const char *input, const char *expected)
{
	size_t		length = strlen(input);
	char	   *exact = malloc(length > 0 ? length : 1),
			   *url = malloc(CRM_WEB_SIZE(length));
	bool		same;

	memcpy(exact, input, length);
	same = crm_web_read(exact, length, url) == NULL ? expected != NULL && strcmp(url, expected) == 0 : expected == NULL;
	if (!same)
		printf("# %s gives %s\n", input, url);
	free(exact);
	free(url);
	return same;
}

static bool
stable(const char *input, size_t length, bool *accepted)
{
	char	   *once = malloc(CRM_WEB_SIZE(length)),
			   *twice;
	bool		same = true;

	*accepted = crm_web_read(input, length, once) == NULL;
	if (*accepted)
	{
		twice = malloc(CRM_WEB_SIZE(strlen(once)));
		same = crm_web_read(once, strlen(once), twice) == NULL && strcmp(once, twice) == 0;
		if (!same)
			printf("# %.*s gives %s, then %s\n", (int) length, input, once, twice);
		free(twice);
	}
	free(once);
	return same;
}

int
main(void)
{
	static const char *const samples[] = {
		"https://Ann:Secret@Example.org:8080/Path?Query=A#Part", "HTTP://B\xc3\xbc" "cher.example:80", "//Example.org/X",
		"Www.Example.org/Path", "mailto:Ann@Example.org", "http://[2001:DB8::1]:443/", "app://Some_Host/", "Visitor 17", "ftp://x.y:21?z"
	};
	bool		all = true,
				accepted;
	long		good = 0;

	ok(reads_as("HTTPS://WWW.Example.ORG/Path/File?Query=A#Part", "https://www.example.org/Path/File?Query=A#Part"),
	   "scheme and host are folded, path, query and fragment kept");
	ok(reads_as("http://example.org:80/A", "http://example.org/A") && reads_as("https://example.org:0443/A", "https://example.org/A") &&
	   reads_as("https://example.org:80/A", "https://example.org:80/A") && reads_as("http://example.org:/A", "http://example.org/A") &&
	   reads_as("http://example.org:0/A", "http://example.org:0/A"), "the scheme's own port is dropped, another kept");
	ok(reads_as("https://B\xc3\x9c" "CHER.Example/B\xc3\x9c" "CHER", "https://xn--bcher-kva.example/B\xc3\x9c" "CHER") &&
	   reads_as("https://xn--zva.example/", "https://xn--zva.example/"), "a host is brought to ASCII");
	ok(reads_as("HTTP://Example.org", "http://example.org/") && reads_as("http://example.org.?Q", "http://example.org/?Q") &&
	   reads_as("http://example.org#A", "http://example.org/#A"), "an empty path is that of the root");
	ok(reads_as("http://Ann:Secret@Example.org/", "http://Ann:Secret@example.org/") && reads_as("http://a@b@Example.org/", "http://a@b@example.org/"),
	   "user and password are kept");
	ok(reads_as("http://[2001:DB8::1]:80/A", "http://[2001:db8::1]/A") && reads_as("http://192.0.2.1/A", "http://192.0.2.1/A") &&
	   reads_as("http://my_host.Example/A", "http://my_host.example/A"), "hosts may be addresses, and have _");
	ok(reads_as("Www.Example.org/Path", "www.example.org/Path") && reads_as("Www.B\xc3\xbc" "cher.example:8080/Path", "www.xn--bcher-kva.example:8080/Path") &&
	   reads_as("Example.org:8080/Path", "example.org:8080/Path") && reads_as("//Example.org/Path", "//example.org/Path"), "so they may without a scheme");
	ok(reads_as("Visitor 17", "Visitor 17") && reads_as("URN:Isbn:X", "urn:Isbn:X") && reads_as("file:///C:/A", "file:///C:/A") &&
	   reads_as("App://Some Thing", "app://Some Thing") && reads_as("Ann@Example.org", "Ann@Example.org"), "what has no host is kept");
	ok(reads_as("http:///path", NULL) && reads_as("https:example.org", NULL) && reads_as("http://", NULL) && reads_as("http://a b/", NULL) &&
	   reads_as("http://a..b/", NULL) && reads_as("http://a:x/", NULL) && reads_as("http://a:65536/", NULL) && reads_as("http://[::1/", NULL) &&
	   reads_as("http://[::1]x/", NULL) && reads_as("http://%41/", NULL) && reads_as("http://xn--6a.example/", NULL), "what is no web address is refused");

	for (long round = 0; round < 300000; round++)
	{
		char		input[128];
		const char *sample = samples[random_below(sizeof(samples) / sizeof(samples[0]))];
		size_t		length = strlen(sample);

		memcpy(input, sample, length);
		for (unsigned changes = random_below(4); changes > 0; changes--)
		{
			unsigned	at = length > 0 ? random_below((unsigned) length) : 0;

			switch (random_below(3))
			{
				case 0:
					if (length > 0)
						memmove(input + at, input + at + 1, --length - at);
					break;
				case 1:
					memmove(input + at + 1, input + at, length++ - at);
					input[at] = ":/?#@[].-_%aZ0 \xc3\xbc"[random_below(17)];
					break;
				case 2:
					if (length > 0)
						input[at] = (char) (1 + random_below(255));
			}
		}
		all &= stable(input, length, &accepted);
		good += accepted;
	}
	ok(all, "300,000 bent addresses are refused or stable");
	ok(good > 30000 && good < 290000, "some of them are refused and some are not");

	return done_testing();
}
