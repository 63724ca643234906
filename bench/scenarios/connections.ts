/** What it costs to open, to keep and to close a connection. */
import { end, open } from '../harness/peers.js'
import { beside, ratio, scenario, type Scenario, SERVERS, value } from '../harness/scenario.js'

const AT_ONCE = 50
const ROUNDS = 40

export const churn = scenario({
  name: 'churn',
  title: 'opened, and closed by a FIN; ours with an onClose and one defer, bare with a listener',
  entrants: beside('bare', 'sweep', 'ours', 'ours, everything on'),
  figures: { 'connections a second': '/s', 'CPU a connection': 'µs' },
  targets: [ratio('connections a second', 0.93, 0.5)],
  picture: { title: 'Opening and closing', of: 'ratio' },
  async measure(server, size) {
    const rounds = Math.ceil(ROUNDS * size)
    const openAndClose = async (times: number): Promise<number> => {
      const startedAt = performance.now()
      for (let i = 0; i < times; i++) await end(await open(server, AT_ONCE, '/hooks'))
      return performance.now() - startedAt
    }
    // Whatever the size: what is still being compiled is nobody's cost.
    await openAndClose(ROUNDS)
    const [cpu, ms] = await server.cpuOf(() => openAndClose(rounds))
    const count = rounds * AT_ONCE
    return { 'connections a second': (count / ms) * 1_000, 'CPU a connection': cpu / count }
  },
})

const HEAP = 'heap of a connection'
const RSS = 'RSS of a connection'
const LEFT = 'heap left, of a connection that has closed'
const WARM_UP = 4_000
/** The mean of some: collections drop code that has not run for a while, half a megabyte that comes back later. */
const TIMES = 6

/** The memory of idle connections. */
function remembering(about: Omit<Scenario, 'figures' | 'measure'>): Scenario {
  return scenario({
    ...about,
    figures: { [HEAP]: 'B', [RSS]: 'B', [LEFT]: 'B' },
    async measure(server, size) {
      const count = 2_500 * size
      const comeAndGo = async () => {
        const empty = await server.memory()
        const sockets = await open(server, count)
        const full = await server.memory()
        await end(sockets)
        return { empty, full }
      }
      const first = await comeAndGo()
      // Whatever the size: the first ones also compile and fill things that stay. Their heap does not count.
      // Their RSS does, as nothing of it is given back.
      for (let gone = 0; gone < WARM_UP; gone += count) await comeAndGo()
      const { empty, full } = await comeAndGo()
      for (let i = 1; i < TIMES; i++) await comeAndGo()
      const after = await server.memory()
      return {
        [HEAP]: (full.heap - empty.heap) / count,
        [RSS]: (first.full.rss - first.empty.rss) / count,
        [LEFT]: (after.heap - empty.heap) / count / TIMES,
      }
    },
  })
}

export const memory = remembering({
  name: 'memory',
  title: 'idle connections with defaults, after a collection',
  entrants: beside('bare', 'sweep', 'timers', 'ours', 'ours, everything on', ...SERVERS),
  targets: [ratio(HEAP, 1.13, 1.2), value(LEFT, 100, 400)],
  picture: { title: 'Memory of an idle connection', of: 'ratio', figures: [HEAP, RSS] },
})

export const memoryWithMetrics = remembering({
  name: 'metrics-memory',
  title: 'idle connections, with the metrics and without them',
  entrants: beside('ours', 'ours, metrics'),
  targets: [],
})
