import type { Features } from '../history/features.ts'
import type { Moment } from '../history/history.ts'

interface Told {
  readonly moment: Moment
  readonly head: number
}

/** How far conversations had come, by what a device, or anybody, was told before some moment. */
export class KnownHeads {
  /** By conversation, and by device and conversation; rising in both. */
  readonly #told = new Map<string, Told[]>()

  constructor({ writes, pages, pushes, syncs }: Features) {
    const all: { moment: Moment; device: string; conv: string; seq: number; acked: boolean }[] = []
    for (const { conv, device, seq, answered: moment } of writes) {
      if (seq !== null) all.push({ moment, device, conv, seq, acked: true })
    }
    for (const { conv, device, events, answered: moment } of pages) {
      const seq = events.at(-1)?.seq ?? 0
      all.push({ moment, device, conv, seq, acked: false })
    }
    for (const { conv, device, event, shown: moment } of pushes) {
      all.push({ moment, device, conv, seq: event.seq, acked: false })
    }
    for (const { device, events, answered: moment } of syncs) {
      for (const { conv, seq } of events) all.push({ moment, device, conv, seq, acked: false })
    }
    for (const { moment, device, conv, seq } of all.sort((a, b) => a.moment - b.moment)) {
      for (const key of [conv, `${device} ${conv}`]) this.#add(key, moment, seq)
    }
  }

  /**
   * The newest seq that an answer must take into account: of a linearizable one whatever anybody was
   * told before it was asked for, else what its own device was (rule B2).
   */
  of(read: { device: string; conv: string; asked: Moment; linearizable: boolean }): number {
    const { device, conv, asked, linearizable } = read
    const told = this.#told.get(linearizable ? conv : `${device} ${conv}`) ?? []
    let [low, high] = [0, told.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (told[middle]!.moment < asked) low = middle + 1
      else high = middle
    }
    return told[low - 1]?.head ?? 0
  }

  #add(key: string, moment: Moment, seq: number): void {
    const told = this.#told.get(key)
    if (told === undefined) this.#told.set(key, [{ moment, head: seq }])
    else if (told.at(-1)!.head < seq) told.push({ moment, head: seq })
  }
}
