/*-------------------------------------------------------------------------
 *
 * function_table.h
 *	  Every function that sql/ declares, and how its catalogue entry looks.
 *
 * The table is generated at build time by catalogue.awk.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_FUNCTION_TABLE_H
#define KN_FUNCTION_TABLE_H

typedef struct KnFunction
{
	const char *signature; /* schema.name(arguments) result */
	const char *print;     /* all else that decides what it does, its body as a hash */
} KnFunction;

extern const KnFunction kn_functions[];
extern const int kn_function_count;

#endif /* KN_FUNCTION_TABLE_H */
