/** What a picture is made of. */
import type { ScaleKind } from './scale.js'

export type Picture = Comparison | Growth

interface About {
  /** Of its files, and of its place in a document. */
  readonly name: string
  readonly title: string
  /** What the numbers are, in a line. */
  readonly subtitle: string
}

/** Contestants as rows, figures as columns. */
export interface Comparison extends About {
  readonly contestants: readonly string[]
  readonly columns: readonly Column[]
}

/** Of each cost a panel: how it grows with the number of connections. */
export interface Growth extends About {
  readonly panels: readonly Panel[]
}

export interface Panel {
  readonly heading: string
  readonly scenario: string
  readonly cost: string
  readonly against: string
}

export interface Column {
  readonly heading: string
  readonly scenario: string
  readonly figure: string
  readonly of: 'ratio' | 'value'
  /** Columns of a comparison with the same kind and unit share one scale. */
  readonly scale: ScaleKind
  /** A line across all rows: what ratios refer to, or a bound that is documented. */
  readonly mark?: { readonly at: number; readonly means: string }
}

/** How contestants are called where people read of them. */
const CALLED: Readonly<Record<string, string>> = {
  bare: 'bare @fastify/websocket',
  'bare, as text': 'bare, text of each message',
  'bare, corked': 'bare, corked by hand',
  sweep: 'bare, sweep heartbeat',
  'sweep, spread': 'bare, sweep spread by hand',
  timers: 'bare, a timer for each',
  ours: 'this plugin',
  'ours, no keepalive': 'this plugin, no keepalive',
  'ours, onMessage': 'this plugin, onMessage',
  'ours, async onMessage': 'this plugin, async onMessage',
  'ours, everything on': 'this plugin, everything on',
  'Socket.IO': 'Socket.IO',
  Bun: 'Bun',
  gorilla: 'gorilla/websocket (Go)',
}

export function called(contestant: string): string {
  const name = CALLED[contestant]
  if (name === undefined) throw new Error(`No name for ${contestant}`)
  return name
}

export function isOurs(contestant: string): boolean {
  return contestant.startsWith('ours')
}
