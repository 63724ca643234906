/** One message to all, of whom one in a hundred never reads. */
import { audience } from '../harness/audience.js'
import { end, open } from '../harness/peers.js'
import { beside, NO_HEARTBEAT, ratio, scenario, value } from '../harness/scenario.js'

const NEVER_READ = 0.01
const WARM_UP = 5
const MESSAGES = 15
/** 16 MiB, in two halves: more than a kernel takes for a peer that never reads, and than ours lets wait on top. */
const HALF_A_FLOOD = 2048
const LOOK_EVERY = 8
const WITNESSES = 10

const LOOP = 'loop of sends'
const LAST = 'until the last has it'
const CPU = 'CPU for each'
const WAITS = 'bytes that wait, at most, for a peer that never reads'
const FURTHER = 'memory, of a further message to it'

export const fanOut = scenario({
  name: 'fan-out',
  title: '1 KiB to 10,000 of whom 1 % never read; then 16 MiB to these',
  entrants: beside('bare', 'ours'),
  figures: { [LOOP]: 'ms', [LAST]: 'ms', [CPU]: 'µs', [WAITS]: 'B', [FURTHER]: 'B' },
  targets: [ratio(LOOP, 1.05, 1.6), value(WAITS, 1_048_576, 1_048_576), value(FURTHER, 10, 50)],
  picture: { title: 'One message to 10,000', of: 'value', figures: [LOOP, LAST, WAITS] },
  settings: NO_HEARTBEAT,
  async measure(server, size) {
    const count = 10_000 * size
    const silent = await open(server, Math.ceil(count * NEVER_READ))
    // Node reads ahead a little, the kernel some megabytes, then nothing moves.
    for (const socket of silent) socket.pause()
    const witnesses = await open(server, WITNESSES)
    const crowd = await open(server, count - silent.length - WITNESSES)

    // The kernel still takes what is meant for those that never read.
    const tellAll = audience(server, [...witnesses, ...crowd])
    await tellAll(1024, WARM_UP)
    const { loop, last, cpu } = await tellAll(1024, MESSAGES)
    await end(crowd)

    const tellWitnesses = audience(server, witnesses)
    let waiting = 0
    const flood = async (): Promise<number> => {
      for (let sent = 0; sent < HALF_A_FLOOD; sent += LOOK_EVERY) {
        await tellWitnesses(4096, LOOK_EVERY)
        waiting = Math.max(waiting, await server.ask('held'))
      }
      const { heap, external } = await server.memory()
      return heap + external
    }
    const before = await flood()
    const further = ((await flood()) - before) / HALF_A_FLOOD
    for (const socket of [...silent, ...witnesses]) socket.destroy()
    return {
      [LOOP]: loop,
      [LAST]: last,
      [CPU]: cpu / count,
      [WAITS]: waiting / silent.length,
      [FURTHER]: further / silent.length,
    }
  },
})
