const ELLIPSIS = '…'

/** How many bytes a text takes in a line of JSON, without the quotes: a control character takes six. */
export function sizeInJson(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2
}

/** As much of the beginning of a text as takes no more than so many bytes in JSON. */
export function cut(text: string, room: number): string {
  // Each unit of UTF-16 takes a byte at least.
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
