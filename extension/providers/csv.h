/*-------------------------------------------------------------------------
 *
 * csv.h
 *	  Reading CSV as RFC 4180 has it, record by record.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_CSV_H
#define KN_PROVIDERS_CSV_H

#define KN_CSV_FIELDS_MAX 64

typedef struct KnCsv
{
	char *next; /* borrows the text, which it cuts into fields */
	int next_line;
	int line; /* of the record's beginning; first is 1 */
	int n;
	char *fields[KN_CSV_FIELDS_MAX]; /* valid until the text is freed */
	const char *error;               /* set when kn_csv_next() stopped before the end */
} KnCsv;

extern void kn_csv_init(KnCsv *csv, char *text);
/* Lines end in LF or CRLF; the last may lack its end.  A byte order mark is passed over. */
extern bool kn_csv_next(KnCsv *csv);

#endif
