import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePorts } from './free-ports.ts'

const MODULE = new URL('./free-ports.ts', import.meta.url).href
const SCRIPT = `
  const { freePorts } = await import(${JSON.stringify(MODULE)})
  const all = await Promise.all(Array.from({ length: 30 }, () => freePorts(6)))
  console.log(JSON.stringify(all.flat()))
  process.stdin.resume()`

/** Another process that asks at the same time and lives on. */
async function otherProcess() {
  const child = execFile(process.execPath, ['--input-type=module', '-e', SCRIPT])
  const [line] = (await once(child.stdout!, 'data')) as [string]
  const end = async () => {
    child.stdin!.end()
    await once(child, 'exit')
  }
  return { ports: JSON.parse(line) as number[], end }
}

const blockOf = (port: number) => port - (port % 128)

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

test('no port is given twice, and a block belongs to one process for as long as that lives', async () => {
  const other = await otherProcess()
  const here = await Promise.all(Array.from({ length: 30 }, () => freePorts(6)))
  const ports = [...here.flat(), ...other.ports]
  expect(ports).toHaveLength(360)
  expect(new Set(ports).size).toBe(360)
  expect(ports.filter((port) => port < 10_240 || port >= 32_000)).toEqual([])
  const mine = new Set(here.flat().map(blockOf))
  const theirs = new Set(other.ports.map(blockOf))
  expect([...theirs].filter((block) => mine.has(block))).toEqual([])
  for (const block of [...mine, ...theirs]) expect(await canListen(block)).toBe(false)
  await other.end()
})

test('they follow one another, without those at which somebody listens', async () => {
  // Whatever is left of a block, so that the next one comes from the beginning of another.
  await freePorts(127)
  const [before] = (await freePorts(1)) as [number]
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(before + 2, '127.0.0.1', resolve))
  const ports = await freePorts(100)
  server.close()
  expect(ports).not.toContain(before + 2)
  expect(ports).toEqual(Array.from({ length: 100 }, (_, at) => ports[0]! + at))
})

test.each([0, 128, 1.5])('%s ports are none that can be had', async (count) => {
  await expect(freePorts(count)).rejects.toThrow(RangeError)
})
