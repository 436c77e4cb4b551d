// The last lines a ComfyUI wrote, for /internal/logs and for sockets that subscribed (recording 25).

export type LogEntry = { t: string; m: string }
export type Logs = ReturnType<typeof createLogs>

/** The real server keeps this many writes. */
const entriesMax = 300
const colours = { INFO: '\u001b[32m', WARNING: '\u001b[33m', ERROR: '\u001b[1m\u001b[31m' }

/**
 * @param write gets each line as a terminal would show it, without level and colours
 * @param told gets each entry at once, as subscribers do
 */
export function createLogs(write: (line: string) => void, told: (entry: LogEntry) => void) {
  const entries: LogEntry[] = []
  return {
    entries: () => [...entries],
    text: () => entries.map(({ t, m }) => `${t} - ${m}`).join(''),
    add(level: keyof typeof colours, message: string): void {
      for (const line of message.split('\n')) write(line)
      // Python's isoformat has microseconds and no zone.
      const t = new Date().toISOString().replace('Z', '000')
      const entry = { t, m: `${colours[level]}[${level}]\u001b[0m ${message}\n` }
      entries.push(entry)
      if (entries.length > entriesMax) entries.shift()
      told(entry)
    },
  }
}
