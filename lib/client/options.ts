/** The options of a client: checked, with defaults, complete. */
import type { Bounds } from '../core/client/session.js'
import { isRetryable } from '../core/close/retryable.js'
import type {
  Address,
  ClientOptions,
  LostConnection,
  Protocols,
  WebSocketConstructor,
} from './api.js'
import { complete, expect } from './expect.js'

export interface Settings {
  readonly url: Address
  readonly protocols: Protocols | (() => Protocols | Promise<Protocols>)
  readonly link: boolean
  readonly resume: boolean
  readonly queue: Bounds | false
  readonly backoff: { readonly min: number; readonly max: number }
  readonly connectTimeout: number
  readonly liveness: { readonly interval: number; readonly timeout: number } | false
  readonly shouldRetry: (close: LostConnection) => boolean
  readonly signal: AbortSignal | undefined
  readonly WebSocket: WebSocketConstructor
}

/**
 * @param platform the WebSocket that is there anyway
 * @throws TypeError
 */
export function resolve(
  url: Address,
  options: ClientOptions,
  platform: WebSocketConstructor | undefined,
): Settings {
  const {
    backoff = {},
    link = true,
    liveness = link && {},
    protocols = [],
    resume = false,
    queue = resume && {},
    signal,
    WebSocket = platform,
    ...others
  } = options
  if (typeof url !== 'function') expectUrl(url)
  if (typeof protocols !== 'function') expectProtocols(protocols)
  expect(
    'options.WebSocket',
    'a class (on Node 20 that of ws)',
    WebSocket,
    typeof WebSocket === 'function',
  )
  expect('options.link', 'true for `resume` and `liveness`', link, link || !(resume || liveness))
  expect('options.queue', 'an object for `resume`', queue, !resume || queue !== false)
  return {
    ...complete(
      'options',
      { link, resume, ...others },
      {
        link: true,
        resume: false,
        connectTimeout: 10_000,
        shouldRetry: ({ code }: LostConnection) => isRetryable(code),
      },
    ),
    url,
    protocols,
    signal,
    WebSocket,
    backoff: complete('options.backoff', backoff, { min: 500, max: 30_000 }),
    queue: queue && complete('options.queue', queue, { maxMessages: 1024, maxBytes: 1_048_576 }),
    liveness:
      liveness && complete('options.liveness', liveness, { interval: 30_000, timeout: 10_000 }),
  }
}

/** @throws TypeError */
export function expectUrl(url: unknown): asserts url is string | URL {
  expect('url', 'a string or a URL', url, typeof url === 'string' || url instanceof URL)
}

/** @throws TypeError */
export function expectProtocols(names: unknown): asserts names is Protocols {
  const isRight = [names].flat().every((name) => typeof name === 'string')
  expect('protocols', 'a string or an array of them', names, isRight)
}
