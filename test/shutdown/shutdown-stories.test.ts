// What only a whole process can show: that it survives, that it ends, and with which exit code.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reach, untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import type { Outcome } from '../support/servers/program.js'
import { tell, type Story } from '../support/servers/story.js'

/**
 * Waits for a process that ends by itself, well before anything that it might wrongly wait for. It has begun: how long that
 * takes is another matter.
 */
async function assertExits(story: Story, limit = 8_000): Promise<Outcome> {
  const exit = await within(story.exited, 'the end of the process', limit)
  assert.deepEqual(
    { code: exit.code, signal: exit.signal, stderr: exit.stderr },
    { code: 0, signal: null, stderr: '' },
  )
  return exit
}

test('SIGTERM with close-with-grace: goodbye, 1012, cleanups, then the database; exit code 0', async (t) => {
  const story = tell(t, 'sigterm')
  const url = `ws://127.0.0.1:${await story.next()}/`
  const clients = [await reach(url), await reach(url)]
  story.kill('SIGTERM')
  for (const client of clients) {
    assert.deepEqual(await untilEnd(client), ['goodbye', 'close 1012 service restart'])
  }
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines.slice(1), [
    'cleaned up, the database is open',
    'cleaned up, the database is open',
    'the database is closed',
  ])
})

test('one frozen peer makes app.close() take about closeTimeout, not 30 s', async (t) => {
  const story = tell(t, 'frozen-peer')
  const port = Number(await story.next())
  const peer = await RawPeer.open(port)
  const other = await reach(`ws://127.0.0.1:${port}/`)
  peer.freeze()
  t.after(() => peer.destroy())
  story.kill('SIGTERM')
  assert.equal((await other.closed).code, 1012)
  const { stdout: lines } = await assertExits(story)
  const took = Number(/^closed in (\d+)$/.exec(lines[1] ?? '')?.[1])
  assert.ok(took >= 100 && took < 3_000, `took ${took} ms`)
  assert.equal(lines[2], 'shutdown 2')
})

test('a reset while an asynchronous hook runs does not end the process, but the scope', async (t) => {
  const story = tell(t, 'reset-in-hook')
  const port = Number(await story.next())
  const peer = await RawPeer.dial(port, '/slow')
  assert.equal(await story.next(), 'in the hook')
  peer.reset()
  assert.equal(await story.next(), 'released')
  const client = await reach(`ws://127.0.0.1:${port}/`)
  assert.equal(await client.next(), 'still here')
  void client.close()
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines.slice(1), ['in the hook', 'released'])
})

test('a process ends by itself after app.close(), whatever its connections were doing', async (t) => {
  const story = tell(t, 'nothing-left')
  const port = Number(await story.next())
  const pending = await RawPeer.dial(port, '/slow')
  const hanging = await reach(`ws://127.0.0.1:${port}/`)
  const frozen = await RawPeer.open(port)
  frozen.freeze()
  t.after(() => frozen.destroy())
  const last = await reach(`ws://127.0.0.1:${port}/`)
  assert.equal((await last.closed).code, 1012)
  assert.equal((await hanging.closed).code, 1012)
  assert.match(await pending.answer(), /^HTTP\/1\.1 503 /)
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines.slice(1), ['closed'])
})

test('neither an open connection nor a hanging cleanup holds a process: our timers do not', async (t) => {
  const story = tell(t, 'holds-nothing')
  await story.next()
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines, ['opened', 'cleaning up'])
})

test('a drain holds its process until it is over', async (t) => {
  const story = tell(t, 'holds-drain')
  await story.next()
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines, ['1 closed, left behind: onShutdown, release feed'])
})

test('nothing that a connection throws ends the process, or another connection', async (t) => {
  const story = tell(t, 'errors')
  const url = `ws://127.0.0.1:${await story.next()}`
  const bystander = await reach(`${url}/echo`)
  const codes: Record<string, number> = {}
  for (const name of [
    'handler',
    'async-handler',
    'listener',
    'async-listener',
    'event-listener',
    'attribute-listener',
    'send-callback',
    'ping-callback',
    'close-listener',
    'release',
    'hooks',
  ]) {
    const client = await reach(`${url}/${name}`)
    client.send('x')
    const { code, reason } = await client.closed
    assert.equal(reason, code === 1011 ? 'handler-error' : '')
    codes[name] = code
    bystander.send(name)
    assert.equal(await bystander.next(), name)
  }
  assert.deepEqual(codes, {
    handler: 1011,
    'async-handler': 1011,
    listener: 1011,
    'async-listener': 1011,
    'event-listener': 1011,
    'attribute-listener': 1011,
    'send-callback': 1011,
    'ping-callback': 1011,
    'close-listener': 1005,
    release: 1005,
    hooks: 1011,
  })
  const goodbye = await RawPeer.open(Number(new URL(url).port), '/goodbye')
  story.kill('SIGTERM')
  const frame = await goodbye.nextOf(OPCODE.close)
  assert.equal(frame?.payload.readUInt16BE(0), 1011)
  goodbye.destroy()
  assert.equal((await bystander.closed).code, 1012)
  const { stdout: lines } = await assertExits(story)
  assert.deepEqual(lines.slice(1), [
    'async handler',
    'async listener',
    'attribute listener',
    'cause',
    'close listener',
    'event listener',
    'handler',
    'listener',
    'onClose',
    'onShutdown',
    'onUnexpectedClose',
    'ping callback',
    'release',
    'send callback',
    'connections: 0',
  ])
})
