import { setTimeout as pause } from 'node:timers/promises'
import { end, listen, open } from './peers.js'
import type { Server } from './server.js'

export interface Load {
  readonly connections: number
  readonly bytes: number
  readonly inFlight: number
}

export type Chatter = Awaited<ReturnType<typeof openChatter>>
export type Talk = Awaited<ReturnType<Chatter['talk']>>

/**
 * Connections that echo as fast as the server can, whenever they are told to.
 * @param warmUp for how long they talk before anything counts, in ms
 */
export async function openChatter(server: Server, load: Load, warmUp: number) {
  const message = server.dialect.message(load.bytes)
  const echoBytes = server.dialect.echoBytes(load.bytes)
  const packet = Buffer.concat(Array.from({ length: load.inFlight }, () => message))
  const sockets = await open(server, load.connections)
  let isTalking = false
  let echoed = 0
  let underWay = 0
  let quiet: (() => void) | undefined
  for (const socket of sockets) {
    let received = 0
    listen(socket, (data) => {
      received += data.length
      const whole = Math.floor(received / echoBytes)
      received -= whole * echoBytes
      echoed += whole
      if (isTalking) {
        if (whole > 0) socket.write(packet.subarray(0, whole * message.length))
      } else if ((underWay -= whole) === 0) {
        quiet?.()
      }
    })
  }

  /**
   * Talks for so many ms, and then waits for what is under way.
   * @returns how many messages were `counted` within `duration`; how many in all, and the CPU for all,
   * in µs; and for how long the collector of the server has worked, in ms
   */
  async function talk(duration: number, watchesGc = false) {
    if (watchesGc) await server.ask('collections')
    const isQuiet = new Promise<void>((resolve) => (quiet = resolve))
    echoed = 0
    const [cpu, counted] = await server.cpuOf(async () => {
      const startedAt = performance.now()
      isTalking = true
      underWay = load.inFlight * sockets.length
      for (const socket of sockets) socket.write(packet)
      await pause(duration)
      isTalking = false
      const counted = { counted: echoed, duration: performance.now() - startedAt }
      await isQuiet
      return counted
    })
    const collections = watchesGc ? await server.ask<number[]>('collections') : []
    return { ...counted, echoed, cpu, collected: collections.reduce((sum, each) => sum + each, 0) }
  }

  await talk(warmUp)
  return { talk, end: () => end(sockets) }
}
