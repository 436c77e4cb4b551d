// The full screen of the real program in a real terminal, with an engine at work behind it.
import { expect, test } from 'vitest'
import { openTerminal } from './terminal.ts'
import { inWorld } from './world.ts'

const DOWN = '\x1b[B'
const percentOf = (row: string) => Number(/(\d+) %/.exec(row)?.[1])

test.concurrent('a run shows its jobs, kills a pod when asked twice, and terminates all when it is left so', () =>
  inWorld({ firstPort: 12_600, stepMs: 150 }, async world => {
    world.job('pan-1')
    world.job('pan-2')
    const t = openTerminal(world, ['run', 'jobs', '--yes', '--max-pods', '2'], 120, 40)
    await t.until(/pan-1 +pod-000\d +⟳ rendering +[▓░]+ +\d+ %.* \d+ %.* \d+\/48 GB +1260[01] .*\$0\.\d+ *$/m)
    await t.until(/pan-2 +pod-000\d +⟳ rendering +[▓░]+ +\d+ %.* 1260[01] .*\$0\.\d+ *$/m)
    expect(t.text()).toMatch(/^ autopod +run_…_\w{4} +2 pods +\$0\.98\/h +spent \$0\.\d+/)
    const before = percentOf(t.row('pan-1 '))
    await t.until(() => percentOf(t.row('pan-1 ')) > before)

    expect(t.text()).toMatch(/›pan-1/)
    t.press(DOWN)
    await t.until(/›pan-2/)
    t.press('l')
    await t.until(/log of pan-2[\s\S]*got prompt/)
    t.press('\x1b')
    await t.until(/›pan-2/)

    const pod = /pod-000\d/.exec(t.row('pan-2 '))?.[0] ?? ''
    t.press('k')
    await t.until(new RegExp(`terminate ${pod}, pan-2 at \\d+ %, \\$0\\.\\d+ spent\\?[\\s\\S]*› back`))
    await t.aWhile()
    t.press(DOWN)
    await t.until(new RegExp(`› terminate ${pod}`))
    t.press('\r')
    const again = await world.event('attempt.started', event => event.attempt === 2)
    expect(again.jobKey).toMatch(/\/pan-2$/)
    await world.event('pod.gone', event => event.podId === pod)
    await t.until(/pan-2 +pod-0003 +⟳ rendering.* \d+ %/)
    await t.until(/attempt 2/)

    t.press('q')
    await t.until(/› go on in the background[\s\S]*terminate all now \(2 pods\)/)
    await t.aWhile()
    t.press(DOWN + DOWN)
    await t.until(/› terminate all now/)
    t.press('\r')
    expect(await t.ended).toBe(130)
    t.expectRestored()
    expect(t.text()).toMatch(
      /^\d\d:\d\d:\d\d pod-0003 proven gone$[\s\S]*^pan-1 +cancelled[\s\S]*on 3 pods, all proven gone\./m,
    )
    await world.alone()
    expect((await world.cloud.status()).pods).toEqual([])
  }))

test.concurrent('a small screen shows what is needed; left in the background, another process shows the same to the end', () =>
  inWorld({ firstPort: 12_620, stepMs: 60 }, async world => {
    world.job('pan')
    const t = openTerminal(world, ['run', 'jobs', '--yes'], 80, 24)
    await t.until(/›pan +pod-0001 +⟳ rendering .*\d+ %.* 12620 .*\$0\.\d+ *$/m)
    const viewer = openTerminal(world, ['top'], 120, 40)
    await viewer.until(/›pan +pod-0001 +⟳ rendering .*\d+ %.* \d+\/48 GB +12620 /m)
    const before = percentOf(viewer.row('›pan'))
    await viewer.until(() => percentOf(viewer.row('›pan')) > before)

    t.press('q')
    await t.until(/› go on in the background/)
    await viewer.aWhile()
    t.press('\r')
    expect(await t.ended).toBe(0)
    t.expectRestored()
    expect(t.text()).toMatch(/goes on in the background/)

    await viewer.until(/pan +pod-0001 +✓ done/)
    await world.event('run.closed')
    viewer.press('q')
    expect(await viewer.ended).toBe(0)
    viewer.expectRestored()
    await world.alone()
    expect(world.outputs()).toEqual(['pan.webp'])
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1])
  }))

test.concurrent('a command of a viewer is obeyed, also when no engine was at work', () =>
  inWorld({ firstPort: 12_760 }, async world => {
    world.job('pan')
    expect(await world.run('run', 'jobs', '--yes', '--detach')).toMatchObject({ code: 0 })
    expect(await world.run('cancel', 'pan')).toMatchObject({ code: 0 })
    await world.event('run.closed')
    await world.alone()
    const viewer = openTerminal(world, ['top'], 80, 24)
    await viewer.until(/no engine[\s\S]*›pan .*⊘ cancelled/)
    viewer.press('r')
    await viewer.until(/›pan +pod-000\d +✓ done/)
    viewer.press('q')
    expect(await viewer.ended).toBe(0)
    await world.alone()
    expect(world.outputs()).toEqual(['pan.webp'])
  }))

test.concurrent('a run that is over says so, and leaves with enter', () =>
  inWorld({ firstPort: 12_640 }, async world => {
    world.job('pan')
    const t = openTerminal(world, ['run', 'jobs', '--yes'], 80, 24)
    await t.until(
      /summary[\s\S]*✓ completed · 1 of 1 job done[\s\S]*all proven gone[\s\S]*v opens .*out\/report\.html[\s\S]*1 file, .*verified/,
    )
    t.press('\r')
    expect(await t.ended).toBe(0)
    t.expectRestored()
    expect(t.text()).toMatch(/^pan +completed .*out\/pan\.webp/m)
    expect(t.text()).toMatch(/^report: out\/report\.html/m)
    // The engine of a screen is a process of its own, and ends a moment later.
    await world.alone()
  }))

test.concurrent('a screen that is interrupted from outside shows how all is ended, and gives the terminal back', () =>
  inWorld({ firstPort: 12_680, stepMs: 150 }, async world => {
    world.job('pan')
    const t = openTerminal(world, ['run', 'jobs', '--yes'], 80, 24)
    await t.until(/›pan +pod-0001 +⟳ rendering/)
    t.kill('SIGINT')
    await t.until(/summary[\s\S]*⊘ cancelled · 0 of 1 job done, 1 cancelled[\s\S]*all proven gone/)
    t.press('\r')
    expect(await t.ended).toBe(130)
    t.expectRestored()
    await world.alone()
    expect((await world.cloud.status()).pods).toEqual([])
  }))

test.concurrent('a screen that is killed leaves a usable terminal, and costs its run nothing', () =>
  inWorld({ firstPort: 12_660, stepMs: 25 }, async world => {
    world.job('pan')
    const t = openTerminal(world, ['run', 'jobs', '--yes'], 100, 30)
    await t.until(/›pan +pod-0001 +⟳ rendering/)
    t.kill('SIGKILL')
    await t.ended
    t.expectRestored()
    await world.event('run.closed')
    await world.alone()
    expect(world.events().filter(event => event.type === 'engine.started')).toHaveLength(1)
    expect(world.outputs()).toEqual(['pan.webp'])
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1])
  }))
