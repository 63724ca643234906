import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'

/** So far back zlib looks at most. */
const WINDOW = 32 * 1024
/** What zlib ends a flush with, and what is not sent (RFC 7692 §7.2.1). */
const EMPTY_BLOCK = Buffer.from([0, 0, 0xff, 0xff])

/** What permessage-deflate has agreed on for one direction. */
export interface Context {
  /** Whether each message is compressed by itself. */
  readonly hasNoContext: boolean
  /** 0: as zlib has it. */
  readonly windowBits: number
}

/** A client's permessage-deflate, message by message, with the contexts of both directions. */
export class Deflater {
  readonly #out: Context
  readonly #in: Context
  #sent: Buffer = Buffer.alloc(0)
  #received: Buffer = Buffer.alloc(0)

  /** @param answer the headers of the 101 */
  constructor(answer: string) {
    const [, extension = ''] = /^sec-websocket-extensions: (.*)\r$/im.exec(answer) ?? []
    const names = extension.split(';').map((name) => name.trim())
    if (names[0] !== 'permessage-deflate') throw new Error(`Expected compression, got ${answer}`)
    this.#out = contextOf(names, 'client')
    this.#in = contextOf(names, 'server')
  }

  /** What the server has promised for what it sends. */
  get promised(): Context {
    return this.#in
  }

  deflate(payload: Buffer): Buffer {
    const bytes = deflateRawSync(payload, {
      ...optionsOf(this.#out, this.#sent),
      finishFlush: constants.Z_SYNC_FLUSH,
    })
    if (!this.#out.hasNoContext) this.#sent = lastOf(this.#sent, payload)
    return bytes.subarray(0, -EMPTY_BLOCK.length)
  }

  inflate(bytes: Buffer): Buffer {
    const payload = inflateRawSync(Buffer.concat([bytes, EMPTY_BLOCK]), {
      ...optionsOf(this.#in, this.#received),
      finishFlush: constants.Z_SYNC_FLUSH,
    })
    if (!this.#in.hasNoContext) this.#received = lastOf(this.#received, payload)
    return payload
  }
}

function contextOf(names: readonly string[], side: 'client' | 'server'): Context {
  const prefix = `${side}_max_window_bits=`
  const bits = names.find((name) => name.startsWith(prefix))?.slice(prefix.length)
  return {
    hasNoContext: names.includes(`${side}_no_context_takeover`),
    windowBits: bits === undefined ? 0 : Number(bits),
  }
}

function optionsOf(context: Context, before: Buffer): { dictionary?: Buffer; windowBits?: number } {
  return {
    ...(before.length > 0 && { dictionary: before }),
    ...(context.windowBits > 0 && { windowBits: context.windowBits }),
  }
}

function lastOf(before: Buffer, payload: Buffer): Buffer {
  return Buffer.concat([before, payload]).subarray(-WINDOW)
}
