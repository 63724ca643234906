import type { CloseCause, CloseInfo } from 'fastify-websocket-lifecycle'
import type { Load, Plain } from './events.js'

const LOST = '1006'

/** What differs from one ending to another of the same cause is in {@link withoutPlugin}. */
const PLAIN: Readonly<Partial<Record<CloseCause, Plain>>> = {
  'server-terminate': { sees: LOST, words: 'Your own terminate() reads like a lost connection.' },
  shutdown: {
    sees: '1005',
    words: 'Nobody is told why, and one frozen peer holds app.close() up for 30 s.',
  },
  'connection-lost': {
    sees: LOST,
    words: 'A crash, a reset, an error, your own terminate(): all read the same.',
  },
  'connection-reset': { sees: LOST, words: 'The ECONNRESET is swallowed.' },
  'heartbeat-timeout': {
    sees: 'nothing',
    words: 'It stays OPEN for minutes to hours, and its close event never fires.',
  },
  'protocol-error': {
    sees: LOST,
    words: 'Like a lost connection, though the client was at fault.',
  },
  'message-too-big': {
    sees: LOST,
    words: 'Like a lost connection. By default it takes up to 100 MiB.',
  },
  'handler-error': { sees: LOST, words: 'It is cut off without a close frame.' },
  'slow-consumer': {
    sees: 'nothing',
    words: 'All that you send waits in your memory, hundreds of MB, and no event says so.',
  },
}

const LOADS: Readonly<Record<Load, string>> = {
  flood: 'All of it is read at once, and waits in your memory, begun and not done.',
  jobs: 'All of them begin at once, and are done in any order.',
}

const PROCESS_EXITS: Plain = {
  sees: 'exit',
  words: 'An unhandled rejection: the process dies, and everybody is gone.',
}

/** What `@fastify/websocket` alone would have made of the same. */
export function withoutPlugin(close: CloseInfo, load: Load | undefined): Plain {
  const { cause, code, messagesReceived } = close
  // Whoever fails in the handler has heard nothing yet; in a listener, something.
  if (cause === 'handler-error' && messagesReceived > 0) return PROCESS_EXITS
  if (load !== undefined) return { sees: String(code), words: LOADS[load] }
  const words =
    cause === 'client-close'
      ? 'The code, but not whether it was expected.'
      : `The echo of your own code: it reads as if the client had closed.`
  return PLAIN[cause] ?? { sees: String(code), words }
}
