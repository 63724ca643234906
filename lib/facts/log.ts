import type { FastifyBaseLogger } from 'fastify'
import { toLine } from './log-line.js'

/** Logs, in bounds. Where the app's own logger throws, nothing must end differently because of it. */
export function logSafely(
  log: FastifyBaseLogger,
  level: 'debug' | 'info' | 'warn' | 'error',
  fields: object,
  text: string,
): void {
  try {
    log[level](toLine(fields, text), text)
  } catch {
    // There is nobody left to tell.
  }
}
