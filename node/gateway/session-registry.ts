import { assert } from '#cluster'
import type { Session } from './session.ts'

/** Open sessions of this node by user: at most one per (user, device) (rule B4). */
export class SessionRegistry {
  readonly #byUser = new Map<string, Session[]>()
  readonly #onChange: ((user: string, device: string) => void) | null
  #size = 0

  /** `onChange`: the device has a session here from now on, or has none any more. */
  constructor(onChange: ((user: string, device: string) => void) | null = null) {
    this.#onChange = onChange
  }

  get size(): number {
    return this.#size
  }

  /** Users with a session here. */
  get users(): number {
    return this.#byUser.size
  }

  forEachUser(visit: (user: string, sessions: readonly Session[]) => void): void {
    this.#byUser.forEach((sessions, user) => visit(user, sessions))
  }

  /** All of a user's sessions here, `undefined` (not empty) if there is none. */
  of(user: string): readonly Session[] | undefined {
    return this.#byUser.get(user)
  }

  has(user: string, device: string): boolean {
    return this.#byUser.get(user)?.some((session) => session.device === device) ?? false
  }

  /** Adds the session and returns the one it replaces, already removed. */
  add(session: Session): Session | null {
    const sessions = this.#byUser.get(session.user)
    this.#size++
    this.#onChange?.(session.user, session.device)
    if (sessions === undefined) {
      this.#byUser.set(session.user, [session])
      return null
    }
    const older = sessions.findIndex((one) => one.device === session.device)
    if (older === -1) {
      sessions.push(session)
      return null
    }
    const replaced = sessions[older] as Session
    assert(replaced !== session, 'a session is registered once')
    sessions[older] = session
    this.#size--
    return replaced
  }

  /** Does nothing for a session that was replaced: its place belongs to the newer one. */
  remove(session: Session): void {
    const sessions = this.#byUser.get(session.user)
    const at = sessions?.indexOf(session) ?? -1
    if (sessions === undefined || at === -1) return
    if (sessions.length === 1) this.#byUser.delete(session.user)
    else sessions.splice(at, 1)
    this.#size--
    this.#onChange?.(session.user, session.device)
  }
}
