/** The pictures and tables of the documents. */
import type { Column, Panel, Picture } from './picture.js'
import type { Row, Table } from './table.js'

const SERVERS = ['Socket.IO', 'Bun', 'gorilla'] as const
const TO_BARE = { of: 'ratio', scale: 'log', mark: { at: 1, means: 'bare' } } as const
const SAME_LISTENER = 'as a ratio to bare @fastify/websocket with the same kind of listener'

const LOADS = [1, 8, 32].map((count) => ({
  count,
  load: `64 B, ${count} in flight on 64 connections`,
}))

function inFlight(what: string): Column[] {
  return LOADS.map(({ count, load }) => ({
    heading: `${count} in flight`,
    scenario: 'echo',
    figure: `${what}, ${load}`,
    ...TO_BARE,
  }))
}

function toBare(scenario: string, figure: string, heading: string = figure): Column {
  return { heading, scenario, figure, ...TO_BARE }
}

function values(
  scenario: string,
  figure: string,
  heading: string,
  scale: Column['scale'] = 'linear',
): Column {
  return { heading, scenario, figure, of: 'value', scale }
}

function grows(heading: string, cost: string): Panel {
  return { heading, scenario: 'growth', cost, against: 'bare' }
}

function heartbeatGrows(heading: string, cost: string): Panel {
  return { heading, scenario: 'growth-heartbeats', cost, against: 'sweep' }
}

const ECHOING = [
  'ours',
  'ours, onMessage',
  'ours, async onMessage',
  'ours, everything on',
  'bare, corked',
  'sweep',
  'timers',
  ...SERVERS,
]

export const PICTURES: readonly Picture[] = [
  {
    name: 'messages',
    title: 'Messages a second',
    subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
    contestants: ECHOING,
    columns: inFlight('messages a second'),
  },
  {
    name: 'cpu',
    title: 'CPU a message',
    subtitle: `64 B, echoed on 64 connections, ${SAME_LISTENER}`,
    contestants: ECHOING,
    columns: inFlight('CPU a message'),
  },
  {
    name: 'latency',
    title: 'Round trip at half load',
    subtitle: `64 B on 64 connections, due at random times, ${SAME_LISTENER}`,
    contestants: ['ours', 'ours, onMessage', ...SERVERS],
    columns: [toBare('latency', 'p50'), toBare('latency', 'p99')],
  },
  {
    name: 'connections',
    title: 'Opening and closing',
    subtitle:
      'With an onClose and one release, as a ratio to bare @fastify/websocket with a listener',
    contestants: ['ours', 'ours, everything on', 'sweep'],
    columns: [toBare('churn', 'connections a second'), toBare('churn', 'CPU a connection')],
  },
  {
    name: 'memory',
    title: 'Memory of an idle connection',
    subtitle: 'After a collection, as a ratio to bare @fastify/websocket',
    contestants: ['ours', 'ours, everything on', 'sweep', 'timers', ...SERVERS],
    columns: [
      toBare('memory', 'heap of a connection', 'heap'),
      toBare('memory', 'RSS of a connection', 'RSS'),
    ],
  },
  {
    name: 'heartbeats',
    title: 'Heartbeats',
    subtitle:
      'Of a connection and a round: of 10,000 that are idle, and of 8,000 that have traffic both ways',
    contestants: ['ours', 'sweep', 'timers'],
    columns: [
      values('idle-heartbeat', 'CPU a connection and round', 'CPU, idle'),
      values(
        'idle-heartbeat',
        'worst echo round trip of a bystander',
        'echo of others, at worst',
        'log',
      ),
      values(
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
      values('detection', 'median time from the last byte to the end', 'until a dead one is found'),
      {
        ...values('detection', 'the worst as a share of the bound', 'the slowest, of the bound'),
        mark: { at: 1, means: 'the bound' },
      },
      values('stalls', 'healthy peers cut off, of 500', 'healthy ones cut off'),
    ],
  },
  {
    name: 'fan-out',
    title: 'One message to 10,000',
    subtitle: '1 KiB to connections of which 1 % never read; then 16 MiB to these',
    contestants: ['ours', 'bare'],
    columns: [
      values('fan-out', 'loop of sends', 'loop of sends'),
      values('fan-out', 'until the last has it', 'until the last has it'),
      values(
        'fan-out',
        'waits for a peer that never reads, at most',
        'waits where nobody reads',
        'log',
      ),
    ],
  },
  {
    name: 'shutdown',
    title: 'app.close() with 10,000 connections',
    subtitle: 'Until it has resolved; frozen peers keep their connection and never answer',
    contestants: ['ours', 'bare'],
    columns: [
      values('shutdown', 'time of app.close()', 'all answer', 'log'),
      values('shutdown-frozen', 'time of app.close()', '1 % are frozen', 'log'),
      values('shutdown-frozen', 'worst stall meanwhile', 'worst stall meanwhile', 'log'),
    ],
  },
  {
    name: 'storm',
    title: '10,000 connections reset at once',
    subtitle: 'Each with an onClose and two releases; bare with a listener',
    contestants: ['ours', 'bare'],
    columns: [
      values('storm', 'time until all have ended', 'until all have ended'),
      values('storm', 'worst stall', 'worst stall'),
    ],
  },
  {
    name: 'growth',
    title: 'What a connection costs, beside few others and beside many',
    subtitle: 'With 1,000, 4,500 and 18,000 connections; what stays flat scales',
    panels: [
      grows('heap', 'heap'),
      grows('CPU to open', 'CPU to open'),
      grows('CPU of one message to all', 'CPU of one message to all'),
      grows('CPU of app.close()', 'CPU of app.close()'),
      heartbeatGrows('CPU of a ping and its pong', 'CPU of a ping and its pong'),
      heartbeatGrows('worst stall of all pings', 'worst stall'),
    ],
  },
]

function echoes(what: string, contestant: string): Row[] {
  return LOADS.map(({ count, load }) => ({
    what: `${what}, ${count} in flight`,
    scenario: 'echo',
    figure: `messages a second, ${load}`,
    contestant,
  }))
}

function costOfMany(what: string, cost: string): Row {
  return { what, scenario: 'growth', figure: `${cost}, of many` }
}

export const TABLES: readonly Table[] = [
  {
    name: 'ratios',
    rows: [
      ...echoes('messages a second', 'ours'),
      ...echoes('with `onMessage`', 'ours, onMessage'),
      { what: 'p99 of a round trip at half load', scenario: 'latency', figure: 'p99' },
      { what: 'connections a second', scenario: 'churn', figure: 'connections a second' },
      { what: 'heap of an idle connection', scenario: 'memory', figure: 'heap of a connection' },
      {
        what: 'heartbeat of an idle connection, CPU',
        scenario: 'idle-heartbeat',
        figure: 'CPU a connection and round',
      },
      {
        what: 'heartbeat of a busy connection, CPU',
        scenario: 'busy-heartbeat',
        figure: 'CPU of the heartbeat alone, a connection and round',
      },
      { what: 'a message to 10,000', scenario: 'fan-out', figure: 'loop of sends' },
      { what: '`app.close()`', scenario: 'shutdown', figure: 'time of app.close()' },
      {
        what: '`app.close()`, 1 % frozen',
        scenario: 'shutdown-frozen',
        figure: 'time of app.close()',
      },
    ],
  },
  {
    name: 'million',
    count: 1_000_000,
    rows: [
      costOfMany('heap while idle', 'heap'),
      { what: 'RSS, heap included', scenario: 'growth', figure: 'RSS of a further connection' },
      costOfMany('CPU to open, from the SYN to the handler', 'CPU to open'),
      costOfMany('CPU to close, by the client', 'CPU to close'),
      {
        what: 'CPU of a ping and its pong',
        scenario: 'growth-heartbeats',
        figure: 'CPU of a ping and its pong, of many',
      },
      costOfMany('CPU of a message to all, 1 KiB', 'CPU of one message to all'),
      costOfMany('CPU of `app.close()`', 'CPU of app.close()'),
    ],
  },
]
