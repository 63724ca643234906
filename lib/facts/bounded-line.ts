import { isError } from '../platform/thrown.js'
import { cut, sizeInJson } from './cut.js'
import { pictureOf } from './error-picture.js'

/** The most bytes that a log line of ours takes, as pino writes it. */
const MOST_BYTES = 1_024

/**
 * Bytes for what is around our fields: level, time, pid, a hostname of 64 characters, the id of the request,
 * and `"msg":`.
 */
const AROUND = 160

/** The most bytes of fields whose text the app gives, and may be of any length. */
const MOST_OF_NAMES = { route: 200, step: 64 }

/** Our fields, cut to the bounds that they have in the log. */
export function toLine(fields: object, text: string): object {
  const line: Record<string, unknown> = { ...fields }
  // An upgrade that Fastify has not routed has no route yet, and its path may hold secrets.
  if (line['route'] === '') delete line['route']
  for (const [name, most] of Object.entries(MOST_OF_NAMES)) {
    const value = line[name]
    if (typeof value === 'string') line[name] = cut(value, most)
  }
  const { why, err } = line
  const roomFor = (name: string): number =>
    MOST_BYTES -
    AROUND -
    sizeInJson(text) -
    Buffer.byteLength(JSON.stringify({ ...line, [name]: '' }))
  if (typeof why === 'string') line['why'] = cut(why, roomFor('why'))
  if (isError(err)) line['err'] = pictureOf(err, roomFor('err'))
  return line
}
