/*-------------------------------------------------------------------------
 *
 * provider_words.c
 *	  The words of a provider's profile and their numbers.
 *
 * Called from routing, doors and import.  The place of a word in its table is
 * stored in provider_dispatch: append, never insert.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "providers/provider.h"

PG_FUNCTION_INFO_V1(kn_provider_number);
PG_FUNCTION_INFO_V1(kn_provider_mask);

const char *const kn_provider_types[] = {"healthcare", "legal", "police", "counseling",
										 "social", "gbv_rescue", "chw", NULL};
const char *const kn_genders[] = {"male", "female", NULL};

/* ISO 639: English, Swahili, then by number of speakers in Kenya; xki is Kenyan Sign Language. */
const char *const kn_languages[] = {"en", "sw", "ki", "luy", "luo", "kln", "kam", "so", "guz",
									"mer",
									"nyf", "tuv", "mas", "om", "ar", "am", "fr", "rw", "lg", "din",
									"xki", NULL};
const char *const kn_skills[] = {"child", "forensic", "disability", "male_survivor", "trauma",
								 "interpreter", NULL};

static const char *const *table_named(const char *name);

int
kn_word_number(const char *const *words, const char *word)
{
	for (int i = 0; word && words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i + 1;
	return 0;
}

int64
kn_word_mask(const char *const *words, char *const *chosen, int n)
{
	int64 mask = 0;

	for (int i = 0; i < n; i++)
	{
		int number = kn_word_number(words, chosen[i]);

		if (number > 0)
			mask |= INT64CONST(1) << (number - 1);
	}
	return mask;
}

/* provider_number(kind text, word text) */
Datum
kn_provider_number(PG_FUNCTION_ARGS)
{
	const char *const *words;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_INT16(0);
	words = table_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_INT16(kn_word_number(words, text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* provider_mask(kind text, words text[]) */
Datum
kn_provider_mask(PG_FUNCTION_ARGS)
{
	const char *const *words;
	Datum *items;
	bool *nulls;
	int n;
	int64 mask = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_INT64(0);
	words = table_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  &n);
	for (int i = 0; i < n; i++)
	{
		char *word = nulls[i] ? NULL : TextDatumGetCString(items[i]);

		mask |= kn_word_mask(words, &word, 1);
	}
	PG_RETURN_INT64(mask);
}

static const char *const *
table_named(const char *name)
{
	if (strcmp(name, "type") == 0)
		return kn_provider_types;
	if (strcmp(name, "gender") == 0)
		return kn_genders;
	if (strcmp(name, "language") == 0)
		return kn_languages;
	if (strcmp(name, "skill") == 0)
		return kn_skills;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("no table of words is named \"%s\"", name),
			errhint("The tables are type, gender, language and skill."));
}
