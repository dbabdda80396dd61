/*-------------------------------------------------------------------------
 *
 * app_version.h
 *	  Apps that are too old are told so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_APP_VERSION_H
#define KN_IDENTITY_APP_VERSION_H

/* Whether an app is older than the setting minimum_app_version; one without a version is not. */
extern bool kn_app_version_is_old(const char *app_version);

#endif
