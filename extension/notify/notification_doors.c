/*-------------------------------------------------------------------------
 *
 * notification_doors.c
 *	  What a person is told outside of a case: a class and a neutral sentence.
 *
 * Called from SQL (schema kintaraa_api).  The sentence may be read by whoever
 * holds the phone, so it is one of five that say nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/errcodes.h"
#include "base/spi.h"
#include "identity/door.h"
#include "identity/page.h"

static void notification_list(KnCall *call);
static void notification_read(KnCall *call);
static const char *sentence(const char *class, const char *language);
static void write_item(KnCall *call, const KnRows *rows, uint64 row);

typedef struct Sentence
{
	const char *class;
	const char *english;
	const char *swahili;
} Sentence;

/* clang-format off */
static const Sentence sentences[] = {
	{"new_case",    "There is something new for you.",     "Kuna jambo jipya kwako."},
	{"case_update", "There is an update for you.",         "Kuna taarifa mpya kwako."},
	{"duty_call",   "Please look at your tasks.",          "Tafadhali angalia kazi zako."},
	{"account",     "Please look at your account.",        "Tafadhali angalia akaunti yako."},
	{"system",      "Please open the app.",                "Tafadhali fungua programu."},
};
/* clang-format on */

static KnStatement select_page = KN_READ(
	KN_AS_DOOR,
	"SELECT n.id, n.class, n.created_at, n.read_at FROM kintaraa.notification n "
	" WHERE n.account_id = $1 AND (n.created_at, n.id) < ($2, $3) "
	" ORDER BY n.created_at DESC, n.id DESC LIMIT $4",
	UUIDOID, TIMESTAMPTZOID, UUIDOID, INT8OID);

static KnStatement mark_read = KN_WRITE(
	KN_AS_DOOR,
	"UPDATE kintaraa.notification SET read_at = pg_catalog.now() "
	" WHERE id = $1 AND account_id = $2 AND read_at IS NULL",
	UUIDOID, UUIDOID);

static KnStatement find_own = KN_READ(
	KN_AS_DOOR,
	"SELECT FROM kintaraa.notification WHERE id = $1 AND account_id = $2",
	UUIDOID, UUIDOID);

static void
notification_list(KnCall *call)
{
	static const KnFilter filters[] = {KN_FILTER_PAGE, KN_FILTER_END};
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t last = {0};
	TimestampTz last_at = 0;
	uint64 shown;

	kn_filters_check(call->query, filters);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_before(&args, page.at, &page.id);
	kn_arg_bigint(&args, limit + 1);
	kn_run(&select_page, &args);
	rows = kn_rows();
	shown = Min(rows.n, (uint64) limit);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < shown; i++)
		write_item(call, &rows, i);
	kn_json_close(&call->json, ']');
	if (shown > 0)
	{
		kn_col_uuid(&rows, shown - 1, 1, &last);
		last_at = kn_col_time(&rows, shown - 1, 3);
	}
	kn_page_next(call, rows.n > shown, last_at, &last);
	kn_json_close(&call->json, '}');
}
KN_DOOR(notification_list, notification_list, KN_ROLE_ANY, KN_DOOR_READS,
		"The caller's notifications, newest first: a class and a neutral sentence each.");

static void
write_item(KnCall *call, const KnRows *rows, uint64 row)
{
	char *class = kn_col_text(rows, row, 2);
	pg_uuid_t id;

	kn_col_uuid(rows, row, 1, &id);
	kn_json_open(&call->json, '{');
	kn_json_pair_uuid(&call->json, "id", &id);
	kn_json_pair_text(&call->json, "class", class);
	kn_json_pair_text(&call->json, "text", sentence(class, call->language));
	kn_json_pair_time(&call->json, "createdAt", kn_col_time(rows, row, 3));
	kn_json_pair_time(&call->json, "readAt", kn_col_time(rows, row, 4));
	kn_json_close(&call->json, '}');
}

static const char *
sentence(const char *class, const char *language)
{
	bool swahili = language != NULL && strncmp(language, "sw", 2) == 0;

	for (int i = 0; i < lengthof(sentences); i++)
		if (strcmp(sentences[i].class, class) == 0)
			return swahili ? sentences[i].swahili : sentences[i].english;
	return swahili ? "Tafadhali fungua programu." : "Please open the app.";
}

static void
notification_read(KnCall *call)
{
	KnArgs args = {0};
	pg_uuid_t id;

	kn_call_path_uuid(call, 0, &id);
	kn_arg_uuid(&args, &id);
	kn_arg_uuid(&args, &call->caller->account);
	if (kn_run(&mark_read, &args) == 0 && kn_run(&find_own, &args) == 0)
		kn_refuse_absent();
	call->outcome = KN_NONE;
}
KN_DOOR(notification_read, notification_read, KN_ROLE_ANY, 0,
		"Marks one notification of the caller as read; again is harmless.");
