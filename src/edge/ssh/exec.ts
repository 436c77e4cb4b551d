// Machine.exec: a command's output as text, or line by line.
import { Fault } from '../../domain/fault.ts'
import type { ExecResult, Machine } from '../../ports.ts'
import type { Connection } from './connection.ts'
import { lineSplitter } from './lines.ts'
import { runSession } from './session.ts'

/** More output than this in one string is a mistake of the command; lines have no limit. */
const STDOUT_BYTES_MAX = 64 * 1024 * 1024
/** The beginning says what went wrong; the rest is dropped. */
const STDERR_BYTES_MAX = 1024 * 1024

/** Faults: those of `runSession`, and job `output_too_long`. */
export async function exec(
  connection: Connection,
  command: string,
  options: NonNullable<Parameters<Machine['exec']>[1]> = {},
): Promise<ExecResult> {
  const what = `the command ${command.length > 60 ? `${command.slice(0, 60)}…` : command}`
  const out = collector()
  const err = collector()
  const lines = options.onLine && lineSplitter(options.onLine)
  const code = await runSession(connection, {
    command,
    what,
    feed: channel => void channel.end(options.stdin ?? ''),
    onStdout: chunk => {
      if (lines) return lines.push(chunk)
      if (out.bytes() + chunk.length > STDOUT_BYTES_MAX)
        throw new Fault({ kind: 'job', code: 'output_too_long', message: `${what} wrote more than 64 MiB` })
      out.add(chunk)
    },
    onStderr: chunk => err.add(chunk.subarray(0, Math.max(0, STDERR_BYTES_MAX - err.bytes()))),
    timeoutMs: options.timeoutMs,
    signal: options.signal,
  })
  lines?.end()
  return { code, stdout: out.text(), stderr: err.text() }
}

function collector() {
  const chunks: Buffer[] = []
  let bytes = 0
  return {
    add: (chunk: Buffer) => {
      if (chunk.length > 0) chunks.push(chunk)
      bytes += chunk.length
    },
    bytes: () => bytes,
    text: () => Buffer.concat(chunks, bytes).toString('utf8'),
  }
}
