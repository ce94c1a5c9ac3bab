import { expect, it } from 'vitest'
import { encodeBody } from '#protocol'
import { formatMark } from '../gateway/mark.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { event } from '../gateway/testing/samples.ts'
import { defineHttpMetrics } from '../metrics/http-metrics.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { eventRoutes } from './event-routes.ts'
import { HttpApi } from './http-api.ts'

it('[HT7] a page is bounded by bytes, and goes on without a hole', async () => {
  const http = new HttpApi({
    routes: eventRoutes(),
    version: '0',
    logger: new RecordingLogger(),
    metrics: defineHttpMetrics(new MetricsRegistry()),
  })
  const { gateway, backend } = fixture(
    { maxPageBytes: 250 },
    { onRequest: (request, context) => http.handle(request, context) },
  )
  const { state, epoch } = backend
  const sizes = [1, 1, 1, 5, 1]
  state.feed = sizes.map((size, at) => ({
    ...{ number: at + 1, conv: 'c1', seq: at + 1 },
    event: event(at + 1, { body: encodeBody('x'.repeat(size * 100)) }),
  }))
  state.feedHead = 5
  const pages: number[][] = []
  for (let after = formatMark(epoch, 0), more = true; more;) {
    const query = new URLSearchParams({ after })
    const request = httpRequest({ method: 'GET', path: '/v1/events', query })
    const answer = await gateway.handlers.onRequest(request)
    const page = JSON.parse(answer.body) as {
      events: { seq: number; cursor: string }[]
      next: string
      hasMore: boolean
    }
    pages.push(page.events.map(({ seq }) => seq))
    expect(page.next).toBe(page.events.at(-1)?.cursor)
    after = page.next
    more = page.hasMore
  }
  // One event always fits.
  expect(pages).toEqual([[1, 2], [3], [4], [5]])
})
