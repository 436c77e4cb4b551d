// The lease on a pod: the agent in every shell that images have, and on pods of the embedded cloud. Times are scaled 1 : 300.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { KEY, NAME, openPod, type PodOptions, SHELLS, type TestPod } from './guard-world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const patient = { timeout: 30_000, interval: 50 }
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

const open: TestPod[] = []
async function pod(options: PodOptions = {}): Promise<TestPod> {
  const made = await openPod(options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const made of open.splice(0)) await made.close()
})

const watched = (made: TestPod) => expect.poll(() => made.read('guard.log'), patient).toContain('watching over')
const asked = (made: TestPod, count = 1) =>
  expect.poll(() => made.api.calls.length, patient).toBeGreaterThanOrEqual(count)
/** Renews for as long, which must not end the pod. */
async function renewing(made: TestPod, forMs: number, renew: () => Promise<void>) {
  for (const until = Date.now() + forMs; Date.now() < until; ) await renew()
  expect(made.api.calls).toHaveLength(0)
}

describe.each(SHELLS)('the agent in $name', ({ name, path }) => {
  const run = test.skipIf(path === null) // skipped: this machine lacks the shell
  const shell = path ?? ''

  run('ends its pod after the lease, with outputs and manifest in the bucket', async () => {
    const made = await pod({ shell })
    await made.start()
    await watched(made)
    // busybox's find compares whole seconds.
    const { mtimeMs } = await stat(join(made.state, 'since'))
    await expect.poll(() => Math.floor(Date.now() / 1000), patient).toBeGreaterThan(Math.floor(mtimeMs / 1000))
    const files = { 'run-job1-1/small/city_00001_.png': 'first picture', 'run-job2-1/a "b" \\ ü $x.txt': 'odd name' }
    for (const [file, content] of Object.entries(files)) {
      await mkdir(join(made.output, file, '..'), { recursive: true })
      await writeFile(join(made.output, file), content)
    }
    await writeFile(join(made.output, 'old.png'), 'from before')
    await utimes(join(made.output, 'old.png'), 1, 1)
    await asked(made)
    expect(made.api.calls[0]).toMatchObject({
      method: 'POST',
      path: `/v2/pods/${made.podId}/action`,
      key: `Bearer ${KEY}`,
      body: '{"action":"terminate"}',
    })
    expect(made.api.calls[0]?.agent).toMatch(/^autopod\/\d/)

    const farewell = await made.guard.farewell(NAME)
    expect(farewell).toMatchObject({
      pod: NAME,
      podId: made.podId,
      reason: 'lease',
      prompt: 'none',
      tarAt: 'bucket',
      tarKey: `farewell/${NAME}.tar`,
    })
    expect(farewell?.silentMs).toBeGreaterThanOrEqual(2000)
    expect(farewell?.silentMs).toBeLessThan(4000)
    expect(farewell?.log).toContain('ending the pod: lease')
    expect(farewell?.comfyLog).not.toBeNull()
    const expected = Object.entries(files).map(([file, content]) => ({
      path: file,
      bytes: Buffer.byteLength(content),
      sha256: sha256(content),
      saved: true,
    }))
    expect(farewell?.files.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(expected)

    const tar = join(made.dir, 'outputs.tar')
    expect(await made.bucket.get(`farewell/${NAME}.tar`, tar)).toEqual(farewell?.tar)
    await mkdir(join(made.dir, 'unpacked'))
    execFileSync('tar', ['-xf', tar, '-C', join(made.dir, 'unpacked')])
    for (const [file, content] of Object.entries(files))
      expect(await readFile(join(made.dir, 'unpacked', file), 'utf8')).toBe(content)
  })

  run('lives on while it is renewed over SSH, and ends when that stops', async () => {
    const made = await pod({ shell, stepMs: null })
    await made.start()
    await watched(made)
    await renewing(made, 4000, () => made.guard.renew(made.machine, NAME))
    await asked(made)
    expect((await made.guard.farewell(NAME))?.ageMs).toBeGreaterThan(6000)
  })

  run('lets a running prompt finish, takes no other, and saves its picture', async () => {
    const made = await pod({ shell, stepMs: 500 })
    await made.start()
    await watched(made)
    await made.draw(2)
    await asked(made)
    const farewell = await made.guard.farewell(NAME)
    expect(farewell?.prompt).toBe('finished')
    expect(farewell?.files.map(file => file.path)).toEqual(['run-job1-1/x_00001_.png'])
  })

  run('asks in every published form, again and again, with growing pauses', async () => {
    const made = await pod({ shell, stepMs: null, guard: { leaseMs: 500, tickMs: 100 } })
    const refused = { status: 200, body: '{"errors":[{"message":"Something went wrong"}],"data":null}' }
    made.api.answer = call =>
      call.path === '/graphql' ? refused : { status: call.path.startsWith('/v1/') ? 410 : 502 }
    await made.start()
    await asked(made, 12)
    const forms = made.api.calls.slice(0, 12).map(call => `${call.method} ${call.path}`)
    const round = [
      `POST /v2/pods/${made.podId}/action`,
      `DELETE /v2/pods/${made.podId}`,
      `DELETE /v1/pods/${made.podId}`,
      'POST /graphql',
    ]
    expect(forms).toEqual([...round, ...round, ...round])
    const mutation = `mutation { podTerminate(input: {podId: "${made.podId}"}) }`
    expect(JSON.parse(made.api.calls[3]?.body ?? '')).toEqual({ query: mutation })
    // A yes is taken, but is no proof: it goes on asking, and no more than the one form that was heard.
    made.api.answer = () => ({ status: 204 })
    const heard = made.api.calls.length
    await asked(made, heard + 3)
    const later = made.api.calls.slice(heard + 1, heard + 3).map(call => call.path)
    expect(later).toEqual([round[0], round[0]].map(form => form?.slice(5)))
  })

  run('shows no secret in its processes, its log or to other users', async () => {
    const made = await pod({ shell, stepMs: null, guard: { leaseMs: 500, tickMs: 100 } })
    await made.start()
    await asked(made, 4)
    const shown = made.api.calls.map(call => call.ps).join('') + (await made.read('guard.log'))
    // Its own curl was running while `ps` looked.
    expect(shown).toMatch(/curl -s -K - .*http_code/)
    expect(shown).not.toMatch(/X-Amz-Signature|rpa_/)
    expect(await made.read('settings')).toContain('X-Amz-Signature')
    for (const file of ['settings', 'guard.log']) expect((await stat(join(made.state, file))).mode & 0o077).toBe(0)
    expect((await stat(made.state)).mode & 0o077).toBe(0)
  })

  run('is there once: a second one ends at once, a killed one comes back with the next renewal', async () => {
    const made = await pod({ shell, stepMs: null, guard: { leaseMs: 20_000 } })
    await made.guard.attach(made.machine, NAME)
    await expect.poll(() => made.read('lock/pid'), patient).toMatch(/^\d+\n$/)
    await watched(made)
    const first = await made.read('lock/pid')
    expect((await made.machine.exec(`sh "${made.state}/guard.sh"`)).code).toBe(0)
    expect(await made.read('lock/pid')).toBe(first)
    await made.guard.attach(made.machine, NAME)
    expect(await made.read('lock/pid')).toBe(first)

    process.kill(Number(first), 'SIGKILL')
    await made.guard.renew(made.machine, NAME)
    await expect.poll(() => made.read('lock/pid'), patient).not.toBe(first)
    await expect.poll(() => agents(made), patient).toBe(2)
  })

  /** Processes of the agent: the one that holds the lock, and the one that watches. */
  function agents(made: TestPod): number {
    const lines = execFileSync('ps', ['-eww', '-o', 'args='], { encoding: 'utf8' }).split('\n')
    expect(name).not.toBe('')
    return lines.filter(line => line.endsWith(`${made.state}/guard.sh`)).length
  }
})

test('a pod that cannot be reached is renewed through the bucket', async () => {
  const made = await pod({ stepMs: null, guard: { leaseMs: 3000 } })
  await made.start()
  await watched(made)
  await renewing(made, 7000, () => made.guard.renewByBucket(NAME))
  await asked(made)
})

test('renewals through the bucket that come within a second are one write', async () => {
  const made = await pod({ stepMs: null })
  const before = Date.now()
  await Promise.all([made.guard.renewByBucket(NAME), made.guard.renewByBucket(NAME)])
  const first = (await made.bucket.head(`lease/${NAME}`))?.sha256
  await Promise.all([made.guard.renewByBucket(NAME), made.guard.renewByBucket(NAME)])
  expect(Date.now() - before).toBeGreaterThanOrEqual(1000)
  expect((await made.bucket.head(`lease/${NAME}`))?.sha256).not.toBe(first)
})

test('the deadline ends a pod that is renewed all the time', async () => {
  const made = await pod({ stepMs: null, guard: { deadlineMs: 3000, leaseMs: 60_000 } })
  await made.start()
  await watched(made)
  await asked(made)
  expect((await made.guard.farewell(NAME))?.reason).toBe('deadline')
})

test('a prompt that runs longer than its grace is interrupted', async () => {
  const made = await pod({ stepMs: 1000, guard: { graceMs: 500 } })
  await made.start()
  await made.draw(1)
  await asked(made)
  expect(await made.guard.farewell(NAME)).toMatchObject({ prompt: 'interrupted', files: [], tar: null, tarAt: null })
  await expect.poll(() => made.comfy?.executing(), patient).toBeNull()
})

test('an owner who comes back while the last prompt runs keeps the pod', async () => {
  const made = await pod({ stepMs: 1500 })
  await made.start()
  await made.draw(1)
  await expect.poll(() => made.read('ending'), patient).toBe('lease\n')
  await made.guard.renew(made.machine, NAME)
  await expect.poll(() => made.read('guard.log'), patient).toContain('renewed while ending: the pod stays')
  await renewing(made, 3000, () => made.guard.renew(made.machine, NAME))
  expect(await made.guard.farewell(NAME)).toBeNull()
})

test('an owner who comes back too late is told so', async () => {
  const made = await pod({ stepMs: null, guard: { leaseMs: 300, tickMs: 100 } })
  await made.start()
  await asked(made)
  await expect(made.guard.renew(made.machine, NAME)).rejects.toMatchObject({ data: { code: 'pod_ends_itself' } })
  await expect(made.guard.attach(made.machine, NAME)).rejects.toMatchObject({ data: { code: 'pod_ends_itself' } })
})

test('an agent whose watch is killed goes on watching, with the same lease', async () => {
  const made = await pod({ stepMs: null })
  await made.start()
  await watched(made)
  const holder = (await made.read('lock/pid'))?.trim()
  const watch = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(([, parent, , script]) => parent === holder && script === `${made.state}/guard.sh`)
  process.kill(Number(watch?.[0]), 'SIGKILL')
  await expect.poll(() => made.read('guard.log'), patient).toContain('the watch broke off')
  await asked(made)
  expect((await made.guard.farewell(NAME))?.silentMs).toBeLessThan(4000)
})

test('a container that crashes again and again gets one lease more, not one each time', async () => {
  const made = await pod({ stepMs: null, guard: { leaseMs: 4000 } })
  const began = Date.now()
  for (const restart of [1, 2, 3, 4, 5, 6, 7, 8]) {
    await made.start()
    const lines = () => made.read('guard.log').then(log => log?.match(/watching over/g)?.length)
    await expect.poll(lines, patient).toBe(restart)
    for (let later = Date.now() + 700; Date.now() < later && made.api.calls.length === 0; )
      await made.machine.exec(':', { timeoutMs: 5000 })
    if (made.api.calls.length > 0) break
    process.kill(Number(await made.read('lock/pid')), 'SIGKILL')
    await made.machine.exec(`kill -9 $(grep -alF "${made.state}/guard.sh" /proc/[0-9]*/cmdline | cut -d/ -f3)`)
  }
  expect(made.api.calls.length).toBeGreaterThan(0)
  expect(Date.now() - began).toBeLessThan(8000)
})

test('without a bucket the farewell stays on the pod, and the pod ends all the same', async () => {
  const made = await pod({ disk: true, stepMs: null })
  await made.start()
  await watched(made)
  await mkdir(join(made.output, 'run-job-1'), { recursive: true })
  await writeFile(join(made.output, 'run-job-1', 'a.png'), 'picture')
  await asked(made)
  expect(await made.guard.farewell(NAME)).toBeNull()
  const left = JSON.parse((await made.read('farewell/farewell.json')) ?? '')
  expect(left).toMatchObject({ tarAt: 'pod', files: [{ path: 'run-job-1/a.png', saved: true }] })
})

test('a bucket that is away costs no more than another lease', async () => {
  const made = await pod({ stepMs: null, guard: { leaseMs: 1000 } })
  await made.start()
  await watched(made)
  const settings = join(made.state, 'settings')
  await writeFile(
    settings,
    ((await made.read('settings')) ?? '').replaceAll(/_url http:\S+/g, '_url http://127.0.0.1:9/x'),
  )
  await asked(made)
  expect(await made.read('guard.log')).toContain('upload of farewell.json failed: curl 7')
})

const hasOpenssl = (() => {
  try {
    return execFileSync('openssl', ['version']).length > 0
  } catch {
    return false
  }
})()

test.skipIf(!hasOpenssl)('an image without certificates is helped by those that the owner brought', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'guard-tls-'))
  const at = (file: string) => join(dir, file)
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2', '-nodes']
  const keys = ['-newkey', 'rsa:2048', '-keyout', at('key.pem'), '-out', at('cert.pem')]
  execFileSync('openssl', ['req', '-x509', ...keys, ...subject], { stdio: 'ignore' })
  const tls = { key: await readFile(at('key.pem')), cert: await readFile(at('cert.pem')) }
  const made = await pod({ tls, stepMs: null, guard: { leaseMs: 3000 } })
  await made.guard.attach(made.machine, NAME)
  expect((await made.read('ca.pem'))?.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(50)
  await writeFile(join(made.state, 'ca.pem'), tls.cert)
  await asked(made)
  expect(await made.read('guard.log')).toContain('terminate by v2 action: http 503, curl 0')
  await rm(dir, { recursive: true })
})
