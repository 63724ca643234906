// Handlers that read no message before they are told to.
import type { LifecycleSocket, RouteLifecycleOptions } from '../../../lib/index.js'
import type { Gate } from '../time/gate.js'

interface Stuck {
  readonly route?: RouteLifecycleOptions
  readonly handler?: (socket: LifecycleSocket) => unknown
}

/** Who handles nothing until the gate opens, and then takes note of each message. */
export const STUCK: Readonly<Record<string, (stuck: Gate, note: (size: number) => void) => Stuck>> =
  {
    'an onMessage that hangs': (stuck, note) => ({
      route: {
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          note(message.length)
        },
      },
    }),
    'an onMessage whose handler hangs': (stuck, note) => ({
      route: { onMessage: (_socket, _request, message) => note(message.length) },
      handler: () => stuck.opened,
    }),
    'a loop that hangs': (stuck, note) => ({
      handler: async (socket) => {
        for await (const message of socket.messages()) {
          await stuck.opened
          note(message.length)
        }
      },
    }),
    'a listener that comes late': (stuck, note) => ({
      handler: async (socket) => {
        await stuck.opened
        socket.on('message', (data: Buffer) => note(data.length))
      },
    }),
  }
