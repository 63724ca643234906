/** Messages a second, and CPU of the server for each, with so many in flight on each connection. */
import { setTimeout as pause } from 'node:timers/promises'
import { end, open } from '../harness/peers.js'
import type { Entrant, Scenario, Size, Target } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

interface Load {
  readonly connections: number
  readonly bytes: number
  readonly inFlight: number
}

/** ms. */
const TIMES = { full: { warmUp: 200, run: 700 }, quick: { warmUp: 200, run: 350 } }

/** Echoes as fast as the server can. */
export async function echo(
  server: Server,
  { connections, bytes, inFlight }: Load,
  size: Size,
): Promise<{ rate: number; cpu: number }> {
  const { dialect } = server
  const message = dialect.message(bytes)
  const echoBytes = dialect.echoBytes(bytes)
  const packet = Buffer.concat(Array.from({ length: inFlight }, () => message))
  const sockets = await open(server, connections)
  let echoed = 0
  for (const socket of sockets) {
    let received = 0
    socket.on('data', (data) => {
      received += data.length
      const whole = Math.floor(received / echoBytes)
      received -= whole * echoBytes
      echoed += whole
      if (whole > 0) socket.write(packet.subarray(0, whole * message.length))
    })
    socket.write(packet)
  }
  await pause(TIMES[size].warmUp)
  const cpuBefore = await server.cpu()
  const startedAt = performance.now()
  echoed = 0
  await pause(TIMES[size].run)
  // A server with much to do answers late: what it echoed until then counts too.
  const cpu = await server.cpu()
  const count = echoed
  const seconds = (performance.now() - startedAt) / 1_000
  await end(sockets)
  return { rate: count / seconds, cpu: (cpu - cpuBefore) / count }
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
    async measure(server, size) {
      const values: Record<string, number> = {}
      for (const load of loads) {
        const { rate, cpu } = await echo(server, load, size)
        values[`messages a second, ${key(load)}`] = rate
        values[`CPU a message, ${key(load)}`] = cpu
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
  targets(64),
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
