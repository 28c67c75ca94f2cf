"""What is wrong with a page as it is drawn: text out of its box or of the screen, over other text, or too faint."""

from __future__ import annotations

from pathlib import Path

from tests.support.browser import Browser, Screen

__all__ = ["SCREENS", "faults"]

SCREENS = (
    Screen("desktop", 1280, 800), Screen("dark", 1280, 800, dark=True), Screen("tablet", 760, 1000),
    Screen("phone", 390, 844), Screen("phone-dark", 390, 844, dark=True), Screen("narrow", 320, 640),
    Screen("paper", 718, 1000, paper=True),
)  # fmt: skip
"""As wide as desktops, phones and A4 with its margins are."""


def faults(tab: Browser, page: Path | str, screen: Screen, *, own: tuple[str, ...] = ()) -> list[str]:
    """Every fault of a page on a screen, all that is folded unfolded; a line for each, the first fifty.

    `own` are the addresses that it may fetch.
    """
    tab.show(page, screen)
    found: list[str] = tab.run(_LOOK)
    address = page if isinstance(page, str) else page.as_uri()
    loaded = [url for url in tab.requests if url not in (address, *own)]
    return [*found, *(f"fetches {url}" for url in loaded), *tab.problems]


_LOOK = r"""
(() => {
  const found = [], say = (what, node, more) => {
    if (found.length < 50) found.push(`${what}: <${node.tagName.toLowerCase()}${node.className && node.className.baseVal
      === undefined ? '.' + node.className : ''}> ${(node.textContent || '').trim().slice(0, 40)} ${more || ''}`);
  };
  if (!matchMedia('print').matches)  // paper unfolds by itself
    for (const one of document.querySelectorAll('details')) one.open = true;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) say('the page is wider than the screen', document.body,
    document.documentElement.scrollWidth);
  const colour = text => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return parts.length > 3 ? parts : [...parts.slice(0, 3), 1];
  };
  const light = ([r, g, b]) => {
    const one = [r, g, b].map(c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * one[0] + 0.7152 * one[1] + 0.0722 * one[2];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const behind = node => {
    for (let one = node; one; one = one.parentElement) {
      const ground = colour(getComputedStyle(one).backgroundColor);
      if (ground[3] === 1) return ground;
      if (ground[3] > 0) return over(ground, behind(one.parentElement));
    }
    return [255, 255, 255];
  };
  const boxes = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility({contentVisibilityAuto: true})) {
      if (text.data.trim() && matchMedia('print').matches && node.closest('details') && !node.closest('.bars'))
        say('not on paper', node);
      continue;
    }
    const style = getComputedStyle(node), svg = node instanceof SVGElement;
    const range = document.createRange();
    range.selectNodeContents(text);
    let block = node;
    while (block && getComputedStyle(block).display.startsWith('inline') && !svg) block = block.parentElement;
    if (svg) block = node.closest('svg');
    const inside = block.getBoundingClientRect();
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      if (box.left < -1 || box.right > width + 1) say('out of the screen', node, `${box.left}..${box.right}`);
      else if (box.left < inside.left - 1.5 || box.right > inside.right + 1.5) say('out of its box', node,
        `${box.left}..${box.right} in ${inside.left}..${inside.right}`);
      boxes.push({top: box.top, bottom: box.bottom, left: box.left, right: box.right, text, node});
    }
    const ink = colour(svg ? style.fill : style.color), ground = behind(node);
    const [a, b] = [light(over(ink, ground)), light(ground)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) say('too faint', node, `${ratio.toFixed(2)} of ${style.color} on ${ground}`);
    if (size < 11) say('too small', node, style.fontSize);
  }
  for (const one of document.querySelectorAll('body *')) {
    const style = getComputedStyle(one);
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth && style.display !== 'inline' && one.checkVisibility()
        && !(one instanceof SVGElement) && one.tagName !== 'INPUT')
      say('wider than its box', one, `${one.scrollWidth} > ${one.clientWidth}`);
  }
  boxes.sort((x, y) => x.top - y.top);
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom - 3; j++) {
      const [x, y] = [boxes[i], boxes[j]];
      if (x.text !== y.text && Math.min(x.right, y.right) - Math.max(x.left, y.left) > 2
          && Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 3)
        say('over other text', y.node, `and ${x.text.data.trim().slice(0, 30)}`);
    }
  return found;
})()
"""
