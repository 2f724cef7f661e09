// SPDX-License-Identifier: Apache-2.0
// Feed of the latest loops: what broke, what Hale did about it, how long it took.
/** @typedef {import("../types").Loop} Loop */
import * as format from "../format.js";
import { outcome, tally } from "../loops.js";
import { startOf } from "../state.js";
import { $, h, icon, outcomeIcon, put, severityIcon, ticking, time } from "./dom.js";

const SHOWN = 60;

/** @param {Loop} loop @param {number} now */
const signature = (loop, now) => {
  const o = outcome(loop, now);
  return `${loop.key}|${o.code}|${o.word}|${o.text}|${loop.raised_ms}|${loop.cleared_ms}`;
};

/** @param {Loop[]} loops latest first @param {string} selected loop key @param {number} now @param {(loop: Loop) => void} choose */
export function showFeed(loops, selected, now, choose) {
  const box = $("feed-rows");
  const t = tally(loops, now);
  const parts = [`${t.healed} healed`];
  if (t.failed) parts.push(`${t.failed} not healed`);
  if (t.self) parts.push(`${t.self} cleared otherwise`);
  if (t.open) parts.push(`${t.open} open`);
  if (t.median !== null) parts.push(`median ${format.span(t.median)} to heal`);
  put($("feed-tally"), t.total === 0 ? "" : parts.join(" · "));
  $("feed-empty").hidden = loops.length > 0;
  const shown = loops.slice(0, SHOWN);
  /** @type {Map<string, Element>} */
  const have = new Map([...box.children].map((el) => [/** @type {HTMLElement} */ (el).dataset.key ?? "", el]));
  const wanted = new Set(shown.map((l) => l.key));
  for (const [key, el] of have) if (!wanted.has(key)) el.remove();
  shown.forEach((loop, i) => {
    const sign = signature(loop, now);
    let el = /** @type {HTMLElement | undefined} */ (have.get(loop.key));
    if (!el || el.dataset.sign !== sign) {
      const made = entry(loop, now, sign, choose);
      el?.replaceWith(made);
      el = made;
    }
    if (box.children[i] !== el) box.insertBefore(el, box.children[i] ?? null);
    const button = /** @type {Element} */ (el.firstElementChild);
    if (loop.key === selected) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}

/** @param {Loop} loop @param {number} now @param {string} sign @param {(loop: Loop) => void} choose */
function entry(loop, now, sign, choose) {
  const o = outcome(loop, now);
  const start = startOf(loop);
  const took = loop.cleared_ms !== null ? h("span", { class: "num" }, format.span(loop.cleared_ms - start)) : ticking(start);
  return h("li", { "data-key": loop.key, "data-sign": sign },
    h("button", { type: "button", class: `feed-row o-${o.code} v-${loop.severity}`, onclick: () => choose(loop), title: o.text },
      h("span", { class: "feed-time num" }, time(start, now)),
      h("span", { class: "feed-out" }, icon(outcomeIcon(o.code)), o.word),
      h("span", { class: "feed-what" }, icon(severityIcon(loop.severity)), loop.name, " ", h("span", { class: "object" }, format.pairs(loop.object).map(([, v]) => v).join(" · "))),
      h("span", { class: "feed-took" }, took)));
}
