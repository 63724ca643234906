import * as fc from 'fast-check'

interface Named {
  readonly does: string
}

type Fields<Of extends Named> = { [Name in Exclude<keyof Of, 'does'>]: fc.Arbitrary<Of[Name]> }

/** The command of that name; one type may have several names. */
type OfName<Command extends Named, Does> = Command extends Named
  ? Does extends Command['does']
    ? Command
    : never
  : never

/** Makes arbitrary commands of one kind: plain objects, so that they can be printed as code. */
type CommandMaker<Command extends Named> = <Does extends Command['does']>(
  /** How often it happens, beside the others. */
  weight: number,
  does: Does,
  fields: Fields<OfName<Command, Does>>,
) => fc.WeightedArbitrary<Command>

export function commandMaker<Command extends Named>(): CommandMaker<Command> {
  return (weight, does, fields) => {
    const all = { does: fc.constant(does), ...fields }
    return { weight, arbitrary: fc.record(all, { noNullPrototype: true }) as fc.Arbitrary<Command> }
  }
}
