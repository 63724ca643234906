/** Messages a second, and CPU of the server for each, with so many in flight on each connection. */
import { Chatter, type Load } from '../harness/chatter.js'
import { inTurn } from '../harness/rounds.js'
import { ratio, type Scenario, type Target } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

/**
 * ms, and how often: a machine does not stay the same for long, so each has its turn again and again. It is
 * no longer compiling then: a server runs for days.
 */
const TIMES = { compile: 1_200, warmUp: 200, turn: 150, turns: 6 }
/** As long as it takes to pay for collections. */
const STEADY = { compile: 0, warmUp: 2_000, turn: 1_000, turns: 4 }

const RATE = 'messages a second'
const CPU = 'CPU a message'
const COLLECTIONS = 'collections'

async function talking(servers: readonly Server[], load: Load, ms: number): Promise<Chatter[]> {
  const chatters: Chatter[] = []
  for (const server of servers) {
    const chatter = await Chatter.open(server, load)
    await chatter.talk(ms)
    chatter.forget()
    chatters.push(chatter)
  }
  return chatters
}

async function end(chatters: readonly Chatter[]): Promise<void> {
  await Promise.all(chatters.map((chatter) => chatter.end()))
}

function keyOf({ connections, bytes, inFlight }: Load): string {
  const size = bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`
  return `, ${size}, ${inFlight} in flight on ${connections} connection${connections === 1 ? '' : 's'}`
}

interface About extends Pick<Scenario, 'name' | 'title' | 'entrants' | 'targets'> {
  readonly loads: readonly Load[]
  /** Seconds at a time, of one load, and with the collector's work. */
  readonly isSteady?: boolean
}

function scenario({ loads, isSteady = false, ...about }: About): Scenario {
  const { compile, warmUp, turn, turns } = isSteady ? STEADY : TIMES
  const keyed = (figure: string, load: Load): string => (isSteady ? figure : figure + keyOf(load))
  const figures: Record<string, string> = {}
  for (const load of loads) {
    figures[keyed(RATE, load)] = '/s'
    figures[keyed(CPU, load)] = 'µs'
  }
  if (isSteady) figures[COLLECTIONS] = 'ms'
  return {
    ...about,
    figures,
    async measureInTurn(servers, size) {
      const values: Array<Record<string, number>> = servers.map(() => ({}))
      let compiledFor = 0
      for (const load of loads) {
        // Long messages take another path.
        if (load.bytes !== compiledFor) await end(await talking(servers, load, compile * size))
        compiledFor = load.bytes
        const chatters = await talking(servers, load, warmUp)
        const rounds = Math.ceil(turns * size)
        for (let round = 0; round < rounds; round++) {
          for (const chatter of inTurn(chatters, round)) await chatter.talk(turn, isSteady)
        }
        await end(chatters)
        for (const [index, { rate, cpu, collected }] of chatters.entries()) {
          Object.assign(values[index] ?? {}, {
            [keyed(RATE, load)]: rate,
            [keyed(CPU, load)]: cpu,
            [COLLECTIONS]: collected / rounds,
          })
        }
      }
      return values
    },
  }
}

function loads(connections: number, bytes: number): Load[] {
  return [1, 8, 32].map((inFlight) => ({ connections, bytes, inFlight }))
}

/** Each beside the one that it is compared with: the machine does not stay the same for long. */
const PLUGIN = {
  bare: null,
  ours: 'bare',
  'ours, onMessage': 'bare, as text',
  'bare, as text': null,
}

/** One write for all that a read has brought, done by hand, is what can be gained by it. */
const MESSAGES = { 'bare, corked': 'bare', ...PLUGIN }

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

export const echo: Scenario = scenario({
  name: 'echo',
  // Of small messages, Bun echoes more than its peers can send; gorilla leaves them less than a core.
  title:
    'clients that send on as soon as they have their answer; of Bun and gorilla the CPU counts, not the rate',
  entrants: {
    ...MESSAGES,
    'ours, async onMessage': 'bare, as text',
    'ours, everything on': 'bare, as text',
    sweep: 'bare',
    timers: 'bare',
    'Socket.IO': 'bare',
    Bun: 'bare',
    gorilla: 'bare',
  },
  loads: [...loads(64, 64), ...loads(64, 4096)],
  targets: [
    ...targets(64),
    ratio(RATE + keyOf({ connections: 64, bytes: 4096, inFlight: 1 }), 0.98, 0.6),
  ],
})

export const echoOfFewAndMany: Scenario = scenario({
  name: 'echo-few-many',
  title: 'the same, with one connection and with 256',
  entrants: MESSAGES,
  loads: [...loads(1, 64), ...loads(256, 64)],
  // Without bounds: on one connection client and server take turns where a burst is one write.
  targets: [...targets(1), ...targets(256)].map(({ figure, goal, contestant }) =>
    ratio(figure, goal, undefined, contestant),
  ),
})

export const echoSteady: Scenario = scenario({
  name: 'echo-steady',
  title:
    'echoes with one message in flight on 64 connections, seconds at a time, with the flags that node has by default',
  entrants: PLUGIN,
  loads: [{ connections: 64, bytes: 64, inFlight: 1 }],
  isSteady: true,
  // Its goal, 0.98 of bare, stands in docs/performance.md with what was measured.
  targets: [],
})

export const echoOfTheGate: Scenario = scenario({
  name: 'echo',
  title: 'clients that send on as soon as they have their answer',
  entrants: PLUGIN,
  loads: loads(64, 64),
  targets: targets(64),
})
