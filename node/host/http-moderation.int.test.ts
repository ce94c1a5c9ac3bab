import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { httpModeration } from './http-moderation.ts'

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/judge`
}

it('[FI2] asks by POST and takes the verdict', async () => {
  const url = await served((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += String(chunk)))
    request.on('end', () => {
      const { ask } = JSON.parse(text) as { ask: string }
      const isRight = request.method === 'POST' && /json/.test(request.headers['content-type']!)
      response.end(JSON.stringify({ verdict: isRight ? ask : 'wrong' }))
    })
  })
  const hook = httpModeration(url)
  expect(await hook.judge('{"ask":"accept"}', 2_000)).toBe('accept')
  expect(await hook.judge('{"ask":"refuse"}', 2_000)).toBe('refuse')
  await expect(hook.judge('{"ask":"maybe"}', 2_000)).rejects.toThrow('without a verdict')
})

it('[FI3] anything but a verdict is none', async () => {
  const answers: [RequestListener, RegExp][] = [
    [(_, response) => response.writeHead(500).end('{"verdict":"accept"}'), /answers 500/],
    [(_, response) => response.writeHead(302, { location: '/' }).end(), /fetch failed/],
    [(_, response) => response.end('accept'), /without a verdict/],
    [(_, response) => response.end(`{"verdict":"accept","why":"${'x'.repeat(5_000)}"}`), /without/],
    [(_, response) => response.destroy(), /fetch failed/],
  ]
  for (const [answer, words] of answers) {
    const hook = httpModeration(await served(answer))
    await expect(hook.judge('{}', 60_000), String(words)).rejects.toThrow(words)
  }
  const mute = httpModeration(await served(() => {}))
  await expect(mute.judge('{}', 300)).rejects.toThrow(/timeout/)
})

it('[FI2] needs an address that is one', () => {
  expect(() => httpModeration('ftp://x')).toThrow(/--moderation-url must be http/)
  expect(() => httpModeration('x')).toThrow(/--moderation-url must be http/)
})
