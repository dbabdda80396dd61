// Starts one thread per phone and does what test_sync_simulation.py says, line by line:
//   {"phones":[{"name","token"}],"url","seed","adapter","folder"}, then "stop", "sync", "dump".
'use strict'
const { Worker } = require('worker_threads')
const path = require('path')
const readline = require('readline')

const workers = []
let answers = []

function answer(message) {
  answers.push(message)
  if (answers.length < workers.length) return
  process.stdout.write(`${JSON.stringify(answers)}\n`)
  answers = []
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.startsWith('{')) {
    const { phones, ...common } = JSON.parse(line)
    for (const phone of phones) {
      const worker = new Worker(path.join(__dirname, 'phone.js'), { workerData: { ...common, ...phone } })
      worker.on('message', answer)
      worker.on('error', (error) => {
        process.stderr.write(`${error.stack}\n`)
        process.exit(1)
      })
      workers.push(worker)
    }
  } else {
    workers.forEach((worker) => worker.postMessage({ do: line }))
  }
}).on('close', () => process.exit(0))
