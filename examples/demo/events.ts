import type { CloseCause, CloseInitiator } from 'fastify-websocket-lifecycle'

/** Someone in the room: a browser's tab, or a helper that the server started. */
export interface Client {
  readonly id: string
  readonly name: string
  readonly kind: 'tab' | 'helper'
  /** The button for which a helper was started. */
  readonly act: string | undefined
}

/** How an open connection stands. Ages, in ms: the page's clock is another than the server's. */
export interface Row {
  readonly client: Client
  readonly openFor: number
  /** Since its last byte. */
  readonly silentFor: number
  readonly latency: number | undefined
  /** Those that it answered. */
  readonly pings: number
  /** Messages that it sent and the room has not handled; a tab does not tell how many it sent. */
  readonly unhandled: number | undefined
  /** Whether the room has stopped reading, because it has enough to handle. */
  readonly isPaused: boolean
  /** Bytes that wait for it to read. */
  readonly unsent: number
  /** Its last lost connection, if there was one. */
  readonly gap: Gap | undefined
}

/** A client was, or is, without a connection. */
export interface Gap {
  /** Why it lost it. */
  readonly cause: CloseCause
  /** For how long nothing had come by then, in ms. */
  readonly silentFor: number
  /** For how long its session waited, or has waited, in ms. */
  readonly suspendedFor: number
  /** Messages that it got when it was back; `undefined` while it is away. */
  readonly replayed: number | undefined
}

/** More than the room can handle at once. */
export type Load = 'flood' | 'jobs'

/** How somebody's connection ended, as the server learned it. */
export interface Ending {
  readonly client: Client
  /** Epoch ms. */
  readonly at: number
  readonly cause: CloseCause
  readonly code: number
  readonly reason: string
  /** The code that the server sent, if it sent one. */
  readonly sent: number | undefined
  readonly initiator: CloseInitiator
  readonly clean: boolean
  readonly expected: boolean
  readonly retryable: boolean
  /** Message of what was thrown, or of the error that the connection or the protocol had. */
  readonly error: string | undefined
  /** How long the connection was open, in ms. */
  readonly duration: number
  /** How long it took the server to notice, in ms; `undefined` where it was its own doing. */
  readonly noticedAfter: number | undefined
  /** What the client burdened the room with, if it did and then said goodbye. */
  readonly load: Load | undefined
  /** Messages that it sent (of a tab: those that came), and those that were handled. */
  readonly messages: number
  readonly handled: number
  /** What ran at the end, in order. */
  readonly steps: readonly string[]
  readonly plain: Plain
}

/** What a server without the plugin would have seen of an ending. */
export interface Plain {
  /** The code that its `close` event has, or what happens instead. */
  readonly sees: string
  readonly words: string
}

/** How the last drain went. */
export interface Drained {
  readonly at: number
  readonly closed: number
  readonly terminated: number
  readonly abandoned: number
  /** In ms. */
  readonly duration: number
  /** From the end of the drain until the server listened again, in ms. */
  readonly awayFor: number
}

export interface Message {
  readonly from: Client
  readonly text: string
  /** Epoch ms. */
  readonly at: number
}

/** All connections: those that are open, and how the last ones ended. */
export interface Board {
  readonly rows: readonly Row[]
  readonly endings: readonly Ending[]
  readonly drained: Drained | undefined
  /** Another one after each start of the process: what the one before knew is gone. */
  readonly server: string
}

/** What the server tells a client; what a client sends is a text that it says, or a command. */
export type RoomEvent =
  | {
      readonly type: 'welcome'
      readonly you: Client
      readonly board: Board
      readonly messages: readonly Message[]
    }
  | { readonly type: 'joined'; readonly row: Row }
  | { readonly type: 'resumed'; readonly row: Row }
  | { readonly type: 'pulse'; readonly rows: readonly Row[] }
  | { readonly type: 'said'; readonly message: Message }
  | { readonly type: 'left'; readonly ending: Ending }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'tale'; readonly text: string }
