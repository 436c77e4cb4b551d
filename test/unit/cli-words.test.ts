// What a user types: flags and words, names of jobs and pods; and the tables that come back.
import { describe, expect, it } from 'vitest'
import { lastRunWithJobs, openOf } from '../../src/cli/act.ts'
import { type Command, helpOf, parse } from '../../src/cli/args.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { findJob, findJobs, findPod, findPodOf, livePods } from '../../src/cli/find.ts'
import { clean, table } from '../../src/cli/table.ts'
import { Fault, type FaultData } from '../../src/domain/fault.ts'
import { keyOf, policyOf, RUN, specOf, story } from './fleet-story.ts'

function fault(work: () => unknown): FaultData {
  try {
    work()
  } catch (error) {
    if (error instanceof Fault) return error.data
    throw error
  }
  throw new Error('no fault')
}
const command = (name: string) => COMMANDS.find(one => one.name === name) as Command
const run = (...argv: string[]) => parse(command('run'), argv)

describe('arguments', () => {
  it('are words, flags with values, repeated flags and switches, in any order', () => {
    const { words, flags } = run('jobs', '--gpu', 'A40', '--max-pods=3', '--yes', 'more/*.json', '--gpu', 'RTX 4090')
    expect(words).toEqual(['jobs', 'more/*.json'])
    expect(flags.texts('gpu')).toEqual(['A40', 'RTX 4090'])
    expect(flags.texts('region')).toEqual([])
    expect(flags.number('max-pods', 1, 500)).toBe(3)
    expect(flags.number('retries', 0, 20)).toBeUndefined()
    expect([flags.on('yes'), flags.on('keep')]).toEqual([true, false])
    expect(flags.text('cloud')).toBeUndefined()
  })

  it('are never rounded in silence', () => {
    expect(run('--max-pods', '3').flags.whole('max-pods', 1, 500)).toBe(3)
    expect(fault(() => run('--max-pods', '1.5').flags.whole('max-pods', 1, 500)).message).toBe(
      '--max-pods 1.5 is not a whole number from 1 to 500',
    )
  })

  it('may be short where a command has short ones', () => {
    expect(parse(command('logs'), ['job-1', '-f']).flags.on('follow')).toBe(true)
    expect(parse(command('logs'), ['-h']).flags.on('help')).toBe(true)
  })

  it.each([
    [['--max-pod', '3'], 'unknown flag --max-pod (did you mean "max-pods"?)'],
    [['--constructor'], 'unknown flag --constructor'],
    [['-x'], 'unknown flag -x'],
    [['--gpu'], '--gpu needs a value'],
    [['--gpu='], '--gpu needs a value'],
    [['--yes=no'], '--yes takes no value'],
  ])('%j are refused as wrong usage', (argv, said) => {
    const { kind, code, message, hint } = fault(() => run('jobs', ...argv))
    expect([kind, code, hint]).toEqual(['job', 'usage', 'See autopod run --help.'])
    expect(message).toContain(said)
  })

  it.each(['0', '-1', '501', 'three', '1e9', 'NaN', ' '])('refuse --max-pods %j with the bounds', given => {
    expect(fault(() => run(`--max-pods=${given}`).flags.number('max-pods', 1, 500)).message).toContain('from 1 to 500')
  })

  it('after -- belong to what is run on the pod, and are words elsewhere', () => {
    const remote: Command = { ...command('logs'), takes: 'POD [-- COMMAND]' }
    const ssh = parse(remote, ['pod-0001', '--', 'ls', '--all', '--'])
    expect([ssh.words, ssh.rest]).toEqual([['pod-0001'], ['ls', '--all', '--']])
    expect(run('--yes', '--', '-1.json').words).toEqual(['-1.json'])
  })

  it('are no more than the command takes', () => {
    expect(fault(() => parse(command('top'), ['jobs'])).message).toContain('"jobs" is one word too many')
  })
})

describe('every command', () => {
  it('has a help with its name, its flags and an example that it understands itself', () => {
    for (const one of COMMANDS) {
      const help = helpOf(one)
      expect(help).toContain(`autopod ${one.name}`)
      expect(help).toContain(one.example)
      for (const name of Object.keys(one.flags)) expect(help).toContain(`--${name}`)
      const [program, name, ...argv] =
        one.example
          .split(' > ')[0]
          ?.split(' ')
          .map(word => word.replaceAll(/^["']|["']$/g, '')) ?? []
      expect([program, name]).toEqual(['autopod', one.name])
      expect(() => parse(one, argv)).not.toThrow()
    }
    expect(new Set(COMMANDS.map(one => one.name)).size).toBe(COMMANDS.length)
  })
})

describe('names', () => {
  const told = () =>
    story().run().jobs('job-1', 'job-10', 'other').pod('pod-0001').pod('pod-0002').start('other', 'pod-0002')

  it('mean jobs by id, key or a beginning that only one has', () => {
    const { fleet } = told()
    expect(findJob(fleet, 'job-1').spec.jobId).toBe('job-1')
    expect(findJob(fleet, keyOf('job-10')).spec.jobId).toBe('job-10')
    expect(findJob(fleet, 'oth').spec.jobId).toBe('other')
    expect(fault(() => findJob(fleet, 'job')).message).toContain('no job job')
    expect(fault(() => findJob(fleet, 'job-11')).message).toMatch(/no job job-11 \(did you mean "job-10?"\?\)/)
  })

  it('mean the newest job where two runs have one of that id', () => {
    const s = told()
    const runId = 'run_20261123_000000_ffffffff'
    s.tell({ type: 'run.opened', runId, policy: policyOf(), follows: [] })
    s.tell({ type: 'job.queued', runId, spec: specOf('job-1') })
    expect(findJob(s.fleet, 'job-1').runId).toBe(runId)
    expect(findJob(s.fleet, keyOf('job-1')).runId).not.toBe(runId)
  })

  /** A second run with a job of the same name, which begins while the first may still be under way. */
  const LATER = 'run_20261123_000000_ffffffff'
  const toldTwice = (s = told()) =>
    s.tell(
      { type: 'run.opened', runId: LATER, policy: policyOf(), follows: [] },
      { type: 'job.queued', runId: LATER, spec: specOf('job-1') },
    )

  it('mean a job that is under way before a newer one that is not', () => {
    const s = toldTwice()
    s.tell({ type: 'job.cancelled', jobKey: `${LATER}/job-1` })
    expect(findJob(s.fleet, 'job-1').runId).toBe(RUN)
    s.tell({ type: 'job.cancelled', jobKey: keyOf('job-1') })
    expect(findJob(s.fleet, 'job-1').runId).toBe(LATER)
  })

  it('mean, to be cancelled, every job of that id that is under way; a key means one', () => {
    const s = toldTwice()
    const runs = (word: string) => openOf(s.fleet, word).map(job => job.runId)
    expect(runs('job-1')).toEqual([LATER, RUN])
    expect(runs(keyOf('job-1'))).toEqual([RUN])
    s.tell({ type: 'job.cancelled', jobKey: keyOf('job-1') })
    expect(runs('job-1')).toEqual([LATER])
    s.tell({ type: 'job.cancelled', jobKey: `${LATER}/job-1` })
    expect(runs('job-1')).toEqual([LATER])
  })

  it('mean, by a beginning that jobs of one id share, these', () => {
    expect(findJob(toldTwice().fleet, 'oth').runId).toBe(RUN)
    expect(findJobs(toldTwice(story().run().jobs('job-1')).fleet, 'jo').map(job => job.runId)).toEqual([LATER, RUN])
  })

  it('mean the pod of the newest try that had one', () => {
    const s = toldTwice(told().start('job-1', 'pod-0001').fail('job-1', 'job'))
    s.tell({
      type: 'job.failed',
      jobKey: `${LATER}/job-1`,
      fault: { kind: 'job', code: 'budget_reached', message: '' },
    })
    expect(findPodOf(s.fleet, 'job-1').id).toBe('pod-0001')
  })

  it('mean as the last run one that had work of its own', () => {
    const s = told()
    s.tell({ type: 'run.opened', runId: LATER, policy: policyOf(), follows: [keyOf('job-1')] })
    expect(lastRunWithJobs(s.fleet)).toBe(RUN)
    s.tell({ type: 'job.queued', runId: LATER, spec: specOf('by-hand', { executor: 'hand' }) })
    expect(lastRunWithJobs(s.fleet)).toBe(RUN)
    s.tell({ type: 'job.queued', runId: LATER, spec: specOf('job-1') })
    expect(lastRunWithJobs(s.fleet)).toBe(LATER)
    expect(lastRunWithJobs(story().fleet)).toBeUndefined()
  })

  it('mean pods by our id, by name, or by the provider’s id or its beginning', () => {
    const { fleet } = told()
    for (const word of ['pod-0002', 'autopod-home-pod-0002', 'ref-pod-0002'])
      expect(findPod(fleet, word).id).toBe('pod-0002')
    expect(fault(() => findPod(fleet, 'ref-pod')).message).toContain('no pod ref-pod')
    expect(fault(() => findPod(fleet, 'pod-0003'))).toMatchObject({ code: 'usage', hint: 'See autopod pods.' })
  })

  it('mean the pod that a job was last on', () => {
    const { fleet } = told()
    expect(findPodOf(fleet, 'other').id).toBe('pod-0002')
    expect(findPodOf(fleet, 'pod-0001').id).toBe('pod-0001')
    expect(fault(() => findPodOf(fleet, 'job-1')).message).toBe('job-1 has not been on a pod yet')
  })

  it('count as live every pod that may be billed', () => {
    const s = told().pod('pod-0003', 'requested')
    s.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: s.now })
    expect(livePods(s.fleet).map(pod => pod.id)).toEqual(['pod-0002', 'pod-0003'])
  })
})

describe('a table', () => {
  it('has columns as wide as their widest cell, and no blanks at the end', () => {
    const rows = [
      ['job-1', 'completed'],
      ['a-longer-name', 'x'],
    ]
    expect(table(['JOB', 'STATUS'], rows)).toBe('JOB            STATUS\njob-1          completed\na-longer-name  x')
    expect(table(['JOB'], [])).toBe('JOB')
    expect(table(['A', 'B'], [['short row']])).toBe('A          B\nshort row')
  })

  it('lets nothing from outside command the terminal or break its line', () => {
    expect(clean('a\u001b[31mred\u001b[0m\u0007 \u009b2J\r\nnext\tcell')).toBe('a[31mred[0m 2J next cell')
    expect(clean('abc\u202efdp.exe\u200b\u2066x\ufeff')).toBe('abcfdp.exex')
    expect(clean('“ü” – 日本 🎬')).toBe('“ü” – 日本 🎬')
    expect(table(['A'], [['x\ny']]).split('\n')).toHaveLength(2)
  })
})
