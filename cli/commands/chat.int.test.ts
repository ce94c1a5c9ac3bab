import { expect, test } from 'vitest'
import { devClusterOfTests } from '../dev/testing/dev-cluster-of-tests.ts'
import { parley } from '../dev/testing/dev-process.ts'

const { path: directory, run } = devClusterOfTests()

test('a message is sent once, however often it is sent under its id', async () => {
  const send = (text: string) =>
    run('send', '--as', 'ann', '--to', 'ben', '--id', 'm-1', '--json', text)
  const first = await send('once')
  expect(first.code).toBe(0)
  const { conversation } = JSON.parse(first.stdout) as { conversation: string }
  expect(JSON.parse(first.stdout)).toMatchObject({ msgId: 'm-1', seq: 1, duplicate: false })
  // Long enough that the second process begins at a later log time than the first result has.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(JSON.parse((await send('once')).stdout)).toMatchObject({
    conversation,
    seq: 1,
    duplicate: true,
  })
  const other = await send('something else')
  expect(other.code).toBe(5)
  expect(JSON.parse(other.stdout)).toMatchObject({
    error: { code: 'PAYLOAD_MISMATCH', retryable: false, outcome: 'notApplied', msgId: 'm-1' },
  })
  expect(other.stderr).toContain('PAYLOAD_MISMATCH')
})

test('what the cluster refuses for good has an exit code of its own', async () => {
  const unknown = await run('send', '--as', 'ann', '--conv', 'c_none', 'hello')
  expect(unknown).toMatchObject({ code: 5, stderr: expect.stringContaining('GROUP_NOT_FOUND') })
  const sent = await run('send', '--as', 'cem', '--to', 'dora', '--json', 'private')
  const { conversation } = JSON.parse(sent.stdout) as { conversation: string }
  const stranger = await run('send', '--as', 'eve', '--conv', conversation, 'let me in')
  expect(stranger).toMatchObject({ code: 5, stderr: expect.stringContaining('NOT_MEMBER') })
  expect((await run('tail', '--as', 'eve', '--conv', conversation, '--no-follow')).code).toBe(5)
})

test('tail prints the newest messages, as many as asked for, as text or JSON', async () => {
  for (const text of ['one', 'two', 'three']) await run('send', '--as', 'fay', '--to', 'gus', text)
  const newest = await run('tail', '--as', 'gus', '--no-follow', '-n', '2', '--json')
  const bodies = newest.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { body: string }).body)
  expect(bodies).toEqual(['two', 'three'])
  expect((await run('tail', '--as', 'gus', '--no-follow', '-n', '0')).stdout).toBe('')
})

test('control characters of others do not reach the terminal', async () => {
  await run('send', '--as', 'mal', '--to', 'hal', 'red \u001b[31m alert\u202e\nnext')
  const { stdout } = await run('tail', '--as', 'hal', '--no-follow')
  expect(stdout).toContain(String.raw`mal: red \u001b[31m alert\u202e⏎next`)
})

test('without a cluster the commands say how to get one', async () => {
  const { code, stderr } = await parley(
    ['send', '--as', 'a', '--to', 'b', 'x', '--url', 'http://127.0.0.1:9', '--timeout', '500ms'],
    directory,
  )
  expect(code).toBe(1)
  expect(stderr).toContain('TIMEOUT')
})

test('tail says that there is nothing, and what an answer answers', async () => {
  const nobody = await run('tail', '--as', 'nobody', '--no-follow')
  expect(nobody).toEqual({ code: 0, stdout: '', stderr: 'parley: nobody is in no conversation\n' })
  await run('send', '--as', 'ida', '--to', 'joe', 'lunch?')
  await run('send', '--as', 'joe', '--to', 'ida', '--reply-to', '1', 'yes')
  expect((await run('tail', '--as', 'ida', '--no-follow')).stdout).toContain('joe (to 1): yes')
})

test('send needs one address, a person or a conversation', async () => {
  expect((await run('send', '--as', 'a', 'x')).code).toBe(64)
  expect((await run('send', '--as', 'a', '--to', 'b', '--conv', 'c', 'x')).code).toBe(64)
})
