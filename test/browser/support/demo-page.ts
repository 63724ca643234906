import type { JSHandle, Locator, Page } from 'playwright-core'

/** The page of the demo, as a person sees it. */
export class DemoPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  button(act: string): Locator {
    return this.page.locator(`[data-act=${act}]`)
  }

  /** What stands above the buttons of the group that `act` is in. */
  beside(act: string): Locator {
    return this.page.locator(`[role=group]:has([data-act=${act}]) .doing`)
  }

  async choose(whose: 'helper' | 'tab'): Promise<void> {
    await this.page.locator(`label:has([value=${whose}])`).click()
  }

  /** Waits until the page has its connection. */
  async isIn(): Promise<void> {
    await this.page.locator('[data-state=open]').waitFor()
  }

  /** The connections that are open. */
  rows(): Locator {
    return this.page.locator('#rows li')
  }

  /** The last connection of that cause that ended. */
  ending(cause: string): Locator {
    return this.page.locator(`#endings > li[data-cause=${cause}]`).first()
  }

  async status(): Promise<string> {
    return this.page.locator('#status').innerText()
  }

  /** All that an element says from now on, however short a time: a locator may come too late for that. */
  allOf(selector: string): Promise<JSHandle<string[]>> {
    return this.page.evaluateHandle((of) => {
      const texts: string[] = []
      new MutationObserver(() => {
        const text = (document.querySelector(of)?.textContent ?? '').trim().replaceAll(/\s+/g, ' ')
        if (text !== texts.at(-1)) texts.push(text)
      }).observe(document.body, { childList: true, subtree: true, characterData: true })
      return texts
    }, selector)
  }
}

/** What an ending says. */
export interface Told {
  readonly facts: Readonly<Record<string, string>>
  readonly steps: readonly string[]
  readonly sees: string
  readonly isOpen: boolean
  /** What is said of the hooks that ran. */
  readonly toldTo: string
  /** By fact: what it means. */
  readonly meanings: readonly string[]
  /** All text of its head. */
  readonly head: string
  readonly code: string
  /** How many lines it says that it needed, and how many it shows. */
  readonly lines: readonly [string, number]
}

export async function toldBy(ending: Locator): Promise<Told> {
  await ending.waitFor()
  const texts = (selector: string): Promise<string[]> => ending.locator(selector).allTextContents()
  const [names, values] = [await texts('dt'), await texts('dt + dd')]
  return {
    facts: Object.fromEntries(names.map((name, i) => [name, values[i] as string])),
    steps: await texts('.steps li'),
    sees: (await texts('.plain .sees')).join(),
    toldTo: (await texts('.with > p')).join(),
    meanings: await texts('.meaning'),
    head: (await texts('summary')).at(0) ?? '',
    code: (await texts('.needed .code')).join('\n'),
    isOpen: (await ending.locator('details[data-latest][open]').count()) === 1,
    lines: [(await texts('.needed summary')).join(), await ending.locator('.needed .code').count()],
  }
}
