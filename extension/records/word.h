/*-------------------------------------------------------------------------
 *
 * word.h
 *	  Words as people write them, and the one word each of them means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_WORD_H
#define KN_RECORDS_WORD_H

/* Both folded: small letters, blanks as _.  A table ends with NULL. */
typedef struct KnWord
{
	const char *said;
	const char *means;
} KnWord;

extern const KnWord kn_type_words[];
extern const KnWord kn_severity_words[];
extern const KnWord kn_urgency_words[];

/* The choice that a text means, NULL when none; words may be NULL. */
extern const char *kn_word_choice(const char *const *choices, const KnWord *words,
								  const char *text);
/* Services that a text names, NULL-ended; false when something else is in it. */
extern bool kn_word_services(const char *text, const char *const **out);

#endif
