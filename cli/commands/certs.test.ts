import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readRevocationLists } from '#node'
import { main } from '../main.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function certs(...words: string[]): Promise<{ code: number; out: string; errors: string }> {
  const said = { out: '', errors: '' }
  const take = (where: 'out' | 'errors') => (text: unknown) => {
    said[where] += String(text)
    return true
  }
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(take('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(take('errors')),
  ]
  try {
    return { code: await main(['certs', ...words]), ...said }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

const at = (name: string) => join(folder, name)
const inFolder = () => ['--dir', folder]
const certificate = async (name: string) => new X509Certificate(await readFile(at(name)))

test('an authority makes certificates of nodes, which are shown, renewed, and never written over', async () => {
  expect(await certs('init', ...inFolder())).toMatchObject({
    code: 0,
    errors: expect.stringContaining('keep it away from the nodes') as string,
  })
  const made = await certs(
    'node',
    'n1',
    '--host',
    '10.0.0.1',
    'chat.example',
    ...inFolder(),
    '--json',
  )
  const said = JSON.parse(made.out) as {
    schema: number
    certificate: { names: string[]; days: number }
  }
  expect(said).toMatchObject({
    schema: 1,
    certificate: { subject: 'n1', issuer: 'parley CA', days: 364 },
  })
  expect(said.certificate.names).toEqual(['parley://n1', '10.0.0.1', 'chat.example'])
  for (const key of ['ca.key', 'n1.key']) expect((await stat(at(key))).mode & 0o777).toBe(0o600)

  const [authority, first, key] = [
    await certificate('ca.crt'),
    await certificate('n1.crt'),
    await readFile(at('n1.key')),
  ]
  expect(first.verify(authority.publicKey)).toBe(true)
  for (const again of [['init'], ['node', 'n1']]) {
    expect(await certs(...again, ...inFolder())).toMatchObject({
      code: 5,
      errors: expect.stringContaining('not written over') as string,
    })
  }
  expect((await certificate('n1.crt')).serialNumber).toBe(first.serialNumber)

  expect(await certs('renew', 'n1', '--days', '5', ...inFolder())).toMatchObject({ code: 0 })
  const second = await certificate('n1.crt')
  expect([second.serialNumber === first.serialNumber, second.subjectAltName]).toEqual([
    false,
    first.subjectAltName,
  ])
  expect(await readFile(at('n1.key'))).toEqual(key)
  const shown = await certs('show', at('ca.crt'), at('n1.crt'))
  expect(shown).toMatchObject({
    code: 3,
    errors: expect.stringContaining('parley certs renew') as string,
  })
  expect(shown.out).toMatch(/n1\.crt +n1 +parley:\/\/n1 10\.0\.0\.1 chat\.example +ends soon/)
  expect(await certs('renew', 'n1', '--new-key', ...inFolder())).toMatchObject({ code: 0 })
  expect(await readFile(at('n1.key'))).not.toEqual(key)
  expect(await certs('show', at('n1.crt'))).toMatchObject({ code: 0 })
})

test('a node’s certificate outlives nobody who vouches for it, and needs who does', async () => {
  const short = at('short')
  await certs('init', '--dir', short, '--days', '10')
  await certs('node', 'n1', '--dir', short)
  const shown = await certs('show', join(short, 'n1.crt'), '--json')
  expect(JSON.parse(shown.out)).toMatchObject({ certificates: [{ days: 9, state: 'ends soon' }] })
  expect(await certs('node', 'n1', '--dir', at('nowhere'))).toMatchObject({ code: 1 })
  expect(await certs('init', '--dir', at('past'), '--days', '0.0000001')).toMatchObject({ code: 0 })
  expect(await certs('node', 'n1', '--dir', at('past'))).toMatchObject({
    code: 5,
    errors: expect.stringContaining('expired') as string,
  })
})

test.each([
  [['node', 'ca'], 64, 'not a node’s name'],
  [['node', 'a/b'], 64, 'not a node’s name'],
  [['node', 'n9', '--host', 'a b'], 64, 'host names and IP addresses'],
  [['init', '--days', 'ten'], 64, 'number of days'],
  [['renew', 'n9'], 1, 'n9.crt cannot be read'],
] as const)('a mistake in %j is told', async (words, code, why) => {
  const outcome = await certs(...words, ...inFolder())
  expect(outcome).toMatchObject({ code, out: '' })
  expect(outcome.errors.replaceAll("'", '’')).toContain(why)
})

test('a secret is long enough, its owner’s alone, and not written over', async () => {
  expect(await certs('secret', at('secret'))).toMatchObject({ code: 0, out: '' })
  expect((await readFile(at('secret'), 'utf8')).trim()).toMatch(/^[\w-]{43}$/)
  expect((await stat(at('secret'))).mode & 0o777).toBe(0o600)
  expect(await certs('secret', at('secret'))).toMatchObject({ code: 5 })
  await writeFile(at('broken'), 'no certificate')
  expect(await certs('show', at('broken'))).toMatchObject({ code: 1, out: '' })
})

test('a certificate may be good in one of the clusters of an authority', async () => {
  const dir = ['--dir', at('shared')]
  expect(await certs('init', ...dir)).toMatchObject({ code: 0 })
  const made = await certs('node', 'n1', '--cluster', 'prod', ...dir)
  expect(made.errors).toContain("--peer-names 'parley://prod/{name}'")
  expect(made.out).toMatch(/n1 +parley:\/\/prod\/n1 +good/)
  expect(await certs('node', 'n2', '--cluster', 'a/b', ...dir)).toMatchObject({ code: 64 })
})

test('what is revoked stands in a list of the authority, each once, and stays in it', async () => {
  const dir = ['--dir', at('revoking')]
  await certs('init', ...dir)
  for (const name of ['n1', 'n2']) await certs('node', name, ...dir)
  const lists = async () => {
    const [list] = readRevocationLists(await readFile(at('revoking/ca.crl'), 'utf8'))
    expect(list!.isBy(await certificate('revoking/ca.crt'))).toBe(true)
    return list!
  }
  expect(await certs('revoke', 'n1', ...dir)).toMatchObject({
    code: 0,
    errors: expect.stringContaining('--peer-crl-file') as string,
  })
  const first = await lists()
  const serial = (await certificate('revoking/n1.crt')).serialNumber
  expect([...first.revoked.keys()]).toEqual([serial])
  const more = await certs('revoke', 'n2', 'n1', '--serial', '00:4a', '5b', '--json', ...dir)
  expect(JSON.parse(more.out)).toMatchObject({ schema: 1, listed: 4 })
  const second = await lists()
  expect(second.revoked.get(serial)).toBe(first.revoked.get(serial))
  expect([...second.revoked.keys()].slice(2)).toEqual(['4A', '5B'])
  // Without a name it is signed anew, and says until when it is good.
  expect(await certs('revoke', '--days', '2', ...dir)).toMatchObject({ code: 0 })
  const third = await lists()
  expect(third.revoked).toEqual(second.revoked)
  expect(third.nextUpdate! < second.nextUpdate!).toBe(true)
  expect(await certs('revoke', '--serial', 'n1', ...dir)).toMatchObject({ code: 64 })
  // Neither what another authority made nor a list of one is taken in.
  const other = ['--dir', at('other')]
  await certs('init', ...other)
  await copyFile(at('revoking/n1.crt'), at('other/n1.crt'))
  expect(await certs('revoke', 'n1', ...other)).toMatchObject({ code: 5 })
  await copyFile(at('revoking/ca.crl'), at('other/ca.crl'))
  expect(await certs('revoke', '--serial', '77', ...other)).toMatchObject({
    code: 5,
    errors: expect.stringContaining('another authority') as string,
  })
})
