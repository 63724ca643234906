import * as fc from 'fast-check'

/** Stands in everything that is not to be logged. */
export const SECRET = 'tell-nobody'

/** JSON makes one to six bytes of each; some look like more than they are. */
const PIECES = [
  'x',
  ' ',
  '"',
  '\\',
  '\n',
  '\u0000',
  '\u001f',
  'ü',
  '€',
  '🚪',
  '\ud800',
  '\udfff',
  '\n    at somewhere (file:///x.js:1:1)',
]

/** Text of any size, of what a line has least room for. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(fc.tuple(fc.constantFrom(...PIECES), fc.constantFrom(1, 3, 40, 130, 1_030, 50_000)), {
    maxLength: 4,
  })
  .map((parts) =>
    parts
      .map(([piece, count]) => piece.repeat(count))
      .join('')
      .slice(0, 60_000),
  )

/** Values that are large, deep, or both, and hold the secret. */
export const hostileValue: fc.Arbitrary<unknown> = hostileText.chain((text) =>
  fc.constantFrom<unknown[]>(
    SECRET,
    `${SECRET}${text}`,
    { [SECRET]: text },
    { secret: SECRET, deep: { deeper: Array<string>(1_000).fill(text.slice(0, 100)) } },
    [SECRET, text],
    Buffer.from(SECRET + text),
    Symbol(SECRET),
    () => SECRET,
    new Error(SECRET),
    10n ** 400n,
    null,
    Number.NaN,
    -1,
  ),
)

/** Errors that are large in all that can be large in an error; what hangs on them holds the secret. */
export const hostileError: fc.Arbitrary<Error> = fc
  .record({
    message: hostileText,
    className: hostileText,
    code: fc.oneof(hostileText, hostileValue),
    stack: fc.option(hostileText, { nil: undefined }),
    detail: hostileValue,
    causes: fc.constantFrom(0, 1, 3, 50),
  })
  .map(({ message, className, code, stack, detail, causes }) => {
    let cause: Error | undefined
    for (let i = 0; i < causes; i++) cause = new Error(message, { cause })
    // A code that is text is logged.
    const isText = typeof code === 'string'
    const members = { code: isText ? code.replaceAll(SECRET, '') : code, detail, stack }
    const Class = { [className]: class extends Error {} }[className] ?? Error
    const error = Object.assign(new Class(message, { cause }), { code: members.code, detail })
    return stack === undefined ? error : Object.assign(error, { stack })
  })
