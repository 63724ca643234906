import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest, FastifySchema, FastifySchemaCompiler } from 'fastify'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../../lib/index.js'
import { OPCODE, RawPeer } from './raw-peer.js'
import { type Connected, connectOne, type OneRoute } from '../servers/server.js'

const { frame } = RawPeer

/** What makes a validator of a schema. */
export type Compiler = FastifySchemaCompiler<FastifySchema>

/** A route's options as Fastify takes them, of which ours are a part. */
export interface SchemaRoute extends RouteLifecycleOptions<
  FastifyInstance,
  FastifyRequest,
  FastifySchema
> {
  readonly schema: FastifySchema
  readonly validatorCompiler?: Compiler
}

/** A route that answers each message with what became of it. */
export function telling(message: unknown): SchemaRoute {
  return {
    schema: { message },
    onMessage: (socket, _request, value) => tell(socket, 'valid', JSON.stringify(value)),
    onInvalidMessage: (socket, _request, error) => tell(socket, 'invalid', error.message),
  }
}

function tell(socket: LifecycleSocket, verdict: string, what: string): void {
  socket.send(`${verdict}: ${what}`)
}

export interface Spoken extends Connected {
  /** Sends a message, text for a string, and resolves with the route's answer. */
  readonly ask: (message: string | Buffer) => Promise<string | undefined>
  /** Sends a message, and resolves with the code of the close frame that comes of it; echoes it. */
  readonly provoke: (message: string | Buffer) => Promise<number | undefined>
}

/** Opens a connection to a route that has a schema for its messages. */
export async function speak(
  t: TestContext,
  route: SchemaRoute,
  setup: Omit<OneRoute, 'route'> = {},
): Promise<Spoken> {
  const connected = await connectOne(t, { ...setup, route })
  const { peer } = connected
  const say = (message: string | Buffer): void =>
    peer.send(frame(typeof message === 'string' ? OPCODE.text : OPCODE.binary, message))
  return {
    ...connected,
    ask: async (message) => {
      say(message)
      return (await peer.next())?.payload.toString()
    },
    provoke: async (message) => {
      say(message)
      const code = (await peer.nextOf(OPCODE.close))?.payload.readUInt16BE()
      peer.send(RawPeer.closeFrame(code))
      return code
    },
  }
}
