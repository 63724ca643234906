// `ignoreUpgrade`: what the app leaves to others.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { parseAnswer } from '../support/peers/client.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { THEIRS, addNeighbour, addRoute, statusOf } from '../support/servers/neighbour.js'

describe('ignoreUpgrade', () => {
  const isTheirs = {
    ignoreUpgrade: (request: IncomingMessage) => request.headers['x-of'] === 'them',
  }

  test('leaves to others what a route of ours would match', async (t) => {
    const app = await serve(t, {
      options: isTheirs,
      routes: (app) => {
        addRoute(app)
        addNeighbour(app)
      },
    })
    assert.equal(await statusOf(app, '/ws'), 101)
    assert.equal(await statusOf(app, '/ws', { 'x-of': 'them' }), THEIRS)
  })

  test('makes it a plain request where nobody else listens', async (t) => {
    const app = await serve(t, {
      options: isTheirs,
      routes: (app) =>
        app.route({
          method: 'GET',
          url: '/both',
          handler: async () => 'http',
          wsHandler: () => {},
        }),
    })
    const peer = await RawPeer.dial(portOf(app), '/both', { 'x-of': 'them' })
    const { status, body } = parseAnswer(await peer.answer())
    assert.deepEqual({ status, body }, { status: 200, body: 'http' })
    peer.destroy()
    assert.equal(await statusOf(app, '/both'), 101)
    const headers = { 'x-of': 'them', host: 'localhost' }
    await assert.rejects(app.injectWS('/both', { headers }), /Unexpected server response: 200/)
  })

  for (const [title, ignoreUpgrade, text] of [
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      /no idea/,
    ],
    ['answers later', async () => true, /return a boolean, got object/],
    // It would end the process: nobody waits for its answer.
    ['rejects later', () => Promise.reject(new Error('lost')), /return a boolean, got object/],
  ] as const) {
    test(`that ${title} is logged, and the paths decide`, async (t) => {
      const { lines, fastify } = logLines()
      const app = await serve(t, {
        fastify,
        options: { ignoreUpgrade: ignoreUpgrade as () => boolean },
        routes: (app) => {
          addRoute(app)
          addNeighbour(app)
        },
      })
      assert.equal(await statusOf(app, '/ws'), 101)
      assert.equal(await statusOf(app, '/other'), THEIRS)
      const failed = lines.filter(({ msg }) => msg === '`ignoreUpgrade` failed')
      assert.equal(failed.length, 2)
      assert.match(String(Reflect.get(failed[0]?.['err'] as LogLine, 'message')), text)
    })
  }
})
