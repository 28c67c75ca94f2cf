"""The style of an incident's page, after that of all pages."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { --good: #0a5c35; --on-good: #e4f4eb; --bad: #9c1f17; --on-bad: #fdebe9; --warn: #6b4400; --on-warn: #fff3d9;
  --link: #0a4f99; --bar: #3d76b8; }
@media (prefers-color-scheme: dark) {
  :root { --good: #85dcaf; --on-good: #11301f; --bad: #ffa79d; --on-bad: #401a16; --warn: #f4cd7c; --on-warn: #36290a;
    --link: #92bdff; --bar: #5f9be0; }
}
header, nav, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.4rem; } main { padding-bottom: 2rem; } footer { padding-bottom: 3rem; }
.where { margin: 0 0 .35rem; } .where b { color: var(--ink); }
h1 { font-size: 1.55rem; margin: 0 0 .6rem; text-wrap: balance; }
h3 { font-size: .95rem; margin: 1.3rem 0 .25rem; overflow-wrap: anywhere; }
h3 span { color: var(--soft); font-weight: 400; }
.verdict { color: inherit; margin: 0 0 1rem; }
.verdict b { text-transform: uppercase; letter-spacing: .04em; font-size: .85rem; padding: .15rem .55rem;
  border-radius: .3rem; margin-right: .4rem; white-space: nowrap; }
.tag { font-weight: 600; font-size: .75rem; padding: .05rem .4rem; border-radius: .3rem; background: var(--box);
  color: var(--soft); white-space: nowrap; }
.good b, .tag.good { color: var(--good); background: var(--on-good); }
.bad b, .tag.bad { color: var(--bad); background: var(--on-bad); }
.warn b, .tag.warn { color: var(--warn); background: var(--on-warn); }
dl, dd { margin: 0; }
.story > div { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); padding: .5rem 0;
  border-top: 1px solid var(--line); }
dt { color: var(--soft); font-weight: 600; font-size: .9rem; }
dd { overflow-wrap: anywhere; white-space: pre-line; }
dd ul, section ul { margin: 0; padding-left: 1.1rem; }
li { overflow-wrap: anywhere; }
.layer { font-weight: 600; font-size: .75rem; text-transform: uppercase; letter-spacing: .03em; color: var(--soft);
  border: 1px solid var(--line); padding: .02rem .35rem; border-radius: .3rem; white-space: nowrap; }
code, pre { font: .86em ui-monospace, monospace; overflow-wrap: anywhere; }
dd code, p code, li code { background: var(--box); padding: .05rem .3rem; border-radius: .25rem; }
pre { white-space: pre-wrap; background: var(--box); padding: .7rem; border-radius: .4rem; margin: .2rem 0 .7rem; }
.facts { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: .7rem 0 0; margin: 0;
  border-top: 1px solid var(--line); }
.facts a { display: block; text-decoration: none; color: var(--ink); background: var(--box); border-radius: .4rem;
  padding: .3rem .65rem; border-left: 3px solid var(--line); font-size: .9rem; }
.facts .look a { border-left-color: var(--warn); } .facts span { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding-top: 1rem; padding-bottom: .2rem; font-size: .9rem; }
a { color: var(--link); }
section { scroll-margin-top: 1rem; } section > h2 { border-bottom: 2px solid var(--line); padding-bottom: .25rem; }
.sides { table-layout: fixed; } .sides th:first-child, .sides td:first-child { width: 2.2rem; color: var(--soft); }
.same td:nth-child(3), .same th:nth-child(3) { width: 11rem; }
.hit { display: flex; flex-wrap: wrap; gap: .1rem .5rem; align-items: baseline; }
.hit code { font-weight: 600; min-width: 0; } .score { font-style: normal; color: var(--soft); font-size: .85rem; }
.text { display: block; color: var(--soft); font-size: .88rem; unicode-bidi: plaintext; }
.bars { list-style: none; margin: 0; padding: 0; }
.bars li { border-bottom: 1px solid var(--line); } .bars details { border: 0; }
.bars .line, .bars summary { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 16rem) 9rem; gap: .8rem;
  align-items: center; padding: .3rem 0; font: inherit; font-size: .9rem; }
.bars .took { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; color: var(--ink); }
.bars i { font-style: normal; color: var(--soft); }
.name { overflow-wrap: anywhere; color: var(--ink); }
.bars summary .name::before { content: "+ "; color: var(--soft); } .bars [open] .name::before { content: "− "; }
.bar { display: block; width: 100%; height: .5rem; background: var(--box); border-radius: .2rem; }
.bar rect { fill: var(--bar); } .bar .failed { fill: var(--bad); }
.d1 .name { padding-left: .9rem; } .d2 .name { padding-left: 1.8rem; } .d3 .name { padding-left: 2.7rem; }
.d4 .name { padding-left: 3.6rem; } .d5 .name { padding-left: 4.5rem; } .d6 .name { padding-left: 5.4rem; }
.about { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .2rem .6rem; padding: 0 0 .6rem 1rem;
  font-size: .88rem; }
.plot { display: grid; grid-template-columns: minmax(0, 26rem) minmax(0, 1fr); gap: 1.5rem; align-items: start; }
.sweep { width: 100%; height: auto; } .sweep text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.sweep .grid { stroke: var(--line); } .sweep .line { stroke: var(--bar); stroke-width: 2; fill: none; }
.sweep circle { fill: var(--bar); } .sweep .used { fill: var(--page); stroke: var(--bad); stroke-width: 3; }
@media (max-width: 60rem) { .plot { grid-template-columns: minmax(0, 1fr); gap: .4rem; } .sweep { max-width: 26rem; } }
@media screen and (max-width: 40rem) {
  header, nav, main, footer { padding-left: .9rem; padding-right: .9rem; }
  h1 { font-size: 1.3rem; }
  .story > div { grid-template-columns: minmax(0, 1fr); padding: .4rem 0; }
  .facts a { padding: .3rem .5rem; }
  .bars .line, .bars summary { grid-template-columns: minmax(0, 1fr) auto; gap: .1rem .6rem; }
  .bars .bar { grid-column: 1 / -1; grid-row: 2; }
  .about { grid-template-columns: minmax(0, 1fr); }
  .sides td:first-child { width: auto; } .sides td + td::before { display: block; font-size: .8rem; }
}
@media print {
  :root { --good: #0a5c35; --on-good: #fff; --bad: #9c1f17; --on-bad: #fff; --warn: #6b4400; --on-warn: #fff;
    --link: #000; --bar: #555; }
  nav { display: none; } .tag, .verdict b { border: 1px solid currentColor; }
  svg { break-inside: avoid; }
  .bars details:not([open])::details-content { display: none; }
}
"""
