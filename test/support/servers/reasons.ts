/** Why tests are left out of a pass, by name. In all other passes nothing is left out: `false`. */
export function reasons<Name extends string>(
  isOn: boolean,
  given: Readonly<Record<Name, string>>,
): Readonly<Record<Name, string | false>> {
  if (isOn) return given
  return Object.fromEntries(Object.keys(given).map((name) => [name, false])) as Record<Name, false>
}
