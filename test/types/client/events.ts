// What each event tells, and what is refused: the same for a page and for Node.
import {
  isRetryable,
  LifecycleClient,
  type ClientCloseEvent,
  type ClientEvents,
  type ClientLostEvent,
  type ClientMessageEvent,
  type ClientOpenEvent,
  type ClientOptions,
  type LostConnection,
  type Message,
} from 'fastify-websocket-lifecycle/client'
import { exactly } from '../exactly.js'

declare const client: LifecycleClient

client.addEventListener('open', (event) => {
  exactly<ClientOpenEvent>()(event)
  exactly<boolean>()(event.first)
  exactly<boolean>()(event.resumed)
  exactly<readonly Message[]>()(event.undelivered)
})
client.addEventListener('message', ({ data }) => {
  exactly<string | ArrayBuffer>()(data)
})
client.addEventListener('lost', (event) => {
  exactly<ClientLostEvent>()(event)
  exactly<number>()(event.code)
  exactly<string>()(event.reason)
  exactly<number>()(event.attempts)
  exactly<number>()(event.retryIn)
  exactly<unknown>()(event.error)
  exactly<string>()(event.type)
})
client.addEventListener(
  'close',
  async ({ code, undelivered }) => {
    exactly<number>()(code)
    exactly<readonly Message[]>()(undelivered)
  },
  { once: true },
)
const listener = { handleEvent: (event: ClientMessageEvent): void => void event.data }
client.addEventListener('message', listener, { signal: new AbortController().signal })
client.removeEventListener('message', listener)
client.addEventListener('close', null)
const closed = (event: ClientCloseEvent): string => event.reason
client.addEventListener('close', closed, true)
const name: keyof ClientEvents = 'lost'
client.addEventListener(name, (event) => event.code)

// @ts-expect-error: no such event
client.addEventListener('error', () => {})
// @ts-expect-error: it is a string or an ArrayBuffer
client.addEventListener('message', ({ data }) => data.trim())
// @ts-expect-error: there are no attributes for listeners
client.onmessage = () => {}

exactly<'connecting' | 'open' | 'waiting' | 'closed'>()(client.state)
exactly<string>()(client.protocol)
exactly<number>()(client.bufferedAmount)
exactly<boolean>()(client.send('text'))
client.send(new ArrayBuffer(1))
client.send(new Uint8Array(1))
client.send(new DataView(new ArrayBuffer(1)))
// @ts-expect-error
client.send({ text: 'text' })
exactly<Promise<boolean>>()(client.drained())
exactly<void>()(client.reconnect())
client.close()
client.close(4000, 'bye')
exactly<boolean>()(isRetryable(1006))

new LifecycleClient('wss://example')
new LifecycleClient(new URL('wss://example'), {})
new LifecycleClient(() => 'wss://example', { protocols: 'chat' })
new LifecycleClient(async () => new URL('wss://example'), { protocols: ['chat.v2', 'chat.v1'] })
const all: ClientOptions = {
  protocols: async () => ['chat'] as const,
  link: true,
  resume: true,
  queue: { maxMessages: 10, maxBytes: 1_000 },
  backoff: { min: 100 },
  connectTimeout: 5_000,
  liveness: { interval: 10_000, timeout: 5_000 },
  shouldRetry(close) {
    exactly<LostConnection>()(close)
    return isRetryable(close.code)
  },
  signal: new AbortController().signal,
}
new LifecycleClient('wss://example', all)
new LifecycleClient('wss://example', { queue: false, liveness: false })
// @ts-expect-error
new LifecycleClient('wss://example', { retries: 5 })
// @ts-expect-error
new LifecycleClient('wss://example', { resume: 'yes' })
// @ts-expect-error
new LifecycleClient(5)

class Chat extends LifecycleClient {
  say(text: string): boolean {
    return this.send(JSON.stringify({ text }))
  }
}
exactly<boolean>()(new Chat('wss://example').say('hello'))
// @ts-expect-error
client.state = 'open'
