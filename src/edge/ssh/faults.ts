// What ssh2 and sockets report, as faults.
import { Fault } from '../../domain/fault.ts'
import type { Address } from '../../domain/pod.ts'

export type SshError = Error & { level?: string; code?: string; reason?: number }

export const place = (address: Address) => `${address.host}:${address.port}`

const TIMED_OUT = new Set(['client-timeout', 'ETIMEDOUT'])

/** Why no connection came about. */
export function connectFault(address: Address, error: SshError | null, timeoutMs: number): Fault {
  const where = place(address)
  if (error instanceof Fault) return error
  if (error && (TIMED_OUT.has(error.level ?? '') || TIMED_OUT.has(error.code ?? '')))
    return new Fault(
      {
        kind: 'pod',
        code: 'ssh_timed_out',
        message: `${where} did not finish the SSH handshake within ${timeoutMs / 1000} s`,
      },
      { cause: error },
    )
  if (error?.level === 'client-authentication')
    return new Fault(
      {
        kind: 'operator',
        code: 'key_refused',
        message: `${where} refused the SSH key for user ${address.user}`,
        hint: 'Check that the public key is in the account at the provider, then start a new pod.',
      },
      { cause: error },
    )
  const why = error?.code ?? error?.message ?? 'closed before login'
  return new Fault(
    { kind: 'pod', code: 'ssh_refused', message: `${where} gave no SSH connection: ${why}` },
    error ? { cause: error } : undefined,
  )
}

export const hostKeyChanged = (address: Address, pinned: string, seen: string) =>
  new Fault({
    kind: 'pod',
    code: 'host_key_changed',
    message: `${place(address)} shows host key ${seen}, but this pod had ${pinned}`,
    hint: 'Another machine answers at this address; the pod is given up.',
  })

export const connectionLost = (address: Address, why: string, cause?: Error) =>
  new Fault(
    { kind: 'pod', code: 'connection_lost', message: `the SSH connection to ${place(address)} ended: ${why}` },
    cause ? { cause } : undefined,
  )

/** The caller's signal was aborted. */
export const aborted = (what: string) =>
  new Fault({ kind: 'transient', code: 'aborted', message: `${what} was stopped on request` })
