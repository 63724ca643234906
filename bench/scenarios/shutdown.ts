/** The end of a server that has many connections. */
import { OPCODES } from '../harness/dialects.js'
import { behave, open } from '../harness/peers.js'
import { ratio, type Scenario, value } from '../harness/scenario.js'

const CONNECTIONS = 10_000
/** For how long an end is waited for, in ms. */
const PATIENCE = 60_000
const TIME = 'time of app.close()'
const STALL = 'worst stall meanwhile'
const UNTOLD = 'polite peers without a close frame'

/** @param frozenShare of the peers read, and never answer */
function scenario(
  about: Pick<Scenario, 'name' | 'title' | 'targets'>,
  frozenShare: number,
): Scenario {
  return {
    ...about,
    entrants: { bare: null, ours: 'bare' },
    figures: { [TIME]: 'ms', [STALL]: 'ms', [UNTOLD]: 'peers' },
    settings: { interval: 3_600_000 },
    async measure(server, size) {
      const frozen = await open(server, CONNECTIONS * size * frozenShare)
      const polite = await open(server, CONNECTIONS * size - frozen.length)
      let untold = polite.length
      for (const socket of polite) {
        behave(socket, (opcode) => {
          if (opcode === OPCODES.close) untold--
        })
      }
      await server.watch()
      const time = await server.ask('close', PATIENCE)
      const stall = await server.worst()
      for (const socket of [...frozen, ...polite]) socket.destroy()
      return { [TIME]: time, [STALL]: stall, [UNTOLD]: untold }
    },
  }
}

export const shutdown: Scenario = scenario(
  {
    name: 'shutdown',
    title: 'app.close() with 10,000 peers that answer a close frame',
    targets: [ratio(TIME, 1.25, 2.5), ratio(STALL, 0.25), value(UNTOLD, 0, 0)],
  },
  0,
)

export const shutdownOfFrozen: Scenario = scenario(
  {
    name: 'shutdown-frozen',
    title: 'the same, with one in a hundred that never answers and keeps its connection',
    targets: [ratio(TIME, 0.15, 0.8), ratio(STALL, 0.25), value(UNTOLD, 0, 0)],
  },
  0.01,
)
