import { type Check, GROUP } from './check.js'
import { refuse, refuseUnknown } from './complaints.js'

/** The members of a group that were given, checked. Empty if the group was not given. */
export function readGroup<Settings extends object>(
  options: Partial<Settings> | undefined,
  checks: Readonly<Record<keyof Settings, Check>>,
  group: string,
  where: string,
): Partial<Settings> {
  if (options === undefined) return {}
  if (!GROUP.accepts(options)) refuse(group, GROUP, options, where)
  refuseUnknown(options, Object.keys(checks), `${group}.`, where)
  return read<Partial<Settings>>(options, checks, `${group}.`, where)
}

/**
 * The options that were given and have a check, as a new record. Each is read once, and may be inherited, as
 * from a class with getters. A value of `undefined` counts as not given.
 */
export function read<Options extends object>(
  options: Options,
  checks: Readonly<Partial<Record<keyof Options, Check>>>,
  prefix: string,
  where: string,
): Partial<Options> {
  const given: Partial<Options> = {}
  for (const [name, wanted] of Object.entries(checks) as Array<[keyof Options & string, Check]>) {
    const value = options[name]
    if (value === undefined) continue
    if (!wanted.accepts(value)) refuse(prefix + name, wanted, value, where)
    given[name] = value
  }
  return given
}
