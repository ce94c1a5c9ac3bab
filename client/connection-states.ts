import { assert } from './assert.ts'

/**
 * The life of a connection as a table, so that the compiler shows every state an answer to every
 * event. `never` marks what cannot happen: events of a socket that was given up are dropped before.
 */
export type ConnectionState = 'idle' | 'waiting' | 'opening' | 'greeting' | 'online' | 'closed'

export type ConnectionEvent =
  /** Open now: the first time, when a wait is over, or because there is suddenly work. */
  | 'open'
  | 'opened'
  | 'greeted'
  /** The socket closed, fell silent or was sent away for now. */
  | 'lost'
  /** Sent away for good. */
  | 'refused'
  | 'close'

type Next = ConnectionState | 'ignore' | 'never'

export const CONNECTION_TABLE: Readonly<
  Record<ConnectionState, Readonly<Record<ConnectionEvent, Next>>>
> = {
  idle: {
    open: 'opening',
    opened: 'never',
    greeted: 'never',
    lost: 'never',
    refused: 'never',
    close: 'closed',
  },
  waiting: {
    open: 'opening',
    opened: 'never',
    greeted: 'never',
    lost: 'never',
    refused: 'never',
    close: 'closed',
  },
  opening: {
    open: 'ignore',
    opened: 'greeting',
    greeted: 'never',
    lost: 'waiting',
    refused: 'closed',
    close: 'closed',
  },
  greeting: {
    open: 'ignore',
    opened: 'never',
    greeted: 'online',
    lost: 'waiting',
    refused: 'closed',
    close: 'closed',
  },
  online: {
    open: 'ignore',
    opened: 'never',
    greeted: 'never',
    lost: 'waiting',
    refused: 'closed',
    close: 'closed',
  },
  closed: {
    open: 'ignore',
    opened: 'ignore',
    greeted: 'ignore',
    lost: 'ignore',
    refused: 'ignore',
    close: 'ignore',
  },
}

/** The next state, `null` if the event changes nothing. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState | null {
  const next = CONNECTION_TABLE[state][event]
  if (next === 'ignore') return null
  assert(next !== 'never', `${event} while ${state}`)
  return next
}
