/** The end of a server that has many connections. */
import { OPCODES } from '../harness/dialects.js'
import { behave, open } from '../harness/peers.js'
import type { Scenario, Target } from '../harness/scenario.js'

const CONNECTIONS = { full: 10_000, quick: 1_000 }
/** For how long an end is waited for, in ms; the gate does not sit out all of the 30 s of ws. */
const PATIENCE = { full: 60_000, quick: 5_000 }
const TIME = 'time of app.close()'
const STALL = 'worst stall meanwhile'
const UNTOLD = 'polite peers without a close frame'

function shutdown(
  name: string,
  title: string,
  frozenShare: number,
  targets: readonly Target[],
): Scenario {
  return {
    name,
    title,
    entrants: [{ name: 'bare' }, { name: 'ours', against: 'bare' }],
    figures: [
      { name: TIME, unit: 'ms', better: 'less' },
      { name: STALL, unit: 'ms', better: 'less' },
      { name: UNTOLD, unit: 'peers', better: 'less' },
    ],
    targets: [...targets, { contestant: 'ours', figure: UNTOLD, of: 'value', goal: 0, bound: 0 }],
    settings: { interval: 3_600_000 },
    async measure(server, size) {
      // They read, and never answer.
      const frozen = await open(server, CONNECTIONS[size] * frozenShare)
      const polite = await open(server, CONNECTIONS[size] - frozen.length)
      let untold = polite.length
      for (const socket of polite) {
        behave(socket, (opcode) => {
          if (opcode === OPCODES.close) untold--
        })
      }
      await server.watch()
      const time = (await server.ask('close', PATIENCE[size])) as number
      const stall = await server.worst()
      for (const socket of [...frozen, ...polite]) socket.destroy()
      return { [TIME]: time, [STALL]: stall, [UNTOLD]: untold }
    },
  }
}

export const shutdownOfPolite: Scenario = shutdown(
  'shutdown',
  'app.close() with 10,000 peers that answer a close frame',
  0,
  [
    { contestant: 'ours', figure: TIME, of: 'ratio', goal: 1.25, bound: 2.5 },
    { contestant: 'ours', figure: STALL, of: 'ratio', goal: 0.25 },
  ],
)

export const shutdownOfFrozen: Scenario = shutdown(
  'shutdown-frozen',
  'the same, with one in a hundred that never answers and keeps its connection',
  0.01,
  [
    { contestant: 'ours', figure: TIME, of: 'ratio', goal: 0.15, bound: 0.8 },
    { contestant: 'ours', figure: STALL, of: 'ratio', goal: 0.25 },
  ],
)
