/*-------------------------------------------------------------------------
 *
 * provider.h
 *	  Who helps: the words of a provider's profile and their numbers.
 *
 * Numbers and bits are kept in provider_dispatch, so a word keeps its place in
 * its table for ever; new words go to the end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_PROVIDER_H
#define KN_PROVIDERS_PROVIDER_H

#define KN_PROVIDER_TYPES 7

extern const char *const kn_provider_types[]; /* NULL-ended; number 1 is the first */
extern const char *const kn_genders[];        /* NULL-ended; number 1 is the first */
extern const char *const kn_languages[];      /* NULL-ended; bit 0 is the first */
extern const char *const kn_skills[];         /* NULL-ended; bit 0 is the first */

/* Number of a word counted from 1; 0 when NULL or not in the table. */
extern int kn_word_number(const char *const *words, const char *word);
/* Mask with the bits of the words that the table knows. */
extern int64 kn_word_mask(const char *const *words, char *const *chosen, int n);

#endif
