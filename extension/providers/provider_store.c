/*-------------------------------------------------------------------------
 *
 * provider_store.c
 *	  Every statement that reads or writes a provider's profile.
 *
 * Called from provider.c.  Staff of other providers read the directory through
 * the door policy, dispatchers through theirs, which also shows load; the own
 * team's row is read and written by the system for the team's id alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "providers/provider_store.h"

/* Distances are compared as whole thousandths of a metre, so that a page can name one. */
#define KEYS_PER_KM 1e6

static void read_provider(const KnRows *rows, uint64 row, KnProvider *out);
static void read_words(const KnRows *rows, uint64 row, KnProvider *out);
static void read_dispatch(const KnRows *rows, uint64 row, KnProvider *out);

/* clang-format off */
#define PROFILE \
	"SELECT p.id, p.organisation_id, o.name, p.provider_type, p.name, p.facility_code, p.admin_area, " \
	"       p.latitude, p.longitude, p.languages, p.skills, p.gender, p.by_telephone, p.is_available, " \
	"       p.available_until, p.is_verified, p.is_demo, p.capacity, p.hours, p.created_at, c.version, " \
	"       c.updated_at, "

#define JOIN_PROFILE \
	"      JOIN kintaraa.organisation AS o ON o.id = p.organisation_id " \
	"      LEFT JOIN " KN_STAMP_OF("p.organisation_id", "'provider'", "p.id") "ON true "

#define NO_KM "NULL::float8, "
#define KM "kintaraa.distance_km($6, $7, p.latitude, p.longitude), "
#define UNLOADED "NULL::int4, NULL::bool, NULL::real, NULL::timestamptz, 0, 0, 0 "
#define LOADED "d.load, d.dispatchable, d.ack_minutes, d.last_offer_at, h.accepted, h.declined, h.expired "

/* What became of the latest offers. */
#define JOIN_LOADED \
	"      LEFT JOIN kintaraa.provider_dispatch AS d ON d.provider_id = p.id " \
	"      LEFT JOIN LATERAL (SELECT (pg_catalog.count(*) FILTER (WHERE a.status = 'accepted'))::int4 AS accepted, " \
	"                                (pg_catalog.count(*) FILTER (WHERE a.status = 'declined'))::int4 AS declined, " \
	"                                (pg_catalog.count(*) FILTER (WHERE a.status = 'expired'))::int4 AS expired " \
	"                           FROM (SELECT status FROM kintaraa.assignment WHERE provider_id = p.id " \
	"                                  ORDER BY offered_at DESC, id DESC LIMIT 50) AS a) AS h ON true "

/* The page is cut before anything is joined to it. */
#define FILTERED \
	"  FROM (SELECT * FROM kintaraa.provider " \
	"         WHERE is_active AND ($1 IS NULL OR provider_type = $1) AND ($2 IS NULL OR is_available = $2) "
#define BY_TIME \
	"           AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5) AS p "
#define IN_TIME " ORDER BY p.created_at, p.id"
#define KEY_OF(prefix) \
	"(1 + pg_catalog.round(kintaraa.distance_km($6, $7, " prefix "latitude, " prefix "longitude) * 1000000))::bigint"
#define BY_DISTANCE \
	"           AND latitude IS NOT NULL AND longitude IS NOT NULL AND (" KEY_OF("") ", id) > ($3, $4) " \
	"         ORDER BY " KEY_OF("") ", id LIMIT $5) AS p "
#define IN_DISTANCE " ORDER BY " KEY_OF("p.") ", p.id"

static KnStatement list_plain = KN_READ(
	KN_AS_DOOR,
	PROFILE NO_KM UNLOADED FILTERED BY_TIME JOIN_PROFILE IN_TIME,
	TEXTOID, BOOLOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement list_near = KN_READ(
	KN_AS_DOOR,
	PROFILE KM UNLOADED FILTERED BY_DISTANCE JOIN_PROFILE IN_DISTANCE,
	TEXTOID, BOOLOID, INT8OID, UUIDOID, INT4OID, FLOAT8OID, FLOAT8OID);

static KnStatement list_dispatch = KN_READ(
	KN_AS_DISPATCH,
	PROFILE NO_KM LOADED FILTERED BY_TIME JOIN_PROFILE JOIN_LOADED IN_TIME,
	TEXTOID, BOOLOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement list_dispatch_near = KN_READ(
	KN_AS_DISPATCH,
	PROFILE KM LOADED FILTERED BY_DISTANCE JOIN_PROFILE JOIN_LOADED IN_DISTANCE,
	TEXTOID, BOOLOID, INT8OID, UUIDOID, INT4OID, FLOAT8OID, FLOAT8OID);

static KnStatement select_own = KN_WRITE(
	KN_AS_SYSTEM,
	PROFILE NO_KM "d.load, d.dispatchable, d.ack_minutes, d.last_offer_at, 0, 0, 0 "
	"  FROM kintaraa.provider AS p " JOIN_PROFILE
	"      LEFT JOIN kintaraa.provider_dispatch AS d ON d.provider_id = p.id "
	" WHERE p.id = $1",
	UUIDOID);

/* A PATCH that changes nothing leaves no stamp. */
static KnStatement update_own = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider AS p SET languages = n.languages, skills = n.skills, gender = n.gender, "
	"       capacity = n.capacity, hours = n.hours "
	"  FROM (SELECT CASE WHEN $2 THEN $3 ELSE languages END AS languages, "
	"               CASE WHEN $4 THEN $5 ELSE skills END AS skills, "
	"               CASE WHEN $6 THEN $7 ELSE gender END AS gender, "
	"               COALESCE($8, capacity) AS capacity, "
	"               CASE WHEN $9 THEN $10 ELSE hours END AS hours "
	"          FROM kintaraa.provider WHERE id = $1 FOR NO KEY UPDATE) AS n "
	" WHERE p.id = $1 AND (p.languages, p.skills, p.gender, p.capacity, p.hours) "
	"       IS DISTINCT FROM (n.languages, n.skills, n.gender, n.capacity, n.hours)",
	UUIDOID, BOOLOID, TEXTARRAYOID, BOOLOID, TEXTARRAYOID, BOOLOID, TEXTOID, INT4OID, BOOLOID, JSONBOID);

static KnStatement update_available = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider SET is_available = $2, available_until = $3 "
	" WHERE id = $1 AND (is_available, available_until) IS DISTINCT FROM ($2, $3)",
	UUIDOID, BOOLOID, TIMESTAMPTZOID);
/* clang-format on */

int
kn_provider_list(const KnCaller *caller, const KnProviderFilter *filter, KnProvider **out)
{
	bool dispatch = (caller->role & (KN_ROLE_DISPATCHER | KN_ROLE_ADMIN)) != 0;
	KnStatement *statement;
	KnArgs args = {0};
	KnRows rows;

	kn_arg_text(&args, filter->type);
	kn_arg_datum(&args, BoolGetDatum(filter->is_available), !filter->filters_available);
	if (filter->has_place)
		kn_arg_bigint(&args, filter->after.at);
	else
		kn_arg_time(&args, filter->after.at ? filter->after.at : DT_NOBEGIN);
	kn_arg_uuid(&args, &filter->after.id);
	kn_arg_int(&args, filter->limit + 1);
	if (filter->has_place)
	{
		kn_arg_float(&args, filter->latitude, false);
		kn_arg_float(&args, filter->longitude, false);
	}
	statement = dispatch            ? filter->has_place ? &list_dispatch_near : &list_dispatch
				: filter->has_place ? &list_near
									: &list_plain;
	kn_run(statement, &args);
	rows = kn_rows();
	*out = palloc0(sizeof(KnProvider) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		read_provider(&rows, i, &(*out)[i]);
	return (int) rows.n;
}

int64
kn_provider_key(const KnProviderFilter *filter, const KnProvider *provider)
{
	if (!filter->has_place)
		return provider->created_at;
	return 1 + (int64) rint(provider->km * KEYS_PER_KM);
}

bool
kn_provider_own(const KnCaller *caller, KnProvider *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &caller->provider);
	if (!caller->has_provider || kn_run(&select_own, &args) == 0)
		return false;
	rows = kn_rows();
	read_provider(&rows, 0, out);
	return true;
}

static void
read_provider(const KnRows *rows, uint64 row, KnProvider *out)
{
	bool is_null;
	Datum hours = kn_col(rows, row, 19, &is_null);

	memset(out, 0, sizeof(*out));
	if (!is_null)
		out->hours = DatumGetJsonbPCopy(hours);
	kn_col_uuid(rows, row, 1, &out->id);
	kn_col_uuid(rows, row, 2, &out->organisation);
	out->organisation_name = kn_col_text(rows, row, 3);
	out->type = kn_col_text(rows, row, 4);
	out->name = kn_col_text(rows, row, 5);
	out->facility_code = kn_col_text(rows, row, 6);
	out->area = kn_col_text(rows, row, 7);
	out->has_place = !kn_col_is_null(rows, row, 8) && !kn_col_is_null(rows, row, 9);
	out->latitude = kn_col_float(rows, row, 8, 0);
	out->longitude = kn_col_float(rows, row, 9, 0);
	read_words(rows, row, out);
	out->by_telephone = kn_col_bool(rows, row, 13);
	out->is_available = kn_col_bool(rows, row, 14);
	out->available_until = kn_col_time(rows, row, 15);
	out->is_verified = kn_col_bool(rows, row, 16);
	out->is_demo = kn_col_bool(rows, row, 17);
	out->capacity = kn_col_int(rows, row, 18, 0);
	out->created_at = kn_col_time(rows, row, 20);
	out->has_stamp = !kn_col_is_null(rows, row, 21);
	out->stamp.version = kn_col_bigint(rows, row, 21, 0);
	out->stamp.updated_at = kn_col_time(rows, row, 22);
	read_dispatch(rows, row, out);
}

static void
read_words(const KnRows *rows, uint64 row, KnProvider *out)
{
	out->languages = kn_col_text_array(rows, row, 10, &out->n_languages);
	out->skills = kn_col_text_array(rows, row, 11, &out->n_skills);
	out->gender = kn_col_text(rows, row, 12);
}

static void
read_dispatch(const KnRows *rows, uint64 row, KnProvider *out)
{
	bool is_null;
	Datum ack = kn_col(rows, row, 26, &is_null);

	out->ack_minutes = is_null ? NAN : DatumGetFloat4(ack);
	out->km = kn_col_float(rows, row, 23, NAN);
	out->has_load = !kn_col_is_null(rows, row, 24);
	out->load = kn_col_int(rows, row, 24, 0);
	out->is_dispatchable = kn_col_bool(rows, row, 25);
	out->last_offer_at = kn_col_time(rows, row, 27);
	out->accepted = kn_col_int(rows, row, 28, 0);
	out->declined = kn_col_int(rows, row, 29, 0);
	out->expired = kn_col_int(rows, row, 30, 0);
}

void
kn_provider_patch(const KnCaller *caller, const KnProviderPatch *patch)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &caller->provider);
	kn_arg_bool(&args, patch->sets_languages);
	kn_arg_text_array(&args, patch->languages, patch->n_languages);
	kn_arg_bool(&args, patch->sets_skills);
	kn_arg_text_array(&args, patch->skills, patch->n_skills);
	kn_arg_bool(&args, patch->sets_gender);
	kn_arg_text(&args, patch->gender);
	kn_arg_datum(&args, Int32GetDatum(patch->capacity), !patch->sets_capacity);
	kn_arg_bool(&args, patch->sets_hours);
	kn_arg_datum(&args, PointerGetDatum(patch->hours), patch->hours == NULL);
	kn_run(&update_own, &args);
}

void
kn_provider_set_available(const KnCaller *caller, bool available, TimestampTz until)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &caller->provider);
	kn_arg_bool(&args, available);
	kn_arg_time_or_null(&args, until);
	kn_run(&update_available, &args);
}
