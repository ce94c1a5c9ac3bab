import type { Logger } from '#cluster'

/** Keeps the events, in order. */
export class RecordingLogger implements Logger {
  readonly events: string[] = []
  debug = (event: string): void => void this.events.push(event)
  info = (event: string): void => void this.events.push(event)
  warn = (event: string): void => void this.events.push(event)
  error = (event: string): void => void this.events.push(event)
}
