/** One message to all, of whom one in a hundred never reads. */
import { Audience } from '../harness/audience.js'
import { spread } from '../harness/numbers.js'
import { end, open } from '../harness/peers.js'
import { ratio, type Scenario, value, type Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const CONNECTIONS = 10_000
const NEVER_READ = 0.01
const BYTES = 1024
const WARM_UP = 5
const MESSAGES = 15
/** 16 MiB: more than a kernel takes for a peer that never reads, and than ours lets wait on top. */
const FLOOD = { messages: 4096, bytes: 4096 }
const LOOK_EVERY = 8
const WITNESSES = 10

const LOOP = 'loop of sends'
const LAST = 'until the last has it'
const CPU = 'CPU for each'
const WAITS = 'waits for a peer that never reads, at most'
const FURTHER = 'memory of a further message to it'

/** The loop of sends, with the kernel still taking what is meant for those that never read. */
async function time(server: Server, audience: Audience, peers: number): Promise<Values> {
  for (let i = 0; i < WARM_UP; i++) await audience.hear(server, BYTES)
  const cpuBefore = await server.cpu()
  const loops: number[] = []
  const lasts: number[] = []
  for (let i = 0; i < MESSAGES; i++) {
    const { loop, last } = await audience.hear(server, BYTES)
    loops.push(loop)
    lasts.push(last)
  }
  const cpu = (await server.cpu()) - cpuBefore
  return {
    [LOOP]: spread(loops).median,
    [LAST]: spread(lasts).median,
    [CPU]: cpu / MESSAGES / peers,
  }
}

/** Sends on and on to those that never read, while some others do read. */
async function flood(server: Server, audience: Audience, silent: number): Promise<Values> {
  let most = 0
  const half = async (): Promise<number> => {
    for (let i = 0; i < FLOOD.messages / 2; i++) {
      await audience.hear(server, FLOOD.bytes)
      if (i % LOOK_EVERY === 0) most = Math.max(most, await server.ask('held'))
    }
    const { heap, external } = await server.memory()
    return heap + external
  }
  const before = await half()
  const grown = (await half()) - before
  return { [WAITS]: most / silent, [FURTHER]: grown / (FLOOD.messages / 2) / silent }
}

export const fanOut: Scenario = {
  name: 'fan-out',
  title: '1 KiB to 10,000 of whom 1 % never read; then 16 MiB to these',
  entrants: { bare: null, ours: 'bare' },
  figures: { [LOOP]: 'ms', [LAST]: 'ms', [CPU]: 'µs', [WAITS]: 'B', [FURTHER]: 'B' },
  targets: [ratio(LOOP, 1.05, 1.6), value(WAITS, 1_048_576, 1_048_576), value(FURTHER, 10, 50)],
  settings: { interval: 3_600_000 },
  async measure(server, size) {
    const count = CONNECTIONS * size
    const silent = await open(server, Math.ceil(count * NEVER_READ))
    // Node reads ahead a little, the kernel some megabytes, then nothing moves.
    for (const socket of silent) socket.pause()
    const witnesses = await open(server, WITNESSES)
    const crowd = await open(server, count - silent.length - WITNESSES)
    const all = new Audience([...witnesses, ...crowd])
    const timed = await time(server, all, count)
    all.leave()
    await end(crowd)
    const flooded = await flood(server, new Audience(witnesses), silent.length)
    for (const socket of [...silent, ...witnesses]) socket.destroy()
    return { ...timed, ...flooded }
  },
}
