/*-------------------------------------------------------------------------
 *
 * keyring_text.h
 *	  What keyring.c and keyring_file.c share about the text of a ring.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_KEYRING_TEXT_H
#define KN_KEYS_KEYRING_TEXT_H

#include "keys/keyring.h"

#define KN_KEYRING_TITLE "kintaraa key ring 1"
#define KN_KEYRING_LINE_MAX 128

/* Writes the line of a fresh random key; the caller cleanses out. */
extern bool kn_keyring_new_line(KnKeyKind kind, uint16_t id, int64_t created,
								char *out, size_t size);

#endif /* KN_KEYS_KEYRING_TEXT_H */
