import { isError } from '../platform/thrown.js'
import { cut, sizeInJson } from './cut.js'
import { pictureOf } from './error-picture.js'

/** No line of ours takes more bytes, as pino writes it. */
const MOST_BYTES = 1_024

/** What stands around our fields: level, time, pid, a hostname of 64 characters, the id of the request, and `"msg":`. */
const AROUND = 160

/** What a line holds is ours to choose, but for these: names that the app gives, as long as it likes. */
const MOST_OF_NAMES = { route: 200, step: 64 }

/** Our fields, with the bounds that they have in the log. */
export function toLine(fields: object, text: string): object {
  const line: Record<string, unknown> = { ...fields }
  // An upgrade that Fastify has not routed has none yet, and its path may hold secrets.
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
