// One phone without faults that does what test_lost_rows.py says, a line each; every answer is its rows.
'use strict'
const LokiJSAdapter = require('@nozbe/watermelondb/adapters/lokijs').default
const logger = require('@nozbe/watermelondb/utils/common/logger').default
const readline = require('readline')
const { Client, schema } = require('./client')

const [, , url, token, owned] = process.argv
const TABLES = ['incidents', 'journal_entries']

logger.silence()
const adapter = new LokiJSAdapter({ dbName: 'lost', schema, useWebWorker: false, useIncrementalIndexedDB: false })
const client = new Client({ url, token: () => token, device: 'lost-1', adapter, owned: owned ? owned.split(',') : [] })

async function make() {
  await client.database.write(async () => {
    await client.database.get('incidents').create((row) => {
      Object.assign(row._raw, { description: 'hers', server_version: 0 })
    })
    await client.database.get('journal_entries').create((row) => {
      Object.assign(row._raw, { content: 'hers', server_version: 0 })
    })
  })
}

async function obey(line) {
  if (line === 'make') await make()
  else await client.syncOnce()
  const rows = []
  for (const table of TABLES) {
    for (const row of await client.database.get(table).query().fetch()) {
      rows.push({ table, id: row.id, status: row.syncStatus, text: row._raw.description || row._raw.content })
    }
  }
  process.stdout.write(`${JSON.stringify(rows)}\n`)
}

readline.createInterface({ input: process.stdin }).on('line', (line) => obey(line).catch((error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exit(1)
})).on('close', () => process.exit(0))
