// SPDX-License-Identifier: Apache-2.0
// A list of rows that come and go: each is kept by its key, moved only when it stands wrongly (moving takes the
// focus away), and what is more than a page waits behind a button.
import { h, put } from "./dom.js";

/**
 * @template T
 * @param {HTMLElement} box an ol @param {T[]} items in order
 * @param {{page: number, key: (item: T) => string, draw: (row: HTMLElement, item: T) => void, what: string}} how what: "runs", for the button
 */
export function showRows(box, items, how) {
  const max = Math.max(how.page, Number(box.dataset.shown) || 0);
  const shown = items.slice(0, max);
  const wanted = new Set(shown.map(how.key));
  /** @type {Map<string, HTMLElement>} */
  const have = new Map();
  for (const el of /** @type {HTMLElement[]} */ ([...box.children])) {
    if (wanted.has(el.dataset.key ?? "")) have.set(el.dataset.key ?? "", el);
    else if (!el.classList.contains("rest")) el.remove();
  }
  shown.forEach((item, i) => {
    const key = how.key(item);
    const el = have.get(key) ?? h("li", { "data-key": key });
    how.draw(el, item);
    if (box.children[i] !== el) box.insertBefore(el, box.children[i] ?? null);
  });
  rest(box, items.length - shown.length, () => {
    box.dataset.shown = String(max + how.page);
    showRows(box, items, how);
    /** @type {HTMLElement | null} */ (box.children[max]?.querySelector("button"))?.focus();
  }, how.what);
}

/** @param {HTMLElement} box @param {number} n @param {() => void} more @param {string} what */
function rest(box, n, more, what) {
  let el = /** @type {HTMLElement | null} */ (box.querySelector(":scope > .rest"));
  if (n === 0) return el?.remove();
  if (!el) el = h("li", { class: "rest" }, h("button", { type: "button", class: "small" }));
  const button = /** @type {HTMLButtonElement} */ (el.firstElementChild);
  put(button, `${n} more ${what} …`);
  button.onclick = more;
  if (box.lastElementChild !== el) box.append(el);
}
