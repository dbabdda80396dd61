/*-------------------------------------------------------------------------
 *
 * migration_table.h
 *	  The migration scripts, byte for byte as they lie in migrations/.
 *
 * The table is generated at build time by migration_table.sh and ordered by
 * number.  The text of a script is [start, end); a zero byte follows it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_MIGRATION_TABLE_H
#define KN_MIGRATION_TABLE_H

typedef struct KnMigration
{
	int number;
	const char *name;
	const char *sha256; /* 64 lower-case hexadecimal digits */
	const char *start;
	const char *end;
} KnMigration;

extern const KnMigration kn_migrations[];
extern const int kn_migration_count;

#endif /* KN_MIGRATION_TABLE_H */
