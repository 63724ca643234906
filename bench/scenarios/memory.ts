/** What an idle connection keeps, and what is left when all have closed. */
import { end, open } from '../harness/peers.js'
import type { Scenario } from '../harness/scenario.js'

const CONNECTIONS = { full: 2_500, quick: 1_000 }

export const memory: Scenario = {
  name: 'memory',
  title: 'idle connections with defaults',
  entrants: [
    { name: 'bare' },
    { name: 'sweep', against: 'bare' },
    { name: 'timers', against: 'bare' },
    { name: 'ours', against: 'bare' },
    { name: 'ours, everything on', against: 'bare' },
    { name: 'Socket.IO', against: 'bare' },
    { name: 'Bun', against: 'bare' },
    { name: 'gorilla', against: 'bare' },
  ],
  figures: [
    { name: 'heap of a connection', unit: 'B', better: 'less' },
    { name: 'RSS of a connection', unit: 'B', better: 'less' },
    { name: 'heap left of a connection that has closed', unit: 'B', better: 'less' },
  ],
  targets: [
    { contestant: 'ours', figure: 'heap of a connection', of: 'ratio', goal: 1.13, bound: 1.2 },
    {
      contestant: 'ours',
      figure: 'heap left of a connection that has closed',
      of: 'value',
      goal: 100,
      bound: 400,
    },
  ],
  async measure(server, size) {
    const count = CONNECTIONS[size]
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
      'heap of a connection': (during.heap - before.heap) / count,
      'RSS of a connection': (rss - fresh.rss) / count,
      'heap left of a connection that has closed': (after.heap - before.heap) / count,
    }
  },
}
