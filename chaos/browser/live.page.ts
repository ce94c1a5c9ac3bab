// What a test has a page do with the SDK: everything here is on `globalThis` there.
import { ChatClient } from '#client'
import { LevelStore } from '#client/store'
import { LIVE_CASES } from '../../client/testing/live-cases.ts'

let names = 0

/** Runs one case. @throws Error as it does. */
export async function runLiveCase(title: string, urls: readonly string[], prefix: string) {
  const found = LIVE_CASES.find((each) => each.title === title)
  if (found === undefined) throw new Error(`no case ${title}`)
  await found.run({
    urls,
    newName: (name) => `${prefix}-${name}${(names += 1)}`,
    store: (name) => new LevelStore(name),
  })
}

/** Connects with the store of that name; the code of what it was refused with, or `connected`. */
export async function tryStore(url: string, user: string, name: string): Promise<string> {
  try {
    const store = new LevelStore(name)
    await ChatClient.connect({ urls: [url], user, device: `${user}-tab`, store })
    return 'connected'
  } catch (error) {
    return (error as { code: string }).code
  }
}
