// Upgrade requests that are slow, wrong, or given up.
import { connect, type Socket } from 'node:net'
import { reset } from '../../../../lib/platform/reset.js'
import type { World } from './world.js'

export type Handshake = (world: World, path: string, random: () => number) => Promise<void>

interface Parts {
  readonly method?: string
  readonly version?: string
  readonly key?: string
  readonly origin?: string
}

function requestOf(path: string, parts: Parts = {}): string {
  const { method = 'GET', version = '13', key = 'dGhlIHNhbXBsZSBub25jZQ==', origin } = parts
  return [
    `${method} ${path} HTTP/1.1`,
    'host: localhost',
    'connection: Upgrade',
    'upgrade: websocket',
    `sec-websocket-version: ${version}`,
    `sec-websocket-key: ${key}`,
    ...(origin === undefined ? [] : [`origin: ${origin}`]),
    '\r\n',
  ].join('\r\n')
}

async function open({ port }: World): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  // What the server does to it is all right.
  socket.on('error', () => {})
  socket.resume()
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve)
    socket.once('close', () => resolve())
  })
  return socket
}

/** Waits for an end of the server's, but not for long. */
async function endOf(world: World, socket: Socket): Promise<void> {
  await Promise.race([world.pause(1_500), new Promise((resolve) => socket.once('close', resolve))])
  reset(socket)
}

/** Asks, and takes whatever comes. */
const wrong =
  (parts: Parts, otherPath?: string): Handshake =>
  async (world, path) => {
    const socket = await open(world)
    socket.write(requestOf(otherPath ?? path, parts))
    await endOf(world, socket)
  }

export const HANDSHAKES: Readonly<Record<string, Handshake>> = {
  'a handshake that is given up': async (world, path, random) => {
    const socket = await open(world)
    socket.write(requestOf(path))
    await world.pause(random() * 60)
    if (random() < 0.5) reset(socket)
    else socket.destroy()
  },
  'half a handshake': async (world, path, random) => {
    const socket = await open(world)
    const request = requestOf(path)
    socket.write(request.slice(0, 1 + Math.floor(random() * (request.length - 1))))
    await world.pause(random() * 3_000)
    if (random() < 0.5) reset(socket)
    else socket.destroy()
  },
  'a slow handshake': async (world, path, random) => {
    const socket = await open(world)
    const request = requestOf(path)
    for (let at = 0; at < request.length; at += 30) {
      socket.write(request.slice(at, at + 30))
      await world.pause(random() * 200)
    }
    await endOf(world, socket)
  },
  'frames before the answer': async (world, path, random) => {
    const socket = await open(world)
    socket.write(requestOf(path))
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    await world.pause(random() * 500)
    reset(socket)
  },
  'a wrong version': wrong({ version: '7' }),
  'a wrong key': wrong({ key: 'short' }),
  'a wrong method': wrong({ method: 'POST' }),
  'a wrong origin': wrong({ origin: 'https://evil.example' }),
  'a wrong path': wrong({}, '/nowhere'),
}
