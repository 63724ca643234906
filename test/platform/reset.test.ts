import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { reset } from '../../lib/platform/reset.js'
import { cert, key } from '../support/servers/tls.js'
import { until } from '../support/time/timed.js'

/** Has a server listen. @returns how its first connection ends, in its own eyes */
async function listen(t: TestContext, server: Server, at?: string): Promise<string[]> {
  const ends: string[] = []
  const isTls = 'setSecureContext' in server
  server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => ends.push(String(error.code)))
    socket.on('end', () => ends.push('end'))
    socket.on('close', () => ends.push('close'))
    socket.resume()
  })
  t.after(() => server.close())
  await once(at === undefined ? server.listen(0, '127.0.0.1') : server.listen(at), 'listening')
  return ends
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

test('a TCP connection ends with a RST', async (t) => {
  const server = createServer()
  const ends = await listen(t, server)
  const socket = connect(portOf(server), '127.0.0.1')
  await once(socket, 'connect')
  reset(socket)
  await until(() => ends.includes('close'))
  assert.deepEqual(ends, ['ECONNRESET', 'close'])
})

test('TLS and unix sockets have no RST: they just end', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'reset-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const unix = createServer()
  const tls = createTlsServer({ cert, key })
  const ends = [await listen(t, unix, join(dir, 'socket')), await listen(t, tls)]
  const accepted = [once(unix, 'connection'), once(tls, 'secureConnection')]
  const plain = connect(join(dir, 'socket'))
  const secure = connectTls({ port: portOf(tls), host: '127.0.0.1', ca: cert })
  await Promise.all([once(plain, 'connect'), once(secure, 'secureConnect'), ...accepted])
  for (const socket of [plain, secure]) reset(socket)
  await until(() => ends.every((each) => each.includes('close')))
  assert.ok(ends.every((each) => !each.includes('ECONNRESET')))
  assert.ok([plain, secure].every(({ destroyed }) => destroyed))
})

test('a socket that is sending its FIN is ended without a RST, which node could not do', async (t) => {
  const server = createServer()
  const ends = await listen(t, server)
  const socket = connect(portOf(server), '127.0.0.1')
  await once(socket, 'connect')
  const own: string[] = []
  for (const event of ['error', 'close']) socket.on(event, () => own.push(event))
  socket.end()
  reset(socket)
  await until(() => own.length > 0 && ends.includes('close'))
  assert.deepEqual([own, ends], [['close'], ['end', 'close']])
})
