import { setTimeout as sleep } from 'node:timers/promises'
import type { MembersView, Preflight } from '#node'
import { bytesText } from '../byte-size.ts'
import { longDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note } from '../output.ts'
import { type AdminCall, adminCall } from './admin-call.ts'
import { adminCallOf, type OperatorFlags } from './operator-flags.ts'

const LOOK_MS = 500
/** How long a node may take for one answer, whatever the change takes. */
const ANSWER_MS = 20_000
/** A change that nobody took up is forgotten by a new leader: it is asked for again. */
const AGAIN_MS = 3_000

/** What the commands about members ask of a cluster. */
export class MembersClient {
  readonly #call: AdminCall
  readonly #deadlineMs: number

  constructor(flags: OperatorFlags) {
    const call = adminCallOf(flags)
    this.#call = { ...call, timeoutMs: Math.min(call.timeoutMs, ANSWER_MS) }
    this.#deadlineMs = performance.now() + flags.timeout
  }

  members(): Promise<MembersView> {
    return this.#ask<MembersView>('/v1/cluster/members')
  }

  preflight(
    action: string,
    node: string | null,
    more: Record<string, string> = {},
  ): Promise<Preflight> {
    const query = new URLSearchParams({ action, ...(node === null ? {} : { node }), ...more })
    return this.#ask<Preflight>(`/v1/cluster/preflight?${query.toString()}`)
  }

  /**
   * Asks for a change until it shows that it is done, and says how far it has come. Asking again is
   * harmless: what is done already is not begun anew.
   *
   * @throws CliError if it is refused, or not done in time
   */
  async change(
    ask: () => Promise<MembersView>,
    isDone: (view: MembersView) => boolean,
    of: Changed,
  ): Promise<MembersView> {
    let view = await ask()
    let askedMs = performance.now()
    let said = ''
    while (!isDone(view)) {
      if (performance.now() >= this.#deadlineMs) throw this.#late(view, of)
      const progress = progressOf(view, of)
      if (progress !== said) note(`parley: ${progress}`)
      said = progress
      await sleep(LOOK_MS)
      try {
        view = await this.members()
        if (isDone(view) || !isForgotten(view, of) || performance.now() - askedMs < AGAIN_MS)
          continue
        view = await this.#askAgain(ask, isDone)
        askedMs = performance.now()
      } catch (error) {
        // An election, or a change that is being committed: it is asked again.
        if (!(error instanceof CliError) || error.exitCode === ExitCode.refused) throw error
        if (performance.now() >= this.#deadlineMs) throw error
      }
    }
    return view
  }

  post(path: string, body: object, ifMatch?: string): Promise<MembersView> {
    return this.#ask<MembersView>(path, { body, ifMatch })
  }

  remove(name: string, ifMatch?: string): Promise<MembersView> {
    const path = `/v1/cluster/members/${encodeURIComponent(name)}`
    return this.#ask<MembersView>(path, { method: 'DELETE', ifMatch })
  }

  async #ask<T>(
    path: string,
    more: { body?: object; method?: 'DELETE'; ifMatch?: string | undefined } = {},
  ): Promise<T> {
    return (await adminCall(path, { ...this.#call, ...more })) as T
  }

  /** What was done a moment ago may be refused by now: there is nothing left to do. */
  async #askAgain(
    ask: () => Promise<MembersView>,
    isDone: (view: MembersView) => boolean,
  ): Promise<MembersView> {
    try {
      return await ask()
    } catch (error) {
      const view = await this.members()
      if (isDone(view)) return view
      throw error
    }
  }

  #late(view: MembersView, of: Changed): CliError {
    const message = `${progressOf(view, of)}; it goes on, and the same command waits for it again`
    return new CliError(ExitCode.outcomeUnknown, `not done in time: ${message}`)
  }
}

interface Changed {
  readonly name: string
  readonly isLeaving?: boolean
}

/** Neither under way nor waiting: a new leader knows nothing of what was asked of the last one. */
function isForgotten({ asked, members }: MembersView, { name, isLeaving }: Changed): boolean {
  if (isLeaving === true) return true
  return (
    !asked.includes(name) && !members.some((one) => one.name === name && one.role === 'learner')
  )
}

function progressOf(view: MembersView, { name, isLeaving = false }: Changed): string {
  if (isLeaving) return `${name} is being removed`
  const member =
    view.members.find((one) => one.name === name && one.role === 'learner') ??
    view.members.find((one) => one.name === name)
  if (member === undefined || (member.role === 'voter' && view.asked.includes(name))) {
    return `waiting for ${name} to answer with an empty directory`
  }
  if (member.role === 'voter') return `${name} votes`
  switch (member.phase) {
    case 'unreachable':
      return `${name} does not answer: is it running?`
    case 'snapshot':
      return `${name} is getting a snapshot: ${bytesText(member.snapshotBytes ?? 0)} so far`
    default:
      return member.stuckMs > 30_000
        ? `${name} has taken in nothing for ${longDuration(member.stuckMs)}: see its log`
        : `${name} is catching up: ${member.lag ?? '?'} entries to go`
  }
}
