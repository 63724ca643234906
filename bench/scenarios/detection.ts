/** How long a server holds on to peers that have fallen silent without a FIN. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { OPCODES } from '../harness/dialects.js'
import { behave, open } from '../harness/peers.js'
import { sequence } from '../harness/random.js'
import type { Scenario } from '../harness/scenario.js'
import { spread } from '../harness/spread.js'

const COUNT = 500
const BYTES = 64
/** In the proportion of the defaults of ours. */
const SIZES = {
  full: { interval: 1_500, timeout: 1_200 },
  quick: { interval: 1_000, timeout: 800 },
}
/** Intervals until all have been pinged. */
const WARM_UP = 1.2
/** A peer that is not found after so many bounds is not looked for. */
const PATIENCE = 3

const MEDIAN = 'median time from the last byte to the end'
const WORST = 'worst time from the last byte to the end'
const SHARE = 'the worst as a share of the bound'

/** A peer that answers pings, until it falls silent: it reads on, but says no more. */
class Mortal {
  readonly socket: Socket
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<void>
  lastByteAt = 0
  endedAt = Infinity

  constructor(socket: Socket) {
    this.socket = socket
    behave(socket, (opcode) => {
      if (opcode === OPCODES.ping) this.lastByteAt = performance.now()
    })
    this.ended = new Promise((resolve) => {
      // After an error comes a close.
      socket.on('error', () => {})
      socket.on('close', () => {
        this.endedAt = performance.now()
        resolve()
      })
    })
  }

  /** @param lastWord some fall silent right after a message, others some time after a pong */
  fallSilent(lastWord: Buffer | undefined): void {
    this.socket.removeAllListeners('data').resume()
    if (lastWord === undefined) return
    this.socket.write(lastWord)
    this.lastByteAt = performance.now()
  }
}

/** What the README of ours promises, and what a timer that looks for pongs amounts to, in ms. */
function boundOf(contestant: string, interval: number, timeout: number): number {
  const tick = Math.min(interval / 25, timeout / 10)
  return contestant === 'ours' ? interval * 1.1 + timeout + 2 * tick : 2 * interval
}

export const detections: Scenario = {
  name: 'detection',
  title:
    '500 peers that fall silent; the bound of ours is documented, that of the others two intervals',
  entrants: [
    { name: 'sweep' },
    { name: 'timers', against: 'sweep' },
    { name: 'ours', against: 'sweep' },
  ],
  figures: [
    { name: MEDIAN, unit: 'ms', better: 'less' },
    { name: WORST, unit: 'ms', better: 'less' },
    { name: SHARE, unit: 'ratio', better: 'less' },
  ],
  targets: [{ contestant: 'ours', figure: SHARE, of: 'value', goal: 1, bound: 1.5 }],
  settings: (size) => SIZES[size],
  async measure(server, size) {
    const { interval, timeout } = SIZES[size]
    const bound = boundOf(server.name, interval, timeout)
    const sockets = await open(server, COUNT)
    const peers = sockets.map((socket) => new Mortal(socket))
    await pause(WARM_UP * interval)
    const random = sequence()
    const lastWord = server.dialect.message(BYTES)
    const deaths = peers.map(async (peer, index) => {
      await pause(random() * interval)
      peer.fallSilent(index % 2 === 0 ? lastWord : undefined)
      await Promise.race([peer.ended, pause(PATIENCE * bound)])
      return peer.endedAt - peer.lastByteAt
    })
    const times = await Promise.all(deaths)
    const { median, most } = spread(times)
    return { [MEDIAN]: median, [WORST]: most, [SHARE]: most / bound }
  },
}
