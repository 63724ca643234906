/** A list of allowed origins: strings in the form of {@link normalizeOrigin}, and patterns. */
export type OriginList = ReadonlyArray<string | RegExp>

/** The `Origin` of a page without a site, such as a sandboxed frame or a local file (RFC 6454 §6.1). */
const OPAQUE = 'null'

/** An origin: scheme, host and port of one site, and no user, path or query (RFC 6454 §7). */
const SERIALIZED = /^[a-z][a-z0-9+.-]*:\/\/[^\s\p{Cc}/?#@\\]*$/iu

/**
 * Brings an origin into the form in which browsers send it: lower case, without the default port.
 * `HTTPS://Example.org:443` becomes `https://example.org`.
 * @returns `undefined` if `text` is no origin
 */
export function normalizeOrigin(text: string): string | undefined {
  if (text === OPAQUE) return OPAQUE
  if (!SERIALIZED.test(text) || !URL.canParse(text)) return undefined
  const { protocol, host } = new URL(text)
  return `${protocol}//${host}`
}

/**
 * {@link normalizeOrigin} with a memory of one. Most pages come from the same origin as the page before, and
 * ask the host of that origin.
 */
export class LastOrigin {
  #text = OPAQUE
  #origin: string | undefined = OPAQUE

  normalize(text: string): string | undefined {
    if (text !== this.#text) {
      this.#text = text
      this.#origin = normalizeOrigin(text)
    }
    return this.#origin
  }
}

/**
 * Whether `origin` is the origin of the host that the request asks for, as its `Host` header names it. A
 * proxy may have ended TLS: so `https` on a plain connection passes, but `http` on an encrypted one does not.
 */
export function isSameOrigin(
  origin: string,
  host: string,
  isEncrypted: boolean,
  last: LastOrigin,
): boolean {
  const scheme = origin.slice(0, origin.indexOf('//'))
  if (scheme !== 'https:' && (scheme !== 'http:' || isEncrypted)) return false
  // A host without a port has the default port of the scheme of the page.
  return origin === last.normalize(`${scheme}//${host}`)
}

export function isListed(origin: string, list: OriginList): boolean {
  return list.some((entry) => (typeof entry === 'string' ? entry === origin : entry.test(origin)))
}

/**
 * Whether each alternative of a pattern ends in `$`, so that it matches up to the end of an origin. Else
 * `https://good.example` would also match `https://good.example.evil`.
 */
export function isAnchored({ source }: RegExp): boolean {
  return alternativesOf(source).every((alternative) => /(?<!\\)(?:\\\\)*\$$/.test(alternative))
}

/** The same pattern, but it matches up to the end only. */
export function anchor({ source, flags }: RegExp): RegExp {
  const isOne = alternativesOf(source).length === 1
  return new RegExp(isOne ? `${source}$` : `(?:${source})$`, flags)
}

/** The parts of a pattern between those `|` that are in no group and in no character class. */
function alternativesOf(source: string): string[] {
  const alternatives = ['']
  let depth = 0
  // Each token is an escaped character, a character class, or any other character.
  for (const [token] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|./gsu)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === '|' && depth === 0) alternatives.push('')
    else alternatives[alternatives.length - 1] += token
  }
  return alternatives
}
