/** What is wrong with a file that was said to be a backup. */
export type BackupFault =
  /** It ends before its end marker: the copying was cut off. */
  | 'truncated'
  /** A checksum, a length or a count is wrong. */
  | 'damaged'
  /** A newer version wrote it. */
  | 'newer'
  /** It is something else. */
  | 'foreign'

/** The file cannot be used as a backup. Nothing of it may be; nothing was written. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
  readonly code = 'BACKUP_UNUSABLE'
  readonly fault: BackupFault

  constructor(fault: BackupFault, what: string, options?: ErrorOptions) {
    super(`${SENTENCES[fault]}: ${what}`, options)
    this.fault = fault
  }
}

const SENTENCES: Readonly<Record<BackupFault, string>> = {
  truncated: 'the backup is cut off, take another one',
  damaged: 'the backup is damaged, take another one',
  newer: 'a newer version of Parley wrote this backup, use that one to read it',
  foreign: 'this is no backup of Parley',
}
