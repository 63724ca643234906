// What a peer of the kit hears.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { frameOf, OPCODE } from '../../../lib/testing/frames.js'
import type { Peer, PeerOptions } from '../../../lib/testing/index.js'
import { connect } from './connect.js'
import { within } from '../time/bound.js'

/** Resolves when the server has answered a ping: it has read all that was sent before. */
export async function answered(peer: Peer<unknown>): Promise<void> {
  const payload = randomBytes(8).toString('hex')
  const pong = new Promise<void>((resolve) => {
    let heard = ''
    peer.socket.on('data', function hear(data) {
      heard = heard.slice(1 - payload.length) + data.toString('latin1')
      if (!heard.includes(payload)) return
      peer.socket.off('data', hear)
      resolve()
    })
  })
  peer.sendRaw(frameOf(OPCODE.ping, payload))
  await within(pong, 'a pong')
}

/** That the server has read all that was sent, and nothing has come that was not taken. */
export async function assertSilent(peer: Peer<unknown>): Promise<void> {
  await answered(peer)
  await assert.rejects(peer.next({ timeout: 0 }), /within 0 ms, got none/)
}

/** All that was not taken until the connection ends, then the end: `close <code> <reason>`. */
export async function untilEnd(peer: Peer): Promise<string[]> {
  const heard: string[] = []
  for await (const message of peer) heard.push(message.toString())
  const { code, reason } = await peer.closed
  return [...heard, `close ${code} ${reason}`.trimEnd()]
}

/** Connects to another process. */
export async function reach(url: string, options: PeerOptions = {}): Promise<Peer<string>> {
  return connect(url, undefined, { parse: String, ...options })
}
