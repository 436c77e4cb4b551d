// `autopod sandbox`: the embedded cloud as a server of its own.
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Fault } from '../domain/fault.ts'
import { homeDir } from '../edge/config.ts'
import { makeFolderNow } from '../edge/folder.ts'
import { lock } from '../edge/store.ts'
import { parseFaults } from '../sandbox/faults.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { onSignals } from './signals.ts'

export async function sandbox({ flags }: Invocation): Promise<number> {
  const port = flags.whole('port', 0, 65_535)
  const seed = flags.whole('seed', 0, Number.MAX_SAFE_INTEGER)
  const bootMs = flags.number('boot-ms', 0, 600_000)
  const stepMs = flags.number('step-ms', 0, 60_000)
  const balance = flags.number('balance', 0.01, 1_000_000)
  const idleExit = flags.number('idle-exit', 0.1, 1_000_000)
  const faults = flags.text('faults')?.split(',')
  try {
    parseFaults(faults ?? [])
  } catch (error) {
    throw usage(`--faults: ${(error as Error).message}`, 'For example --faults capacity,429=0.5.')
  }
  // Pods' folders hold other people's pictures and keys: nobody else's business, wherever --state lies.
  process.umask(0o077)
  const stateDir = resolve(flags.text('state') ?? join(homeDir(), 'sandbox', 'cloud'))
  makeFolderNow(stateDir, 0o700)
  const held = lock(join(stateDir, 'server.lock'))
  if (!held)
    throw new Fault({
      kind: 'operator',
      code: 'sandbox_running',
      message: `an embedded cloud already runs on ${stateDir}`,
      hint: 'Use it, end it, or name another --state.',
    })
  const server = await startSandbox({
    stateDir,
    port,
    seed,
    faults,
    bootMs,
    stepMs,
    balanceMicro: balance === undefined ? undefined : Math.round(balance * 1_000_000),
    idleExitMs: idleExit === undefined ? undefined : idleExit * 1000,
  })
  const file = join(stateDir, 'server.json')
  writeFileSync(`${file}.part`, JSON.stringify(server.description), { mode: 0o600 })
  chmodSync(`${file}.part`, 0o600)
  renameSync(`${file}.part`, file)
  if (idleExit === undefined) process.stdout.write(`${JSON.stringify(server.description)}\n`)
  const stop = () => void server.stop()
  const quiet = onSignals({ interrupt: stop, hangup: stop })
  await server.stopped
  quiet()
  held.release()
  return EXIT.ok
}
