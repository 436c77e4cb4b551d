// How much work something is, on a machine that has other work to do: time on the clock would count that, too.

/** CPU time of this process, all threads, in milliseconds. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
