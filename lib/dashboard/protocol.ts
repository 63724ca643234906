/**
 * What the server and the page say to each other: texts of JSON, the same version on both sides, because the server serves
 * the page. All strings that clients have sent are cut by the server, and are text for the page.
 */

/** A time in epoch ms. */
type Time = number

/** Some names, each with a count that is not 0. */
export type Counts = Readonly<Record<string, number>>

/** What changes of a row while it is there. */
export type RowNow = readonly [
  state: 'open' | 'suspended' | 'ending',
  heardAt: Time | null,
  /** In ms. */
  latency: number | null,
  /** Messages that were received and are not handled. */
  inbox: number,
  /** Bytes that were sent and have not left. */
  outbox: number,
  resumes: number,
  /** Names of groups, with `, ` between. */
  groups: string,
]

/** One connection, or session, in the table. An array, because there may be 10,000 of them. */
export type Row = readonly [
  id: string,
  route: string,
  address: string,
  agent: string,
  openedAt: Time,
  now: RowNow,
]

/** What has happened in one second. */
export interface Second {
  /** Its end. */
  readonly at: Time
  /** Connections that are there at its end: open, suspended or ending. */
  readonly open: number
  readonly opened: number
  /** By cause. */
  readonly ended: Counts
  /** By reason. */
  readonly refused: Counts
  /** Half of the round trips of this second were as long at most, and 95 of 100; in ms. `null`: no ping was answered. */
  readonly latency: readonly [median: number, high: number] | null
  /** Messages that wait, over the rows of the table. */
  readonly inbox: number
  /** Bytes that wait, over the rows of the table. */
  readonly outbox: number
  /** For how long the loop stood still, in ms. */
  readonly stalled: number
}

/** What there is of one route now, and since the server started. */
export interface RouteNow {
  readonly route: string
  readonly open: number
  readonly opened: number
  readonly ended: Counts
  readonly refused: Counts
}

/** One node of several. */
export interface NodeNow {
  readonly node: string
  readonly isHere: boolean
  /** `null`: it has not answered. */
  readonly open: number | null
}

/** One end, in the list of ends. */
export type EndRow = readonly [
  at: Time,
  id: string,
  route: string,
  address: string,
  cause: string,
  code: number,
  reason: string,
  /** In ms. */
  duration: number,
  expected: boolean,
]

/** One fact of a history. */
export interface PastFact {
  /** In ms since the (first) 101. */
  readonly at: number
  readonly fact: string
}

/** All that is told of one connection that is there. */
export interface LiveDetails {
  readonly id: string
  readonly route: string
  readonly state: 'open' | 'suspended' | 'ending'
  readonly address: string
  readonly agent: string
  readonly origin: string
  /** The subprotocol; `''`: none. */
  readonly protocol: string
  readonly openedAt: Time
  readonly heardAt: Time | null
  readonly latency: number | null
  readonly inbox: { readonly messages: number; readonly bytes: number }
  readonly outbox: { readonly bytes: number }
  readonly groups: readonly string[]
  /** How often the client has come back; `null` without a session. */
  readonly resumes: number | null
  readonly history: readonly PastFact[]
}

/** A close frame. */
export interface Frame {
  readonly code: number
  readonly reason: string
}

/** The record of one end. */
export interface EndDetails {
  readonly id: string
  readonly route: string
  readonly address: string
  readonly agent: string
  readonly at: Time
  readonly openedAt: Time
  readonly duration: number
  readonly cause: string
  readonly code: number
  readonly reason: string
  readonly initiator: string
  readonly clean: boolean
  readonly expected: boolean
  readonly retryable: boolean
  readonly sent: Frame | null
  readonly received: Frame | null
  /** Its name and message; never its stack. `''`: none. */
  readonly error: string
  readonly messagesReceived: number
  readonly messagesSent: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly latency: number | null
  readonly resumes: number
  readonly unacknowledged: number
  readonly history: readonly PastFact[]
  /** `null` until its last release has run. */
  readonly steps: ReadonlyArray<{
    readonly name: string
    readonly duration: number
    readonly overran: boolean
  }> | null
}

/** A report of the diagnosis, in words. */
export interface Report {
  /** Rises by 1 with each report of this server. A later one of the same `id` takes the place of the one before. */
  readonly id: number
  readonly at: Time
  readonly kind: 'storm' | 'idle-timeout' | 'mute-peers' | 'stall'
  /** Whether it goes on. */
  readonly isOver: boolean
  /** One sentence: what is the matter. */
  readonly text: string
  /** One sentence: what to do about it. `''`: nothing. */
  readonly advice: string
}

/** The first message of a session. The table is empty then. */
export interface Hello {
  readonly type: 'hello'
  readonly startedAt: Time
  /** The clock of the server. */
  readonly at: Time
  /** The name of the node; `null` without other nodes. */
  readonly node: string | null
  /** Most rows that the table has. */
  readonly mostRows: number
  /** Most ends that are listed. */
  readonly mostEnds: number
  /** The last seconds, the oldest first. */
  readonly seconds: readonly Second[]
  /** The last ends, the oldest first. */
  readonly ends: readonly EndRow[]
  readonly reports: readonly Report[]
}

/** What has changed, at most four times a second. What is absent has not. */
export interface Update {
  readonly type: 'update'
  readonly at: Time
  readonly second?: Second
  readonly routes?: readonly RouteNow[]
  readonly nodes?: readonly NodeNow[]
  /** New ones, or ones that the page may have already. */
  readonly rows?: readonly Row[]
  readonly changed?: ReadonlyArray<readonly [id: string, now: RowNow]>
  readonly gone?: readonly string[]
  /** How many rows are on their way to this page. */
  readonly coming?: number
  /** How many connections are there and not in the table. */
  readonly hidden?: number
  readonly ends?: readonly EndRow[]
  readonly reports?: readonly Report[]
  /** Of the connection that this page looks at. */
  readonly live?: LiveDetails
  readonly draining?: true
}

/** The answer to `end`; `null`: it is not in the list any more. */
export interface EndAnswer {
  readonly type: 'end'
  readonly id: string
  readonly details: EndDetails | null
}

/** The answer to `close`. */
export interface CloseAnswer {
  readonly type: 'closed'
  readonly id: string
  /** `''`: it is closing now. Else why it is not. */
  readonly refusal: string
}

/** What the page gets. */
export type ToPage = Hello | Update | EndAnswer | CloseAnswer

/** What the server gets. */
export type ToServer =
  /** The rows that are seen, at most 100: they are looked at with each update. */
  | { readonly type: 'see'; readonly ids: readonly string[] }
  /** The connection whose details are wanted with each second; `null`: none. */
  | { readonly type: 'look'; readonly id: string | null }
  /** The record of an end is wanted. */
  | { readonly type: 'end'; readonly id: string }
  /** A connection has to be closed. */
  | { readonly type: 'close'; readonly id: string; readonly code: number; readonly reason: string }
