/*-------------------------------------------------------------------------
 *
 * push_read.c
 *	  What a device sent, as writes.
 *
 * Called by push.c.  Nothing in a record makes it refuse the others: one that
 * is of no use gets the code of its fault, and is kept with what was sent.  A
 * push of WatermelonDB has no limit that a phone knows of: the first
 * KN_BATCH_MAX of its records are taken, the others only named, and as it
 * sends its records in the same order the next push goes on behind them.
 * Records of no use come again with every push, so they are counted apart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "keys/keystore.h"
#include "sync/push.h"
#include "sync/wire.h"
#include "sync/writers.h"

/* The lists of a table of WatermelonDB. */
static const char *const lists[] = {"created", "updated", "deleted", NULL};

static void prepare(KnPush *push, int n);
static void read_record(KnPush *push, JsonbValue *value);
static void read_tables(KnPush *push, JsonbContainer *tables, bool may_wrap);
static bool is_wrapper(const JsonbValue *value);
static void read_table(KnPush *push, KnPushTable *table, JsonbValue *value);
static void read_rows(KnPush *push, KnPushTable *table, JsonbContainer *rows, bool deletes);
static void read_row(KnPush *push, KnPushTable *table, JsonbValue *row, bool deletes);
static void read_odd(KnPush *push, KnPushTable *table, JsonbValue *value);
static void read_version(KnWrite *write, JsonbContainer *object, const char *member);
static char *changed_columns(const KnWrite *write, JsonbContainer *row);
static bool is_full(const KnPush *push, const char *code);
static const char *code_of(const KnPush *push, const KnWrite *write, bool has_data);
static void add_write(KnPush *push, KnPushTable *table, const KnWrite *write, JsonbValue *sent,
					  const char *code);
static const char *noun_of(const char *name);
static char *text_of(const JsonbValue *value);
static bool is_empty(const JsonbValue *value);
static bytea *hash_of(const KnWrite *write);

void
kn_push_read_batch(KnPush *push, JsonbContainer *body)
{
	JsonbValue *records = kn_in_member(body, "records");
	int n;

	if (records == NULL || records->type != jbvBinary ||
		!JsonContainerIsArray(records->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, "records", "records is not an array",
					   "Send an array of records.");
	n = JsonContainerSize(records->val.binary.data);
	if (n > KN_BATCH_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, "records", "the batch has too many records",
					   psprintf("Send at most %d records in one batch.", KN_BATCH_MAX));
	prepare(push, n);
	for (int i = 0; i < n; i++)
		read_record(push, getIthJsonbValueFromContainer(records->val.binary.data, i));
}

static void
prepare(KnPush *push, int n)
{
	push->writes = palloc0(sizeof(KnWrite) * Max(n, 1));
	push->results = palloc0(sizeof(KnRecordResult) * Max(n, 1));
	push->tables = palloc0(sizeof(KnPushTable *) * Max(n, 1));
	push->sent = palloc0(sizeof(JsonbValue) * Max(n, 1));
	push->hashes = palloc0(sizeof(bytea *) * Max(n, 1));
}

static void
read_record(KnPush *push, JsonbValue *value)
{
	KnPushTable *table = palloc0(sizeof(KnPushTable));
	KnWrite write = {.client_id = ""};
	JsonbContainer *record;
	JsonbValue *member;

	table->name = "";
	if (value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
	{
		record = value->val.binary.data;
		table->name = text_of(kn_in_member(record, "table"));
		write.client_id = text_of(kn_in_member(record, "id"));
		write.is_delete = strcmp(text_of(kn_in_member(record, "op")), "delete") == 0;
		member = kn_in_member(record, "data");
		if (member && member->type == jbvBinary && JsonContainerIsObject(member->val.binary.data))
			write.data = member->val.binary.data;
		member = kn_in_member(record, "base");
		if (member && member->type == jbvBinary && JsonContainerIsObject(member->val.binary.data))
			read_version(&write, member->val.binary.data, "serverVersion");
	}
	write.noun = noun_of(table->name);
	add_write(push, table, &write, value, code_of(push, &write, write.data != NULL));
}

void
kn_push_read_changes(KnPush *push, JsonbContainer *body)
{
	prepare(push, 2 * KN_BATCH_MAX);
	read_tables(push, body, true);
}

/* may_wrap: the tables may stand in a member "changes", as a pull answers them. */
static void
read_tables(KnPush *push, JsonbContainer *tables, bool may_wrap)
{
	JsonbIterator *it = JsonbIteratorInit(tables);
	JsonbValue value;
	JsonbIteratorToken token;
	KnPushTable *table = NULL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			table = palloc0(sizeof(KnPushTable));
			table->name = text_of(&value);
			push->named = lappend(push->named, table);
		}
		else if (token == WJB_VALUE)
		{
			if (may_wrap && strcmp(table->name, "changes") == 0 && is_wrapper(&value))
				read_tables(push, value.val.binary.data, false);
			else
				read_table(push, table, &value);
		}
	}
}

/* An object without a list of rows is no table. */
static bool
is_wrapper(const JsonbValue *value)
{
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return false;
	for (int i = 0; lists[i] != NULL; i++)
		if (kn_in_member(value->val.binary.data, lists[i]) != NULL)
			return false;
	return true;
}

/* A list of another name is none that the server could put away by itself. */
static void
read_table(KnPush *push, KnPushTable *table, JsonbValue *value)
{
	JsonbIterator *it;
	JsonbValue item;
	JsonbIteratorToken token;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
	{
		read_odd(push, table, value);
		return;
	}
	for (int i = 0; lists[i] != NULL; i++)
	{
		JsonbValue *rows = kn_in_member(value->val.binary.data, lists[i]);

		if (rows == NULL)
			continue;
		if (rows->type == jbvBinary && JsonContainerIsArray(rows->val.binary.data))
			read_rows(push, table, rows->val.binary.data, i == 2);
		else
			read_odd(push, table, rows);
	}
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		bool is_list = token != WJB_KEY || kn_choice_has(lists, text_of(&item));

		if (token == WJB_KEY && JsonbIteratorNext(&it, &item, true) == WJB_VALUE && !is_list)
			read_odd(push, table, &item);
	}
}

static void
read_rows(KnPush *push, KnPushTable *table, JsonbContainer *rows, bool deletes)
{
	JsonbIterator *it = JsonbIteratorInit(rows);
	JsonbValue row;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &row, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			read_row(push, table, &row, deletes);
}

static void
read_row(KnPush *push, KnPushTable *table, JsonbValue *row, bool deletes)
{
	KnWrite write = {.noun = noun_of(table->name), .client_id = "", .is_delete = deletes};
	JsonbContainer *object = NULL;
	JsonbValue *version;
	const char *code;

	if (deletes)
		write.client_id = text_of(row);
	if (row->type == jbvBinary && JsonContainerIsObject(row->val.binary.data))
	{
		object = row->val.binary.data;
		write.client_id = text_of(kn_in_member(object, "id"));
	}
	code = code_of(push, &write, object != NULL);
	if (is_full(push, code))
	{
		kn_push_name(table, write.client_id);
		return;
	}
	if (object != NULL && code == NULL)
	{
		read_version(&write, object, "server_version");
		version = kn_in_member(object, "server_version");
		write.is_new = !write.has_base && version && version->type == jbvNumeric;
		write.data = &kn_wire_nest(object, changed_columns(&write, object))->root;
	}
	add_write(push, table, &write, row, code);
}

/* What is no row has no id to be named by. */
static void
read_odd(KnPush *push, KnPushTable *table, JsonbValue *value)
{
	KnWrite write = {.noun = noun_of(table->name), .client_id = ""};

	if (is_empty(value))
		return;
	if (is_full(push, "no_data"))
		kn_push_name(table, "");
	else
		add_write(push, table, &write, value, write.noun ? "no_data" : "unknown_table");
}

static void
read_version(KnWrite *write, JsonbContainer *object, const char *member)
{
	JsonbValue *version = kn_in_member(object, member);
	double number;

	write->has_base = version && version->type == jbvNumeric && kn_number(version, &number) &&
					  number > 0;
	write->base = write->has_base ? (int64) number : 0;
}

/*
 * A report takes what she changed and nothing else: its row also holds what the
 * server wrote, such as an urgency that is not to be lowered by an old copy.
 */
static char *
changed_columns(const KnWrite *write, JsonbContainer *row)
{
	JsonbValue *changed = kn_in_member(row, "_changed");

	if (write->noun == NULL || strcmp(write->noun, "incident") != 0 || !write->has_base ||
		changed == NULL || changed->type != jbvString || changed->val.string.len == 0)
		return NULL;
	return pnstrdup(changed->val.string.val, changed->val.string.len);
}

static bool
is_full(const KnPush *push, const char *code)
{
	return code == NULL ? push->n - push->n_odd == KN_BATCH_MAX : push->n_odd == KN_BATCH_MAX;
}

/* A table that its author does not write is none of his: who may not report has no reports. */
static const char *
code_of(const KnPush *push, const KnWrite *write, bool has_data)
{
	bool reports = write->noun != NULL && strcmp(write->noun, "incident") == 0;

	if (kn_writer_of(write->noun) == NULL || (reports && !push->reports))
		return "unknown_table";
	if (!kn_client_id_valid(write->client_id))
		return "id_form";
	return write->is_delete || has_data ? NULL : "no_data";
}

static void
add_write(KnPush *push, KnPushTable *table, const KnWrite *write, JsonbValue *sent,
		  const char *code)
{
	int i = push->n++;

	push->tables[i] = table;
	push->writes[i] = *write;
	push->writes[i].spelling = write->client_id;
	push->writes[i].client_id = kn_client_id_fold(write->client_id);
	push->sent[i] = *sent;
	if (code == NULL)
	{
		push->hashes[i] = hash_of(write);
		return;
	}
	push->results[i].status = KN_RECORD_INVALID;
	push->results[i].code = code;
	push->n_odd++;
}

static const char *
noun_of(const char *name)
{
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
		if (strcmp(kn_wire_nouns[i].noun, name) == 0 ||
			strcmp(kn_wire_nouns[i].plural, name) == 0 || strcmp(kn_wire_nouns[i].table, name) == 0)
			return kn_wire_nouns[i].noun;
	return NULL;
}

/* Empty where there is none. */
static char *
text_of(const JsonbValue *value)
{
	if (value == NULL || value->type != jbvString)
		return pstrdup("");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static bool
is_empty(const JsonbValue *value)
{
	return value->type == jbvNull ||
		   (value->type == jbvBinary && JsonContainerSize(value->val.binary.data) == 0);
}

static bytea *
hash_of(const KnWrite *write)
{
	KnJson text;

	kn_json_init(&text);
	kn_json_open(&text, '[');
	kn_json_bool(&text, write->is_delete);
	kn_json_int(&text, write->has_base ? write->base : -1);
	if (write->data != NULL)
	{
		JsonbValue whole = {.type = jbvBinary, .val.binary = {.data = write->data}};

		kn_json_client(&text, &whole);
	}
	kn_json_close(&text, ']');
	return kn_record_hash(text.text.data, text.text.len);
}
