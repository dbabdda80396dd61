/*-------------------------------------------------------------------------
 *
 * errcodes.h
 *	  Every SQLSTATE of ours, one line each.
 *
 * Class KN; the first digit is the group and decides what the caller is told:
 * 0 proof not good, 1 no caller, 2 not allowed, 3 not there, 4 not in this
 * state, 5 input wrong, 6 too much, 9 the server is not set up.  A line here
 * has a line in docs/errors.md.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_ERRCODES_H
#define KN_BASE_ERRCODES_H

/* clang-format off */
#define ERRCODE_KN_CREDENTIALS           MAKE_SQLSTATE('K', 'N', '0', '0', '1')
#define ERRCODE_KN_REFRESH_TOKEN         MAKE_SQLSTATE('K', 'N', '0', '0', '2')
#define ERRCODE_KN_INVITATION            MAKE_SQLSTATE('K', 'N', '0', '0', '3')
#define ERRCODE_KN_CURRENT_PASSWORD      MAKE_SQLSTATE('K', 'N', '0', '0', '4')

#define ERRCODE_KN_TOKEN_MISSING         MAKE_SQLSTATE('K', 'N', '1', '0', '1')
#define ERRCODE_KN_TOKEN_INVALID         MAKE_SQLSTATE('K', 'N', '1', '0', '2')
#define ERRCODE_KN_TOKEN_EXPIRED         MAKE_SQLSTATE('K', 'N', '1', '0', '3')
#define ERRCODE_KN_SESSION_ENDED         MAKE_SQLSTATE('K', 'N', '1', '0', '4')

#define ERRCODE_KN_ROLE                  MAKE_SQLSTATE('K', 'N', '2', '0', '1')
#define ERRCODE_KN_MAINTENANCE           MAKE_SQLSTATE('K', 'N', '2', '0', '2')
#define ERRCODE_KN_UPGRADE_REQUIRED      MAKE_SQLSTATE('K', 'N', '2', '0', '3')
#define ERRCODE_KN_INVITATION_NEEDED     MAKE_SQLSTATE('K', 'N', '2', '0', '4')
#define ERRCODE_KN_FIELD_OWNED           MAKE_SQLSTATE('K', 'N', '2', '0', '5')
#define ERRCODE_KN_OWN_ACCOUNT           MAKE_SQLSTATE('K', 'N', '2', '0', '6')
#define ERRCODE_KN_SIGN_IN_AGAIN         MAKE_SQLSTATE('K', 'N', '2', '0', '7')

#define ERRCODE_KN_ABSENT                MAKE_SQLSTATE('K', 'N', '3', '0', '1')

#define ERRCODE_KN_ID_REUSED             MAKE_SQLSTATE('K', 'N', '4', '0', '1')
#define ERRCODE_KN_TRANSITION            MAKE_SQLSTATE('K', 'N', '4', '0', '2')
#define ERRCODE_KN_ASSIGNMENT_CLOSED     MAKE_SQLSTATE('K', 'N', '4', '0', '3')
#define ERRCODE_KN_CAPACITY              MAKE_SQLSTATE('K', 'N', '4', '0', '4')
#define ERRCODE_KN_NEED_CLOSED           MAKE_SQLSTATE('K', 'N', '4', '0', '5')
#define ERRCODE_KN_NOT_ELIGIBLE          MAKE_SQLSTATE('K', 'N', '4', '0', '6')
#define ERRCODE_KN_VERSION_CONFLICT      MAKE_SQLSTATE('K', 'N', '4', '0', '7')
#define ERRCODE_KN_LAST_ADMIN            MAKE_SQLSTATE('K', 'N', '4', '0', '8')
#define ERRCODE_KN_NOTHING_TO_REOPEN     MAKE_SQLSTATE('K', 'N', '4', '0', '9')
#define ERRCODE_KN_DUTY_TAKEN            MAKE_SQLSTATE('K', 'N', '4', '1', '0')
#define ERRCODE_KN_NOT_REACHED           MAKE_SQLSTATE('K', 'N', '4', '1', '3')
#define ERRCODE_KN_TAKEN_BACK            MAKE_SQLSTATE('K', 'N', '4', '1', '4')
#define ERRCODE_KN_TOO_LONG_AGO          MAKE_SQLSTATE('K', 'N', '4', '1', '5')
#define ERRCODE_KN_VERSION_STALE         MAKE_SQLSTATE('K', 'N', '4', '1', '2')

#define ERRCODE_KN_BODY_SHAPE            MAKE_SQLSTATE('K', 'N', '5', '0', '1')
#define ERRCODE_KN_FIELD_MISSING         MAKE_SQLSTATE('K', 'N', '5', '0', '2')
#define ERRCODE_KN_FIELD_TYPE            MAKE_SQLSTATE('K', 'N', '5', '0', '3')
#define ERRCODE_KN_FIELD_VALUE           MAKE_SQLSTATE('K', 'N', '5', '0', '4')
#define ERRCODE_KN_FIELD_LENGTH          MAKE_SQLSTATE('K', 'N', '5', '0', '5')
#define ERRCODE_KN_ID_FORM               MAKE_SQLSTATE('K', 'N', '5', '0', '6')
#define ERRCODE_KN_PASSWORD_WEAK         MAKE_SQLSTATE('K', 'N', '5', '0', '7')
#define ERRCODE_KN_QUERY                 MAKE_SQLSTATE('K', 'N', '5', '0', '8')
#define ERRCODE_KN_FIELD_UNKNOWN         MAKE_SQLSTATE('K', 'N', '5', '0', '9')

#define ERRCODE_KN_SLOW_DOWN             MAKE_SQLSTATE('K', 'N', '6', '0', '1')
#define ERRCODE_KN_BUSY                  MAKE_SQLSTATE('K', 'N', '6', '0', '2')

#define ERRCODE_KN_NOT_READY             MAKE_SQLSTATE('K', 'N', '9', '0', '1')
#define ERRCODE_KN_UNSTAMPED             MAKE_SQLSTATE('K', 'N', '9', '0', '3')
#define ERRCODE_KN_ISOLATION             MAKE_SQLSTATE('K', 'N', '9', '0', '4')
/* clang-format on */

#endif
