/*-------------------------------------------------------------------------
 *
 * door.h
 *	  The wrapper around every door: prove, run, stamp, audit, answer.
 *
 * A door is a C function behind a SQL function of kintaraa_api.  Its body
 * writes its answer into call->json and may raise; a refusal of class KN0xx to
 * KN4xx is rolled back to the start of the body, audited and returned as an
 * outcome, so that its trace commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_DOOR_H
#define KN_IDENTITY_DOOR_H

#include "fmgr.h"

#include "base/input.h"
#include "base/json.h"
#include "base/sizes.h"
#include "identity/caller.h"

typedef enum KnOutcome
{
	KN_OK,
	KN_CREATED,
	KN_ACCEPTED,
	KN_NONE,
	/* refusals whose writes stay, such as the archived version of a conflict */
	KN_CONFLICT,
	KN_GONE
} KnOutcome;

typedef struct KnCall
{
	const struct KnDoor *door;
	const KnCaller *caller; /* NULL in an open door */
	const char *token;      /* as it came, unproven in an open door; may be NULL */
	int n_path;
	char *path[KN_PATH_MAX];
	Jsonb *query;
	Jsonb *body; /* NULL when there is none */
	char *request_id;
	char *network;
	char *device;
	char *language;
	char *app_version;
	char *if_match;
	char *idempotency_key;
	char *turn; /* the ticket of a try that waited in the gateway */
	/* the answer */
	KnOutcome outcome;
	KnJson json;
	/* what the audit entry says */
	const char *noun;
	bool has_target;
	pg_uuid_t target;
	int n_shown; /* of a list or a pull: the records, in memory */
	pg_uuid_t *shown;
	const char *fields;
	bool unaudited; /* set by a body whose read needs no entry */
	/* members added to the body of a refusal: "key":value[,...] */
	StringInfoData extension;
	/* run after a refusal undid the body: what it writes commits with the refusal */
	void (*after_refusal)(struct KnCall *call);
	void *refusal_state;  /* for after_refusal, in memory */
	MemoryContext memory; /* lives until the answer is made */
} KnCall;

typedef struct KnDoor
{
	const char *name;
	void (*body)(KnCall *call);
	int roles; /* of KnRole; KN_ROLE_NONE is an open door */
	int flags;
} KnDoor;

#define KN_DOOR_READS (1 << 0)   /* writes nothing but its audit entry: one snapshot */
#define KN_DOOR_AUDITED (1 << 1) /* leaves an audit entry when it succeeds */
#define KN_DOOR_UPLOAD (1 << 2)  /* still open in maintenance mode upload_only */
#define KN_DOOR_ALWAYS (1 << 3)  /* also where code or state are missing: it tells so */

#define KN_DOOR_DISPATCH (1 << 4) /* looks across cases: runs as kintaraa_dispatch */

/*
 * Declares a door: the SQL-callable function kn_door_<name>, which calls the
 * body.  base/doors.awk reads it as well and makes its declaration in SQL, with
 * the owner and the comment, which is a text in quotes.
 */
#define KN_DOOR(name_, body_, roles_, flags_, comment_)                 \
	static const KnDoor name_##_door = {#name_, body_, roles_, flags_}; \
	PG_FUNCTION_INFO_V1(kn_door_##name_);                               \
	PGDLLEXPORT Datum kn_door_##name_(PG_FUNCTION_ARGS)                 \
	{                                                                   \
		return kn_door_run(fcinfo, &name_##_door);                      \
	}                                                                   \
	extern Datum kn_door_##name_(PG_FUNCTION_ARGS)

extern Datum kn_door_run(FunctionCallInfo fcinfo, const KnDoor *door);

/* A variable segment of the path as id; raises KN301 when it is none. */
extern void kn_call_path_uuid(KnCall *call, int i, pg_uuid_t *out);
/* Stamps what the body changed so far, as written by the caller's device. */
extern void kn_call_flush(KnCall *call);
/*
 * Takes the device's name from the body when it has one there.  A name is any text
 * of 1 to KN_DEVICE_MAX characters, a longer one is cut, anything else is none:
 * records hang on it, so it refuses nothing.
 */
extern void kn_call_device(KnCall *call, JsonbContainer *body);
/* Who wrote: the device when it names itself, else the session. */
extern void kn_call_writer(const KnCall *call, pg_uuid_t *out);
extern void kn_call_target(KnCall *call, const char *noun, const pg_uuid_t *id);
/* Records of somebody else that a list or a pull shows: they are the targets of its one entry. */
extern void kn_call_shown(KnCall *call, const pg_uuid_t *ids, int n);
/* Adds a ready JSON value under key to a refusal that is about to be raised. */
extern void kn_call_extend(KnCall *call, const char *key, const char *json);
/* Raises KN412 when the request's If-Match names another version than this one. */
extern void kn_call_require_version(KnCall *call, int64 version);

extern void kn_refuse(int code, const char *message, const char *hint) pg_attribute_noreturn();
extern void kn_refuse_absent(void) pg_attribute_noreturn();

#endif
