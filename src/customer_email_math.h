/*-------------------------------------------------------------------------
 *
 * customer_email_math.h
 *	  Reading e-mail addresses, without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_EMAIL_MATH_H
#define CRM_CUSTOMER_EMAIL_MATH_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 5321 4.5.3.1: octets of a local part, of an address. */
#define CRM_EMAIL_LOCAL_MAX		64
#define CRM_EMAIL_MAX			254

/* Longer input is refused before anything else is done with it. */
#define CRM_EMAIL_INPUT_MAX		1024

extern const char *crm_email_parse(const char *input, size_t length, char *email, size_t *local_length);
extern size_t crm_email_at(const char *email, size_t length);
extern int	crm_email_compare(const char *a, size_t a_length, const char *b, size_t b_length);
extern void crm_email_fold(const char *email, size_t length, char *folded);

#endif							/* CRM_CUSTOMER_EMAIL_MATH_H */
