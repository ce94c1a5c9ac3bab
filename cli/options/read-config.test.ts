import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { declarationOf, NODE_OPTION_NAMES } from './node-options.ts'
import { type Config, type ConfigSources, readConfig } from './read-config.ts'

const directory = mkdtempSync(join(tmpdir(), 'parley-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

const NODE = {
  name: 'n1',
  listen: '127.0.0.1:1',
  peerListen: '127.0.0.1:2',
  data: 'd',
  initialMembers: 'n1=127.0.0.1:1/127.0.0.1:2',
}

let files = 0
function file(text: string): string {
  const path = join(directory, `c${files++}.yaml`)
  writeFileSync(path, text)
  return path
}

const read = (sources: Partial<ConfigSources>) =>
  readConfig({ flags: NODE, environment: {}, file: null, ...sources })

async function right(sources: Partial<ConfigSources>): Promise<Config> {
  const result = await read(sources)
  if ('faults' in result) throw new Error(result.faults.join('\n'))
  return result.config
}

async function wrong(sources: Partial<ConfigSources>): Promise<readonly string[]> {
  const result = await read(sources)
  if ('config' in result) throw new Error('nothing is wrong with it')
  return result.faults
}

describe('values', () => {
  test('flags win over the environment, that over the file, that over the default', async () => {
    const path = file('userRate: 3\ndeviceRate: 3\ntokenLeeway: 3s\nlogLevel: warn\n')
    const environment = { PARLEY_USER_RATE: '2', PARLEY_DEVICE_RATE: '2', PARLEY_LOG_LEVEL: '' }
    const flags = { ...NODE, userRate: '1' }
    const { values, origins } = await right({ flags, environment, file: path })
    expect(values).toMatchObject({ userRate: 1, deviceRate: 2, tokenLeeway: 3_000 })
    expect(values).toMatchObject({ logLevel: 'warn', logSegmentBytes: 64 * 2 ** 20, dev: false })
    expect(Object.fromEntries(origins)).toMatchObject({
      userRate: '--user-rate',
      deviceRate: 'PARLEY_DEVICE_RATE',
      tokenLeeway: `${path}: tokenLeeway`,
      logLevel: `${path}: logLevel`,
      logSegmentBytes: 'default',
    })
  })

  test('a file is YAML or JSON, with lists, numbers and units', async () => {
    const { values } = await right({
      flags: {},
      file: file(
        JSON.stringify({ ...NODE, dev: true, allowedHosts: ['a', 'b'], checkpointBytes: 65_536 }),
      ),
    })
    expect(values).toMatchObject({ dev: true, allowedHosts: ['a', 'b'], checkpointBytes: 65_536 })
    const members = '[n1=127.0.0.1:1/127.0.0.1:2, n2=127.0.0.1:3/127.0.0.1:4]'
    const yaml = `# ours\nallowedHosts: a, b\ncheckpointBytes: 64KiB\ninitialMembers: ${members}\n`
    const { initialMembers: _, ...others } = NODE
    const other = await right({ flags: others, file: file(yaml) })
    expect(other.values).toMatchObject({ allowedHosts: ['a', 'b'], checkpointBytes: 65_536 })
    expect(other.values.initialMembers.map(({ name }) => name)).toEqual(['n1', 'n2'])
  })

  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('a variable %s switches', async (text, value) => {
    expect((await right({ environment: { PARLEY_DEV: text } })).values.dev).toBe(value)
  })

  test('every default is one of the values that its option takes', async () => {
    const { values } = await right({})
    for (const name of NODE_OPTION_NAMES) {
      const { preset, isRequired } = declarationOf(name)
      expect(values[name] !== undefined, name).toBe(preset !== undefined || isRequired === true)
    }
  })
})

describe('what is wrong', () => {
  test('is told at once, with where it came from and what would be right', async () => {
    const path = file('listne: 1\nuserRate: fast\npushPosition: perhaps\n')
    const faults = await wrong({
      flags: { name: 'n1', logLevel: 'loud', tokenLeeway: '1h' },
      environment: { PARLEY_LISTEN: 'here', PARLEY_CHECKPOINT_BYTES: '1KiB' },
      file: path,
    })
    expect(faults).toEqual([
      `${path}: there is no option listne; did you mean listen?`,
      'PARLEY_LISTEN must be host:port, not "here"',
      '--peer-listen is missing (or PARLEY_PEER_LISTEN, or peerListen in a file): where peers reach it',
      '--data is missing (or PARLEY_DATA, or data in a file): where it keeps everything',
      expect.stringContaining('--initial-members is missing'),
      '--log-level must be one of debug, info, warn, error, silent, not "loud"',
      '--token-leeway must be a duration from 0ms to 10m, like 250ms, 30s or 5m, not "1h"',
      `${path}: userRate must be a number from 0.001 to 1,000,000 (writes per second), not "fast"`,
      `${path}: pushPosition must be true or false, not "perhaps"`,
      'PARLEY_CHECKPOINT_BYTES must be a size from 4KiB to 1GiB, like 4096, 512KiB or 64MiB, not "1KiB"',
    ])
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['a word for a number', { checkpointBytes: 'big' }, /--checkpoint-bytes must be a size from/],
    ['a number that is none', { userRate: '1e999' }, /--user-rate must be a number/],
    ['a duration without a unit', { tokenLeeway: '5' }, /--token-leeway must be a duration/],
    ['a listed address twice', { adminListen: '127.0.0.1:1' }, /--admin-listen and --listen are b/],
    ['another member', { name: 'n2' }, /--initial-members must name this node, n2: it names n1/],
    ['a member twice', { initialMembers: 'n1=a:1/a:2,n1=a:3/a:4' }, /n1 appears twice/],
    ['a page for an origin', { allowedOrigins: 'https://a.b/c' }, /like https:\/\/a\.b, not "http/],
    ['half a webhook', { pushWebhookUrl: 'https://a.b' }, /url needs --push-webhook-secret-file/],
    ['half a browser key', { pushVapidSubject: 'mailto:a@b.c' }, /needs --push-vapid-key-file/],
    ['an issuer of nothing', { tokenIssuer: 'us' }, /--token-issuer says nothing without a key/],
    ['another protocol', { moderationUrl: 'ftp://a.b' }, /must be a URL with https: or http:/],
  ])('%s', async (_, flags, sentence) => {
    expect(await wrong({ flags: { ...NODE, ...flags } })).toEqual([expect.stringMatching(sentence)])
  })

  test.each([
    ['nothing at all', 'just words', /must hold names of options/],
    ['broken', 'a: [1', /c\d+\.yaml:\d+:\d+ is neither YAML nor JSON: /],
    [
      'a name twice',
      'dev: true\ndev: false\n',
      /is neither YAML nor JSON: Map keys must be unique/,
    ],
    [
      'a bomb',
      'a: &a [1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]',
      /^\/.*\.yaml cannot be used: .*alias/,
    ],
  ])('a file that is %s', async (_, text, sentence) => {
    expect((await wrong({ file: file(text) }))[0]).toMatch(sentence)
  })

  test('a file that is not there', async () => {
    const [fault] = await wrong({ file: '/nowhere/c.yaml' })
    expect(fault).toMatch(/^cannot read \/nowhere\/c\.yaml: ENOENT/)
  })

  test('a variable that names no option; those of others are let alone', async () => {
    const environment = {
      PARLEY_USR_RATE: '1',
      PARLEY_TOKEN_SECRET: 'the secret itself',
      PARLEY_URL: 'http://a',
      PARLEY_PORT: 'tcp://10.0.0.1:7400',
      PARLEY_PEERS_PORT_7500_TCP_ADDR: '10.0.0.1',
      PARLEY_SERVICE_HOST: '10.0.0.1',
      PATH: '/bin',
    }
    const faults = await wrong({ environment })
    expect(faults).toEqual([
      'PARLEY_USR_RATE names no option; did you mean PARLEY_USER_RATE?',
      'PARLEY_TOKEN_SECRET is not taken: secrets come from files alone, this one by --token-secret-file',
    ])
  })

  test('a secret that others may write, that is a folder or not there; one to be read by all warns', async () => {
    const secret = file('x'.repeat(40))
    const withMode = async (mode: number) => {
      chmodSync(secret, mode)
      return read({ flags: { ...NODE, tokenSecretFile: secret } })
    }
    expect(await withMode(0o640)).toMatchObject({ warnings: [] })
    expect(await withMode(0o644)).toMatchObject({
      warnings: [
        `--token-secret-file names ${secret}, which everybody here may read (mode 644): chmod o-r ${secret}`,
      ],
    })
    expect(await withMode(0o660)).toEqual({
      faults: [
        `--token-secret-file names ${secret}, which others may write (mode 660): chmod go-w ${secret}`,
      ],
    })
    for (const path of [directory, '/nowhere/secret']) {
      expect(await wrong({ flags: { ...NODE, tokenSecretFile: path } })).toEqual([
        expect.stringMatching(/which (is no file|cannot be read: ENOENT)/),
      ])
    }
  })

  test('a password in a URL, which is not told again', async () => {
    const faults = await wrong({ environment: { PARLEY_MODERATION_URL: 'https://me:hush@a.b/' } })
    expect(faults).toEqual([expect.stringContaining('must not carry a user or a password')])
    expect(faults.join()).not.toContain('hush')
  })
})
