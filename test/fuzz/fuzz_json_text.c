/*-------------------------------------------------------------------------
 *
 * fuzz_json_text.c
 *	  The checker and jansson agree, and what the writer writes is accepted.
 *
 * jansson is the second opinion: whatever our checker accepts, jansson must accept
 * too, with repeated members refused in the outermost object.  Whatever jansson accepts
 * the mended text is accepted as well.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/json_text.c gateway/json_check.c gateway/json_mend.c gateway/utf8.c */
/* libs: jansson */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
compare_with_jansson(const char *text, size_t len, bool is_accepted)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);

	if (is_accepted)
		require(value != NULL);
	json_decref(value);
	/* What jansson refuses as a repeated member may be one further inside. */
	value = json_loadb(text, len,
					   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, &error);
	if (is_accepted && value == NULL)
		require(json_error_code(&error) == json_error_duplicate_key);
	json_decref(value);
}

static void
write_and_check(const char *text, size_t len)
{
	char room[16];
	JsonText json;
	JsonFault fault;

	json_text_init(&json, room, sizeof(room), 8 * len + 64);
	json_open(&json, '{');
	json_add_name(&json, "a");
	json_add_string(&json, text, len);
	json_add_number_member(&json, "b", (int64_t) len);
	json_close(&json, '}');
	require(json_text_ok(&json));
	require(json_check(json.at, json.len, JSON_DEPTH_DEFAULT, &fault));
	json_text_free(&json);
}

/* What is good stays; what jansson reads can be mended; mending twice changes nothing. */
static void
mend_and_check(const char *text, size_t len, bool is_accepted)
{
	JsonText once;
	JsonText twice;
	JsonFault fault;
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);

	json_text_init(&once, NULL, 0, 8 * len + 64);
	json_text_init(&twice, NULL, 0, 8 * len + 64);
	require(json_mend(text, len, JSON_DEPTH_DEFAULT, &once));
	if (is_accepted)
		require(once.len == len && memcmp(once.at, text, len) == 0);
	if (is_accepted || (value != NULL && memchr(text, '\0', len) == NULL))
		require(json_check_loose(once.at, once.len, JSON_DEPTH_DEFAULT, &fault));
	if (json_check_loose(once.at, once.len, JSON_DEPTH_DEFAULT, &fault))
	{
		require(json_mend(once.at, once.len, JSON_DEPTH_DEFAULT, &twice));
		require(twice.len == once.len && memcmp(twice.at, once.at, once.len) == 0);
	}
	json_decref(value);
	json_text_free(&once);
	json_text_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size > 0 ? size : 1);
	JsonFault fault;
	bool is_accepted;

	memcpy(text, data, size);
	is_accepted = json_check(text, size, JSON_DEPTH_DEFAULT, &fault);
	if (!is_accepted)
		require(fault.offset <= size && fault.reason != NULL);
	compare_with_jansson(text, size, is_accepted);
	write_and_check(text, size);
	mend_and_check(text, size, is_accepted);
	free(text);
	return 0;
}
