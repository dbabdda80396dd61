/*-------------------------------------------------------------------------
 *
 * barred.h
 *	  Whom a case must never reach: the one rule, as SQL and as C.
 *
 * A case does not exist for whoever stands in kintaraa.barred with it, in
 * person or through the team, the organisation or the dispatch centre.  It
 * comes before every membership, the owner's own excepted, whom kintaraa.bar()
 * does not take.  Whoever reads a row of a case for a person says so with one
 * of the texts below, and no other text names the table.  Row security holds the
 * same rule under what runs as the door or as the dispatch role; a statement of
 * the system has nothing but its text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_ACCESS_BARRED_H
#define KN_ACCESS_BARRED_H

#include "identity/caller.h"

/* Principals that are barred from a bucket: a query with the column principal. */
#define KN_BARRED_OF(bucket_) \
	"SELECT barred.principal FROM kintaraa.barred WHERE barred.bucket = " bucket_ " "

/* Whether one of the principals, an expression of type uuid[], is barred from the bucket. */
#define KN_BARRED(bucket_, principals_) \
	"EXISTS (" KN_BARRED_OF(bucket_) "AND barred.principal = ANY (" principals_ ")) "
#define KN_NOT_BARRED(bucket_, principals_) "NOT " KN_BARRED(bucket_, principals_)

/* Buckets from which one of the principals is barred: a query with the column bucket. */
#define KN_BARRED_FROM(principals_) \
	"SELECT barred.bucket FROM kintaraa.barred WHERE barred.principal = ANY (" principals_ ") "

/* clang-format off */
/* Ids that an entry of the trail may have as its target and that are of such a case. */
#define KN_OF_BARRED_CASES(principals_) \
	"SELECT c.bucket FROM (" KN_BARRED_FROM(principals_) ") c UNION ALL " \
	"SELECT a.id FROM (" KN_BARRED_FROM(principals_) ") c " \
	"  JOIN kintaraa.assignment a ON a.incident_bucket = c.bucket UNION ALL " \
	"SELECT n.id FROM (" KN_BARRED_FROM(principals_) ") c " \
	"  JOIN kintaraa.need n ON n.bucket = c.bucket UNION ALL " \
	"SELECT t.id FROM (" KN_BARRED_FROM(principals_) ") c " \
	"  JOIN kintaraa.note t ON t.bucket = c.bucket "
/* clang-format on */

/* Who was barred from what since a cursor, whose snapshot is two expressions, xid8 and xid8[]. */
#define KN_BARRED_SINCE(xmax_, xip_)                         \
	"SELECT bucket, principal, gx, at FROM kintaraa.barred " \
	" WHERE gx >= " xmax_                                    \
	" UNION ALL "                                            \
	"SELECT bucket, principal, gx, at FROM kintaraa.barred " \
	" WHERE gx = ANY (" xip_ ") "
/*
 * Whether a principal, or one of those in an array, knew of the case before it
 * was barred by row r of the above: by membership or by an offer.  To others
 * a bar must not tell that there is a case.
 */
#define KN_KNEW_CASE(principal_)                                                 \
	"(EXISTS (SELECT FROM kintaraa.member k WHERE k.principal " principal_       \
	"            AND k.bucket = r.bucket AND k.gx <> r.gx) OR "                  \
	" EXISTS (SELECT FROM kintaraa.assignment k WHERE k.provider_id " principal_ \
	"            AND k.incident_bucket = r.bucket AND k.offered_at < r.at)) "
/* After a restore the numbers of transactions begin anew: all of it is news once more. */
#define KN_BARRED_RESET "UPDATE kintaraa.barred SET gx = '1'"

/* What a member of staff, an alias of kintaraa.account, is besides a person; likewise a team. */
#define KN_PRINCIPALS_OF_STAFF(account_)                                                \
	"ARRAY[" account_ ".id, " account_ ".provider_id, " account_ ".centre_id, (SELECT " \
	"t.organisation_id FROM kintaraa.provider t WHERE t.id = " account_ ".provider_id)]"
#define KN_PRINCIPALS_OF_TEAM(provider_) "ARRAY[" provider_ ".id, " provider_ ".organisation_id]"

/*
 * Whether a team, an alias of kintaraa.provider, may have to do with a case: it
 * is not barred, and there is somebody in it who is not; a facility that is
 * reached by telephone has nobody here.
 */
/* clang-format off */
#define KN_TEAM_MAY(bucket_, provider_) \
	"(" KN_NOT_BARRED(bucket_, KN_PRINCIPALS_OF_TEAM(provider_)) \
	"AND (" provider_ ".by_telephone OR EXISTS (SELECT FROM kintaraa.account s " \
	"      WHERE s.provider_id = " provider_ ".id AND s.is_active " \
	"        AND " KN_NOT_BARRED(bucket_, "ARRAY[s.id]") "))) "
/* clang-format on */

/* Whether the proven caller is barred from the bucket; true when nobody is proven. */
extern bool kn_barred(const pg_uuid_t *bucket);
/* Raises KN301 when somebody calls who has been barred meanwhile; to be asked under a lock. */
extern void kn_barred_refuse(const pg_uuid_t *bucket);
/* Enters a principal, once; what else that means is cases/bar.c. */
extern bool kn_barred_add(const pg_uuid_t *bucket, const pg_uuid_t *principal);

#endif
