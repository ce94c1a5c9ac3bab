import type { DevAction } from './dev-events.ts'

export interface KeyHandlers {
  readonly act: (action: DevAction, target?: string) => void
  readonly list: () => void
  readonly help: () => void
  readonly quit: () => void
}

/** Single keys in the terminal of `parley dev`. Returns the function that gives the terminal back. */
export function listenToKeys(input: NodeJS.ReadStream, handlers: KeyHandlers): () => void {
  const onData = (data: Buffer) => {
    for (const key of data.toString('utf8')) press(key, handlers)
  }
  input.setRawMode(true)
  input.on('data', onData)
  input.resume()
  return () => {
    input.off('data', onData)
    input.setRawMode(false)
    input.pause()
  }
}

function press(key: string, { act, list, help, quit }: KeyHandlers): void {
  switch (key) {
    case 'k':
      return act('kill', 'leader')
    case 't':
      return act('stop', 'leader')
    case 'p':
      return act('pause', 'leader')
    case 'c':
      return act('partition', 'leader')
    case 'h':
      return act('heal')
    case 'r':
      return act('resume')
    case 's':
      return act('start')
    case 'l':
      return list()
    case '?':
      return help()
    case 'q':
    case '\u0003': // Ctrl-C: in raw mode the terminal sends the byte, not the signal.
      return quit()
  }
}
