import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { RawPeer } from './raw-peer.js'
import { cert } from '../servers/tls.js'

/** Runs in a thread of its own: it opens a WebSocket and counts the bytes that come after the 101. */
const SCRIPT = `
  const { workerData: { port, handshake, cert, counts } } = require('node:worker_threads')
  const count = new Int32Array(counts)
  const options = { port, host: '127.0.0.1', ca: cert, servername: 'localhost' }
  const socket = cert ? require('node:tls').connect(options) : require('node:net').connect(options)
  let head = ''
  socket.once(cert ? 'secureConnect' : 'connect', () => socket.write(handshake))
  socket.on('error', () => {})
  socket.on('data', (data) => {
    let bytes = data.length
    if (!head.includes('\\r\\n\\r\\n')) {
      head += data.toString('latin1')
      bytes = head.length - head.indexOf('\\r\\n\\r\\n') - 4
    }
    Atomics.add(count, 0, bytes)
    Atomics.notify(count, 0)
  })
`

/** A peer that reads also while the loop of this thread stands still. */
export interface BusyPeer {
  /** Blocks this thread until a byte has come. @returns whether one has */
  hasByte(): boolean
}

export async function openBusyPeer(
  t: TestContext,
  port: number,
  isTls: boolean,
): Promise<BusyPeer> {
  const counts = new SharedArrayBuffer(4)
  const handshake = RawPeer.handshake(port, '/')
  const worker = new Worker(SCRIPT, {
    eval: true,
    execArgv: [],
    workerData: { port, handshake, cert: isTls ? cert : undefined, counts },
  })
  t.after(() => worker.terminate())
  await once(worker, 'online')
  return { hasByte: () => Atomics.wait(new Int32Array(counts), 0, 0, 10_000) !== 'timed-out' }
}
