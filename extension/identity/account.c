/*-------------------------------------------------------------------------
 *
 * account.c
 *	  An account as it is shown to the person whose it is.
 *
 * Called by the doors of accounts and sessions and by sync/.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "identity/account.h"

void
kn_account_json(KnJson *json, const KnAccount *account)
{
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &account->id);
	kn_json_pair_text(json, "email", account->email);
	kn_json_pair_text(json, "firstName", account->first_name);
	kn_json_pair_text(json, "lastName", account->last_name);
	kn_json_pair_text(json, "phone", account->phone);
	kn_json_pair_text(json, "role", kn_role_name(account->role));
	kn_json_pair_text(json, "providerType", account->provider_type);
	kn_json_pair_uuid(json, "providerId", account->has_provider ? &account->provider : NULL);
	kn_json_pair_bool(json, "isAnonymous", account->is_anonymous);
	kn_json_pair_text(json, "language", account->language);
	kn_json_pair_time(json, "createdAt", account->created_at);
	kn_json_pair_time(json, "updatedAt", account->stamp.updated_at);
	kn_json_pair_int(json, "serverVersion", account->stamp.version);
	kn_json_close(json, '}');
}
