import { expect, it } from 'vitest'
import { databaseError } from './level-error.ts'

const ioError = (message: string) => Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' })
const failing = 'IO error: /data/store/db/000008.log: Input/output error'
const unreadable = 'IO error: /data/store/db/000005.ldb: Input/output error'

it('[K5] a write that the disk refuses is no damage of the store', () => {
  expect(databaseError(ioError(failing), 'use').kind).toBe('io')
  expect(
    databaseError(ioError('IO error: /d/MANIFEST-000004: Input/output error'), 'use').kind,
  ).toBe('io')
  expect(
    databaseError(ioError('IO error: /d/000009.log: No space left on device'), 'use').kind,
  ).toBe('io')
})

it('[K5] a file that cannot be read is damage', () => {
  expect(databaseError(ioError(unreadable), 'use').kind).toBe('corrupt')
  expect(databaseError(ioError(failing), 'open').kind).toBe('corrupt')
  expect(databaseError(ioError('IO error: /d/000005.ldb: Invalid argument'), 'use').kind).toBe(
    'corrupt',
  )
})

it('says what to do about a failing and about a full disk', () => {
  const text = (message: string) => databaseError(ioError(message), 'use').message
  expect(text(failing)).toContain('the disk reports an error: check the kernel log')
  expect(text(unreadable)).toContain('the disk reports an error: check the kernel log')
  expect(text('IO error: /d/000009.log: No space left on device')).toContain('free some space')
})
