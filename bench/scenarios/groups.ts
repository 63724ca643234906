/** One message to all: by a group, and by a loop of sends. */
import { end, listen, open } from '../harness/peers.js'
import { NO_HEARTBEAT, ratio, scenario } from '../harness/scenario.js'
import { spread } from '../harness/numbers.js'
import type { Server } from '../harness/server.js'

const MEMBERS = 10_000
const NEVER_READ = 0.01
const WARM_UP = 3
const MESSAGES = 9
const SMALL = 64
const LARGE = 4_096
const OFFER = 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n'

const timeOf = (bytes: number): string => `time, ${bytes} B`
const STALL = 'worst stall of the loop'
const CLOGGED = `time, ${SMALL} B, 1 % of them stuck`

const entrants = { bare: null, floor: 'bare', 'ours, group': 'bare' }

/** @returns the median time until all have their message */
async function tellAll(server: Server, bytes: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < WARM_UP + MESSAGES; i++) {
    const time = await server.ask('tellAll', bytes)
    if (i >= WARM_UP) times.push(time)
  }
  return spread(times).median
}

async function openMembers(server: Server, count: number, headers = '') {
  const peers = await open(server, count, '/', undefined, headers)
  for (const peer of peers) listen(peer, () => {})
  return peers
}

const groups = scenario<string>({
  name: 'groups',
  title: `one message to ${MEMBERS}: until the stream of each has taken it`,
  entrants,
  figures: { [timeOf(SMALL)]: 'ms', [timeOf(LARGE)]: 'ms', [STALL]: 'ms', [CLOGGED]: 'ms' },
  targets: [],
  settings: NO_HEARTBEAT,
  async measure(server, size) {
    const count = MEMBERS * size
    const isGroup = server.name === 'ours, group'
    const silent = isGroup ? await open(server, count * NEVER_READ, '/silent') : []
    const peers = await openMembers(server, count - silent.length)
    const small = await tellAll(server, SMALL)
    const large = await tellAll(server, LARGE)
    await server.ask('watch')
    await server.ask('tellAll', LARGE)
    const stall = await server.ask('worst')
    for (const socket of silent) socket.pause()
    await server.ask('clog', silent.length)
    const clogged = isGroup ? await tellAll(server, SMALL) : NaN
    for (const socket of silent) socket.destroy()
    await end(peers)
    return { [timeOf(SMALL)]: small, [timeOf(LARGE)]: large, [STALL]: stall, [CLOGGED]: clogged }
  },
})

const PACKED = `time, ${LARGE} B of JSON`

const packed = scenario({
  name: 'groups-compressed',
  title: `one message to ${MEMBERS}, compressed without context takeover`,
  entrants: { bare: null, 'ours, group': 'bare' },
  figures: { [PACKED]: 'ms', [STALL]: 'ms' },
  targets: [],
  settings: { ...NO_HEARTBEAT, compresses: true },
  async measure(server, size) {
    const peers = await openMembers(server, MEMBERS * size, OFFER)
    const time = await tellAll(server, LARGE)
    await server.ask('watch')
    await server.ask('tellAll', LARGE)
    const stall = await server.ask('worst')
    await end(peers)
    return { [PACKED]: time, [STALL]: stall }
  },
})

export const OF_GROUPS = [groups, packed]

const both = { bare: null, 'ours, group': 'bare' }
const ofGroup = (figure: string, goal: number, bound: number) =>
  ratio(figure, goal, bound, 'ours, group')

/** What the gate looks at. On a small machine the system call is most of the time. */
export const groupsOfTheGate = [
  {
    ...groups,
    entrants: both,
    targets: [ofGroup(timeOf(SMALL), 0.85, 1.1), ofGroup(timeOf(LARGE), 0.85, 1.1)],
  },
  { ...packed, targets: [ofGroup(PACKED, 0.2, 0.4)] },
]
