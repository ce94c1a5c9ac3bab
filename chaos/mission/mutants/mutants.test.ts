import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../../bugs/broken-tree.ts'
import { withBug } from '../../bugs/seeded-bug.ts'
import { crossTests, leadsTo, rowsIn } from './mission-tests.ts'
import { digestOf } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { readRecord, render, shownOnPage, unpadded } from './mutants-record.ts'

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test.each(MUTANTS)('$name changes one place, and the test that must notice is there', (mutant) => {
  const text = textOf(mutant.file)
  expect(withBug(mutant, text)).not.toBe(text)
  expect(existsSync(join(ROOT, mutant.test))).toBe(true)
  expect(textOf(mutant.test)).toContain(`[M-${mutant.row}]`)
  expect(leadsTo(mutant.test, mutant.file)).toBe(true)
})

test('there are mutants of at least forty rows, each of its own name', () => {
  const names = MUTANTS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(new Set(MUTANTS.map(({ row }) => row)).size).toBeGreaterThanOrEqual(40)
})

test('which files a test leads to', () => {
  const sync = 'chaos/mission/sync.int.test.ts'
  expect(leadsTo(sync, 'node/state-machine/conversation.ts')).toBe(true)
  expect(leadsTo(sync, 'client/outbox.ts')).toBe(false)
  expect(leadsTo('chaos/mission/sdk-sending.int.test.ts', 'client/outbox.ts')).toBe(true)
  expect(leadsTo('client/errors.test.ts', 'client/outbox.ts')).toBe(true)
  expect(leadsTo('client/errors.test.ts', 'node/forwarder.ts')).toBe(false)
})

test('what the tests of the other rows are', () => {
  const tests = crossTests()
  for (const { row, test } of MUTANTS) {
    expect(rowsIn(textOf(test))).toContain(row)
    expect(tests.includes(test), test).toBe(!test.endsWith('.ci.test.ts'))
  }
})

test('the record has each of them as it is now, noticed by its row and by no other but those named', () => {
  const record = readRecord()
  for (const mutant of MUTANTS) {
    const { name, row, also } = mutant
    const seen = record.find((each) => each.name === name)
    expect(seen, `npm run mission:mutants -- --only ${name}`).toMatchObject({
      digest: digestOf(mutant),
      result: 'red',
    })
    const unnamed = (seen?.alsoRed ?? []).filter((each) => !also.rows.includes(each))
    expect(unnamed, `${name} of row ${row}`).toEqual([])
    expect(also.rows.length > 0).toBe(also.because !== '')
  }
})

test('the page shows the record', () => {
  expect(shownOnPage()).toBe(unpadded(render(readRecord())))
})
