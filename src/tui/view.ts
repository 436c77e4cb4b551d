// Model and facts → one screen. Pure: the same two give the same cells.
import { HEIGHT_MIN, layoutOf, WIDTH_MIN } from './layout.ts'
import type { Facts, Model, PanelName } from './model.ts'
import { drawBanners } from './panels/banner.ts'
import { drawCosts } from './panels/costs.ts'
import { drawDetails, drawPane } from './panels/detail.ts'
import { drawDialog } from './panels/dialog.ts'
import { drawEvents } from './panels/events.ts'
import { drawFooter, drawHelp } from './panels/footer.ts'
import { drawHeader, drawTabs } from './panels/header.ts'
import { drawJobs } from './panels/jobs.ts'
import { drawLog } from './panels/log.ts'
import { drawPods } from './panels/pods.ts'
import { drawSummary } from './panels/summary.ts'
import { newScreen, put, type Region, type Screen } from './screen.ts'
import type { Palette } from './style.ts'

type Draw = (screen: Screen, region: Region, facts: Facts, model: Model) => void

/** A new panel is one line here and one name in the model. */
const PANELS: Record<PanelName, Draw> = {
  jobs: drawJobs,
  pods: drawPods,
  costs: drawCosts,
  events: drawEvents,
  summary: drawSummary,
}

export function view(model: Model, facts: Facts, ink: Palette, ascii: boolean): Screen {
  const screen = newScreen(model.width, model.height, ink, ascii || model.ascii)
  const layout = layoutOf(model, facts)
  if (!layout) {
    drawTooSmall(screen)
    if (model.dialog) drawDialog(screen, model, model.dialog, facts)
    return screen
  }
  drawHeader(screen, layout.header, facts, model)
  drawTabs(screen, layout.tabs, facts, model)
  drawBanners(screen, layout.banners, facts, model)
  if (model.page?.type === 'log') drawLog(screen, layout.main, facts, model.page)
  else if (model.page?.type === 'details') drawDetails(screen, layout.main, facts, model.page)
  else PANELS[model.panel](screen, layout.main, facts, model)
  if (layout.pane) drawPane(screen, layout.pane, facts, model)
  drawFooter(screen, layout.footer, facts, model)
  if (model.help) drawHelp(screen, facts, model)
  if (model.dialog) drawDialog(screen, model, model.dialog, facts)
  return screen
}

function drawTooSmall(screen: Screen): void {
  const lines = [
    'autopod',
    `needs ${WIDTH_MIN} × ${HEIGHT_MIN}`,
    `has ${screen.width} × ${screen.height}`,
    'the engine goes on',
    'q leaves',
  ]
  const top = Math.max(0, Math.floor((screen.height - lines.length) / 2))
  for (const [row, line] of lines.entries())
    put(screen, Math.max(0, Math.floor((screen.width - line.length) / 2)), top + row, line, screen.ink.plain)
}
