/*-------------------------------------------------------------------------
 *
 * sizes.h
 *	  Limits that are sizes of arrays in headers.
 *
 * They stand apart from limits.h, which no header includes, so that a change
 * of one of those does not compile everything anew.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_SIZES_H
#define KN_BASE_SIZES_H

/* clang-format off */
#define KN_TOKEN_CACHE_ENTRIES   16384      /* verified tokens in shared memory */
#define KN_STATEMENT_ARGS        36         /* parameters of one of our SQL statements */
#define KN_OFFERS_MAX            8          /* parallel offers of one escalation level */
#define KN_PATH_MAX              4          /* variable segments of a route */
#define KN_RESULT_COLUMNS        48         /* of a row that is taken apart once */
#define KN_SERVICES_MAX          16         /* services one report may ask for */
#define KN_EMAIL_MAX             254        /* bytes */
/* clang-format on */

#endif
