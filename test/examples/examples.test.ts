// The examples, each started as its reader would start it.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { answered, assertSilent, reach, untilEnd } from '../support/peers/heard.js'
import { root } from '../support/servers/tarball.js'
import { logged, run, serve } from './run.js'

describe('the examples', () => {
  it('are these, each under 60 lines', async () => {
    const files = await readdir(join(root, 'examples'), { withFileTypes: true })
    const names = files.filter((file) => file.name.endsWith('.ts')).map(({ name }) => name)
    assert.deepEqual(names.toSorted(), [
      'bot.ts',
      'browser-client.ts',
      'cleanup.ts',
      'cluster.ts',
      'disconnects.test.ts',
      'echo.test.ts',
      'fan-out.ts',
      'first-message-auth.ts',
      'first.ts',
      'graceful-shutdown.ts',
      'jwt-auth.ts',
      'migration.ts',
      'minimal.ts',
      'node-client.ts',
      'ordered-work.ts',
      'protocol-token.ts',
      'rate-limit.ts',
      'rooms.ts',
      'sessions.ts',
      'stream-file.ts',
    ])
    // The tests of disconnects are 17: one for each cause.
    for (const name of names.filter((name) => name !== 'disconnects.test.ts')) {
      const text = await readFile(join(root, 'examples', name), 'utf8')
      assert.ok(text.split('\n').length <= 60, `${name} is longer than that`)
    }
  })

  it('start nothing when they are imported', async () => {
    const { build } = await import('../../examples/minimal.js')
    const app = await build()
    assert.equal(app.server.listening, false)
    app.log.level = 'silent'
    await app.close()
  })
})

describe('examples/first.ts', () => {
  it('brings a message to all who are in the room, and tells how a member was lost', async (t) => {
    const { program, ws } = await run(t, 'first')
    const members = [await reach(`${ws}/chat`), await reach(`${ws}/chat`)] as const
    for (const text of ['hello', 'again']) {
      members[0].send(text)
      for (const member of members) assert.equal(await member.next(), text)
    }

    members[1].drop()
    assert.match(
      await program.line('"msg":"lost a member"'),
      /"level":40,.*"cause":"connection-lost"/,
    )
    members[0].send('who is left?')
    assert.equal(await members[0].next(), 'who is left?')
  })
})

describe('examples/minimal.ts', () => {
  it('echoes, and learns how each client left', async (t) => {
    const { program, ws } = await run(t, 'minimal')

    const polite = await reach(`${ws}/echo`)
    polite.send('hello')
    assert.equal(await polite.next(), 'hello')
    void polite.close(4001)
    const first = await logged(program, 'a client has left')
    assert.deepEqual([first['cause'], first['code']], ['client-close', 4001])

    const rude = await reach(`${ws}/echo`)
    rude.drop()
    const second = await logged(program, 'a client has left')
    assert.equal(second['code'], 1006)
    assert.match(String(second['cause']), /^connection-(lost|reset)$/)
  })
})

describe('examples/cleanup.ts', () => {
  it('subscribes, and gives back what it held when the client vanishes', async (t) => {
    const { program, http, ws } = await run(t, 'cleanup')
    const subscribers = async (): Promise<unknown> => (await fetch(`${http}/subscribers`)).json()

    const client = await reach(`${ws}/ticks`)
    assert.match(await client.next(), /^\d{4}-\d\d-\d\dT/)
    assert.deepEqual(await subscribers(), { count: 1 })

    client.send('everything')
    await answered(client)
    client.drop()
    await program.line('stopped pondering')
    await program.line('unsubscribed')
    assert.deepEqual(await subscribers(), { count: 0 })
  })

  it('answers those who wait', async (t) => {
    const { ws } = await serve(t, 'cleanup')
    const client = await reach(`${ws}/ticks`)
    client.send('six times seven')
    while ((await client.next()) !== 'six times seven: 42');
  })
})

describe('examples/graceful-shutdown.ts', () => {
  it('is not ready any more, and still serves everybody, until its wait is over', async (t) => {
    const { program, http, ws } = await run(t, 'graceful-shutdown', { WAIT: '600000' })
    const ready = async (): Promise<number> => (await fetch(`${http}/ready`)).status
    assert.equal(await ready(), 200)
    const early = await reach(ws)

    program.kill('SIGTERM')
    let status = 200
    while (status === 200) status = await ready()
    assert.equal(status, 503)
    const late = await reach(ws)
    for (const client of [early, late]) {
      assert.equal(await client.next(), 'welcome')
      await assertSilent(client)
    }
  })

  it('says goodbye, closes with 1012, then cleans up, then ends by itself', async (t) => {
    const { program, ws } = await run(t, 'graceful-shutdown', { WAIT: '200' })
    const clients = [await reach(ws), await reach(ws)]
    for (const client of clients) assert.equal(await client.next(), 'welcome')

    const before = Date.now()
    program.kill('SIGTERM')
    for (const client of clients) {
      assert.equal(await client.next(), 'see you in a moment')
      // Clocks are exact to 1 ms.
      assert.ok(Date.now() - before >= 199)
      assert.deepEqual(await untilEnd(client), ['close 1012 a new version is coming'])
    }

    const { code, stdout, stderr } = await program.exited
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    const told = stdout.map((line) => JSON.parse(line) as Record<string, unknown>)
    // By time, not by line: pino may write the line of a child logger after a later one.
    const saved = told.filter(({ msg }) => msg === 'presence saved')
    const closed = told.find(({ msg }) => msg === 'database closed')
    assert.deepEqual(
      saved.map(({ cause, clean }) => ({ cause, clean })),
      [
        { cause: 'shutdown', clean: true },
        { cause: 'shutdown', clean: true },
      ],
    )
    for (const { time } of saved) assert.ok(Number(time) <= Number(closed?.['time']))
  })
})

describe('examples/migration.ts', () => {
  it('serves handlers that were written for @fastify/websocket', async (t) => {
    const { program, http, ws } = await run(t, 'migration')

    const alice = await reach(`${ws}/chat/tea`)
    const bob = await reach(`${ws}/chat/tea`)
    assert.equal(await alice.next(), 'you talk about tea')
    assert.equal(await bob.next(), 'you talk about tea')
    alice.send('more milk?')
    assert.equal(await bob.next(), 'more milk?')
    void bob.close(1000)
    assert.equal((await logged(program, 'left the chat'))['code'], 1000)

    const { time } = (await (await fetch(`${http}/time`)).json()) as { time: string }
    const clock = await reach(`${ws}/time`)
    assert.ok((await clock.next()) >= time)
    assert.equal((await clock.closed).code, 1005)
  })

  it('shows the lines that change', async () => {
    const text = await readFile(join(root, 'examples/migration.ts'), 'utf8')
    const changes = /^ *\/\/ - (.*)\n(.*)$/gm
    assert.deepEqual(
      Array.from(text.matchAll(changes), ([, before = '', after = '']) => [before, after.trim()]),
      [
        [
          "import websocket from '@fastify/websocket'",
          "import websocketLifecycle from 'fastify-websocket-lifecycle'",
        ],
        [
          'await app.register(websocket, { options: { maxPayload: 65_536 } })',
          'await app.register(websocketLifecycle, { websocket: { maxPayload: 65_536 } })',
        ],
      ],
    )
  })
})
