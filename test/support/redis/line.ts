import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import type { Cleanup } from './redis-server.js'

/** The way of one node to Redis. */
export interface RedisLine {
  /** Where its client connects to. */
  readonly port: number
  /** Nothing comes through any more, and nobody is told. */
  cut(): void
  /** The same for the connections that have subscribed so far, and for no other one. */
  deafen(): void
  /**
   * New connections come through; the old ones are closed.
   * @param to the port of another Redis, as after a failover
   */
  mend(to?: number): void
}

export async function lineTo(t: Cleanup, redis: number): Promise<RedisLine> {
  const sockets = new Set<Socket>()
  const subscribers = new Set<Socket>()
  const deaf = new Set<Socket>()
  let isCut = false
  let target = redis
  const add = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    return socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    const far = add(createConnection(target, '127.0.0.1'))
    add(near)
    near.on('data', (data) => {
      if (/\bsubscribe\b/i.test(data.toString())) subscribers.add(near)
      if (!isCut && !deaf.has(near)) far.write(data)
    })
    far.on('data', (data) => isCut || deaf.has(near) || near.write(data))
    near.on('close', () => isCut || far.destroy())
    far.on('close', () => isCut || near.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const destroy = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  t.after(async () => {
    destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
    },
    deafen() {
      for (const near of subscribers) deaf.add(near)
    },
    mend(to = target) {
      isCut = false
      target = to
      destroy()
    },
  }
}
