// An app with nothing but WatermelonDB's own synchronize(), and a table more than the server knows.  test_odd_rows.py
// says what it does, a JSON line each; every answer is what stands in its tables.
'use strict'
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb')
const LokiJSAdapter = require('@nozbe/watermelondb/adapters/lokijs').default
const { synchronize } = require('@nozbe/watermelondb/sync')
const logger = require('@nozbe/watermelondb/utils/common/logger').default
const readline = require('readline')
const { columns, modelClasses } = require('./schema')

const [, , url, token, device] = process.argv
const extra = [{ name: 'text', type: 'string', isOptional: true }]
const common = ['created_at', 'updated_at', 'server_version'].map((name) => ({ name, type: 'number' }))

class Chat extends Model {}
Chat.table = 'chats'

logger.silence()
const schema = appSchema({
  version: 1,
  tables: [...Object.entries(columns), ['chats', extra]].map(([name, own]) => tableSchema({
    name, columns: [...own, ...common, { name: 'removed', type: 'boolean' }],
  })),
})
const database = new Database({
  adapter: new LokiJSAdapter({ dbName: 'plain', schema, useWebWorker: false, useIncrementalIndexedDB: false }),
  modelClasses: [...modelClasses, Chat],
})

async function send(method, path, body) {
  const response = await fetch(url + path, {
    method,
    headers: {
      Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...(device && { 'X-Device-Id': device }),
    },
    body: body && JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response.json()
}

const sync = () => synchronize({
  database,
  sendCreatedAsUpdated: true,
  pullChanges: async ({ lastPulledAt }) => send('GET', `/api/sync/pull?last_pulled_at=${lastPulledAt}`),
  pushChanges: async ({ changes, lastPulledAt }) => send('POST', `/api/sync/push?last_pulled_at=${lastPulledAt}`, changes),
})

async function obey({ make = [], remove = [] }) {
  await database.write(async () => {
    await database.batch(...make.map(([table, id, text]) => database.get(table).prepareCreate((row) => {
      Object.assign(row._raw, { id, server_version: 0, [table === 'chats' ? 'text' : 'content']: text })
    })))
    for (const [table, id] of remove) await (await database.get(table).find(id)).markAsDeleted()
  })
  let failed = null
  await sync().catch((error) => { failed = error.message })
  const status = {}
  for (const table of ['chats', 'journal_entries']) {
    for (const row of await database.get(table).query().fetch()) status[`${table}/${row.id}`] = row.syncStatus
  }
  process.stdout.write(`${JSON.stringify({ failed, status })}\n`)
}

readline.createInterface({ input: process.stdin }).on('line', (line) => obey(JSON.parse(line)).catch((error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exit(1)
})).on('close', () => process.exit(0))
