import { setTimeout as pause } from 'node:timers/promises'
import { OPCODES } from './dialects.js'
import { behave, open } from './peers.js'
import type { Server } from './server.js'

export type Crowd = Awaited<ReturnType<typeof openCrowd>>

/** Healthy peers: they answer every ping and close frame at once, and what they hear is counted. */
export async function openCrowd(server: Server, count: number) {
  const heard = new Map<number, number>()
  const counted = (opcode: keyof typeof OPCODES): number => heard.get(OPCODES[opcode]) ?? 0
  let lost = 0
  // From the first on: a ping may come while others are still being opened.
  const sockets = await open(server, count, server.dialect.path, (socket) => {
    behave(socket, (opcode) => heard.set(opcode, (heard.get(opcode) ?? 0) + 1))
    // After an error comes a close.
    socket.on('error', () => {}).on('close', () => lost++)
  })
  return {
    sockets,
    counted,
    /** @returns what all of them hear in so many ms, and the CPU of the server meanwhile, in µs */
    async during(duration: number) {
      const pings = counted('ping')
      const messages = counted('text')
      const [cpu] = await server.cpuOf(() => pause(duration))
      return { cpu, pings: counted('ping') - pings, messages: counted('text') - messages }
    },
    /** @returns how many of them the server has cut off before */
    leave() {
      for (const socket of sockets) socket.destroy()
      return lost
    },
  }
}
