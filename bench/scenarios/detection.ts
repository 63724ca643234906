/** Whether a server finds the peers that are dead, and spares the others. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { openCrowd } from '../harness/crowd.js'
import { OPCODES } from '../harness/dialects.js'
import { sequence, spread } from '../harness/numbers.js'
import { behave, listen, open } from '../harness/peers.js'
import { scenario, value } from '../harness/scenario.js'

const PEERS = 500
/** Intervals until all have been pinged. */
const WARM_UP = 1.2

/** ms. In the proportion of the defaults of ours. */
const SILENT = { interval: 1_500, timeout: 1_200 }
const STALLED = { interval: 600, timeout: 480 }

/** A peer that is not found after so many bounds is not looked for. */
const PATIENCE = 3
const MEDIAN = 'median time from the last byte to the end'
const WORST = 'worst time from the last byte to the end'
const SHARE = 'the worst as a share of the bound'

/**
 * A peer that answers pings, until it falls silent: it reads on, but says no more. Some fall silent
 * right after a message, others some time after a pong.
 * @returns what lets it fall silent, and tells how long it takes the server to end it, in ms
 */
function mortal(socket: Socket, lastWord: Buffer | undefined) {
  let lastByteAt = NaN
  behave(socket, (opcode) => {
    if (opcode === OPCODES.ping) lastByteAt = performance.now()
  })
  const ended = new Promise<number>((resolve) => {
    // After an error comes a close.
    socket.on('error', () => {}).on('close', () => resolve(performance.now()))
  })
  return async (patience: number): Promise<number> => {
    listen(socket, () => {})
    if (lastWord !== undefined) {
      lastByteAt = performance.now()
      socket.write(lastWord)
    }
    return (await Promise.race([ended, pause(patience, Infinity)])) - lastByteAt
  }
}

/** What the README of ours promises, and what a timer that looks for pongs amounts to, in ms. */
function boundOf(contestant: string): number {
  const { interval, timeout } = SILENT
  const tick = Math.min(interval / 25, timeout / 10)
  return contestant.startsWith('ours') ? interval * 1.1 + timeout + 2 * tick : 2 * interval
}

export const detection = scenario({
  name: 'detection',
  title:
    '500 peers that fall silent; the bound of ours is documented, that of the others two intervals',
  entrants: { sweep: null, timers: 'sweep', ours: 'sweep' },
  figures: { [MEDIAN]: 'ms', [WORST]: 'ms', [SHARE]: 'ratio' },
  targets: [value(SHARE, 1, 1.5)],
  settings: SILENT,
  async measure(server, size) {
    const bound = boundOf(server.name)
    const lastWord = server.dialect.message(64)
    const peers = (await open(server, PEERS * size)).map((socket, index) =>
      mortal(socket, index % 2 === 0 ? lastWord : undefined),
    )
    await pause(WARM_UP * SILENT.interval)
    const random = sequence()
    const times = await Promise.all(
      peers.map(async (fallSilent) => {
        await pause(random() * SILENT.interval)
        return fallSilent(PATIENCE * bound)
      }),
    )
    const { median, most } = spread(times)
    return { [MEDIAN]: median, [WORST]: most, [SHARE]: most / bound }
  },
})

const STALLS = 9
/** Intervals. A gap below 0 is none: heavy requests may wait in line. */
const LENGTH = { least: 0.3, most: 2.5 }
const GAP = { least: -0.5, most: 1 }
const LOST = 'healthy peers cut off, of 500'

export const stalls = scenario({
  name: 'stalls',
  title:
    'peers that answer at once, and a server whose loop stands still for 0.3 to 2.5 intervals at random',
  entrants: { sweep: null, timers: null, ours: null },
  figures: { [LOST]: '' },
  targets: [value(LOST, 0, 0)],
  settings: STALLED,
  async measure(server, size) {
    const { interval, timeout } = STALLED
    const random = sequence()
    const between = ({ least, most }: typeof LENGTH): number =>
      (least + random() * (most - least)) * interval
    const crowd = await openCrowd(server, PEERS * size)
    await pause(WARM_UP * interval)
    for (let i = 0; i < STALLS * size; i++) {
      const gap = between(GAP)
      if (gap > 0) await pause(gap)
      await server.ask('stall', between(LENGTH))
    }
    // Until the last verdict has been spoken.
    await pause(2 * interval + timeout)
    return { [LOST]: crowd.leave() }
  },
})
