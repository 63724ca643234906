// The page for operators beside the demo: for whoever is at this machine, and asks for it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { Demo } from '../../examples/demo/demo.js'
import { isFromHere } from '../../examples/demo/from-here.js'

async function statusOf(url: string, host: string): Promise<number | undefined> {
  const [answer] = (await once(get(url, { headers: { host } }), 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}

test('operators watch the demo from the machine that it runs on', async (t) => {
  const demo = await Demo.open()
  t.after(() => demo.close())
  const { host } = new URL(demo.url)
  assert.equal(await statusOf(`${demo.url}/admin/`, host), 200)
  // A page of another site, whose name leads here.
  assert.equal(await statusOf(`${demo.url}/admin/`, 'evil.example'), 401)
})

for (const [ip, hostname, isHere] of [
  ['127.0.0.1', 'localhost', true],
  ['127.1.2.3', '127.0.0.1', true],
  ['::1', '[::1]', true],
  ['::ffff:127.0.0.1', 'localhost', true],
  ['192.0.2.1', 'localhost', false],
  ['127.0.0.1', 'evil.example', false],
  ['127.0.0.1', '127.0.0.1.evil.example', false],
] as const) {
  test(`${ip} that asks for ${hostname} is ${isHere ? 'here' : 'a stranger'}`, () => {
    assert.equal(isFromHere({ ip, hostname }), isHere)
  })
}
