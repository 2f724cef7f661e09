// SPDX-License-Identifier: Apache-2.0
// Feed of the latest loops: what broke, what Hale did about it, how long it took.
/** @typedef {import("../types").Loop} Loop */
import * as format from "../format.js";
import { outcome, tally } from "../loops.js";
import { startOf } from "../state.js";
import { showRows } from "./rows.js";
import { $, h, icon, outcomeIcon, put, severityIcon, ticking, time } from "./dom.js";

const PAGE = 60;

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
  showRows(box, loops, {
    page: PAGE, what: "loops", key: (loop) => loop.key,
    draw: (el, loop) => {
      const sign = signature(loop, now);
      if (el.dataset.sign !== sign) {
        const inside = el.contains(document.activeElement);
        el.dataset.sign = sign;
        el.replaceChildren(entry(loop, now, choose));
        if (inside) /** @type {HTMLElement} */ (el.firstElementChild).focus();
      }
      const button = /** @type {Element} */ (el.firstElementChild);
      if (loop.key === selected) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    },
  });
}

/** @param {Loop} loop @param {number} now @param {(loop: Loop) => void} choose */
function entry(loop, now, choose) {
  const o = outcome(loop, now);
  const start = startOf(loop);
  const took = loop.cleared_ms !== null ? h("span", { class: "num" }, format.span(loop.cleared_ms - start)) : ticking(start);
  return h("button", { type: "button", class: `feed-row o-${o.code} v-${loop.severity}`, onclick: () => choose(loop), title: o.text },
      h("span", { class: "feed-time num" }, time(start, now)),
      h("span", { class: "feed-out" }, icon(outcomeIcon(o.code)), o.word),
      h("span", { class: "feed-what" }, icon(severityIcon(loop.severity)), loop.name, " ", h("span", { class: "object" }, format.pairs(loop.object).map(([, v]) => v).join(" · "))),
      h("span", { class: "feed-took" }, took));
}
