// The request as another node gets it.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { TLSSocket } from 'node:tls'
import type { ForeignUpgrade } from '../../lib/cluster/cluster.js'
import { forwardedRequest } from '../../lib/redis/forwarded-request.js'

const FIRST = 'GET /ws HTTP/1.1'

function peerAt(remoteAddress: string | undefined, socket = new Socket()): Socket {
  return Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
}

function linesOf(rawHeaders: string[], peer = peerAt('10.0.0.9'), url = '/ws'): string[] {
  const message = { method: 'GET', url, httpVersion: '1.1' } as IncomingMessage
  const upgrade: ForeignUpgrade = { message, raw: peer, head: Buffer.alloc(0), rawHeaders }
  return forwardedRequest(upgrade, peer)?.toString('latin1').split('\r\n') ?? []
}

test('all headers stay as they came, in their order, and ours come before them', () => {
  assert.deepEqual(linesOf(['Host', 'a', 'X-A', '1', 'x-a', '2', 'x-A', '', 'z', '\u00ff']), [
    FIRST,
    'X-Wsl-Forwarded: 1',
    'X-Forwarded-For: 10.0.0.9',
    'X-Forwarded-Proto: http',
    'Host: a',
    'X-A: 1',
    'x-a: 2',
    'x-A: ',
    'z: \u00ff',
    '',
    '',
  ])
})

test('the peer is the last of the addresses that the client has come by', () => {
  const rawHeaders = ['x-forwarded-for', '1.1.1.1, 2.2.2.2', 'a', 'b', 'X-FORWARDED-FOR', '3.3.3.3']
  assert.deepEqual(linesOf(rawHeaders, peerAt('::1')), [
    FIRST,
    'X-Wsl-Forwarded: 1',
    'X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, ::1',
    'X-Forwarded-Proto: http',
    'a: b',
    '',
    '',
  ])
})

test('a peer on a unix socket has no address', () => {
  assert.ok(!linesOf(['a', 'b'], peerAt(undefined)).some((line) => /forwarded-for/i.test(line)))
  const behind = linesOf(['X-Forwarded-For', '1.1.1.1'], peerAt(undefined))
  assert.ok(behind.includes('X-Forwarded-For: 1.1.1.1'))
})

test('whether the client came over TLS is told, unless a proxy has told it', () => {
  const secure = peerAt('1.1.1.1', new TLSSocket(new Socket()))
  assert.ok(linesOf([], secure).includes('X-Forwarded-Proto: https'))
  const told = linesOf(['x-forwarded-proto', 'https', 'X-Forwarded-Host', 'app.example'])
  assert.deepEqual(
    told.filter((line) => /proto|host/i.test(line)),
    ['x-forwarded-proto: https', 'X-Forwarded-Host: app.example'],
  )
})

test('a request that would become two is not written', () => {
  for (const bad of ['a\r\nb', 'a\nb', 'a\r']) {
    assert.deepEqual(linesOf(['x', bad]), [])
    assert.deepEqual(linesOf([bad, 'x']), [])
    assert.deepEqual(linesOf(['X-Forwarded-For', bad]), [])
    assert.deepEqual(linesOf([], peerAt('1.1.1.1'), bad), [])
  }
})
