/*-------------------------------------------------------------------------
 *
 * setting.c
 *	  Settings and policies: rules that administrators change as data.
 *
 * Called from SQL (schema kintaraa_api).  A policy is never changed: each change
 * is a new version, and the highest one is in force.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/jsonb.h"

#include "base/errcodes.h"
#include "base/filter.h"
#include "base/limits.h"
#include "identity/door.h"
#include "identity/setting_store.h"

#define VALUE_BYTES_MAX 65536
#define HOTLINES_MAX 20
#define VERSION_CHARS 20
#define RETENTION_MAX 1000000 /* of any unit */

static void list(KnCall *call);
static void put(KnCall *call);
static void answer_setting(KnJson *json, const KnRows *rows, uint64 row);
static void show_policy(KnCall *call);
static void put_policy(KnCall *call);
static const char *policy_kind(KnCall *call);
static Jsonb *read_value(KnCall *call, const char *key);
static void require_value(const char *name, JsonbValue *value);
static bool is_text(const JsonbValue *value, const char *wanted);
static bool is_mode(JsonbValue *value);
static bool is_app_version(JsonbValue *value);
static bool is_hotlines(JsonbValue *value);
static bool same_value(Jsonb *a, Jsonb *b);
static void require_retention(Jsonb *body, Jsonb *old);
static void answer_policy(KnCall *call, const char *kind, const KnPolicy *policy);
static void write_jsonb(KnJson *json, Jsonb *value);

KN_DOOR(setting_list, list, KN_ROLE_ADMIN, KN_DOOR_READS,
		"GET /admin/settings: all settings.");
KN_DOOR(setting_put, put, KN_ROLE_ADMIN, KN_DOOR_AUDITED,
		"PUT /admin/settings/{name}: changes a setting. Path: name. Body: value.");
KN_DOOR(policy_get, show_policy, KN_ROLE_ADMIN, KN_DOOR_READS,
		"GET /admin/policies/{kind}: the version in force. Path: kind.");
KN_DOOR(policy_put, put_policy, KN_ROLE_ADMIN, KN_DOOR_AUDITED,
		"PUT /admin/policies/{kind}: a new version of a policy. Path: kind. Body: body. "
		"If-Match: the version in force.");

static void
list(KnCall *call)
{
	static const KnFilter none[] = {KN_FILTER_END};
	KnRows rows = kn_setting_list(NULL);

	kn_filters_check(call->query, none);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < rows.n; i++)
		answer_setting(&call->json, &rows, i);
	kn_json_close(&call->json, ']');
	kn_json_pair_text(&call->json, "next", NULL);
	kn_json_close(&call->json, '}');
}

static void
answer_setting(KnJson *json, const KnRows *rows, uint64 row)
{
	bool is_null;

	kn_json_open(json, '{');
	kn_json_pair_text(json, "name", kn_col_text(rows, row, 1));
	kn_json_key(json, "value");
	write_jsonb(json, DatumGetJsonbP(kn_col(rows, row, 2, &is_null)));
	kn_json_pair_text(json, "help", kn_col_text(rows, row, 3));
	kn_json_pair_time(json, "updatedAt", kn_col_time(rows, row, 4));
	kn_json_close(json, '}');
}

/* A scalar lies in a jsonb as an array of one. */
static void
write_jsonb(KnJson *json, Jsonb *value)
{
	JsonbValue whole;

	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &whole))
	{
		whole.type = jbvBinary;
		whole.val.binary.data = &value->root;
		whole.val.binary.len = VARSIZE_ANY_EXHDR(value);
	}
	kn_json_client(json, &whole);
}

static void
put(KnCall *call)
{
	const char *name = call->n_path > 0 ? call->path[0] : "";
	KnRows rows;
	Jsonb *value;

	call->noun = "setting";
	if (kn_setting_list(name).n == 0)
		kn_refuse_absent();
	call->fields = name;
	value = read_value(call, "value");
	require_value(name, kn_in_member(kn_in_object(call->body), "value"));
	kn_setting_write(name, value, &call->caller->account);
	rows = kn_setting_list(name);
	answer_setting(&call->json, &rows, 0);
}

/* The member as a value of its own; null counts as a value. */
static Jsonb *
read_value(KnCall *call, const char *key)
{
	const char *const fields[] = {key, NULL};
	JsonbContainer *body = kn_in_object(call->body);
	JsonbValue *value = kn_in_member(body, key);
	Jsonb *whole;

	kn_in_only(body, fields);
	if (value == NULL)
		kn_input_error(ERRCODE_KN_FIELD_MISSING, key, "a required field is missing",
					   "Send the field that pointer names.");
	whole = JsonbValueToJsonb(value);
	if (VARSIZE_ANY_EXHDR(whole) > VALUE_BYTES_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, key, "the field is too long", "Send less.");
	return whole;
}

static void
require_value(const char *name, JsonbValue *value)
{
	static const struct
	{
		const char *name;
		bool (*fits)(JsonbValue *value);
		const char *hint;
	} rules[] = {
		{"routing_mode", is_mode, "Send hybrid or manual."},
		{"minimum_app_version", is_app_version, "Send null, or a text such as 1.4.0."},
		{"hotlines", is_hotlines, "Send 1 to 20 objects of number and name."},
	};

	for (int i = 0; i < lengthof(rules); i++)
		if (strcmp(rules[i].name, name) == 0 && !rules[i].fits(value))
			kn_input_error(ERRCODE_KN_FIELD_VALUE, "value", "the setting cannot have that value",
						   rules[i].hint);
}

static bool
is_text(const JsonbValue *value, const char *wanted)
{
	return value->type == jbvString && value->val.string.len == strlen(wanted) &&
		   memcmp(value->val.string.val, wanted, strlen(wanted)) == 0;
}

static bool
is_mode(JsonbValue *value)
{
	return is_text(value, "hybrid") || is_text(value, "manual");
}

static bool
is_app_version(JsonbValue *value)
{
	int part;
	int used = 0;
	char *text;

	if (value->type == jbvNull)
		return true;
	if (value->type != jbvString || value->val.string.len > VERSION_CHARS)
		return false;
	text = pnstrdup(value->val.string.val, value->val.string.len);
	return strspn(text, "0123456789.") == strlen(text) &&
		   sscanf(text, "%d.%d.%d%n", &part, &part, &part, &used) == 3 && text[used] == '\0';
}

/* A report answers with them, so there is always at least one. */
static bool
is_hotlines(JsonbValue *value)
{
	static const char *const fields[] = {"number", "name", NULL};
	JsonbContainer *array = value->type == jbvBinary ? value->val.binary.data : NULL;

	if (array == NULL || !JsonContainerIsArray(array) || JsonContainerSize(array) < 1 ||
		JsonContainerSize(array) > HOTLINES_MAX)
		return false;
	for (uint32 i = 0; i < JsonContainerSize(array); i++)
	{
		JsonbValue *line = getIthJsonbValueFromContainer(array, i);
		JsonbContainer *object = line->type == jbvBinary ? line->val.binary.data : NULL;

		if (object == NULL || !JsonContainerIsObject(object))
			return false;
		kn_in_only(object, fields);
		(void) kn_in_text(object, "number", 1, KN_PHONE_MAX, true);
		(void) kn_in_text(object, "name", 1, KN_NAME_MAX, true);
	}
	return true;
}

static void
show_policy(KnCall *call)
{
	const char *kind = policy_kind(call);
	KnPolicy policy;

	if (!kn_policy_find(kind, &policy))
		kn_refuse_absent();
	answer_policy(call, kind, &policy);
}

static const char *
policy_kind(KnCall *call)
{
	static const char *const kinds[] = {"routing", "escalation", "retention", NULL};

	if (call->n_path == 0 || !kn_choice_has(kinds, call->path[0]))
		kn_refuse_absent();
	return call->path[0];
}

static void
answer_policy(KnCall *call, const char *kind, const KnPolicy *policy)
{
	KnJson *json = &call->json;

	kn_json_open(json, '{');
	kn_json_pair_text(json, "kind", kind);
	kn_json_pair_int(json, "version", policy->version);
	kn_json_key(json, "body");
	write_jsonb(json, policy->body);
	kn_json_pair_time(json, "createdAt", policy->created_at);
	kn_json_close(json, '}');
}

static void
put_policy(KnCall *call)
{
	const char *kind = policy_kind(call);
	Jsonb *body = read_value(call, "body");
	KnPolicy policy = {0};

	call->noun = "policy";
	call->fields = kind;
	kn_policy_lock();
	(void) kn_policy_find(kind, &policy);
	if (policy.version > 0 && same_value(policy.body, body))
	{
		answer_policy(call, kind, &policy);
		return;
	}
	kn_call_require_version(call, policy.version);
	if (strcmp(kind, "retention") != 0)
		kn_policy_check(kind, body);
	else if (policy.version == 0)
		kn_refuse_absent(); /* its members are those of the version in force */
	else
		require_retention(body, policy.body);
	policy.version++;
	policy.body = body;
	kn_policy_insert(kind, &policy, &call->caller->account);
	answer_policy(call, kind, &policy);
}

/* The same sent again is the version that is in force. */
static bool
same_value(Jsonb *a, Jsonb *b)
{
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/* The same members as the version in force, each a whole number above zero. */
static void
require_retention(Jsonb *body, Jsonb *old)
{
	JsonbContainer *root = kn_in_object(body);
	JsonbIterator *it = JsonbIteratorInit(&old->root);
	JsonbIteratorToken token;
	JsonbValue key;
	uint32 n = 0;

	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		int64 number;

		if (token != WJB_KEY)
			continue;
		(void) kn_in_int(root, pnstrdup(key.val.string.val, key.val.string.len), 1, RETENTION_MAX,
						 true, &number);
		n++;
	}
	if (JsonContainerSize(root) != n)
		kn_input_error(ERRCODE_KN_FIELD_UNKNOWN, NULL, "the body has a field that is not known",
					   "Send the fields of the version in force.");
}
