import { expect, test } from 'vitest'
import { groupsOf } from './cut-groups.ts'

const NAMES = ['n1', 'n2', 'n3']

test.each([
  ['leader', undefined, ['n2'], ['n1', 'n3']],
  ['n1', undefined, ['n1'], ['n2', 'n3']],
  ['n1,leader', undefined, ['n1', 'n2'], ['n3']],
  ['n3,n3', 'leader', ['n3'], ['n2']],
  ['n1', 'n2,n3', ['n1'], ['n2', 'n3']],
])('%s and %s', (target, others, some, from) => {
  expect(groupsOf({ target, others }, NAMES, 'n2')).toEqual({ some, from })
})

test.each([
  ['n9', undefined, 'there is no node n9: there are n1, n2, n3', true],
  ['n1', 'n2,', 'there is no node : there are n1, n2, n3', true],
  ['n1', 'n2,n1', 'n1 stands on both sides of the cut', true],
  ['n1,n2,n3', undefined, 'there is nobody to cut n1, n2, n3 off from', true],
  ['leader', undefined, 'no node leads at the moment', false],
])('%s and %s are refused', (target, others, message, usage) => {
  expect(groupsOf({ target, others }, NAMES, null)).toEqual({ message, usage })
})
