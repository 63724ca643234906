/** One message in flight, for as long as it takes to pay for collections: what a server pays that runs for days. */
import { Chatter, type Load } from '../harness/chatter.js'
import { inTurn } from '../harness/rounds.js'
import type { Scenario, Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const LOAD: Load = { connections: 64, bytes: 64, inFlight: 1 }

/** ms, and how often: all servers run at once, each idle until its turn. */
const TIMES = {
  full: { compile: 2_000, turn: 1_000, turns: 4 },
  quick: { compile: 500, turn: 200, turns: 2 },
}

const RATE = 'messages a second'
const CPU = 'CPU a message'
const COLLECTIONS = 'collections'

/** One server under load, and what its collector did meanwhile. */
interface Steady {
  readonly server: Server
  readonly chatter: Chatter
  collected: number
}

async function begin(server: Server, compile: number): Promise<Steady> {
  const chatter = await Chatter.open(server, LOAD)
  await chatter.talk(compile)
  chatter.forget()
  return { server, chatter, collected: 0 }
}

async function talk(steady: Steady, turn: number): Promise<void> {
  const { server, chatter } = steady
  await server.ask('watchGc')
  await chatter.talk(turn)
  steady.collected += (await server.ask('collected')) as number
}

export const steadyEchoes: Scenario = {
  name: 'echo-steady',
  title:
    'echoes with one message in flight on 64 connections, seconds at a time, with the flags that node has by default',
  entrants: [
    { name: 'bare' },
    { name: 'ours', against: 'bare' },
    { name: 'ours, onMessage', against: 'bare, as text' },
    { name: 'bare, as text' },
  ],
  figures: [
    { name: RATE, unit: '/s', better: 'more' },
    { name: CPU, unit: 'µs', better: 'less' },
    { name: COLLECTIONS, unit: 'ms', better: 'less' },
  ],
  // Its goal, 0.98 of bare, stands in docs/performance.md with what was measured.
  targets: [],
  async measureInTurn(servers, size) {
    const { compile, turn, turns } = TIMES[size]
    const all: Steady[] = []
    for (const server of servers) all.push(await begin(server, compile))
    for (let round = 0; round < turns; round++) {
      for (const steady of inTurn(all, round)) await talk(steady, turn)
    }
    await Promise.all(all.map(({ chatter }) => chatter.end()))
    return all.map(({ chatter, collected }): Values => {
      return { [RATE]: chatter.rate, [CPU]: chatter.cpu, [COLLECTIONS]: collected / turns }
    })
  },
}
