// What is waited for from a process: it comes, or the test fails as soon as the process is over, in the process's own words.
import type { Readable } from 'node:stream'

/** A child, or a command's channel over SSH. */
type Process = {
  stderr: Readable | null
  once(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'close', listener: (code: number | null, signal: string | null) => void): unknown
}

/** Called in the turn that started it, or some of its words may be lost. */
export function beforeItEnds<T>(child: Process, wanted: Promise<T>): Promise<T> {
  let complaint = ''
  child.stderr?.on('data', (data: Buffer) => {
    complaint += data
  })
  const over = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => reject(new Error(`it ended first (${code ?? signal}): ${complaint}`)))
  })
  return Promise.race([wanted, over])
}
