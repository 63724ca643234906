import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '../support/servers/collect.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

test('onSuspend and onResume alternate, one at a time, however fast connections are lost', async (t) => {
  const calls: string[] = []
  let running = 0
  const step = async (name: string): Promise<void> => {
    assert.equal(++running, 1)
    calls.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    calls.push(`${name} ends`)
    running--
  }
  const { url, noted } = await serveSessions(t, {
    route: {
      onSuspend: () => step('suspend'),
      onResume: () => step('resume'),
    },
  })
  let peer = await LinkPeer.confirmed(url)
  for (let attempt = 1; attempt <= 5; attempt++) {
    peer = await LinkPeer.connect(url, { resume: peer.resume(attempt, 0) })
  }
  peer.ws.close(1000)
  await noted('release')
  const gap = ['suspend begins', 'suspend ends', 'resume begins', 'resume ends']
  assert.deepEqual(calls, Array.from({ length: 5 }, () => gap).flat())
})

test('what comes after a gap is handled after onResume has settled; what the app sends is not delayed', async (t) => {
  const resumed = gate()
  const { url, sessions, events, noted } = await serveSessions(t, {
    route: { onResume: () => resumed.opened },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.send('after the gap')
  sessions[0]?.send('at once')
  await second.expect('at once')
  await second.roundTrip()
  assert.deepEqual(events, ['handler', 'suspend connection-lost'])
  resumed.open()
  await noted('message after the gap')
})

test('a loop over messages() waits for onResume too, and onResume gets the new request', async (t) => {
  const resumed = gate()
  const got: unknown[] = []
  const urls: string[] = []
  const { url, noted } = await serveSessions(t, {
    handler: (session) => collect(session, got),
    route: {
      onMessage: undefined as never,
      onResume: (session, request) => {
        urls.push(session.request.url, request.url)
        return resumed.opened
      },
    },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(`${url}?again`, { resume: first.resume(1, 0) })
  second.send('after the gap')
  await second.roundTrip()
  assert.deepEqual(got, [])
  resumed.open()
  second.ws.close(1000)
  await noted('release')
  assert.deepEqual(got, ['after the gap', 'ended'])
  assert.deepEqual(urls, ['/ws/7', '/ws/7?again'])
})

test('messages of the lost connection are handled before those of the new one', async (t) => {
  const first = gate()
  const handled: string[] = []
  const { url, noted } = await serveSessions(t, {
    route: {
      async onMessage(_session, _request, message) {
        if (message === 'one') await first.opened
        handled.push(message.toString())
      },
    },
  })
  const before = await LinkPeer.confirmed(url)
  for (const message of ['one', 'two']) before.send(message)
  await before.roundTrip()
  const after = await LinkPeer.connect(url, { resume: before.resume(1, 0) })
  assert.equal(after.welcome.received, 2)
  after.send('three')
  await noted('resume')
  first.open()
  after.ws.close(1000)
  await noted('release')
  assert.deepEqual(handled, ['one', 'two', 'three'])
})

for (const hook of ['onSuspend', 'onResume'] as const) {
  test(`an error in ${hook} goes to onHandlerError, and ends the session`, async (t) => {
    const errors: string[] = []
    const { url, closes, noted } = await serveSessions(t, {
      route: {
        [hook]: async () => {
          throw new Error(`${hook} failed`)
        },
        onHandlerError: (_session, _request, error) => {
          errors.push(error.message)
        },
      },
    })
    const first = await LinkPeer.confirmed(url)
    first.cut()
    if (hook === 'onResume') {
      await noted('suspend')
      const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
      assert.equal(await second.closed, 'close 1011 handler-error')
    }
    await noted('release')
    assert.deepEqual(errors, [`${hook} failed`])
    assert.equal(closes[0]?.cause, 'handler-error')
    assert.equal(closes[0]?.error?.message, `${hook} failed`)
  })
}

test('onHandlerError may say how a session ends whose client is away', async (t) => {
  const { url, closes, noted } = await serveSessions(t, {
    route: {
      onSuspend: () => {
        throw new Error('broken')
      },
      onHandlerError: (session) => session.close(4004, 'sorry'),
    },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('release')
  assert.deepEqual([closes[0]?.cause, closes[0]?.error?.message], ['handler-error', 'broken'])
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 4004 sorry')
})

test('a hook of a gap that overruns is left behind, and messages go on', async (t) => {
  const { clock, url, noted } = await serveSessions(t, {
    route: { cleanupTimeout: 1_000, onResume: () => new Promise(() => {}) },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.send('later')
  await second.roundTrip()
  await clock.advance(1_000)
  await noted('message later')
})

test('an onSuspend that overruns is left behind: onResume follows, and messages go on', async (t) => {
  const { clock, url, events, noted } = await serveSessions(t, {
    route: { cleanupTimeout: 1_000, onSuspend: () => never },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await until(() => first.raw.destroyed)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.send('later')
  await second.roundTrip()
  assert.deepEqual(events, ['handler'])
  await clock.advance(1_000)
  await noted('message later')
  assert.deepEqual(events, ['handler', 'resume', 'message later'])
})

test('an onSuspend that overruns does not keep a session from its end', async (t) => {
  const { clock, url, events, sessions, noted } = await serveSessions(t, {
    route: { cleanupTimeout: 1_000, onSuspend: () => never },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await until(() => sessions[0]?.suspended === true)
  sessions[0]?.close()
  await clock.advance(1_000)
  await noted('release')
  assert.deepEqual(events, ['handler', 'abort', 'close server-close', 'release'])
})

test('the end comes after the hooks of a gap', async (t) => {
  const suspended = gate()
  const { url, events, sessions, noted } = await serveSessions(t, {
    route: {
      async onSuspend() {
        events.push('suspend begins')
        await suspended.opened
        events.push('suspend ends')
      },
    },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await until(() => events.includes('suspend begins'))
  sessions[0]?.close()
  await turns(20)
  assert.deepEqual(events.slice(1), ['suspend begins', 'abort'])
  suspended.open()
  await noted('release')
  assert.deepEqual(events.slice(1), [
    'suspend begins',
    'abort',
    'suspend ends',
    'close server-close',
    'release',
  ])
})

test('without hooks of gaps messages go on at once', async (t) => {
  const { url, noted } = await serveSessions(t, {
    route: { onSuspend: undefined as never, onResume: undefined as never },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.send('at once')
  await noted('message at once')
})
