// A client in Node that comes back by itself. Its token lasts for minutes, so each attempt asks for a new one. Start the server
// with `npx tsx examples/protocol-token.ts`, and then this with `npx tsx examples/node-client.ts`. Restart the server, and see.
import { isRetryable, LifecycleClient } from 'fastify-websocket-lifecycle/client'
import { WebSocket } from 'ws'

/** The server's own word for credentials that have ended. A new token may be had, so it is worth another attempt. */
const SIGN_IN = 3000
const MOST_ATTEMPTS = 20

export function connect(server: URL, user: string): LifecycleClient {
  const url = new URL('/feed', server)
  url.protocol = server.protocol.replace('http', 'ws')

  async function token(): Promise<string> {
    const signal = AbortSignal.timeout(5_000)
    const response = await fetch(new URL(`/login/${user}`, server), { method: 'POST', signal })
    if (!response.ok) throw new Error(`no token: ${response.status}`) // a failed attempt, as any other
    return response.text()
  }

  return new LifecycleClient(url, {
    WebSocket, // Node 22 has one of its own. This one can also send headers: give it a subclass that does
    protocols: async () => ['feed', `token.${await token()}`], // asked before each attempt
    shouldRetry: ({ code, attempts }) =>
      attempts < MOST_ATTEMPTS && (isRetryable(code) || code === SIGN_IN),
  })
}

if (process.argv[1] === import.meta.filename) {
  const client = connect(new URL(process.env['SERVER'] ?? 'http://127.0.0.1:3000'), 'ada')
  client.addEventListener('open', ({ first }) => console.log(first ? 'connected' : 'here again'))
  client.addEventListener('message', ({ data }) => console.log('the server says:', data))
  client.addEventListener('lost', ({ code, retryIn, error }) => {
    console.log(`lost (${code}), next attempt in ${retryIn} ms`, error ?? '')
  })
  client.addEventListener('close', ({ code }) => console.log(`over: ${code}`))
  process.once('SIGINT', () => client.close()) // nothing of it is left then, and the process ends
}
