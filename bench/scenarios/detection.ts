/** Whether a server finds the peers that are dead, and spares the others. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { openCrowd } from '../harness/crowd.js'
import { OPCODES } from '../harness/dialects.js'
import { sequence, spread } from '../harness/numbers.js'
import { behave, listen, open } from '../harness/peers.js'
import { beside, scenario, value } from '../harness/scenario.js'

const PEERS = 500
/** Intervals until all have been pinged. */
const WARM_UP = 1.2
/** ms. In the proportion of the defaults of ours. */
const SILENT = { interval: 1_500, timeout: 1_200 }
const STALLED = { interval: 600, timeout: 480 }

const MEDIAN = 'median time, from the last byte to the end'
const WORST = 'worst time, from the last byte to the end'
const SHARE = 'share of the bound, at worst'
const LOST = 'healthy peers cut off, of 500'

/**
 * A peer that answers pings, until it falls silent: it reads on, but says no more.
 * @returns what lets it fall silent, some time after a pong or with a last word, and tells how long it
 * takes the server to end it, in ms
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
  title: '500 peers fall silent; the bound of ours is documented, that of others is two intervals',
  entrants: beside('sweep', 'timers', 'ours'),
  figures: { [MEDIAN]: 'ms', [WORST]: 'ms', [SHARE]: 'ratio' },
  targets: [value(SHARE, 1, 1.5)],
  picture: { title: 'Dead peers', of: 'value' },
  settings: SILENT,
  async measure(server, size) {
    const bound = boundOf(server.name)
    const random = sequence()
    const lastWord = server.dialect.message(64)
    const sockets = await open(server, PEERS * size)
    const peers = sockets.map((socket, index) => mortal(socket, index % 2 ? undefined : lastWord))
    await pause(WARM_UP * SILENT.interval)
    const dying = peers.map(async (fallSilent) => {
      await pause(random() * SILENT.interval)
      return fallSilent(3 * bound) // a peer that is not found by then is not looked for
    })
    const { median, most } = spread(await Promise.all(dying))
    return { [MEDIAN]: median, [WORST]: most, [SHARE]: most / bound }
  },
})

export const stalls = scenario({
  name: 'stalls',
  title: 'peers answer at once, the loop stands still for 0.3 to 2.5 intervals at random',
  entrants: { sweep: null, timers: null, ours: null },
  figures: { [LOST]: '' },
  targets: [value(LOST, 0, 0)],
  picture: { title: 'Healthy peers, while the server stalls', of: 'value' },
  settings: STALLED,
  async measure(server, size) {
    const { interval, timeout } = STALLED
    const random = sequence()
    const crowd = await openCrowd(server, PEERS * size)
    await pause(WARM_UP * interval)
    for (let i = 0; i < 9 * size; i++) {
      // A gap below 0 is none: heavy requests may wait in line.
      await pause(Math.max(0, -0.5 + 1.5 * random()) * interval)
      await server.ask('stall', (0.3 + 2.2 * random()) * interval)
    }
    // Until the last verdict has been spoken.
    await pause(2 * interval + timeout)
    return { [LOST]: crowd.leave() }
  },
})
