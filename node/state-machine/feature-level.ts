import { type CommandView } from './command-view.ts'
import { CommandKind, type Submission } from './commands.ts'
import { SETTINGS, type SettingName, type SettingsChanges } from './settings.ts'

/**
 * Feature levels that this version can do. Level 1 is everything before there were levels; what came
 * later says below which level it belongs to. The level of a cluster stands in its replicated state and
 * is raised by a command (rule A9): until then nothing of a higher level gets into the log or a
 * snapshot, so an older version can still read both.
 *
 * - 2: the level itself, and the setting `amendWithinMs`.
 */
export const FEATURE_LEVELS = { min: 1, max: 2 } as const

/** What a command in the log needs: every node that applies it can do that level. */
export function levelOf(view: CommandView): number {
  if (view.kind === CommandKind.level) return Math.max(2, view.level())
  return view.kind === CommandKind.settings ? levelOfSettings(view.settingsChanges()) : 1
}

/** The same, before it is encoded. */
export function levelOfSubmission(submission: Submission): number {
  if (submission.kind === CommandKind.level) return Math.max(2, submission.level)
  return submission.kind === CommandKind.settings ? levelOfSettings(submission.changes) : 1
}

export function levelOfSettings(changes: SettingsChanges): number {
  let level = 1
  for (const name of Object.keys(changes) as SettingName[]) {
    level = Math.max(level, SETTINGS[name].level)
  }
  return level
}

/** This node cannot go on: what it would have to apply is of a later version (rule A9). */
export class LevelTooHighError extends Error {
  override readonly name = 'LevelTooHighError'

  constructor(level: number, most: number) {
    super(
      `the cluster is at feature level ${level}, and this version can do ${most}: the node was started with an older version after the upgrade was finalized; start it with the newer one, its data is whole`,
    )
  }
}
