// What every part relies on when it says "it is in the journal": durable, in order, one engine at a time, seen by other processes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event, Fact } from '../../src/domain/event.ts'
import type { JobGauge } from '../../src/domain/gauge.ts'
import { examineJournal, lock, openStore } from '../../src/edge/store.ts'
import type { Store } from '../../src/ports.ts'

const STORE = fileURLToPath(new URL('../../src/edge/store.ts', import.meta.url))
const TRACE = fileURLToPath(new URL('../../src/edge/trace.ts', import.meta.url))

let home: string
let opened: Store[]
let children: ChildProcess[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'autopod-store-'))
  opened = []
  children = []
})
afterEach(async () => {
  for (const store of opened) store.close()
  for (const child of children) await kill(child)
  rmSync(home, { recursive: true, force: true })
})

const open = () => {
  const store = openStore(home)
  opened.push(store)
  return store
}
const found = (provider: string): Fact => ({ type: 'listing.found', provider })
const write = (store: Store, ...names: string[]) => store.append(() => names.map(found), 1000)
const names = (events: Event[]) => events.map(event => ('provider' in event ? event.provider : event.type))

/** Another process that does `script` with the store, says `ready`, and stays until it is killed. */
async function child(script: string): Promise<ChildProcess> {
  const spawned = module(`const { openStore } = await import(${JSON.stringify(STORE)})
const store = openStore(${JSON.stringify(home)})
${script}
console.log('ready')
process.stdin.resume()`)
  await spawned.says('ready')
  return spawned.process
}

/** Another process that runs `code`. What it says first must be what is waited for: one that is over fails the test at once. */
function module(code: string): { process: ChildProcess; says(expected: string): Promise<void> } {
  const spawned = spawn('node', ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.push(spawned)
  let complaint = ''
  spawned.stderr.on('data', data => {
    complaint += data
  })
  const lines = createInterface({ input: spawned.stdout })[Symbol.asyncIterator]()
  return {
    process: spawned,
    async says(expected) {
      const { value } = await lines.next()
      expect(value ?? `over: ${complaint}`).toBe(expected)
    },
  }
}

async function kill(spawned: ChildProcess): Promise<void> {
  if (spawned.exitCode !== null || spawned.signalCode !== null) return
  const exit = once(spawned, 'exit')
  spawned.kill('SIGKILL')
  await exit
}

describe('the journal', () => {
  test('numbers events from 1 and gives back what it wrote', () => {
    const store = open()
    expect(write(store, 'a', 'b')).toEqual([
      { type: 'listing.found', provider: 'a', seq: 1, at: 1000 },
      { type: 'listing.found', provider: 'b', seq: 2, at: 1000 },
    ])
    expect(write(store, 'c')).toMatchObject([{ seq: 3 }])
  })

  test('is there again after it was closed and opened, whole and in order', () => {
    const facts: Fact[] = [
      found('a'),
      { type: 'pod.refused', podId: 'p', fault: { kind: 'capacity', code: 'x', message: 'ü "quoted" \u0000 \n end' } },
    ]
    const first = openStore(home)
    const written = first.append(() => facts, 5)
    first.close()
    expect(open().read(0)).toEqual(written)
  })

  test('is there after the process that wrote it was killed', async () => {
    await kill(await child(`store.append(() => [{ type: 'listing.found', provider: 'killed' }], 7)`))
    expect(open().read(0)).toEqual([{ type: 'listing.found', provider: 'killed', seq: 1, at: 7 }])
  })

  test('is read from any place', () => {
    const store = open()
    write(store, 'a', 'b', 'c')
    expect(names(store.read(1))).toEqual(['b', 'c'])
    expect(store.read(3)).toEqual([])
  })

  test('hands over what others wrote, before the own facts and only once', () => {
    const [mine, theirs] = [open(), open()]
    write(mine, 'mine 1')
    write(theirs, 'theirs 1', 'theirs 2')
    const seen: string[][] = []
    const own = mine.append(foreign => {
      seen.push(names(foreign))
      return [found('mine 2')]
    }, 0)
    expect(own).toMatchObject([{ seq: 4, provider: 'mine 2' }])
    mine.append(foreign => {
      seen.push(names(foreign))
      return []
    }, 0)
    expect(seen).toEqual([['theirs 1', 'theirs 2'], []])
    expect(names(theirs.read(0))).toEqual(['mine 1', 'theirs 1', 'theirs 2', 'mine 2'])
  })

  test('writes nothing of a decision that threw, and goes on after what that decision had seen', () => {
    const [mine, theirs] = [open(), open()]
    write(theirs, 'theirs')
    const undecided = () =>
      mine.append(() => {
        throw new Error('bug: undecided')
      }, 0)
    expect(undecided).toThrow('bug: undecided')
    expect(write(mine, 'mine')).toMatchObject([{ seq: 2 }])
    expect(names(theirs.read(0))).toEqual(['theirs', 'mine'])
  })

  test('leaves no gap when a fact cannot be written', () => {
    const store = open()
    const loop: Record<string, unknown> = {}
    loop.self = loop
    expect(() => store.append(() => [found('a'), { type: 'listing.found', provider: loop } as never], 0)).toThrow()
    expect(write(store, 'b')).toMatchObject([{ seq: 1 }])
    expect(store.read(0)).toHaveLength(1)
  })

  test('takes turns with other processes that write at the same time', async () => {
    const script = (name: string) =>
      `for (let n = 0; n < 100; n++) store.append(() => [{ type: 'listing.found', provider: '${name}' }], n)`
    await Promise.all([child(script('one')), child(script('two'))])
    const events = open().read(0)
    expect(events.map(event => event.seq)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    expect(names(events).filter(name => name === 'one')).toHaveLength(100)
  })

  test('can be opened while another process makes it', async () => {
    // What SQLite has in hand when it makes a journal a write-ahead log: a reader beside it cannot become a writer, and is told so at once.
    const maker = module(`const { DatabaseSync } = await import('node:sqlite')
const db = new DatabaseSync(${JSON.stringify(join(home, 'journal.db'))})
db.exec('CREATE TABLE other (a); BEGIN IMMEDIATE')
console.log('making')
process.stdin.once('data', () => db.exec('COMMIT'))`)
    await maker.says('making')
    const opener = module(`const { openStore } = await import(${JSON.stringify(STORE)})
console.log('opening')
openStore(${JSON.stringify(home)})
console.log('open')`)
    await opener.says('opening')
    maker.process.stdin?.end('go on')
    await opener.says('open')
  })

  test('is for the eyes of its owner alone', () => {
    write(open(), 'a')
    for (const file of ['journal.db', 'gauges.db']) expect(statSync(join(home, file)).mode & 0o077).toBe(0)
    expect(statSync(home).mode & 0o077).toBe(0)
  })
})

describe('changed', () => {
  test('tells what others wrote, not what was written here', async () => {
    const store = open()
    store.changed()
    expect(store.changed()).toBe(false)
    write(store, 'mine')
    expect(store.changed()).toBe(false)
    await child(`store.append(() => [{ type: 'listing.found', provider: 'theirs' }], 0)`)
    expect(store.changed()).toBe(true)
    expect(store.changed()).toBe(false)
  })
})

describe('the lease', () => {
  test('is held by one at a time, in one process too', () => {
    const [first, second] = [open(), open()]
    expect(first.leased()).toBe(false)
    const lease = first.lease()
    expect(second.lease()).toBe(null)
    expect(second.leased()).toBe(true)
    lease?.release()
    expect(second.leased()).toBe(false)
    second.lease()?.release()
  })

  test('of another process ends with it, however it ends', async () => {
    const holder = await child(`globalThis.lease = store.lease(); if (!lease) process.exit(1)`)
    const store = open()
    expect(store.lease()).toBe(null)
    expect(store.leased()).toBe(true)
    await kill(holder)
    const lease = store.lease()
    expect(lease).not.toBe(null)
    lease?.release()
  })

  test('is not lost by asking who holds it, and does not stop anybody from writing', async () => {
    await child(`globalThis.lease = store.lease(); store.leased()`)
    const store = open()
    write(store, 'a command')
    expect(store.leased()).toBe(true)
    expect(store.lease()).toBe(null)
  })
})

describe('gauges', () => {
  const gauge = (fraction: number): JobGauge => ({
    at: 1,
    phase: 'running',
    fraction,
    nodeId: '3',
    nodeTitle: null,
    step: 1,
    steps: 20,
    perSecond: 2.5,
    bytes: null,
    bytesTotal: null,
    attempt: 1,
  })

  test('are the last values, for other processes too', async () => {
    const store = open()
    store.writeGauges({ jobs: [['a', gauge(0.1)]], pods: [], balance: { micro: 5, at: 1 } })
    store.writeGauges({
      jobs: [
        ['a', gauge(0.2)],
        ['b', gauge(0.3)],
      ],
      pods: [],
      balance: null,
    })
    const rows = open().readGauges()
    expect(new Map(rows.jobs)).toEqual(
      new Map([
        ['a', gauge(0.2)],
        ['b', gauge(0.3)],
      ]),
    )
    expect(rows.balance).toEqual({ micro: 5, at: 1 })
  })

  test('are read once: what changed since the last look', () => {
    const [store, viewer] = [open(), open()]
    store.writeGauges({
      jobs: [
        ['a', gauge(0.1)],
        ['b', gauge(0.1)],
      ],
      pods: [],
      balance: { micro: 5, at: 1 },
    })
    const { jobs, last } = viewer.readGauges()
    expect(jobs).toHaveLength(2)
    expect(viewer.readGauges(last)).toEqual({ jobs: [], pods: [], balance: null, last })
    store.writeGauges({ jobs: [['a', gauge(0.2)]], pods: [], balance: null })
    const next = viewer.readGauges(last)
    expect(next).toEqual({ jobs: [['a', gauge(0.2)]], pods: [], balance: null, last: expect.any(Number) })
    store.writeGauges({ jobs: [['b', gauge(0.3)]], pods: [], balance: null })
    store.writeGauges({ jobs: [['b', gauge(0.4)]], pods: [], balance: null })
    expect(viewer.readGauges(next.last).jobs).toEqual([['b', gauge(0.4)]])
    expect(viewer.readGauges().jobs).toHaveLength(2)
  })

  test('that nobody needs are dropped, and what is written afterwards is still news to whoever read before', () => {
    const [store, viewer] = [open(), open()]
    store.writeGauges({ jobs: ['a', 'b', 'c'].map(key => [key, gauge(1)]), pods: [], balance: null })
    const { last } = viewer.readGauges()
    store.dropGauges(['a', 'c', 'unknown'], [])
    expect(store.readGauges().jobs.map(([key]) => key)).toEqual(['b', 'c'])
    store.writeGauges({ jobs: [['d', gauge(0)]], pods: [], balance: null })
    expect(viewer.readGauges(last).jobs.map(([key]) => key)).toEqual(['d'])
    store.dropGauges(['b', 'c'], [])
    expect(viewer.readGauges().jobs.map(([key]) => key)).toEqual(['d'])
  })

  test('are no facts: they do not change the journal', () => {
    const [store, viewer] = [open(), open()]
    viewer.changed()
    store.writeGauges({ jobs: [['a', gauge(1)]], pods: [], balance: null })
    expect(viewer.changed()).toBe(false)
    expect(viewer.read(0)).toEqual([])
  })
})

const noise = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7919 + (at >> 3)) & 0xff))
const faulty = (code: string) => expect.objectContaining({ data: expect.objectContaining({ kind: 'operator', code }) })

describe('a journal that is damaged', () => {
  const path = () => join(home, 'journal.db')
  /** Of some pages, all of them in the file itself. */
  const filled = () => {
    const store = openStore(home)
    for (let n = 0; n < 200; n++) write(store, `provider ${n} ${'x'.repeat(100)}`)
    store.close()
  }
  const readAll = () => {
    const store = openStore(home)
    try {
      return store.read(0)
    } finally {
      store.close()
    }
  }
  const patched = () => {
    const bytes = readFileSync(path())
    noise(3000).copy(bytes, 4096)
    writeFileSync(path(), bytes)
  }
  const damages: [string, () => void][] = [
    ['is something else', () => writeFileSync(path(), noise(20_000))],
    ['was cut off', () => truncateSync(path(), 5000)],
    ['has a page of garbage', patched],
  ]

  test.each(damages)('because it %s is a fault that names the file, and is left as it is', (_, damage) => {
    filled()
    damage()
    const before = readFileSync(path())
    expect(readAll).toThrow(faulty('journal_damaged'))
    expect(readAll).toThrow(path())
    expect(() => examineJournal(home)).toThrow(faulty('journal_damaged'))
    expect(readFileSync(path()).equals(before)).toBe(true)
  })

  test('is not what a sound one is taken for, nor a missing or an empty one', () => {
    expect(examineJournal(home)).toBeNull()
    writeFileSync(path(), '')
    expect(examineJournal(home)).toBe(0)
    filled()
    expect(examineJournal(home)).toBe(200)
  })
})

describe('a disk that takes no more', () => {
  /** The kernel refuses this process and its children to make any file larger. */
  const limited = (script: string) =>
    spawnSync(
      'bash',
      [
        '-c',
        'ulimit -f 64; exec "$0" "$@"',
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        '--input-type=module',
        '-e',
        script,
      ],
      { encoding: 'utf8' },
    )

  test('refuses facts with a fault; nothing half is written, and what there is can be read', () => {
    const { stdout, stderr } = limited(`const { openStore } = await import(${JSON.stringify(STORE)})
      const store = openStore(${JSON.stringify(home)})
      const write = at => store.append(() => [{ type: 'listing.found', provider: 'x'.repeat(2000) }], at)
      let written = 0
      const codes = new Set()
      for (let n = 0; n < 60; n++)
        try { write(n); written++ } catch (error) { codes.add(error.data.code) }
      store.writeGauges({ jobs: [['a', { text: 'x'.repeat(100_000) }]], pods: [], balance: null })
      console.log(JSON.stringify({ written, codes: [...codes], read: store.read(0).length }))`)
    expect(stderr).toBe('')
    const told = JSON.parse(stdout) as { written: number; codes: string[]; read: number }
    expect(told.codes).toEqual(['journal_unwritable'])
    expect(told.read).toBe(told.written)
    expect(told.written).toBeGreaterThan(3)
    const store = open()
    expect(store.read(0)).toHaveLength(told.written)
    expect(write(store, 'there is room again')).toMatchObject([{ seq: told.written + 1 }])
  })

  test('loses lines and previews, says so once, and nobody else hears of it', () => {
    const { stdout, stderr, status } = limited(`const { openStore } = await import(${JSON.stringify(STORE)})
      const { openTrace } = await import(${JSON.stringify(TRACE)})
      openStore(${JSON.stringify(home)}).close()
      const told = []
      const trace = openTrace(${JSON.stringify(home)}, { now: () => 1e12 }, why => told.push(why))
      for (let n = 0; n < 40; n++) trace.pod('p', 'x'.repeat(3000), String(n))
      trace.engine('one more')
      for (let n = 0; n < 3; n++) trace.preview('r/j' + n, Buffer.alloc(100_000))
      console.log(JSON.stringify(told))`)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(JSON.parse(stdout)).toEqual([expect.stringContaining('EFBIG'), expect.stringContaining('EFBIG')])
  })
})

describe('damaged gauges', () => {
  const path = () => join(home, 'gauges.db')
  const rows = { jobs: [], pods: [], balance: { micro: 5, at: 1 } }

  test('are made anew, and shared again', () => {
    writeFileSync(path(), noise(20_000))
    const [one, other] = [open(), open()]
    one.writeGauges(rows)
    expect(other.readGauges()).toMatchObject(rows)
  })

  test('keep nobody from the journal while another process has them in hand', () => {
    writeFileSync(path(), noise(20_000))
    const turn = lock(`${path()}.lock`)
    const store = open()
    write(store, 'a')
    store.writeGauges(rows)
    expect(store.readGauges()).toMatchObject(rows)
    expect(readFileSync(path())).toHaveLength(20_000)
    turn?.release()
  })
})

test('a home that cannot be used is a fault for the operator, with what to do', () => {
  expect(() => openStore('/dev/null/home')).toThrow(
    expect.objectContaining({ data: expect.objectContaining({ kind: 'operator', code: 'home_unusable' }) }),
  )
})
