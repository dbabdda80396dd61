// One simulated phone: a thread with a WatermelonDB of its own, a clock that is wrong, and a bad network.
'use strict'
const { parentPort, workerData } = require('worker_threads')
const { Q } = require('@nozbe/watermelondb')
const LokiJSAdapter = require('@nozbe/watermelondb/adapters/lokijs').default
const logger = require('@nozbe/watermelondb/utils/common/logger').default
const Loki = require('lokijs')
const { fetchLocalChanges, setLastPulledAt } = require('@nozbe/watermelondb/sync/impl')
const { Client, schema, tables } = require('./client')

const { name, url, token, seed, adapter, folder, mutant } = workerData
const realNow = Date.now
const DAY = 86400000

logger.silence()

// Small and repeatable; the same seed gives the same phone.
function random(seedText) {
  let state = [...seedText].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0, 2166136261)
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
const chance = random(`${seed}/${name}`)
const below = (n) => Math.floor(chance() * n)
const pick = (list) => list[below(list.length)]
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms) })

let skew = 0
Date.now = () => realNow() + skew

const log = { edits: [], pushes: [], answers: [], strays: [], errors: {}, faults: {} }
const fault = (kind) => { log.faults[kind] = (log.faults[kind] || 0) + 1 }
let faults = true
let unanswered = null // the changes of a push that she does not know to have arrived
let forged = null // a cursor that is not what this phone has
const late = []

// Requests are lost, answers are lost, and requests that were given up arrive later once more.
async function flaky(address, options) {
  const pushes = options.method === 'POST'
  if (pushes) notePush(options.body)
  if (faults && chance() < 0.12) {
    fault('lost requests')
    throw new Error('lost request')
  }
  const call = () => fetch(address, { ...options, signal: AbortSignal.timeout(15000) })
  if (pushes && faults && chance() < 0.05) {
    late.push(sleep(200 + below(2500)).then(call).then((answer) => answer.text())
      .then(() => fault('requests that came late once more')).catch(() => {}))
  }
  const answer = await call()
  const body = await answer.text()
  if (faults && chance() < 0.12) {
    fault('lost answers')
    if (pushes) unanswered = JSON.parse(options.body)
    throw new Error('lost answer')
  }
  if (!pushes && answer.ok) notePull(JSON.parse(body), new URL(address).searchParams.get('last_pulled_at'))
  return new Response(body, { status: answer.status })
}

// Every column a phone writes carries a mark: whose edit it is.
const MARKED = {
  incidents: ['description', 'location_address'], journal_entries: ['title', 'content'],
  emergency_contacts: ['name', 'relationship'], safety_plans: ['notes'], mood_entries: ['notes'],
  preferences: ['settings'],
}
const MARK = /<([a-z]+-\d+)\.(\d+)>/

function notePush(body) {
  for (const [table, lists] of Object.entries(JSON.parse(body))) {
    for (const row of [...lists.created, ...lists.updated]) {
      const marks = MARKED[table].map((column) => row[column]).filter((value) => value)
      log.pushes.push({ table, id: row.id, base: row.server_version, marks, changed: row._changed, at: realNow() })
    }
    for (const id of lists.deleted) log.pushes.push({ table, id, deleted: true, marks: [], at: realNow() })
  }
}

function notePull(answer, since) {
  const rows = []
  log.answers.push({
    since: Number(since), forged: Number(since) === forged, cursor: answer.timestamp, resync: answer.resync, rows,
  })
  const owner = name.split('-')[0]
  for (const [table, lists] of Object.entries(answer.changes)) {
    const seen = new Set()
    for (const row of lists.updated) {
      const key = `${table}/${row.id}`
      if (seen.has(key)) log.strays.push(`${key} came twice in one answer`)
      seen.add(key)
      if (!row.removed) rows.push([table, row.id, row.server_version])
      for (const column of MARKED[table] || []) {
        const mark = row[column] && MARK.exec(row[column])
        if (mark && mark[1].split('-')[0] !== owner) log.strays.push(`${key} holds ${row[column]}`)
      }
    }
  }
}

let client
let edits = 0
const mark = () => `<${name}.${++edits}>`
const noteEdit = (table, id, op, text, column, seen = 0) => log.edits.push({ table, id, op, mark: text, column, seen })

const makers = {
  incidents: (text) => ({
    type: pick(['physical', 'emotional', 'online']), description: text,
    support_services: JSON.stringify(pick([['medical'], ['legal'], ['medical', 'legal']])),
    location_coordinates_latitude: -1.28 + chance() / 1000, location_coordinates_longitude: 36.82,
    location_source: 'gps',
  }),
  journal_entries: (text) => ({ title: text, content: 'first', mood: 'sad', tags: '["a","b"]', is_private: true }),
  emergency_contacts: (text) => ({ name: text, phone: '+254700000000', is_primary: false }),
  mood_entries: (text) => ({
    notes: text, mood: 'neutral', intensity: 1 + below(10), date: `2026-11-0${1 + below(9)}`,
  }),
}
const singles = { safety_plans: ['safety_plan', 'notes'], preferences: ['preference', 'settings'] }

async function create(table, id, values, text, column) {
  noteEdit(table, id, 'create', text, column)
  await client.database.get(table).create((row) => {
    row._raw.id = id
    Object.entries(values).forEach(([key, value]) => { row[key] = value })
  })
}

function takeUnanswered() {
  const rows = Object.entries(unanswered || {}).flatMap(([table, lists]) => (singles[table] ? [] :
    [...lists.created, ...lists.updated].map(({ id, server_version: version }) => ({ table, id, version }))))
  unanswered = null
  return rows.find((row) => !row.version) || rows[0]
}

async function edit() {
  await client.database.write(async () => {
    const sent = takeUnanswered() // she goes on with what she has just made
    const table = sent ? sent.table : pick(['journal_entries', 'journal_entries', 'emergency_contacts', 'mood_entries', 'incidents',
      'safety_plans', 'preferences'])
    const text = mark()
    if (singles[table]) {
      const [id, column] = singles[table]
      const value = table === 'preferences' ? JSON.stringify({ mark: text }) : text
      const rows = await client.database.get(table).query(Q.where('id', id)).fetch()
      if (rows.length === 0) {
        await create(table, id, { [column]: value }, text, column)
      } else if (!rows[0].removed) {
        noteEdit(table, id, 'update', text, column, rows[0].server_version)
        await rows[0].update((row) => { row[column] = value })
      }
      return
    }
    const rows = await client.database.get(table).query(Q.where('removed', Q.notEq(true))).fetch()
    const again = sent && rows.find((row) => row.id === sent.id)
    const what = again ? 1 : chance()
    const few = { incidents: 6, journal_entries: 16, emergency_contacts: 8, mood_entries: 10 }[table]
    if (rows.length === 0 || (what < 0.25 && rows.length < few)) {
      const id = `${name}-${table}-${edits}`
      await create(table, id, makers[table](text), text, { incidents: 'description', journal_entries: 'title',
        emergency_contacts: 'name', mood_entries: 'notes' }[table])
    } else if (what < 0.33) {
      const row = pick(rows)
      noteEdit(table, row.id, 'delete', null, null, row.server_version)
      await row.markAsDeleted()
    } else {
      const row = again || pick(rows)
      const column = pick(MARKED[table])
      noteEdit(table, row.id, 'update', text, column, row.server_version)
      await row.update((r) => { r[column] = text })
    }
  })
}

const sync = () => attempt(() => client.syncOnce())

async function attempt(what) {
  try {
    await what()
    return true
  } catch (error) {
    const kind = error.status ? `${error.status} ${error.answer.code}` : String(error.message)
    log.errors[kind] = (log.errors[kind] || 0) + 1
    return false
  }
}

// Both phones of a survivor change the same record at the same moment, from the same version.
const DUEL_MS = 900
const DUEL_COLUMNS = { journal_entries: 'content', incidents: 'description' }

async function duel() {
  const moment = Math.ceil(realNow() / DUEL_MS)
  const table = moment % 3 === 0 ? 'incidents' : 'journal_entries'
  const id = `${name.split('-')[0]}-duel-${table}-${Math.floor(moment / 9)}`
  if (!(await sync()) || realNow() > moment * DUEL_MS) return
  await sleep(moment * DUEL_MS - realNow())
  await write(table, id, chance() < 0.15)
  fault('duels')
  await attempt(() => client.pushDirty())
  await Promise.all([sync(), sleep(5 + below(30)).then(() => write(table, id, false))])
}

async function write(table, id, deletes) {
  await client.database.write(async () => {
    const text = mark()
    const column = DUEL_COLUMNS[table]
    const rows = await client.database.get(table).query(Q.where('id', id)).fetch()
    if (rows.length === 0) {
      if ((await client.database.adapter.getDeletedRecords(table)).includes(id)) return
      await create(table, id, { ...makers[table](text), [column]: text }, text, column)
    } else if (deletes) {
      noteEdit(table, id, 'delete', null, null, rows[0].server_version)
      await rows[0].markAsDeleted()
    } else if (!rows[0].removed) {
      noteEdit(table, id, 'update', text, column, rows[0].server_version)
      await rows[0].update((row) => { row[column] = text })
    }
  })
}

// A phone that was restored, or an app that makes cursors up: nothing may be skipped.  What is dirty is pushed
// before, as docs/sync.md has it, and nothing is written until the server has answered.
async function forge() {
  await sleep(200 + below(600))
  if (!(await attempt(() => client.pushDirty())) || (await dirty()) > 0) return
  const own = log.answers.map((answer) => answer.cursor)
  const tag = own.length > 0 ? own[own.length - 1] % 1000 : 1 // what tells the client nothing, the server must
  forged = pick([(realNow() + DAY) * 1000 + tag, 1000000000000000 + tag, realNow() + skew, pick(own) || 1])
  fault('cursors made up')
  await setLastPulledAt(client.database, forged)
  while (running && !(await sync())) await sleep(20)
}

const dirty = async () => Object.values((await fetchLocalChanges(client.database)).changes)
  .reduce((n, lists) => n + lists.created.length + lists.updated.length + lists.deleted.length, 0)

let running = true
async function live() {
  while (running) {
    const what = chance()
    if (DUEL_MS - (realNow() % DUEL_MS) < 150) await duel()
    else if (what < 0.5) await edit()
    else if (what < 0.52) setClock()
    else if (what < 0.54) await forge()
    else if (what < 0.75) await sync()
    else await Promise.all([sync(), sleep(5 + below(30)).then(edit)]) // she writes on while it syncs
    await sleep(below(60))
  }
}

function setClock() {
  skew = Math.floor((chance() * 6 - 3) * DAY)
  if (Math.abs(skew) > DAY) fault('phones with a clock a day or more wrong')
}

function makeAdapter() {
  if (adapter === 'sqlite') {
    const SQLiteAdapter = require('@nozbe/watermelondb/adapters/sqlite').default
    return new SQLiteAdapter({ schema, dbName: `${folder}/${name}.db` })
  }
  return new LokiJSAdapter({
    schema, dbName: name, useWebWorker: false, useIncrementalIndexedDB: false,
    extraLokiOptions: { adapter: new Loki.LokiMemoryAdapter(), autosave: false },
  })
}

// Resolvers that docs/sync.md warns of; mutants.py shows what they cost.
const resolvers = {
  library_resolver: (table, local, remote, resolved) => resolved,
  remote_wins: (table, local, remote) => ({ ...remote, _status: 'synced', _changed: '' }),
}

async function dump() {
  const rows = {}
  for (const table of tables) {
    rows[table] = (await client.database.get(table).query().fetch()).map((row) => ({ ...row._raw }))
  }
  const deleted = {}
  for (const table of tables) deleted[table] = await client.database.adapter.getDeletedRecords(table)
  return { name, log, rows, deleted }
}

async function main() {
  client = new Client({
    url, token: () => token, device: name, adapter: makeAdapter(), fetch: flaky, resolver: resolvers[mutant],
  })
  const life = live()
  parentPort.on('message', async (message) => {
    if (message.do === 'stop') {
      running = false
      await life
      faults = false
      await Promise.all(late)
      parentPort.postMessage({ stopped: name })
    } else if (message.do === 'sync') {
      let good = 0
      for (let tries = 0; good < 2 && tries < 40; tries++) {
        if (await sync()) good += 1
        else await sleep(200)
      }
      parentPort.postMessage({ synced: name, good })
    } else if (message.do === 'dump') {
      parentPort.postMessage({ dump: await dump() })
    }
  })
}

main().catch((error) => { throw error })
