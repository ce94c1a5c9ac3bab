import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { checksumOf } from './checksum.ts'

test('bytes have one checksum, however many and wherever they stand', () => {
  const buffer = Buffer.alloc(300)
  for (let at = 0; at < buffer.length; at++) buffer[at] = (at * 151 + (at >> 3)) & 255
  for (let bytes = 0; bytes <= 260; bytes++) {
    for (const from of [0, 1, 3, 8]) {
      const expected = crc32c(buffer.subarray(from, from + bytes))
      expect(checksumOf(buffer, from, from + bytes)).toBe(expected)
    }
  }
  // RFC 3720, appendix B.4.
  expect(checksumOf(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa)
  expect(checksumOf(Buffer.alloc(32, 255), 0, 32)).toBe(0x62a8ab43)
})
