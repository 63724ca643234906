/** Opening and closing. */
import { end, open } from '../harness/peers.js'
import type { Scenario } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const AT_ONCE = 50
const ROUNDS = { full: 40, quick: 15 }

async function round(server: Server): Promise<void> {
  await end(await open(server, AT_ONCE, '/hooks'))
}

export const churn: Scenario = {
  name: 'churn',
  title:
    'connections opened and closed by a FIN; ours with an onClose and one defer, bare with a listener',
  entrants: [
    { name: 'bare' },
    { name: 'sweep', against: 'bare' },
    { name: 'ours', against: 'bare' },
    { name: 'ours, everything on', against: 'bare' },
  ],
  figures: [
    { name: 'connections a second', unit: '/s', better: 'more' },
    { name: 'CPU a connection', unit: 'µs', better: 'less' },
  ],
  targets: [
    { contestant: 'ours', figure: 'connections a second', of: 'ratio', goal: 0.93, bound: 0.5 },
  ],
  async measure(server, size) {
    for (let i = 0; i < ROUNDS[size]; i++) await round(server)
    const cpuBefore = await server.cpu()
    const startedAt = performance.now()
    for (let i = 0; i < ROUNDS[size]; i++) await round(server)
    const seconds = (performance.now() - startedAt) / 1_000
    const count = ROUNDS[size] * AT_ONCE
    return {
      'connections a second': count / seconds,
      'CPU a connection': ((await server.cpu()) - cpuBefore) / count,
    }
  },
}
