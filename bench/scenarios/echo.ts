/** Messages a second, and CPU of the server for each, with so many in flight on each connection. */
import { type Chatter, type Load, openChatter, type Talk } from '../harness/chatter.js'
import { watched } from '../harness/operator.js'
import { inTurn } from '../harness/rounds.js'
import {
  beside,
  ratio,
  scenario,
  type Scenario,
  SERVERS,
  type Target,
} from '../harness/scenario.js'

/** ms, and how often: each has its turn again and again, and is no longer compiling then. */
const TIMES = { compile: 1_200, warmUp: 200, turn: 150, turns: 6 }
/** As long as it takes to pay for collections. */
const STEADY = { compile: 0, warmUp: 2_000, turn: 1_000, turns: 4 }

const RATE = 'messages a second'
const CPU = 'CPU a message'

function keyOf({ connections, bytes, inFlight }: Load): string {
  const size = bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`
  return `, ${inFlight} in flight, ${size} on ${connections} connection${connections === 1 ? '' : 's'}`
}

/** @param isSteady seconds at a time, and with the collector's work */
function echoing(
  about: Omit<Scenario, 'figures'>,
  loads: readonly Load[],
  isSteady = false,
): Scenario {
  const { compile, warmUp, turn, turns } = isSteady ? STEADY : TIMES
  const keys = loads.map(keyOf)
  return scenario<string>({
    ...about,
    figures: Object.fromEntries([
      ...keys.map((key) => [RATE + key, '/s']),
      ...keys.map((key) => [CPU + key, 'µs']),
      ...(isSteady ? [['collections', 'ms']] : []),
    ]) as Scenario['figures'],
    async measureInTurn(servers, size) {
      const values = servers.map((): Record<string, number> => ({}))
      const rounds = Math.ceil(turns * size)
      let compiledFor = 0
      for (const load of loads) {
        // Long messages take another path.
        const toCompile = load.bytes === compiledFor ? 0 : compile * size
        compiledFor = load.bytes
        const talks = new Map<Chatter, Talk[]>()
        for (const server of servers) {
          talks.set(await openChatter(server, load, toCompile + warmUp), [])
        }
        for (let round = 0; round < rounds; round++) {
          for (const [chatter, taken] of inTurn([...talks], round)) {
            taken.push(await chatter.talk(turn, isSteady))
          }
        }
        for (const [index, [chatter, taken]] of [...talks].entries()) {
          await chatter.end()
          const all = (of: keyof Talk): number => taken.reduce((sum, talk) => sum + talk[of], 0)
          Object.assign(values[index] ?? {}, {
            [RATE + keyOf(load)]: (all('counted') / all('duration')) * 1_000,
            [CPU + keyOf(load)]: all('cpu') / all('echoed'),
            collections: all('collected') / rounds,
          })
        }
      }
      return values
    },
  })
}

function loads(connections: number, bytes: number): Load[] {
  return [1, 8, 32].map((inFlight) => ({ connections, bytes, inFlight }))
}

/** What the plugin has to reach with 64 bytes, and what the gate forgives. */
function targets(connections: number): Target[] {
  const [one = '', eight = '', many = ''] = loads(connections, 64).map((load) => RATE + keyOf(load))
  return [
    ratio(one, 0.98, 0.6),
    ratio(eight, 2.6, 1.4),
    ratio(many, 5, 2),
    ratio(one, 0.95, 0.55, 'ours, onMessage'),
    ratio(eight, 2.4, 1.3, 'ours, onMessage'),
    ratio(many, 4, 1.8, 'ours, onMessage'),
  ]
}

const AS_TEXT = beside('bare, as text', 'ours, onMessage')
const PLUGIN = { ...beside('bare', 'ours'), ...AS_TEXT }
const SMALL = loads(64, 64)

const ECHO = {
  name: 'echo',
  // Of small messages, Bun echoes more than its peers can send; gorilla leaves them less than a core.
  title: 'clients send on when they have their answer; of Bun and gorilla only the CPU counts',
  entrants: {
    ...beside('bare', 'bare, corked', 'ours', 'sweep', 'timers', ...SERVERS),
    ...beside('bare, as text', 'ours, onMessage', 'ours, async onMessage', 'ours, everything on'),
  },
  targets: [...targets(64), ratio(`${RATE}, 1 in flight, 4 KiB on 64 connections`, 0.98, 0.6)],
  picture: {
    title: 'Echoes of 64 B on 64 connections',
    of: 'ratio',
    figures: [RATE, CPU].flatMap((figure) => SMALL.map((load) => figure + keyOf(load))),
  },
} as const
const FEW_AND_MANY = {
  name: 'echo-few-many',
  title: 'the same, with one connection and with 256',
  entrants: { ...beside('bare', 'bare, corked', 'ours'), ...AS_TEXT },
  // Without bounds: on one connection client and server take turns where a burst is one write.
  targets: [...targets(1), ...targets(256)].map(({ bound: _none, ...target }) => target),
}
const METRICS = {
  name: 'metrics',
  title: 'clients send on when they have their answer; with the metrics, and without them',
  entrants: {
    ...beside('ours', 'ours, metrics'),
    ...beside('ours, onMessage', 'ours, onMessage, metrics'),
  },
  // Its goal, 0.97 of ours without them, stands in docs/performance.md with what was measured.
  targets: [],
} as const
/** Of all figures the CPU varies the least. */
const METRICS_OF_THE_GATE = SMALL.map(keyOf).flatMap((key) =>
  ['ours, metrics', 'ours, onMessage, metrics'].map((name) => ratio(CPU + key, 1.03, 1.15, name)),
)
const DASHBOARD = {
  name: 'dashboard',
  title: 'clients send on when they have their answer; an operator has the dashboard open, or not',
  entrants: {
    ...beside('ours', 'ours, dashboard'),
    ...beside('ours, onMessage', 'ours, onMessage, dashboard'),
  },
  // Its goal, 0.95 of ours without a page, stands in docs/performance.md with what was measured.
  targets: [],
} as const
const DASHBOARD_OF_THE_GATE = SMALL.map(keyOf).flatMap((key) =>
  ['ours, dashboard', 'ours, onMessage, dashboard'].map((name) =>
    ratio(RATE + key, 0.95, 0.7, name),
  ),
)
const LONG = {
  name: 'echo-steady',
  title: 'one message in flight on 64 connections, seconds at a time, with the flags node has',
  entrants: PLUGIN,
  // Its goal, 0.98 of bare, stands in docs/performance.md with what was measured.
  targets: [],
}

export const ECHOES = [
  echoing(ECHO, [...SMALL, ...loads(64, 4096)]),
  echoing(FEW_AND_MANY, [...loads(1, 64), ...loads(256, 64)]),
  echoing(LONG, SMALL.slice(0, 1), true),
  echoing(METRICS, SMALL),
  watched(echoing(DASHBOARD, SMALL)),
]

export const dashboardOfTheGate = watched(
  echoing({ ...DASHBOARD, targets: DASHBOARD_OF_THE_GATE }, SMALL),
)
export const metricsOfTheGate = echoing({ ...METRICS, targets: METRICS_OF_THE_GATE }, SMALL)
export const echoOfTheGate = echoing({ ...ECHO, entrants: PLUGIN, targets: targets(64) }, SMALL)
