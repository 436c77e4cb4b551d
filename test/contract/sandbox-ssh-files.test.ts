// Files and programs of the simulated pod: SFTP, nvidia-smi, and the whole against the OpenSSH programs.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClientChannel, Stats } from 'ssh2'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PodSsh } from '../../src/sandbox/ssh/server.ts'
import { writeTools } from '../../src/sandbox/ssh/tools.ts'
import { beforeItEnds } from './child.ts'
import {
  ask,
  dead,
  done,
  eachInItsFolder,
  exec,
  folder,
  key,
  login,
  root,
  sftpOf,
  sha,
  start,
} from './sandbox-ssh-world.ts'

eachInItsFolder()
const run = promisify(execFile)

describe('SFTP', () => {
  it('puts and gets files in parallel pieces, unchanged', async () => {
    const client = await login(await start())
    const sftp = await sftpOf(client)
    const data = randomBytes(5_000_001)
    await writeFile(join(folder, 'up'), data)
    await ask(back => sftp.fastPut(join(folder, 'up'), '/workspace.bin', back))
    expect(sha(await readFile(join(root, 'workspace.bin')))).toBe(sha(data))
    await ask(back =>
      sftp.fastGet('workspace.bin', join(folder, 'down'), { concurrency: 16, chunkSize: 256 * 1024 }, back),
    )
    expect(sha(await readFile(join(folder, 'down')))).toBe(sha(data))
    await writeFile(join(folder, 'empty'), '')
    await ask(back => sftp.fastPut(join(folder, 'empty'), 'empty', back))
    expect((await stat(join(root, 'empty'))).size).toBe(0)
  })

  it('streams both ways', async () => {
    const sftp = await sftpOf(await login(await start()))
    const data = randomBytes(1_000_000)
    const up = sftp.createWriteStream('streamed')
    up.end(data)
    await once(up, 'close')
    const parts: Buffer[] = []
    const down = sftp.createReadStream('streamed', { start: 10, end: 999_989 })
    down.on('data', (part: Buffer) => parts.push(part))
    await once(down, 'close')
    expect(Buffer.concat(parts).equals(data.subarray(10, 999_990))).toBe(true)
  })

  it('makes, lists, renames, changes and removes', async () => {
    const sftp = await sftpOf(await login(await start()))
    await ask(back => sftp.mkdir('a', back))
    await ask(back => sftp.mkdir('a/b', back))
    for (let n = 0; n < 250; n++) await writeFile(join(root, 'a', `f${n}`), 'x')
    const names = await ask<{ filename: string; longname: string }[]>(back => sftp.readdir('/a', back))
    expect(names.map(entry => entry.filename).filter(name => !name.startsWith('.')).length).toBe(251)
    expect(names.find(entry => entry.filename === 'b')?.longname).toMatch(/^drwx.* b$/)
    await expect(ask(back => sftp.rename('a/f1', 'a/f2', back))).rejects.toMatchObject({ code: 4 })
    await ask(back => sftp.rename('a/f1', 'a/g1', back))
    await writeFile(join(root, 'a', 'f2'), 'other')
    await ask(back => sftp.ext_openssh_rename('a/f2', 'a/g1', back))
    expect(await readFile(join(root, 'a/g1'), 'utf8')).toBe('other')
    await ask(back =>
      sftp.setstat('a/g1', { mode: 0o640, atime: 1_000_000_000, mtime: 1_100_000_000, size: 2 } as never, back),
    )
    const stats = await ask<Stats>(back => sftp.stat('a/g1', back as never))
    expect(stats).toMatchObject({ mtime: 1_100_000_000, size: 2 })
    expect(stats.mode & 0o777).toBe(0o640)
    await ask(back => sftp.unlink('a/g1', back))
    await expect(ask(back => sftp.stat('a/g1', back as never))).rejects.toMatchObject({ code: 2 })
    await expect(ask(back => sftp.rmdir('a', back))).rejects.toMatchObject({ code: 4 })
    await ask(back => sftp.rmdir('a/b', back))
    expect(await ask(back => sftp.realpath('.', back as never))).toBe(root)
    await expect(ask(back => sftp.symlink('a', 'link', back))).rejects.toMatchObject({ code: 8 })
  })

  it('never leaves the pod folder', async () => {
    const sftp = await sftpOf(await login(await start()))
    await writeFile(join(folder, 'secret'), 'outside')
    await symlink('..', join(root, 'up'))
    await symlink(join(folder, 'made'), join(root, 'dangling'))
    const read = (path: string) => ask(back => sftp.readFile(path, back as never))
    await expect(read('../secret')).rejects.toMatchObject({ code: 2 })
    await expect(read(join(folder, 'secret'))).rejects.toMatchObject({ code: 2 })
    await expect(read(`${root}/../secret`)).rejects.toMatchObject({ code: 2 })
    await expect(read('up/secret')).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.writeFile('up/new', 'x', back as never))).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.writeFile('dangling', 'x', back as never))).rejects.toMatchObject({ code: 2 })
    await expect(ask(back => sftp.readdir('up', back as never))).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.unlink('up/secret', back))).rejects.toMatchObject({ code: 3 })
    expect(existsSync(join(folder, 'made')) || existsSync(join(folder, 'new'))).toBe(false)
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('outside')
  })

  it('closes the channel on bytes that are not SFTP, and the connection lives on', async () => {
    const client = await login(await start())
    const channel = await ask<ClientChannel>(back => client.subsys('sftp', back))
    channel.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
    channel.resume()
    await once(channel, 'close')
    expect((await done(client, 'echo ok')).out.toString()).toBe('ok\n')
  })
})

describe('nvidia-smi', () => {
  const QUERY = 'nvidia-smi --query-gpu=utilization.gpu,utilization.memory,memory.used,memory.total --format=csv'
  const setUp = async (count: number) => {
    const gauge = join(folder, 'gauge')
    await writeTools(join(folder, 'bin'), { name: 'NVIDIA A40', memoryMiB: 46068, count }, gauge)
    return { gauge, client: await login(await start()) }
  }

  it('answers in the format of the real one', async () => {
    const { gauge, client } = await setUp(2)
    expect((await done(client, `${QUERY},noheader`)).out.toString()).toBe('0 %, 0 %, 0 MiB, 46068 MiB\n'.repeat(2))
    await writeFile(gauge, '98 41 38912\n')
    const header = 'utilization.gpu [%], utilization.memory [%], memory.used [MiB], memory.total [MiB]\n'
    const row = '98 %, 41 %, 38912 MiB, 46068 MiB\n'
    expect((await done(client, QUERY)).out.toString()).toBe(header + row + row)
    expect((await done(client, `${QUERY},noheader,nounits -i 1`)).out.toString()).toBe('98, 41, 38912, 46068\n')
    const other = await done(
      client,
      'nvidia-smi --query-gpu=index,name,uuid,memory.free,temperature.gpu,power.draw,driver_version,pstate --format=csv,noheader',
    )
    expect(other.out.toString()).toMatch(
      /^(\d, NVIDIA A40, GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}, 7156 MiB, \d+, \d+\.\d\d W, [\d.]+, P0\n){2}$/,
    )
    expect((await done(client, 'nvidia-smi -L')).out.toString()).toMatch(/^GPU 0: NVIDIA A40 \(UUID: GPU-.*\)\nGPU 1: /)
    expect((await done(client, 'nvidia-smi')).out.toString()).toContain('38912 / 46068 MiB')
    for (const format of ['csv', 'csv,noheader']) {
      const wrong = await done(client, `nvidia-smi --query-gpu=name,fan --format=${format}`)
      expect(wrong.out.toString()).toBe('Field "fan" is not a valid field to query.\n\n')
      expect(wrong.code).toBe(2)
    }
  })

  it('says so when the pod came without a GPU', async () => {
    const { client } = await setUp(0)
    const result = await done(client, 'nvidia-smi -L')
    expect([result.out.toString(), result.code]).toEqual(['No devices were found\n', 6])
  })

  it.each(['-l 0.02', '--loop=0.02', '-lms 20'])(
    'goes on with %s, reads the gauge anew, and dies with its channel',
    async how => {
      const { gauge, client } = await setUp(1)
      const channel = await exec(client, `echo $$; exec ${QUERY},noheader,nounits ${how}`)
      const seen: string[] = []
      let text = ''
      const changed = new Promise<void>(resolve =>
        channel.on('data', (data: Buffer) => {
          text += data
          seen.splice(0, seen.length, ...text.split('\n').slice(0, -1))
          if (seen.length === 4) writeFile(gauge, '55 20 1000\n').catch(() => {})
          if (seen.at(-1) === '55, 20, 1000, 46068') resolve()
        }),
      )
      await beforeItEnds(channel, changed)
      expect(seen[1]).toBe('0, 0, 0, 46068')
      channel.close()
      await dead(Number(seen[0]))
    },
  )
})

const missing = ['ssh', 'sftp', 'scp'].filter(name => !existsSync(`/usr/bin/${name}`))
if (missing.length > 0) console.log(`OpenSSH's programs are not tried: ${missing.join(', ')} not in /usr/bin`)

describe.skipIf(missing.length > 0)('with the OpenSSH programs', () => {
  let flags: string[]
  let pod: PodSsh
  beforeEach(async () => {
    pod = await start()
    await writeFile(join(folder, 'key'), key.private, { mode: 0o600 })
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${join(folder, 'known')}`]
    flags = ['-F', 'none', '-i', join(folder, 'key'), ...options.flatMap(option => ['-o', option])]
  })

  it('runs a command with ssh, input and exit status included', async () => {
    const child = spawn('ssh', [...flags, '-p', String(pod.port), 'root@127.0.0.1', 'cat; echo $RUNPOD_POD_ID; exit 9'])
    child.stdin.end('from here\n')
    let out = ''
    child.stdout.on('data', data => {
      out += data
    })
    const [code] = await once(child, 'close')
    expect([out, code]).toEqual(['from here\npod1\n', 9])
  })

  it('stays connected through keepalives', async () => {
    const args = [...flags, '-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=1', '-p', String(pod.port)]
    const { stdout } = await run('ssh', [...args, 'root@127.0.0.1', 'sleep 2.5; echo alive'])
    expect(stdout).toBe('alive\n')
  })

  it('copies with scp, by SFTP and by the old protocol, and with sftp', async () => {
    const data = randomBytes(3_000_000)
    await writeFile(join(folder, 'file'), data)
    const remote = (path: string) => `root@127.0.0.1:${path}`
    await run('scp', [...flags, '-P', String(pod.port), '-p', join(folder, 'file'), remote('/by-sftp')])
    await run('scp', [...flags, '-O', '-P', String(pod.port), join(folder, 'file'), remote('by-scp')])
    await run('scp', [...flags, '-P', String(pod.port), remote('/by-sftp'), join(folder, 'back')])
    for (const path of [join(root, 'by-sftp'), join(root, 'by-scp'), join(folder, 'back')]) {
      expect(sha(await readFile(path))).toBe(sha(data))
    }
    const script = [
      'mkdir dir',
      'cd dir',
      `put ${join(folder, 'file')} x`,
      'rename x y',
      'ls -l',
      'chmod 600 y',
      'rm y',
      'pwd',
    ]
    await writeFile(join(folder, 'batch'), script.join('\n'))
    const { stdout } = await run('sftp', [
      ...flags,
      '-P',
      String(pod.port),
      '-b',
      join(folder, 'batch'),
      'root@127.0.0.1',
    ])
    expect(stdout).toMatch(/-rw.* root +root +3000000 .* y\n/)
    expect(stdout).toContain(`Remote working directory: ${root}/dir`)
  })
})
