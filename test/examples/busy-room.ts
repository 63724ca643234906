import { setImmediate as turn } from 'node:timers/promises'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { Deferred } from '../../lib/platform/deferred.js'
import { gate } from '../support/time/gate.js'

export interface BusyRoom {
  readonly app: FastifyInstance
  /** Resolves when so many messages are being handled at once. */
  isHandling(count: number): Promise<void>
  finishAll(): void
  /** The code that the socket closed with. */
  readonly closed: Promise<number>
  /** How the socket stands after 80 MB of talk. */
  readonly hasTalked: Promise<{ readonly unsent: number; readonly readyState: number }>
}

/** The demo's room as `@fastify/websocket` alone has it, with messages that take as long as it is told. */
export async function busyRoom(): Promise<BusyRoom> {
  const app = Fastify()
  const done = gate()
  const closed = new Deferred<number>()
  const hasTalked = new Deferred<{ unsent: number; readyState: number }>()
  let handling = 0
  await app.register(websocket, { options: { maxPayload: 4_096 } })
  app.get('/room', { websocket: true }, (socket) => {
    socket.on('close', (code) => closed.resolve(code))
    socket.on('message', async (data: Buffer) => {
      const text = data.toString()
      if (text === '/talk') {
        for (let i = 0; i < 80; i++) {
          socket.send(Buffer.alloc(1024 * 1024))
          await turn()
        }
        hasTalked.resolve({ unsent: socket.bufferedAmount, readyState: socket.readyState })
        return
      }
      handling++
      await done.opened
      socket.send(text)
    })
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    app,
    isHandling: async (count) => {
      const isEnough = (): boolean => handling >= count
      while (!isEnough()) await turn()
    },
    finishAll: () => done.open(),
    closed: closed.promise,
    hasTalked: hasTalked.promise,
  }
}
