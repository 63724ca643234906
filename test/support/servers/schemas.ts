// Validators and their compilers, and routes that tell what they made of a message.
import type { FastifyInstance } from 'fastify'
import { OPCODE, RawPeer } from '../peers/raw-peer.js'
import { portOf } from './server.js'
import { type Compiler, telling } from '../peers/spoken.js'

const { frame } = RawPeer

/** A compiler whose validators all answer so. */
export function answering(answer: (value: unknown) => unknown): Compiler {
  return () => answer as ReturnType<Compiler>
}

/** A compiler whose validators answer with its name. */
export function named(name: string): Compiler {
  return answering(() => ({ value: name }))
}

/** A route that tells what became of its messages. */
export function add(on: FastifyInstance, path: string, message: unknown, more: object = {}): void {
  on.get(path, { websocket: true, ...telling(message), ...more }, () => {})
}

/** One message to a route of `/path`, and what became of it. */
export async function askAt(app: FastifyInstance, path: string, message: string): Promise<unknown> {
  const peer = await RawPeer.open(portOf(app), path)
  peer.send(frame(OPCODE.text, message))
  const answer = await peer.next()
  peer.destroy()
  return answer?.payload.toString()
}
