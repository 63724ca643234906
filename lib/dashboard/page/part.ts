import type { Hello, Update } from '../protocol.js'

/** A part of the page. What it is told it keeps; it is drawn with the next frame. */
export interface Part {
  /** A session begins: what was known of rows is not true any more. */
  reset(hello: Hello): void
  take(update: Update): void
  draw(): void
}
