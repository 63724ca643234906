import * as http from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { responseOf } from '../platform/node-internals.js'

/** node's function that begins to read requests from a stream. node's types do not have it. */
const { _connectionListener: readRequests } = http as unknown as {
  readonly _connectionListener: (this: Server, stream: Duplex) => void
}

/**
 * Has a request answered as if it had not asked for an upgrade. When there is a listener for `'upgrade'`,
 * node gives it also requests that any route could answer. The bytes that were read go back to the stream,
 * without the `Upgrade` header, and the stream goes back to the server. So body, pipelining and keep-alive
 * work as usual.
 */
export function answerAsPlain(
  server: Server,
  message: IncomingMessage,
  raw: Duplex,
  head: Buffer,
): void {
  const earlier = responseOf(raw)
  if (earlier === undefined) giveBack(server, message, raw, head)
  else {
    // The client did not wait for its last answer. That answer comes first. Until then nobody else listens
    // for errors of the stream.
    raw.on('error', destroy)
    earlier.once('close', () => {
      // The stream was destroyed, but its `'error'` event may still come.
      if (raw.destroyed) return
      raw.removeListener('error', destroy)
      giveBack(server, message, raw, head)
    })
  }
}

function giveBack(server: Server, message: IncomingMessage, raw: Duplex, head: Buffer): void {
  raw.unshift(Buffer.concat([headOf(message), head]))
  readRequests.call(server, raw)
}

type Headers = Pick<IncomingMessage, 'headers'> & Partial<Pick<IncomingMessage, 'rawHeaders'>>

/** The head of the request, as it came. node reads each byte of it as one character. */
function headOf(message: IncomingMessage): Buffer {
  const { method, url, httpVersion } = message
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (const [name, value] of headersOf(message)) {
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${String(value)}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** The request of injectWS is not one of node's: it has no raw headers. */
function headersOf({ headers, rawHeaders }: Headers): Array<[string, unknown]> {
  if (rawHeaders === undefined) return Object.entries(headers)
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
    String(rawHeaders[2 * index]),
    rawHeaders[2 * index + 1],
  ])
}

function destroy(this: Duplex): void {
  this.destroy()
}
