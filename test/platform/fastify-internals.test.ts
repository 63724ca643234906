import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { furtherServersOf, routingOptionsOf } from '../../lib/platform/fastify-internals.js'

const rewriteUrl = (): string => '/'

test('how an app routes is known, also in a child', async () => {
  const app = Fastify({ rewriteUrl, caseSensitive: false })
  const children: FastifyInstance[] = []
  await app.register(async (child) => void children.push(child))
  for (const instance of [app, ...children]) {
    const { rewriteUrl: known, router } = routingOptionsOf(instance)
    assert.equal(known, rewriteUrl)
    assert.equal(router.caseSensitive, false)
  }
  assert.equal(children.length, 1)
})

test('where Fastify should no longer keep its options as it does, what it publishes is known', () => {
  const { initialConfig } = Fastify({ rewriteUrl, caseSensitive: false })
  const { rewriteUrl: known, router } = routingOptionsOf({ initialConfig } as FastifyInstance)
  assert.equal(known, undefined)
  assert.equal(router.caseSensitive, false)
})

test('the servers of further addresses of localhost are known, once it listens', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  assert.deepEqual(furtherServersOf(app), [])
  await app.listen({ host: 'localhost', port: 0 })
  assert.equal(furtherServersOf(app).length, app.addresses().length - 1)
})

test('where Fastify should no longer keep them as it does, there are none', () => {
  assert.deepEqual(furtherServersOf({} as FastifyInstance), [])
})
