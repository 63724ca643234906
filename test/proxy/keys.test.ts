// maxConnectionsPerKey behind a real nginx: whose connection it is, by whom the app trusts.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyServerOptions } from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { Client } from '../support/peers/client.js'
import { refused } from '../support/servers/refused.js'
import { endWith } from '../support/servers/server.js'
import { refusalFrom } from './support/refusal-from.js'
import {
  type Behind,
  FORWARDED,
  type Front,
  HOST,
  openFront,
  serveBehind,
  TRUSTING,
  type Visit,
} from './support/behind.js'

/** nginx adds the address to what the client itself has sent. */
const APPENDED = `
  ${HOST}
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`

const ONE_EACH = { maxConnectionsPerKey: { max: 1 } } as const

const FIRST = '127.0.0.2'
const SECOND = '127.0.0.3'

/** One client, and what it says of itself to an app that it can reach directly. */
const PAST_NGINX = [
  { localAddress: FIRST, headers: { 'x-forwarded-for': '10.9.9.1' } },
  { localAddress: FIRST, headers: { 'x-forwarded-for': '10.9.9.2' } },
] as const

async function serveOneEach(
  t: TestContext,
  fastify: FastifyServerOptions,
  location = HOST + FORWARDED,
): Promise<Behind> {
  return serveBehind(t, { route: ONE_EACH, fastify, location })
}

async function assertTooMany({ refusal }: Pick<Front, 'refusal'>, visit: Visit): Promise<void> {
  const { status, headers, body } = await refusal(visit)
  assert.equal(status, 429)
  assert.equal(headers['retry-after'], '5')
  assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY')
}

describe('one connection for each address, at an app that trusts nginx', () => {
  test('is one for each client, until it has ended', async (t) => {
    const behind = await serveOneEach(t, TRUSTING)
    const { open, nextSocket, app } = behind
    const first = await open({ from: FIRST })
    const socket = await nextSocket()
    assert.equal(socket.request.ip, FIRST)
    await assertTooMany(behind, { from: FIRST })

    await open({ from: SECOND })
    assert.equal((await nextSocket()).request.ip, SECOND)
    await assertTooMany(behind, { from: FIRST })

    first.ws.close(1000)
    await socket.closed
    await open({ from: FIRST })
    await assertTooMany(behind, { from: FIRST })
    const { opened, refused: counts } = app.websocketLifecycle.stats()
    assert.equal(opened, 3)
    assert.deepEqual(counts, refused({ key: 3 }))
  })

  for (const forwardedFor of [
    '10.9.9.9',
    '127.0.0.1',
    '127.0.0.3, 127.0.0.1',
    '10.9.9.9, 127.0.0.1, 127.0.0.1',
    'unknown',
    '',
    ',',
  ]) {
    for (const [what, location] of [
      ['says', HOST + FORWARDED],
      ['adds', APPENDED],
    ] as const) {
      test(`cannot be escaped by X-Forwarded-For "${forwardedFor}", where nginx ${what} it`, async (t) => {
        const behind = await serveOneEach(t, TRUSTING, location)
        await behind.open({ from: FIRST })
        await assertTooMany(behind, { from: FIRST, headers: { 'x-forwarded-for': forwardedFor } })
      })
    }
  }

  test('cannot be escaped by who comes past nginx', async (t) => {
    const { port } = await serveOneEach(t, TRUSTING)
    await Client.open(`ws://127.0.0.1:${port}/`, PAST_NGINX[0])
    assert.equal((await refusalFrom(`ws://127.0.0.1:${port}/`, PAST_NGINX[1])).status, 429)
  })
})

describe('one connection for each address, at an app that trusts everybody', () => {
  const EVERYBODY = { trustProxy: true }

  test('holds where nginx says the address, and nobody comes past it', async (t) => {
    const behind = await serveOneEach(t, EVERYBODY)
    await behind.open({ from: FIRST })
    await assertTooMany(behind, { from: FIRST, headers: { 'x-forwarded-for': '10.9.9.9' } })
    await behind.open({ from: SECOND })
  })

  test('is escaped where nginx adds the address', async (t) => {
    const { open, nextSocket } = await serveOneEach(t, EVERYBODY, APPENDED)
    await open({ from: FIRST })
    await nextSocket()
    await open({ from: FIRST, headers: { 'x-forwarded-for': '10.9.9.9' } })
    assert.equal((await nextSocket()).request.ip, '10.9.9.9')
  })

  test('is escaped by who comes past nginx', async (t) => {
    const { port } = await serveOneEach(t, EVERYBODY)
    for (const options of PAST_NGINX) await Client.open(`ws://127.0.0.1:${port}/`, options)
  })
})

test('one connection for each address is one for all, at an app that does not trust nginx', async (t) => {
  const behind = await serveOneEach(t, {})
  await behind.open({ from: FIRST })
  assert.equal((await behind.nextSocket()).request.ip, '127.0.0.1')
  await assertTooMany(behind, { from: SECOND })
  await assertTooMany(behind, { from: SECOND, headers: { 'x-forwarded-for': '10.9.9.9' } })
})

/** An app that listens on a path of the file system, as it does behind many a proxy. */
async function serveOnPath(
  t: TestContext,
  fastify: FastifyServerOptions,
): Promise<Front & { readonly sockets: LifecycleSocket[] }> {
  const dir = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-'))
  t.after(() => rm(dir, { recursive: true }))
  const app = Fastify(fastify)
  endWith(t, app)
  const sockets: LifecycleSocket[] = []
  await app.register(createPlugin(), ONE_EACH)
  app.get('/', { websocket: true }, (socket) => void sockets.push(socket))
  const path = join(dir, 'app.sock')
  await app.listen({ path })
  return { ...(await openFront(t, `unix:${path}`, HOST + FORWARDED)), sockets }
}

describe('one connection for each address, over a socket of the file system', () => {
  test('is one for each client at an app that trusts who may open it', async (t) => {
    const front = await serveOnPath(t, { trustProxy: (address) => address === undefined })
    const headers = { origin: `https://${front.host}` }
    await front.open({ from: FIRST, headers })
    assert.deepEqual(
      front.sockets.map(({ request }) => request.ip),
      [FIRST],
    )
    await assertTooMany(front, { from: FIRST, headers })
    await front.open({ from: SECOND, headers })
  })

  test('is one for all clients at an app that trusts nobody', async (t) => {
    const front = await serveOnPath(t, {})
    await front.open({ from: FIRST })
    await assertTooMany(front, { from: SECOND })
  })
})
