// The agent in every shell that images have as sh: what depends on a shell and its tools. Times are scaled 1 : 300.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { asked, eachWithItsPods, KEY, NAME, patient, pod, SHELLS, type TestPod, watched } from './guard-world.ts'

eachWithItsPods()
const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')

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
    // Twenty scaled minutes: what the processes of a busy machine take is not scaled.
    expect(farewell?.silentMs).toBeLessThan(6000)
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
