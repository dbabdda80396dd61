/*-------------------------------------------------------------------------
 *
 * http_case.h
 *	  Reads the wire cases in test/http/cases, so the parser meets the same
 *	  bytes alone that a running gateway meets from wire.py.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_CASE_H
#define HTTP_CASE_H

#include <stddef.h>

typedef struct HttpCase
{
	char expect[64]; /* "400 close", "ok ok open", "wait" */
	char name[256];  /* file: name */
	char *bytes;     /* borrows until the callback returns */
	size_t len;
} HttpCase;

typedef void (*HttpCaseVisit)(const HttpCase *http_case, void *arg);

/* Visits every case of every file, in order of file names; how many there were. */
extern int http_cases_visit(HttpCaseVisit visit, void *arg);

#endif
