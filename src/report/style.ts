// The page's looks: light and dark by the system's wish, narrow and wide, and on paper. No font, no picture and no script from elsewhere.

// Blue for the work, orange for what was lost, as on the dashboard: distinguishable with the common colour blindnesses (Okabe and Ito,
// 2008); waste has a pattern as well.
export const STYLE = `
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --text: #1b1f24; --dim: #5d6673; --line: #dde1e7; --good: #0a7a5c;
  --bad: #b84700; --wait: #85630a; --link: #0b62b0; --request: #c3c9d3; --boot: #9aa7ba; --transfer: #6fc3d6; --render: #2b7fd0; --idle: #f0dc9a;
  --held: #e4c04f; --stuck: #d8609a; --failed: #dd6b20; --stopped: #d9cdb8; --teardown: #77839a; --hatch: rgb(0 0 0 / .22) }
@media (prefers-color-scheme: dark) { :root { --bg: #0e1116; --card: #171b22; --text: #e6e9ee; --dim: #9aa4b2; --line: #2b323d; --good: #4fd1a5;
  --bad: #ff9457; --wait: #e3c268; --link: #7cc0ff; --request: #4a525f; --boot: #66748a; --transfer: #3f9fb5; --render: #4c9df0; --idle: #a8924a;
  --held: #c9a227; --stuck: #d8609a; --failed: #f08a3e; --stopped: #7d7362; --teardown: #8793a8; --hatch: rgb(0 0 0 / .32) } }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px }
h1 { font-size: 26px; line-height: 1.25; margin: 0; letter-spacing: -.01em }
h2 { font-size: 17px; margin: 36px 0 10px }
h3 { font-size: 15px; margin: 0 }
p { margin: 4px 0 }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
.dim, caption, .note { color: var(--dim) } .good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
.id, code { font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; font-size: .9em; overflow-wrap: anywhere; unicode-bidi: isolate }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; padding: 0 }
.tiles > div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px }
.tiles dt { color: var(--dim); font-size: 13px } .tiles dd { margin: 0 } .tiles .big { font-size: 23px; font-weight: 650; line-height: 1.3 }
.tiles .note { font-size: 13px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 0 0 12px }
.tiles + .alarm { margin-top: 20px } .alarm { border-color: var(--bad); border-width: 2px }
.failure { border-left: 4px solid var(--failed) } .failure.over { border-left-color: var(--idle) }
.failure header { display: flex; gap: 12px; justify-content: space-between; align-items: baseline }
.hint::before { content: "\\2192  "; color: var(--dim) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px }
caption { text-align: left; font-size: 13px; padding: 0 0 6px }
th { text-align: left; color: var(--dim); font-weight: 550; font-size: 13px; white-space: nowrap }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word }
tbody tr:last-child > * { border-bottom: 0 } tbody th { color: var(--text); font-weight: 500; white-space: normal; min-width: 7.5em }
tfoot th, tfoot td { border-top: 2px solid var(--line); border-bottom: 0; font-weight: 650; color: var(--text) }
td.n, th.n, .tiles dd, data { font-variant-numeric: tabular-nums } td.n, th.n { text-align: right; white-space: nowrap }
td.s { white-space: nowrap } td.w { min-width: 16em }
.bar { display: block; width: 100%; height: 26px; border-radius: 6px; margin: 4px 0 12px } .bar rect { shape-rendering: crispEdges }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; vertical-align: -1px }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--dim) }
.time { display: block; width: 100%; font-size: 12px; font-variant-numeric: tabular-nums } .time text { fill: var(--dim) } .time .name { fill: var(--text) }
.time .in { fill: #fff; font-size: 11px; font-weight: 600 } .tick { stroke: var(--line) }
.request { fill: var(--request); background: var(--request) } .boot { fill: var(--boot); background: var(--boot) }
.transfer { fill: var(--transfer); background: var(--transfer) } .render { fill: var(--render); background: var(--render) }
.idle { fill: var(--idle); background: var(--idle) } .held { fill: var(--held); background: var(--held) }
.stuck { fill: var(--stuck); background: var(--stuck) } .failed { fill: var(--failed); background: var(--failed) }
.stopped { fill: var(--stopped); background: var(--stopped) } .teardown { fill: var(--teardown); background: var(--teardown) }
.hatched { fill: url(#hatch) } #hatch path { stroke: var(--hatch); stroke-width: 2 }
.shots { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 12px; margin: 0; padding: 0; list-style: none }
.shots.many { grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 8px; font-size: 12px }
.shots li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden }
.shots img { display: block; width: 100%; height: auto; aspect-ratio: 4 / 3; object-fit: contain; background: var(--bg) }
.shots p { padding: 6px 10px; margin: 0; display: flex; flex-wrap: wrap; gap: 0 10px; justify-content: space-between }
footer { margin-top: 40px; font-size: 13px; color: var(--dim) }
@media (max-width: 620px) { main { padding: 18px 12px 40px } h1 { font-size: 21px } .tiles { grid-template-columns: 1fr 1fr; gap: 8px } .tiles > :last-child { grid-column: span 2 }
  .tiles .big { font-size: 19px } .shots { grid-template-columns: 1fr 1fr } th, td { padding: 6px 7px } }
@media print { :root { --bg: #fff; --card: #fff } body { font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact } main { max-width: none; padding: 0 }
  .scroll { overflow: visible } tr, li, .card, .tiles > div { break-inside: avoid } thead { display: table-header-group } h2 { break-after: avoid } }
`
