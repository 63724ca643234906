/** What an idle connection keeps, and what is left when all have closed. */
import { end, open } from '../harness/peers.js'
import { ratio, type Scenario, value } from '../harness/scenario.js'

const CONNECTIONS = 2_500
const HEAP = 'heap of a connection'
const RSS = 'RSS of a connection'
const LEFT = 'heap left of a connection that has closed'

export const memory: Scenario = {
  name: 'memory',
  title: 'idle connections with defaults',
  entrants: {
    bare: null,
    sweep: 'bare',
    timers: 'bare',
    ours: 'bare',
    'ours, everything on': 'bare',
    'Socket.IO': 'bare',
    Bun: 'bare',
    gorilla: 'bare',
  },
  figures: { [HEAP]: 'B', [RSS]: 'B', [LEFT]: 'B' },
  targets: [ratio(HEAP, 1.13, 1.2), value(LEFT, 100, 400)],
  async measure(server, size) {
    const count = CONNECTIONS * size
    const fresh = await server.memory()
    const first = await open(server, count)
    const { rss } = await server.memory()
    await end(first)
    // What the first connections compile and fill is nobody's; of RSS it is what can be seen at all, as
    // nothing of it is given back.
    const before = await server.memory()
    const sockets = await open(server, count)
    const during = await server.memory()
    await end(sockets)
    const after = await server.memory()
    return {
      [HEAP]: (during.heap - before.heap) / count,
      [RSS]: (rss - fresh.rss) / count,
      [LEFT]: (after.heap - before.heap) / count,
    }
  },
}
