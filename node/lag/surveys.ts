import { assert, type Clock } from '#cluster'
import type { StateReader } from '../state-machine/types.ts'
import { SlicePacer } from '../store/slice-pacer.ts'
import { ConversationSurvey } from './conversation-survey.ts'
import { InboxSurvey } from './inbox-survey.ts'
import type { ConversationLag, DeviceLag, LagKind, Survey, UserLag } from './survey.ts'

/** Whoever asks while one is this young gets the same. */
const FRESH_MS = 2_000
/** One that nobody asked for so long is begun anew. */
const STALE_MS = 60_000
/** Of different kinds, under way or fresh. */
const MOST_SURVEYS = 4

/**
 * After each page, a millisecond of work or less, a pause as long as it took, most of which is spent on
 * reads: about a fifth of the thread, and less on a node that has much to do.
 */
const PACE = { sliceMs: 0, pauseFactor: 1 }

export interface LagWanted {
  readonly by: LagKind
  readonly top: number
  /** Of devices and users: only who was heard of in so many ms of log time; `null`: all. */
  readonly seenWithinMs: number | null
}

type Lag = UserLag | DeviceLag | ConversationLag

export type LagRow = Lag & {
  /** Wall time in ms of the oldest event that is lacking, for display; `null`: it is kept no more. */
  readonly oldestAt: number | null
}

export interface LagReport {
  readonly by: LagKind
  /** The furthest behind first. */
  readonly rows: readonly LagRow[]
  readonly looked: number
  readonly total: number
  /** All were looked at; else the rows are those of the ones looked at so far. */
  readonly isWhole: boolean
  /** How long ago the first and the last of them were looked at, in ms. */
  readonly begunMs: number
  readonly endedMs: number
}

interface Running {
  readonly survey: Survey
  readonly beganMs: number
  endedMs: number | null
  touchedMs: number
  /** Somebody waits for it and has it made. */
  driving: Promise<void> | null
}

/**
 * Surveys of who is how far behind, for operators who ask. None is made while nobody waits: a call has
 * it go on for as long as it waits itself, and the next one goes on there.
 */
export class LagSurveys {
  readonly #clock: Clock
  readonly #state: StateReader
  readonly #surveys = new Map<string, Running>()

  constructor(clock: Clock, state: StateReader) {
    this.#clock = clock
    this.#state = state
  }

  /** What is known after `waitMs` at the latest. */
  async report(wanted: LagWanted, waitMs: number): Promise<LagReport> {
    const running = this.#running(wanted)
    if (running.endedMs === null) {
      running.driving ??= this.#drive(running, waitMs)
      await running.driving
    }
    const { survey } = running
    const rows = rowsOf(survey, wanted.by).slice(0, wanted.top)
    const shown: LagRow[] = []
    for (const row of rows) shown.push({ ...row, oldestAt: await this.#oldestAt(row) })
    const now = this.#clock.monotonicMs()
    const isWhole = running.endedMs !== null
    return {
      ...{ by: wanted.by, rows: shown, looked: survey.looked, total: survey.total, isWhole },
      begunMs: Math.round(now - running.beganMs),
      endedMs: Math.round(now - (running.endedMs ?? now)),
    }
  }

  #running({ by, seenWithinMs }: LagWanted): Running {
    const now = this.#clock.monotonicMs()
    const kind = by === 'conversation' ? by : `inbox ${seenWithinMs}`
    const known = this.#surveys.get(kind)
    this.#surveys.delete(kind)
    const isGood =
      known !== undefined &&
      (known.driving !== null ||
        (known.endedMs === null
          ? now - known.touchedMs < STALE_MS
          : now - known.endedMs < FRESH_MS))
    const running = isGood ? known : this.#begin(by, seenWithinMs, now)
    running.touchedMs = now
    // The one that was asked for last stands last.
    this.#surveys.set(kind, running)
    const [oldest] = this.#surveys.keys()
    if (this.#surveys.size > MOST_SURVEYS) this.#surveys.delete(oldest!)
    return running
  }

  #begin(by: LagKind, seenWithinMs: number | null, now: number): Running {
    const since = seenWithinMs === null ? null : this.#state.logTime - seenWithinMs
    const survey =
      by === 'conversation'
        ? new ConversationSurvey(this.#state)
        : new InboxSurvey(this.#state, since)
    return { survey, beganMs: now, endedMs: null, touchedMs: now, driving: null }
  }

  async #drive(running: Running, waitMs: number): Promise<void> {
    const until = this.#clock.monotonicMs() + waitMs
    const pacer = new SlicePacer(this.#clock, PACE)
    let isOver = false
    try {
      while (!isOver && (await running.survey.step())) {
        if (pacer.due()) await pacer.pause()
        isOver = this.#clock.monotonicMs() >= until
      }
      if (!isOver) running.endedMs = this.#clock.monotonicMs()
    } catch (error) {
      // What it was about to look at it would leave out.
      for (const [kind, known] of this.#surveys) if (known === running) this.#surveys.delete(kind)
      throw error
    } finally {
      running.driving = null
    }
  }

  async #oldestAt(row: Lag): Promise<number | null> {
    if ('conv' in row) {
      const page = await this.#state.allEventsAfter(row.conv, row.oldest - 1, 1)
      return page?.events[0]?.at ?? null
    }
    const { entries } = await this.#state.inboxAfter(row.user, row.inbox, 1)
    return entries[0]?.event?.at ?? null
  }
}

function rowsOf(survey: Survey, by: LagKind): readonly Lag[] {
  if (survey instanceof ConversationSurvey) return survey.conversations.rows
  assert(survey instanceof InboxSurvey && by !== 'conversation', `a survey by ${by}`)
  return by === 'user' ? survey.users.rows : survey.devices.rows
}
