// What the outside tells this process: ask to end, and loss of the terminal.

export function onSignals(handlers: { interrupt: () => void; hangup: () => void }): () => void {
  const { interrupt, hangup } = handlers
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  process.on('SIGHUP', hangup)
  return () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    process.off('SIGHUP', hangup)
  }
}
