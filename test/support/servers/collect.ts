import type { LifecycleSocket } from '../../../lib/index.js'

/** Takes what a loop gives, until it ends. */
export async function collect(
  socket: Pick<LifecycleSocket, 'messages'>,
  into: unknown[],
): Promise<void> {
  for await (const message of socket.messages()) into.push(message)
  into.push('ended')
}
