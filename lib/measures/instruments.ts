/** What is measured. Names and units are those of OpenTelemetry; `metrics/` makes those of Prometheus of them. */

/** What distinguishes the values of an instrument. Each has few values. */
export type Label = 'route' | 'cause' | 'reason' | 'direction' | 'by' | 'step'

/** Values of labels, in the order of the instrument's `labels`. */
export type LabelValues = readonly string[]

export interface Instrument {
  readonly name: string
  /** Seconds, bytes, or what is counted. */
  readonly unit: 's' | 'By' | `{${string}}`
  /** What it says, in a sentence. */
  readonly help: string
  readonly labels: readonly Label[]
}

/** A counter only grows. A gauge is a number of this moment. */
interface NumberInstrument extends Instrument {
  readonly kind: 'counter' | 'gauge'
}

/** How many durations there were, by how long they were. */
interface HistogramInstrument extends Instrument {
  /** The highest duration of each bucket, in seconds. */
  readonly bounds: readonly number[]
}

export type NumberKey =
  | 'open'
  | 'interrupted'
  | 'opened'
  | 'refused'
  | 'closed'
  | 'interruptions'
  | 'resumptions'
  | 'messagesReceived'
  | 'messagesSent'
  | 'bytesReceived'
  | 'bytesSent'
  | 'inboxMessages'
  | 'inboxBytes'
  | 'outboxBytes'
  | 'dropped'
  | 'paused'
  | 'stuck'
  | 'averted'
  | 'postponed'
  | 'stalls'
  | 'stalled'
  | 'overran'

export type HistogramKey = 'duration' | 'latency' | 'calls' | 'steps' | 'drains'

const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** From a second to a day. */
const LIVES = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

export const NUMBERS: Readonly<Record<NumberKey, NumberInstrument>> = {
  open: {
    name: 'websocket.connections.open',
    kind: 'gauge',
    unit: '{connection}',
    help: 'Connections that are open or ending now. A session counts as one.',
    labels: ['route'],
  },
  interrupted: {
    name: 'websocket.sessions.interrupted',
    kind: 'gauge',
    unit: '{session}',
    help: 'Sessions that wait for their client now.',
    labels: ['route'],
  },
  opened: {
    name: 'websocket.connections.opened',
    kind: 'counter',
    unit: '{connection}',
    help: 'Connections that were opened.',
    labels: ['route'],
  },
  refused: {
    name: 'websocket.upgrades.refused',
    kind: 'counter',
    unit: '{upgrade}',
    help: 'Upgrades that were refused. The route is empty if the path belongs to none.',
    labels: ['route', 'reason'],
  },
  closed: {
    name: 'websocket.connections.closed',
    kind: 'counter',
    unit: '{connection}',
    help: 'Connections that have ended.',
    labels: ['route', 'cause'],
  },
  interruptions: {
    name: 'websocket.sessions.interruptions',
    kind: 'counter',
    unit: '{session}',
    help: 'Connections that sessions have lost.',
    labels: ['route', 'cause'],
  },
  resumptions: {
    name: 'websocket.sessions.resumptions',
    kind: 'counter',
    unit: '{session}',
    help: 'Sessions to which their client has come back.',
    labels: ['route'],
  },
  messagesReceived: {
    name: 'websocket.messages.received',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages received.',
    labels: ['route'],
  },
  messagesSent: {
    name: 'websocket.messages.sent',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages sent.',
    labels: ['route'],
  },
  bytesReceived: {
    name: 'websocket.received',
    kind: 'counter',
    unit: 'By',
    help: 'Bytes received on the wire.',
    labels: ['route'],
  },
  bytesSent: {
    name: 'websocket.sent',
    kind: 'counter',
    unit: 'By',
    help: 'Bytes that the kernel has taken.',
    labels: ['route'],
  },
  inboxMessages: {
    name: 'websocket.inbox.messages',
    kind: 'gauge',
    unit: '{message}',
    help: 'Messages that were received and are not handled yet.',
    labels: ['route'],
  },
  inboxBytes: {
    name: 'websocket.inbox.size',
    kind: 'gauge',
    unit: 'By',
    help: 'Bytes of messages that wait or are being handled.',
    labels: ['route'],
  },
  outboxBytes: {
    name: 'websocket.outbox.size',
    kind: 'gauge',
    unit: 'By',
    help: 'Bytes that were sent and have not left; of sessions, that are not confirmed.',
    labels: ['route'],
  },
  dropped: {
    name: 'websocket.messages.dropped',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages that were lost in this process.',
    labels: ['route', 'direction'],
  },
  paused: {
    name: 'websocket.reading.pauses',
    kind: 'counter',
    unit: '{pause}',
    help: 'How often reading was paused, by the app or because the inbox was full.',
    labels: ['route', 'by'],
  },
  stuck: {
    name: 'websocket.outbox.stuck',
    kind: 'counter',
    unit: '{time}',
    help: 'How often a client took nothing for too long. Those cut off are closed with cause slow-consumer.',
    labels: ['route'],
  },
  averted: {
    name: 'websocket.verdicts.averted',
    kind: 'counter',
    unit: '{verdict}',
    help: 'Connections that would have ended, and for which a second look found no reason.',
    labels: ['route', 'cause'],
  },
  postponed: {
    name: 'websocket.verdicts.postponed',
    kind: 'counter',
    unit: '{verdict}',
    help: 'Clients that would be taken for dead if stalls of the event loop counted against them.',
    labels: [],
  },
  stalls: {
    name: 'websocket.loop.stalls',
    kind: 'counter',
    unit: '{stall}',
    help: 'How often the event loop stood still.',
    labels: [],
  },
  stalled: {
    name: 'websocket.loop.stalled',
    kind: 'counter',
    unit: 's',
    help: 'Time for which the event loop stood still.',
    labels: [],
  },
  overran: {
    name: 'websocket.steps.overran',
    kind: 'counter',
    unit: '{step}',
    help: 'Hooks and releases that took too long and were left behind.',
    labels: ['route'],
  },
}

export const HISTOGRAMS: Readonly<Record<HistogramKey, HistogramInstrument>> = {
  duration: {
    name: 'websocket.connection.duration',
    unit: 's',
    help: 'How long connections were open.',
    labels: ['route'],
    bounds: LIVES,
  },
  latency: {
    name: 'websocket.ping.latency',
    unit: 's',
    help: 'Round trips of keepalive pings.',
    labels: ['route'],
    bounds: SHORT,
  },
  calls: {
    name: 'websocket.message.duration',
    unit: 's',
    help: 'How long calls of onMessage took; a sample, if there are more than 1000 in a second.',
    labels: ['route'],
    bounds: SHORT,
  },
  steps: {
    name: 'websocket.step.duration',
    unit: 's',
    help: 'How long the steps of ends took: messages, hooks and releases.',
    labels: ['route', 'step'],
    bounds: SHORT,
  },
  drains: {
    name: 'websocket.drain.duration',
    unit: 's',
    help: 'How long drains took.',
    labels: [],
    bounds: [0.1, 0.5, 1, 2.5, 5, 10, 15, 30, 60],
  },
}

export const NUMBER_KEYS: readonly NumberKey[] = Object.keys(NUMBERS) as NumberKey[]
export const HISTOGRAM_KEYS: readonly HistogramKey[] = Object.keys(HISTOGRAMS) as HistogramKey[]
