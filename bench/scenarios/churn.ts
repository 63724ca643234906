/** Opening and closing. */
import { end, open } from '../harness/peers.js'
import { ratio, type Scenario } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const AT_ONCE = 50
const ROUNDS = 40
const RATE = 'connections a second'
const CPU = 'CPU a connection'

async function openAndClose(server: Server, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) await end(await open(server, AT_ONCE, '/hooks'))
}

export const churn: Scenario = {
  name: 'churn',
  title:
    'connections opened and closed by a FIN; ours with an onClose and one defer, bare with a listener',
  entrants: { bare: null, sweep: 'bare', ours: 'bare', 'ours, everything on': 'bare' },
  figures: { [RATE]: '/s', [CPU]: 'µs' },
  targets: [ratio(RATE, 0.93, 0.5)],
  async measure(server, size) {
    const rounds = Math.ceil(ROUNDS * size)
    await openAndClose(server, rounds)
    const cpuBefore = await server.cpu()
    const startedAt = performance.now()
    await openAndClose(server, rounds)
    const seconds = (performance.now() - startedAt) / 1_000
    const count = rounds * AT_ONCE
    return { [RATE]: count / seconds, [CPU]: ((await server.cpu()) - cpuBefore) / count }
  },
}
