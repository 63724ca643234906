/**
 * JavaScript code can throw any value, also one that throws when it is looked at. The functions here never
 * throw.
 */

/** The properties of an error that loggers and Fastify read. They also read the enumerable ones. */
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

/**
 * How many causes of an error are read. Loggers follow them by recursion, and overflow the stack above some
 * thousands.
 */
const MOST_READ = 1_000

/** Turns a thrown value into an Error that hooks of the app, loggers and Fastify can read. */
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

/**
 * Like {@link toError}, but for Fastify. Its logger writes a mark on each error that it reads, and that
 * throws if the error is frozen.
 */
export function toAnswerable(thrown: unknown): Error {
  const error = toError(thrown)
  const takesMarks = attempt(() => Object.isExtensible(error), false)
  return takesMarks ? error : (Object.create(error) as Error)
}

export function isError(value: unknown): value is Error {
  return attempt(() => value instanceof Error, false)
}

/** A property of any value; `undefined` if it cannot be read. */
export function peek(value: unknown, name: string): unknown {
  return attempt((): unknown => Reflect.get(Object(value), name), undefined)
}

/** Whether others can safely read it as the cause of an error. */
function isHarmless(value: unknown): boolean {
  // pino calls a cause that is a function.
  return !isObject(value) || (typeof value !== 'function' && isReadable(value))
}

/** Whether others can safely read it, and all errors that it refers to. */
function isReadable(value: object): boolean {
  return attempt(() => {
    const found = new Set([value])
    // A value that is added to a set during the loop has its turn too, and each only once.
    for (const one of found) {
      for (const next of read(one)) found.add(next)
      if (found.size > MOST_READ) return false
    }
    return true
  }, false)
}

/**
 * Reads the same properties as others would, and throws where they would.
 * @returns the errors that it refers to
 */
function read(value: object): object[] {
  const names = new Set(READ_BY_OTHERS)
  const isLikeError = looksLikeError(value)
  // Of a value that is no error (a message of a megabyte, perhaps) nobody reads the enumerable properties.
  if (isLikeError) for (const name in value) names.add(name)
  const seen = new Map(Array.from(names, (name) => [name, Reflect.get(value, name) as unknown]))
  // Of an error, name and stack become parts of a text, and its type is the name of its class.
  if (isLikeError) void `${seen.get('name') as string}${seen.get('stack') as string}`
  void Reflect.get(Object(seen.get('constructor')), 'name')
  const errors = seen.get('errors')
  const all = [...seen.values(), ...(Array.isArray(errors) ? (errors as unknown[]) : [])]
  return all.filter((one): one is object => isObject(one) && looksLikeError(one))
}

/** Whether a logger would treat it as an error. */
function looksLikeError(value: object): boolean {
  return typeof Reflect.get(value, 'message') === 'string'
}

function isObject(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

/** The result of `look`; `otherwise` if it throws. */
function attempt<Seen>(look: () => Seen, otherwise: Seen): Seen {
  try {
    return look()
  } catch {
    // The value cannot be looked at.
    return otherwise
  }
}
