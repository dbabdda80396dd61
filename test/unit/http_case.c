/*-------------------------------------------------------------------------
 *
 * http_case.c
 *	  Reads the wire cases; wire.py describes their form.
 *
 * Called by unit tests.  A file that breaks the form ends the program: a case that
 * is silently lost would be a promise nobody keeps.
 *
 *-------------------------------------------------------------------------
 */
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_case.h"

#define LINE_SIZE 4096
#define TEMPLATE_SIZE 8192
#define EXPANDED_SIZE 16384
#define BYTES_SIZE (4 * 1024 * 1024)

typedef struct Reader
{
	HttpCaseVisit visit;
	void *arg;
	const char *file;
	int count;
	char head[LINE_SIZE]; /* the line that starts with '=', without it */
	char each[LINE_SIZE];
	char template[TEMPLATE_SIZE];
	char *bytes;
} Reader;

static void read_file(Reader *reader, const char *path);
static void take_line(Reader *reader, char *line);
static void finish_case(Reader *reader);
static void visit_one(Reader *reader, const char *item);
static void replace(char *to, const char *template, const char *item);
static char *next_item(char **rest, const char *separator);
static size_t unescape(const char **at, char *to, bool is_nested);
static size_t repeat(const char **at, char *to);
static void die(const char *file, const char *text);

int
http_cases_visit(HttpCaseVisit visit, void *arg)
{
	Reader reader = {.visit = visit, .arg = arg};
	char pattern[1024];
	const char *slash = strrchr(__FILE__, '/');
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%.*s/../http/cases/*.case",
			 slash != NULL ? (int) (slash - __FILE__) : 1, slash != NULL ? __FILE__ : ".");
	if (glob(pattern, 0, NULL, &found) != 0)
		die(pattern, "no such files");
	reader.bytes = malloc(BYTES_SIZE);
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_file(&reader, found.gl_pathv[i]);
	free(reader.bytes);
	globfree(&found);
	return reader.count;
}

static void
read_file(Reader *reader, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[LINE_SIZE];

	if (file == NULL)
		die(path, "cannot be read");
	reader->file = strrchr(path, '/') + 1;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (strchr(line, '\n') == NULL)
			die(path, "a line is too long");
		line[strcspn(line, "\n")] = '\0';
		take_line(reader, line);
	}
	fclose(file);
	finish_case(reader);
}

static void
take_line(Reader *reader, char *line)
{
	if (line[0] == '\0')
		finish_case(reader);
	else if (line[0] == '#' && reader->head[0] == '\0')
		return;
	else if (strncmp(line, "= ", 2) == 0)
		snprintf(reader->head, sizeof(reader->head), "%s", line + 2);
	else if (reader->head[0] == '\0')
		die(reader->file, line);
	else if (strncmp(line, "each: ", 6) == 0)
		snprintf(reader->each, sizeof(reader->each), "%s", line + 6);
	else if (strlen(reader->template) + strlen(line) >= sizeof(reader->template))
		die(reader->file, "a case is too long");
	else
		strcat(reader->template, line);
}

static void
finish_case(Reader *reader)
{
	char *rest = reader->each;
	char *item;

	if (reader->head[0] == '\0')
		return;
	if (reader->each[0] == '\0')
		visit_one(reader, "");
	else
		while ((item = next_item(&rest, " ;; ")) != NULL)
			visit_one(reader, item);
	reader->head[0] = '\0';
	reader->each[0] = '\0';
	reader->template[0] = '\0';
}

static void
visit_one(Reader *reader, const char *item)
{
	HttpCase http_case = {.bytes = reader->bytes};
	char head[LINE_SIZE];
	char name[EXPANDED_SIZE];
	char expanded[EXPANDED_SIZE];
	char *rest = head;
	const char *at = expanded;

	snprintf(head, sizeof(head), "%s", reader->head);
	snprintf(http_case.expect, sizeof(http_case.expect), "%s", next_item(&rest, " | "));
	if (rest == NULL || next_item(&rest, " | ") == NULL || rest == NULL)
		die(reader->file, reader->head);
	replace(name, rest, item);
	snprintf(http_case.name, sizeof(http_case.name), "%.*s: %.180s",
			 (int) strcspn(reader->file, "."), reader->file, name);
	replace(expanded, reader->template, item);
	http_case.len = unescape(&at, http_case.bytes, false);
	reader->count++;
	reader->visit(&http_case, reader->arg);
}

static void
replace(char *to, const char *template, const char *item)
{
	const char *mark;

	*to = '\0';
	while ((mark = strstr(template, "%s")) != NULL)
	{
		strncat(to, template, (size_t) (mark - template));
		strcat(to, item);
		template = mark + 2;
	}
	strcat(to, template);
}

/* Takes the text before the separator, without spaces around it. */
static char *
next_item(char **rest, const char *separator)
{
	char *item = *rest;
	char *mark;

	if (item == NULL)
		return NULL;
	mark = strstr(item, separator);
	*rest = mark != NULL ? mark + strlen(separator) : NULL;
	if (mark != NULL)
		*mark = '\0';
	while (*item == ' ')
		item++;
	for (size_t len = strlen(item); len > 0 && item[len - 1] == ' '; len--)
		item[len - 1] = '\0';
	return item;
}

/* Up to the end, or inside braces up to the closing one. */
static size_t
unescape(const char **at, char *to, bool is_nested)
{
	size_t len = 0;
	unsigned int byte;

	while (**at != '\0' && !(is_nested && **at == '}'))
	{
		if (*(*at)++ != '\\')
		{
			to[len++] = (*at)[-1];
			continue;
		}
		switch (*(*at)++)
		{
			case 'r':
				to[len++] = '\r';
				break;
			case 'n':
				to[len++] = '\n';
				break;
			case 't':
				to[len++] = '\t';
				break;
			case '0':
				to[len++] = '\0';
				break;
			case '\\':
				to[len++] = '\\';
				break;
			case 'x':
				if (sscanf(*at, "%2x", &byte) != 1)
					die("\\x", *at);
				to[len++] = (char) byte;
				*at += 2;
				break;
			case '{':
				len += repeat(at, to + len);
				break;
			default:
				die("escape", *at);
		}
	}
	return len;
}

/* N*text} */
static size_t
repeat(const char **at, char *to)
{
	char *star;
	size_t times = strtoul(*at, &star, 10);
	size_t len;

	if (*star != '*')
		die("repeat", *at);
	*at = star + 1;
	len = unescape(at, to, true);
	if (*(*at)++ != '}' || times * len > BYTES_SIZE / 2)
		die("repeat", star);
	for (size_t i = 1; i < times; i++)
		memcpy(to + i * len, to, len);
	return times * len;
}

static void
die(const char *file, const char *text)
{
	printf("Bail out! %s: %s\n", file, text);
	exit(2);
}
