// The example whose token comes as a subprotocol. How a browser does that: test/browser/protocol-token.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reach, untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { run, serve } from './run.js'
import { ada, bad, inSeconds, JWT_SECRET, SHORT, sign } from './tokens.js'

const forged = sign({ sub: 'ada', exp: inSeconds(3_600) }, 'a guess')

describe('examples/protocol-token.ts', () => {
  it('opens for a token that is offered beside "feed", wherever it stands', async (t) => {
    const { program, http, ws } = await run(t, 'protocol-token')
    const token = await (await fetch(`${http}/login/ada`, { method: 'POST' })).text()
    for (const offered of [
      ['feed', `token.${token}`],
      [`token.${token}`, 'feed', 'other'],
    ]) {
      const client = await reach(`${ws}/feed`, {
        headers: { origin: 'https://app.example' },
        protocols: offered,
      })
      assert.equal(await client.next(), 'hello, ada')
      assert.equal(client.protocol, 'feed')
    }
    program.kill('SIGKILL')
    const { stdout } = await program.exited
    assert.ok(!stdout.join().includes(token))
  })

  it('tells nobody the token: neither the answer that opens nor the one that refuses', async (t) => {
    const { ws } = await serve(t, 'protocol-token', { JWT_SECRET })
    for (const token of [ada, forged]) {
      for (const [offered, chosen] of [
        [`feed, token.${token}`, 'feed'],
        [`token.${token}, feed`, 'feed'],
        [`token.${token}`, undefined],
        [`token.${token},other`, undefined],
      ] as const) {
        const headers = { 'sec-websocket-protocol': offered }
        const peer = await RawPeer.dial(Number(new URL(ws).port), '/feed', headers)
        const head = await within(peer.answer(), 'an answer')
        assert.match(head, /^HTTP\/1\.1 101 /)
        assert.equal(/^sec-websocket-protocol: (.*)\r$/im.exec(head)?.[1], chosen)
        assert.ok(!head.includes(token))
        peer.destroy()
      }
    }
  })

  it('shows 3000 to all others', async (t) => {
    const { ws } = await serve(t, 'protocol-token', { JWT_SECRET })
    const offers = bad.map(([what, token]): [string, string[]] => [
      what,
      ['feed', `token.${token}`],
    ])
    for (const [what, offered] of [
      ...offers,
      ['a token without its prefix', ['feed', ada]],
      ['a token within another name', ['feed', `xtoken.${ada}`]],
      ['no offer', []],
    ] as const) {
      const options = offered.length > 0 ? { protocols: offered } : {}
      assert.deepEqual(await untilEnd(await reach(`${ws}/feed`, options)), ['close 3000'], what)
    }
  })

  it('ends with the token', async (t) => {
    const { ws } = await serve(t, 'protocol-token', { JWT_SECRET })
    const exp = inSeconds(SHORT)
    const protocols = ['feed', `token.${sign({ sub: 'ada', exp })}`]
    const client = await reach(`${ws}/feed`, { protocols })
    assert.deepEqual(await untilEnd(client), ['hello, ada', 'close 3000 auth-expired'])
    assert.ok(Date.now() >= exp * 1_000)
  })
})
