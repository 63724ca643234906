/** Messages a second, and CPU of the server for each, with so many in flight on each connection. */
import { Chatter, type Load } from '../harness/chatter.js'
import { inTurn } from '../harness/rounds.js'
import type { Entrant, Scenario, Size, Target } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

/** ms, and how often: a machine does not stay the same for long, so each has its turn again and again. */
const TIMES = {
  full: { compile: 1_200, warmUp: 200, turn: 150, turns: 6 },
  quick: { compile: 500, warmUp: 100, turn: 100, turns: 3 },
}

/** A server is no longer compiling when it is measured: it will run for days. */
async function compile(servers: readonly Server[], load: Load, size: Size): Promise<void> {
  for (const server of servers) {
    const chatter = await Chatter.open(server, load)
    await chatter.talk(TIMES[size].compile)
    await chatter.end()
  }
}

/** Echoes by one server after the other. */
async function echo(servers: readonly Server[], load: Load, size: Size): Promise<Chatter[]> {
  const { warmUp, turn, turns } = TIMES[size]
  const chatters: Chatter[] = []
  for (const server of servers) {
    const chatter = await Chatter.open(server, load)
    await chatter.talk(warmUp)
    chatter.forget()
    chatters.push(chatter)
  }
  for (let round = 0; round < turns; round++) {
    for (const chatter of inTurn(chatters, round)) await chatter.talk(turn)
  }
  await Promise.all(chatters.map((chatter) => chatter.end()))
  return chatters
}

function key({ connections, bytes, inFlight }: Load): string {
  const size = bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`
  return `${size}, ${inFlight} in flight on ${connections === 1 ? '1 connection' : `${connections} connections`}`
}

function scenario(
  name: string,
  title: string,
  entrants: readonly Entrant[],
  loads: readonly Load[],
  targets: Scenario['targets'],
): Scenario {
  return {
    name,
    title,
    entrants,
    figures: loads.flatMap((load) => [
      { name: `messages a second, ${key(load)}`, unit: '/s', better: 'more' },
      { name: `CPU a message, ${key(load)}`, unit: 'µs', better: 'less' },
    ]),
    targets,
    async measureInTurn(servers, size) {
      const values: Array<Record<string, number>> = servers.map(() => ({}))
      let compiledFor = 0
      for (const load of loads) {
        // Long messages take another path.
        if (load.bytes !== compiledFor) await compile(servers, load, size)
        compiledFor = load.bytes
        for (const [i, { rate, cpu }] of (await echo(servers, load, size)).entries()) {
          Object.assign(values[i] ?? {}, {
            [`messages a second, ${key(load)}`]: rate,
            [`CPU a message, ${key(load)}`]: cpu,
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
const PLUGIN: readonly Entrant[] = [
  { name: 'bare' },
  { name: 'ours', against: 'bare' },
  { name: 'ours, onMessage', against: 'bare, as text' },
  { name: 'bare, as text' },
]

/** One write for all that a read has brought, done by hand, is what can be gained by it. */
const MESSAGES: readonly Entrant[] = [{ name: 'bare, corked', against: 'bare' }, ...PLUGIN]

function atLeast(contestant: string, load: Load, goal: number, bound: number): Target {
  return { contestant, figure: `messages a second, ${key(load)}`, of: 'ratio', goal, bound }
}

/** What the plugin has to reach with 64 bytes, and what the gate forgives. */
function targets(connections: number): Target[] {
  const [one, eight, many] = loads(connections, 64) as [Load, Load, Load]
  return [
    atLeast('ours', one, 0.98, 0.6),
    atLeast('ours', eight, 2.6, 1.4),
    atLeast('ours', many, 5, 2),
    atLeast('ours, onMessage', one, 0.95, 0.55),
    atLeast('ours, onMessage', eight, 2.4, 1.3),
    atLeast('ours, onMessage', many, 4, 1.8),
  ]
}

export const echoes: Scenario = scenario(
  'echo',
  // Of small messages, Bun echoes more than its peers can send; gorilla leaves them less than a core.
  'clients that send on as soon as they have their answer; of Bun and gorilla the CPU counts, not the rate',
  [
    ...MESSAGES,
    { name: 'ours, async onMessage', against: 'bare, as text' },
    { name: 'ours, everything on', against: 'bare, as text' },
    { name: 'sweep', against: 'bare' },
    { name: 'timers', against: 'bare' },
    { name: 'Socket.IO', against: 'bare' },
    { name: 'Bun', against: 'bare' },
    { name: 'gorilla', against: 'bare' },
  ],
  [...loads(64, 64), ...loads(64, 4096)],
  [...targets(64), atLeast('ours', { connections: 64, bytes: 4096, inFlight: 1 }, 0.98, 0.6)],
)

export const echoesOfFewAndMany: Scenario = scenario(
  'echo-few-many',
  'the same, with one connection and with 256',
  MESSAGES,
  [...loads(1, 64), ...loads(256, 64)],
  // The gate does not look: on one connection client and server take turns where a burst is one write.
  [...targets(1), ...targets(256)].map(({ contestant, figure, of, goal }) => ({
    contestant,
    figure,
    of,
    goal,
  })),
)

export const echoesOfTheGate: Scenario = scenario(
  'echo',
  'clients that send on as soon as they have their answer',
  PLUGIN,
  loads(64, 64),
  targets(64),
)
