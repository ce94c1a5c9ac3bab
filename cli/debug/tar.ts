const BLOCK = 512

export interface TarFile {
  /** Of ASCII, at most 100 bytes. */
  readonly name: string
  readonly content: Uint8Array
}

/** Files as `tar` reads them (ustar), in the order given. */
export function tar(files: readonly TarFile[], atMs: number): Buffer {
  const parts = files.flatMap(({ name, content }) => {
    const rest = (BLOCK - (content.length % BLOCK)) % BLOCK
    return [header(name, content.length, atMs), content, Buffer.alloc(rest)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

/**
 * Reads what `tar` wrote; of other archives what lies in plain files.
 *
 * @throws Error if it is no archive, or cut off
 */
export function untar(archive: Buffer): TarFile[] {
  const files: TarFile[] = []
  for (let at = 0; ;) {
    if (at + BLOCK > archive.length) throw new Error('the archive ends too early')
    const head = archive.subarray(at, at + BLOCK)
    if (head.every((byte) => byte === 0)) return files
    if (checksum(head) !== octal(head, 148, 8)) throw new Error('this is no tar archive')
    const name = head.toString('latin1', 0, 100).replace(/\0.*$/s, '')
    const size = octal(head, 124, 12)
    at += BLOCK
    if (at + size > archive.length) throw new Error('the archive ends too early')
    const isFile = head[156] === 0 || head[156] === 48
    if (isFile) files.push({ name, content: archive.subarray(at, at + size) })
    at += Math.ceil(size / BLOCK) * BLOCK
  }
}

function header(name: string, size: number, atMs: number): Buffer {
  if (!/^[\x20-\x7e]{1,100}$/.test(name)) throw new Error(`${name} cannot be named in an archive`)
  const head = Buffer.alloc(BLOCK)
  head.write(name, 0, 'latin1')
  writeOctal(head, 100, 8, 0o600)
  writeOctal(head, 108, 8, 0)
  writeOctal(head, 116, 8, 0)
  writeOctal(head, 124, 12, size)
  writeOctal(head, 136, 12, Math.floor(atMs / 1_000))
  head.write('0', 156, 'latin1')
  head.write('ustar\u000000', 257, 'latin1')
  writeOctal(head, 148, 8, checksum(head))
  return head
}

/** Over the header with its own field as blanks. */
function checksum(head: Buffer): number {
  let sum = 8 * 32
  for (const [at, byte] of head.entries()) if (at < 148 || at >= 156) sum += byte
  return sum
}

function writeOctal(head: Buffer, at: number, length: number, value: number): void {
  head.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
}

function octal(head: Buffer, at: number, length: number): number {
  const value = Number.parseInt(
    head.toString('latin1', at, at + length).replace(/[\0 ].*$/s, ''),
    8,
  )
  return Number.isSafeInteger(value) ? value : 0
}
