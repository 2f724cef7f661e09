// SPDX-License-Identifier: Apache-2.0
// Contrast of what the page shows.

/** Runs in the page: visible texts whose contrast to their background is below WCAG AA. */
export function lowContrast() {
  const parse = (/** @type {string} */ c) => (/[\d.]+/g[Symbol.match](c) ?? []).map(Number);
  const lum = (/** @type {number[]} */ c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (/** @type {number[]} */ top, /** @type {number[]} */ under) => under.map((v, i) => top[i] * (top[3] ?? 1) + v * (1 - (top[3] ?? 1)));
  const out = [];
  for (const el of document.querySelectorAll("body *")) {
    const own = [...el.childNodes].some((n) => n.nodeType === 3 && n.textContent?.trim());
    if (!own || !(/** @type {HTMLElement} */ (el).offsetParent) || el.matches(".hidden, .hidden *, :disabled, canvas, .skip, .fresh *")) continue;
    let background = [0, 0, 0];
    /** @type {number[][]} */
    const layers = [];
    let alpha = 1;
    for (let e = /** @type {Element | null} */ (el); e; e = e.parentElement) {
      const style = getComputedStyle(e);
      const c = parse(style.backgroundColor);
      alpha *= Number(style.opacity);
      if (c.length >= 3 && (c[3] ?? 1) > 0) layers.unshift(c);
      if (c.length === 3) break;
    }
    for (const l of layers) background = over(l, background);
    const colour = parse(getComputedStyle(el).color);
    const ink = over([...colour.slice(0, 3), (colour[3] ?? 1) * alpha], background);
    const [a, b] = [lum(ink), lum(background)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(getComputedStyle(el).fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(getComputedStyle(el).fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) out.push(`${el.tagName}.${el.className} "${el.textContent?.slice(0, 20)}" ${ratio.toFixed(2)}`);
  }
  return out;
}
