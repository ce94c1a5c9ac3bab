import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../bugs/broken-tree.ts'
import { withBug } from '../bugs/seeded-bug.ts'
import { MUTANTS } from './mutants.ts'

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test.each(MUTANTS)('$name changes one place, and the test that must notice is there', (mutant) => {
  const text = textOf(mutant.file)
  expect(withBug(mutant, text)).not.toBe(text)
  expect(existsSync(join(ROOT, mutant.test))).toBe(true)
  expect(textOf(mutant.test)).toContain(`[M-${mutant.row}]`)
})

test('there are at least forty, each of its own name', () => {
  const names = MUTANTS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(40)
})

test('the record has each of them, and each was noticed', () => {
  const record = JSON.parse(textOf('chaos/mission/mutants.json')) as {
    name: string
    result: string
  }[]
  const noticed = record.filter(({ result }) => result === 'red').map(({ name }) => name)
  expect(MUTANTS.map(({ name }) => name).filter((name) => !noticed.includes(name))).toEqual([])
})
