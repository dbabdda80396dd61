/*-------------------------------------------------------------------------
 *
 * app_version.h
 *	  Apps that are too old are told so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_APP_VERSION_H
#define KN_IDENTITY_APP_VERSION_H

#include "identity/door.h"

/*
 * Refuses with KN203 when the app says that it is older than the setting
 * minimum_app_version.  Whoever names no version is let in, and a door that
 * takes reports never asks.
 */
extern void kn_app_version_check(const KnCall *call);

#endif
