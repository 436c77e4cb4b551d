// The lease on a pod: renewals, ends and what gets in their way. Times are scaled 1 : 300.
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asked, eachWithItsPods, NAME, patient, pod, renewing, watched } from './guard-world.ts'

eachWithItsPods()

test('lives on while it is renewed over SSH, and ends when that stops', async () => {
  const made = await pod({ stepMs: null })
  await made.start()
  await watched(made)
  await renewing(made, 4000, () => made.guard.renew(made.machine, NAME))
  await asked(made)
  expect((await made.guard.farewell(NAME))?.ageMs).toBeGreaterThan(6000)
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

test('a sweep takes the leases of pods that are over out of the bucket, and no others', async () => {
  const made = await pod({ stepMs: null })
  const names = [NAME, 'autopod-aaaaaaaa-bbbbbbbb-0002', 'autopod-cccccccc-bbbbbbbb-0001']
  await Promise.all(names.map(name => made.guard.renewByBucket(name)))
  await made.guard.sweep('autopod-aaaaaaaa-', name => !name.endsWith('-0002'))
  const heads = await Promise.all(names.map(name => made.bucket.head(`lease/${name}`)))
  expect(heads.map(head => head !== null)).toEqual([false, true, true])
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
  const lease = await made.read('state')
  process.kill(Number(watch?.[0]), 'SIGKILL')
  await expect.poll(() => made.read('guard.log'), patient).toContain('the watch broke off')
  await asked(made)
  expect(await made.read('state')).toBe(lease)
})

test('a container that crashes again and again does not begin a new lease each time', async () => {
  const made = await pod({ stepMs: null, guard: { leaseMs: 4000 } })
  const starts = () => made.read('guard.log').then(log => log?.match(/watching over/g)?.length)
  for (let restart = 1; restart <= 15 && made.api.calls.length === 0; restart++) {
    await made.start()
    await expect.poll(starts, patient).toBe(restart)
    for (const later = Date.now() + 1500; Date.now() < later && made.api.calls.length === 0; )
      await made.machine.exec(':', { timeoutMs: 5000 })
    // A container's end leaves nothing of it; a process that is only about to die still looks alive.
    const own = `grep -al "${made.state}/guard[.]sh" /proc/[0-9]*/cmdline | cut -d/ -f3`
    await made.machine.exec(`kill -9 $(${own})`)
    await expect.poll(async () => (await made.machine.exec(own)).stdout, patient).toBe('')
  }
  expect(made.api.calls.length).toBeGreaterThan(0)
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
  await expect.poll(() => made.read('guard.log'), patient).toContain('terminate by v2 action: http 503, curl 0')
  await rm(dir, { recursive: true })
})
