// Who may log in to a simulated pod: the public keys in its PUBLIC_KEY, and nothing else.
import type { AuthContext, Connection, ParsedKey } from 'ssh2'
import ssh2 from 'ssh2'

/** sshd's default MaxAuthTries (sshd_config(5), OpenSSH 9.2): the sixth failure ends the connection. */
const TRIES_MAX = 6
/** sshd's default LoginGraceTime. */
const GRACE_MS = 120_000

/**
 * Parses lines of an authorized_keys file. Lines that are no key ("null", an empty PUBLIC_KEY) are left out, as sshd does:
 * then nobody gets in, which is what a pod with a badly set key looks like.
 */
export function parseAuthorized(lines: string[]): ParsedKey[] {
  return lines
    .flatMap(text => text.split(/\r?\n/))
    .map(line => /(?:^|\s)((?:ssh-|ecdsa-sha2-)\S+\s+[A-Za-z0-9+/=]+)/.exec(line)?.[1])
    .filter(line => line !== undefined)
    .map(line => ssh2.utils.parseKey(line))
    .filter((key): key is ParsedKey => !(key instanceof Error))
}

export function guard(connection: Connection, allowed: ParsedKey[]): void {
  let failures = 0
  const grace = setTimeout(() => connection.end(), GRACE_MS).unref()
  connection.once('ready', () => clearTimeout(grace))
  connection.once('close', () => clearTimeout(grace))
  connection.on('authentication', context => {
    if (accepts(context, allowed)) return context.accept()
    // 'none' is only the question which methods there are; sshd does not count it either.
    if (context.method !== 'none') failures++
    context.reject(['publickey'])
    if (failures >= TRIES_MAX) connection.end()
  })
}

function accepts(context: AuthContext, allowed: ParsedKey[]): boolean {
  if (context.method !== 'publickey') return false
  const key = allowed.find(one => one.getPublicSSH().equals(context.key.data))
  if (key === undefined) return false
  // Without a signature it is the question "would this key do?"
  if (context.signature === undefined || context.blob === undefined) return true
  return key.verify(context.blob, context.signature, context.hashAlgo) === true
}
