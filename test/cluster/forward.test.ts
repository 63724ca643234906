// A client that asks this node for a session of another one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { join, NotingNode } from '../support/servers/cluster.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { until } from '../support/time/timed.js'

async function serveForwarding(t: Parameters<typeof serveSessions>[0]) {
  const node = new NotingNode()
  const seen: unknown[] = []
  const served = await serveSessions(t, {
    routes: (instance) => {
      join(instance, node)
      instance.addHook('onRequest', async ({ headers, raw }) => {
        seen.push(headers['sec-websocket-protocol'], String(raw.rawHeaders).includes('wsl.'))
      })
    },
  })
  return { ...served, node, seen }
}

test('another node gets the request as it came, and this one sees nothing of it', async (t) => {
  const { app, node, seen, url } = await serveForwarding(t)
  node.isElsewhere = true
  const resume = { attempt: 1, received: 9, token: 'there.secret' }
  const dialing = LinkPeer.connect(url, { resume, protocols: ['chat'] })
  await until(() => node.forwarded.length === 1)
  const [{ token, upgrade } = assert.fail()] = node.forwarded
  assert.equal(token, 'there.secret')
  const { rawHeaders } = upgrade
  const header = rawHeaders.findIndex((name) => /^sec-websocket-protocol$/i.test(name))
  assert.match(String(rawHeaders[header + 1]), /^wsl\.1\.chat, ?wsl\.r\.1\.9\.there\.secret$/)
  assert.deepEqual(seen, [])
  assert.equal(app.websocketLifecycle.stats().opened, 0)
  upgrade.raw.destroy()
  await assert.rejects(dialing)
})

test('if that one does not answer, the client begins a new session here', async (t) => {
  const { events, node, seen, url } = await serveForwarding(t)
  node.isElsewhere = true
  const resume = { attempt: 1, received: 9, token: 'there.secret' }
  const dialing = LinkPeer.connect(url, { resume })
  await until(() => node.forwarded.length === 1)
  node.forwarded[0]?.here()
  const peer = await dialing
  assert.equal(peer.welcome.isResumed, false)
  assert.deepEqual(events, ['handler'])
  assert.deepEqual(seen, [undefined, false])
})

test('who asks for nothing is not forwarded, nor who asks for a session of this node', async (t) => {
  const { node, noted, url } = await serveForwarding(t)
  const first = await LinkPeer.confirmed(url)
  assert.equal(node.forwarded.length, 0)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(second.welcome.isResumed, true)
  assert.equal(node.forwarded.length, 1)
})

test('a server that drains forwards nobody: it refuses', async (t) => {
  const { app, node, url } = await serveForwarding(t)
  node.isElsewhere = true
  const drained = app.websocketLifecycle.drain()
  const resume = { attempt: 1, received: 9, token: 'there.secret' }
  await assert.rejects(LinkPeer.connect(url, { resume }))
  await drained
  assert.equal(node.forwarded.length, 0)
})

test('nor a client of injectWS', async (t) => {
  const { app, node, events } = await serveForwarding(t)
  node.isElsewhere = true
  const headers = { 'sec-websocket-protocol': 'wsl.1, wsl.r.1.9.there.secret' }
  const ws = await app.injectWS('/ws/7', { headers })
  assert.equal(node.forwarded.length, 0)
  assert.deepEqual(events, ['handler'])
  ws.terminate()
})
