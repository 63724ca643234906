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
const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
/** A masked binary frame; its mask is zero, so that the driver has nothing to compute. */
const FRAME = Buffer.concat([
  Buffer.from([0x82, 0x80 | PAYLOAD, 0, 0, 0, 0]),
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
  let echoed = 0
  for (const socket of sockets) {
    let bytes = 0
    socket.on('data', (data) => {
      bytes += data.length
      const whole = Math.floor(bytes / ANSWER_BYTES)
      bytes -= whole * ANSWER_BYTES
      echoed += whole
      if (whole > 0) socket.write(Buffer.concat(Array.from({ length: whole }, () => FRAME)))
    })
    socket.write(Buffer.concat(Array.from({ length: inFlight }, () => FRAME)))
  }
  const startedAt = performance.now()
  await pause(1_000)
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

const bare = await Contestant.start('bare')
const ours = await Contestant.start('ours')
const scenarios: ReadonlyArray<readonly [string, (contestant: Contestant) => Promise<number>]> = [
  ['messages a second, 1 in flight', (contestant) => echo(contestant, 1)],
  ['messages a second, 8 in flight', (contestant) => echo(contestant, 8)],
  ['connections a second', churn],
  ['heap of an idle connection', idle],
]
for (const [name, measure] of scenarios) {
  await measure(bare)
  await measure(ours)
  const ratios: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const reference = await measure(bare)
    ratios.push((await measure(ours)) / reference)
  }
  ratios.sort((a, b) => a - b)
  const [least = 0, median = 0, most = 0] = [0, (PAIRS - 1) / 2, PAIRS - 1].map((i) => ratios[i])
  console.log(`${name.padEnd(32)} ${median.toFixed(3)} (${least.toFixed(3)} to ${most.toFixed(3)})`)
}
bare.stop()
ours.stop()
