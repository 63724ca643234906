// What the demo's own listener for upgrades does with those of others: left without an answer, they would hold up its end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { it } from 'node:test'
import { within } from '../support/time/bound.js'
import { openDemo } from './demo.js'

for (const [what, lines] of [
  ['another protocol, with a body, as curl offers it', ['POST / HTTP/1.1', 'Upgrade: h2c']],
  ['a WebSocket where there is none', ['GET /nowhere HTTP/1.1', 'Upgrade: websocket']],
] as const) {
  it(`answers who asks for ${what}, and closes in time`, async (t) => {
    const demo = await openDemo(t)
    const socket = connect(Number(new URL(demo.url).port), '127.0.0.1')
    try {
      await once(socket, 'connect')
      const head = [...lines, 'Host: localhost', 'Connection: Upgrade', 'Content-Length: 5', '', '']
      socket.write(`${head.join('\r\n')}hello`)
      assert.match(await within(text(socket), 'an answer'), /^HTTP\/1\.1 404 /)
      await within(demo.close(), 'the end of the demo')
    } finally {
      socket.destroy()
    }
  })
}
