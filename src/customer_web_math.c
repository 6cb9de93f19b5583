/*-------------------------------------------------------------------------
 *
 * customer_web_math.c
 *	  Reading web addresses, without a server.
 *
 * Two URLs are the same when they differ only in what RFC 3986 6.2 says does
 * not matter anywhere: the case of scheme and host, a host's letters against
 * their ASCII form, the scheme's default port, and an empty path against "/".
 * Path, query and fragment belong to the server and are kept to the octet.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_web_math.h"

#include <stdbool.h>
#include <string.h>

/* Schemes whose addresses have a host, and the port that they stand for. */
static const struct
{
	const char *name;
	unsigned	port;
}			schemes[] = {
	{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* The length of a scheme at p, without its colon, or 0 (RFC 3986 3.1). */
static size_t
scheme_length(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && ((lower(*p) >= 'a' && lower(*p) <= 'z') ||
					   (p > start && (is_digit(*p) || *p == '+' || *p == '-' || *p == '.'))))
		p++;
	return p < end && *p == ':' ? (size_t) (p - start) : 0;
}

/* The first of the octets that end a host, or "end". */
static const char *
span_to(const char *p, const char *end, const char *stops)
{
	while (p < end && (*p == '\0' || strchr(stops, *p) == NULL))
		p++;
	return p;
}

/*
 * Appends host and port at "out"; "port" is the scheme's own, 0 for none.
 * Returns what is wrong with them, or null; *written is how many octets.
 */
static const char *
read_host(const char *p, const char *end, unsigned port, char *out, size_t *written)
{
	const char *host_end;
	char	   *start = out;
	unsigned	number = 0;
	bool		has_port;

	if (p < end && *p == '[')
	{
		/* an address of IPv6 (RFC 3986 3.2.2) */
		host_end = span_to(p, end, "]");
		if (host_end == end || host_end - p < 3 || host_end - p > 64)
			return "the host is not a valid address";
		host_end++;
		for (const char *c = p + 1; c < host_end - 1; c++)
			if (!is_digit(*c) && (lower(*c) < 'a' || lower(*c) > 'f') && *c != ':' && *c != '.')
				return "the host is not a valid address";
		for (; p < host_end; p++)
			*out++ = lower(*p);
	}
	else
	{
		char		domain[CRM_DOMAIN_INPUT_MAX + 1];
		const char *fault;

		host_end = span_to(p, end, ":");
		if (host_end == p)
			return "there is no host";
		fault = crm_domain_read(p, host_end - p - (host_end - p > 1 && host_end[-1] == '.'), CRM_DOMAIN_OF_WEB, domain);
		if (fault != NULL)
			return fault;
		memcpy(out, domain, strlen(domain));
		out += strlen(domain);
	}
	p = host_end;
	if (p < end && *p++ != ':')
		return "the host is not a valid address";
	has_port = p < end;
	for (; p < end; p++)
	{
		if (!is_digit(*p))
			return "the port is not a number";
		number = number * 10 + (unsigned) (*p - '0');
		if (number > 65535)
			return "the port is greater than 65535";
	}
	if (has_port && number != port)
	{
		char		digits[5];
		int			n = 0;

		do
			digits[n++] = (char) ('0' + number % 10);
		while ((number /= 10) > 0);
		*out++ = ':';
		while (n > 0)
			*out++ = digits[--n];
	}
	*written = out - start;
	return NULL;
}

/*
 * Reads an address of the web channel into "url", CRM_WEB_SIZE(length) octets.
 * White space around it must be gone.  An address without a scheme may begin
 * with a host: "www.example.org/Path"; what is neither, such as the name of a
 * visitor, is kept as it is.  Returns null, or what is wrong with the input, as
 * the rest of a sentence.
 */
const char *
crm_web_read(const char *input, size_t length, char *url)
{
	const char *p = input;
	const char *end = input + length;
	size_t		scheme = scheme_length(p, end);
	const char *authority_end;
	const char *host;
	const char *fault;
	unsigned	port = 0;
	bool		has_host = false;
	size_t		written;

	for (size_t i = 0; i < scheme; i++)
		url[i] = lower(p[i]);
	url[scheme] = '\0';
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strcmp(url, schemes[i].name) == 0)
		{
			has_host = true;
			port = schemes[i].port;
		}
	if (scheme > 0 && (end - p < (ptrdiff_t) scheme + 3 || p[scheme + 1] != '/' || p[scheme + 2] != '/'))
	{
		/* no host follows: mailto:, tel:, or "example.org:8080", where the colon is the port's */
		if (has_host)
			return "there is no host";
		memcpy(url + scheme, p + scheme, length - scheme);
		url[length] = '\0';
		return NULL;
	}
	if (scheme > 0)
	{
		memcpy(url + scheme, "://", 3);
		url += scheme + 3;
		p += scheme + 3;
	}
	else if (end - p >= 2 && p[0] == '/' && p[1] == '/')
	{
		memcpy(url, "//", 2);
		url += 2;
		p += 2;
		has_host = true;
	}

	authority_end = span_to(p, end, "/?#");
	if (scheme == 0 && !has_host)
	{
		char	   *start = url;

		if (memchr(p, '.', authority_end - p) == NULL || memchr(p, '@', authority_end - p) != NULL ||
			read_host(p, authority_end, 0, url, &written) != NULL)
			written = 0;
		else
			p = authority_end;
		memcpy(start + written, p, end - p);
		start[written + (end - p)] = '\0';
		return NULL;
	}

	/* user and password, if any, are kept: their case matters */
	host = p;
	for (const char *c = p; c < authority_end; c++)
		if (*c == '@')
			host = c + 1;
	memcpy(url, p, host - p);
	url += host - p;
	p = host;
	if (p < authority_end || has_host)
	{
		fault = read_host(p, authority_end, port, url, &written);
		if (fault == NULL)
		{
			url += written;
			p = authority_end;
		}
		else if (has_host)
			return fault;
		/* what other schemes have in its place is theirs */
	}
	if (port != 0 && (p == end || *p != '/'))
		*url++ = '/';
	memcpy(url, p, end - p);
	url[end - p] = '\0';
	return NULL;
}
