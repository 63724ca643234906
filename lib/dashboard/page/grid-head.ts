import { make } from './make.js'

export interface Column<Item> {
  /** Its class, and by what the rows are sorted. */
  readonly name: string
  readonly title: string
  readonly isNumber?: boolean
  /** So many characters of ASCII fit; 6 do in each column. */
  readonly fits?: number
  text(item: Item): string
}

/** The names of the columns; they may sort the rows. */
export class GridHead<Item> {
  readonly element: HTMLElement
  readonly #columns: ReadonlyArray<Column<Item>>
  readonly #cells: readonly HTMLElement[]

  constructor(columns: ReadonlyArray<Column<Item>>, isSortable: boolean) {
    this.#columns = columns
    this.#cells = columns.map((column, i) => {
      const cell = make('th', classOf(column))
      cell.role = 'columnheader'
      cell.scope = 'col'
      cell.ariaColIndex = String(i + 1)
      cell.append(isSortable ? make('button', '', column.title) : column.title)
      return cell
    })
    const row = make('tr', '', ...this.#cells)
    row.role = 'row'
    row.ariaRowIndex = '1'
    this.element = make('thead', '', row)
    this.element.role = 'rowgroup'
  }

  onSort(sort: (column: Column<Item>) => void): void {
    for (const [i, column] of this.#columns.entries()) {
      this.#cells[i]?.firstElementChild?.addEventListener('click', () => sort(column))
    }
  }

  showOrder(by: string, isDescending: boolean): void {
    for (const [i, { name }] of this.#columns.entries()) {
      const order = isDescending ? 'descending' : 'ascending'
      ;(this.#cells[i] as HTMLElement).ariaSort = name === by ? order : 'none'
    }
  }
}

export function classOf({ name, isNumber }: Column<never>): string {
  return isNumber === true ? `${name} number` : name
}
