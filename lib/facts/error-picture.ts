import { peek } from '../platform/thrown.js'
import { cut, sizeInJson } from './cut.js'

/** The most bytes of each part in JSON. The frames of the stack get the bytes that are left. */
const MOST = { type: 40, code: 40, message: 160, ofCause: 60, head: 100 }

/** The text that is logged instead of a validator's own, because that may quote the message. */
const OF_A_MESSAGE = 'The message does not match its schema'

/** Frames of the stack are searched within so many characters; later ones would not fit. */
const FRAMES_WITHIN = 4_096

/**
 * The error as it is logged, in at most `room` bytes: its type, its message, that of its cause, and where it
 * comes from. Its other properties are left out: they may be of any size, or secrets.
 */
export function pictureOf(error: Error, room: number): Error {
  const type = cut(typeOf(error), MOST.type)
  const message = messageOf(error)
  const code = codeOf(error)
  let stack = cut(`${type}: ${message}`, MOST.head)
  let left = room - Buffer.byteLength(JSON.stringify({ type, message, stack, code }))
  for (const frame of framesOf(error)) {
    left -= sizeInJson(`\n${frame}`)
    if (left < 0) break
    stack += `\n${frame}`
  }
  const picture =
    code === undefined ? new Error(message) : Object.assign(new Error(message), { code })
  // pino uses the name of the class as the type, if it is a class.
  const hidden = { name: type, constructor: { name: type }, stack }
  for (const [name, value] of Object.entries(hidden))
    Object.defineProperty(picture, name, { value })
  return picture
}

function typeOf(error: Error): string {
  const names = [peek(peek(error, 'constructor'), 'name'), peek(error, 'name')]
  return names.find((name): name is string => typeof name === 'string' && name !== '') ?? 'Error'
}

function codeOf(error: Error): string | number | undefined {
  const code = peek(error, 'code')
  if (typeof code === 'string') return cut(code, MOST.code)
  return typeof code === 'number' ? code : undefined
}

function messageOf(error: Error): string {
  const said = textOf(error) ?? ''
  const ofCause = textOf(peek(error, 'cause'))
  if (ofCause === undefined) return cut(said, MOST.message)
  return `${cut(said, MOST.message - MOST.ofCause - 2)}: ${cut(ofCause, MOST.ofCause)}`
}

/** `undefined` if it is no error. */
function textOf(error: unknown): string | undefined {
  if (isOfMessage(error)) return OF_A_MESSAGE
  const message = peek(error, 'message')
  return typeof message === 'string' ? message : undefined
}

function isOfMessage(error: unknown): boolean {
  return peek(error, 'validationContext') === 'message'
}

/** The frames of its stack. The stack begins with the name and the message. */
function framesOf(error: Error): string[] {
  const stack = peek(error, 'stack')
  const message = peek(error, 'message')
  if (typeof stack !== 'string' || typeof message !== 'string') return []
  const at = stack.slice(0, FRAMES_WITHIN).indexOf(message.slice(0, MOST.message))
  const isFound = at >= 0 && stack.startsWith(message, at)
  // If we do not know where the message ends, a line of the message may look like a frame.
  if (!isFound && isOfMessage(error)) return []
  const from = isFound ? at + message.length : 0
  const lines = stack.slice(from, from + FRAMES_WITHIN).split('\n')
  return lines.filter((line) => /^ +at /.test(line))
}
