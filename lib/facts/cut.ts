const ELLIPSIS = '…'

/** Number of bytes that a text takes in JSON, without the quotes. A control character takes six. */
export function sizeInJson(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2
}

/** The beginning of a text that takes at most `room` bytes in JSON. */
export function cut(text: string, room: number): string {
  // Each unit of UTF-16 takes at least one byte.
  if (text.length <= room && sizeInJson(text) <= room) return text
  let left = room - sizeInJson(ELLIPSIS)
  let end = 0
  for (const character of text.slice(0, room)) {
    left -= sizeInJson(character)
    if (left < 0) break
    end += character.length
  }
  return text.slice(0, end) + ELLIPSIS
}
