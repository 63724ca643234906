import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { FakeClock } from '../time/fake-clock.js'

/** Whose bytes keep a connection: those of both sides together, as with most proxies, or of each for itself. */
export type Counts = 'both' | 'each'

/**
 * A TCP proxy that cuts off what is idle for so many ms of a clock that a test moves.
 * @returns its port
 */
export async function idleProxy(
  t: TestContext,
  clock: FakeClock,
  target: number,
  timeout: number,
  counts: Counts = 'both',
): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    const cut = (): void => {
      client.destroy()
      upstream.destroy()
    }
    const watch = (): (() => void) => {
      let timer = clock.setTimeout(cut, timeout)
      return () => {
        clock.clearTimeout(timer)
        timer = clock.setTimeout(cut, timeout)
      }
    }
    const ofClient = watch()
    const ofServer = counts === 'both' ? ofClient : watch()
    for (const [from, to, heard] of [
      [client, upstream, ofClient],
      [upstream, client, ofServer],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => {
        heard()
        to.write(data)
      })
      from.on('error', cut)
      from.on('close', cut)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
