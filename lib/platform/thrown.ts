/** JavaScript lets people throw anything, also what throws when it is looked at. Nothing in here does. */

/** What loggers and Fastify read of an error; on top come the enumerable ones. */
const READ_BY_OTHERS = [
  'message',
  'name',
  'stack',
  'constructor',
  'cause',
  'errors',
  'code',
  'statusCode',
  'status',
  'headers',
]

/** Loggers follow the causes of an error by recursion, and overflow the stack above some thousands. */
const MOST_READ = 1_000

/** What was thrown, as an Error that others can read: hooks of the app, loggers, Fastify. */
export function toError(thrown: unknown): Error {
  if (!isError(thrown)) {
    const text = `A value that is no Error was thrown: ${typeof thrown}`
    return isHarmless(thrown) ? new Error(text, { cause: thrown }) : new Error(text)
  }
  const message = peek(thrown, 'message')
  if (typeof message === 'string' && isReadable(thrown)) return thrown
  const said = typeof message === 'string' && message !== '' ? `: ${message}` : ''
  return new Error(`An Error that cannot be read was thrown${said}`)
}

/** As {@link toError}, for Fastify: its logger leaves a mark on what it reads, which throws where that is frozen. */
export function toAnswerable(thrown: unknown): Error {
  const error = toError(thrown)
  const takesMarks = attempt(() => Object.isExtensible(error), false)
  return takesMarks ? error : (Object.create(error) as Error)
}

export function isError(value: unknown): value is Error {
  return attempt(() => value instanceof Error, false)
}

/** A property of a value that may be anything; `undefined` where it cannot be read. */
export function peek(value: unknown, name: string): unknown {
  return attempt((): unknown => Reflect.get(Object(value), name), undefined)
}

/** Whether others can read it as the cause of an error. */
function isHarmless(value: unknown): boolean {
  // pino calls a cause that is a function.
  return !isObject(value) || (typeof value !== 'function' && isReadable(value))
}

/** Whether others can read it, and all errors that it leads to. */
function isReadable(value: object): boolean {
  return attempt(() => {
    const found = new Set([value])
    // What is added to a set while it is gone through has its turn, too; each has one.
    for (const one of found) {
      for (const next of read(one)) found.add(next)
      if (found.size > MOST_READ) return false
    }
    return true
  }, false)
}

/**
 * Reads what others would, and throws where they would.
 * @returns the errors that it leads to
 */
function read(value: object): object[] {
  const names = new Set(READ_BY_OTHERS)
  const isLikeError = looksLikeError(value)
  // Of what is none, a message of a megabyte perhaps, nobody reads that.
  if (isLikeError) for (const name in value) names.add(name)
  const seen = new Map(Array.from(names, (name) => [name, Reflect.get(value, name) as unknown]))
  // Of an error these are made parts of a text, and its type is the name of its class.
  if (isLikeError) void `${seen.get('name') as string}${seen.get('stack') as string}`
  void Reflect.get(Object(seen.get('constructor')), 'name')
  const errors = seen.get('errors')
  const all = [...seen.values(), ...(Array.isArray(errors) ? (errors as unknown[]) : [])]
  return all.filter((one): one is object => isObject(one) && looksLikeError(one))
}

/** As loggers tell an error from something else. */
function looksLikeError(value: object): boolean {
  return typeof Reflect.get(value, 'message') === 'string'
}

function isObject(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

/** What `look` sees; `otherwise` where looking throws. */
function attempt<Seen>(look: () => Seen, otherwise: Seen): Seen {
  try {
    return look()
  } catch {
    // Whoever looks at what others have thrown has to do without what cannot be seen.
    return otherwise
  }
}
