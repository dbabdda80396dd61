/*-------------------------------------------------------------------------
 *
 * jansson_prelude.h
 *	  jansson, without the macro that has the name of a function of json_text.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef JANSSON_PRELUDE_H
#define JANSSON_PRELUDE_H

#include <jansson.h>

#undef json_is_object

#endif
