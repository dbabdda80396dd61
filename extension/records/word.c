/*-------------------------------------------------------------------------
 *
 * word.c
 *	  Words as people write them, and the one word each of them means.
 *
 * Called by field.c.  Phones, forms and field workers do not share one
 * spelling, and a word that is not understood sends nobody: so case, blanks,
 * hyphens and one plural are folded, and what is in use elsewhere is known.
 * A word stands in a table only where it can mean nothing else; police above
 * all is never guessed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/input.h"
#include "providers/routing.h"
#include "records/word.h"

#define WORD_MAX 64 /* bytes; no word of ours is longer */
#define SEPARATORS ",;|/\n[]\"'"

static int blank_length(const char *at);
static bool fold(const char *text, size_t len, char *out);
static const char *look_up(const char *const *choices, const KnWord *words, const char *word);
static const char *service_of(const char *text, size_t len);
static bool is_particle(const char *text, size_t len);
static bool split_blanks(const char *text, size_t len, const char **out, int *n);

/* clang-format off */
const KnWord kn_type_words[] = {
	{"physical_violence",   "physical"},  {"physical_abuse",        "physical"},
	{"physical_assault",    "physical"},  {"beating",               "physical"},
	{"sexual_violence",     "sexual"},    {"sexual_abuse",          "sexual"},
	{"sexual_assault",      "sexual"},    {"rape",                  "sexual"},
	{"defilement",          "sexual"},    {"emotional_violence",    "emotional"},
	{"emotional_abuse",     "emotional"}, {"psychological",         "emotional"},
	{"economic_violence",   "economic"},  {"economic_abuse",        "economic"},
	{"financial_abuse",     "economic"},  {"online_violence",       "online"},
	{"online_abuse",        "online"},    {"cyber",                 "online"},
	{"kimwili",             "physical"},  {"kingono",               "sexual"},
	{"ubakaji",             "sexual"},    {"kihisia",               "emotional"},
	{"kiuchumi",            "economic"},  {"mtandaoni",             "online"},
	{NULL, NULL}};
const KnWord kn_severity_words[] = {
	{"mild", "low"}, {"moderate", "medium"}, {"severe", "high"}, {"critical", "high"}, {NULL, NULL}};
const KnWord kn_urgency_words[] = {
	{"low",       "routine"},   {"normal",   "routine"},   {"medium",    "routine"},
	{"high",      "urgent"},    {"critical", "immediate"}, {"emergency", "immediate"},
	{"emergent",  "immediate"}, {"now",      "immediate"}, {"kawaida",   "routine"},
	{"haraka",    "urgent"},    {"dharura",  "immediate"}, {"sasa",      "immediate"},
	{NULL, NULL}};
static const KnWord service_words[] = {
	{"healthcare",      "medical"},    {"health",           "medical"},    {"medic",        "medical"},
	{"medical_care",    "medical"},    {"hospital",         "medical"},    {"doctor",       "medical"},
	{"clinic",          "medical"},    {"pep",              "medical"},    {"matibabu",     "medical"},
	{"daktari",         "medical"},    {"hospitali",        "medical"},
	{"legal_aid",       "legal"},      {"lawyer",           "legal"},      {"sheria",       "legal"},
	{"wakili",          "legal"},
	{"counselling",     "counseling"}, {"counsellor",       "counseling"}, {"counselor",    "counseling"},
	{"therapy",         "counseling"}, {"mental_health",    "counseling"}, {"psychosocial", "counseling"},
	{"support_group",   "counseling"}, {"ushauri",          "counseling"},
	{"law_enforcement", "police"},     {"polisi",           "police"},
	{"safe_house",      "shelter"},    {"safehouse",        "shelter"},    {"housing",      "shelter"},
	{"makazi",          "shelter"},
	{"financial_aid",   "financial"},  {"money",            "financial"},
	{"rescue",          "emergency"},  {"gbv_rescue",       "emergency"},  {"dharura",      "emergency"},
	{"chw",             "community"},  {"community_health", "community"},
	{NULL, NULL}};
static const char *const particles[] = {"and", "or", "na", "&", "+", NULL};
/* clang-format on */

const char *
kn_word_choice(const char *const *choices, const KnWord *words, const char *text)
{
	char word[WORD_MAX];

	return fold(text, strlen(text), word) ? look_up(choices, words, word) : NULL;
}

bool
kn_word_services(const char *text, const char *const **out)
{
	/* each word takes two characters at least */
	const char **words = palloc(sizeof(char *) * (strlen(text) / 2 + 2));
	bool understood = true;
	int n = 0;

	for (const char *at = text; *at != '\0';)
	{
		size_t len = strcspn(at, SEPARATORS);
		const char *whole = service_of(at, len);

		if (whole != NULL)
			words[n++] = whole;
		else
			understood = split_blanks(at, len, words, &n) && understood;
		at += len;
		at += strspn(at, SEPARATORS);
	}
	words[n] = NULL;
	*out = words;
	return understood;
}

static bool
split_blanks(const char *text, size_t len, const char **out, int *n)
{
	bool understood = true;
	const char *end = text + len;

	while (text < end)
	{
		const char *start = text;
		const char *service;

		while (text < end && blank_length(text) == 0)
			text++;
		service = service_of(start, text - start);
		if (service != NULL)
			out[(*n)++] = service;
		else if (text > start && !is_particle(start, text - start))
			understood = false;
		while (text < end && blank_length(text) > 0)
			text += blank_length(text);
	}
	return understood;
}

static bool
is_particle(const char *text, size_t len)
{
	char word[WORD_MAX];

	return fold(text, len, word) && kn_choice_has(particles, word);
}

static const char *
service_of(const char *text, size_t len)
{
	char word[WORD_MAX];
	static const char *const none[] = {NULL};
	const char *means;
	size_t end;

	if (!fold(text, len, word))
		return NULL;
	if (kn_service_known(word))
		return pstrdup(word);
	means = look_up(none, service_words, word);
	if (means != NULL)
		return kn_service_known(means) ? means : NULL;
	end = strlen(word) - 1;
	if (end > 0 && word[end] == 's')
	{
		word[end] = '\0';
		if (kn_service_known(word))
			return pstrdup(word);
	}
	return NULL;
}

/* As it stands, then without one plural. */
static const char *
look_up(const char *const *choices, const KnWord *words, const char *word)
{
	size_t len = strlen(word);

	for (size_t end = len; end + 1 >= len && end > 0; end--)
	{
		if (end < len && word[end] != 's')
			return NULL;
		for (int i = 0; choices[i] != NULL; i++)
			if (strlen(choices[i]) == end && strncmp(choices[i], word, end) == 0)
				return choices[i];
		for (int i = 0; words != NULL && words[i].said != NULL; i++)
			if (strlen(words[i].said) == end && strncmp(words[i].said, word, end) == 0)
				return words[i].means;
	}
	return NULL;
}

/* Small letters, no blanks around, each gap one underscore; false when empty or too long. */
static bool
fold(const char *text, size_t len, char *out)
{
	const char *end = text + len;
	bool gap = false;
	int n = 0;

	while (text < end)
	{
		int blank = blank_length(text);

		if (blank > 0 || *text == '-' || *text == '_')
		{
			gap = n > 0;
			text += Max(blank, 1);
			continue;
		}
		if (n + gap + 1 >= WORD_MAX)
			return false;
		if (gap)
			out[n++] = '_';
		gap = false;
		out[n++] = pg_ascii_tolower((unsigned char) *text++);
	}
	out[n] = '\0';
	return n > 0;
}

/* Bytes of the blank here: also those that keyboards and messengers put in unseen. */
static int
blank_length(const char *at)
{
	static const char *const unseen[] = {"\xC2\xA0", "\xE2\x80\x8B", "\xE2\x80\xAF", "\xEF\xBB\xBF",
										 NULL};

	if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		return 1;
	for (int i = 0; unseen[i] != NULL; i++)
		if (strncmp(at, unseen[i], strlen(unseen[i])) == 0)
			return strlen(unseen[i]);
	return 0;
}
