import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from './broken-tree.ts'
import { withBug } from './seeded-bug.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const bugCalled = (name: string) => SEEDED_BUGS.find((bug) => bug.name === name)!

describe('seeded bugs', () => {
  test.each(SEEDED_BUGS)('$name changes one place of $file', (bug) => {
    const text = textOf(bug.file)
    expect(withBug(bug, text)).not.toBe(text)
  })

  test('are told apart, and break what is specified', () => {
    const names = SEEDED_BUGS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([])
    const specified = new Set(textOf('chaos/SPEC.md').match(/(?<=^- \*\*)[PR]\d+/gm))
    const broken = SEEDED_BUGS.flatMap(({ breaks }) => breaks)
    expect(broken.filter((id) => !specified.has(id))).toEqual([])
    expect(SEEDED_BUGS.filter(({ breaks }) => breaks.length === 0)).toEqual([])
  })

  test('a text that has moved on is told', () => {
    const bug = bugCalled('old-term-commit')
    expect(() => withBug(bug, '')).toThrow(/old-term-commit: its text stands 0 times/)
    expect(() => withBug(bug, bug.find + bug.find)).toThrow(/stands 2 times/)
  })
})
