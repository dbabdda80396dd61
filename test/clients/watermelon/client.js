// The reference client: WatermelonDB against Kintaraa.  Copy this file and schema.js; docs/sync.md says why.
'use strict'
const { Database, Q } = require('@nozbe/watermelondb')
const { synchronize } = require('@nozbe/watermelondb/sync')
const { fetchLocalChanges, getLastPulledAt, markLocalChangesAsSynced } = require('@nozbe/watermelondb/sync/impl')
const { schema, tables, modelClasses } = require('./schema')

const RECORDS_PER_PUSH = 500
const LISTS = ['created', 'updated', 'deleted']

class Client {
  // url: of the gateway; token: () => access token; device: a name this phone keeps; owned: the tables whose rows she
  // writes herself, none for helpers; fetch, resolver: for tests
  constructor({ url, token, device, adapter, owned = [], fetch = globalThis.fetch, resolver = keepBase }) {
    Object.assign(this, { url, token, device, owned, fetch, resolver })
    this.database = new Database({ adapter, modelClasses })
  }

  // Push what is dirty, then pull, then forget what is removed.  Throws when offline: call it again later.
  async syncOnce() {
    await this.requireOwner()
    await this.pushDirty()
    await synchronize({
      database: this.database,
      pullChanges: (args) => this.pull(args),
      pushChanges: (args) => this.push(args),
      sendCreatedAsUpdated: true,
      conflictResolver: this.resolver,
    })
    await this.purge()
  }

  // What one person wrote is never sent as another's.  Who signs in on the phone of somebody else needs a database of her
  // own, or `unsafeResetDatabase` once the first one's edits are sent.
  async requireOwner() {
    const account = JSON.parse(atob(this.token().split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).sub
    const owner = await this.database.localStorage.get('kintaraa_account')
    if (owner && owner !== account) throw Object.assign(new Error('the copy on this phone is of another account'), { owner })
    if (!owner) await this.database.localStorage.set('kintaraa_account', account)
  }

  // Before the pull, so that nothing that is removed or replaced takes an edit along.
  async pushDirty() {
    const local = await fetchLocalChanges(this.database)
    if (count(local.changes) === 0) return
    const answer = await this.push({ changes: local.changes, lastPulledAt: await getLastPulledAt(this.database) })
    await markLocalChangesAsSynced(this.database, local, answer.experimentalRejectedIds)
  }

  // All pages, and what changed while they were read: the state of one moment, handed over once.
  async pull({ lastPulledAt, schemaVersion, migration }) {
    const merged = {}
    let since = lastPulledAt
    let migrating = migration
    let resync = false
    let pages
    do {
      let answer = {}
      pages = 0
      do {
        answer = await this.send('GET', '/api/sync/pull', {
          last_pulled_at: since, schema_version: schemaVersion,
          migration: migrating && JSON.stringify(migrating), pageToken: answer.pageToken,
        })
        merge(merged, answer.changes)
        resync = resync || answer.resync
        pages += 1
      } while (answer.hasMore)
      since = answer.timestamp
      migrating = null
    } while (pages > 1)
    // Another history of the server, in which something may be missing: everything is compared.
    if (lastPulledAt && !resync && since % 1000 !== lastPulledAt % 1000) {
      resync = true
      merge(merged, (await this.pull({ lastPulledAt: null, schemaVersion })).changes)
    }
    if (lastPulledAt && resync) await this.offer(merged)
    return {
      changes: unmerge(merged),
      timestamp: since,
      ...(resync ? { experimentalStrategy: 'replacement' } : {}),
    }
  }

  // What she wrote and the server has lost is sent anew: a replacement would take it along.
  async offer(merged) {
    await this.database.write(async () => {
      const lost = []
      for (const table of this.owned) {
        const rows = await this.database.get(table).query(Q.where('removed', Q.notEq(true))).fetch()
        lost.push(...rows.filter((row) => row.syncStatus === 'synced' && !(merged[table] && merged[table].has(row.id)))
          .map((row) => row.prepareUpdate(() => Object.assign(row._raw, { _status: 'created', server_version: 0 }))))
      }
      if (lost.length > 0) await this.database.batch(...lost)
    })
  }

  // Each request has a running number, so that one which was held up on its way cannot undo a later one.
  async push({ changes, lastPulledAt }) {
    const rejected = {}
    let lost = null
    for (const chunk of chunks(changes, RECORDS_PER_PUSH)) {
      let answer = null
      if (lost === null) {
        try {
          const seq = Number((await this.database.localStorage.get('kintaraa_seq')) || 0) + 1
          await this.database.localStorage.set('kintaraa_seq', seq)
          answer = await this.send('POST', '/api/sync/push', { last_pulled_at: lastPulledAt, seq }, chunk)
          if (answer.superseded) await this.database.localStorage.set('kintaraa_seq', answer.seq)
        } catch (error) {
          lost = error
        }
      }
      // what got no answer stays dirty
      reject(rejected, answer === null ? idsOf(chunk) : answer.experimentalRejectedIds || {})
    }
    if (lost !== null && sizeOf(rejected) === count(changes)) throw lost
    return { experimentalRejectedIds: rejected }
  }

  // Second phase of removal: the row is blank already and holds no edit.
  async purge() {
    await this.database.write(async () => {
      const gone = []
      for (const table of tables) {
        const rows = await this.database.get(table).query(Q.where('removed', true)).fetch()
        gone.push(...rows.filter((row) => row.syncStatus === 'synced').map((row) => row.prepareDestroyPermanently()))
      }
      if (gone.length > 0) await this.database.batch(...gone)
    })
  }

  async send(method, path, query, body) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
    const response = await this.fetch(`${this.url}${path}?${new URLSearchParams(given)}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.token()}`, 'X-Device-Id': this.device, 'Content-Type': 'application/json',
      },
      body: body && JSON.stringify(body),
    })
    const answer = await response.json()
    if (!response.ok) {
      throw Object.assign(new Error(answer.title || response.statusText), { status: response.status, answer })
    }
    return answer
  }
}

// A dirty row shows the server's values under the columns she changed, and keeps the version her change started
// from: only so can the server see a conflict.  One made here under an id that came meanwhile stays as it was made.
function keepBase(table, local, remote, resolved) {
  if (local._status === 'synced') return resolved
  if (local._status === 'created') return { ...local }
  return { ...resolved, server_version: local.server_version }
}

// A later page has the last word on a record.
function merge(merged, changes) {
  for (const [table, lists] of Object.entries(changes)) {
    merged[table] = merged[table] || new Map()
    for (const row of [...lists.created, ...lists.updated]) merged[table].set(row.id, row)
    for (const id of lists.deleted) merged[table].set(id, null)
  }
}

function unmerge(merged) {
  return Object.fromEntries(Object.entries(merged).map(([table, rows]) => [table, {
    created: [],
    updated: [...rows.values()].filter((row) => row !== null),
    deleted: [...rows].filter(([, row]) => row === null).map(([id]) => id),
  }]))
}

function* chunks(changes, size) {
  let chunk = {}
  let n = 0
  for (const [table, lists] of Object.entries(changes)) {
    for (const list of LISTS) {
      for (const record of lists[list] || []) {
        chunk[table] = chunk[table] || { created: [], updated: [], deleted: [] }
        chunk[table][list].push(record)
        if (++n === size) {
          yield chunk
          chunk = {}
          n = 0
        }
      }
    }
  }
  if (n > 0) yield chunk
}

function idsOf(changes) {
  return Object.fromEntries(Object.entries(changes).map(([table, lists]) =>
    [table, LISTS.flatMap((list) => (lists[list] || []).map((record) => record.id || record))]))
}

function reject(rejected, ids) {
  for (const [table, list] of Object.entries(ids)) rejected[table] = [...(rejected[table] || []), ...list]
}

const sizeOf = (ids) => Object.values(ids).reduce((n, list) => n + list.length, 0)
const count = (changes) => sizeOf(idsOf(changes))

module.exports = { Client, keepBase, schema, tables }
