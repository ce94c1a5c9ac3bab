/** What an operator can do about the two errors that every disk may report one day. */
export const DISK_ADVICE = {
  EIO: 'the disk reports an error: check the kernel log and replace the disk or the node',
  ENOSPC: 'the disk is full: free some space, then start the node again',
} as const
