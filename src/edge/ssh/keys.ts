// The SSH key that opens our pods: read from a file, or made there once.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import ssh2, { type ParsedKey } from 'ssh2'
import { Fault } from '../../domain/fault.ts'
import { makeFolder } from '../folder.ts'

export type KeyPair = {
  /** Text of the file. */
  privateKey: string
  /** One line: `ssh-ed25519 AAAA… comment`. */
  publicKey: string
}

const COMMENT = 'autopod'

/**
 * Reads the key at `path`; where there is none, makes one (ed25519, OpenSSH format, mode 0600). Two processes at once get the same.
 * Fault operator `ssh_key_unreadable`.
 */
export async function loadOrMakeKey(path: string, passphrase?: string): Promise<KeyPair> {
  const privateKey = (await read(path)) ?? (await make(path))
  const key = parsePrivateKey(privateKey, passphrase, path)
  const publicKey = `${key.type} ${key.getPublicSSH().toString('base64')} ${key.comment || COMMENT}`
  return { privateKey, publicKey }
}

/** Fault operator `ssh_key_unreadable`. */
export function parsePrivateKey(text: string | Buffer, passphrase?: string, path = 'the SSH key'): ParsedKey {
  const parsed = ssh2.utils.parseKey(text, passphrase)
  // Some formats give a list of one.
  const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey) : parsed
  if (key instanceof Error) throw unreadable(path, key.message, hintFor(String(text), key.message, path))
  if (!key.isPrivateKey())
    throw unreadable(path, 'it is a public key', 'Name the private key: the file without .pub at its end.')
  return key
}

function hintFor(text: string, why: string, path: string): string {
  if (/no passphrase given/i.test(why)) return `It has a passphrase; take it off a copy with: ssh-keygen -p -f ${path}`
  if (/bad passphrase/i.test(why)) return 'The passphrase is not the one of this key.'
  // ssh2 1.17.0 reads no ed25519 key in PKCS#8 (its issue 1303).
  if (text.includes('BEGIN PRIVATE KEY') || text.includes('BEGIN ENCRYPTED PRIVATE KEY'))
    return `Convert it to OpenSSH's format: ssh-keygen -p -f ${path}`
  return 'Give a private key in the format of ssh-keygen, or none: then one is made.'
}

const unreadable = (path: string, why: string, hint: string, cause?: unknown) =>
  new Fault(
    { kind: 'operator', code: 'ssh_key_unreadable', message: `${path} cannot be used as SSH key: ${why}`, hint },
    cause ? { cause } : undefined,
  )

async function read(path: string): Promise<string | null> {
  try {
    const text = await readFile(path, 'utf8')
    const mode = (await stat(path)).mode & 0o777
    // As ssh itself does: who can read the key can enter every pod.
    if (text.includes('PRIVATE KEY') && (mode & 0o077) !== 0)
      throw unreadable(path, `it is open to others (mode 0${mode.toString(8)})`, `chmod 600 ${path}`)
    return text
  } catch (error) {
    if (error instanceof Fault) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw unreadable(path, message, 'Check the path and its permissions.', error)
  }
}

async function make(path: string): Promise<string> {
  const beside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await makeFolder(dirname(path), 0o700)
    await writeFile(beside, newKey(), { mode: 0o600, flag: 'wx', flush: true })
    try {
      // Unlike a rename, a link never replaces the key another process made meanwhile.
      await link(beside, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      await unlink(beside)
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, (error as Error).message, 'Check the path and its permissions.', error)
  }
}

/**
 * OpenSSH's format (PROTOCOL.key of OpenSSH 9.2), written here: ssh2 1.17.0's own generator drops leading zero bytes, so that
 * one of 128 keys it makes is broken.
 */
function newKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { x, d } = privateKey.export({ format: 'jwk' })
  const open = Buffer.from(x!, 'base64url')
  const secret = Buffer.from(d!, 'base64url')
  const type = Buffer.from('ssh-ed25519')
  const check = randomBytes(4)
  const inner = Buffer.concat([
    ...[check, check],
    ...[type, open, Buffer.concat([secret, open]), Buffer.from(COMMENT)].map(field),
  ])
  // Padding 1, 2, 3 … to a multiple of 8.
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (inner.length % 8)) % 8)
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(text => field(Buffer.from(text))),
    Buffer.from([0, 0, 0, 1]),
    field(Buffer.concat([type, open].map(field))),
    field(Buffer.concat([inner, padding])),
  ])
  const lines = whole.toString('base64').match(/.{1,70}/g)!
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

const field = (bytes: Buffer) => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
