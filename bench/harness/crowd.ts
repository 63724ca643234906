import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { OPCODES } from './dialects.js'
import { behave, open } from './peers.js'
import type { Server } from './server.js'

/** Healthy peers: they answer every ping at once, and are counted. */
export class Crowd {
  sockets: readonly Socket[] = []
  /** What all of them have heard. */
  pings = 0
  messages = 0
  /** Whom the server has cut off. */
  lost = 0

  static async open(server: Server, count: number): Promise<Crowd> {
    const crowd = new Crowd()
    // From the first on: a ping may come while others are still being opened.
    crowd.sockets = await open(server, count, server.dialect.path, (socket) => {
      behave(socket, (opcode) => {
        if (opcode === OPCODES.ping) crowd.pings++
        else if (opcode === OPCODES.text) crowd.messages++
      })
      // After an error comes a close.
      socket.on('error', () => {}).on('close', () => crowd.lost++)
    })
    return crowd
  }

  /** What a ping and its pong cost the server, measured for so many ms, in µs of CPU. */
  async cpuOfPing(server: Server, duration: number): Promise<number> {
    const cpuBefore = await server.cpu()
    const pingsBefore = this.pings
    await pause(duration)
    const pings = this.pings - pingsBefore
    return ((await server.cpu()) - cpuBefore) / pings
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}
