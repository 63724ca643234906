/** How much of a message an error shows: letters of a text, bytes of others. */
const MOST_LETTERS = 80
const MOST_BYTES = 16
/** How many events an error shows. */
const MOST_EVENTS = 10

/** A message, short enough for an error. */
export function pictureOf(data: string | Buffer): string {
  if (typeof data !== 'string') {
    const hex = data.subarray(0, MOST_BYTES).toString('hex')
    return `${data.length} bytes (${hex}${data.length > MOST_BYTES ? '…' : ''})`
  }
  if (data.length <= MOST_LETTERS) return JSON.stringify(data)
  return `${JSON.stringify(data.slice(0, MOST_LETTERS))}… (${data.length} letters)`
}

/** What has happened, of which the last is the most telling. */
export class History {
  readonly #last: string[] = []
  #count = 0

  note(event: string): void {
    this.#count++
    this.#last.push(event)
    if (this.#last.length > MOST_EVENTS) this.#last.shift()
  }

  toString(): string {
    if (this.#count === 0) return 'nothing has come'
    const omitted = this.#count - this.#last.length
    return `${omitted > 0 ? `${omitted} more, then ` : ''}${this.#last.join(', ')} came`
  }
}
