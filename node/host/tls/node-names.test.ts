import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { testAuthority } from '../../identity/certificates/testing.ts'
import { nodeNames } from './node-names.ts'

const authority = testAuthority()
const certificate = (...names: string[]) => new X509Certificate(authority.issue(names).cert)

describe('[NI8] the nodes that a certificate names', () => {
  test('are those of parley:, else its host names', () => {
    expect(nodeNames(certificate('parley://n1', 'n7', 'parley://n2', '10.0.0.1'))).toEqual([
      'n1',
      'n2',
    ])
    expect(nodeNames(certificate('n7', 'chat.example', '10.0.0.1'))).toEqual(['n7', 'chat.example'])
    expect(nodeNames(certificate('https://n1', '10.0.0.1'))).toEqual([])
    expect(nodeNames({ subjectAltName: undefined })).toEqual([])
  })

  test('are those of the patterns alone, if there are any', () => {
    const names = (pattern: string, ...of: string[]) => nodeNames(certificate(...of), [pattern])
    expect(names('{name}.chat.example', 'n1.chat.example', 'parley://n2', 'n3')).toEqual(['n1'])
    expect(names('{name}.chat.example', 'a.n1.chat.example', 'n1.chat.example.evil')).toEqual([])
    // A dot of a pattern is a dot.
    expect(names('{name}.chat.example', 'n1.chatXexample', 'n1xchat.example')).toEqual([])
    expect(names('spiffe://corp/chat/{name}', 'spiffe://corp/chat/n1')).toEqual(['n1'])
    expect(names('spiffe://corp/chat/{name}', 'spiffe://corp/other/n1', 'n1')).toEqual([])
    expect(names('parley://prod/{name}', 'parley://n1', 'parley://test/n1')).toEqual([])
    expect(nodeNames(certificate('parley://a/n1', 'n2'), ['parley://a/{name}', '{name}'])).toEqual([
      'n1',
      'n2',
    ])
  })

  test('are not what one of its names holds that looks like two', () => {
    for (const name of [
      'https://x/, URI:parley://n1, y',
      'https://x/", URI:parley://n1, "',
      'https://x/\\", URI:parley://n1, "y',
      'parley://n1\u0000.evil',
      'parley://n1/..',
    ]) {
      expect(nodeNames(certificate(name))).toEqual([])
      expect(nodeNames(certificate(name, 'parley://n2'))).toEqual(['n2'])
      expect(nodeNames(certificate('parley://n2', name))).toEqual(['n2'])
    }
  })
})
