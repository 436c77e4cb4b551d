// `npm run screenshots`: the pictures of the README anew, from a real run on the embedded cloud. Needs a Chromium for the report.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { svgOf } from './cells.ts'
import { openPty } from './pty.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OUT = join(ROOT, 'fixtures/screenshots')
const SIZE = { columns: 120, rows: 30 }
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']

const folder = mkdtempSync(join(tmpdir(), 'film-'))
try {
  await make()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function make(): Promise<void> {
  for (const part of ['fixtures/jobs', 'fixtures/inputs', 'templates'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  // Slow enough to be seen at work.
  const settings = {
    run: { first_port: Number(process.argv[2] ?? 8188), max_pods: 4 },
    sandbox: { step_ms: 350, boot_ms: 4000 },
  }
  writeFileSync(join(folder, 'autopod.json'), JSON.stringify(settings))
  // A job of that name runs out of memory (src/sandbox/differences.md); what fails first, a pod is soon free again for the next one.
  const job = JSON.parse(readFileSync(join(folder, 'fixtures/jobs/lighthouse-small.json'), 'utf8'))
  writeFileSync(join(folder, 'portrait.json'), JSON.stringify({ ...job, $schema: undefined, job_id: 'portrait-oom-9' }))
  const args = [
    'run',
    'portrait.json',
    'fixtures/jobs',
    '--provider',
    'sandbox',
    '--yes',
    '--max-cost',
    '10',
    '--retries',
    '0',
  ]
  const { child, terminal, until, ended } = openPty([process.execPath, join(ROOT, 'src/main.ts'), ...args], {
    ...SIZE,
    cwd: folder,
    env: {
      ...process.env,
      AUTOPOD_HOME: join(folder, 'home'),
      HOME: folder,
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      TMUX: '',
    },
  })
  const percents = (shown: string) =>
    [...shown.matchAll(/rendering +[▓░]+ +(\d+) %/g)].map(([, percent]) => Number(percent))
  await until(shown => {
    const known = percents(shown)
    return known.length >= 3 && known.some(percent => percent >= 40) && /✗ failed/.test(shown) && /✓ done/.test(shown)
  })
  // The second row, one at work: the selection is still with the job that was first at the start.
  child.write('g\x1b[B')
  await until(isSecondSelected)
  await keep('dashboard', svgOf(terminal))
  await until(shown => /v opens .*report\.html/.test(shown))
  await keep('summary', svgOf(terminal))
  child.write('\r')
  await ended
  await photograph(join(folder, 'outputs/report.html'))
}

/** The mark stands in the second row of the table, and the pane below is about that job and has its preview. */
function isSecondSelected(shown: string): boolean {
  const [, job] = /^ +JOB .*\n.*\n›(\S+).*$/m.exec(shown) ?? []
  return job !== undefined && new RegExp(`┌─ ${job} ─*┬─ preview`).test(shown)
}

async function keep(name: string, { svg }: { svg: string }): Promise<void> {
  const file = join(OUT, `${name}.png`)
  await sharp(Buffer.from(svg), { density: 108 }).png({ palette: true, quality: 90, effort: 8 }).toFile(file)
  process.stdout.write(`${file} ${statSync(file).size} bytes\n`)
}

async function photograph(page: string): Promise<void> {
  const raw = join(folder, 'report.png')
  const browser = BROWSERS.find(name => isThere(name))
  if (!browser) throw new Error(`no browser: none of ${BROWSERS.join(', ')} is on PATH`)
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--window-size=1180,1560']
  execFileSync(browser, [...flags, `--screenshot=${raw}`, `file://${page}`], { stdio: 'ignore' })
  const file = join(OUT, 'report.png')
  await sharp(raw).png({ palette: true, quality: 85, effort: 8 }).toFile(file)
  process.stdout.write(`${file} ${statSync(file).size} bytes\n`)
}

function isThere(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
