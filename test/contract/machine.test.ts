// The contract of Dialer and Machine, one suite for every SSH server: commands, files, and how connections fail and end.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fault, type FaultKind } from '../../src/domain/fault.ts'
import type { Address } from '../../src/domain/pod.ts'
import { createDialer, type DialerOptions } from '../../src/edge/ssh/dialer.ts'
import { loadOrMakeKey } from '../../src/edge/ssh/keys.ts'
import { LINE_BYTES_MAX } from '../../src/edge/ssh/lines.ts'
import type { Machine } from '../../src/ports.ts'
import { startLink } from './link.ts'
import { freePort, IMPLEMENTATIONS, type SshWorld } from './ssh-worlds.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function faultOf(work: Promise<unknown>): Promise<[FaultKind, string]> {
  const error = await work.then(
    () => null,
    reason => reason,
  )
  if (!(error instanceof Fault)) throw new Error(`no fault but ${error}`)
  return [error.data.kind, error.data.code]
}

/** Connects with an own dialer and a tunnel nobody uses; `end` takes all down. */
async function dial(address: Address, options: DialerOptions, pinned: string | null = null, signal?: AbortSignal) {
  const dialer = createDialer(options)
  try {
    const tunnel = await dialer.hold(0, 8188)
    const machine = await dialer.connect(address, { pinned, tunnel, ...(signal ? { signal } : {}) })
    return { machine, tunnel, end: () => dialer.close() }
  } catch (error) {
    await dialer.close()
    throw error
  }
}

for (const { name, missing, start, bulkBytes, talkative } of IMPLEMENTATIONS)
  describe.skipIf(missing !== null)(`a machine on ${name}${missing ? ` (${missing})` : ''}`, () => {
    let world: SshWorld
    let machine: Machine
    let end = async () => {}

    beforeAll(async () => {
      world = await start()
      ;({ machine, end } = await dial(world.address, { privateKey: world.privateKey }))
    })
    afterAll(async () => {
      await end()
      await world?.stop()
    })

    it('runs a command and gives its code, output and errors', async () => {
      expect(await machine.exec('echo out; echo err >&2; exit 3')).toEqual({
        code: 3,
        stdout: 'out\n',
        stderr: 'err\n',
      })
    })

    it('gives 128 and the number of the signal that ended the command', async () => {
      expect((await machine.exec('kill -KILL $$')).code).toBe(137)
    })

    it('hands text to the command as its input, and ends the input when there is none', async () => {
      expect((await machine.exec('tr a-z A-Z', { stdin: 'größe a\n' })).stdout).toBe('GRößE A\n')
      expect((await machine.exec('cat')).stdout).toBe('')
    })

    it('brings back more output than any window holds', async () => {
      const { stdout } = await machine.exec("head -c 20000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2")
      expect(stdout.length).toBe(20_000_000)
    })

    it('gives lines as they are written, whole characters only, and cuts endless ones', async () => {
      const lines: string[] = []
      const { stdout } = await machine.exec(
        "printf 'ä\\n\\303'; sleep 0.1; printf '\\266 \\r\\n'; head -c 100000 /dev/zero | tr '\\0' y; printf '\\nlast'",
        { onLine: line => lines.push(line) },
      )
      expect(stdout).toBe('')
      expect(lines.map(line => (line.length > 20 ? line.length : line))).toEqual(['ä', 'ö ', LINE_BYTES_MAX, 'last'])
    })

    it('ends a command that takes too long, on the pod too', async () => {
      const file = join(world.folder, 'survivor')
      const work = machine.exec(`sh -c 'echo $$ > ${file}; sleep 20; true'; true`, { timeoutMs: 700 })
      expect(await faultOf(work)).toEqual(['transient', 'command_timed_out'])
      const gone = `n=0; while kill -0 $(cat ${file}); do n=$((n + 1)); [ $n -lt 40 ] || exit 1; sleep 0.1; done 2>&-`
      expect((await machine.exec(gone)).code).toBe(0)
    })

    it('ends a command when its signal is aborted', async () => {
      const stop = new AbortController()
      const works = Array.from({ length: 8 }, () =>
        faultOf(machine.exec('echo up; exec sleep 20', { onLine: () => stop.abort('cancel'), signal: stop.signal })),
      )
      for (const work of works) expect(await work).toEqual(['transient', 'aborted'])
      expect(await faultOf(machine.exec('true', { signal: stop.signal }))).toEqual(['transient', 'aborted'])
      expect((await machine.exec('true')).code).toBe(0)
    })

    it('runs at most six of twelve commands at once and all of them in the end', async () => {
      const room = join(world.folder, 'room')
      await mkdir(room)
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          machine.exec(`touch ${room}/${n}; ls ${room} | wc -l; sleep 0.5; rm ${room}/${n}`),
        ),
      )
      expect(results.map(result => result.code)).toEqual(Array(12).fill(0))
      const present = results.map(result => Number(result.stdout))
      expect(Math.max(...present)).toBeLessThanOrEqual(6)
      expect(Math.max(...present)).toBeGreaterThan(1)
    })

    it(`carries ${bulkBytes / 1024 / 1024} MiB up and down unchanged`, { timeout: 60_000 }, async () => {
      const content = randomBytes(bulkBytes)
      const source = join(world.local, 'bulk')
      await writeFile(source, content)
      let seen = 0
      const up = await machine.put(source, join(world.folder, 'made/on/the/way/bulk'), {
        onBytes: bytes => {
          seen = bytes
        },
      })
      expect(up).toEqual({ sha256: sha256(content), bytes: bulkBytes })
      expect(seen).toBe(bulkBytes)
      expect(await readdir(join(world.folder, 'made/on/the/way'))).toEqual(['bulk'])
      const back = join(world.local, 'also/made/bulk')
      const down = await machine.get(join(world.folder, 'made/on/the/way/bulk'), back)
      expect(down).toEqual(up)
      expect((await readFile(back)).equals(content)).toBe(true)
      expect(await readdir(join(world.local, 'also/made'))).toEqual(['bulk'])
    })

    it('takes no more of a file than there should be', async () => {
      await writeFile(join(world.folder, 'endless'), randomBytes(3_000_000))
      const target = join(world.local, 'endless')
      const get = (bytesMax: number) => machine.get(join(world.folder, 'endless'), target, { bytesMax })
      expect(await faultOf(get(1_000_000))).toEqual(['transient', 'transfer_corrupt'])
      expect((await stat(`${target}.part`)).size).toBeLessThanOrEqual(1_000_000)
      expect((await get(3_000_000)).bytes).toBe(3_000_000)
    })

    it('goes on with a broken download where it stopped', { timeout: 20_000 }, async () => {
      const content = randomBytes(24 * 1024 * 1024)
      await writeFile(join(world.folder, 'long'), content)
      const target = join(world.local, 'long')
      const stop = new AbortController()
      const broken = machine.get(join(world.folder, 'long'), target, {
        signal: stop.signal,
        onBytes: () => stop.abort(),
      })
      expect(await faultOf(broken)).toEqual(['transient', 'aborted'])
      const had = (await stat(`${target}.part`)).size
      expect(had).toBeGreaterThan(0)
      const steps: number[] = []
      await machine.get(join(world.folder, 'long'), target, { onBytes: bytes => steps.push(bytes) })
      expect(steps[0] ?? content.length).toBeGreaterThan(had)
      expect((await readFile(target)).equals(content)).toBe(true)
    })

    it('starts over when what a broken download left is of another file', async () => {
      const content = randomBytes(300_000)
      await writeFile(join(world.folder, 'new'), content)
      await writeFile(join(world.local, 'new.part'), randomBytes(1000))
      const got = await machine.get(join(world.folder, 'new'), join(world.local, 'new'))
      expect(got).toEqual({ sha256: sha256(content), bytes: content.length })
      expect((await readFile(join(world.local, 'new'))).equals(content)).toBe(true)
    })

    it('carries an empty file', async () => {
      await writeFile(join(world.local, 'empty'), '')
      await machine.put(join(world.local, 'empty'), join(world.folder, 'empty'))
      const got = await machine.get(join(world.folder, 'empty'), join(world.local, 'empty-back'))
      expect(got.bytes).toBe(0)
      expect((await readFile(join(world.local, 'empty-back'))).length).toBe(0)
    })

    it('takes any file name literally', async () => {
      const names = [
        'two words',
        `it's "quoted"`,
        '$(touch hit)`touch hit`',
        'two\nlines',
        '-rf',
        '*',
        'größe \u{1f600}',
        '\\n',
      ]
      for (const name of names) {
        await writeFile(join(world.local, 'plain'), name)
        await machine.put(join(world.local, 'plain'), `${world.folder}/names/${name}`)
        await machine.get(`${world.folder}/names/${name}`, join(world.local, 'names', name))
        expect(await readFile(join(world.local, 'names', name), 'utf8')).toBe(name)
      }
      expect((await readdir(join(world.folder, 'names'))).sort()).toEqual(names.sort())
    })

    it('takes a name that begins with a dash literally where the path is relative', async () => {
      const name = `-rf ${randomBytes(6).toString('hex')}`
      await writeFile(join(world.local, 'plain'), 'dash')
      await machine.put(join(world.local, 'plain'), name)
      await machine.get(name, join(world.local, 'dash'))
      expect(await readFile(join(world.local, 'dash'), 'utf8')).toBe('dash')
      await machine.exec(`rm -f './${name}'`)
    })

    it('says which file of the pod is missing, and leaves nothing beside an upload that failed', async () => {
      expect(await faultOf(machine.get(join(world.folder, 'none'), join(world.local, 'none')))).toEqual([
        'pod',
        'pod_file_unreadable',
      ])
      await mkdir(join(world.folder, 'taken'))
      await writeFile(join(world.local, 'plain'), 'x')
      const work = machine.put(join(world.local, 'plain'), join(world.folder, 'taken'))
      expect(await faultOf(work)).toEqual(['pod', 'pod_write_failed'])
      expect(await readdir(join(world.folder, 'taken'))).toEqual([])
      expect((await readdir(world.folder)).filter(entry => entry.includes('.part-'))).toEqual([])
      expect(await faultOf(machine.put(join(world.local, 'absent'), join(world.folder, 'absent')))).toEqual([
        'operator',
        'file_unreadable',
      ])
      expect(existsSync(join(world.folder, 'absent'))).toBe(false)
    })

    it('ends with null when it is closed, and every command under way with a lost connection', async () => {
      const own = await dial(world.address, { privateKey: world.privateKey })
      const running = faultOf(own.machine.exec('sleep 20'))
      own.machine.close()
      expect(await own.machine.closed).toBeNull()
      expect(await running).toEqual(['pod', 'connection_lost'])
      expect(await faultOf(own.machine.exec('true'))).toEqual(['pod', 'connection_lost'])
      await own.end()
    })

    it('ends with the reason when the server goes away, and every command and file under way with it', async () => {
      const own = await dial(world.address, { privateKey: world.privateKey })
      await writeFile(join(world.folder, 'cut'), '')
      await truncate(join(world.folder, 'cut'), 4_000_000_000)
      const sleepers = (count: number) =>
        Array.from({ length: count }, () => faultOf(own.machine.exec('echo 1; sleep 20')))
      const commands = sleepers(2)
      const file = faultOf(
        own.machine.get(join(world.folder, 'cut'), join(world.local, 'cut'), {
          onBytes: () => {
            // Three of them wait for a slot.
            if (commands.length === 2) commands.push(...sleepers(6))
            world.cut()
          },
        }),
      )
      expect(await file).toEqual(['pod', 'connection_lost'])
      for (const work of commands) expect(await work).toEqual(['pod', 'connection_lost'])
      expect(await own.machine.closed).toMatchObject({ data: { kind: 'pod', code: 'connection_lost' } })
      await own.end()
      await rm(join(world.local, 'cut.part'))
      ;({ machine, end } = await dial(world.address, { privateKey: world.privateKey }))
    })

    it('connects again while the host key is the pinned one, and refuses another', async () => {
      const again = await dial(world.address, { privateKey: world.privateKey }, machine.hostKey)
      expect(again.machine.hostKey).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
      await again.end()
      const other = dial(world.address, { privateKey: world.privateKey }, `SHA256:${'A'.repeat(43)}`)
      expect(await faultOf(other)).toEqual(['pod', 'host_key_changed'])
    })

    it('says that the key was refused', async () => {
      const { privateKey } = await loadOrMakeKey(join(world.local, 'stranger'))
      expect(await faultOf(dial(world.address, { privateKey }))).toEqual(['operator', 'key_refused'])
    })

    it('makes twenty connections to one address in turn without losing one', async () => {
      const dialer = createDialer({ privateKey: world.privateKey })
      const tunnel = await dialer.hold(0, 8188)
      const machines = await Promise.all(
        Array.from({ length: 20 }, () => dialer.connect(world.address, { pinned: null, tunnel })),
      )
      expect((await machines[19]!.exec('echo 20')).stdout).toBe('20\n')
      await dialer.close()
      expect(await Promise.all(machines.map(each => each.closed))).toEqual(Array(20).fill(null))
    })

    it('notices within 6 s that the link swallows everything, in an idle connection and under way', {
      timeout: 15_000,
    }, async () => {
      const link = await startLink(world.address.port)
      const through = { ...world.address, port: link.port }
      const own = await dial(through, { privateKey: world.privateKey })
      const started = Promise.withResolvers<void>()
      const running = faultOf(own.machine.exec('echo up; sleep 20', { onLine: () => started.resolve() }))
      await started.promise
      const from = performance.now()
      link.swallow()
      expect(await own.machine.closed).toMatchObject({ data: { code: 'connection_lost' } })
      expect(await running).toEqual(['pod', 'connection_lost'])
      const took = performance.now() - from
      // 6 s is the promise; the rest is for timers that a busy machine serves late.
      expect(took).toBeLessThan(9000)
      expect(took).toBeGreaterThan(4000)
      await own.end()
      await link.close()
    })

    it.skipIf(!talkative)('keeps a slow link that is alive', { timeout: 30_000 }, async () => {
      const link = await startLink(world.address.port)
      // Patience for 2.5 s, and questions that wait behind 1.2 MB: eight seconds at this speed.
      const own = await dial({ ...world.address, port: link.port }, { privateKey: world.privateKey, keepaliveMs: 1000 })
      link.slowUp(150_000)
      const content = randomBytes(1_200_000)
      await writeFile(join(world.local, 'slow'), content)
      const from = performance.now()
      expect((await own.machine.put(join(world.local, 'slow'), join(world.folder, 'slow'))).sha256).toBe(
        sha256(content),
      )
      expect(performance.now() - from).toBeGreaterThan(5000)
      await own.end()
      await link.close()
    })
  })

describe('a dialer', () => {
  let folder = ''
  let privateKey = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dialer-'))
    ;({ privateKey } = await loadOrMakeKey(join(folder, 'key')))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const at = (port: number): Address => ({ host: '127.0.0.1', port, user: 'root' })

  it('says that nothing listens', async () => {
    expect(await faultOf(dial(at(await freePort()), { privateKey }))).toEqual(['pod', 'ssh_refused'])
  })

  it('gives up on a server that never speaks, and lets go when it is told to', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    expect(await faultOf(dial(at(port), { privateKey, readyTimeoutMs: 200 }))).toEqual(['pod', 'ssh_timed_out'])
    const stop = new AbortController()
    const work = faultOf(dial(at(port), { privateKey }, null, stop.signal))
    await once(silent, 'connection')
    stop.abort()
    expect(await work).toEqual(['transient', 'aborted'])
    silent.close()
  })

  it('says that a server which hangs up, or which is none of SSH, gave no connection', async () => {
    for (const answer of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
      const server = createServer(socket => socket.on('error', () => {}).end(answer)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      expect(await faultOf(dial(at(port), { privateKey }))).toEqual(['pod', 'ssh_refused'])
      server.close()
    }
  })
})
