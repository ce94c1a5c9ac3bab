import type { RetentionBounds } from '../history/features.ts'

/** What may be drawn for a run beyond messages between its devices. */
export const FEATURE_KINDS = [
  'message',
  'edit',
  'recall',
  'react',
  'page',
  'ack',
  'receipts',
  'sync',
  'signal',
  'member',
  'retention',
  'block',
  'move',
  'feed',
  'erase',
  'settings',
] as const
export type FeatureKind = (typeof FEATURE_KINDS)[number]

/** One thing that a device tries, at `atMs` after the conversations were made; `room` counts those from 0. */
export type FeatureOperation = { readonly atMs: number; readonly device: string } & (
  | {
      readonly kind: 'message'
      readonly room: number
      readonly large: boolean
      /** Bytes added to the body. */
      readonly padding: number
    }
  | {
      readonly kind: 'edit' | 'recall' | 'react'
      readonly room: number
      /** How far before the newest message that it knows there. */
      readonly back: number
      /** A message of anybody, not of its own user: mostly to be refused. */
      readonly foreign: boolean
    }
  | {
      readonly kind: 'page'
      readonly room: number
      readonly back: number
      readonly linearizable: boolean
    }
  | {
      readonly kind: 'ack'
      readonly room: number
      /** How far before the newest that it was shown; negative: beyond it. */
      readonly back: number
      readonly read: boolean
    }
  | { readonly kind: 'receipts' | 'signal'; readonly room: number }
  /** From where it is; `anew`: from the beginning. */
  | { readonly kind: 'sync'; readonly anew: boolean }
  /** By the owner: takes the user out, or in again. */
  | {
      readonly kind: 'member'
      readonly room: number
      readonly user: string
      readonly joins: boolean
    }
  | { readonly kind: 'retention'; readonly room: number; readonly bounds: RetentionBounds }
  /** The other side of the direct conversation. */
  | { readonly kind: 'block'; readonly on: boolean }
  | { readonly kind: 'move' }
  /** The next page of the feed of all conversations, from any node. */
  | { readonly kind: 'feed'; readonly limit: number }
  | { readonly kind: 'erase'; readonly user: string }
  | { readonly kind: 'settings'; readonly changes: Readonly<Record<string, number>> }
)
