/*-------------------------------------------------------------------------
 *
 * provider_import.c
 *	  A list of facilities, as CSV, becomes providers.
 *
 * Called by a DBA through kintaraa.provider_import().  The whole text is read
 * and checked before the first row is written; the rows are then written in
 * chunks, each stamped, so that a list may be longer than one transaction's
 * stamps.  Importing the same list again changes nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "base/installed.h"
#include "base/limits.h"
#include "base/spi.h"
#include "providers/csv.h"
#include "providers/provider.h"
#include "providers/provider_dispatch.h"
#include "trail/audit.h"
#include "trail/change.h"

#define CHUNK 5000

StaticAssertDecl(CHUNK <= KN_STAMPS_MAX, "a chunk must fit the stamps of one flush");

PG_FUNCTION_INFO_V1(kn_provider_import);

typedef struct Facility
{
	char *code;
	char *name;
	char *area;
	double latitude;
	double longitude;
	int line;
} Facility;

/* Where the columns that are used stand in a record; -1 when absent. */
typedef struct Header
{
	int n;
	int code;
	int name;
	int area;
	int latitude;
	int longitude;
} Header;

typedef struct Import
{
	char *organisation;
	char *type;
	bool is_demo;
	bool by_telephone;
	pg_uuid_t organisation_id;
	int n;
	int max;
	Facility *facilities;
} Import;

static void read_csv(Import *import, char *text);
static void read_header(KnCsv *csv, Header *header);
static int column_of(const KnCsv *csv, const char *name, bool required);
static void read_facility(Import *import, const KnCsv *csv, const Header *header);
static char *text_field(const KnCsv *csv, int column, const char *name, int max, bool required);
static double degrees_field(const KnCsv *csv, int column, const char *name, double max);
static void refuse_twice(const Import *import);
static int compare_codes(const void *a, const void *b);
static void find_organisation(Import *import);
static void refuse_foreign(const Import *import, int from, int n);
static int write_chunk(const Import *import, int from, int n);
static void add_codes(KnArgs *args, const Import *import, int from, int n);
static void add_degrees(KnArgs *args, const Import *import, int from, int n, bool longitude);
static void line_error(int line, const char *message, const char *hint) pg_attribute_noreturn();

static KnStatement select_organisation = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT id FROM kintaraa.organisation WHERE kind = 'helper' AND name = $1 "
	" ORDER BY created_at, id LIMIT 1",
	TEXTOID);

static KnStatement insert_organisation = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.organisation (id, kind, name) "
	"VALUES (pg_catalog.gen_random_uuid(), 'helper', $1) RETURNING id",
	TEXTOID);

/* A provider's stamps lie in its organisation's bucket, so it cannot move by an import. */
static KnStatement select_foreign = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT facility_code FROM kintaraa.provider "
	" WHERE facility_code = ANY ($1) AND (organisation_id <> $2 OR provider_type <> $3) LIMIT 1",
	TEXTARRAYOID, UUIDOID, TEXTOID);

static KnStatement upsert = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.provider AS p "
	"  (id, organisation_id, provider_type, facility_code, name, admin_area, latitude, longitude, "
	"   by_telephone, is_demo, is_verified) "
	"SELECT pg_catalog.gen_random_uuid(), $6, $7, f.code, f.name, NULLIF(f.area, ''), f.latitude, "
	"       f.longitude, $8, $9, true "
	"  FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
	"                  pg_catalog.unnest($4), pg_catalog.unnest($5)) "
	"       AS f (code, name, area, latitude, longitude) "
	"ON CONFLICT (facility_code) DO UPDATE SET "
	"  name = EXCLUDED.name, admin_area = EXCLUDED.admin_area, latitude = EXCLUDED.latitude, "
	"  longitude = EXCLUDED.longitude, by_telephone = EXCLUDED.by_telephone, "
	"  is_demo = EXCLUDED.is_demo "
	" WHERE (p.name, p.admin_area, p.latitude, p.longitude, p.by_telephone, p.is_demo) "
	"       IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.admin_area, EXCLUDED.latitude, "
	"                         EXCLUDED.longitude, EXCLUDED.by_telephone, EXCLUDED.is_demo)",
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, UUIDOID, TEXTOID,
	BOOLOID, BOOLOID);

/*
 * provider_import(organisation text, provider_type text, csv text, demo boolean, by_telephone
 * boolean)
 */
Datum
kn_provider_import(PG_FUNCTION_ARGS)
{
	Import import = {0};
	int changed = 0;

	import.organisation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	import.type = text_to_cstring(PG_GETARG_TEXT_PP(1));
	import.is_demo = PG_GETARG_BOOL(3);
	import.by_telephone = PG_GETARG_BOOL(4);
	if (kn_word_number(kn_provider_types, import.type) == 0)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "provider_type", "the provider type is unknown",
					   "The types are healthcare, legal, police, counseling, social, gbv_rescue "
					   "and chw.");
	if (*import.organisation == '\0' || kn_chars(import.organisation) > KN_FACILITY_NAME_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, "organisation",
					   "the organisation's name is empty or too long", NULL);
	read_csv(&import, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	refuse_twice(&import);
	kn_installed_require();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI does not connect");
	find_organisation(&import);
	for (int from = 0; from < import.n; from += CHUNK)
		changed += write_chunk(&import, from, Min(CHUNK, import.n - from));
	kn_dispatch_refresh(GetCurrentTimestamp());
	kn_change_flush(NULL);
	SPI_finish();
	kn_audit_function("provider_import", "provider", NULL);
	PG_RETURN_INT32(changed);
}

static void
read_csv(Import *import, char *text)
{
	KnCsv csv;
	Header header;

	kn_csv_init(&csv, text);
	read_header(&csv, &header);
	while (kn_csv_next(&csv))
	{
		if (csv.n == 1 && csv.fields[0][0] == '\0')
			continue;
		if (csv.n != header.n)
			line_error(csv.line,
					   psprintf("there are %d fields and the header has %d", csv.n, header.n),
					   "Put fields that contain commas in double quotes.");
		read_facility(import, &csv, &header);
	}
	if (csv.error != NULL)
		line_error(csv.line, csv.error, "The text must be CSV as in RFC 4180.");
}

static void
read_header(KnCsv *csv, Header *header)
{
	if (!kn_csv_next(csv))
		line_error(1, csv->error ? csv->error : "there is no header",
				   "The first line names the columns.");
	header->n = csv->n;
	header->code = column_of(csv, "facility_id", true);
	header->name = column_of(csv, "name", true);
	header->area = column_of(csv, "admin1", false);
	header->latitude = column_of(csv, "latitude", true);
	header->longitude = column_of(csv, "longitude", true);
}

static int
column_of(const KnCsv *csv, const char *name, bool required)
{
	for (int i = 0; i < csv->n; i++)
		if (strcmp(csv->fields[i], name) == 0)
			return i;
	if (required)
		line_error(1, psprintf("column \"%s\" is missing", name),
				   "The header is facility_id,country,admin1,name,facility_type,ownership,latitude,"
				   "longitude,facility_class; facility_id, name, latitude and longitude "
				   "are needed.");
	return -1;
}

static void
read_facility(Import *import, const KnCsv *csv, const Header *header)
{
	Facility *facility;

	if (import->n == import->max)
	{
		import->max = Max(1024, import->max * 2);
		import->facilities = import->facilities
								 ? repalloc_huge(import->facilities,
												 (Size) import->max * sizeof(Facility))
								 : palloc((Size) import->max * sizeof(Facility));
	}
	facility = &import->facilities[import->n++];
	facility->line = csv->line;
	facility->code = text_field(csv, header->code, "facility_id", KN_FACILITY_CODE_MAX, true);
	facility->name = text_field(csv, header->name, "name", KN_FACILITY_NAME_MAX, true);
	facility->area = text_field(csv, header->area, "admin1", KN_FACILITY_NAME_MAX, false);
	facility->latitude = degrees_field(csv, header->latitude, "latitude", 90.0);
	facility->longitude = degrees_field(csv, header->longitude, "longitude", 180.0);
}

static char *
text_field(const KnCsv *csv, int column, const char *name, int max, bool required)
{
	const char *text = column < 0 ? "" : csv->fields[column];

	if (required && *text == '\0')
		line_error(csv->line, psprintf("%s is empty", name), NULL);
	if (kn_chars(text) > max)
		line_error(csv->line, psprintf("%s is longer than %d characters", name, max), NULL);
	return pstrdup(text);
}

static double
degrees_field(const KnCsv *csv, int column, const char *name, double max)
{
	const char *text = csv->fields[column];
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
		line_error(csv->line, psprintf("%s is not a number", name),
				   "Write degrees with a decimal point.");
	if (!(fabs(value) <= max))
		line_error(csv->line, psprintf("%s is not between -%g and %g", name, max, max),
				   "Are latitude and longitude exchanged?");
	return value;
}

static void
refuse_twice(const Import *import)
{
	Facility **sorted = palloc((Size) Max(import->n, 1) * sizeof(Facility *));

	for (int i = 0; i < import->n; i++)
		sorted[i] = &import->facilities[i];
	qsort(sorted, import->n, sizeof(Facility *), compare_codes);
	for (int i = 1; i < import->n; i++)
		if (strcmp(sorted[i - 1]->code, sorted[i]->code) == 0)
			line_error(sorted[i]->line,
					   psprintf("facility_id \"%s\" stands in line %d already", sorted[i]->code,
								sorted[i - 1]->line),
					   "Keep one of them.");
}

static int
compare_codes(const void *a, const void *b)
{
	const Facility *left = *(Facility *const *) a;
	const Facility *right = *(Facility *const *) b;
	int order = strcmp(left->code, right->code);

	return order != 0 ? order : left->line - right->line;
}

static void
find_organisation(Import *import)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_text(&args, import->organisation);
	if (kn_run(&select_organisation, &args) == 0)
		kn_run(&insert_organisation, &args);
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, &import->organisation_id);
}

static int
write_chunk(const Import *import, int from, int n)
{
	KnArgs args = {0};
	char **names = palloc(sizeof(char *) * n);
	char **areas = palloc(sizeof(char *) * n);
	int changed;

	refuse_foreign(import, from, n);
	for (int i = 0; i < n; i++)
	{
		names[i] = import->facilities[from + i].name;
		areas[i] = import->facilities[from + i].area;
	}
	add_codes(&args, import, from, n);
	kn_arg_text_array(&args, names, n);
	kn_arg_text_array(&args, areas, n);
	add_degrees(&args, import, from, n, false);
	add_degrees(&args, import, from, n, true);
	kn_arg_uuid(&args, &import->organisation_id);
	kn_arg_text(&args, import->type);
	kn_arg_bool(&args, import->by_telephone);
	kn_arg_bool(&args, import->is_demo);
	changed = (int) kn_run(&upsert, &args);
	kn_change_flush(NULL);
	return changed;
}

static void
refuse_foreign(const Import *import, int from, int n)
{
	KnArgs args = {0};
	KnRows rows;

	add_codes(&args, import, from, n);
	kn_arg_uuid(&args, &import->organisation_id);
	kn_arg_text(&args, import->type);
	if (kn_run(&select_foreign, &args) == 0)
		return;
	rows = kn_rows();
	for (int i = from; i < from + n; i++)
		if (strcmp(import->facilities[i].code, kn_col_text(&rows, 0, 1)) == 0)
			line_error(import->facilities[i].line,
					   psprintf("facility \"%s\" is known with another organisation or type",
								import->facilities[i].code),
					   "Import it as what it is, or give it another facility_id.");
}

static void
add_codes(KnArgs *args, const Import *import, int from, int n)
{
	char **codes = palloc(sizeof(char *) * n);

	for (int i = 0; i < n; i++)
		codes[i] = import->facilities[from + i].code;
	kn_arg_text_array(args, codes, n);
}

static void
add_degrees(KnArgs *args, const Import *import, int from, int n, bool longitude)
{
	Datum *items = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
	{
		const Facility *facility = &import->facilities[from + i];

		items[i] = Float8GetDatum(longitude ? facility->longitude : facility->latitude);
	}
	kn_arg_datum(args,
				 PointerGetDatum(construct_array(items, n, FLOAT8OID, sizeof(float8), true,
												 TYPALIGN_DOUBLE)),
				 false);
}

static void
line_error(int line, const char *message, const char *hint)
{
	kn_input_error(ERRCODE_KN_FIELD_VALUE, "csv", psprintf("line %d: %s", line, message), hint);
}
