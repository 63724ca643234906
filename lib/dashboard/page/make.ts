/** The element of page.html with this id. */
export function $(id: string): HTMLElement
export function $<E extends HTMLElement>(id: string, type: new () => E): E
export function $(id: string): HTMLElement {
  return document.querySelector(`#${id}`) as HTMLElement
}

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = '',
  ...children: ReadonlyArray<Node | string>
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...children)
  return element
}

/** Puts a text into an element, unless it is there. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** The same for a text with code in it, between backticks. */
export function sayWithCode(element: Element, text: string): void {
  const words = text.replaceAll('`', '')
  if (element.textContent === words) return
  element.replaceChildren(
    ...text.split('`').map((part, i) => (i % 2 === 1 ? make('code', '', part) : part)),
  )
}

/** Makes a list have one child for each item: as many as are there are used again. */
export function fit<E extends Element, Item>(
  parent: Element,
  items: readonly Item[],
  makeChild: () => E,
  fill: (child: E, item: Item) => void,
): void {
  while (parent.childElementCount > items.length) parent.lastElementChild?.remove()
  while (parent.childElementCount < items.length) parent.append(makeChild())
  items.forEach((item, i) => fill(parent.children[i] as E, item))
}

/** Fills the body of a small table. The first cell of a row is its header; each has the class of its column. */
export function fillTable(body: HTMLElement, rows: ReadonlyArray<readonly string[]>): void {
  const columns = Array.from(body.parentElement?.querySelectorAll('thead th') ?? [])
  fit(
    body,
    rows,
    () =>
      make(
        'tr',
        '',
        ...columns.map(({ className }, i) => {
          if (i > 0) return make('td', className)
          const head = make('th', className)
          head.scope = 'row'
          return head
        }),
      ),
    (row, texts) => texts.forEach((text, i) => say(row.children[i] as Element, text)),
  )
}
