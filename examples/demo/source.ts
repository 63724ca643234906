import { readFile } from 'node:fs/promises'
import type { CloseCause } from 'fastify-websocket-lifecycle'
import type { Load } from './events.js'

/** The route as it stands in its file, and which of its lines each way to end needed. */
export interface Source {
  readonly file: string
  /** Number of the first line. */
  readonly from: number
  readonly lines: readonly string[]
  /** By cause, or by what came before the end: indexes into `lines`. */
  readonly needed: Readonly<Partial<Record<CloseCause | Load, readonly number[]>>>
  /** What an end needed besides if it was not expected, whatever its cause. */
  readonly unexpected: readonly number[]
}

const ALWAYS = [/^onClose\(/, /^session\.scope\.defer\(/]

const NEEDED: Readonly<Partial<Record<CloseCause | Load, readonly RegExp[]>>> = {
  'client-close': ALWAYS,
  'server-close': ALWAYS,
  'server-terminate': ALWAYS,
  shutdown: [...ALWAYS, /^onShutdown\(/],
  'connection-lost': ALWAYS,
  'connection-reset': ALWAYS,
  'heartbeat-timeout': [...ALWAYS, /^keepalive:/],
  'protocol-error': ALWAYS,
  'message-too-big': ALWAYS,
  'handler-error': ALWAYS,
  'slow-consumer': [...ALWAYS, /^outbox:/],
  flood: [...ALWAYS, /^inbox:/, /^async onMessage\(/],
  jobs: [...ALWAYS, /^async onMessage\(/],
}

/** Reads the route out of room.ts. */
export async function readSource(): Promise<Source> {
  const text = await readFile(new URL('room.ts', import.meta.url), 'utf8')
  const all = text.split('\n')
  const from = all.findIndex((line) => /^ {2}app\.get/.test(line))
  const to = all.indexOf('  )', from)
  const lines = all.slice(from, to + 1).map((line) => line.slice(2))
  const needed = Object.fromEntries(
    Object.entries(NEEDED).map(([cause, patterns]) => [cause, linesOf(lines, patterns)]),
  )
  const unexpected = linesOf(lines, [/^onUnexpectedClose\(/])
  return { file: 'examples/demo/room.ts', from: from + 1, lines, needed, unexpected }
}

function linesOf(lines: readonly string[], patterns: readonly RegExp[]): number[] {
  return lines.flatMap((line, start) =>
    patterns.some((pattern) => pattern.test(line.trimStart())) ? block(lines, start) : [],
  )
}

/** A line and, where it opens a block, all that follows up to the line that closes it. */
function block(lines: readonly string[], start: number): number[] {
  const first = lines[start] ?? ''
  if (!first.endsWith('{')) return [start]
  const indent = /^ */.exec(first)?.[0] ?? ''
  const end = lines.findIndex((line, i) => i > start && line.startsWith(`${indent}}`))
  return Array.from({ length: end - start + 1 }, (_, i) => start + i)
}
