/*-------------------------------------------------------------------------
 *
 * customer.h
 *	  What the files of the room customer share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_H
#define CRM_CUSTOMER_H

#include "crm.h"

extern const char *crm_clip(const char *input);
extern const char *crm_compose(const char *input, size_t length, size_t *composed_length, const char **fault);
extern const char *crm_email_read(const char *input, size_t length, char *email);
extern int64 crm_phone_from_national(const char *input, const char *country);

#endif							/* CRM_CUSTOMER_H */
