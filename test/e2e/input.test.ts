// What people type wrongly, and what hostile files try: one clear sentence, the promised exit code, nothing rented.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inWorld } from './world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'autopod-input-')))
  await put('pic.png', 'bytes')
  await put('jobs/a.json', job())
  await put('jobs/b.json', job())
  await put('jobs/autopod.json', {})
  await put('autopod.json', {})
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const job = (more: object = {}) => ({
  workflow_template: 'resize',
  inputs: { image: 'pic.png' },
  outputs: { image: 'out/{job_id}.{ext}' },
  ...more,
})

async function put(name: string, contents: unknown): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, typeof contents === 'string' ? contents : JSON.stringify(contents))
  return path
}

type Ended = { code: number | null; stdout: string; stderr: string }

/** The program, with no more environment than it needs. */
async function ap(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, AUTOPOD_HOME: join(folder, 'home'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', chunk => (ended.stdout += String(chunk)))
  child.stderr.on('data', chunk => (ended.stderr += String(chunk)))
  const { promise, resolve } = Promise.withResolvers<void>()
  child.on('close', code => {
    ended.code = code
    resolve()
  })
  await promise
  return ended
}

describe('words and flags', () => {
  it.concurrent('an answer that could not be written is told, and is no success', async () => {
    const program = [process.execPath, join(root, 'src/main.ts'), '--version']
    const shell = spawn('sh', ['-c', '"$0" "$@" >/dev/full', ...program], { stdio: ['ignore', 'ignore', 'pipe'] })
    const [[code], stderr] = await Promise.all([once(shell, 'close'), text(shell.stderr)])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^autopod: not all could be told: ENOSPC/)])
  })

  it.concurrent('a provider that nobody knows is refused, and never speaks of another home', async () => {
    const { code, stdout, stderr } = await ap(['kill', '--all', '--provider', 'sandbx'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('--provider sandbx is not one of runpod, sandbox (did you mean "sandbox"?)')
  })

  it.concurrent('-h and help COMMAND show the help of a command', async () => {
    for (const args of [
      ['check', '-h'],
      ['help', 'check'],
    ]) {
      const { code, stdout } = await ap(args)
      expect(code).toBe(0)
      expect(stdout).toMatch(/^autopod check PATH/)
    }
  })

  it.concurrent('a word too many is refused', async () => {
    const { code, stderr } = await ap(['jobs', 'job-001'])
    expect(code).toBe(2)
    expect(stderr).toContain('jobs: "job-001" is one word too many')
  })

  it.concurrent('a job file whose name begins with a dash is named after --', async () => {
    await put('-dash.json', job())
    const { code, stdout } = await ap(['check', '--', '-dash.json'])
    expect(code).toBe(0)
    expect(stdout).toContain('-dash')
  })

  it.concurrent('a failure that the sandbox does not know is a usage error, not a bug', async () => {
    const { code, stderr } = await ap(['sandbox', '--faults', 'nope', '--state', join(folder, 'state')])
    expect(code).toBe(2)
    expect(stderr).toContain('unknown sandbox fault "nope"')
  })

  it.concurrent('an embedded cloud that cannot start is told at once, and no account is asked in its place', async () => {
    await put('broken/sandbox/cloud/state.json', 'no state')
    const env = {
      AUTOPOD_HOME: join(folder, 'broken'),
      RUNPOD_API_KEY: 'rpa_of_a_test',
      RUNPOD_API_URL: 'http://127.0.0.1:1',
    }
    const { code, stderr } = await ap(['gpus', '--provider', 'sandbox'], env)
    expect(code).toBe(3)
    expect(stderr).toMatch(/the embedded cloud did not start \(exit \d+\)\n→ See the end of /)
    const doctor = await ap(['doctor', '--provider', 'sandbox'], env)
    expect(doctor.stdout).not.toContain('127.0.0.1:1')
  })

  it.concurrent('a provider that cannot be reached needs the operator, with a remedy', async () => {
    const env = { RUNPOD_API_KEY: 'rpa_of_a_test', RUNPOD_API_URL: 'http://127.0.0.1:1' }
    const { code, stderr } = await ap(['pods', '--all', '--provider', 'runpod'], env)
    expect(code).toBe(3)
    expect(stderr).toContain('connection refused\n→ Check the network')
    expect(stderr).not.toContain('rpa_of_a_test')
  })
})

describe('settings', () => {
  it.concurrent('a named SSH key that does not exist is told, not made', async () => {
    const named = join(folder, 'typo', 'id_ed25519')
    const { code, stdout } = await ap(['doctor'], { RUNPOD_SSH_PRIVATE_KEY_PATH: named })
    expect(code).toBe(3)
    expect(stdout).toContain(`the SSH key ${named} (RUNPOD_SSH_PRIVATE_KEY_PATH) does not exist`)
    expect(existsSync(named)).toBe(false)
  })

  it.concurrent('an address of another scheme and a key of two lines are wrong settings, and no key is printed', async () => {
    for (const [env, told] of [
      [{ RUNPOD_API_URL: 'file:///etc/passwd' }, 'runpod.api_url: must be an address that begins with http'],
      [{ RUNPOD_API_KEY: 'rpa_first\nrpa_second' }, 'runpod.api_key: must be plain letters'],
    ] as [Record<string, string>, string][]) {
      const { code, stderr } = await ap(['pods', '--all'], { RUNPOD_API_KEY: 'rpa_of_a_test', ...env })
      expect(code).toBe(2)
      expect(stderr).toContain(told)
      expect(stderr).not.toContain('rpa_')
    }
  })
})

describe('job files', () => {
  it.concurrent('a --base that is no folder is named', async () => {
    const { code, stderr } = await ap(['check', 'jobs', '--base', 'nowhere'])
    expect(code).toBe(2)
    expect(stderr).toContain('--base nowhere is no folder')
  })

  it.concurrent('check --json lists what is wrong as JSON, too', async () => {
    await put('bad/a.json', job({ inputs: { image: 'nope.png' }, params: { widht: 1 } }))
    const { code, stdout } = await ap(['check', 'bad', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      problems: [expect.stringContaining('inputs.image'), expect.stringContaining('params.widht')],
    })
  })

  // Root may write everywhere but in a file system that is read-only.
  it.skipIf(process.getuid?.() === 0)(
    'a folder that may not be written is told before anything is rented',
    async () => {
      await mkdir(join(folder, 'locked'), { mode: 0o500 })
      await put('locked.json', job({ outputs: { image: 'locked/deep/{job_id}.{ext}' } }))
      const { code, stderr } = await ap(['check', 'locked.json'])
      expect(code).toBe(2)
      expect(stderr).toContain(`outputs.image: ${join(folder, 'locked')} may not be written`)
    },
  )

  it.concurrent('the settings that lie in the folder of the jobs are no job', async () => {
    for (const path of ['jobs', 'jobs/*.json']) {
      const { code, stdout } = await ap(['check', path])
      expect(code).toBe(0)
      expect(stdout).toContain('2 jobs, all well')
    }
  })

  it.concurrent('control sequences and line breaks of names and values never reach the terminal', async () => {
    await put('evil/a\x1b[31m\nb.json', job())
    await put('evil/c.json', job({ workflow_template: '\x1b]0;title\x07\x9b2Jresize2' }))
    const { code, stderr } = await ap(['check', 'evil'])
    expect(code).toBe(2)
    expect(stderr).toContain('resize2')
    expect(stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(stderr.split('\n').filter(line => line.includes('b.json'))).toHaveLength(1)
    const workflow = { '1': { class_type: 'EmptyImage', inputs: {} } }
    const path = await put('evil.json', { autopod: { description: 'from \x1b]0;title\x07outside' }, workflow })
    const shown = await ap(['template', 'show', path])
    expect(shown.stdout).toContain('outside')
    expect(shown.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  })
})

describe('signals', () => {
  it.concurrent('a second ctrl-c does not wait for a cloud that is gone, names the pods and ends with 6', () =>
    inWorld({ firstPort: 13_040, stepMs: 1000, cloud: 'by itself' }, async world => {
      world.job('pan')
      const running = world.start(['run', 'jobs', '--yes', '--json'])
      await world.event('attempt.started')
      await world.cloud.end()
      running.kill('SIGINT')
      const impatient = setInterval(() => running.kill('SIGINT'), 1200)
      const ended = await running.ended.finally(() => clearInterval(impatient))
      expect(ended.code).toBe(6)
      expect(ended.stderr).toMatch(/may still be billed: autopod-\S+; end it with autopod kill pod-0001/)
      const document = JSON.parse(ended.stdout)
      expect(document).toMatchObject({ status: 'cancelled', pods: [{ status: 'terminating' }] })
      // The engine in the background starts the cloud anew and ends what it finds.
      await world.event('pod.gone')
      await world.alone()
    }))
})
