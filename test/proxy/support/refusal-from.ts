import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { WebSocket, type ClientOptions } from 'ws'
import type { Answer } from '../../support/peers/client.js'

/** What a client gets that is refused, whose address the test chooses; resolves when the body is there. */
export async function refusalFrom(url: string, options: ClientOptions): Promise<Answer> {
  const ws = new WebSocket(url, options)
  ws.on('error', () => {})
  const refused = once(ws, 'unexpected-response')
  const opened = once(ws, 'open').then(() => {
    ws.terminate()
    throw new Error('Expected the upgrade to be refused, but it opened')
  })
  opened.catch(() => {})
  const [, response] = (await Promise.race([refused, opened])) as [unknown, IncomingMessage]
  const { statusCode = 0, headers } = response
  return { status: statusCode, headers, body: await text(response) }
}
