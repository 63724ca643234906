// What an error looks like in our lines: as it does in those of others, as far as there is room.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import Fastify from 'fastify'
import { cut, sizeInJson } from '../../lib/facts/cut.js'
import { pictureOf } from '../../lib/facts/error-picture.js'
import { toLine } from '../../lib/facts/bounded-line.js'
import { hostileError, hostileText } from '../support/peers/hostile.js'
import { ODD_VALUES } from '../support/models/odd-values.js'

interface Logged {
  readonly type: string
  readonly message: string
  readonly stack: string
  readonly code?: unknown
}

/** What pino, as Fastify sets it up, makes of an error. */
function logged(error: Error): Logged {
  let written = ''
  const { log } = Fastify({ logger: { stream: { write: (line: string) => (written = line) } } })
  log.error({ err: error })
  return (JSON.parse(written) as { err: Logged }).err
}

class OddError extends TypeError {
  readonly code = 'ERR_ODD'
  readonly detail = { secret: 'tell-nobody' }
}

/** An error whose stack, which is made when somebody first looks, begins with what it said before. */
function rewritten(error: Error): Error {
  assert.ok(error.stack?.includes(error.message))
  return Object.assign(error, { message: 'another' })
}

describe('the picture of an error', () => {
  test('shows what it is, says and is caused by, its code, and its first frames', () => {
    const error = new OddError('did not work', { cause: new Error('that is why') })
    const { type, message, code, stack, ...more } = logged(pictureOf(error, 600))
    assert.deepEqual(more, {})
    const expected = { type: 'OddError', message: 'did not work: that is why', code: 'ERR_ODD' }
    assert.deepEqual({ type, message, code }, expected)
    const [head, first] = stack.split('\n')
    assert.equal(head, 'OddError: did not work: that is why')
    assert.ok(first !== undefined && error.stack?.includes(`\n${first}\n`), first)
  })

  test('is an Error to other loggers too', () => {
    const picture = pictureOf(new OddError('did not work'), 600)
    assert.ok(picture instanceof Error)
    assert.equal(picture.name, 'OddError')
    assert.equal(picture.constructor.name, 'OddError')
    assert.match(inspect(picture), /^Error \[OddError\]: did not work\n +at .*log-line\.test/)
  })

  test('shows a code that is a number, and none that is neither that nor text', () => {
    for (const [code, shown] of [
      [42, 42],
      ['', ''],
      [{ secret: 1 }, undefined],
      [undefined, undefined],
    ] as const) {
      assert.equal(logged(pictureOf(Object.assign(new Error('odd'), { code }), 600)).code, shown)
    }
  })

  test('has the name of the error where its class has none', () => {
    const named = Object.assign(new Error('odd'), { name: 'Odd', constructor: {} })
    assert.equal(logged(pictureOf(named, 600)).type, 'Odd')
    const nameless = Object.assign(new Error('odd'), { name: '', constructor: {} })
    assert.equal(logged(pictureOf(nameless, 600)).type, 'Error')
  })

  test('has frames also where the message was changed after they were written down', () => {
    const error = rewritten(new Error('before'))
    assert.match(logged(pictureOf(error, 600)).stack, /^Error: another\n +at .*log-line\.test/)
  })

  test('of one that is about a message says nothing of it, also where its stack does', () => {
    const about = { validationContext: 'message' }
    const text = 'message/tell-nobody\n    at tell-nobody (x:1:1) must be number'
    const honest = Object.assign(new Error(text), about)
    const other = rewritten(Object.assign(new Error(text), about))
    for (const error of [honest, other, new Error('of the app', { cause: honest })]) {
      const picture = logged(pictureOf(error, 600))
      assert.match(picture.message, /The message does not match its schema$/)
      assert.doesNotMatch(JSON.stringify(picture), /tell-nobody/)
    }
    assert.match(logged(pictureOf(honest, 600)).stack, /\n +at .*log-line\.test/)
  })

  for (const [what, make] of Object.entries(ODD_VALUES)) {
    test(`can be made of ${what}`, () => {
      assert.ok(pictureOf(make() as Error, 600) instanceof Error)
    })
  }

  test('keeps within its room, whatever the error is', () => {
    fc.assert(
      fc.property(hostileError, fc.integer({ min: 460, max: 800 }), (error, room) => {
        assert.ok(Buffer.byteLength(JSON.stringify(logged(pictureOf(error, room)))) <= room)
      }),
      { numRuns: 50 },
    )
  })
})

describe('text that is cut', () => {
  test('is whole where there is room, and else begins as the whole one and is as long as can be', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 3, max: 400 }), (text, room) => {
        const short = cut(text, room)
        assert.ok(sizeInJson(short) <= room)
        if (sizeInJson(text) <= room) return assert.equal(short, text)
        const kept = short.slice(0, -1)
        assert.equal(short, `${kept}…`)
        assert.ok(text.startsWith(kept))
        const [next = ''] = text.slice(kept.length)
        assert.ok(sizeInJson(short) + sizeInJson(next) > room)
      }),
    )
  })
})

test('a line says nothing of a route that is not known yet, and leaves all else as it is', () => {
  const fields = { id: 'x', route: '', code: 1006, clean: false, latency: undefined }
  const { route: _, ...rest } = fields
  assert.deepEqual(toLine(fields, 'text'), rest)
  assert.deepEqual(toLine({ ...rest, route: '/' }, 'text'), { ...rest, route: '/' })
})
