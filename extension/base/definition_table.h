/*-------------------------------------------------------------------------
 *
 * definition_table.h
 *	  Policies, triggers, views and row security as the migrations leave them.
 *
 * They call functions of the extension and go with it when somebody drops it
 * with CASCADE; kintaraa.migrate() puts them back.  The table is generated at
 * build time from migrations/definitions, which test/check/catalogue.py writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_DEFINITION_TABLE_H
#define KN_DEFINITION_TABLE_H

typedef struct KnDefinition
{
	const char *kind; /* policy, row security, trigger or view */
	const char *name; /* as DROP wants it */
	const char *statement;
} KnDefinition;

extern const KnDefinition kn_definitions[];
extern const int kn_definition_count;

#endif /* KN_DEFINITION_TABLE_H */
