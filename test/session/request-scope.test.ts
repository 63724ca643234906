import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { ConnectionClosedError } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { until } from '../support/time/timed.js'

test('the scope of a request that resumes ends with its connection, that of the session goes on', async (t) => {
  const events: string[] = []
  const requests: FastifyRequest[] = []
  const { url, sessions, noted } = await serveSessions(t, {
    before: (app) => {
      app.addHook('onRequest', async (request) => {
        const name = `request ${requests.push(request)}`
        request.wsScope?.signal.addEventListener('abort', () => events.push(`${name} aborts`))
        request.wsScope?.defer(() => void events.push(`${name} releases`))
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.ack(0)
  await second.roundTrip()
  assert.equal(sessions[0]?.scope, requests[0]?.wsScope)
  assert.notEqual(requests[0]?.wsScope, requests[1]?.wsScope)
  assert.deepEqual(events, [])
  second.cut()
  await noted('suspend', 2)
  await until(() => events.length >= 2)
  assert.deepEqual(events, ['request 2 aborts', 'request 2 releases'])
  const reason: unknown = requests[1]?.wsScope?.signal.reason
  assert.ok(reason instanceof ConnectionClosedError)
  assert.equal(reason.closeCause, 'connection-reset')
  sessions[0]?.close()
  await noted('release')
  await sessions[0]?.closed
  assert.deepEqual(events.slice(2), ['request 1 aborts', 'request 1 releases'])
})

test('a scope that is first asked for after its connection has ended is born over', async (t) => {
  const requests: FastifyRequest[] = []
  const { url, noted } = await serveSessions(t, {
    route: { onResume: (_session, request) => void requests.push(request) },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await second.roundTrip()
  second.ws.close(1000)
  await noted('release')
  const [request] = requests
  assert.equal(request?.wsScope?.signal.aborted, true)
  const released = new Promise<void>((resolve) => request?.wsScope?.defer(resolve))
  await released
})

test('the end of a session waits for the releases of requests that have resumed it; an error is logged', async (t) => {
  const lines: string[] = []
  const events: string[] = []
  const { url, sessions, noted } = await serveSessions(t, {
    fastify: { logger: { level: 'error', stream: { write: (line) => void lines.push(line) } } },
    route: {
      onResume: (_session, request) => {
        request.wsScope?.defer(async () => {
          await new Promise((resolve) => setImmediate(resolve))
          events.push('released')
          throw new Error('broken release')
        })
      },
    },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await second.roundTrip()
  second.ws.close(1000)
  await noted('release')
  await sessions[0]?.closed
  assert.deepEqual(events, ['released'])
  assert.ok(lines.some((line) => line.includes('broken release')))
})

test('callbacks run in the async context of the request that began the session', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const seen: string[] = []
  const see = (what: string): void => void seen.push(`${what} ${storage.getStore() ?? 'nobody'}`)
  const { url, noted } = await serveSessions(t, {
    before: (app) => {
      app.addHook('onRequest', (request, _reply, done) => storage.run(request.url, done))
    },
    route: {
      onMessage: (_session, _request, message) => see(message.toString()),
      onSuspend: () => see('suspend'),
      onResume: (_session, request) => {
        see('resume')
        request.wsScope?.defer(() => see('release of the resuming request'))
      },
      onClose: () => see('close'),
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.send('one')
  await first.roundTrip()
  const second = await LinkPeer.connect(`${url}?again`, { resume: first.resume(1, 0) })
  second.send('two')
  await second.roundTrip()
  second.ws.close(1000)
  await noted('release')
  assert.deepEqual(
    seen.filter((line) => !line.startsWith('release of')),
    ['one /ws/7', 'suspend /ws/7', 'resume /ws/7', 'two /ws/7', 'close /ws/7'],
  )
  assert.ok(seen.includes('release of the resuming request /ws/7?again'))
})
