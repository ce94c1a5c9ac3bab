/** Run as a child process by `level-store.test.ts`: holds a store until it is killed. */
import { LevelStore } from './index.ts'
import { messageOf } from './store.contract.ts'

if (process.send !== undefined) {
  const store = new LevelStore(process.argv[2]!)
  await store.open('phone')
  await store.write({ put: [messageOf(1)] })
  process.send('held')
  setInterval(() => {}, 1000)
}
