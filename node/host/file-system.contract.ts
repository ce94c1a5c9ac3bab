import { expect, it } from 'vitest'
import type { File, FileSystem } from '#cluster'

/** What a test needs of a file system: the port and an empty directory of its own. */
export interface FileSystemUnderTest {
  readonly fileSystem: FileSystem
  readonly directory: string
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (from: Uint8Array): string => new TextDecoder().decode(from)

/** What every file system promises, the real one and a simulated one alike. */
export function fileSystemContract(make: () => Promise<FileSystemUnderTest>): void {
  const opened = async (): Promise<FileSystemUnderTest & { path: string; file: File }> => {
    const under = await make()
    const path = `${under.directory}/file`
    return { ...under, path, file: await under.fileSystem.open(path, { create: 'new' }) }
  }

  const writeAndSync = (file: File, buffer: Uint8Array, position: number): Promise<void> =>
    new Promise((resolve, reject) => {
      file.writeAndSync(buffer, position, (error) => (error === null ? resolve() : reject(error)))
    })

  it('makes directories with their parents, again without harm', async () => {
    const { fileSystem, directory } = await make()
    await fileSystem.makeDirectory(`${directory}/a/b/c`)
    await fileSystem.makeDirectory(`${directory}/a/b/c`)
    expect(await fileSystem.exists(`${directory}/a/b/c`)).toBe(true)
    expect(await fileSystem.exists(`${directory}/a/b/d`)).toBe(false)
    await fileSystem.syncDirectory(`${directory}/a/b`)
  })

  it('lists names in order, none of an absent directory', async () => {
    const { fileSystem, directory } = await make()
    for (const name of ['b', 'a10', 'a2', 'C']) {
      await (await fileSystem.open(`${directory}/${name}`, { create: 'new' })).close()
    }
    expect(await fileSystem.list(directory)).toEqual(['C', 'a10', 'a2', 'b'])
    expect(await fileSystem.list(`${directory}/absent`)).toEqual([])
  })

  it('opens files as it is told', async () => {
    const { fileSystem, directory } = await make()
    const path = `${directory}/file`
    await expect(fileSystem.open(path, { create: 'never' })).rejects.toThrow(path)
    const made = await fileSystem.open(path, { create: 'if-missing' })
    await made.write(bytes('kept'), 0)
    await made.close()
    await expect(fileSystem.open(path, { create: 'new' })).rejects.toThrow(path)
    for (const create of ['if-missing', 'never'] as const) {
      const again = await fileSystem.open(path, { create })
      expect(await again.size()).toBe(4)
      await again.close()
    }
    expect(text(await fileSystem.readFile(path))).toBe('kept')
  })

  it('writes where it is told and reads it back, also past the end', async () => {
    const { file } = await opened()
    await file.write(bytes('hello'), 0)
    await file.write(bytes('world'), 10)
    expect(await file.size()).toBe(15)
    const buffer = new Uint8Array(20)
    expect(await file.read(buffer, 0)).toBe(15)
    expect(text(buffer.subarray(0, 15))).toBe('hello\0\0\0\0\0world')
    await file.write(bytes('J'), 0)
    const part = new Uint8Array(3)
    expect(file.readSync(part, 0)).toBe(3)
    expect(text(part)).toBe('Jel')
    expect(file.readSync(part, 13)).toBe(2)
    expect(file.readSync(part, 15)).toBe(0)
    expect(await file.read(part, 100)).toBe(0)
    await file.close()
  })

  it('writes from a view into a larger buffer', async () => {
    const { file } = await opened()
    await file.write(bytes('0123456789').subarray(3, 6), 0)
    await writeAndSync(file, bytes('abcdefghij').subarray(7, 9), 3)
    const read = new Uint8Array(5)
    expect(await file.read(read, 0)).toBe(5)
    expect(text(read)).toBe('345hi')
    await file.close()
  })

  it('cuts and lengthens a file', async () => {
    const { file } = await opened()
    await file.write(bytes('abcdef'), 0)
    await file.truncate(3)
    expect(await file.size()).toBe(3)
    await file.truncate(6)
    const buffer = new Uint8Array(6).fill(9)
    expect(await file.read(buffer, 0)).toBe(6)
    expect([...buffer]).toEqual([97, 98, 99, 0, 0, 0])
    await file.sync()
    await file.close()
  })

  it('writes and syncs in one call, reported once', async () => {
    const { file } = await opened()
    for (let at = 0; at < 300; at++) {
      let reports = 0
      await new Promise<void>((resolve) => {
        file.writeAndSync(bytes(`${at % 10}`), at, (error) => {
          expect(error).toBeNull()
          reports++
          resolve()
        })
      })
      expect(reports).toBe(1)
    }
    const buffer = new Uint8Array(300)
    expect(file.readSync(buffer, 0)).toBe(300)
    expect(text(buffer).slice(0, 12)).toBe('012345678901')
    await file.close()
  })

  it('writes what is large whole', async () => {
    const { file } = await opened()
    const large = new Uint8Array(5_000_000).map((_, at) => at % 251)
    await writeAndSync(file, large, 3)
    const read = new Uint8Array(large.length)
    expect(await file.read(read, 3)).toBe(large.length)
    expect(Buffer.compare(read, large)).toBe(0)
    await file.close()
  })

  it('replaces a file by a rename; an open one lives on', async () => {
    const { fileSystem, directory, path, file } = await opened()
    await file.write(bytes('old'), 0)
    const next = await fileSystem.open(`${directory}/next`, { create: 'new' })
    await next.write(bytes('new'), 0)
    await next.sync()
    await next.close()
    await fileSystem.rename(`${directory}/next`, path)
    await fileSystem.syncDirectory(directory)
    expect(await fileSystem.list(directory)).toEqual(['file'])
    expect(text(await fileSystem.readFile(path))).toBe('new')
    const buffer = new Uint8Array(3)
    file.readSync(buffer, 0)
    expect(text(buffer)).toBe('old')
    await file.close()
  })

  it('removes files and empty directories', async () => {
    const { fileSystem, directory, path, file } = await opened()
    await file.close()
    await fileSystem.remove(path)
    expect(await fileSystem.exists(path)).toBe(false)
    await expect(fileSystem.remove(path)).rejects.toThrow(path)
    await fileSystem.makeDirectory(`${directory}/full`)
    await (await fileSystem.open(`${directory}/full/one`, { create: 'new' })).close()
    await expect(fileSystem.removeDirectory(`${directory}/full`)).rejects.toThrow('full')
    await fileSystem.remove(`${directory}/full/one`)
    await fileSystem.removeDirectory(`${directory}/full`)
    expect(await fileSystem.list(directory)).toEqual([])
  })

  it('fails to read, rename or sync what is not there', async () => {
    const { fileSystem, directory } = await make()
    const absent = `${directory}/absent`
    await expect(fileSystem.readFile(absent)).rejects.toThrow(absent)
    await expect(fileSystem.rename(absent, `${directory}/other`)).rejects.toThrow(absent)
    await expect(fileSystem.syncDirectory(absent)).rejects.toThrow(absent)
  })

  it('tells the free bytes, and of how many', async () => {
    const { fileSystem, directory } = await make()
    const { freeBytes, sizeBytes } = await fileSystem.space(directory)
    expect(freeBytes).toBeGreaterThan(0)
    expect(sizeBytes).toBeGreaterThanOrEqual(freeBytes)
  })

  it('gives a directory to one holder at a time', async () => {
    const { fileSystem, directory } = await make()
    const unlock = await fileSystem.lock(directory)
    await expect(fileSystem.lock(directory)).rejects.toThrow(directory)
    await unlock()
    await (
      await fileSystem.lock(directory)
    )()
  })
}
