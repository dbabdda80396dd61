/*-------------------------------------------------------------------------
 *
 * vault.c
 *	  Where open data keys lie, and why none is left behind.
 *
 * Called by keystore.c.  Whoever opens a survivor's key gives it back when done;
 * an error, an early return or a forgotten line must not leave it in memory.  So
 * keys lie here and nowhere else: a place that was not given back is wiped when
 * the subtransaction that took it is undone, and at the latest when the
 * transaction ends, whatever its end.  A place that is used again has another
 * number, and a copy of the old name finds nothing in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "base/mutant.h"
#include "keys/vault.h"

typedef struct KnVaultSlot
{
	dlist_node node;
	uint64 number; /* 0 while it is free */
	SubTransactionId owner;
	unsigned char key[KN_KEY_SIZE];
} KnVaultSlot;

static dlist_head used = DLIST_STATIC_INIT(used);
static dlist_head unused = DLIST_STATIC_INIT(unused);
static uint64 last_number = 0;

static void wipe(KnVaultSlot *slot);
static void at_end(XactEvent event, void *arg);
static void at_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							  void *arg);

void
kn_vault_init(void)
{
	RegisterXactCallback(at_end, NULL);
	RegisterSubXactCallback(at_subtransaction, NULL);
}

unsigned char *
kn_vault_take(KnVaultKey *out)
{
	KnVaultSlot *slot;

	if (dlist_is_empty(&unused))
		slot = MemoryContextAllocZero(TopMemoryContext, sizeof(KnVaultSlot));
	else
		slot = dlist_container(KnVaultSlot, node, dlist_pop_head_node(&unused));
	slot->number = ++last_number;
	slot->owner = GetCurrentSubTransactionId();
	dlist_push_head(&used, &slot->node);
	*out = (KnVaultKey){.slot = slot, .number = slot->number};
	return slot->key;
}

const unsigned char *
kn_vault_key(const KnVaultKey *key)
{
	return key->number != 0 && key->slot->number == key->number ? key->slot->key : NULL;
}

void
kn_vault_give(KnVaultKey *key)
{
	if (kn_vault_key(key) != NULL)
		wipe(key->slot);
	key->number = 0;
}

static void
wipe(KnVaultSlot *slot)
{
	if (!kn_mutant("no_wipe"))
		OPENSSL_cleanse(slot->key, KN_KEY_SIZE);
	slot->number = 0;
	dlist_delete(&slot->node);
	dlist_push_head(&unused, &slot->node);
}

static void
at_end(XactEvent event, void *arg)
{
	dlist_mutable_iter it;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE || kn_mutant("no_vault"))
		return;
	dlist_foreach_modify(it, &used)
		wipe(dlist_container(KnVaultSlot, node, it.cur));
}

static void
at_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	dlist_mutable_iter it;

	dlist_foreach_modify(it, &used)
	{
		KnVaultSlot *slot = dlist_container(KnVaultSlot, node, it.cur);

		if (slot->owner != id)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB && !kn_mutant("no_vault"))
			wipe(slot);
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			slot->owner = parent;
	}
}
