import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { follow, isThenable, toPromise } from '../../lib/platform/thenable.js'
import { ODD_VALUES } from '../support/models/odd-values.js'

const nothing = (): void => {}
const refuse = (): never => {
  throw new Error('not for you')
}

/** What people return instead of promises. */
function thenable(then: unknown, target: object = {}): object {
  Reflect.set(target, 'then', then)
  return target
}

test('a thenable is any object or function with a `then` to call', () => {
  for (const value of [Promise.resolve(), thenable(nothing), thenable(nothing, () => {})]) {
    assert.equal(isThenable(value), true)
  }
  for (const value of [undefined, null, 0, 'then', {}, thenable(1), () => {}]) {
    assert.equal(isThenable(value), false)
  }
})

test('what does not show its `then` has to be waited for, and says then what is wrong', async () => {
  const value = Object.defineProperty({}, 'then', { get: refuse })
  assert.equal(isThenable(value), true)
  await assert.rejects(toPromise(value), { message: 'not for you' })
})

for (const [what, make] of Object.entries(ODD_VALUES)) {
  test(`${what} is followed without a throw`, async () => {
    isThenable(make())
    const seen = await follow(
      make(),
      () => 'done',
      () => 'failed',
    )
    assert.match(seen, /^(?:done|failed)$/)
  })
}

const withoutConstructor = (promise: Promise<unknown>): Promise<unknown> =>
  Object.defineProperty(promise, 'constructor', { get: refuse, configurable: true })

describe('a promise', () => {
  test('whose constructor cannot be read is awaited like any other', async () => {
    assert.equal(await toPromise(withoutConstructor(Promise.resolve('value'))), 'value')
    const failed = withoutConstructor(Promise.reject(new Error('its own')))
    await assert.rejects(toPromise(failed), { message: 'its own' })
  })

  test('that can neither be read nor mended is one that has failed', async () => {
    const frozen = Object.freeze(withoutConstructor(Promise.resolve('value')))
    await assert.rejects(toPromise(frozen), { message: 'not for you' })
  })

  test('with a `then` of its own that throws harms nobody, also where it rejects', async (t) => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listener)
    t.after(() => process.off('unhandledRejection', listener))
    const promise = Object.assign(Promise.reject(new Error('its own')), { then: refuse })
    const seen = await follow<unknown>(promise, nothing, (error) => error)
    assert.equal((seen as Error).message, 'its own')
    await turn()
    assert.deepEqual(unhandled, [])
  })
})
