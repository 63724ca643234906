/** What an idle connection keeps, and what is left when all have closed. */
import { end, open } from '../harness/peers.js'
import { ratio, scenario, value } from '../harness/scenario.js'

const LEFT = 'heap left of a connection that has closed'

export const memory = scenario({
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
  figures: { 'heap of a connection': 'B', 'RSS of a connection': 'B', [LEFT]: 'B' },
  targets: [ratio('heap of a connection', 1.13, 1.2), value(LEFT, 100, 400)],
  async measure(server, size) {
    const count = 2_500 * size
    const fresh = await server.memory()
    const first = await open(server, count)
    const { rss } = await server.memory()
    await end(first)
    // The first connections also compile and fill things that stay: their heap does not count. Their
    // RSS does, as nothing of it is given back.
    const before = await server.memory()
    const sockets = await open(server, count)
    const during = await server.memory()
    await end(sockets)
    const after = await server.memory()
    return {
      'heap of a connection': (during.heap - before.heap) / count,
      'RSS of a connection': (rss - fresh.rss) / count,
      [LEFT]: (after.heap - before.heap) / count,
    }
  },
})
