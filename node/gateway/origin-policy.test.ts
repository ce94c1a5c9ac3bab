import { describe, expect, it } from 'vitest'
import { fixture } from './testing/fixture.ts'
import { requestHead } from './testing/memory-connection.ts'
import { originRefusal, type OriginPolicyOptions } from './origin-policy.ts'

const DEV: OriginPolicyOptions = { dev: true, allowedOrigins: [], allowedHosts: [] }
const OPEN: OriginPolicyOptions = {
  dev: false,
  allowedOrigins: ['https://app.example.org'],
  allowedHosts: ['n1.example.org', 'n1'],
}

const admitted = (host: string | null, origin: string | null, options: OriginPolicyOptions) =>
  originRefusal(requestHead({ host, origin }), options) === null

describe('origin policy', () => {
  it.each([
    ['127.0.0.1:7401', null, true],
    ['localhost:7401', null, true],
    ['LOCALHOST:7401', null, true],
    ['[::1]:7401', null, true],
    ['127.0.0.1:7402', null, false],
    ['127.0.0.1', null, false],
    ['10.0.0.1:7401', null, false],
    ['evil.example:7401', null, false],
    ['localhost.evil.example:7401', null, false],
    ['127.0.0.1.evil.example:7401', null, false],
    ['127.0.0.1:7401@evil.example', null, false],
    ['[::1', null, false],
    ['', null, false],
    [null, null, false],
    ['127.0.0.1:7401', 'http://127.0.0.1:7401', true],
    ['127.0.0.1:7401', 'http://localhost:7401', true],
    ['127.0.0.1:7401', 'https://localhost:7401', false],
    ['127.0.0.1:7401', 'http://localhost:3000', false],
    ['127.0.0.1:7401', 'http://evil.example', false],
    ['127.0.0.1:7401', 'http://localhost:7401.evil.example', false],
    ['127.0.0.1:7401', 'null', false],
    ['evil.example:7401', 'http://evil.example:7401', false],
  ])('[GW1] in dev mode: Host %s, Origin %s → %s', (host, origin, expected) => {
    expect(admitted(host, origin, DEV)).toBe(expected)
  })

  it('[GW1] in dev mode an origin that is listed may connect', () => {
    const options = { ...DEV, allowedOrigins: ['http://localhost:3000'] }
    expect(admitted('127.0.0.1:7401', 'http://localhost:3000', options)).toBe(true)
    expect(admitted('127.0.0.1:7401', 'http://localhost:3001', options)).toBe(false)
  })

  it.each([
    ['n1.example.org', null, true],
    ['N1.Example.Org:443', null, true],
    ['n1:7401', null, true],
    ['10.0.0.1:31234', null, true],
    ['[fd00::1]:7401', null, true],
    ['n2:7401', null, false],
    ['n1.example.org.evil.example', null, false],
    ['n1.example.org', 'https://app.example.org', true],
    ['n1.example.org', 'http://app.example.org', false],
    ['n1.example.org', 'https://evil.example', false],
    ['n1:7401', 'http://n1:7401', true],
    ['n1:7401', 'http://n1:7402', false],
    ['n1', 'http://n1.example.org', false],
  ])('[GW1] in production: Host %s, Origin %s → %s', (host, origin, expected) => {
    expect(admitted(host, origin, OPEN)).toBe(expected)
  })

  it('[GW1] answers 403 with a sentence, upgrades and calls alike', () => {
    const { gateway } = fixture()
    for (const upgrade of [true, false]) {
      const head = requestHead({ origin: 'http://evil.example' })
      const refusal = gateway.handlers.admit(head, upgrade)
      expect(refusal).toMatchObject({ status: 403, contentType: 'application/problem+json' })
      expect(refusal?.body).toContain('evil.example')
      expect(gateway.handlers.admit(requestHead(), upgrade)).toBeNull()
    }
  })

  it('[GW6] refuses upgrades past the number of connections a node takes', async () => {
    const { gateway, connect } = fixture({ maxConnections: 2 })
    connect()
    const second = connect()
    const refusal = gateway.handlers.admit(requestHead(), true)
    expect(refusal).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(gateway.handlers.admit(requestHead(), false)).toBeNull()
    second.onClose(1006)
    expect(gateway.handlers.admit(requestHead(), true)).toBeNull()
  })
})
