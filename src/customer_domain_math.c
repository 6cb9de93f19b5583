/*-------------------------------------------------------------------------
 *
 * customer_domain_math.c
 *	  Reading domain names, without a server.
 *
 * The stored form of a domain is its lower-case ASCII form.  Names in other
 * letters are turned into it by libidn2 (IDNA 2008 with the mapping of UTS
 * 46, non-transitional), whose tables belong to a version of Unicode.  A name
 * that is ASCII already is never shown to libidn2: what was stored with one
 * version must be accepted, unchanged, with any other, or a dump would not
 * come back.  Labels that begin with xn-- are held to what no version can
 * change: they must be Punycode (RFC 3492) of characters that may stand in a
 * name at all.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_domain_math.h"

#include <idn2.h>
#include <stdint.h>
#include <string.h>

#include "customer_text_math.h"

#define LABEL_MAX 63

/* Is this a character that no version of Unicode allows in a name? */
static bool
is_never_allowed(uint32_t c)
{
	char		octets[3];

	if (c < 0xa0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
		return true;
	/* White space, dashes, invisible marks and the full stops that separate labels. */
	if (c == 0x3002 || c == 0xff0e || c == 0xff61)
		return true;
	if (c >= 0x10000)
		return false;
	if (c < 0x800)
	{
		octets[0] = (char) (0xc0 | c >> 6);
		octets[1] = (char) (0x80 | (c & 0x3f));
		return crm_text_space(octets, octets + 2) > 0 || crm_text_mark(octets, octets + 2) > 0;
	}
	octets[0] = (char) (0xe0 | c >> 12);
	octets[1] = (char) (0x80 | (c >> 6 & 0x3f));
	octets[2] = (char) (0x80 | (c & 0x3f));
	return crm_text_space(octets, octets + 3) > 0 || crm_text_mark(octets, octets + 3) > 0 || crm_text_dash(octets, octets + 3) > 0;
}

/*
 * Decodes what stands behind xn-- (RFC 3492 6.2) into "characters", which has
 * room for LABEL_MAX of them.  Returns how many there are, or 0 when it is no
 * Punycode that an encoder would write.  Each string has one encoding: the
 * state only grows, and digits have no second form once they are small
 * letters.
 */
static int
decode_punycode(const char *p, size_t length, uint32_t *characters)
{
	enum
	{
		BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700
	};
	uint32_t	n = 0x80;
	int64_t		i = 0;
	int			bias = 72,
				out = 0;
	size_t		at = 0;

	if (length == 0 || length > LABEL_MAX)
		return 0;
	for (size_t k = length; k-- > 0;)
		if (p[k] == '-')
		{
			/* the delimiter is written only behind characters */
			if (k == 0)
				return 0;
			for (at = 0; at < k; at++)
				characters[out++] = (unsigned char) p[at];
			at++;
			break;
		}
	if (at == length)
		return 0;
	while (at < length)
	{
		int64_t		old = i,
					weight = 1,
					delta;

		for (int k = BASE;; k += BASE)
		{
			int			threshold = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
			int			digit;

			if (at == length)
				return 0;
			digit = p[at] >= 'a' && p[at] <= 'z' ? p[at] - 'a' : p[at] >= '0' && p[at] <= '9' ? p[at] - '0' + 26 : BASE;
			at++;
			if (digit == BASE)
				return 0;
			i += digit * weight;
			/* more than any sequence of characters can need */
			if (i > INT64_C(0x110000) * (LABEL_MAX + 1))
				return 0;
			if (digit < threshold)
				break;
			weight *= BASE - threshold;
		}
		if (out == LABEL_MAX)
			return 0;
		out++;
		delta = old == 0 ? (i - old) / DAMP : (i - old) / 2;
		delta += delta / out;
		for (bias = 0; delta > (BASE - TMIN) * TMAX / 2; bias += BASE)
			delta /= BASE - TMIN;
		bias += (int) ((BASE - TMIN + 1) * delta / (delta + SKEW));
		n += (uint32_t) (i / out);
		i %= out;
		if (is_never_allowed(n))
			return 0;
		memmove(characters + i + 1, characters + i, (out - 1 - i) * sizeof(uint32_t));
		characters[i++] = n;
	}
	return out;
}

/* Is this a domain name of letters, digits and hyphens (RFC 1123) in its stored form? */
static const char *
check_domain(const char *p, CrmDomainUse use)
{
	size_t		label = 0;
	bool		letter = false;

	for (;; p++)
	{
		if (*p == '.' || *p == '\0')
		{
			uint32_t	characters[LABEL_MAX];

			if (label == 0)
				return "the domain has an empty label";
			if (label > LABEL_MAX)
				return "a label of the domain is longer than 63 octets";
			if (p[-1] == '-')
				return "a label of the domain ends with a hyphen";
			if (label >= 4 && memcmp(p - label, "xn--", 4) == 0 && decode_punycode(p - label + 4, label - 4, characters) == 0)
				return "the domain is not a valid internationalised domain name";
			if (*p == '\0')
				/* an address such as a@1.2.3.4 names no domain */
				return letter || use == CRM_DOMAIN_OF_WEB ? NULL : "the domain is a number";
			label = 0;
			letter = false;
			continue;
		}
		if (*p == '-' && label == 0)
			return "a label of the domain begins with a hyphen";
		if (*p >= 'a' && *p <= 'z')
			letter = true;
		else if (*p != '-' && (*p < '0' || *p > '9') && (*p != '_' || use != CRM_DOMAIN_OF_WEB))
			return "the domain has a character that is not allowed there";
		label++;
	}
}

/*
 * Reads a domain name into "domain", CRM_DOMAIN_INPUT_MAX + 1 octets, in its
 * stored form.  Returns null, or what is wrong with it, as the rest of a
 * sentence.
 */
const char *
crm_domain_read(const char *input, size_t length, CrmDomainUse use, char *domain)
{
	bool		ascii = true;
	const char *fault;

	if (length > CRM_DOMAIN_INPUT_MAX)
		return "the domain is too long";
	for (size_t i = 0; i < length; i++)
	{
		if (input[i] == '\0')
			return "the domain has a character that is not allowed there";
		ascii &= (unsigned char) input[i] < 0x80;
		domain[i] = input[i] >= 'A' && input[i] <= 'Z' ? input[i] + ('a' - 'A') : input[i];
	}
	domain[length] = '\0';
	if (!ascii)
	{
		char	   *encoded = NULL;
		int			result = idn2_lookup_u8((const uint8_t *) domain, (uint8_t **) &encoded,
											IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

		if (result != IDN2_OK || encoded == NULL || strlen(encoded) > CRM_DOMAIN_INPUT_MAX)
		{
			if (encoded != NULL)
				idn2_free(encoded);
			return "the domain is not a valid internationalised domain name";
		}
		length = strlen(encoded);
		for (size_t i = 0; i <= length; i++)
			domain[i] = encoded[i] >= 'A' && encoded[i] <= 'Z' ? encoded[i] + ('a' - 'A') : encoded[i];
		idn2_free(encoded);
	}
	fault = check_domain(domain, use);
	if (fault == NULL && length > CRM_DOMAIN_MAX)
		fault = "the domain is longer than 253 octets";
	return fault;
}

static size_t
write_utf8(const uint32_t *characters, int n, char *out)
{
	char	   *p = out;

	for (int i = 0; i < n; i++)
	{
		uint32_t	c = characters[i];

		if (c < 0x80)
			*p++ = (char) c;
		else if (c < 0x800)
			*p++ = (char) (0xc0 | c >> 6);
		else if (c < 0x10000)
		{
			*p++ = (char) (0xe0 | c >> 12);
			*p++ = (char) (0x80 | (c >> 6 & 0x3f));
		}
		else
		{
			*p++ = (char) (0xf0 | c >> 18);
			*p++ = (char) (0x80 | (c >> 12 & 0x3f));
			*p++ = (char) (0x80 | (c >> 6 & 0x3f));
		}
		if (c >= 0x80)
			*p++ = (char) (0x80 | (c & 0x3f));
	}
	*p = '\0';
	return p - out;
}

/*
 * A stored domain as people write it, in UTF-8, into "shown", which has room
 * for CRM_DOMAIN_UNICODE_MAX + 1 octets.  A label is shown in its own letters
 * only when libidn2 takes them for this very label; any other stays as it is.
 */
void
crm_domain_unicode(const char *domain, size_t length, char *shown)
{
	const char *end = domain + length;

	for (const char *p = domain;; p++)
	{
		const char *stop = memchr(p, '.', end - p);
		size_t		label;
		uint32_t	characters[LABEL_MAX];
		int			n = 0;
		size_t		written = 0;

		if (stop == NULL)
			stop = end;
		label = stop - p;
		if (label > 4 && label <= LABEL_MAX && memcmp(p, "xn--", 4) == 0)
			n = decode_punycode(p + 4, label - 4, characters);
		if (n > 0)
		{
			char	   *encoded = NULL;

			written = write_utf8(characters, n, shown);
			if (idn2_lookup_u8((const uint8_t *) shown, (uint8_t **) &encoded, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK ||
				encoded == NULL || strlen(encoded) != label || memcmp(encoded, p, label) != 0)
				written = 0;
			if (encoded != NULL)
				idn2_free(encoded);
		}
		if (written == 0)
		{
			memcpy(shown, p, label);
			written = label;
		}
		shown += written;
		if (stop == end)
			break;
		*shown++ = '.';
		p = stop;
	}
	*shown = '\0';
}
