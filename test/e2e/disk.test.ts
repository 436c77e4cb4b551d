// A disk that takes no more facts, and a journal that cannot be read: which pods are left is said, and each way out works again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { inWorld, pictureJob } from './world.ts'

test.concurrent('an engine whose journal takes no facts names the pods and how to end them, and ends', () =>
  inWorld({ firstPort: 17_000, stepMs: 100 }, async world => {
    for (let n = 0; n < 4; n++) world.job(`pan-${n}`)
    const args = ['run', 'jobs', '--yes', '--plain', '--max-pods', '2', '--provider', 'sandbox']
    // The kernel refuses any file of more KiB: the journal's log soon, as a disk would that is full.
    const child = spawn('bash', ['-c', 'ulimit -f 90; exec "$0" "$@"', ...world.program, ...args], {
      cwd: world.folder,
      env: world.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exit = once(child, 'exit')
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = await exit
    const living = (await world.cloud.status()).pods
    expect(living).toHaveLength(2)
    expect(code).toBe(6)
    expect(stdout).toContain('nothing is decided until it can')
    for (const pod of living) expect(stderr).toContain(pod.id)
    expect(stderr).toContain('autopod kill pod-0001 pod-0002')
    expect(stderr).not.toMatch(/^ +at /m)
    expect((await world.run('kill', '--all')).code).toBe(0)
    await world.alone()
  }))

test.concurrent('a damaged journal is told with what to do by every command, and reap still finds the pods', () =>
  inWorld({ firstPort: 17_020 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    expect((await world.run('run', 'jobs', '--yes', '--keep')).code).toBe(0)
    await world.alone()
    const path = join(world.home, 'journal.db')
    writeFileSync(path, Buffer.alloc(20_000, 'x'))
    const told = await Promise.all(
      [['status'], ['kill', '--all'], ['check', '--journal'], ['run', 'jobs', '--yes']].map(args => world.run(...args)),
    )
    for (const { code, stderr } of told) {
      expect(stderr).toContain(path)
      expect(stderr).toContain('autopod reap')
      expect({ code, trace: /^ +at /m.test(stderr) }).toEqual({ code: 3, trace: false })
    }
    expect(await world.run('doctor')).toMatchObject({ code: 3, stdout: expect.stringContaining('is damaged') })
    const [pod] = (await world.cloud.status()).pods
    expect(await world.run('reap')).toMatchObject({ code: 6, stdout: expect.stringContaining(pod?.id ?? '?') })
    expect((await world.run('reap', '--yes')).code).toBe(0)
  }))
