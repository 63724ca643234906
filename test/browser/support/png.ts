// As much of PNG (https://www.w3.org/TR/png-3/) as it takes to make a screenshot small: few colours.
import { deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = 8
const MOST_COLOURS = 256

/** The same picture with the 256 colours that it needs most. Takes RGB, 8 bits, not interlaced. */
export function withPalette(png: Buffer): Buffer {
  const header = chunks(png, 'IHDR')[0] as Buffer
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  if (header[8] !== 8 || header[9] !== 2) throw new Error('Expected a PNG of RGB, 8 bits')
  const pixels = unfilter(inflateSync(Buffer.concat(chunks(png, 'IDAT'))), width * 3, height)

  const counts = new Map<number, number>()
  for (let i = 0; i < pixels.length; i += 3) {
    const colour = pixels.readUIntBE(i, 3)
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  const ranked = [...counts.keys()].toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))
  const palette = ranked.slice(0, MOST_COLOURS)
  const indexes = new Map(ranked.map((colour) => [colour, nearest(palette, colour)]))

  const rows = Buffer.alloc(height * (width + 1)) // each begins with its filter, none
  for (let i = 0; i < width * height; i++) {
    const colour = pixels.readUIntBE(i * 3, 3)
    rows[i + Math.floor(i / width) + 1] = indexes.get(colour) ?? 0
  }
  const newHeader = Buffer.from(header)
  newHeader[9] = 3
  const colours = Buffer.alloc(palette.length * 3)
  palette.forEach((colour, i) => colours.writeUIntBE(colour, i * 3, 3))
  return Buffer.concat([
    png.subarray(0, SIGNATURE),
    chunk('IHDR', newHeader),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function nearest(palette: readonly number[], colour: number): number {
  let best = 0
  let least = Infinity
  palette.forEach((other, i) => {
    const red = (colour >> 16) - (other >> 16)
    const green = ((colour >> 8) & 255) - ((other >> 8) & 255)
    const blue = (colour & 255) - (other & 255)
    const distance = red * red + green * green + blue * blue
    if (distance < least) [best, least] = [i, distance]
  })
  return best
}

/** PNG §9: each byte is told by how it differs from those to the left and above. */
function unfilter(data: Buffer, stride: number, height: number): Buffer {
  const pixels = Buffer.alloc(stride * height)
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)]
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x
      const left = x < 3 ? 0 : (pixels[at - 3] as number)
      const above = y === 0 ? 0 : (pixels[at - stride] as number)
      const corner = x < 3 || y === 0 ? 0 : (pixels[at - stride - 3] as number)
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter ?? 0]
      pixels[at] = (data[at + y + 1] as number) + (guess ?? 0)
    }
  }
  return pixels
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner
  const [a, b, c] = [left, above, corner].map((value) => Math.abs(guess - value)) as [
    number,
    number,
    number,
  ]
  if (a <= b && a <= c) return left
  return b <= c ? above : corner
}

function chunks(png: Buffer, type: string): Buffer[] {
  const found: Buffer[] = []
  for (let at = SIGNATURE; at < png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === type) {
      found.push(png.subarray(at + 8, at + 8 + length))
    }
    at += length + 12
  }
  return found
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

function crc32(data: Buffer): number {
  let crc = ~0
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
