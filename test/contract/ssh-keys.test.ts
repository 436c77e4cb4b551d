// The SSH key file: made once, readable by OpenSSH's own programs, and what is said about keys that cannot be used.
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadOrMakeKey } from '../../src/edge/ssh/keys.ts'

const KEYGEN = '/usr/bin/ssh-keygen'

describe('the SSH key', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ssh-keys-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('is made once, for its owner only, whoever asks at the same time', async () => {
    const path = join(folder, 'new', 'key')
    const pairs = await Promise.all([1, 2, 3, 4].map(() => loadOrMakeKey(path)))
    const text = await readFile(path, 'utf8')
    expect(pairs.map(pair => pair.privateKey)).toEqual(Array(4).fill(text))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'new'))).toEqual(['key'])
    expect(pairs[0]!.publicKey).toMatch(/^ssh-ed25519 AAAA\S+ autopod$/)
  })

  it('is whole, also where its bytes begin with zeros', async () => {
    // One key of 128 has such a byte in one of its halves.
    for (let n = 0; n < 600; n += 1) {
      const { publicKey } = await loadOrMakeKey(join(folder, 'many', String(n)))
      expect(Buffer.from(publicKey.split(' ')[1]!, 'base64').length).toBe(51)
    }
  })

  it.skipIf(!existsSync(KEYGEN))('is one that ssh-keygen reads, and the other way round', async () => {
    const ours = join(folder, 'ours')
    const { publicKey } = await loadOrMakeKey(ours)
    expect(execFileSync(KEYGEN, ['-y', '-f', ours]).toString().trim()).toBe(publicKey)
    const theirs = join(folder, 'theirs')
    execFileSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', 'secret', '-C', 'a user', '-f', theirs])
    expect((await loadOrMakeKey(theirs, 'secret')).publicKey).toBe((await readFile(`${theirs}.pub`, 'utf8')).trim())
    await expect(loadOrMakeKey(theirs)).rejects.toMatchObject({
      data: { kind: 'operator', code: 'ssh_key_unreadable', hint: expect.stringContaining('passphrase') },
    })
  })

  it('is refused with the remedy when it is in a format that cannot be read, and left as it is', async () => {
    const path = join(folder, 'pem')
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
    await writeFile(path, pem, { mode: 0o600 })
    await expect(loadOrMakeKey(path)).rejects.toMatchObject({
      data: { kind: 'operator', code: 'ssh_key_unreadable', hint: expect.stringContaining(`ssh-keygen -p -f ${path}`) },
    })
    expect(await readFile(path, 'utf8')).toBe(pem)
  })

  it('is refused while others may read it, with the command that mends it', async () => {
    const path = join(folder, 'open')
    await loadOrMakeKey(path)
    for (const mode of [0o644, 0o640, 0o604]) {
      await chmod(path, mode)
      await expect(loadOrMakeKey(path)).rejects.toMatchObject({
        data: { kind: 'operator', code: 'ssh_key_unreadable', hint: `chmod 600 ${path}` },
      })
    }
    await chmod(path, 0o600)
    await expect(loadOrMakeKey(path)).resolves.toMatchObject({ publicKey: expect.stringContaining('ssh-ed25519') })
  })
})
