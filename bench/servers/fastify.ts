/** The contestants that run on Fastify, each with the same routes. */
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
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

await obey((app.server.address() as AddressInfo).port, {
  counts: () => counts,
  /** Sends one message to all, and tells how long that took. */
  fanOut(bytes) {
    const message = 'a'.repeat(bytes)
    const startedAt = performance.now()
    for (const socket of connections) socket.send(message)
    return performance.now() - startedAt
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
