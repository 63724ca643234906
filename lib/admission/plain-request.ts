import * as http from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { responseOf } from '../platform/node-internals.js'

/** How node begins to read requests from a stream; its types leave it out. */
const { _connectionListener: readRequests } = http as unknown as {
  readonly _connectionListener: (this: Server, stream: Duplex) => void
}

/**
 * Has a request answered as if no upgrade had been asked for: whoever listens for `'upgrade'` gets from node also
 * requests that any route could answer. What was read of it goes back to the stream, without its `Upgrade` header,
 * and the stream to the server: body, pipelining and keep-alive are as they would have been.
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
    // A client that did not wait for its last answer; that comes first. Until then nobody else hears of an error.
    raw.on('error', destroy)
    earlier.once('close', () => {
      // What has destroyed it may not have been told yet.
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

/** The head of the request as it came; node reads each byte of it as one character. */
function headOf(message: IncomingMessage): Buffer {
  const { method, url, httpVersion } = message
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (const [name, value] of headersOf(message)) {
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${String(value)}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** The request of injectWS is none of node's: nothing of it is raw. */
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
