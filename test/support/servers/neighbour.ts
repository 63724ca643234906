// Somebody else who listens for upgrades on the server of an app, and takes all that it gets.
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { within } from '../time/bound.js'
import { parseAnswer } from '../peers/client.js'
import { RawPeer } from '../peers/raw-peer.js'
import { portOf } from './server.js'

/** What the neighbour answers to all that it gets, as one does that believes that all is its own. */
export const THEIRS = 418

/** Somebody else's listener: the third argument tells that it could shake hands. */
export function addNeighbour(app: FastifyInstance): void {
  app.server.on('upgrade', (_request, raw: Duplex, _head: Buffer) => {
    raw.end(`HTTP/1.1 ${THEIRS} ${STATUS_CODES[THEIRS]}\r\ncontent-length: 0\r\n\r\n`)
  })
}

export function addRoute(app: FastifyInstance, url = '/ws'): void {
  app.get(url, { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
  })
}

/** Who gets an upgrade: the status that it is answered with. */
export async function statusOf(
  app: FastifyInstance,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<number> {
  const handshake = RawPeer.handshake(portOf(app), path, headers).replace('GET', method)
  const peer = await RawPeer.dialWith(portOf(app), handshake)
  const { status } = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return status
}
