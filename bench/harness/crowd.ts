import { setTimeout as pause } from 'node:timers/promises'
import { OPCODES } from './dialects.js'
import { behave, open } from './peers.js'
import type { Server } from './server.js'

export type Crowd = Awaited<ReturnType<typeof openCrowd>>

/** Healthy peers: they answer every ping at once, and are counted. */
export async function openCrowd(server: Server, count: number) {
  const heard = { pings: 0, messages: 0 }
  let lost = 0
  // From the first on: a ping may come while others are still being opened.
  const sockets = await open(server, count, server.dialect.path, (socket) => {
    behave(socket, (opcode) => {
      if (opcode === OPCODES.ping) heard.pings++
      else if (opcode === OPCODES.text) heard.messages++
    })
    // After an error comes a close.
    socket.on('error', () => {}).on('close', () => lost++)
  })
  return {
    sockets,
    /** @returns what all of them hear in so many ms, and the CPU of the server meanwhile, in µs */
    async during(duration: number) {
      const [cpu, { pings, messages }] = await server.cpuOf(async () => {
        const before = { ...heard }
        await pause(duration)
        return { pings: heard.pings - before.pings, messages: heard.messages - before.messages }
      })
      return { cpu, pings, messages }
    },
    /** @returns how many of them the server has cut off before */
    leave() {
      for (const socket of sockets) socket.destroy()
      return lost
    },
  }
}
