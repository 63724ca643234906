// What who looks into a request finds of the link: nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'

test('node tells of the headers that are left, in each of its ways', async (t) => {
  const distinct: unknown[] = []
  const { url } = await serveSessions(t, {
    before: (app) => {
      app.addHook('onRequest', async ({ raw }) => {
        distinct.push(raw.headersDistinct['sec-websocket-protocol'])
      })
    },
  })
  await LinkPeer.connect(url)
  await LinkPeer.connect(url, { protocols: ['chat'] })
  assert.deepEqual(distinct, [undefined, ['chat']])
})

test('nobody who looks into a request finds the token of a session', async (t) => {
  const looks: Array<readonly [string, string]> = []
  const look = (where: string, message: unknown): void => {
    looks.push([where, inspect(message, { depth: 12 })])
  }
  const { url, noted } = await serveSessions(t, {
    before: (app) => {
      app.addHook('onRequest', async ({ raw }) => look('onRequest', raw))
    },
    route: {
      onResume: (_session, { raw }) => look('onResume', raw),
      onClose: (_session, { raw }) => look('onClose', raw),
    },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.ws.close(1000)
  await noted('release')
  const found = looks.filter(([, text]) => text.includes(first.welcome.token))
  assert.deepEqual(
    found.map(([where]) => where),
    [],
  )
})

test('ignoreUpgrade does not see the token of a session', async (t) => {
  const seen: unknown[] = []
  const { url } = await serveSessions(t, {
    options: {
      ignoreUpgrade: ({ headers }) => {
        seen.push(headers['sec-websocket-protocol'])
        return false
      },
    },
  })
  const first = await LinkPeer.confirmed(url)
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(JSON.stringify(seen).includes(first.welcome.token), false)
})
