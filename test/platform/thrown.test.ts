import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import Fastify from 'fastify'
import { isError, peek, toAnswerable, toError } from '../../lib/platform/thrown.js'
import { ODD_VALUES } from '../support/models/odd-values.js'

/** A logger with the serializer that reads most of an error. */
const { log } = Fastify({ logger: { stream: { write: () => {} } } })

/** These can be read. pino leaves marks on what it reads, and calls a cause that is a function; Fastify survives that. */
const NOT_FOR_PINO =
  /proxy whose (?:set|defineProperty|deleteProperty) throws|Error whose cause throws/

for (const [what, make] of Object.entries(ODD_VALUES)) {
  test(`${what} becomes a readable Error`, () => {
    const error = toAnswerable(make())
    assert.ok(error instanceof Error)
    assert.equal(typeof error.message, 'string')
    if (!NOT_FOR_PINO.test(what)) log.error({ err: error }, 'odd')
    assert.equal(typeof inspect(error, { customInspect: false }), 'string')
  })

  test(`${what} is looked at safely`, () => {
    assert.equal(typeof isError(make()), 'boolean')
    peek(make(), 'message')
  })
}

for (const [what, error] of Object.entries({
  'an Error': new RangeError('mine'),
  'a frozen Error': Object.freeze(new Error('mine')),
  'an Error that is its own cause': ODD_VALUES['an Error that is its own cause']?.(),
  'an Error whose cause is of another kind': new Error('mine', { cause: { some: 'thing' } }),
  'an AggregateError': new AggregateError([new Error('one'), 'two'], 'mine'),
  'an Error with a hundred causes': Array.from({ length: 100 }).reduce(
    (cause) => new Error('mine', { cause }),
    undefined,
  ),
  'an Error behind a proxy': new Proxy(new Error('mine'), {}),
})) {
  test(`${what} stays what it is`, () => {
    assert.equal(toError(error), error)
  })
}

test('what was thrown is the cause of its Error, where it can be read', () => {
  for (const [thrown, type] of [
    ['text', 'string'],
    [undefined, 'undefined'],
    [{ message: 'no error' }, 'object'],
  ] as const) {
    const made = toError(thrown)
    assert.equal(made.message, `A value that is no Error was thrown: ${type}`)
    assert.equal(made.cause, thrown)
  }
  for (const odd of [
    'a function',
    'a revoked proxy',
    'an Error behind a proxy that always throws',
  ]) {
    const made = toError(ODD_VALUES[odd]?.())
    assert.match(made.message, /^A value that is no Error was thrown: (?:function|object)$/)
    assert.equal('cause' in made, false)
  }
})

const said = (name: string): string => toError(ODD_VALUES[name]?.()).message

test('an Error that cannot be read as a whole leaves its message', () => {
  assert.equal(
    said('an Error whose stack cannot be read'),
    'An Error that cannot be read was thrown: odd',
  )
  assert.equal(
    said('an Error whose message cannot be read'),
    'An Error that cannot be read was thrown',
  )
})

test('for Fastify an Error that is frozen is one that is not, and says the same', () => {
  const error = Object.freeze(Object.assign(new TypeError('mine'), { statusCode: 403 }))
  const answerable = toAnswerable(error)
  assert.equal(Object.isExtensible(answerable), true)
  const { name, message, stack } = answerable
  assert.deepEqual(
    { name, message, stack },
    { name: 'TypeError', message: 'mine', stack: error.stack },
  )
  assert.equal(Reflect.get(answerable, 'statusCode'), 403)
  const plain = new Error('mine')
  assert.equal(toAnswerable(plain), plain)
})
