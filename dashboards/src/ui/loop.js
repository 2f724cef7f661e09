// SPDX-License-Identifier: Apache-2.0
// The closed loop of the selected alarm: outcome in a sentence, five stages, every step with its time.
/** @typedef {import("../types").Loop} Loop */
import * as format from "../format.js";
import { mainRun, outcome, reaction, stages, steps, WORDS } from "../loops.js";
import { guardsOf, guardWords, saidTo } from "../runs.js";
import { startOf } from "../state.js";
import { $, h, icon, outcomeIcon, stepIcon, ticking, time } from "./dom.js";

/** @param {Loop | null} loop @param {Loop[]} all loops of the same alarm, oldest first @param {number} now @param {(loop: Loop) => void} choose */
export function showLoop(loop, all, now, choose) {
  const box = $("loop-body");
  const o = loop ? outcome(loop, now) : null;
  const sign = loop && o ? `${loop.key}|${o.code}|${o.text}|${loop.rows.length}|${loop.changes.length}|${loop.raised_ms}|${loop.cleared_ms}|${all.length}` : "none";
  if (box.dataset.sign === sign) return;
  box.dataset.sign = sign;
  if (!loop || !o) {
    box.replaceChildren(h("p", { class: "empty" }, "No loop is known of this alarm: it has not been raised within the kept log."));
    return;
  }
  box.replaceChildren(...[picker(loop, all, now, choose), verdict(loop, o, now), people(loop, now), stepper(loop, now), list(loop, now), guards(loop, now)].filter((e) => e !== null));
}

/** @param {Loop} loop @param {Loop[]} all @param {number} now @param {(loop: Loop) => void} choose */
function picker(loop, all, now, choose) {
  if (all.length < 2) return null;
  const i = all.indexOf(loop);
  const button = (/** @type {number} */ to, /** @type {string} */ label, /** @type {string} */ glyph) =>
    h("button", { type: "button", class: "small", disabled: to < 0 || to >= all.length, "aria-label": label, onclick: () => choose(all[to]) }, glyph);
  return h("p", { class: "picker" }, button(i - 1, "Earlier loop", "‹"), `Loop ${i + 1} of ${all.length}, `, time(startOf(loop), now), button(i + 1, "Later loop", "›"));
}

/** @param {Loop} loop @param {{code: string, word: string, text: string}} o @param {number} now */
function verdict(loop, o, now) {
  const open = loop.cleared === null;
  return h("div", { class: `verdict o-${o.code}`, role: "status" },
    h("span", { class: "verdict-word" }, icon(outcomeIcon(o.code)), o.word),
    h("span", { class: "verdict-text" }, o.text || " "),
    open ? h("span", { class: "verdict-age" }, ticking(startOf(loop), "open for ")) : h("span", { class: "verdict-age num" }, format.span((loop.cleared_ms ?? now) - startOf(loop))));
}

/** Who let it act, or did not. @param {Loop} loop @param {number} now */
function people(loop, now) {
  const said = saidTo(mainRun(loop));
  if (said.length === 0) return null;
  return h("ul", { class: "people" }, said.map(({ row, by, comment }) =>
    h("li", {}, icon(stepIcon(row.kind)), `${WORDS[row.kind]} by `, h("b", {}, by), " at ", time(row.time_ms, now), ...(comment ? [": ", h("q", {}, comment)] : []))));
}

const STATE_WORDS = { done: "done", now: "under way", bad: "failed", skipped: "not needed", wait: "not yet" };

/** @param {Loop} loop @param {number} now */
function stepper(loop, now) {
  const from = startOf(loop);
  return h("ol", { class: "stages", "aria-label": "Stages of the loop" }, stages(loop).map((s) =>
    h("li", { class: `stage g-${s.state}` },
      h("span", { class: "stage-dot", "aria-hidden": "true" }, s.state === "done" ? stepIcon(s.kind) : s.state === "bad" ? "✕" : s.state === "now" ? "…" : s.state === "skipped" ? "–" : ""),
      h("span", { class: "stage-word" }, s.word),
      h("span", { class: "stage-time num", title: s.t === null ? "" : format.utc(s.t) }, s.t === null ? STATE_WORDS[s.state] : s.kind === "raised" ? format.clock(s.t, true) : format.delta(s.t - from)),
      h("span", { class: "hidden" }, s.t === null ? "" : `${STATE_WORDS[s.state]}, ${format.when(s.t, now)}`))));
}

/** @param {Loop} loop @param {number} now */
function list(loop, now) {
  const from = startOf(loop);
  const took = reaction(loop.raised);
  const all = steps(loop);
  const runs = new Set(loop.rows.map((r) => r.run_id)).size;
  return h("table", { class: "steps" },
    h("caption", {}, `Steps${runs > 2 ? `; of the ${runs - 1} runs before the last one only how they ended` : ""}${loop.cut ? `, ${loop.cut} left out` : ""}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), h("th", { scope: "col" }, "Since raised"), h("th", { scope: "col" }, "Step"), h("th", { scope: "col" }, "What"))),
    h("tbody", {}, all.map((s) => {
      const note = s.kind === "raised" && s.t === from && took !== null ? ` (${format.length(took)} after the sample arrived)` : "";
      return h("tr", { class: `k-${s.kind}` },
        h("td", { class: "num" }, time(s.t, now, { millis: true })),
        h("td", { class: "num" }, format.delta(s.t - from)),
        h("td", { class: "step-word" }, icon(stepIcon(s.kind)), s.word, s.count > 1 ? ` ×${s.count}` : ""),
        h("td", { class: "step-text", title: s.full }, s.kind === "triggered" ? h("b", {}, s.policy, " ") : runs > 1 && s.policy && s.kind !== "call" && s.kind !== "answer" ? h("b", {}, `${s.policy}: `) : null, s.text, note));
    })));
}

/** Whether the reader opened the guards' verdicts; null: as they are. @type {boolean | null} */
let opened = null;

/** What the guards said about the run that counts, when they were asked last. @param {Loop} loop @param {number} now */
function guards(loop, now) {
  const asked = guardsOf(mainRun(loop));
  if (!asked) return null;
  const refused = asked.list.filter((g) => !g.allowed).length;
  const box = h("details", { class: "guards", open: opened ?? refused > 0 },
    h("summary", {}, `Guards: ${asked.list.length} asked, ${refused === 0 ? "all allow it" : `${refused} refuse${refused === 1 ? "s" : ""}`} (`, time(asked.row.time_ms, now), ")"),
    h("table", { class: "verdicts" },
      h("thead", {}, h("tr", {}, ["Guard", "Verdict", "It asks, or why not"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, [...asked.list].sort((a, b) => Number(a.allowed) - Number(b.allowed)).map((g) => h("tr", { class: g.allowed ? "g-allows" : "g-refuses" },
        h("td", {}, g.guard.replaceAll("_", " ")), h("td", { class: "step-word" }, icon(g.allowed ? "✓" : "✕"), g.allowed ? "allows" : "refuses"), h("td", { class: g.allowed ? "muted" : null }, g.text || guardWords(g.guard)))))));
  box.querySelector("summary")?.addEventListener("click", () => (opened = !box.open));
  return box;
}
