import { expect, test } from 'vitest'
import { RecentLines } from './recent-lines.ts'

test('[AD22] the last lines are kept, within bounds of lines and of bytes', () => {
  const lines = new RecentLines({ lines: 3, bytes: 100 })
  expect(lines.last(5)).toEqual([])
  for (let at = 1; at <= 50; at++) lines.push(`line ${at}`)
  expect(lines.last(10)).toEqual(['line 48', 'line 49', 'line 50'])
  expect(lines.last(2)).toEqual(['line 49', 'line 50'])
  lines.push('x'.repeat(95))
  expect(lines.last(10)).toEqual(['x'.repeat(95)])
  lines.push('y'.repeat(1_000))
  expect(lines.last(10)).toEqual(['y'.repeat(100)])
  lines.push('z')
  expect(lines.last(10)).toEqual(['z'])
})
