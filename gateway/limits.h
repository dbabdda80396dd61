/*-------------------------------------------------------------------------
 *
 * limits.h
 *	  Every bound of the gateway that is not a setting, one line each.
 *
 * What an operator may want to change is in config.c; what a client can reach
 * and nobody should change is here.  Each has a test that reaches it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIMITS_H
#define LIMITS_H

/* clang-format off */

/* One connection. */
#define LIMIT_INPUT_BYTES        65536	/* unread input kept before reading pauses */
#define LIMIT_LINGER_BYTES    16777216	/* read and dropped after an error reply: two of the longest batches */
#define LIMIT_LINGER_MS          30000
#define LIMIT_HANDSHAKE_MS       10000	/* TLS handshake, from accept */
#define LIMIT_BACKLOG             1024
#define LIMIT_ACCEPT_PAUSE_MS      100	/* after running out of descriptors */
#define LIMIT_ROOM                  16	/* quiet connections that end at once when all are taken */
#define LIMIT_ROOM_IDLE_MS        1000	/* quiet: no request since the last answer for so long */
#define LIMIT_ROOM_HEAD_MS        2000	/* or no whole head */
#define LIMIT_RESERVED_FDS          64	/* descriptors kept for the database and files */
#define LIMIT_SWEEP_MS             100	/* how late a deadline may be noticed */
#define LIMIT_LISTENERS              8
#define LIMIT_ADDRESS_RULES         32	/* entries of an allow list */

/* One request. */
#define LIMIT_REQUEST_ID            64
#define LIMIT_TOKEN               2048
#define LIMIT_CONTEXT_FIELD        128	/* characters of Idempotency-Key, If-Match, X-Device-Id */
#define LIMIT_PARAMETER_BYTES    16384	/* path, query or context as text */
#define LIMIT_PROBLEM_BYTES    1048576
#define LIMIT_JSON_DEPTH            32
#define LIMIT_MEND_TIMES             6	/* as long may a badly written body become: each byte a \u0001 */
#define LIMIT_UPLOAD_BYTES     8388608	/* a body of many records, unpacked */
#define LIMIT_PACKED_BYTES     1048576	/* the same as it is sent with gzip */
#define LIMIT_BODIES_TOTAL   268435456	/* of all connections, from their first byte to the answer */

/* Tries that wait for their turn. */
#define LIMIT_TURN_MS            30001	/* as a door may ask for */
#define LIMIT_TURN_LATE_MS          20	/* how much after it */
#define LIMIT_TURNS_WAITING       1024	/* the one too many is told when to come again */

/* Tokens checked here. */
#define LIMIT_TOKEN_CACHE         4096
#define LIMIT_VERIFY_PER_SECOND    200	/* above that the database decides alone */
#define LIMIT_KEYS                   8
#define LIMIT_KEYS_REFRESH_MS     1000
#define LIMIT_KEYS_FRESH_MS      60000

/* Database. */
#define LIMIT_LANE_CONNECTIONS      64
#define LIMIT_CONNECT_MS          5000
#define LIMIT_HOSTS                 16
#define LIMIT_HOST_MS             1000	/* one of several hosts has got this to let us in */
#define LIMIT_HOST_LAST_MS        3000	/* and up to this in later rounds */
#define LIMIT_SILENCE_MS          1000	/* a statement may overstay the time of its lane by this */
#define LIMIT_ANSWER_MORE_MS      1500	/* and its caller's wait by this, counted from the sending */
#define LIMIT_REFUSED_SENDS          2	/* of one call, by libpq */
#define LIMIT_REFUSE_MS           1000	/* a reading that finds a full queue is told so after this */
#define LIMIT_PROBE_MS            5000	/* a quiet connection is asked whether it lives this often */
#define LIMIT_PROBE_ANSWER_MS     2000	/* and must answer in this */
#define LIMIT_SUSPECT_MS          1000	/* a group that takes longer makes us ask the quiet ones */
#define LIMIT_READY_MS            2000	/* a connection that owes an answer longer is not ready */
#define LIMIT_READYZ_MS           1700	/* /readyz says no after this */
#define LIMIT_BACKOFF_FIRST_MS      50
#define LIMIT_BACKOFF_LAST_MS     2000
#define LIMIT_FEED_POLL_MS        1000

/* Sockets. */
#define LIMIT_SOCKET_MESSAGE     65536
#define LIMIT_SOCKET_COMMANDS       32	/* messages waiting for the one before */
#define LIMIT_SOCKET_HELLO_MS    10000
#define LIMIT_SOCKET_CLOSE_MS     5000
#define LIMIT_FAN_OUT_SLICE         32	/* sockets written to per turn of the loop */
#define LIMIT_POKE_FIRST_MS        100	/* news wait so long for more */
#define LIMIT_POKE_LAST_MS        2000	/* and up to this while they keep coming */
#define LIMIT_JOINS                  4	/* hellos answered at once: the others wait for their turn */
#define LIMIT_REJOINS                4	/* subscriptions renewed at once after a lost listener */
#define LIMIT_LEAVES               256	/* subscriptions given up in one call */

/* Pulls that wait, and what is remembered for them. */
#define LIMIT_WAIT_SECONDS          30
#define LIMIT_WAKES                  4	/* pulls run at once that news has woken */
#define LIMIT_WATCHES             8192	/* tokens whose news is heard for their pulls */
#define LIMIT_WATCH_IDLE_MS      75000	/* without a pull it is given up */
#define LIMIT_WATCH_AGE_MS      300000	/* and asked for again: who may see what may have changed */
#define LIMIT_WATCH_ANSWERS          2	/* remembered for one token */
#define LIMIT_ANSWER_MS          60000	/* remembered so long */
#define LIMIT_ANSWER_BYTES        4096
#define LIMIT_ANSWER_KEY           512
#define LIMIT_FEED_FRESH_MS       3000	/* without a read of the feed nothing is answered from memory */
#define LIMIT_FEED_GRACE_MS      60000	/* a subscription lasts longer than its token by this */

/* Reading in bulk. */
#define LIMIT_BUDGETS             8192	/* accounts whose reading is remembered */
#define LIMIT_READS_RUNNING          4	/* of one account at once: half of the normal lane */
#define LIMIT_READS_WAITING          8	/* of one account for its budget */
#define LIMIT_READS_WAITING_TOTAL  512

/* Processes. */
#define LIMIT_WORKERS               16
#define LIMIT_RESTART_PAUSE_MS     500
#define LIMIT_BIND_WAIT_MS          3000   /* for workers of a gateway that was killed to be gone */
#define LIMIT_BIND_PAUSE_MS         50

/* clang-format on */

#endif
