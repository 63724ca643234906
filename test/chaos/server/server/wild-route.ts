// Where callbacks throw and hang, and hooks refuse, at random.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LifecycleSocket, Message } from '../../../../lib/index.js'
import type { Duties } from './duties.js'

export function addWildRoute(app: FastifyInstance, duties: Duties): void {
  const { accounts, storm } = duties
  app.get(
    '/wild',
    {
      websocket: true,
      refuse: 'close-frame',
      preValidation: (request, reply) => judge(duties, request, reply),
      onMessage: (socket, _request, message) => handle(duties, socket, message),
      onUnexpectedClose: () => duties.hook('onUnexpectedClose'),
    },
    async (socket, request) => {
      duties.opened(socket, request)
      if (storm.has(0.05)) throw new Error('the handler throws')
      if (storm.has(0.05)) socket.close(4_000, 'at once')
      if (storm.has(0.05)) socket.terminate()
      if (storm.has(0.1)) await storm.pause(200)
      socket.on('message', () => {
        if (storm.has(0.01)) throw new Error('a listener throws')
      })
      if (storm.has(0.05)) socket.send('hello', () => accountsThrow())
      if (storm.has(0.05)) throw new Error('the handler rejects')
    },
  )

  function accountsThrow(): never {
    throw new Error(`a callback throws, and ${accounts.faults.length} faults are known`)
  }
}

async function judge(
  { storm }: Duties,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  if (request.wsScope === undefined) return undefined
  if (storm.has(0.3)) await storm.pause(300)
  if (storm.has(0.05)) return reply.refuseWebsocket(3_000, 'sign in')
  if (storm.has(0.05)) return reply.code(401).send({ error: 'no' })
  if (storm.has(0.05)) throw new Error('a hook throws')
  return undefined
}

async function handle(duties: Duties, socket: LifecycleSocket, message: Message): Promise<void> {
  const { storm } = duties
  const text = String(message)
  if (text === 'close me') socket.close(4_001, 'as you wish')
  else if (text === 'terminate me') socket.terminate()
  else if (storm.has(0.01)) throw new Error('onMessage throws')
  else if (storm.has(0.002)) await duties.hang()
  else {
    if (storm.has(0.2)) await storm.pause(100)
    socket.send(message)
  }
}
