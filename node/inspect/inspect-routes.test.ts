import { expect, test } from 'vitest'
import { wireError } from '#protocol'
import { INSPECT_ROUTES } from '../admin/inspect-routes.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import type { HttpCall } from '../http/route.ts'

test('[IC6] that there is no such conversation says only a node that knows all of them', async () => {
  for (const route of INSPECT_ROUTES) {
    let answer: HttpCall['context'] | null = null
    const { backend, gateway } = fixture(
      {},
      {
        onRequest: async (request, context) => {
          answer = context
          return route.answer({ request, parameters: { id: 'g_new' }, context })
        },
      },
    )
    const ask = () => gateway.handlers.onRequest(httpRequest({ path: route.path }))
    // It lags: what was made elsewhere it does not know yet.
    backend.readIndexAnswer = { index: 11 }
    const asked = ask()
    await expect.poll(() => answer).not.toBeNull()
    const view = { id: 'g_new', kind: 'group', head: 0, firstSeq: 1, members: [] } as never
    backend.state.conversations.set('g_new', view)
    backend.state.events.set('g_new', [])
    backend.state.progressOf = async () =>
      (backend.state.conversations.get('g_new') ?? null) as never
    backend.apply(11)
    expect(await asked, route.path).toMatchObject({ status: 200 })
    // It knows all, and there is none.
    backend.state.conversations.clear()
    expect(await ask()).toMatchObject({ status: 404 })
    // It cannot know.
    backend.readIndexAnswer = { error: wireError('NO_LEADER', 'There is none.') }
    expect(await ask()).toMatchObject({ status: 503 })
  }
})
