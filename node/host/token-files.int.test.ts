import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { exportPKCS8, exportSPKI } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { keyPair, SECRET } from '../identity/testing.ts'
import { readTokenSettings } from './token-files.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-keys-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
}

describe('key files', () => {
  it('[NI6] are secrets, PEM, JWKs and sets of them', async () => {
    const pair = await keyPair('EdDSA', 'one')
    const settings = await readTokenSettings({
      secretFiles: [
        await file('secret', `${SECRET}\n`),
        await file('oct', JSON.stringify({ kty: 'oct', kid: 's', k: 'x'.repeat(43) })),
      ],
      publicKeyFiles: [
        await file('pem', await exportSPKI(pair.publicKey)),
        await file('jwk', JSON.stringify(pair.jwk)),
        await file('jwks', JSON.stringify({ keys: [pair.jwk] })),
      ],
    })
    expect(settings?.keys.map(({ kid }) => kid)).toEqual([null, 's', null, 'one', 'one'])
    expect(await readTokenSettings({})).toBeNull()
  })

  it('[NI6] that cannot be used are told apart in a sentence', async () => {
    const { privateKey, jwk } = await keyPair('EdDSA', 'one')
    const ec = await keyPair('ES256', 'two')
    const wrong: [Parameters<typeof readTokenSettings>[0], RegExp][] = [
      [{ secretFiles: [join(directory, 'none')] }, /cannot read the key file .*none: ENOENT/],
      [{ secretFiles: [await file('short', 'short')] }, /at least 32 bytes, this one 5;.*keygen/],
      [{ secretFiles: [await file('large', 'x'.repeat(300_000))] }, /longer than 262144 bytes/],
      [{ secretFiles: [await file('pub', JSON.stringify(jwk))] }, /no secret for HS256/],
      [{ publicKeyFiles: [await file('key', await exportPKCS8(privateKey))] }, /private key/],
      [{ publicKeyFiles: [await file('d', JSON.stringify({ ...jwk, d: 'x' }))] }, /private key/],
      [{ publicKeyFiles: [await file('ec', JSON.stringify(ec.jwk))] }, /no Ed25519 key/],
      [{ publicKeyFiles: [await file('ecp', await exportSPKI(ec.publicKey))] }, /no Ed25519 key/],
      [{ publicKeyFiles: [await file('text', 'hello')] }, /neither PEM .* nor a JWK/],
      [{ publicKeyFiles: [await file('json', '{"a":1}')] }, /no JWK/],
      [{ jwksUrl: 'http://example.org/keys' }, /must be https: or file:/],
      [{ jwksUrl: 'nonsense' }, /must be https: or file:/],
      [{ issuer: 'us' }, /no key: add --token-secret-file/],
    ]
    for (const [options, words] of wrong) {
      await expect(readTokenSettings(options), String(words)).rejects.toThrow(words)
    }
  })
})

describe('published keys', () => {
  it('[NI5] come from a file or an address', async () => {
    const path = await file('published', '{"keys":[]}')
    const url = await served((_, response) => response.end('{"keys":[1]}'))
    const ofFile = await readTokenSettings({ jwksUrl: pathToFileURL(path).href })
    expect(await ofFile?.document?.read()).toBe('{"keys":[]}')
    const ofUrl = await readTokenSettings({ jwksUrl: url })
    expect(await ofUrl?.document?.read()).toBe('{"keys":[1]}')
  })

  it('[NI5] that are refused, sent elsewhere or endless are an error', async () => {
    const answers: [RequestListener, RegExp][] = [
      [(_, response) => response.writeHead(503).end(), /answers 503/],
      [(_, response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end(), /./],
      [(_, response) => response.end(Buffer.alloc(300_000)), /longer than/],
    ]
    for (const [listener, words] of answers) {
      const settings = await readTokenSettings({ jwksUrl: await served(listener) })
      await expect(settings?.document?.read()).rejects.toThrow(words)
    }
  })
})
