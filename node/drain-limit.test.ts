import { expect, test } from 'vitest'
import { limitedDrain } from './drain-limit.ts'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { RecordingLogger } from './gateway/testing/recording-logger.ts'

function drainOf(drain: () => Promise<void>) {
  const clock = new ManualClock()
  const limited = limitedDrain({ clock, logger: new RecordingLogger(), drain })
  const nothing = new Promise<null>((resolve) => setImmediate(() => resolve(null)))
  return { clock, limited, given: () => Promise.race([limited.gaveUp, nothing]) }
}

test('[DR1] what holds a drain up for ever is not waited for beyond 30 s', async () => {
  const { clock, limited, given } = drainOf(() => new Promise(() => {}))
  void limited.drain()
  await clock.advance(29_999)
  expect(await given()).toBeNull()
  await clock.advance(1)
  expect((await limited.gaveUp).message).toMatch(/^not gone after 30 s/)
})

test('[DR1] one that ended in time is not given up later', async () => {
  const { clock, limited, given } = drainOf(() => Promise.resolve())
  await limited.drain()
  await clock.advance(60_000)
  expect(await given()).toBeNull()
})
