/*-------------------------------------------------------------------------
 *
 * customer_domain_math.h
 *	  Reading domain names, without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_DOMAIN_MATH_H
#define CRM_CUSTOMER_DOMAIN_MATH_H

#include <stdbool.h>
#include <stddef.h>

/* Longer input is refused before anything else is done with it. */
#define CRM_DOMAIN_INPUT_MAX	1024

/* RFC 1035 2.3.4: octets of a name as it is written; in UTF-8 each stands for one character at most. */
#define CRM_DOMAIN_MAX			253
#define CRM_DOMAIN_UNICODE_MAX	(4 * CRM_DOMAIN_MAX)

/* Whose domain it is: hosts of web addresses may have _ in their names, and be numbers. */
typedef enum CrmDomainUse
{
	CRM_DOMAIN_OF_MAIL,
	CRM_DOMAIN_OF_WEB
} CrmDomainUse;

extern const char *crm_domain_read(const char *input, size_t length, CrmDomainUse use, char *domain);
extern void crm_domain_unicode(const char *domain, size_t length, char *shown);

#endif							/* CRM_CUSTOMER_DOMAIN_MATH_H */
