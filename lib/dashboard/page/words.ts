const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'medium', hourCycle: 'h23' })
const DATE = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** What stands where nothing is known. */
export const NOTHING = '–'

/** What is not seen in a text, or makes the text around it look otherwise. (U+200D joins emoji.) */
const UNSEEN = /(?!\u200D)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** What a client has sent, with all that hides in it. */
export function plain(text: string): string {
  return text.replaceAll(
    UNSEEN,
    (unseen) => `\\u{${(unseen.codePointAt(0) as number).toString(16)}}`,
  )
}

export function numberOf(value: number): string {
  return NUMBER.format(value)
}

export function bytesOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB']
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10))
  return `${NUMBER.format(bytes / 1_024 ** power)} ${units[power - 1]}`
}

/** A short time, such as that of a round trip. */
export function millis(ms: number | null): string {
  if (ms === null) return NOTHING
  if (ms >= SECOND) return `${NUMBER.format(ms / SECOND)} s`
  return `${NUMBER.format(ms < 10 ? ms : Math.round(ms))} ms`
}

/** How long something has lasted. */
export function lasting(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < MINUTE)
    return `${NUMBER.format(ms < 10 * SECOND ? ms / SECOND : Math.floor(ms / SECOND))} s`
  return long(ms)
}

/** The same for what is still going on: in whole seconds. */
export function age(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`
  return long(ms)
}

function long(ms: number): string {
  if (ms < HOUR) return pair(ms, MINUTE, 'min', SECOND, 's')
  if (ms < DAY) return pair(ms, HOUR, 'h', MINUTE, 'min')
  return pair(ms, DAY, 'd', HOUR, 'h')
}

function pair(ms: number, large: number, name: string, small: number, rest: string): string {
  const over = Math.floor((ms % large) / small)
  return `${Math.floor(ms / large)} ${name}${over === 0 ? '' : ` ${over} ${rest}`}`
}

export function timeOf(at: number): string {
  return TIME.format(at)
}

export function dateOf(at: number): string {
  return `${DATE.format(at)}, ${TIME.format(at)}`
}

/** `1 row`, `2 rows`. */
export function many(count: number, noun: string): string {
  return `${NUMBER.format(count)} ${noun}${count === 1 ? '' : 's'}`
}
