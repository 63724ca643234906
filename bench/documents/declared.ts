/** The pictures and tables of the documents. */
import { CROWDS } from '../scenarios/crowds.js'

export interface Picture {
  /** Of its file, and of its place in a document. */
  readonly name: string
  readonly title: string
  /** What the numbers are, in a line. */
  readonly subtitle: string
  /** The rows: of these the ones that take part in a column's scenario. */
  readonly contestants: readonly string[]
  readonly columns: readonly Column[]
}

export interface Column {
  readonly heading: string
  /** Of columns that share one scale, as they are the same cost of more and more connections. */
  readonly cost?: string
  readonly scenario: string
  readonly figure: string
  readonly of: 'ratio' | 'value'
}

export interface Table {
  /** Of its place in a document. */
  readonly name: string
  readonly rows: readonly Row[]
  /** Of ours alone: what one costs, and what so many cost. */
  readonly count?: number
}

export interface Row {
  readonly what: string
  readonly scenario: string
  readonly figure: string
  readonly contestant: string
}

function ratio(scenario: string, figure: string, heading = figure): Column {
  return { heading, scenario, figure, of: 'ratio' }
}

function value(scenario: string, figure: string, heading = figure): Column {
  return { heading, scenario, figure, of: 'value' }
}

function row(what: string, scenario: string, figure: string, contestant = 'ours'): Row {
  return { what, scenario, figure, contestant }
}

const CALLED: Readonly<Record<string, string>> = {
  bare: 'bare @fastify/websocket',
  'bare, as text': 'bare, text of each message',
  'bare, corked': 'bare, corked by hand',
  sweep: 'bare, sweep heartbeat',
  'sweep, spread': 'bare, sweep spread by hand',
  timers: 'bare, a timer for each',
  gorilla: 'gorilla/websocket (Go)',
}

/** How a contestant is called where people read of it. */
export function called(contestant: string): string {
  return CALLED[contestant] ?? contestant.replace(/^ours/, 'this plugin')
}

const SERVERS = ['Socket.IO', 'Bun', 'gorilla']
const OURS_ECHOING = ['ours', 'ours, onMessage', 'ours, async onMessage', 'ours, everything on']
const ECHOING = [...OURS_ECHOING, 'bare, corked', 'sweep', 'timers', ...SERVERS]
const SAME_LISTENER = 'as a ratio to bare @fastify/websocket with the same kind of listener'
const IN_FLIGHT = [1, 8, 32]

function load(inFlight: number): string {
  return `64 B, ${inFlight} in flight on 64 connections`
}

function echoColumns(what: string): Column[] {
  return IN_FLIGHT.map((n) => ratio('echo', `${what}, ${load(n)}`, `${n} in flight`))
}

function echoRows(what: string, contestant: string): Row[] {
  return IN_FLIGHT.map((n) =>
    row(`${what}, ${n} in flight`, 'echo', `messages a second, ${load(n)}`, contestant),
  )
}

function growthColumns(scenario: string, figure: string, cost = figure): Column[] {
  return Object.entries(CROWDS).map(([crowd, count]) => ({
    heading: `of ${count.toLocaleString('en')}`,
    cost,
    scenario,
    figure: `${figure}, of ${crowd}`,
    of: 'value',
  }))
}

export const PICTURES: readonly Picture[] = [
  {
    name: 'messages',
    title: 'Messages a second',
    subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
    contestants: ECHOING,
    columns: echoColumns('messages a second'),
  },
  {
    name: 'cpu',
    title: 'CPU a message',
    subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
    contestants: ECHOING,
    columns: echoColumns('CPU a message'),
  },
  {
    name: 'latency',
    title: 'Round trip at half load',
    subtitle: `64 B on 64 connections, due at random times, ${SAME_LISTENER}`,
    contestants: ['ours', 'ours, onMessage', ...SERVERS],
    columns: [ratio('latency', 'p50'), ratio('latency', 'p99')],
  },
  {
    name: 'connections',
    title: 'Opening and closing',
    subtitle:
      'With an onClose and one release, as a ratio to bare @fastify/websocket with a listener',
    contestants: ['ours', 'ours, everything on', 'sweep'],
    columns: [ratio('churn', 'connections a second'), ratio('churn', 'CPU a connection')],
  },
  {
    name: 'memory',
    title: 'Memory of an idle connection',
    subtitle: 'After a collection, as a ratio to bare @fastify/websocket',
    contestants: ['ours', 'ours, everything on', 'sweep', 'timers', ...SERVERS],
    columns: [
      ratio('memory', 'heap of a connection', 'heap'),
      ratio('memory', 'RSS of a connection', 'RSS'),
    ],
  },
  {
    name: 'heartbeats',
    title: 'Heartbeats',
    subtitle:
      'Of a connection and a round: of 10,000 that are idle, and of 8,000 that have traffic both ways',
    contestants: ['ours', 'sweep', 'timers'],
    columns: [
      value('idle-heartbeat', 'CPU a connection and round', 'CPU, idle'),
      value('idle-heartbeat', 'worst echo round trip of a bystander', 'echo of others, at worst'),
      value(
        'busy-heartbeat',
        'CPU of the heartbeat alone, a connection and round',
        'CPU, with traffic',
      ),
    ],
  },
  {
    name: 'detection',
    title: 'Dead peers, and healthy ones',
    subtitle:
      '500 that fall silent; and 500 that answer, while the loop of the server stands still at random',
    contestants: ['ours', 'sweep', 'timers'],
    columns: [
      value('detection', 'median time from the last byte to the end', 'until a dead one is found'),
      value('detection', 'the worst as a share of the bound', 'the slowest, of the bound'),
      value('stalls', 'healthy peers cut off, of 500', 'healthy ones cut off'),
    ],
  },
  {
    name: 'fan-out',
    title: 'One message to 10,000',
    subtitle: '1 KiB to connections of which 1 % never read; then 16 MiB to these',
    contestants: ['ours', 'bare'],
    columns: [
      value('fan-out', 'loop of sends'),
      value('fan-out', 'until the last has it'),
      value('fan-out', 'waits for a peer that never reads, at most', 'waits where nobody reads'),
    ],
  },
  {
    name: 'shutdown',
    title: 'app.close() with 10,000 connections',
    subtitle: 'Until it has resolved; frozen peers keep their connection and never answer',
    contestants: ['ours', 'bare'],
    columns: [
      value('shutdown', 'time of app.close()', 'all answer'),
      value('shutdown-frozen', 'time of app.close()', '1 % are frozen'),
      value('shutdown-frozen', 'worst stall meanwhile'),
    ],
  },
  {
    name: 'storm',
    title: '10,000 connections reset at once',
    subtitle: 'Each with an onClose and two releases; bare with a listener',
    contestants: ['ours', 'bare'],
    columns: [
      value('storm', 'time until all have ended', 'until all have ended'),
      value('storm', 'worst stall'),
    ],
  },
  {
    name: 'growth',
    title: 'What a connection costs, beside few others and beside many',
    subtitle: 'With 1,000, 4,500 and 18,000 connections; what stays flat scales',
    contestants: ['ours', 'bare', 'sweep'],
    columns: [
      ...growthColumns('growth', 'heap'),
      ...growthColumns('growth', 'CPU to open'),
      ...growthColumns('growth', 'CPU of one message to all'),
      ...growthColumns('growth', 'CPU of app.close()'),
      ...growthColumns('growth-heartbeats', 'CPU of a ping and its pong'),
      ...growthColumns('growth-heartbeats', 'worst stall', 'worst stall of all pings'),
    ],
  },
]

export const TABLES: readonly Table[] = [
  {
    name: 'ratios',
    rows: [
      ...echoRows('messages a second', 'ours'),
      ...echoRows('with `onMessage`', 'ours, onMessage'),
      row('p99 of a round trip at half load', 'latency', 'p99'),
      row('connections a second', 'churn', 'connections a second'),
      row('heap of an idle connection', 'memory', 'heap of a connection'),
      row('heartbeat of an idle connection, CPU', 'idle-heartbeat', 'CPU a connection and round'),
      row(
        'heartbeat of a busy connection, CPU',
        'busy-heartbeat',
        'CPU of the heartbeat alone, a connection and round',
      ),
      row('a message to 10,000', 'fan-out', 'loop of sends'),
      row('`app.close()`', 'shutdown', 'time of app.close()'),
      row('`app.close()`, 1 % frozen', 'shutdown-frozen', 'time of app.close()'),
    ],
  },
  {
    name: 'million',
    count: 1_000_000,
    rows: [
      row('heap while idle', 'growth', 'heap, of many'),
      row('RSS, heap included', 'growth', 'RSS of a further connection'),
      row('CPU to open, from the SYN to the handler', 'growth', 'CPU to open, of many'),
      row('CPU to close, by the client', 'growth', 'CPU to close, of many'),
      row('CPU of a ping and its pong', 'growth-heartbeats', 'CPU of a ping and its pong, of many'),
      row('CPU of a message to all, 1 KiB', 'growth', 'CPU of one message to all, of many'),
      row('CPU of `app.close()`', 'growth', 'CPU of app.close(), of many'),
    ],
  },
]
