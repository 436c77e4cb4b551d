// Twenty pods at work and the program killed: the next one has all of them again within ten seconds, and nothing twice.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { result } from './result.ts'
import { inWorld, pictureJob } from './world.ts'

const PODS = 20
/** What a person waits for a program that was killed (goal of the engine). */
const BACK_MS = 10_000

test('killed with twenty pods at work, it has every tunnel back within ten seconds, and runs nothing twice', () =>
  inWorld({ firstPort: 13_000, stepMs: 60 }, async world => {
    world.job('a-small', pictureJob('lighthouse.jpg'))
    for (let n = 1; n <= PODS; n++) world.job(`pan-${String(n).padStart(2, '0')}`)
    const command = ['run', 'jobs', '--yes', '--max-pods', String(PODS)]
    const killed = world.start([...command, '--plain'])
    await world.event('job.completed')
    const started = new Set<unknown>()
    await world.event('attempt.started', event => started.add(event.jobKey).size === PODS + 1)
    killed.kill('SIGKILL')
    await killed.ended
    const before = world.events()

    const since = performance.now()
    const again = world.start([...command, '--json'])
    const ports = before.filter(event => event.type === 'pod.port_held').map(event => Number(event.localPort))
    expect(new Set(ports)).toEqual(new Set(Array.from({ length: PODS }, (_, at) => 13_000 + at)))
    await Promise.all(ports.map(answers))
    const tookMs = Math.round(performance.now() - since)
    console.log(`${PODS} tunnels were back ${tookMs} ms after the start`)
    expect(tookMs).toBeLessThan(BACK_MS)

    const told = result.parse(JSON.parse((await again.ended).stdout))
    expect(told).toMatchObject({ status: 'completed' })
    expect(told.jobs.map(job => job.attempts)).toEqual(told.jobs.map(() => 1))
    expect(told.jobs).toHaveLength(PODS + 1)
    const after = world.events()
    expect(after.slice(0, before.length)).toEqual(before)
    expect(after.map(event => event.seq)).toEqual(after.map((_, at) => at + 1))
    expect(after.filter(event => event.type === 'pod.requested')).toHaveLength(PODS)
    expect(after.filter(event => event.type === 'pod.port_held')).toHaveLength(ports.length)
    const { prompts, bills } = await world.cloud.status()
    expect(Object.values(prompts)).toEqual(told.jobs.map(() => 1))
    expect(bills).toHaveLength(PODS)
  }))

/** Resolves when ComfyUI answers through the port. */
async function answers(port: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/queue`, { headers: { connection: 'close' } }).catch(() => null)
    if (answer?.ok) return
    await sleep(50)
  }
}
