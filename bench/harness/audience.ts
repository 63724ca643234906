import type { Socket } from 'node:net'
import { frameBytes } from './dialects.js'
import { spread } from './numbers.js'
import { listen } from './peers.js'
import type { Server } from './server.js'

/**
 * Peers that read whatever comes. What they hear is counted together: nobody hears a part only.
 * @returns what has the server send a message to all its connections, time after time, and tells how
 * long one took, in ms (its loop of sends, and until the last peer had it: medians), and its CPU, in µs
 */
export function audience(server: Server, sockets: readonly Socket[]) {
  let awaited = 0
  let settle: ((error?: Error) => void) | undefined
  for (const socket of sockets) {
    listen(socket, (data) => {
      awaited -= data.length
      if (awaited === 0) settle?.()
    })
    socket.on('close', () => settle?.(new Error('A peer that reads was cut off')))
  }
  return async (bytes: number, times: number) => {
    const loops: number[] = []
    const lasts: number[] = []
    const [cpu] = await server.cpuOf(async () => {
      while (loops.length < times) {
        awaited += frameBytes(bytes) * sockets.length
        const heard = new Promise<void>((resolve, reject) => {
          settle = (error) => (error ? reject(error) : resolve())
        })
        const startedAt = performance.now()
        const sent = server.ask('fanOut', bytes)
        await heard
        lasts.push(performance.now() - startedAt)
        loops.push(await sent)
      }
    })
    return { loop: spread(loops).median, last: spread(lasts).median, cpu: cpu / times }
  }
}
