/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  Reading CSV as RFC 4180 has it, record by record.
 *
 * Called from provider_import.c.  Fields are cut in place: a field is never
 * longer than its text, so reading never writes ahead of itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "providers/csv.h"

static bool read_field(KnCsv *csv, bool *last);
static bool read_quoted(KnCsv *csv, char **out);
static bool fail(KnCsv *csv, const char *error);
static bool ends_line(const char *at);

void
kn_csv_init(KnCsv *csv, char *text)
{
	memset(csv, 0, sizeof(*csv));
	csv->next = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
	csv->next_line = 1;
}

bool
kn_csv_next(KnCsv *csv)
{
	bool last = false;

	csv->n = 0;
	csv->line = csv->next_line;
	if (csv->error != NULL || *csv->next == '\0')
		return false;
	while (!last)
		if (!read_field(csv, &last))
			return false;
	return true;
}

/* One field and the comma or end of line after it. */
static bool
read_field(KnCsv *csv, bool *last)
{
	char *start = csv->next;
	char *end;
	char after;

	if (csv->n == KN_CSV_FIELDS_MAX)
		return fail(csv, "there are too many fields");
	if (*start == '"')
	{
		if (!read_quoted(csv, &end))
			return false;
	}
	else
	{
		while (*csv->next != ',' && *csv->next != '\0' && !ends_line(csv->next))
			if (*csv->next++ == '"')
				return fail(csv, "a quote stands inside a field that is not quoted");
		end = csv->next;
	}
	csv->fields[csv->n++] = start;
	after = *csv->next;
	*last = after != ',';
	if (after == '\r')
		csv->next++;
	if (after != '\0')
		csv->next++;
	if (after == '\r' || after == '\n')
		csv->next_line++;
	*end = '\0';
	return true;
}

/* A line ends in LF or CRLF; CR alone is text. */
static bool
ends_line(const char *at)
{
	return *at == '\n' || (at[0] == '\r' && at[1] == '\n');
}

/* Moves the content of a quoted field to where its first quote stood; out is its end. */
static bool
read_quoted(KnCsv *csv, char **out)
{
	char *to = csv->next;
	char *from = csv->next + 1;

	for (; *from != '\0'; from++)
	{
		if (*from == '"' && *++from != '"')
		{
			csv->next = from;
			*out = to;
			if (*from == ',' || *from == '\0' || ends_line(from))
				return true;
			return fail(csv, "text follows the quote that ends a field");
		}
		if (*from == '\n')
			csv->next_line++;
		*to++ = *from;
	}
	return fail(csv, "a quote is not closed");
}

static bool
fail(KnCsv *csv, const char *error)
{
	csv->error = error;
	return false;
}
