/*-------------------------------------------------------------------------
 *
 * definition.h
 *	  Code and rules of the catalogue held against those of the library.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_OPERATE_DEFINITION_H
#define KN_OPERATE_DEFINITION_H

#include "base/spi.h"

/* What differs from the library, by name; both run in the current SPI connection. */
extern KnRows kn_functions_differing(void);   /* (name, is_ours) */
extern KnRows kn_definitions_differing(void); /* (kind, name, wanted, found) */

#endif
