const MANNERS = words(`
  Amber Brisk Calm Clever Curious Dapper Gentle Golden Happy Humble Jolly Kind
  Lively Lucky Mellow Merry Misty Patient Quiet Silver Sunny Swift Velvet Witty
`)
const ANIMALS = words(`
  Badger Beaver Crane Dolphin Falcon Ferret Finch Fox Gecko Hare Heron Ibis
  Koala Lark Lynx Marten Newt Otter Owl Panda Puffin Robin Seal Wren
`)

/** How many random tries a free name is worth; after that two clients share one. */
const TRIES = 50

/** A name like Quiet Heron that nobody in the room has. */
export function friendlyName(isTaken: (name: string) => boolean): string {
  let name = anyName()
  for (let i = 0; i < TRIES && isTaken(name); i++) name = anyName()
  return name
}

/** A name for an id, always the same. */
export function nameOf(id: string): string {
  let hash = 0
  for (const letter of id) hash = (hash * 31 + Number(letter.codePointAt(0))) % 1_000_003
  const animal = Math.floor(hash / MANNERS.length) % ANIMALS.length
  return `${MANNERS[hash % MANNERS.length]} ${ANIMALS[animal]}`
}

/** Whether it is one of ours: only these are taken from a client that asks for its name again. */
export function isFriendlyName(name: string): boolean {
  const [manner = '', animal = '', ...rest] = name.split(' ')
  return MANNERS.includes(manner) && ANIMALS.includes(animal) && rest.length === 0
}

function anyName(): string {
  return `${any(MANNERS)} ${any(ANIMALS)}`
}

function any(list: readonly string[]): string {
  return list[Math.floor(Math.random() * list.length)] as string
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
