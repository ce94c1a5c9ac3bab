import { expect, test } from 'vitest'
import { formatMembers, parseMembers } from './initial-members.ts'

test('reads and writes names, client addresses and peer addresses', () => {
  const text = 'n1=127.0.0.1:7401/127.0.0.1:7501,n-2=[::1]:7402/chat.example:7502'
  const members = parseMembers(text)
  expect(members).toEqual([
    { name: 'n1', clientUrl: 'http://127.0.0.1:7401', peerAddress: '127.0.0.1:7501' },
    { name: 'n-2', clientUrl: 'http://[::1]:7402', peerAddress: 'chat.example:7502' },
  ])
  expect(formatMembers(members)).toBe(text)
  const safe = 'n1=https://chat.example:7401/10.0.0.1:7501'
  expect(parseMembers(safe)[0]?.clientUrl).toBe('https://chat.example:7401')
  expect(formatMembers(parseMembers(safe))).toBe(safe)
})

test.each([
  ['', '"" is not name='],
  ['n1=127.0.0.1:7401', 'is not name='],
  ['=a:1/a:2', '"" is not a name'],
  ['n 1=a:1/a:2', '"n 1" is not a name'],
  ['n1=a/a:2', '"a" is not host:port'],
  ['n1=a:0/a:2', '"a:0" is not host:port'],
  ['n1=a:1/a:70000', '"a:70000" is not host:port'],
  ['n1=a:1/a:2,n1=a:3/a:4', 'n1 appears twice'],
  ['n1=a:1/a:2,n2=a:3/a:2', 'a:2 appears twice'],
])('refuses %j', (text, message) => {
  expect(() => parseMembers(text)).toThrow(message)
})
