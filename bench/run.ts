/**
 * What the plugin costs, as ratios to bare `@fastify/websocket` within one run: contestants in turn,
 * driven from this process by raw TCP peers, median of the pairs with the smallest and largest.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PAIRS = 7
const CONNECTIONS = 64
const PAYLOAD = 64
/** ms. */
const WARM_UP = 200
const DURATION = 700
const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
/** A masked text frame; its mask is zero, so that the driver has nothing to compute. */
const FRAME = Buffer.concat([
  Buffer.from([0x81, 0x80 | PAYLOAD, 0, 0, 0, 0]),
  Buffer.alloc(PAYLOAD, 'a'),
])
const ANSWER_BYTES = 2 + PAYLOAD

interface Usage {
  /** Microseconds of CPU. */
  readonly cpu: number
  /** Bytes in use after a collection. */
  readonly heap: number
}

class Contestant {
  readonly #child: ChildProcess
  readonly #port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.#port = port
  }

  static async start(name: string): Promise<Contestant> {
    const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [name], {
      execArgv: ['--import', 'tsx', '--expose-gc'],
    })
    const [port] = (await once(child, 'message')) as [number]
    return new Contestant(child, port)
  }

  async usage(): Promise<Usage> {
    this.#child.send('usage')
    const [usage] = (await once(this.#child, 'message')) as [Usage]
    return usage
  }

  async open(count: number): Promise<Socket[]> {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(this.#port, '127.0.0.1').setNoDelay()
        socket.write(HANDSHAKE)
        await once(socket, 'data')
        return socket
      }),
    )
  }

  stop(): void {
    this.#child.kill()
  }
}

/** Messages a second, with so many on the way on each connection. */
async function echo(contestant: Contestant, inFlight: number): Promise<number> {
  const sockets = await contestant.open(CONNECTIONS)
  const packet = Buffer.concat(Array.from({ length: inFlight }, () => FRAME))
  let echoed = 0
  for (const socket of sockets) {
    let bytes = 0
    socket.on('data', (data) => {
      bytes += data.length
      const whole = Math.floor(bytes / ANSWER_BYTES)
      bytes -= whole * ANSWER_BYTES
      echoed += whole
      if (whole > 0) socket.write(packet.subarray(0, whole * FRAME.length))
    })
    socket.write(packet)
  }
  await pause(WARM_UP)
  echoed = 0
  const startedAt = performance.now()
  await pause(DURATION)
  const rate = echoed / (performance.now() - startedAt)
  await end(sockets)
  return rate
}

/** Connections opened and closed a second. */
async function churn(contestant: Contestant): Promise<number> {
  const startedAt = performance.now()
  for (let round = 0; round < 20; round++) await end(await contestant.open(50))
  return 1_000 / (performance.now() - startedAt)
}

/** Heap of an idle connection, in bytes. */
async function idle(contestant: Contestant): Promise<number> {
  const before = await contestant.usage()
  const sockets = await contestant.open(2_000)
  await pause(200)
  const during = await contestant.usage()
  await end(sockets)
  return (during.heap - before.heap) / sockets.length
}

async function end(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async (socket) => {
      socket.removeAllListeners('data').resume().end()
      await once(socket, 'close')
    }),
  )
}

/** What is measured, of whom, and against whom. */
interface Scenario {
  readonly name: string
  readonly contestant: string
  readonly reference: string
  readonly measure: (contestant: Contestant) => Promise<number>
}

const ECHOES: ReadonlyArray<readonly [contestant: string, reference: string]> = [
  ['ours', 'bare'],
  ['ours, onMessage', 'bare, as text'],
  ['ours, async onMessage', 'bare, as text'],
]

const SCENARIOS: readonly Scenario[] = [
  ...ECHOES.flatMap(([contestant, reference]) =>
    [1, 8, 32].map((inFlight) => ({
      name: `messages a second, ${inFlight} in flight`,
      contestant,
      reference,
      measure: (server: Contestant) => echo(server, inFlight),
    })),
  ),
  { name: 'connections a second', contestant: 'ours', reference: 'bare', measure: churn },
  { name: 'heap of an idle connection', contestant: 'ours', reference: 'bare', measure: idle },
]

/** Measures a process of its own each time: one may be lucky with its compiler for all its life. */
async function measured({ measure }: Scenario, name: string): Promise<number> {
  const contestant = await Contestant.start(name)
  try {
    await measure(contestant)
    return await measure(contestant)
  } finally {
    contestant.stop()
  }
}

for (const scenario of SCENARIOS) {
  const { name, contestant, reference } = scenario
  const ratios: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    // Each goes first as often as the other.
    const names = pair % 2 === 0 ? [reference, contestant] : [contestant, reference]
    const results = new Map<string, number>()
    for (const each of names) results.set(each, await measured(scenario, each))
    ratios.push((results.get(contestant) ?? NaN) / (results.get(reference) ?? NaN))
  }
  ratios.sort((a, b) => a - b)
  const [least = 0, median = 0, most = 0] = [0, (PAIRS - 1) / 2, PAIRS - 1].map((i) => ratios[i])
  const spread = `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`
  console.log(`${contestant.padEnd(22)} ${name.padEnd(33)} ${spread}`)
}
