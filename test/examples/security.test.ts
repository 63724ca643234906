// The examples that keep strangers out: by a token before the 101, by one after it, and by a rate.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Peer, PeerOptions } from '../../lib/testing/index.js'
import { answered, reach, untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { logged, run, serve } from './run.js'
import { ada, bad, bob, inSeconds, JWT_SECRET, SHORT, sign } from './tokens.js'

/** The first message, or the end of a connection without one. */
async function firstOf(client: Peer<string>): Promise<string | undefined> {
  for await (const message of client) return message
  const [end] = await untilEnd(client)
  return end
}

function withToken(token: string, headers: Record<string, string> = {}): PeerOptions {
  return { headers: { cookie: `token=${token}`, ...headers } }
}

describe('examples/jwt-auth.ts', () => {
  it('opens for the cookie of its login, and for the same token in a header', async (t) => {
    const { http, ws } = await run(t, 'jwt-auth')
    const response = await fetch(`${http}/login/ada`, { method: 'POST' })
    const cookie = response.headers.get('set-cookie') ?? ''
    assert.match(cookie, /^token=.*; Path=\/; HttpOnly; SameSite=Lax$/)
    const byCookie = await reach(`${ws}/feed`, { headers: { cookie } })
    assert.equal(await byCookie.next(), 'hello, ada')
    const authorization = `Bearer ${await response.text()}`
    const byHeader = await reach(`${ws}/feed`, { headers: { authorization } })
    assert.equal(await byHeader.next(), 'hello, ada')
  })

  it('shows 3000 to all others, and runs no handler for them', async (t) => {
    const { program, http, ws } = await serve(t, 'jwt-auth', { JWT_SECRET })
    for (const [what, token] of bad) {
      const client = await reach(`${ws}/feed`, withToken(token))
      assert.deepEqual(await untilEnd(client), ['close 3000'], what)
      assert.equal((await logged(program, 'WebSocket upgrade refused'))['reason'], 'hook')
    }
    assert.equal((await (await reach(`${ws}/feed`)).closed).code, 3000)
    assert.equal((await fetch(`${http}/feed`)).status, 401)
  })

  it('shows 3003 to a page of another site, whose requests bring the cookie, too', async (t) => {
    const { http, ws } = await serve(t, 'jwt-auth', { JWT_SECRET })
    const foreign = withToken(ada, { origin: 'https://evil.example' })
    assert.deepEqual(await untilEnd(await reach(`${ws}/feed`, foreign)), ['close 3003 origin'])
    const own = await reach(`${ws}/feed`, withToken(ada, { origin: http }))
    assert.equal(await own.next(), 'hello, ada')
  })

  it('ends with the token, or with a newer one that came in time', async (t) => {
    const { ws } = await serve(t, 'jwt-auth', { JWT_SECRET })
    const first = inSeconds(SHORT)
    const short = withToken(sign({ sub: 'ada', exp: first }))
    const renewed = await reach(`${ws}/feed`, short)
    const other = await reach(`${ws}/feed`, short)
    for (const client of [renewed, other]) assert.equal(await client.next(), 'hello, ada')

    renewed.send(sign({ sub: 'ada', exp: first + 3_600 }))
    assert.equal((await other.closed).code, 3000)
    assert.ok(Date.now() >= first * 1_000)
    // A peer that is closing answers no ping.
    await answered(renewed)
    const last = inSeconds(SHORT)
    renewed.send(sign({ sub: 'ada', exp: last }))
    assert.equal((await renewed.closed).reason, 'auth-expired')
    assert.ok(Date.now() >= last * 1_000)
  })

  it('ends at once for a newer token that is none, or of somebody else', async (t) => {
    const { ws } = await serve(t, 'jwt-auth', { JWT_SECRET })
    for (const [what, token] of [...bad, ["bob's", bob], ['binary', Buffer.of(0xff)]] as const) {
      const client = await reach(`${ws}/feed`, withToken(ada))
      assert.equal(await client.next(), 'hello, ada')
      client.send(token)
      assert.deepEqual(await untilEnd(client), ['close 3000 no token of yours'], what)
    }
  })

  it('has five places for each user', async (t) => {
    const { ws } = await serve(t, 'jwt-auth', { JWT_SECRET })
    const knock = async (token: string): Promise<Peer<string>> =>
      reach(`${ws}/feed`, withToken(token))
    const clients = await Promise.all(Array.from({ length: 5 }, () => knock(ada)))
    for (const client of clients) assert.equal(await client.next(), 'hello, ada')
    assert.equal(await firstOf(await knock(ada)), 'close 4429 key')
    assert.equal(await firstOf(await knock(bob)), 'hello, bob')
    void clients[0]?.close()
    // The server may see that it has left a moment later than it does.
    let answer: string | undefined = 'close 4429 key'
    while (answer === 'close 4429 key') answer = await firstOf(await knock(ada))
    assert.equal(answer, 'hello, ada')
  })
})

describe('examples/first-message-auth.ts', () => {
  it('serves whoever begins with a token of its login, and all that they sent behind it', async (t) => {
    const { http, ws } = await run(t, 'first-message-auth')
    const token = await (await fetch(`${http}/login/ada`, { method: 'POST' })).text()
    const client = await reach(`${ws}/chat`)
    for (const message of [token, 'good', 'morning']) client.send(message)
    for (const expected of ['hello, ada', 'ada says good', 'ada says morning']) {
      assert.equal(await client.next(), expected)
    }
  })

  it('serves nothing to whoever begins with anything else, and shows 3000', async (t) => {
    const { ws } = await serve(t, 'first-message-auth', { JWT_SECRET })
    for (const [what, first] of [...bad, ['binary', Buffer.of(0xff)]] as const) {
      const client = await reach(`${ws}/chat`)
      for (const message of [first, ada, 'good morning']) client.send(message)
      assert.deepEqual(await untilEnd(client), ['close 3000'], what)
    }
  })

  it('waits for the token until the deadline, whatever else comes meanwhile', async (t) => {
    const { ws } = await serve(t, 'first-message-auth', {
      JWT_SECRET,
      DEADLINE: String(1_000 * SHORT),
    })
    const member = await reach(`${ws}/chat`)
    member.send(ada)
    assert.equal(await member.next(), 'hello, ada')

    const before = Date.now()
    const silent = await reach(`${ws}/chat`)
    const slow = await RawPeer.open(Number(new URL(ws).port), '/chat')
    slow.send(RawPeer.frame(OPCODE.ping), RawPeer.frame(OPCODE.text, ada.slice(0, 5), false))
    assert.equal((await silent.closed).code, 3000)
    assert.ok(Date.now() - before >= 1_000 * SHORT)
    const { payload } = (await within(slow.nextOf(OPCODE.close), 'a close frame')) ?? {}
    assert.equal(payload?.readUInt16BE(), 3000)
    slow.destroy()

    member.send('still here')
    assert.equal(await member.next(), 'ada says still here')
  })

  it('ends with the token', async (t) => {
    const { ws } = await serve(t, 'first-message-auth', { JWT_SECRET })
    const exp = inSeconds(SHORT)
    const client = await reach(`${ws}/chat`)
    client.send(sign({ sub: 'ada', exp }))
    assert.deepEqual(await untilEnd(client), ['hello, ada', 'close 3000 auth-expired'])
    assert.ok(Date.now() >= exp * 1_000)
  })

  it('lets in the pages of one site, and no more than twenty from one address', async (t) => {
    const { http, ws } = await serve(t, 'first-message-auth')
    assert.equal((await refusal(`${ws}/chat`, { headers: { origin: http } })).status, 403)
    const headers = { origin: 'https://app.example' }
    for (let i = 0; i < 20; i++) await reach(`${ws}/chat`, { headers })
    const answer = await refusal(`${ws}/chat`)
    assert.equal(answer.status, 429)
    assert.match(String(answer.headers['retry-after']), /^\d+$/)
  })
})

describe('examples/rate-limit.ts', () => {
  it('answers the eleventh attempt of a minute with 429, and when to come back', async (t) => {
    const { program, ws } = await run(t, 'rate-limit')
    for (let i = 0; i < 10; i++) {
      await reach(`${ws}/feed`)
      await program.line('who is it?')
    }
    const { status, headers, body } = await refusal(`${ws}/feed`)
    const wait = Number(headers['retry-after'])
    assert.ok(wait > 0 && wait <= 60, `${wait} s`)
    assert.deepEqual([status, JSON.parse(body).statusCode], [429, 429])
    // Whoever is refused is not asked.
    await program.line('"statusCode":429')
    program.kill('SIGKILL')
    const { stdout } = await program.exited
    assert.equal(stdout.filter((line) => line.includes('who is it?')).length, 10)
  })

  it('shows the same to a page, as 1013', async (t) => {
    const { ws } = await serve(t, 'rate-limit')
    for (let i = 0; i < 10; i++) {
      assert.equal(await (await reach(`${ws}/page`)).next(), 'welcome')
    }
    const [end = '', ...more] = await untilEnd(await reach(`${ws}/page`))
    assert.match(end, /^close 1013 ([1-9]|[1-5]\d|60) s$/)
    assert.deepEqual(more, [])
  })
})
