// Whose pages may open a WebSocket, as peers see it over real sockets.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { hostOf } from '../../lib/admission/origin.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { parseAnswer, refusal } from '../support/peers/client.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { serveOne } from '../support/servers/server.js'
import { cert, key } from '../support/servers/tls.js'
import { isTlsPass } from '../support/servers/tls-pass.js'
import {
  HOST,
  OURS,
  STRANGER,
  ask,
  serveOrigins,
  statusOf,
  statusOfLines,
} from '../support/servers/origins.js'

describe('by default', () => {
  test('pages of the host that is asked may connect, and others may not', async (t) => {
    const { app, port } = await serveOne(t)
    const asked = `127.0.0.1:${port}`
    const answers: ReadonlyArray<readonly [origin: string, host: string, status: number]> = [
      [`http://${asked}`, asked, isTlsPass ? 403 : 101],
      [`https://${asked}`, asked, 101],
      [`http://localhost:${port}`, asked, 403],
      [`http://127.0.0.1`, asked, 403],
      [OURS, HOST, 101],
      ['HTTPS://APP.EXAMPLE:443', 'App.Example', 101],
      [`${OURS}.`, HOST, 403],
      ['https://[::1]:3000', '[0:0::1]:3000', 101],
      [STRANGER, HOST, 403],
      [`${OURS}.evil`, HOST, 403],
      [`${OURS}@evil.example`, HOST, 403],
      [`https://evil.example@app.example`, HOST, 403],
      [`${OURS}/`, HOST, 403],
      [`${OURS}:8443`, HOST, 403],
      ['wss://app.example', HOST, 403],
      ['chrome-extension://abcdefghijklmnop', HOST, 403],
      ['file://', HOST, 403],
      ['null', HOST, 403],
      ['', HOST, 403],
      ['%s %d %j', HOST, 403],
      [`${OURS},${OURS}`, HOST, 403],
      [OURS, '', 403],
      [OURS, `${HOST}/`, 403],
      [OURS, `user@${HOST}`, 403],
    ]
    for (const [origin, host, status] of answers) {
      assert.equal(await statusOf(port, origin, host), status, `${origin} to ${host}`)
    }
    const count = (wanted: number): number =>
      answers.filter(([, , status]) => status === wanted).length
    const { refused: counts, opened } = app.websocketLifecycle.stats()
    assert.deepEqual(counts, refused({ origin: count(403) }))
    assert.equal(opened, count(101))
  })

  test('over TLS pages that came without it may not connect', async (t) => {
    const { port } = await serveOne(t, {
      fastify: { https: { key, cert } } as FastifyServerOptions,
    })
    const url = `wss://127.0.0.1:${port}`
    const tls = { ca: cert }
    for (const origin of [`http://127.0.0.1:${port}`, `https://localhost:${port}`, STRANGER]) {
      const { status, body } = await refusal(url, { headers: { origin }, tls })
      assert.equal(status, 403, origin)
      assert.match(body, /over TLS/)
    }
    const page = { headers: { origin: `https://127.0.0.1:${port}` }, tls }
    for (const options of [page, { tls }]) (await connect(url, '/', options)).drop()
  })

  test('a page came without TLS where a trusted proxy says so, though the proxy itself uses it', async (t) => {
    const https = { https: { key, cert }, trustProxy: true }
    const { app } = await serveOne(t, { fastify: https })
    const forwarded = { 'x-forwarded-host': HOST, 'x-forwarded-proto': 'http' }
    const headers = { ...forwarded, origin: `http://${HOST}` }
    ;(await connect(app, '/', { headers, tls: { ca: cert } })).drop()
  })

  test('two Origin lines are a stranger, also if they are alike', async (t) => {
    const { port } = await serveOne(t)
    const host = `host: ${HOST}`
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`), 101)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, `Origin: ${OURS}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, `origin: ${STRANGER}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${STRANGER}`, `origin: ${OURS}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, 'origin:'), 403)
  })

  test('the header that browsers sent with version 8 of the protocol counts too', async (t) => {
    const { port } = await serveOne(t)
    const version = { 'sec-websocket-version': '8' }
    for (const [origin, status] of [
      [OURS, 101],
      [STRANGER, 403],
    ] as const) {
      assert.equal((await ask(port, { ...version, 'sec-websocket-origin': origin })).status, status)
    }
  })

  test('without a Host no page is of the same origin, and what is no page passes', async (t) => {
    const { port } = await serveOne(t)
    for (const origin of [OURS, 'http://', 'http://undefined', 'null', '']) {
      assert.equal(await statusOfLines(port, `origin: ${origin}`), 403, origin)
    }
    assert.equal(await statusOfLines(port), 101)
    // Early versions of Fastify 5 say `undefined`.
    assert.equal(hostOf({}), '')
  })

  test('of two Host lines the first counts, as for everything else in node', async (t) => {
    const { port } = await serveOne(t)
    const hosts = ['host: app.example', 'host: evil.example']
    assert.equal(await statusOfLines(port, ...hosts, `origin: ${OURS}`), 101)
    assert.equal(await statusOfLines(port, ...hosts, `origin: ${STRANGER}`), 403)
  })

  test('injectWS is judged too', async (t) => {
    const { app } = await serveOne(t)
    const ws = await app.injectWS('/', { headers: { host: HOST, origin: OURS } })
    ws.terminate()
    await assert.rejects(
      async () => app.injectWS('/', { headers: { host: HOST, origin: STRANGER } }),
      /Unexpected server response: 403/,
    )
    assert.equal(app.websocketLifecycle.stats().refused.origin, 1)
  })
})

describe('a refusal', () => {
  test('tells, in its body and in the log, who was refused where, and what to set', async (t) => {
    const { lines, fastify } = logLines()
    const { app, port, events } = await serveOne(t, { fastify })
    const peer = await RawPeer.dial(port, '/?token=secret', { host: HOST, origin: STRANGER })
    const { status, headers, body } = parseAnswer(await within(peer.answer(), 'an answer'))
    await within(peer.ended(), 'the end of the socket')
    assert.equal(status, 403)
    assert.match(String(headers['content-type']), /^application\/json/)
    const { message, ...rest } = JSON.parse(body)
    assert.deepEqual(rest, { statusCode: 403, code: 'FST_ERR_WSL_ORIGIN', error: 'Forbidden' })
    for (const told of [`"${STRANGER}"`, `"${HOST}"`, '`allowedOrigins`', '`trustProxy`']) {
      assert.ok(message.includes(told), `${told} in ${message}`)
    }
    const told = lines.filter(({ msg }) => msg === 'WebSocket upgrade refused')
    assert.deepEqual(
      told.map(({ level, reason, route, why }) => ({ level, reason, route, why })),
      [{ level: 30, reason: 'origin', route: '/', why: message }],
    )
    assert.doesNotMatch(JSON.stringify(told), /secret/)
    assert.ok(lines.every(({ level }) => Number(level) <= 30))
    assert.deepEqual(events, [])
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ origin: 1 }))
  })

  test('quotes no more than the beginning of what strangers send, and as a string', async (t) => {
    const { port } = await serveOne(t)
    for (const text of ['x'.repeat(8_000), `https://${'"\\%s'.repeat(1_000)}`]) {
      const { status, body } = await ask(port, { origin: text, host: text })
      assert.equal(status, 403)
      assert.ok(JSON.parse(body).message.length < 1_000)
      const beginning = JSON.stringify(text.slice(0, 20)).slice(0, -1)
      assert.ok(JSON.parse(body).message.includes(beginning), body)
    }
  })

  test('is an error of Fastify, which the app may answer in its own way', async (t) => {
    const { port } = await serveOne(t, {
      before: (app) => {
        app.setErrorHandler<Error & { code: string }>(async (error, _request, reply) =>
          reply.code(418).send(error.code),
        )
      },
    })
    const { status, body } = await ask(port, { origin: STRANGER })
    assert.deepEqual([status, body], [418, 'FST_ERR_WSL_ORIGIN'])
  })

  test('has the status of what the function has thrown', async (t) => {
    const error = Object.assign(new Error('who?'), { statusCode: 401 })
    const { port } = await serveOrigins(t, async () => Promise.reject(error))
    const { status, body } = await ask(port, { origin: OURS })
    assert.deepEqual([status, JSON.parse(body).message], [401, 'who?'])
  })

  test('ends the scope that a hook before the plugin has used', async (t) => {
    const released = gate()
    const { port } = await serveOne(t, {
      before: (app) =>
        app.addHook('onRequest', async (request) => request.wsScope?.defer(released.open)),
    })
    assert.equal(await statusOf(port, STRANGER), 403)
    await within(released.opened, 'the release')
  })
})
