import { expect, test } from 'vitest'
import type { NodeSettings } from '../node-settings.ts'
import { settingsView } from './settings-view.ts'

test('[AD21] of what a node runs with nothing is shown that may be a secret', () => {
  const secret = 'hush-hush'
  const settings = {
    name: 'n1',
    listen: '127.0.0.1:1',
    peerListen: '127.0.0.1:2',
    dataDirectory: '/data',
    initialMembers: [{ name: 'n1', clientUrl: 'http://a:1', peerAddress: 'a:2', password: secret }],
    dev: false,
    version: '1',
    tokens: { secrets: [secret] },
    moderation: { hook: { url: secret }, timeoutMs: 5, onFailure: 'open', key: secret },
    push: { key: secret },
    whateverComesNext: secret,
    unsafeFailpoints: 'x=1',
  } as unknown as NodeSettings
  const view = settingsView(settings)
  expect(JSON.stringify(view)).not.toContain(secret)
  expect(view).toMatchObject({
    ...{
      name: 'n1',
      hasTokenKeys: true,
      hasPush: true,
      unsafeFailpoints: 'x=1',
      foundAlone: false,
    },
    moderation: { timeoutMs: 5, onFailure: 'open' },
    disk: { lowBytes: 512 * 1024 * 1024 },
  })
})
