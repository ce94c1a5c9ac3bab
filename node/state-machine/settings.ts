import { AssertionError } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

/** One setting: an integer from `least` to `most`. */
interface SettingInfo {
  /** Part of the log and store formats: never used again for another one. */
  readonly number: number
  readonly least: number
  readonly most: number
  readonly preset: number
  /** Of which feature level it is: an older version does not know it. */
  readonly level: number
  /** What it is, with its unit, for people. */
  readonly about: string
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * What apply compares against: replicated, equal on every node, never read from a node's own file
 * after formation (rule A9). Changed by a command; `most` keeps each where apply stays fast.
 */
export const SETTINGS = {
  windowMs: {
    number: 1,
    least: 1_000,
    most: 366 * DAY_MS,
    preset: DAY_MS,
    level: 1,
    about: 'how long results of writes are kept, in ms of log time',
  },
  groupMembers: {
    number: 2,
    least: 2,
    most: 1_000_000,
    preset: 100_000,
    level: 1,
    about: 'members that a group may have at one time, its creator included',
  },
  largeAbove: {
    number: 3,
    least: 2,
    most: 5_000,
    preset: 500,
    level: 1,
    about: 'with more members than these a group is large: its events take no inbox numbers',
  },
  smallBelow: {
    number: 4,
    least: 1,
    most: 5_000,
    preset: 400,
    level: 1,
    about: 'with fewer members than these a large group is small again',
  },
  inboxEntries: {
    number: 5,
    least: 128,
    most: 2 ** 32 - 1,
    preset: 100_000,
    level: 1,
    about: 'newest entries of an inbox that are kept, up to 128 more; older ones are a gap',
  },
  devices: {
    number: 6,
    least: 1,
    most: 256,
    preset: 32,
    level: 1,
    about: 'devices of one user whose cursors are kept, those most lately heard of',
  },
  deviceExpiryMs: {
    number: 7,
    least: 60_000,
    most: 3_660 * DAY_MS,
    preset: 90 * DAY_MS,
    level: 1,
    about: 'a device not heard of for so long is forgotten, in ms of log time',
  },
  feedEvents: {
    number: 16,
    least: 1_000,
    most: 1_000_000_000,
    preset: 1_000_000,
    level: 1,
    about: 'newest events of all conversations that the feed for backends keeps',
  },
  amendWithinMs: {
    number: 17,
    least: 0,
    most: 3_660 * DAY_MS,
    preset: 0,
    level: 2,
    about:
      'how long authors may edit or recall a message, in ms of log time; 0: for ever. Owners and admins recall at any time',
  },
} as const satisfies Record<string, SettingInfo>

export type SettingName = keyof typeof SETTINGS
export type Settings = { readonly [K in SettingName]: number }
export type SettingsChanges = Partial<Settings>

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[]

export const DEFAULT_SETTINGS = Object.fromEntries(
  SETTING_NAMES.map((name) => [name, SETTINGS[name].preset]),
) as Settings

/** Why `changes` may not be made, as a sentence; `null` if they may. */
export function settingsFault(changes: SettingsChanges): string | null {
  const names = SETTING_NAMES.filter((name) => changes[name] !== undefined)
  if (names.length === 0) return 'no setting is named'
  for (const name of names) {
    const { least, most } = SETTINGS[name]
    const value = changes[name]!
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      return `${name} must be an integer from ${least} to ${most}, not ${value}`
    }
  }
  return null
}

/** `varint count`, then per setting `u8 number`, `varint value`, in the order of the table. */
export function writeSettings(writer: ByteWriter, settings: SettingsChanges): void {
  const names = SETTING_NAMES.filter((name) => settings[name] !== undefined)
  writer.varint(names.length)
  for (const name of names) writer.u8(SETTINGS[name].number).varint(settings[name]!)
}

/** The mirror of `writeSettings`; `unknown` is told of a number that this node does not know. */
export function readSettings(
  reader: ByteReader,
  unknown: (number: number) => never,
): SettingsChanges {
  const changes: { [K in SettingName]?: number } = {}
  for (let left = reader.varint(); left > 0; left -= 1) {
    const number = reader.u8()
    const name = SETTING_NAMES.find((each) => SETTINGS[each].number === number)
    changes[name ?? unknown(number)] = reader.varint()
  }
  return changes
}

/**
 * What came after the first feature level and was never changed is left out: below its level an older
 * version has to read the state.
 */
export function encodeSettings(settings: Settings): Uint8Array {
  const writer = new ByteWriter()
  const isSaid = (name: SettingName) =>
    SETTINGS[name].level === 1 || settings[name] !== SETTINGS[name].preset
  const said = SETTING_NAMES.filter(isSaid).map((name) => [name, settings[name]])
  writeSettings(writer, Object.fromEntries(said) as SettingsChanges)
  return writer.toBytes()
}

/** What a state of an older version does not name has its preset. */
export function decodeSettings(bytes: Uint8Array): Settings {
  const reader = new ByteReader(bytes)
  const settings = readSettings(reader, (number) => {
    throw new AssertionError(`setting ${number} is unknown: this node is too old for the state`)
  })
  reader.end('the settings record')
  return { ...DEFAULT_SETTINGS, ...settings }
}
