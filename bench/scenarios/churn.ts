/** Opening and closing. */
import { end, open } from '../harness/peers.js'
import { ratio, scenario } from '../harness/scenario.js'

const AT_ONCE = 50
const ROUNDS = 40

export const churn = scenario({
  name: 'churn',
  title:
    'connections opened and closed by a FIN; ours with an onClose and one defer, bare with a listener',
  entrants: { bare: null, sweep: 'bare', ours: 'bare', 'ours, everything on': 'bare' },
  figures: { 'connections a second': '/s', 'CPU a connection': 'µs' },
  targets: [ratio('connections a second', 0.93, 0.5)],
  async measure(server, size) {
    const rounds = Math.ceil(ROUNDS * size)
    const openAndClose = async (): Promise<number> => {
      const startedAt = performance.now()
      for (let i = 0; i < rounds; i++) await end(await open(server, AT_ONCE, '/hooks'))
      return performance.now() - startedAt
    }
    await openAndClose()
    const [cpu, ms] = await server.cpuOf(openAndClose)
    const count = rounds * AT_ONCE
    return { 'connections a second': (count / ms) * 1_000, 'CPU a connection': cpu / count }
  },
})
