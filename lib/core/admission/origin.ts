/** Who is allowed, as a list says it: origins in the form of {@link normalizeOrigin}, and patterns. */
export type OriginList = ReadonlyArray<string | RegExp>

/** What a page without a site sends, such as a sandboxed frame or a local file (RFC 6454 §6.1). */
const OPAQUE = 'null'

/** Scheme, host and port, and nothing else: no user, path or query, and one of them (RFC 6454 §7). */
const SERIALIZED = /^[a-z][a-z0-9+.-]*:\/\/[^\s\p{Cc}/?#@\\]*$/iu

/**
 * An origin as browsers send it: lower case, without the default port. `HTTPS://Example.org:443` is
 * `https://example.org`.
 * @returns `undefined` for what is no origin
 */
export function normalizeOrigin(text: string): string | undefined {
  if (text === OPAQUE) return OPAQUE
  if (!SERIALIZED.test(text) || !URL.canParse(text)) return undefined
  const { protocol, host } = new URL(text)
  return `${protocol}//${host}`
}

/**
 * {@link normalizeOrigin}, and its last answer: most pages come from where the one before came from, which is also the host
 * that they ask.
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
 * Whether a page of that origin was served by the host that it now asks, as `Host` names it. What
 * stands in front may have ended TLS: `https` on a plain connection passes, `http` on an encrypted
 * one does not.
 */
export function isSameOrigin(
  origin: string,
  host: string,
  isEncrypted: boolean,
  last: LastOrigin,
): boolean {
  const scheme = origin.slice(0, origin.indexOf('//'))
  if (scheme !== 'https:' && (scheme !== 'http:' || isEncrypted)) return false
  // A host without a port has that of the scheme which the page was loaded with.
  return origin === last.normalize(`${scheme}//${host}`)
}

export function isListed(origin: string, list: OriginList): boolean {
  return list.some((entry) => (typeof entry === 'string' ? entry === origin : entry.test(origin)))
}

/**
 * Whether a pattern matches nothing but what reaches to the end: each of its alternatives ends in
 * `$`. Else `https://good.example` would also be found in `https://good.example.evil`.
 */
export function isAnchored({ source }: RegExp): boolean {
  return alternativesOf(source).every((alternative) => /(?<!\\)(?:\\\\)*\$$/.test(alternative))
}

/** The pattern that reaches to the end. */
export function anchor({ source, flags }: RegExp): RegExp {
  const isOne = alternativesOf(source).length === 1
  return new RegExp(isOne ? `${source}$` : `(?:${source})$`, flags)
}

/** The parts between the `|` that stand in no group and no class. */
function alternativesOf(source: string): string[] {
  const alternatives = ['']
  let depth = 0
  // An escaped character, a class, or any other character.
  for (const [token] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|./gsu)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === '|' && depth === 0) alternatives.push('')
    else alternatives[alternatives.length - 1] += token
  }
  return alternatives
}
