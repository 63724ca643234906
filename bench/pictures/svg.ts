/** SVG as text. */

type Attributes = Readonly<Record<string, string | number>>

export function element(name: string, attributes: Attributes, content = ''): string {
  const open = [
    name,
    ...Object.entries(attributes).map(([key, value]) => `${key}="${shown(value)}"`),
  ]
  return content === '' ? `<${open.join(' ')}/>` : `<${open.join(' ')}>${content}</${name}>`
}

export function text(className: string, x: number, y: number, content: string): string {
  return element('text', { class: className, x, y }, escaped(content))
}

export function line(className: string, x1: number, y1: number, x2: number, y2: number): string {
  const d = `M${shown(x1)} ${shown(y1)}L${shown(x2)} ${shown(y2)}`
  return element('path', { class: className, d })
}

/** Those that are there, each on a line. */
export function lines(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('\n')
}

export function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

function shown(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : escaped(value)
}
