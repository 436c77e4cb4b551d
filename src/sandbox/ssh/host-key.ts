// The host key of a simulated pod: made once, kept in a file, so that a pod that restarts is known again.
import { createHash, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import ssh2 from 'ssh2'

export type HostKey = { pem: string /** `SHA256:…` as `ssh-keygen -l` prints it */; fingerprint: string }

/** Reads the ed25519 key of `path`, or makes it (mode 0600). Throws when the file holds no private key. */
export async function loadHostKey(path: string): Promise<HostKey> {
  const pem = (await read(path)) ?? (await make(path))
  const key = ssh2.utils.parseKey(pem)
  if (key instanceof Error) throw new Error(`host key ${path}: ${key.message}`)
  const digest = createHash('sha256').update(key.getPublicSSH()).digest('base64').replace(/=+$/, '')
  return { pem, fingerprint: `SHA256:${digest}` }
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function make(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  const mine = `${path}.${randomUUID()}`
  await writeFile(mine, generate(), { mode: 0o600 })
  try {
    // A link fails if the name is taken, so of two pods that start at once with one file, both use the winner's key.
    await link(mine, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(mine, { force: true })
  }
  return readFile(path, 'utf8')
}

function generate(): string {
  // ssh2 1.17.0 now and then writes an ed25519 key that its own parser refuses; three in a row would be another fault.
  for (let tries = 0; ; tries++) {
    const { private: pem } = ssh2.utils.generateKeyPairSync('ed25519')
    const key = ssh2.utils.parseKey(pem)
    if (!(key instanceof Error)) return pem
    if (tries === 2) throw key
  }
}
