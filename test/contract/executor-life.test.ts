// Signs of life, and a ComfyUI that is started anew: what the engine needs when a job is silent.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/edge/clock.ts'
import { createComfyExecutor } from '../../src/edge/executors/comfy.ts'
import { rememberComfy, restartComfy } from '../../src/edge/executors/comfy-restart.ts'
import { NOBODY_LISTENS, unavailable } from '../../src/edge/ssh/unavailable.ts'
import { startComfy } from '../../src/sandbox/comfy/server.ts'
import { beforeItEnds } from './child.ts'
import { folder, localCourier, localMachine, runTask, taskOf } from './executor-worlds.ts'

const never = new AbortController().signal
/** Only for a slow machine: a process that ends ends the wait. */
const patient = { timeout: 30_000, interval: 10 }
const PICTURE = {
  '1': { class_type: 'EmptyImage', inputs: { width: 16, height: 16, batch_size: 1, color: 255 } },
  '2': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'picture' } },
}

async function world() {
  const root = await folder()
  const comfy = await startComfy({ root, log: () => {}, gpu: { name: 'x', vramBytes: 1 }, stepMs: 0 })
  onTestFinished(() => comfy.stop())
  const executor = createComfyExecutor({ courier: localCourier(join(root, 'kept')), clock: systemClock, pollMs: 20 })
  return { comfy, executor, machine: localMachine(comfy.url), root }
}

describe('signs of life', () => {
  test('the marks stay while nothing happens, and change with a line in the log and with a file', async () => {
    const { executor, machine, root } = await world()
    const { heard } = await runTask(executor, taskOf(PICTURE), machine)
    expect(heard).toBeGreaterThan(0)
    const before = await executor.marks(machine, never)
    expect(before.log).not.toBeNull()
    expect(before.file).not.toBeNull()
    expect(await executor.marks(machine, never)).toEqual(before)
    writeFileSync(join(root, 'output', 'half.mp4'), 'x')
    const grown = await executor.marks(machine, never)
    expect(grown.file).not.toBe(before.file)
    expect(grown.log).toBe(before.log)
    await runTask(executor, taskOf(PICTURE, {}, { attempt: 2 }), machine)
    expect((await executor.marks(machine, never)).log).not.toBe(before.log)
  })

  test('a server that is gone has no log mark, and is called absent until it is back', async () => {
    const { comfy, executor, machine } = await world()
    await comfy.die()
    expect((await executor.marks(machine, never)).log).toBeNull()
    const told: boolean[] = []
    const looked = Promise.withResolvers<void>()
    const waiting = executor.ready(machine, never, isAbsent => {
      told.push(isAbsent)
      looked.resolve()
    })
    await looked.promise
    expect(told[0]).toBe(true)
    await comfy.restart()
    await waiting
  })
})

test('a port behind the tunnel on which nobody listens is called absent, too', async () => {
  // Found by a chaos round: the tunnel itself answers there.
  const server = createServer(socket => unavailable(socket, `Port 8188 ${NOBODY_LISTENS}: refused.`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { executor } = await world()
  const machine = localMachine(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const looked = Promise.withResolvers<boolean>()
  const enough = new AbortController()
  const waiting = executor.ready(machine, enough.signal, looked.resolve)
  expect(await looked.promise).toBe(true)
  enough.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

describe.runIf(existsSync('/proc/self/environ'))('a ComfyUI without a supervisor', () => {
  test('that ended is started as it was: its command line, folder and environment', async () => {
    const dir = await folder()
    mkdirSync(join(dir, 'comfy'))
    writeFileSync(join(dir, 'main.py'), 'echo "$$ $MARK $*" >> starts; while :; do sleep 0.1; done')
    const starts = () =>
      existsSync(join(dir, 'starts')) ? readFileSync(join(dir, 'starts'), 'utf8').trim().split('\n') : []
    const child = spawn('sh', ['main.py', '--port', 'a b'], { cwd: dir, env: { ...process.env, MARK: 'm 1' } })
    const ended = new Promise(resolve => child.once('exit', resolve))
    await beforeItEnds(
      child,
      vi.waitUntil(() => starts().length === 1, patient),
    )
    const machine = localMachine('', { HOME: dir, COMFYUI_DIR: dir })
    await rememberComfy(machine, never)
    child.kill('SIGKILL')
    await ended
    await restartComfy(machine, never)
    await vi.waitUntil(() => starts().length === 2, patient)
    const [pid, ...rest] = starts()[1]?.split(' ') ?? []
    process.kill(Number(pid), 'SIGKILL')
    expect(rest.join(' ')).toBe('m 1 --port a b')
  })

  test('of which nothing was noted cannot be started', async () => {
    const dir = await folder()
    const machine = localMachine('', { HOME: dir, COMFYUI_DIR: dir })
    await expect(restartComfy(machine, never)).rejects.toMatchObject({
      data: { kind: 'pod', code: 'restart_impossible', message: expect.stringContaining('not known') },
    })
  })
})
