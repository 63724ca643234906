// What `address` may be, and how it is refused where it is something else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOf, resolveAddress } from '../../lib/redis/address.js'

const WHERE = 'the options of fastify-websocket-lifecycle/redis'

test('an address is an origin that others can reach', () => {
  const ADDRESSES = [
    ['http://10.0.0.5:3000', 'http://10.0.0.5:3000', [false, '10.0.0.5', 3000]],
    ['http://node-1.internal', 'http://node-1.internal', [false, 'node-1.internal', 80]],
    ['HTTPS://Node-1:443', 'https://node-1', [true, 'node-1', 443]],
    ['https://node-1:8443', 'https://node-1:8443', [true, 'node-1', 8443]],
    ['http://[0::1]:3000', 'http://[::1]:3000', [false, '::1', 3000]],
    ['http://localhost:65535', 'http://localhost:65535', [false, 'localhost', 65_535]],
  ] as const
  for (const [given, resolved, endpoint] of ADDRESSES) {
    assert.equal(resolveAddress(given, WHERE), resolved)
    const { isTls, host, port } = endpointOf(resolved) ?? assert.fail(resolved)
    assert.deepEqual([isTls, host, port], endpoint)
  }
  assert.equal(resolveAddress(undefined, WHERE), undefined)
})

test('all else is refused, with what was expected', () => {
  const WRONG = [
    '',
    '10.0.0.5:3000',
    'node-1',
    'ws://10.0.0.5:3000',
    'ftp://10.0.0.5',
    'null',
    'http://10.0.0.5:3000/',
    'http://10.0.0.5:3000/path',
    'http://10.0.0.5?query',
    'http://10.0.0.5#hash',
    'http://10.0.0.5:65536',
    'http://10.0.0.5:0',
    'http://',
    'http://0.0.0.0:3000',
    'http://[::]:3000',
    'http://0:3000',
    'http://*:3000',
    'http://fe80::1:3000',
    ' http://10.0.0.5',
    'http://10.0.0.5\r\nHost: x',
    'http://a b',
    null,
    3000,
    true,
    ['http://10.0.0.5:3000'],
    new URL('http://10.0.0.5:3000'),
  ]
  for (const wrong of WRONG) {
    assert.throws(() => resolveAddress(wrong, WHERE), {
      code: 'FST_ERR_WSL_INVALID_OPTION',
      message:
        /^Expected `address` to be an origin at which other nodes reach this one, such as `http:\/\/10\.0\.0\.5:3000` .*, got `.*` \(\w+\), in the options of fastify-websocket-lifecycle\/redis$/s,
    })
    if (typeof wrong === 'string') assert.equal(endpointOf(wrong), undefined, wrong)
  }
})

test('a password in it is not shown', () => {
  for (const wrong of ['http://user:secret@10.0.0.5:3000', 'x://secret@a@b', '//\n:secret@x']) {
    assert.throws(
      () => resolveAddress(wrong, WHERE),
      ({ message }: Error) => message.includes('***@') && !message.includes('secret'),
    )
  }
})
