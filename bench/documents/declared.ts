/** The pictures and tables of the documents. */
import type { Result } from '../harness/results.js'
import { CROWDS } from '../scenarios/growth.js'
import { BUSY_CPU, IDLE_CPU } from '../scenarios/heartbeat.js'

/** A figure that is shown. Columns of one `cost` share one scale. */
export interface Shown extends Pick<Result, 'scenario' | 'figure' | 'contestant'> {
  readonly heading: string
  readonly cost?: string
}

export interface Picture {
  /** Of its file, and of its place in a document. */
  readonly name: string
  readonly title: string
  /** What the numbers are, in a line. */
  readonly subtitle: string
  readonly of: 'ratio' | 'value'
  /** Who takes part in a scenario, and has no row. */
  readonly without?: string
  readonly columns: readonly Shown[]
}

export interface Table {
  /** Of its place in a document. */
  readonly name: string
  readonly rows: readonly Shown[]
  /** Of ours alone: what one costs, and what so many cost. Else ours is compared. */
  readonly count?: number
}

function shown(scenario: string, figure: string, heading = figure, contestant = 'ours'): Shown {
  return { scenario, figure, heading, contestant }
}

type About = Omit<Picture, 'name' | 'of'>

function pictures(of: Picture['of'], all: Readonly<Record<string, About>>): Picture[] {
  return Object.entries(all).map(([name, about]) => Object.assign({ name, of }, about))
}

const CALLED: Readonly<Record<string, string>> = {
  bare: 'bare @fastify/websocket',
  'bare, corked': 'bare, corked by hand',
  sweep: 'bare, sweep heartbeat',
  timers: 'bare, a timer for each',
  gorilla: 'gorilla/websocket (Go)',
}

/** How a contestant is called where people read of it. */
export function called(contestant: string): string {
  return CALLED[contestant] ?? contestant.replace(/^ours/, 'this plugin')
}

const SAME_LISTENER = 'as a ratio to bare @fastify/websocket with the same kind of listener'

function echoes(figure: string, headed = '', contestant?: string): Shown[] {
  return [1, 8, 32].map((n) => {
    const load = `64 B, ${n} in flight on 64 connections`
    return shown('echo', `${figure}, ${load}`, `${headed}${n} in flight`, contestant)
  })
}

function grown(scenario: string, figure: string, cost = figure): Shown[] {
  return Object.entries(CROWDS).map(([crowd, count]) => {
    const heading = `of ${count.toLocaleString('en')}`
    return Object.assign(shown(scenario, `${figure}, of ${crowd}`, heading), { cost })
  })
}

export const PICTURES: readonly Picture[] = [
  ...pictures('ratio', {
    messages: {
      title: 'Messages a second',
      subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
      columns: echoes('messages a second'),
    },
    cpu: {
      title: 'CPU a message',
      subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
      columns: echoes('CPU a message'),
    },
    latency: {
      title: 'Round trip at half load',
      subtitle: `64 B on 64 connections, due at random times, ${SAME_LISTENER}`,
      columns: [shown('latency', 'p50'), shown('latency', 'p99')],
    },
    connections: {
      title: 'Opening and closing',
      subtitle:
        'With an onClose and one release, as a ratio to bare @fastify/websocket with a listener',
      columns: [shown('churn', 'connections a second'), shown('churn', 'CPU a connection')],
    },
    memory: {
      title: 'Memory of an idle connection',
      subtitle: 'After a collection, as a ratio to bare @fastify/websocket',
      columns: [
        shown('memory', 'heap of a connection', 'heap'),
        shown('memory', 'RSS of a connection', 'RSS'),
      ],
    },
  }),
  ...pictures('value', {
    heartbeats: {
      title: 'Heartbeats',
      subtitle:
        'Of a connection and a round: of 10,000 that are idle, and of 8,000 that have traffic both ways',
      without: 'sweep, spread',
      columns: [
        shown('idle-heartbeat', IDLE_CPU, 'CPU, idle'),
        shown('idle-heartbeat', 'worst echo round trip of a bystander', 'echo of others, at worst'),
        shown('busy-heartbeat', BUSY_CPU, 'CPU, with traffic'),
      ],
    },
    detection: {
      title: 'Dead peers, and healthy ones',
      subtitle:
        '500 that fall silent; and 500 that answer, while the loop of the server stands still at random',
      columns: [
        shown(
          'detection',
          'median time from the last byte to the end',
          'until a dead one is found',
        ),
        shown('detection', 'the worst as a share of the bound', 'the slowest, of the bound'),
        shown('stalls', 'healthy peers cut off, of 500', 'healthy ones cut off'),
      ],
    },
    'fan-out': {
      title: 'One message to 10,000',
      subtitle: '1 KiB to connections of which 1 % never read; then 16 MiB to these',
      columns: [
        shown('fan-out', 'loop of sends'),
        shown('fan-out', 'until the last has it'),
        shown('fan-out', 'waits for a peer that never reads, at most', 'waits where nobody reads'),
      ],
    },
    shutdown: {
      title: 'app.close() with 10,000 connections',
      subtitle: 'Until it has resolved; frozen peers keep their connection and never answer',
      columns: [
        shown('shutdown', 'time of app.close()', 'all answer'),
        shown('shutdown-frozen', 'time of app.close()', '1 % are frozen'),
        shown('shutdown-frozen', 'worst stall meanwhile'),
      ],
    },
    storm: {
      title: '10,000 connections reset at once',
      subtitle: 'Each with an onClose and two releases; bare with a listener',
      columns: [
        shown('storm', 'time until all have ended', 'until all have ended'),
        shown('storm', 'worst stall'),
      ],
    },
    growth: {
      title: 'What a connection costs, beside few others and beside many',
      subtitle: 'With 1,000, 4,500 and 18,000 connections; what stays flat scales',
      columns: [
        ...grown('growth', 'heap'),
        ...grown('growth', 'CPU to open'),
        ...grown('growth', 'CPU of one message to all'),
        ...grown('growth', 'CPU of app.close()'),
        ...grown('growth-heartbeats', 'CPU of a ping and its pong'),
        ...grown('growth-heartbeats', 'worst stall', 'worst stall of all pings'),
      ],
    },
  }),
]

export const TABLES: readonly Table[] = [
  {
    name: 'ratios',
    rows: [
      ...echoes('messages a second', 'messages a second, '),
      ...echoes('messages a second', 'with `onMessage`, ', 'ours, onMessage'),
      shown('latency', 'p99', 'p99 of a round trip at half load'),
      shown('churn', 'connections a second'),
      shown('memory', 'heap of a connection', 'heap of an idle connection'),
      shown('idle-heartbeat', IDLE_CPU, 'heartbeat of an idle connection, CPU'),
      shown('busy-heartbeat', BUSY_CPU, 'heartbeat of a busy connection, CPU'),
      shown('fan-out', 'loop of sends', 'a message to 10,000'),
      shown('shutdown', 'time of app.close()', '`app.close()`'),
      shown('shutdown-frozen', 'time of app.close()', '`app.close()`, 1 % frozen'),
    ],
  },
  {
    name: 'million',
    count: 1_000_000,
    rows: [
      shown('growth', 'heap, of many', 'heap while idle'),
      shown('growth', 'RSS of a further connection', 'RSS, heap included'),
      shown('growth', 'CPU to open, of many', 'CPU to open, from the SYN to the handler'),
      shown('growth', 'CPU to close, of many', 'CPU to close, by the client'),
      shown(
        'growth-heartbeats',
        'CPU of a ping and its pong, of many',
        'CPU of a ping and its pong',
      ),
      shown('growth', 'CPU of one message to all, of many', 'CPU of a message to all, 1 KiB'),
      shown('growth', 'CPU of app.close(), of many', 'CPU of `app.close()`'),
    ],
  },
]
