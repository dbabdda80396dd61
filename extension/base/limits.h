/*-------------------------------------------------------------------------
 *
 * limits.h
 *	  Every numeric limit of the extension, one line each.
 *
 * Each has a test at it and a test one over it.  Sizes of arrays in headers are
 * in sizes.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_LIMITS_H
#define KN_BASE_LIMITS_H

/* clang-format off */
#define KN_SERVER_MIN            150019     /* oldest server with the row security fixes we rely on */
#define KN_CLIENT_ID_MAX         64         /* characters of an id made by a phone */
#define KN_DEVICE_MAX            128        /* characters of a device's name; a longer one is cut */
#define KN_NAME_MAX              100        /* characters of a person's first or last name */
#define KN_PHONE_MAX             32         /* characters */
#define KN_DESCRIPTION_MAX       65536      /* characters of a narrative */
#define KN_ADDRESS_MAX           1000       /* characters of an address or place text */
#define KN_NOTE_MAX              4000       /* characters of a reason or note */
#define KN_REOPEN_DAYS           30         /* after completed: she may take it up again */
#define KN_IGNORED_MAX           64         /* entries of "ignored" in an answer */
#define KN_LIST_DEFAULT          50         /* rows of a list page */
#define KN_LIST_MAX              100        /* rows of a list page at most */
#define KN_REPLAY_SECONDS        600        /* an invitation asked for again within this is the same one */
#define KN_REGISTRATION_WAIT     30         /* seconds of the longest wait of one beyond the pace of its network */
#define KN_REGISTRATION_ALONE    15         /* of one who registers alone: the rest is for those in line behind */
#define KN_REGISTRATION_STEP     0.2        /* seconds between two in line */
#define KN_THROTTLE_FREE         5          /* distinct wrong secrets that cost no wait */
#define KN_THROTTLE_WAIT_MAX     10         /* seconds between a wrong secret and the next look at one */
#define KN_TURN_SECONDS          15         /* longest wait for a turn */
#define KN_TURN_GRACE_SECONDS    60         /* a turn is used within this, or is none */
#define KN_THROTTLE_FEW          100        /* distinct wrong secrets after which fewer tries wait side by side */
#define KN_TURN_STEP_FEW         0.05       /* seconds between two turns: 100 of them fit behind the longest wait */
#define KN_TURN_STEP_MANY        5.0        /* and so beyond KN_THROTTLE_FEW: two fit */
#define KN_DEVICE_SECRETS        5          /* distinct wrong secrets a day in a known device's own lane */
#define KN_DEVICE_DAYS           90         /* a known device that did not sign in for so long is none */
#define KN_DEVICES_MAX           32         /* known devices of an account; the oldest makes room */
#define KN_THROTTLE_SECRETS      32         /* wrong secrets remembered, to count each once */
#define KN_THROTTLE_HOURS        24         /* without a new wrong secret, all is forgotten */
#define KN_HASH_WAIT_MS          2000       /* wait for a hashing slot before the answer is: busy */
#define KN_SESSIONS_MAX          32         /* live sessions of an account; the oldest ends for a new one */
#define KN_INVITATION_DAYS       7          /* life of an invitation when none is said */
#define KN_INVITATION_DAYS_MAX   30         /* longest life of an invitation */
#define KN_ACCESS_SECONDS        900        /* life of an access token */
#define KN_SKEW_SECONDS          30         /* clock skew allowed in a token */
#define KN_REUSE_SECONDS         60         /* refresh tokens that were current within this answer the current pair */
#define KN_RECENT_MAX            64         /* of them, remembered for a session */
#define KN_SURVIVOR_SESSION_DAYS 180        /* sliding */
#define KN_STAFF_SESSION_HOURS   12         /* sliding */
#define KN_JSON_NUMBER_DIGITS    40         /* digits of a number that is kept from client JSON */
#define KN_STAMPS_MAX            20000      /* changed records one transaction may remember */
#define KN_ROUTE_AT_ONCE         10         /* new reports of one batch that are routed before the answer */
#define KN_BATCH_MAX             500        /* records of one batch */
#define KN_SHIFTS_MAX            8          /* shifts that begin on one day */
#define KN_CLOSED_DAYS_MAX       366        /* closed days a provider may name */
#define KN_FACILITY_NAME_MAX     200        /* characters of a name of a provider or its area */
#define KN_FACILITY_CODE_MAX     64         /* characters of the code of a facility */
#define KN_WORDS_MAX             32         /* languages or skills one profile may name */
#define KN_DUTY_MINUTES_MIN      15         /* shortest time on duty */
#define KN_DUTY_DAYS_MAX         31         /* longest time on duty that is entered at once */
#define KN_DUTY_AHEAD_DAYS       366        /* how far ahead duty is entered */
#define KN_DUTY_RANGE_DAYS       92         /* days one look at the duty list covers */
#define KN_DUTY_PEOPLE_MAX       200        /* people of a centre named with its duty list */
#define KN_COVERAGE_POINTS_MAX   400        /* points one coverage question may ask for */
#define KN_FEED_GRACE_SECONDS    60         /* a socket outlives its access token by this */
#define KN_FEED_CHANGES_MAX      20000      /* changed records one read of the feed takes */
#define KN_RESUME_CHANGES_MAX    5000       /* changed records a returning socket's catch-up looks at */
#define KN_RESUME_FRAMES_MAX     1000       /* frames a returning socket is sent */
#define KN_LEAVE_MAX             10000      /* subscriptions ended by one call */
#define KN_SEQ_MAX               INT64CONST(9007199254740992) /* running number of a device, the highest exact one */
#define KN_CURSOR_MAX            9007199254740991 /* integers a client's JSON keeps exact */
#define KN_SEAL_ENTRIES          5000       /* audit entries of one seal, give or take a transaction's */
#define KN_GATEWAY_CONNECTIONS   16         /* free ones a gateway with its usual lanes needs */
/* clang-format on */

#endif
