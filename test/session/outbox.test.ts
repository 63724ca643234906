import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSession } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'

/** A session whose client is away, with what its `send` callbacks got. */
async function away(
  t: Parameters<typeof serveSessions>[0],
  outbox: object = {},
): Promise<{
  served: Awaited<ReturnType<typeof serveSessions>>
  peer: LinkPeer
  session: LifecycleSession
}> {
  const served = await serveSessions(t, { route: { outbox } })
  const peer = await LinkPeer.confirmed(served.url)
  peer.cut()
  await served.noted('suspend')
  const [session] = served.sessions
  assert.ok(session)
  return { served, peer, session }
}

describe('what is sent while the client is away', () => {
  test('waits, in order, texts and bytes, and comes once', async (t) => {
    const { served, peer, session } = await away(t)
    const bytes = Buffer.from('abc')
    session.send('text')
    session.send(bytes)
    session.send('\0with a mark')
    session.send(Buffer.from('\0bytes as text'), { binary: false })
    session.send(Buffer.from('bytes as text'), { binary: false })
    session.send(new Blob(['blob']))
    // The app may write into its own memory: what was sent stays as it was.
    bytes.fill(0)
    const back = await LinkPeer.connect(served.url, { resume: peer.resume(1, 0) })
    for (const frame of [
      'text',
      '<616263>',
      '\0with a mark',
      '\0bytes as text',
      'bytes as text',
      '<626c6f62>',
    ]) {
      await back.expect(frame)
    }
  })

  test('is bounded: `false` above highWaterMark, and drained() waits for confirmations', async (t) => {
    const { served, peer, session } = await away(t, { highWaterMark: 10 })
    assert.equal(session.send('12345'), true)
    assert.equal(session.send('123456'), false)
    const drained = session.drained()
    const back = await LinkPeer.connect(served.url, { resume: peer.resume(1, 0) })
    for (const frame of ['12345', '123456']) await back.expect(frame)
    back.ack(1)
    assert.equal(await drained, true)
  })

  test('above maxBytes ends the session, like any slow consumer', async (t) => {
    const { served, session } = await away(t, { highWaterMark: 10, maxBytes: 20 })
    session.send('x'.repeat(20))
    const refused = new Promise((resolve) => session.send('y', resolve))
    assert.equal(session.send('z'), false)
    await served.noted('release')
    assert.equal(served.closes[0]?.cause, 'slow-consumer')
    assert.equal(served.closes[0]?.unacknowledged, 1)
    assert.equal(
      ((await refused) as Error).message,
      'The WebSocket connection is over: slow-consumer',
    )
  })

  test('above maxBytes is dropped where the outbox says so, and is never numbered', async (t) => {
    const { served, peer, session } = await away(t, {
      highWaterMark: 10,
      maxBytes: 20,
      overflow: 'drop',
    })
    session.send('x'.repeat(20))
    const dropped = new Promise((resolve) => session.send('dropped', resolve))
    assert.equal(session.send('dropped too'), false)
    assert.match(String(await dropped), /FST_ERR_WSL_OUTBOX_FULL|dropped/)
    const back = await LinkPeer.connect(served.url, { resume: peer.resume(1, 0) })
    await back.expect('x'.repeat(20))
    back.ack(1)
    await back.roundTrip()
    session.send('next')
    await back.expect('next')
    assert.equal(served.app.websocketLifecycle.stats().dropped, 2)
  })

  test('may be a single message of any size', async (t) => {
    const { served, peer, session } = await away(t, { highWaterMark: 10, maxBytes: 20 })
    assert.equal(session.send('x'.repeat(1_000)), false)
    const back = await LinkPeer.connect(served.url, { resume: peer.resume(1, 0) })
    await back.expect('x'.repeat(1_000))
  })
})

test('the callback of send() tells that the client has confirmed, or that the session ended before', async (t) => {
  const { url, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  const told: string[] = []
  sessions[0]?.send('a', (error) => told.push(`a ${error?.message ?? 'confirmed'}`))
  sessions[0]?.send('b', {}, (error) => told.push(`b ${error?.message ?? 'confirmed'}`))
  await peer.expect('a')
  await turns()
  assert.equal(told.length, 0)
  peer.ack(1)
  await peer.roundTrip()
  assert.deepEqual(told, ['a confirmed'])
  peer.ws.close(1000)
  await noted('release')
  assert.deepEqual(told[1], 'b The WebSocket connection is over: client-close')
  assert.equal(
    sessions[0]?.send('late', (error) => told.push(String(error?.message))),
    false,
  )
  await turns()
  assert.match(String(told[2]), /is over/)
})

test('a message is sent whole, and a Blob as a binary one', async (t) => {
  const { url, sessions } = await serveSessions(t)
  await LinkPeer.confirmed(url)
  const [session] = sessions
  assert.throws(() => session?.send('part', { fin: false }), {
    name: 'TypeError',
    message: 'Expected a whole message, got a fragment (`fin: false`)',
  })
  assert.throws(() => session?.send(new Blob(['x']), { binary: false }), {
    name: 'TypeError',
    message: 'Expected a Blob to be sent as a binary message, got `binary: false`',
  })
  const plain = new LinkPeer(url, { raw: [] })
  await new Promise((resolve) => plain.ws.once('open', resolve))
  await plain.roundTrip()
  assert.throws(() => sessions[1]?.send('part', { fin: false }), TypeError)
  sessions[1]?.send('whole')
  await plain.expect('whole')
  assert.equal(await sessions[1]?.drained(), true)
})

for (const raw of [undefined, []]) {
  const client = raw === undefined ? 'our client' : 'a plain client'
  test(`what is no options is ignored, as in ws: ${client}`, async (t) => {
    const { url } = await serveSessions(t, {
      handler: (session) => {
        for (const options of ['utf8', null, undefined, 42]) {
          session.send(`with ${String(options)}`, options as never)
        }
      },
    })
    const peer = new LinkPeer(url, { ...(raw && { raw }) })
    if (raw === undefined) await peer.expect('welcome')
    for (const options of ['utf8', null, undefined, 42]) await peer.expect(`with ${options}`)
  })
}

test('a slow client gets no more than it takes, and then all of it', async (t) => {
  const highWaterMark = 64 * 1024
  const { app, url, sessions } = await serveSessions(t, {
    route: { outbox: { highWaterMark, maxBytes: 64 * 1024 * 1024 } },
  })
  const peer = await LinkPeer.confirmed(url)
  const [socket] = app.websocketServer.clients
  assert.ok(socket)
  peer.raw.pause()
  const large = 'x'.repeat(100_000)
  const count = 200
  for (let i = 0; i < count; i++) sessions[0]?.send(`${i} ${large}`)
  await turns()
  // The rest waits in the session.
  const held = socket.bufferedAmount
  assert.ok(held > 0 && held <= highWaterMark + large.length + 20, `${held} B wait in the socket`)
  peer.raw.resume()
  for (let i = 0; i < count; i++) await peer.expect(`${i} ${large}`)
})

test('what waits behind a connection that reads nothing goes to the one that replaces it, in order, once', async (t) => {
  const { url, sessions } = await serveSessions(t, {
    route: { outbox: { highWaterMark: 64 * 1024, maxBytes: 64 * 1024 * 1024 } },
  })
  const first = await LinkPeer.confirmed(url)
  first.raw.pause()
  const large = 'x'.repeat(100_000)
  const texts = Array.from({ length: 100 }, (_, i) => `${i} ${large}`)
  for (const text of texts) sessions[0]?.send(text)
  await turns()
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  for (const text of texts) await second.expect(text)
  sessions[0]?.send('last')
  await second.expect('last')
})

test('what still waits when the app closes is sent before the close frame', async (t) => {
  const { url, sessions } = await serveSessions(t, {
    route: { outbox: { highWaterMark: 1_000, maxBytes: 64 * 1024 * 1024 } },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  for (let i = 0; i < 100; i++) sessions[0]?.send(`${i} ${'x'.repeat(200_000)}`)
  sessions[0]?.close(1000)
  peer.raw.resume()
  for (let i = 0; i < 100; i++) assert.ok((await peer.next()).startsWith(`${i} `))
  await peer.expect('close 1000')
})

test('thousands of empty messages count, though they have no bytes', async (t) => {
  const { url, sessions, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  for (let i = 0; i < 20_000; i++) sessions[0]?.send('')
  await noted('release')
  assert.equal(closes[0]?.cause, 'slow-consumer')
})
