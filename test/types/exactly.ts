type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if the type of `value` is `Expected`: neither wider, nor narrower, nor `any`. */
export function exactly<Expected>() {
  return <const Actual>(
    _value: Actual,
    ..._unequal: Equal<Actual, Expected> extends true ? [] : ['is not exactly', Expected]
  ): void => {}
}
