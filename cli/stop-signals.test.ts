import { afterEach, expect, test, vi } from 'vitest'
import { onStopSignals } from './stop-signals.ts'

afterEach(() => {
  process.removeAllListeners('SIGUSR2')
  vi.useRealTimers()
})

test('an echo of the first signal is not a second one; what comes later is', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const asked: string[] = []
  onStopSignals(['SIGUSR2'], {
    stop: () => asked.push('stop'),
    stopNow: () => asked.push('now'),
  })
  process.emit('SIGUSR2')
  process.emit('SIGUSR2')
  vi.advanceTimersByTime(100)
  process.emit('SIGUSR2')
  expect(asked).toEqual(['stop'])
  vi.advanceTimersByTime(1_000)
  process.emit('SIGUSR2')
  expect(asked).toEqual(['stop', 'now'])
})
