// `npm start`: the drain that a guest asks for, and how the server starts and stops.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { openDemo, Visitor } from './demo.js'
import { addressIn, start } from '../support/servers/program.js'

const SCRIPT = 'examples/demo/server.ts'
const STEPS = ['onShutdown', 'signal aborts', 'onClose', 'release: name', 'release: member']

describe('a drain that a guest asks for', () => {
  it('says goodbye to everybody, and the room comes back with all that it knew', async (t) => {
    const demo = await openDemo(t, { regulars: 1 })
    const { url } = demo
    const visitors = [await Visitor.enter(url), await Visitor.enter(url)]
    visitors[0]?.say('before')
    const isBack = once(demo.chat, 'back')
    visitors[0]?.say('/drain')
    for (const visitor of visitors) {
      assert.match((await visitor.told('note')).text, /drained/)
      const { code, reason } = await visitor.client.closed
      assert.deepEqual({ code, reason }, { code: 1012, reason: 'service restart' })
    }
    await isBack

    assert.equal(demo.url, url)
    const { board, messages } = (await Visitor.enter(url)).welcome
    assert.deepEqual(
      messages.map(({ text }) => text),
      ['before'],
    )
    for (const ending of board.endings) {
      const { cause, code, clean, retryable, plain, steps } = ending
      assert.deepEqual([cause, code, clean, retryable], ['shutdown', 1012, true, true])
      assert.equal(plain.sees, '1005')
      assert.deepEqual(steps, STEPS)
    }
    const { closed, terminated, abandoned, duration, awayFor } = board.drained ?? {}
    assert.deepEqual([board.endings.length, closed, terminated, abandoned], [3, 3, 0, 0])
    assert.ok((duration ?? 0) > 0 && (awayFor ?? -1) >= 0)
    assert.deepEqual(
      board.rows.map(({ client }) => client.kind),
      ['helper', 'tab'],
    )
  })

  it('terminates whoever does not answer, and says so', async (t) => {
    const demo = await openDemo(t)
    const visitor = await Visitor.enter(demo.url)
    const isFrozen = once(demo.chat, 'acted')
    visitor.say('/helper freeze')
    await isFrozen
    const isBack = once(demo.chat, 'back')
    visitor.say('/drain')
    await isBack
    const { drained, endings } = (await Visitor.enter(demo.url)).welcome.board
    assert.deepEqual([drained?.closed, drained?.terminated], [1, 1])
    assert.equal(endings.filter(({ clean }) => clean).length, 1)
    assert.equal(endings.length, 2)
  })

  it('is one drain, however often it is asked for', async (t) => {
    const demo = await openDemo(t)
    const visitor = await Visitor.enter(demo.url)
    let times = 0
    demo.chat.on('back', () => times++)
    const isBack = once(demo.chat, 'back')
    for (let i = 0; i < 3; i++) visitor.say('/drain')
    await isBack
    await Visitor.enter(demo.url)
    assert.equal(times, 1)
  })

  it('does not keep the server from being stopped', async (t) => {
    const demo = await openDemo(t)
    const visitor = await Visitor.enter(demo.url)
    visitor.say('/drain')
    await visitor.client.closed
    await demo.close()
    await assert.rejects(fetch(demo.url))
  })
})

describe('npm start', () => {
  it('opens the room, and drains it on SIGTERM, spare connections or not', async (t) => {
    const program = start(t, SCRIPT, { PORT: '0' })
    const { origin, hostname, port } = addressIn(await program.line('The demo is open at'))
    assert.equal(hostname, '127.0.0.1')
    const spare = connect(Number(port), hostname)
    t.after(() => spare.destroy())
    await once(spare, 'connect')
    const visitors = [await Visitor.enter(origin), await Visitor.enter(origin)]
    program.kill('SIGTERM')
    for (const { client } of visitors) assert.equal((await client.closed).code, 1012)
    const { code, stdout, stderr } = await program.exited
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout.at(-1) ?? '', /^The demo is closed: 4 ended in \d+ ms$/)
  })

  it('says in one line that its port is taken', async (t) => {
    const other = createServer().listen(0, '127.0.0.1')
    t.after(() => other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, stdout, stderr } = await start(t, SCRIPT, { PORT: String(port) }).exited
    assert.deepEqual({ code, stdout }, { code: 1, stdout: [] })
    assert.equal(
      stderr,
      `Port ${port} of 127.0.0.1 is taken: stop what listens there, or choose another with PORT=${port + 1}\n`,
    )
  })

  it('says in one line what is wrong with HOST or PORT', async (t) => {
    const refusals = [
      [{ PORT: 'http' }, /^PORT is http, but a port is a whole number from 0 to 65535\n$/],
      [{ PORT: '65536' }, /^PORT is 65536, but .*\n$/],
      // An address for documentation (RFC 5737): no machine has it.
      [{ PORT: '0', HOST: '192.0.2.1' }, /^The demo cannot open at 192\.0\.2\.1, port 0: .*\n$/],
    ] as const
    for (const [variables, expected] of refusals) {
      const { code, stdout, stderr } = await start(t, SCRIPT, variables).exited
      assert.deepEqual({ code, stdout }, { code: 1, stdout: [] })
      assert.match(stderr, expected)
    }
  })

  it('lets its own helpers in where it listens on every address', async (t) => {
    const program = start(t, SCRIPT, { PORT: '0', HOST: '0.0.0.0' })
    const { port } = addressIn(await program.line('The demo is open at'))
    const visitor = await Visitor.enter(`http://127.0.0.1:${port}`)
    assert.equal(visitor.welcome.board.rows.length, 3)
  })
})
