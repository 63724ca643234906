/** The contestants that run on Fastify, each with the same routes. */
import type { AddressInfo } from 'node:net'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import Fastify from 'fastify'
import type { Settings } from '../harness/server.js'
import { bare, counts, type Variant } from './bare.js'
import { obey } from './control.js'
import { ours } from './ours.js'

// tsx turns them on: each error, as at a reset, would be looked up in the sources.
process.setSourceMapsEnabled(false)

const [name = '', dist = '', settings = '{}'] = process.argv.slice(2)
const variants: Readonly<Record<string, Variant>> = { ...bare, ...(await ours(dist)) }
const variant = variants[name]
if (!variant) throw new Error(`Expected one of ${Object.keys(variants).join(', ')}, got ${name}`)
const app = Fastify()
const connections = await variant(app, JSON.parse(settings) as Settings)
await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })

/** Some of a list of users, of so many bytes. */
function jsonOf(bytes: number): string {
  const users = Array.from({ length: Math.ceil(bytes / 40) }, (_, id) => {
    return { id, name: `user ${(id * 7919) % 1_000}`, since: 1_700_000_000 + id * 37 }
  })
  return JSON.stringify(users).slice(0, bytes)
}

await obey((app.server.address() as AddressInfo).port, {
  counts: () => counts,
  /** Sends one message to all, and tells how long that took. */
  fanOut(bytes) {
    const message = 'a'.repeat(bytes)
    const startedAt = performance.now()
    for (const socket of connections) socket.send(message)
    return performance.now() - startedAt
  },
  /** Sends one message to all, and tells how long it took until each stream had taken its own. */
  async tellAll(bytes) {
    const message = jsonOf(bytes)
    const last = [...connections].at(-1)
    const isWaiting = (): boolean => last !== undefined && last.bufferedAmount > 0
    const startedAt = performance.now()
    if (connections.send) connections.send(message)
    else for (const socket of connections) socket.send(message)
    while (isWaiting()) await turn()
    return performance.now() - startedAt
  },
  /** Fills the kernel of each that came by `/silent`, and reads nothing: what is sent to it from now on waits. */
  clog(count) {
    const flood = Buffer.alloc(12 * 1024 * 1024)
    for (const socket of [...connections].slice(0, count)) socket.send(flood)
  },
  /** How many bytes wait for all of them together. */
  held: () => [...connections].reduce((bytes, socket) => bytes + socket.bufferedAmount, 0),
  /** Ends the server, and tells how long that took; nobody waits for longer than `patience`. */
  async close(patience) {
    const startedAt = performance.now()
    await Promise.race([app.close(), pause(patience)])
    return performance.now() - startedAt
  },
})
