/*-------------------------------------------------------------------------
 *
 * customer_web_math.h
 *	  Reading web addresses, without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_WEB_MATH_H
#define CRM_CUSTOMER_WEB_MATH_H

#include <stddef.h>

#include "customer_domain_math.h"

/* Octets that reading "length" of them can need: a host may grow, a / and the final zero come to it. */
#define CRM_WEB_SIZE(length)	((length) + CRM_DOMAIN_INPUT_MAX + 2)

extern const char *crm_web_read(const char *input, size_t length, char *url);

#endif							/* CRM_CUSTOMER_WEB_MATH_H */
