import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import webPush from 'web-push'
import { StartError } from '../data-directory.ts'
import { ManualClock } from '../state-machine/testing.ts'
import { readPushSettings } from './push-files.ts'

let folder: string
const clock = new ManualClock()
const keys = webPush.generateVAPIDKeys()
const subject = 'mailto:ops@example.org'

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-push-'))
})

afterAll(() => rm(folder, { recursive: true }))

test('[PU6] a node posts to push services that it knows, by https, and nowhere else', async () => {
  const keyFile = await file('vapid.json', JSON.stringify(keys))
  const hosts = ['push.example.org', '127.0.0.1:8080']
  const settings = (await readPushSettings({ web: { keyFile, subject, hosts } }, clock))!
  expect(settings.vapidPublicKey).toBe(keys.publicKey)
  expect(settings.providers.map(({ kind }) => kind)).toEqual(['web'])
  const fault = (endpoint: string) =>
    settings.endpointFault({ kind: 'web', endpoint, p256dh: '', auth: '' })
  for (const good of [
    'https://fcm.googleapis.com/fcm/send/x',
    'https://updates.push.services.mozilla.com/wpush/v2/x',
    'https://web.push.apple.com/x',
    'https://wns2-par02p.notify.windows.com/w/?token=x',
    'https://push.example.org/x',
    'http://127.0.0.1:8080/x',
  ]) {
    expect(fault(good), good).toBeNull()
  }
  for (const bad of [
    'http://fcm.googleapis.com/x',
    'http://push.example.org/x',
    'https://127.0.0.1/x',
    'http://127.0.0.1:7401/v1/cluster',
    'https://fcm.googleapis.com.example.org/x',
    'https://notfcm.googleapis.com/x',
    'https://fcm.googleapis.com@10.0.0.1/x',
    'https://169.254.169.254/latest',
    'file:///etc/passwd',
  ]) {
    expect(fault(bad), bad).toContain('must be https:')
  }
})

test('[PU5] [PU6] what is wrong with a file or an address is said at the start', async () => {
  expect(await readPushSettings({}, clock)).toBeNull()
  const short = await file('short', 'secret')
  const good = await file('secret', 's'.repeat(32))
  const noKeys = await file('none.json', '{}')
  const badKeys = await file('bad.json', JSON.stringify({ publicKey: 'x', privateKey: 'y' }))
  const keyFile = await file('vapid.json', JSON.stringify(keys))
  const url = 'https://hook.example.org/'
  const wrong = [
    [{ webhook: { url, secretFile: short } }, 'at least 32 bytes'],
    [{ webhook: { url: 'hook', secretFile: good } }, '--push-webhook-url'],
    [{ webhook: { url, secretFile: join(folder, 'missing') } }, 'cannot read'],
    [{ web: { keyFile: noKeys, subject } }, 'generate-vapid-keys'],
    [{ web: { keyFile: badKeys, subject } }, badKeys],
    [{ web: { keyFile, subject: 'ops' } }, '--push-vapid-subject'],
  ] as const
  for (const [options, message] of wrong) {
    const read = readPushSettings(options, clock)
    await expect(read, message).rejects.toThrow(StartError)
    await expect(readPushSettings(options, clock)).rejects.toThrow(message)
  }
})
