import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { inspect } from 'node:util'

const refuse = (): never => {
  throw new Error('not for you')
}

/** An Error that throws where `name` is read. */
function unreadable(name: string | symbol, enumerable = false): Error {
  return Object.defineProperty(new Error('odd'), name, { get: refuse, enumerable })
}

function revoked<Target extends object>(target: Target): Target {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** Those that somebody might come upon who looks at an error, or marks it. */
const TRAPS = [
  'defineProperty',
  'deleteProperty',
  'get',
  'getOwnPropertyDescriptor',
  'getPrototypeOf',
  'isExtensible',
  'ownKeys',
  'set',
] as const

function trapped(...traps: ReadonlyArray<(typeof TRAPS)[number]>): Error {
  return new Proxy(new Error('odd'), Object.fromEntries(traps.map((name) => [name, refuse])))
}

/** An Error without the stack that takes longest to make and to read. */
function bare(options: ErrorOptions = {}): Error {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const error = new Error('odd', options)
  Error.stackTraceLimit = stackTraceLimit
  return error
}

function chained(depth: number): Error {
  let error = bare()
  for (let i = 1; i < depth; i++) error = bare({ cause: error })
  return error
}

/** Each cause has one more, for ever. */
function endless(): Error {
  return Object.defineProperty(bare(), 'cause', { get: endless })
}

/** What people throw, and what nobody does: each made anew, as some can be used once. */
export const ODD_VALUES: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  '0': () => 0,
  'an empty string': () => '',
  'a string': () => 'odd',
  'a symbol': () => Symbol('odd'),
  'a bigint': () => 10n,
  'a function': () => refuse,
  'an object': () => ({}),
  'an object without a prototype': () => Object.create(null) as unknown,
  'a revoked proxy': () => revoked({}),
  'a revoked proxy of an Error': () => revoked(new Error('odd')),
  'a revoked proxy of a function': () => revoked(refuse),
  ...Object.fromEntries(
    TRAPS.map((trap) => [`an Error behind a proxy whose ${trap} throws`, () => trapped(trap)]),
  ),
  'an Error behind a proxy that always throws': () => trapped(...TRAPS),
  ...Object.fromEntries(
    ['cause', 'message', 'stack', 'name', 'code', 'constructor', 'errors', 'statusCode'].map(
      (name) => [`an Error whose ${name} cannot be read`, () => unreadable(name)],
    ),
  ),
  'an Error with an enumerable property that cannot be read': () => unreadable('detail', true),
  'an Error with a property that is a revoked proxy': () =>
    Object.assign(new Error('odd'), { detail: revoked({}) }),
  'an Error whose causes are a revoked proxy': () =>
    new Error('odd', { cause: new Error('odd', { cause: revoked({}) }) }),
  'an Error whose cause throws': () => new Error('odd', { cause: refuse }),
  'an AggregateError with one that cannot be read': () =>
    new AggregateError([new Error('odd'), unreadable('message')], 'odd'),
  'an AggregateError of a revoked proxy': () =>
    Object.assign(new AggregateError([], 'odd'), { errors: revoked([]) }),
  'an Error whose message is no text': () =>
    Object.assign(new Error('odd'), { message: { toString: refuse } }),
  'an Error whose code is no text': () =>
    Object.assign(new Error('odd'), { code: { toString: refuse } }),
  'an Error whose stack is a symbol': () =>
    Object.assign(new Error('odd'), { stack: Symbol('odd') }),
  'a frozen Error': () => Object.freeze(new Error('odd')),
  'an Error that is its own cause': () => {
    const error = new Error('odd')
    error.cause = error
    return error
  },
  'an Error with very many causes': () => chained(2_000),
  'an Error with endless causes': endless,
  'an Error whose toJSON throws': () => Object.assign(new Error('odd'), { toJSON: refuse }),
  'an Error that shows itself by throwing': () =>
    Object.assign(new Error('odd'), { [inspect.custom]: refuse }),
  'a thenable whose then throws': () => ({ then: refuse }),
  'an object whose then cannot be read': () => Object.defineProperty({}, 'then', { get: refuse }),
  'a promise whose constructor cannot be read': () =>
    Object.defineProperty(Promise.resolve(), 'constructor', { get: refuse }),
  'a promise that rejects, and whose then throws': () => {
    const promise = Promise.reject(new Error('odd'))
    promise.catch(() => {})
    return Object.assign(promise, { then: refuse })
  },
}

/** How a callback may come to an odd end. */
export const ODD_ENDS: Readonly<Record<string, (value: unknown) => unknown>> = {
  'that throws': (value) => {
    throw value
  },
  'that rejects with': (value) => Promise.reject(value),
  'that returns': (value) => value,
}

/** That nothing of what a test does reaches the process. */
export function watchProcess(t: TestContext): () => void {
  const stray: unknown[] = []
  const listener = (error: unknown): void => void stray.push(error)
  process.on('uncaughtException', listener)
  process.on('unhandledRejection', listener)
  t.after(() => {
    process.off('uncaughtException', listener)
    process.off('unhandledRejection', listener)
  })
  return () => assert.equal(stray.length, 0)
}
