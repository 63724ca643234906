/** The members of an object that came as JSON. */
export type Fields = Readonly<Record<string, unknown>>

/** @returns `undefined` for what is no JSON, or no object */
export function readObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined
  } catch {
    // It is no JSON.
    return undefined
  }
}
