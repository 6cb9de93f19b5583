/*-------------------------------------------------------------------------
 *
 * customer_text_math.h
 *	  White space, dashes and invisible marks of Unicode, without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_TEXT_MATH_H
#define CRM_CUSTOMER_TEXT_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern uint32_t crm_text_character(const char *p, const char *end, int *length);
extern int	crm_text_space(const char *p, const char *end);
extern int	crm_text_mark(const char *p, const char *end);
extern int	crm_text_dash(const char *p, const char *end);
extern void crm_text_trim(const char **p, const char **end);

#endif							/* CRM_CUSTOMER_TEXT_MATH_H */
