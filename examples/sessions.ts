// A chat that loses nothing when a network does: the route has sessions, and its page has the client that goes on with them.
// Start it with `npx tsx examples/sessions.ts`, open http://127.0.0.1:3000/?user=ada twice, and press "Cut": the others see
// that she is away for a moment, and every message arrives. Without `?user=` the page learns that it has to sign in.
import { readFile } from 'node:fs/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

const PAGE = `<!doctype html><title>Chat</title>
<form><input autofocus><button>Send</button><button type="button">Cut</button></form><p></p><ul></ul>
<script type="module">
  import { LifecycleClient } from '/client.js'
  const [form, input, cut, status, list] = ['form', 'input', '[type=button]', 'p', 'ul'].map((name) => document.querySelector(name))
  const client = new LifecycleClient('ws' + location.origin.slice(4) + '/chat' + location.search, { resume: true })
  client.addEventListener('open', ({ resumed, undelivered }) => {
    status.textContent = resumed ? 'Back, nothing was lost' : 'Here'
    for (const message of undelivered) client.send(message) // a new session, as after a restart, has never heard them
  })
  client.addEventListener('message', ({ data }) => list.append(Object.assign(document.createElement('li'), { textContent: data })))
  client.addEventListener('lost', ({ retryIn }) => (status.textContent = 'Away, trying again in ' + retryIn + ' ms'))
  client.addEventListener('close', ({ code }) => (status.textContent = code === 3000 ? 'Sign in first' : 'Over: ' + code))
  form.addEventListener('submit', (event) => event.preventDefault(client.send(input.value)))
  cut.addEventListener('click', () => client.reconnect())
</script>`

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)
  const room = app.websocketLifecycle.group('chat')
  const tell = (text: string): void => void room.send(text) // who is away gets it later

  // The client is one file without imports, so a page can use it as it is.
  const client = await readFile(new URL(import.meta.resolve('fastify-websocket-lifecycle/client')))
  app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(client))
  app.get('/', (_request, reply) => reply.type('text/html').send(PAGE))

  app.get<{ Querystring: { user?: string } }>(
    '/chat',
    {
      websocket: true,
      // Stands for authentication. A page cannot see a 401: it would come back for ever. It sees 3000.
      preValidation: async ({ query }, reply) => query.user || reply.refuseWebsocket(3000),
      resume: { key: ({ query }) => String(query.user) }, // nobody goes on with the session of another
      onMessage: (_session, { query }, message) => tell(`${query.user}: ${String(message)}`),
      onSuspend: (_session, { query }) => tell(`(${query.user} is away)`),
      onResume: (_session, { query }) => tell(`(${query.user} is back)`),
    },
    (session) => void room.add(session), // until the session ends, not only until its network does
  )
  return app
}

if (process.argv[1] === import.meta.filename) {
  await (await build()).listen({ port: Number(process.env['PORT'] ?? 3000) })
}
