// What a run gives back: files, the result document, the bill; and what running the same folder again does.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { micro, type Result, result } from './result.ts'
import { inWorld, pictureJob, root, sha256, type World } from './world.ts'

const run = async (world: World, code: number, ...args: string[]): Promise<Result> =>
  result.parse(await world.json(code, 'run', ...args, '--yes'))

/** Files carry the prompt they were made with, so only what is seen can be the same twice. */
const seen = (world: World) =>
  Promise.all(
    world.outputs().map(name =>
      sharp(join(world.folder, 'out', name), { pages: -1 })
        .raw()
        .toBuffer(),
    ),
  )

test.concurrent('a folder of jobs becomes files, a document that fits, and a bill that adds up to the micro-dollar', () =>
  inWorld({ firstPort: 12_100 }, async world => {
    world.job('pan-1')
    world.job('pan-2')
    world.job('small', pictureJob('lighthouse.jpg'))
    const first = await run(world, 0, 'jobs', '--max-pods', '3')
    expect(first.status).toBe('completed')
    expect(first.jobs.map(job => [job.job_id, job.status, job.attempts, job.error])).toEqual([
      ['pan-1', 'completed', 1, null],
      ['pan-2', 'completed', 1, null],
      ['small', 'completed', 1, null],
    ])
    expect(first.jobs.map(job => job.outputs.map(file => [file.name, file.path]))).toEqual([
      [['video', 'out/pan-1.webp']],
      [['video', 'out/pan-2.webp']],
      [['image', 'out/small.png']],
    ])
    for (const { path, sha256: digest } of first.jobs.flatMap(job => job.outputs))
      expect(sha256(join(world.folder, path ?? ''))).toBe(digest)
    expect(world.outputs()).toEqual(['pan-1.webp', 'pan-2.webp', 'small.png'])

    expect(first.pods.map(pod => pod.local_port).sort()).toEqual([12_100, 12_101, 12_102])
    expect(first.pods.map(pod => pod.status)).toEqual(['terminated', 'terminated', 'terminated'])
    const sum = (parts: { cost_usd: number }[]) => parts.reduce((total, part) => total + micro(part.cost_usd), 0)
    expect(sum(first.pods)).toBe(micro(first.cost_usd))
    expect(sum(first.jobs)).toBe(micro(first.cost_usd))
    const { bills, prompts } = await world.cloud.status()
    // Ours runs from the request to the proof, theirs from start to end: never less than what is billed.
    expect(micro(first.cost_usd)).toBeGreaterThanOrEqual(bills.reduce((total, bill) => total + bill.micro, 0))
    expect(Object.values(prompts)).toEqual([1, 1, 1])

    const page = readFileSync(join(world.folder, 'out/report.html'), 'utf8')
    expect(page).toContain(`<data value="${micro(first.cost_usd)}">`)
    expect(page.match(/<img src="data:image\/webp;base64,/g)).toHaveLength(3)
    for (const name of world.outputs()) expect(page).toContain(`href="${name}"`)

    const second = await run(world, 0, 'jobs')
    expect(second.pods).toEqual([])
    expect(readFileSync(join(world.folder, 'out/report.html'), 'utf8')).toBe(page)
    const told = await world.run('report', first.run_id)
    expect(told).toMatchObject({ code: 0, stdout: `${join(world.folder, 'out/report.html')}\n` })
    expect(second.cost_usd).toBe(0)
    expect(second.jobs.map(job => job.outputs)).toEqual(first.jobs.map(job => job.outputs))

    world.job('small', { ...pictureJob('lighthouse.jpg'), params: { width: 50 } })
    const refused = await world.run('run', 'jobs', '--yes', '--plain')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/small.*out\/small\.png/s)
    expect((await world.cloud.status()).bills).toHaveLength(3)
  }))

test.concurrent('--again and deleted outputs run a job once more, and nothing else does', () =>
  inWorld({ firstPort: 12_120 }, async world => {
    world.job('one', pictureJob('lighthouse.jpg'))
    world.job('two', pictureJob('fruit-bowl.jpg'))
    const first = await run(world, 0, 'jobs', '--max-pods', '1')
    expect(first.pods).toHaveLength(1)
    const again = await run(world, 0, 'jobs/one.json', '--again')
    expect(again.pods).toHaveLength(1)
    expect(sha256(join(world.folder, 'out/one.png'))).toBe(again.jobs[0]?.outputs[0]?.sha256)

    rmSync(join(world.folder, 'out/two.png'))
    const mended = await run(world, 0, 'jobs')
    expect(mended.pods).toHaveLength(1)
    expect(world.outputs()).toEqual(['one.png', 'two.png'])
    expect(Object.keys((await world.cloud.status()).prompts)).toHaveLength(4)
  }))

test.concurrent('a result whose place was taken while it was made is brought from the bucket afterwards, without another pod', () =>
  inWorld({ firstPort: 16_400 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    const first = world.start(['run', 'jobs', '--yes', '--json'])
    await world.event('pod.created')
    mkdirSync(join(world.folder, 'out'), { recursive: true })
    writeFileSync(join(world.folder, 'out/small.png'), 'precious')
    const { code, stdout } = await first.ended
    const failed = result.parse(JSON.parse(stdout))
    expect(code).toBe(1)
    expect(failed.jobs[0]?.error).toMatchObject({
      code: 'output_exists',
      message: expect.stringContaining(`below out/${failed.run_id}/small/1/`),
    })
    expect(readFileSync(join(world.folder, 'out/small.png'), 'utf8')).toBe('precious')

    rmSync(join(world.folder, 'out/small.png'))
    const mended = await run(world, 0, 'jobs')
    expect(mended).toMatchObject({ cost_usd: 0, pods: [], jobs: [{ status: 'completed', attempts: 1 }] })
    expect(world.outputs()).toEqual(['small.png'])
    expect((await world.cloud.status()).bills).toHaveLength(1)
  }))

test.concurrent('without a bucket the same pictures come back over SSH', () =>
  inWorld({ firstPort: 12_140 }, async world => {
    world.job('pan')
    world.job('small', pictureJob('lighthouse.jpg'))
    const objects = () => readdirSync(join(world.home, 'cloud/buckets'), { recursive: true }).length
    await run(world, 0, 'jobs', '--max-pods', '2')
    const [stored, before] = [objects(), await seen(world)]
    expect(stored).toBeGreaterThan(4)

    world.settings({ bucket: 'none' })
    const again = await run(world, 0, 'jobs', '--max-pods', '2', '--again')
    expect(again.jobs.map(job => job.status)).toEqual(['completed', 'completed'])
    for (const { path, sha256: digest } of again.jobs.flatMap(job => job.outputs))
      expect(sha256(join(world.folder, path ?? ''))).toBe(digest)
    expect(await seen(world)).toEqual(before)
    expect(objects()).toBe(stored)
  }))

test.concurrent('events are JSON lines that end with the end of the run; a dry run rents nothing', () =>
  inWorld({ firstPort: 12_160 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    const dry = await world.run('run', 'jobs', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toMatch(/small +resize +1 × A40 +\$0\.49\/h[\s\S]*Nothing was rented/)
    const plan = await world.json(0, 'run', 'jobs', '--dry-run')
    // Ten minutes at $0.49 an hour, twice.
    expect(plan).toMatchObject({ dry_run: true, pods: 1, price_usd_per_hour: 0.49, worst_case_usd: 0.163334 })
    expect(world.events()).toEqual([])
    expect(await world.cloud.status()).toEqual({ pods: [], bills: [], prompts: {} })

    const told = await world.run('run', 'jobs', '--events', '--yes')
    expect(told.code).toBe(0)
    const events = told.stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { type: string; at: string; seq: number })
    expect(events.at(-1)).toMatchObject({ type: 'run.closed', status: 'completed' })
    expect(events.map(event => event.type)).toEqual(
      expect.arrayContaining(['run.opened', 'pod.ready', 'job.completed', 'pod.gone']),
    )
    expect(events.map(event => event.seq)).toEqual(events.map(event => event.seq).toSorted((a, b) => a - b))
    for (const { at } of events) expect(new Date(at).toISOString()).toBe(at)

    // What happened before this run began is another's.
    const next = await world.run('run', 'jobs', '--events', '--json')
    const lines = next.stdout.trimEnd().split('\n')
    const firstOfNext = JSON.parse(lines[0] ?? '') as { seq: number }
    expect(firstOfNext.seq).toBeGreaterThan(events.at(-1)?.seq ?? 0)
    // Asked for both, the document is the last line.
    expect(result.parse(JSON.parse(lines.at(-1) ?? ''))).toMatchObject({ status: 'completed' })
    expect(await world.json(0, 'run', 'jobs', '--detach')).toEqual({ run_id: expect.stringMatching(/^run_/) })
    await world.alone()

    const plain = await world.run('run', 'jobs', '--plain')
    expect(plain).toMatchObject({ code: 0, stderr: '' })
    expect(plain.stdout).toMatch(/^small +completed +.*out\/small\.png/m)
    expect(plain.stdout).toMatch(/1 of 1 job completed/)
    expect(plain.stdout).not.toContain('\x1b')
  }))

test.concurrent('the embedded cloud is started when none runs; files are found from the folder that --base names', () =>
  inWorld(
    { firstPort: 12_180, cloud: 'by itself', settings: { sandbox: { boot_ms: 200, step_ms: 1, seed: 7 } } },
    async world => {
      const inputs = join(world.folder, 'elsewhere/inputs')
      mkdirSync(inputs, { recursive: true })
      copyFileSync(join(root, 'fixtures/inputs/lighthouse.jpg'), join(inputs, 'lighthouse.jpg'))
      world.job('small', { ...pictureJob(''), inputs: { image: './inputs/lighthouse.jpg' } })
      const told = await run(world, 0, 'jobs', '--base', 'elsewhere')
      expect(told.jobs[0]?.outputs[0]).toMatchObject({ path: 'out/small.png' })
      expect(sha256(join(world.folder, 'elsewhere/out/small.png'))).toBe(told.jobs[0]?.outputs[0]?.sha256)
      expect(await world.run('doctor')).toMatchObject({ code: 0, stdout: expect.stringContaining('GPU types') })
    },
  ))

test.concurrent('of two runs that start in the same moment for one file, one renders it and the other is refused', () =>
  inWorld({ firstPort: 17_100 }, async world => {
    const paths = ['one', 'other'].map(name =>
      world.job(name, { ...pictureJob('lighthouse.jpg'), outputs: { image: './out/same.{ext}' } }),
    )
    const ends = await Promise.all(paths.map(path => world.run('run', path, '--yes', '--plain')))
    expect(ends.map(({ code }) => code).toSorted()).toEqual([0, 2])
    expect(ends.find(({ code }) => code === 2)?.stderr).toMatch(/would be written over/)
    await world.alone()
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1])
  }))
