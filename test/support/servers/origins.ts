import type { TestContext } from 'node:test'
import type { LifecycleOptions } from '../../../lib/index.js'
import { within } from '../time/bound.js'
import { type Answer, parseAnswer } from '../peers/client.js'
import { RawPeer } from '../peers/raw-peer.js'
import { type Observed, type OneRoute, serveOne } from './server.js'

export type AllowedOrigins = NonNullable<LifecycleOptions['allowedOrigins']>

export const HOST = 'app.example'
export const OURS = 'https://app.example'
export const STRANGER = 'https://evil.example'

/** What an upgrade with these headers is answered. */
export async function ask(
  port: number,
  headers: Record<string, string>,
  path = '/',
): Promise<Answer> {
  const peer = await RawPeer.dial(port, path, { host: HOST, ...headers })
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return answer
}

export async function statusOf(port: number, origin: string, host = HOST): Promise<number> {
  return (await ask(port, { host, origin })).status
}

/** What a handshake of these lines is answered, in which a header may stand twice or be missing. */
export async function statusOfLines(port: number, ...lines: string[]): Promise<number> {
  const handshake = RawPeer.handshake(port, '/').replace(/host: .*\r\n/, '')
  const head = handshake.replace(/\r\n$/, '')
  const peer = await RawPeer.dialWith(port, head, ...lines.map((line) => `${line}\r\n`), '\r\n')
  const { status } = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return status
}

export async function serveOrigins(
  t: TestContext,
  allowedOrigins: AllowedOrigins,
  setup: OneRoute = {},
): Promise<Observed> {
  return serveOne(t, { ...setup, options: { allowedOrigins, ...setup.options } })
}
