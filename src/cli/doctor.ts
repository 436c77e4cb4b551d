// `autopod doctor`: tries every credential and tool, and says what to do next. It rents nothing.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { Fault } from '../domain/fault.ts'
import { formatUsd, plural } from '../domain/units.ts'
import { packageDir, searchPath } from '../edge/config.ts'
import { makeFolderNow } from '../edge/folder.ts'
import { nativeCipher } from '../edge/ssh/inside.ts'
import { examineJournal } from '../edge/store.ts'
import type { SandboxDescription } from '../sandbox/sandbox.ts'
import type { Invocation } from './args.ts'
import { keyOf, openBucket, openProviders } from './compose.ts'
import { EXIT } from './exit.ts'
import { openHome } from './home.ts'
import { ensureSandbox } from './sandbox-access.ts'
import { lackOfRoom } from './trouble.ts'

type Finding = { check: string; ok: boolean | null; said: string; hint?: string }

export async function doctor({ flags }: Invocation): Promise<number> {
  const home = openHome(flags)
  const findings: Finding[] = []
  const tryOut = async (check: string, work: () => Promise<string> | string, needed = true) => {
    try {
      findings.push({ check, ok: true, said: await work() })
    } catch (error) {
      const fault =
        error instanceof Fault
          ? error.data
          : { message: error instanceof Error ? error.message : String(error), hint: undefined }
      findings.push({ check, ok: needed ? false : null, said: fault.message, ...(fault.hint && { hint: fault.hint }) })
    }
  }
  await tryOut('node', () => process.version)
  await tryOut('home', () => {
    makeFolderNow(home.dir, 0o700)
    accessSync(home.dir, constants.W_OK)
    return home.dir
  })
  await tryOut('journal', () => stateOfJournal(home.dir))
  await tryOut('disk', () => {
    const lack = lackOfRoom(home.dir)
    if (lack) throw new Error(lack)
    return 'room for the journal'
  })
  await tryOut('templates', () => `${readdirSync(join(packageDir, 'templates')).length} shipped`)
  await tryOut('ssh key', async () => `${(await keyOf(home)).publicKey.slice(0, 40)}…`)
  await tryOut(
    'ssh speed',
    () => (nativeCipher ? 'native ciphers' : 'ciphers in JavaScript (the ssh2 addon is not built; about half as fast)'),
    false,
  )
  const port = home.settings.run?.first_port ?? 8188
  await tryOut('local port', () => free(port), false)
  await tryOut('curl', () => onPath('curl'), home.provider === 'sandbox')
  let sandbox: SandboxDescription | null = null
  if (home.provider === 'sandbox') {
    await tryOut('sandbox', async () => {
      sandbox = await ensureSandbox(home)
      return sandbox.runpod_url
    })
  }
  if (home.provider === null)
    findings.push({
      check: 'provider',
      ok: null,
      said: 'none is configured',
      hint: 'Try --provider sandbox, or autopod config init.',
    })
  else if (home.provider !== 'sandbox' || sandbox !== null) {
    await tryOut(home.provider, async () => {
      const [provider] = openProviders(home, sandbox)
      const types = (await provider?.gpus()) ?? []
      const balance = await provider?.balance()
      return `${types.length} GPU types${balance === null || balance === undefined ? '' : `, balance ${formatUsd(balance)}`}`
    })
    await tryOut('bucket', async () => {
      const { bucket, bucketName } = await openBucket(home, sandbox)
      await bucket.list('doctor/')
      return bucketName ? `${bucket.name} ${bucketName}` : 'none: files go over SSH'
    })
  }
  const bad = findings.filter(finding => finding.ok === false)
  if (flags.on('json'))
    process.stdout.write(`${JSON.stringify({ version: 1, ok: bad.length === 0, findings }, null, 2)}\n`)
  else {
    for (const { check, ok, said, hint } of findings)
      process.stdout.write(
        `${ok === true ? '✓' : ok === false ? '✗' : '–'} ${check.padEnd(11)} ${said}\n${hint ? `  → ${hint}\n` : ''}`,
      )
    process.stdout.write(bad.length === 0 ? 'all well\n' : `${bad.length} to mend\n`)
  }
  return bad.length === 0 ? EXIT.ok : EXIT.operator
}

/** Whoever has a mark rented, or was about to: then a journal that tells nothing was lost. */
function stateOfJournal(dir: string): string {
  const events = examineJournal(dir)
  if (events) return `${plural(events, 'event')}, all readable`
  if (!existsSync(join(dir, 'owner'))) return 'none yet'
  throw new Fault({
    kind: 'operator',
    code: 'journal_missing',
    message: `the journal ${join(dir, 'journal.db')} is ${events === null ? 'missing' : 'empty'}, although this home has a mark for its pods`,
    hint: 'If it was used before, autopod reap finds pods with that mark.',
  })
}

function onPath(tool: string): string {
  const found = searchPath()
    .split(delimiter)
    .map(folder => join(folder, tool))
    .find(path => existsSync(path))
  if (!found) throw new Error(`${tool} is not installed; files go over SSH instead`)
  return found
}

function free(port: number): Promise<string> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', () => reject(new Error(`${port} is taken; tunnels take the next free ones`)))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(`${port} is free`)))
  })
}
