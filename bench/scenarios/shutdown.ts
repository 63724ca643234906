/** The end of a server that has many connections. */
import { OPCODES } from '../harness/dialects.js'
import { behave, open } from '../harness/peers.js'
import { NO_HEARTBEAT, ratio, scenario, type Target, value } from '../harness/scenario.js'

const CONNECTIONS = 10_000
/** For how long an end is waited for, in ms. */
const PATIENCE = 60_000
const TIME = 'time of app.close()'
const STALL = 'worst stall meanwhile'
const UNTOLD = 'polite peers without a close frame'

/** @param frozenShare of the peers read, and never answer */
const shutdown = (name: string, title: string, frozenShare: number, ofTime: Target) =>
  scenario({
    name,
    title,
    entrants: { bare: null, ours: 'bare' },
    figures: { [TIME]: 'ms', [STALL]: 'ms', [UNTOLD]: 'peers' },
    targets: [ofTime, ratio(STALL, 0.25), value(UNTOLD, 0, 0)],
    settings: NO_HEARTBEAT,
    async measure(server, size) {
      const frozen = await open(server, CONNECTIONS * size * frozenShare)
      const polite = await open(server, CONNECTIONS * size - frozen.length)
      let untold = polite.length
      for (const socket of polite) {
        behave(socket, (opcode) => {
          if (opcode === OPCODES.close) untold--
        })
      }
      await server.ask('watch')
      const time = await server.ask('close', PATIENCE)
      const stall = await server.ask('worst')
      for (const socket of [...frozen, ...polite]) socket.destroy()
      return { [TIME]: time, [STALL]: stall, [UNTOLD]: untold }
    },
  })

const ANSWERED = 'app.close() with 10,000 peers that answer a close frame'
const FROZEN = 'the same, with one in a hundred that never answers and keeps its connection'

export const SHUTDOWNS = [
  shutdown('shutdown', ANSWERED, 0, ratio(TIME, 1.25, 2.5)),
  shutdown('shutdown-frozen', FROZEN, 0.01, ratio(TIME, 0.15, 0.8)),
]
