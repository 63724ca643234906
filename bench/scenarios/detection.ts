/** How long a server holds on to peers that have fallen silent without a FIN. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { OPCODES } from '../harness/dialects.js'
import { sequence, spread } from '../harness/numbers.js'
import { behave, open } from '../harness/peers.js'
import { type Scenario, value } from '../harness/scenario.js'

const COUNT = 500
const BYTES = 64
/** In the proportion of the defaults of ours. */
const SETTINGS = { interval: 1_500, timeout: 1_200 }
/** Intervals until all have been pinged. */
const WARM_UP = 1.2
/** A peer that is not found after so many bounds is not looked for. */
const PATIENCE = 3

const MEDIAN = 'median time from the last byte to the end'
const WORST = 'worst time from the last byte to the end'
const SHARE = 'the worst as a share of the bound'

/**
 * A peer that answers pings, until it falls silent: it reads on, but says no more. Some fall silent right after a
 * message, others some time after a pong.
 * @returns what lets it fall silent, and tells how long it takes the server to end it, in ms
 */
function mortal(
  socket: Socket,
  lastWord: Buffer | undefined,
): (patience: number) => Promise<number> {
  let lastByteAt = 0
  let endedAt = Infinity
  behave(socket, (opcode) => {
    if (opcode === OPCODES.ping) lastByteAt = performance.now()
  })
  const ended = new Promise<void>((resolve) => {
    // After an error comes a close.
    socket.on('error', () => {})
    socket.on('close', () => {
      endedAt = performance.now()
      resolve()
    })
  })
  return async (patience) => {
    socket.removeAllListeners('data').resume()
    if (lastWord !== undefined) {
      socket.write(lastWord)
      lastByteAt = performance.now()
    }
    await Promise.race([ended, pause(patience)])
    return endedAt - lastByteAt
  }
}

/** What the README of ours promises, and what a timer that looks for pongs amounts to, in ms. */
function boundOf(contestant: string): number {
  const { interval, timeout } = SETTINGS
  const tick = Math.min(interval / 25, timeout / 10)
  return contestant.startsWith('ours') ? interval * 1.1 + timeout + 2 * tick : 2 * interval
}

export const detection: Scenario = {
  name: 'detection',
  title:
    '500 peers that fall silent; the bound of ours is documented, that of the others two intervals',
  entrants: { sweep: null, timers: 'sweep', ours: 'sweep' },
  figures: { [MEDIAN]: 'ms', [WORST]: 'ms', [SHARE]: 'ratio' },
  targets: [value(SHARE, 1, 1.5)],
  settings: SETTINGS,
  async measure(server) {
    const { interval } = SETTINGS
    const bound = boundOf(server.name)
    const lastWord = server.dialect.message(BYTES)
    const peers = (await open(server, COUNT)).map((socket, index) =>
      mortal(socket, index % 2 === 0 ? lastWord : undefined),
    )
    await pause(WARM_UP * interval)
    const random = sequence()
    const times = await Promise.all(
      peers.map(async (fallSilent) => {
        await pause(random() * interval)
        return fallSilent(PATIENCE * bound)
      }),
    )
    const { median, most } = spread(times)
    return { [MEDIAN]: median, [WORST]: most, [SHARE]: most / bound }
  },
}
