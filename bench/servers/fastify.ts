/** The contestants that run on Fastify, each with the same routes. */
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import Fastify from 'fastify'
import { obey } from './control.js'
import { bare } from './bare.js'
import { ours } from './ours.js'
import type { Settings, Variant } from './variant.js'

// tsx turns them on. A server is not run so: each error, as at a reset, would be looked up in the sources.
process.setSourceMapsEnabled(false)

const VARIANTS: Readonly<Record<string, Variant>> = { ...bare, ...ours }

const [name = '', settings = '{}'] = process.argv.slice(2)
const variant = VARIANTS[name]
if (variant === undefined)
  throw new Error(`Expected one of ${Object.keys(VARIANTS).join(', ')}, got ${name}`)

const app = Fastify()
const orders = await variant(app, JSON.parse(settings) as Settings)
await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
obey((app.server.address() as AddressInfo).port, {
  /** Ends the server, and tells how long that took, in ms; nobody waits for longer than `patience`. */
  async close(patience) {
    const startedAt = performance.now()
    await Promise.race([app.close(), pause(patience)])
    return performance.now() - startedAt
  },
  ...orders,
})
