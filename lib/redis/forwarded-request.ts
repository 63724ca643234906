import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ForeignUpgrade } from '../cluster/cluster.js'

/** Marks a request that comes from another node: it is not forwarded again. */
export const FORWARDED = 'x-wsl-forwarded'

const FORWARDED_FOR = 'x-forwarded-for'
const FORWARDED_PROTO = 'x-forwarded-proto'

/**
 * The request once more, for the node that has its session: the headers as they came, and what a proxy adds.
 *
 * - `X-Forwarded-For` gets the address of the peer as its last entry. It is one line, and it comes first: node
 *   drops headers beyond the first thousand, and a client must not have this one dropped.
 * - `X-Forwarded-Proto` is added where it is missing. Fastify reads the last entry, and a proxy before this node
 *   knows better whether the client came over TLS.
 * - `Host` stays, so `X-Forwarded-Host` would tell nothing new.
 * @returns `undefined` if that cannot be written; node's parser lets no such request pass
 */
export function forwardedRequest(
  { message, rawHeaders }: ForeignUpgrade,
  peer: Socket,
): Buffer | undefined {
  const addresses: string[] = []
  const lines: string[] = []
  let hasProto = false
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    const lowerCase = name.toLowerCase()
    hasProto ||= lowerCase === FORWARDED_PROTO
    if (lowerCase === FORWARDED_FOR) addresses.push(value)
    else lines.push(`${name}: ${value}`)
  }
  // A peer on a unix socket has no address.
  addresses.push(peer.remoteAddress ?? '')
  const ours = ['X-Wsl-Forwarded: 1']
  const known = addresses.filter((address) => address !== '').join(', ')
  if (known !== '') ours.push(`X-Forwarded-For: ${known}`)
  if (!hasProto) ours.push(`X-Forwarded-Proto: ${peer instanceof TLSSocket ? 'https' : 'http'}`)
  const all = [`${message.method} ${message.url} HTTP/${message.httpVersion}`, ...ours, ...lines]
  // Somebody could begin a request of his own after a line break.
  if (all.some((line) => /[\r\n]/.test(line))) return undefined
  // node reads each byte of a header as one character.
  return Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1')
}
