/*-------------------------------------------------------------------------
 *
 * urgency.h
 *	  How soon somebody must come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_URGENCY_H
#define KN_PROVIDERS_URGENCY_H

typedef enum KnUrgency
{
	KN_ROUTINE,
	KN_URGENT,
	KN_IMMEDIATE
} KnUrgency;

#define KN_URGENCIES 3

extern const char *const kn_urgency_names[];         /* by KnUrgency, NULL-ended */
extern KnUrgency kn_urgency_parse(const char *name); /* routine when NULL or no such word */

#endif
