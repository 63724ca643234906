// Work that has to be done, in order, with a slow database. Start it with `npx tsx examples/ordered-work.ts`,
// connect with `npx wscat -c ws://127.0.0.1:3000/accounts/ada`, and send {"amount":-30}.
import { setTimeout as delay } from 'node:timers/promises'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import { Type } from 'typebox'

const Transfer = Type.Object({ amount: Type.Integer() })

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true }).withTypeProvider<TypeBoxTypeProvider>()
  await app.register(websocketLifecycle)

  app.get(
    '/accounts/:owner',
    {
      websocket: true,
      schema: { params: Type.Object({ owner: Type.String() }), message: Transfer },
      // One message after the other: no transfer sees a balance that another one is about to change. If
      // many wait, reading pauses and the client waits, too. When the client leaves, `scope.signal` aborts,
      // but its messages are still handled: do not give that signal to work that has to be done.
      async onMessage(socket, request, { amount }) {
        socket.send(await transfer(request.params.owner, amount))
      },
      // Without this, a message that does not match the schema ends the connection with 1007.
      onInvalidMessage: (socket, _request, error) => socket.send(`refused: ${error.message}`),
      // Now all is done that the client sent before it left.
      onClose(_socket, request) {
        request.log.info({ balance: balances.get(request.params.owner) }, 'a client has left')
      },
    },
    // The first message waits until this is done.
    async (_socket, request) => open(request.params.owner),
  )

  return app
}

// Stands for a slow database.
const balances = new Map<string, number>()

async function open(owner: string): Promise<void> {
  await delay(50)
  balances.set(owner, balances.get(owner) ?? 100)
}

async function transfer(owner: string, amount: number): Promise<string> {
  await delay(Math.random() * 20)
  const balance = (balances.get(owner) ?? 0) + amount
  if (balance < 0) return 'refused: not enough'
  balances.set(owner, balance)
  return `balance: ${balance}`
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
