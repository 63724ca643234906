/** The next values of an iterator, at most so many. They are fewer only if there are no more. */
export function next<Value>(values: Iterator<Value>, most: number): Value[] {
  const taken: Value[] = []
  while (taken.length < most) {
    const step = values.next()
    if (step.done === true) break
    taken.push(step.value)
  }
  return taken
}
