import { describe, expect, test } from 'vitest'
import { ConfigurationHistory } from './configuration-history.ts'
import {
  configurationFault,
  decodeConfiguration,
  encodeConfiguration,
  type Configuration,
} from './configuration.ts'
import { configurationOf, idOf, member } from './testing/test-replica.ts'
import { EntryType, type Entry } from './types.ts'

function change(index: number, configuration: Configuration): Entry {
  const data = encodeConfiguration(configuration)
  return { index, term: 1, type: EntryType.configuration, data }
}

describe('configurations', () => {
  test('[MB1] come back from their bytes as they were', () => {
    const configuration = { ...configurationOf([1, 2], [3]), outgoing: [member(1)] }
    expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration)
  })

  test.each([
    'null',
    '{}',
    '{"format":2,"voters":[],"outgoing":[],"learners":[]}',
    '{"format":1,"voters":{},"outgoing":[],"learners":[]}',
    '{"format":1,"voters":[null],"outgoing":[],"learners":[]}',
    '{"format":1,"voters":[{"id":"00","name":"n"}],"outgoing":[],"learners":[]}',
  ])('[MB1] unknown or broken bytes are refused: %s', (text) => {
    expect(() => decodeConfiguration(Buffer.from(text))).toThrow(/configuration/)
  })

  test.each([
    { next: configurationOf([1, 2, 3]), fault: null },
    { next: configurationOf([1, 2]), fault: null },
    { next: configurationOf([1, 2, 3, 4]), fault: null },
    { next: configurationOf([1, 2, 3], [4, 5]), fault: null },
    { next: configurationOf([1, 2], [3]), fault: null },
    { next: configurationOf([1, 2, 4]), fault: 'only one' },
    { next: configurationOf([1]), fault: 'only one' },
    { next: configurationOf([]), fault: 'needs a voter' },
    { next: configurationOf([1, 2, 3], [3]), fault: 'twice' },
    { next: configurationOf([1, 2, 3, 3]), fault: 'twice' },
    { next: { ...configurationOf([1, 2, 3]), outgoing: [member(1)] }, fault: 'joint' },
    { next: configurationOf([1, 2, 3], []), fault: null },
    {
      next: { ...configurationOf([1, 2, 3]), learners: [{ ...member(4), id: 'four' }] },
      fault: '16 hex',
    },
  ])('[MB2] one voter at a time: $fault', ({ next, fault }) => {
    const found = configurationFault(configurationOf([1, 2, 3]), next)
    if (fault === null) expect(found).toBeNull()
    else expect(found).toContain(fault)
  })

  test('[MB1] the newest is in force, and the one before it again when it is cut off', () => {
    const history = new ConfigurationHistory(4, configurationOf([1]))
    expect(
      history.append([change(6, configurationOf([1, 2])), change(9, configurationOf([1]))]),
    ).toBe(true)
    expect(history.current).toEqual(configurationOf([1]))
    expect(history.currentIndex).toBe(9)
    expect(history.truncateFrom(10)).toBe(false)
    expect(history.truncateFrom(7)).toBe(true)
    expect(history.current).toEqual(configurationOf([1, 2]))
    expect(history.mayLead(idOf(2))).toBe(true)
    expect(history.truncateFrom(5)).toBe(true)
    expect(history.current).toEqual(configurationOf([1]))
    expect(history.mayLead(idOf(2))).toBe(false)
    expect(() => history.truncateFrom(4)).toThrow('committed configuration')
  })

  test('[MB4] whoever was removed may lead until that is committed', () => {
    const history = new ConfigurationHistory(1, configurationOf([1, 2]))
    history.append([change(2, configurationOf([2]))])
    expect(history.mayLead(idOf(1))).toBe(true)
    history.committedTo(2)
    expect(history.mayLead(idOf(1))).toBe(false)
  })
})
