// Stands for `vitest` in a page: the same tests, with vitest's own `expect`, without its runner.
import { expect } from 'vitest'

export { expect }

type Body = (...parameters: never[]) => unknown

interface Suite {
  readonly title: string
  readonly before: (() => unknown)[]
  readonly after: (() => unknown)[]
}

interface PageTest {
  readonly title: string
  readonly suites: readonly Suite[]
  readonly run: () => unknown
}

/** What became of one test. */
export interface PageResult {
  readonly title: string
  /** What it failed with, `null` if it passed. */
  readonly error: string | null
}

const tests: PageTest[] = []
const suites: Suite[] = [newSuite('')]

export const describe = withEach((title, body) => {
  suites.push(newSuite(title))
  body()
  suites.pop()
})

export const test = withEach((title, body) => {
  tests.push({ title, suites: [...suites], run: body })
})

export const beforeEach = (run: () => unknown): void => void suites.at(-1)!.before.push(run)
export const afterEach = (run: () => unknown): void => void suites.at(-1)!.after.push(run)

/** Runs everything that was registered, one after the other. */
export async function runTests(): Promise<PageResult[]> {
  const results: PageResult[] = []
  for (const each of tests) {
    const title = [...each.suites.map((suite) => suite.title), each.title]
      .filter(Boolean)
      .join(' > ')
    let error: string | null = null
    try {
      for (const { before } of each.suites) for (const run of before) await run()
      await each.run()
    } catch (cause) {
      error = describeError(cause)
    }
    try {
      for (const { after } of each.suites.toReversed()) for (const run of after) await run()
    } catch (cause) {
      error ??= describeError(cause)
    }
    results.push({ title, error })
  }
  return results
}

function newSuite(title: string): Suite {
  return { title, before: [], after: [] }
}

function withEach(register: (title: string, body: () => unknown) => void) {
  const each = (rows: readonly unknown[]) => (title: string, body: Body) => {
    for (const row of rows) {
      const parameters = (Array.isArray(row) ? row : [row]) as never[]
      register(titleOf(title, parameters), () => body(...parameters))
    }
  }
  return Object.assign(register, { each })
}

/** `%i`, `%s` and `%j` take the parameters in their order. */
function titleOf(title: string, parameters: readonly unknown[]): string {
  let at = 0
  return title.replaceAll(/%[isjdo]/g, (format) => {
    const value = parameters[at++]
    return format === '%j' ? JSON.stringify(value) : String(value)
  })
}

const describeError = (cause: unknown): string =>
  cause instanceof Error ? `${cause.message}\n${cause.stack ?? ''}` : String(cause)
