// The embedded cloud in the background: found when it runs, started when it does not.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../domain/fault.ts'
import { systemClock } from '../edge/clock.ts'
import { makeFolderNow } from '../edge/folder.ts'
import { request } from '../edge/http.ts'
import { locked } from '../edge/store.ts'
import type { SandboxDescription } from '../sandbox/sandbox.ts'
import type { Home } from './home.ts'

/** Slow machines compile for some seconds before the first line. */
const START_MAX_MS = 30_000
/** Nobody called and no pod left: it ends by itself. */
const IDLE_EXIT_S = 30

export function sandboxDir(home: Home): string {
  return join(home.dir, 'cloud')
}

/** null: the home does not rent there. */
export async function sandboxOf(home: Home): Promise<SandboxDescription | null> {
  return home.provider === 'sandbox' ? ensureSandbox(home) : null
}

export async function ensureSandbox(home: Home): Promise<SandboxDescription> {
  const dir = sandboxDir(home)
  makeFolderNow(dir, 0o700)
  const present = await answering(dir)
  if (present) return present
  const over = launch(home, dir)
  const until = systemClock.now() + START_MAX_MS
  // One that finds another at work ends at once, and that one is about to answer.
  while (systemClock.now() < until && !(over.signal.aborted && !locked(join(dir, 'server.lock')))) {
    await systemClock.sleep(50)
    const access = await answering(dir)
    if (access) return access
  }
  throw new Fault({
    kind: 'operator',
    code: 'sandbox_silent',
    message: over.signal.aborted
      ? `the embedded cloud did not start (${over.signal.reason})`
      : 'the embedded cloud did not start in time',
    hint: `See the end of ${join(dir, 'server.log')}.`,
  })
}

/** Its access, when one runs on this folder and answers. */
async function answering(dir: string): Promise<SandboxDescription | null> {
  if (!locked(join(dir, 'server.lock'))) return null
  const file = join(dir, 'server.json')
  if (!existsSync(file)) return null
  try {
    const access = JSON.parse(readFileSync(file, 'utf8')) as SandboxDescription
    const answer = await request({
      url: `${access.runpod_url}/pods`,
      headers: { authorization: `Bearer ${access.api_key}` },
      timeoutMs: 2000,
    })
    await answer.text()
    return access
  } catch {
    // Half written, or of one that just ended: the next look tells.
    return null
  }
}

/** Its signal is aborted when the process is over, or never came about; why is the reason. */
function launch(home: Home, dir: string): AbortController {
  const { boot_ms: bootMs, step_ms: stepMs, seed, faults } = home.settings.sandbox ?? {}
  const args = [process.argv[1] as string, 'sandbox', '--state', dir, '--idle-exit', String(IDLE_EXIT_S)]
  if (bootMs !== undefined) args.push('--boot-ms', String(bootMs))
  if (stepMs !== undefined) args.push('--step-ms', String(stepMs))
  if (seed !== undefined) args.push('--seed', String(seed))
  if (faults?.length) args.push('--faults', faults.join(','))
  const log = openSync(join(dir, 'server.log'), 'a', 0o600)
  const over = new AbortController()
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  child.once('error', error => over.abort(error.message))
  child.once('exit', (code, signal) => over.abort(`exit ${code ?? signal}`))
  child.unref()
  closeSync(log)
  return over
}
