/*-------------------------------------------------------------------------
 *
 * routing_policy.c
 *	  The routing policy in force, parsed.
 *
 * Called from routing for every need and for every service that a report names,
 * so the newest version is looked up again only when the server says that the
 * table changed, and parsed only when it is another row than last time.
 * A version that cannot be read is passed over with a warning: a report is
 * never refused because somebody mistyped a policy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/errcodes.h"
#include "base/index.h"
#include "base/input.h"
#include "base/told.h"
#include "providers/routing_policy.h"

#define COLUMN_VERSION 2
#define COLUMN_BODY 3

/* Reading stops at the first member that is wrong. */
typedef struct Reader
{
	const char *pointer; /* of that member, NULL while all is well */
	const char *message;
} Reader;

static const char *const urgency_names[KN_URGENCIES + 1] = {
	[KN_ROUTINE] = "routine", [KN_URGENT] = "urgent", [KN_IMMEDIATE] = "immediate"};

static KnIndex policy_index = {.table_name = "policy", .index_name = "policy_pkey"};
static KnRoutingPolicy current;
static uint64 current_told = 0; /* of kn_told(), when it was looked up */
/* The row that current was looked up from; another row, or this one anew, is parsed. */
static ItemPointerData seen_at;
static TransactionId seen_xmin = InvalidTransactionId;

/* Asking for a service is consent for that service: police are asked for police only. */
#define POLICE "police"

static void look_up(void);
static void load_newest(IndexScanDesc scan, TupleTableSlot *slot);
static bool is_seen(TupleTableSlot *slot);
static void parse(Reader *reader, Jsonb *body, KnRoutingPolicy *policy);
static void parse_services(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy);
static void add_triage(KnRoutingPolicy *policy);
static void parse_service(Reader *reader, const char *service, JsonbValue *types,
						  KnRoutingPolicy *policy);
static int parse_types(Reader *reader, const char *pointer, JsonbValue *types);
static void parse_never(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy);
static void parse_ack(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy);
static void parse_urgency(Reader *reader, JsonbContainer *body, KnUrgency urgency,
						  KnRoutingPolicy *policy);
static JsonbContainer *nested(Reader *reader, JsonbContainer *object, const char *key);
static double number(Reader *reader, JsonbContainer *object, const char *key, double min,
					 double max);
static void fail(Reader *reader, const char *pointer, const char *message);
static void check_words(JsonbContainer *body);
static JsonbContainer *part_of(JsonbContainer *object, const char *key);

const KnRoutingPolicy *
kn_routing_policy(void)
{
	uint64 told = kn_told();

	if (current_told == told)
		return &current;
	/* a parallel query cannot take the newest snapshot, so what it reads is read again */
	PushActiveSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
	look_up();
	PopActiveSnapshot();
	current_told = IsInParallelMode() ? 0 : told;
	return &current;
}

static void
look_up(void)
{
	Relation table;
	Relation index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData kind;

	kn_index_open(&policy_index, &table, &index);
	slot = table_slot_create(table, NULL);
	ScanKeyEntryInitialize(&kind, 0, 1, BTEqualStrategyNumber, InvalidOid, DEFAULT_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum("routing"));
	scan = index_beginscan(table, index, GetActiveSnapshot(), 1, 0);
	index_rescan(scan, &kind, 1, NULL, 0);
	load_newest(scan, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	kn_index_close(table, index);
}

static void
load_newest(IndexScanDesc scan, TupleTableSlot *slot)
{
	ItemPointerData newest;
	TransactionId xmin;

	if (!index_getnext_slot(scan, BackwardScanDirection, slot))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("there is no routing policy"),
				errhint("Run CALL kintaraa.migrate();"));
	if (is_seen(slot))
		return;
	newest = slot->tts_tid;
	xmin = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber,
												 &(bool){false}));
	do
	{
		KnRoutingPolicy fresh = {0};
		Reader reader = {0};
		bool is_null;

		fresh.version = DatumGetInt32(slot_getattr(slot, COLUMN_VERSION, &is_null));
		parse(&reader, DatumGetJsonbP(slot_getattr(slot, COLUMN_BODY, &is_null)), &fresh);
		if (reader.pointer == NULL)
		{
			current = fresh;
			seen_at = newest;
			seen_xmin = xmin;
			return;
		}
		ereport(WARNING,
				errmsg("routing policy %d is passed over: %s: %s", fresh.version, reader.pointer,
					   reader.message));
	} while (index_getnext_slot(scan, BackwardScanDirection, slot));
	ereport(ERROR,
			errcode(ERRCODE_KN_NOT_READY),
			errmsg("no version of the routing policy can be read"),
			errhint("Insert a version like that of migration 0009 into kintaraa.policy."));
}

static bool
is_seen(TupleTableSlot *slot)
{
	bool is_null;

	return TransactionIdIsValid(seen_xmin) && ItemPointerEquals(&slot->tts_tid, &seen_at) &&
		   DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber,
												 &is_null)) == seen_xmin;
}

void
kn_routing_policy_check(Jsonb *body)
{
	KnRoutingPolicy policy = {0};
	Reader reader = {0};

	parse(&reader, body, &policy);
	if (reader.pointer != NULL)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, reader.pointer, reader.message,
					   "Start from the version in force.");
	check_words(&body->root);
}

/* A word that nobody reads is a rule that does not hold: whom never to ask, where not to go. */
static void
check_words(JsonbContainer *body)
{
	static const char *const parts[] = {
		"services", "never", "radius_km", "travel", "ack", "load_minutes", "fairness_minutes",
		"fairness_hours", "mismatch_minutes", "preparedness_minutes", "weights", "cap", NULL};
	static const char *const travel[] = {"base_minutes", "detour", "speed_kmh", NULL};
	static const char *const ack[] = {"prior_minutes", "prior_weight", "memory",
									  "longest_minutes", NULL};
	static const char *const weights[] = {"travel", "ack", "load", "fairness", "mismatch",
										  "preparedness", NULL};
	JsonbContainer *by_urgency = part_of(body, "weights");

	kn_in_only(body, parts);
	kn_in_only(part_of(body, "never"), urgency_names);
	kn_in_only(part_of(body, "radius_km"), urgency_names);
	kn_in_only(part_of(body, "travel"), travel);
	kn_in_only(part_of(body, "ack"), ack);
	kn_in_only(part_of(part_of(body, "ack"), "prior_minutes"), kn_provider_types);
	kn_in_only(by_urgency, urgency_names);
	for (int i = 0; i < KN_URGENCIES; i++)
		kn_in_only(part_of(by_urgency, urgency_names[i]), weights);
}

/* Of a policy that was read: each of these is an object. */
static JsonbContainer *
part_of(JsonbContainer *object, const char *key)
{
	return kn_in_member(object, key)->val.binary.data;
}

int
kn_routing_types(const KnRoutingPolicy *policy, const char *service, KnUrgency urgency)
{
	for (int i = 0; service && i < policy->n_services; i++)
		if (strcmp(policy->services[i].service, service) == 0)
			return policy->services[i].types & ~policy->never[urgency];
	return 0;
}

static void
parse(Reader *reader, Jsonb *body, KnRoutingPolicy *policy)
{
	JsonbContainer *object = &body->root;
	JsonbContainer *travel;

	if (!kn_in_is_object(body))
	{
		fail(reader, "", "the policy is no object");
		return;
	}
	parse_services(reader, nested(reader, object, "services"), policy);
	add_triage(policy);
	parse_never(reader, nested(reader, object, "never"), policy);
	travel = nested(reader, object, "travel");
	policy->base_minutes = number(reader, travel, "base_minutes", 0, 1440);
	policy->detour = number(reader, travel, "detour", 1, 10);
	policy->speed_kmh = number(reader, travel, "speed_kmh", 1, 1000);
	parse_ack(reader, nested(reader, object, "ack"), policy);
	policy->load_minutes = number(reader, object, "load_minutes", 0, 1440);
	policy->fairness_minutes = number(reader, object, "fairness_minutes", 0, 1440);
	policy->fairness_hours = number(reader, object, "fairness_hours", 0.01, 8760);
	policy->mismatch_minutes = number(reader, object, "mismatch_minutes", 0, 1440);
	policy->preparedness_minutes = number(reader, object, "preparedness_minutes", 0, 1440);
	policy->cap = (int) number(reader, object, "cap", KN_OFFERS_MAX, 1000000);
	for (int urgency = 0; urgency < KN_URGENCIES; urgency++)
		parse_urgency(reader, object, urgency, policy);
}

static void
parse_services(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy)
{
	JsonbIterator *iterator;
	JsonbValue item;
	JsonbIteratorToken token;
	char *service = NULL;

	if (object == NULL)
		return;
	iterator = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			service = pnstrdup(item.val.string.val, item.val.string.len);
		else if (token == WJB_VALUE)
			parse_service(reader, service, &item, policy);
	}
}

/* Who asks for nothing is seen by those who may ask her, unless the policy says by whom. */
static void
add_triage(KnRoutingPolicy *policy)
{
	KnServiceTypes *entry = &policy->services[policy->n_services];

	for (int i = 0; i < policy->n_services; i++)
		if (strcmp(policy->services[i].service, KN_TRIAGE) == 0)
			return;
	if (policy->n_services == KN_POLICY_SERVICES_MAX)
		return;
	strlcpy(entry->service, KN_TRIAGE, KN_POLICY_WORD_MAX);
	entry->types = (1 << kn_word_number(kn_provider_types, "healthcare")) |
				   (1 << kn_word_number(kn_provider_types, "counseling"));
	policy->n_services++;
}

static void
parse_service(Reader *reader, const char *service, JsonbValue *types, KnRoutingPolicy *policy)
{
	KnServiceTypes *entry;

	if (policy->n_services == KN_POLICY_SERVICES_MAX || strlen(service) >= KN_POLICY_WORD_MAX)
	{
		fail(reader, "services", "too many services, or a name that is too long");
		return;
	}
	entry = &policy->services[policy->n_services++];
	strlcpy(entry->service, service, KN_POLICY_WORD_MAX);
	entry->types = parse_types(reader, "services", types);
	if (entry->types == 0)
		fail(reader, "services", "a service has no provider type");
	if (strcmp(service, POLICE) != 0 &&
		(entry->types & (1 << kn_word_number(kn_provider_types, POLICE))))
		fail(reader, "services", "police serve nothing but police");
}

static int
parse_types(Reader *reader, const char *pointer, JsonbValue *types)
{
	int mask = 0;

	if (types->type != jbvBinary || !JsonContainerIsArray(types->val.binary.data))
	{
		fail(reader, pointer, "provider types must be an array");
		return 0;
	}
	for (uint32 i = 0; i < JsonContainerSize(types->val.binary.data); i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(types->val.binary.data, i);
		int ptype = 0;

		if (item->type == jbvString)
			ptype = kn_word_number(kn_provider_types,
								   pnstrdup(item->val.string.val, item->val.string.len));
		if (ptype == 0)
			fail(reader, pointer, "a provider type is unknown");
		mask |= 1 << ptype;
	}
	return mask & ~1;
}

static void
parse_never(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy)
{
	for (int urgency = 0; urgency < KN_URGENCIES && object; urgency++)
	{
		JsonbValue *types = kn_in_member(object, urgency_names[urgency]);

		if (types != NULL)
			policy->never[urgency] = parse_types(reader, "never", types);
	}
}

static void
parse_ack(Reader *reader, JsonbContainer *object, KnRoutingPolicy *policy)
{
	JsonbContainer *prior = nested(reader, object, "prior_minutes");

	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
		policy->prior_minutes[ptype] = number(reader, prior, kn_provider_types[ptype - 1], 0, 1440);
	policy->prior_weight = number(reader, object, "prior_weight", 0, 10000);
	policy->memory = number(reader, object, "memory", 1, 10000);
	policy->longest_minutes = number(reader, object, "longest_minutes", 1, 10080);
}

/* Travel must count: the scan of a place ends by it. */
static void
parse_urgency(Reader *reader, JsonbContainer *body, KnUrgency urgency, KnRoutingPolicy *policy)
{
	const char *name = urgency_names[urgency];
	JsonbContainer *radius = nested(reader, body, "radius_km");
	JsonbContainer *weights = nested(reader, nested(reader, body, "weights"), name);
	KnRoutingWeights *into = &policy->weights[urgency];

	policy->radius_km[urgency] = number(reader, radius, name, 1, 20100);
	into->travel = number(reader, weights, "travel", 0.01, 100);
	into->ack = number(reader, weights, "ack", 0, 100);
	into->load = number(reader, weights, "load", 0, 100);
	into->fairness = number(reader, weights, "fairness", 0, 100);
	into->mismatch = number(reader, weights, "mismatch", 0, 100);
	into->preparedness = number(reader, weights, "preparedness", 0, 0);
}

static JsonbContainer *
nested(Reader *reader, JsonbContainer *object, const char *key)
{
	JsonbValue *value = kn_in_member(object, key);

	if (value && value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
		return value->val.binary.data;
	fail(reader, key, "the member is missing or no object");
	return NULL;
}

static double
number(Reader *reader, JsonbContainer *object, const char *key, double min, double max)
{
	JsonbValue *value = kn_in_member(object, key);
	double result = min;

	if (value == NULL || value->type != jbvNumeric || !kn_number(value, &result))
		fail(reader, key, "the member is missing or no number");
	else if (isnan(result) || result < min || result > max)
		fail(reader, key, "the number is out of range");
	return result;
}

static void
fail(Reader *reader, const char *pointer, const char *message)
{
	if (reader->pointer != NULL)
		return;
	reader->pointer = pointer;
	reader->message = message;
}
