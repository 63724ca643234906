/** A property: a method or a getter. */
interface Held {
  readonly get?: unknown
  readonly value?: unknown
}

/**
 * The prototype below the one that has our decorator: there is what we have replaced. A child of the app may
 * have put a decorator of its own above ours, under the same name.
 */
export function beneath(instance: object, name: string, ours: unknown): object {
  let holder = Object.getPrototypeOf(instance) as object
  while (!holds(holder, name, ours)) holder = Object.getPrototypeOf(holder) as object
  return Object.getPrototypeOf(holder) as object
}

function holds(holder: object, name: string, ours: unknown): boolean {
  const held: Held = Object.getOwnPropertyDescriptor(holder, name) ?? {}
  return (held.get ?? held.value) === ours
}
