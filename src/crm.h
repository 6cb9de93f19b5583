/*-------------------------------------------------------------------------
 *
 * crm.h
 *	  What the rooms of crm share on the server's side.
 *
 * The *_math.c files do not include this header: they use the C library
 * only, so that they can be unit-tested and fuzzed without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_H
#define CRM_H

#include "postgres.h"
#include "fmgr.h"
#include "compat.h"

#define CRM_VERSION "1.0"

#ifndef HAVE_INT128
#error "crm needs a compiler with 128-bit integers"
#endif

/* crm.loop */
typedef enum CrmLoopMode
{
	CRM_LOOP_IMMEDIATE,
	CRM_LOOP_DEFERRED
} CrmLoopMode;

extern int	crm_loop_mode;

/* loop_stamp.c */
extern void crm_forget_touched(void);

#endif							/* CRM_H */
