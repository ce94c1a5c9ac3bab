import { main } from '../cli/main.ts'

process.exitCode = await main(['sim', ...process.argv.slice(2)])
