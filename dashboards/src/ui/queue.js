// SPDX-License-Identifier: Apache-2.0
// What waits for a person, above the alarms: who wants to do what, why, and how long it may still be decided.
/**
 * @typedef {import("../types").Waiting} Waiting
 * @typedef {import("../runs.js").Verb} Verb
 * @typedef {{hindrance: string, why: (w: Waiting) => {name: string, text: string}, stopped: (w: Waiting) => string, choose: (w: Waiting) => void, act: (w: Waiting, verb: Verb) => void}} Ways
 */
import { calls, questionOf, verbs } from "../runs.js";
import { callList } from "./ask.js";
import { $, counting, h, icon, put, redraw, ticking, until } from "./dom.js";
import { showRows } from "./rows.js";

const PAGE = 100;
const CALLS = 3;

/** @type {Record<Verb, [string, string]>} */
const BUTTON = { approve: ["✓", "Approve"], reject: ["✕", "Reject"], acknowledge: ["✓", "Acknowledge"], abort: ["✕", "Abort"] };
const KIND = { held: ["…", "Acknowledge?"], proposed: ["?", "Approve?"], suggested: ["◎", "Suggestion"] };

/** Buttons of one run; what is known of a decision stands in their place. @param {Waiting} w @param {Ways} ways */
export function decisionButtons(w, ways) {
  if (w.said !== "") return h("span", { class: "said" }, w.said);
  return h("span", { class: "decide" }, verbs(w).map((verb) =>
    h("button", {
      type: "button", class: verb === "reject" || verb === "abort" ? "no" : "yes", "data-act": `${verb}:${questionOf(w.run)}`, disabled: ways.hindrance !== "", title: ways.hindrance || null,
      "aria-label": `${BUTTON[verb][1]}: ${w.run.policy} on ${w.run.target}`, onclick: () => ways.act(w, verb),
    }, icon(BUTTON[verb][0]), `${BUTTON[verb][1]} …`)));
}

/** How long it may still be decided, or has waited. @param {Waiting} w */
export const timeLeft = (w) => w.kind !== "held" && w.until_ms !== null ? counting(w.until_ms)
  : h("span", { class: "left" }, ticking(w.since_ms, "waits for "), w.until_ms !== null ? h("span", {}, ", until ", until(w.until_ms)) : null);

/** @param {Waiting[]} list @param {string} said what became of the last decision made here @param {Ways} ways */
export function showQueue(list, said, ways) {
  const box = $("queue-rows");
  const section = $("queue");
  const hidden = list.length === 0 && said === "";
  const inside = section.contains(document.activeElement);
  section.hidden = hidden;
  document.body.classList.toggle("waits", !hidden);
  put($("queue-count"), list.length === 0 ? "" : `${list.length}`);
  put($("queue-why"), list.length === 0 ? "" : ways.hindrance);
  put($("queue-said"), said);
  $("queue-said").hidden = said === "";
  showRows(box, list, {
    page: PAGE, what: "that wait", key: (w) => questionOf(w.run),
    draw: (el, w) => {
      const why = ways.why(w);
      const stopped = ways.stopped(w);
      redraw(el, JSON.stringify([w.kind, w.said, w.until_ms, ways.hindrance, why, stopped, w.run.policy, w.run.target, calls(w)]), () => entry(w, why, stopped, ways));
      el.className = `wait w-${w.kind}`;
    },
  });
  // Who stood on what is gone goes on with what is next.
  if (inside && (hidden || !section.contains(document.activeElement))) (hidden ? $("rows") : $("queue-title")).focus();
}

/** @param {Waiting} w @param {{name: string, text: string}} why @param {string} stopped by which kill switch, or "" @param {Ways} ways */
function entry(w, why, stopped, ways) {
  const [glyph, word] = KIND[w.kind];
  return [
    h("p", { class: "wait-line" },
      h("span", { class: "wait-kind" }, icon(glyph), word), h("b", {}, w.run.policy), " on ", h("b", { class: "wait-target" }, w.run.target), timeLeft(w)),
    h("div", { class: "wait-what" },
      h("p", { class: "wait-why" }, h("span", { class: "muted" }, "because "), h("button", { type: "button", class: "link", "data-act": `why:${questionOf(w.run)}`, onclick: () => ways.choose(w) }, why.name), why.text ? ` ${why.text}` : ""),
      h("div", { class: "wait-calls" }, h("span", { class: "muted" }, w.kind === "held" ? "then " : "would call "), callList(calls(w), CALLS)),
      stopped ? h("p", { class: "wait-stopped" }, icon("■"), stopped) : null),
    decisionButtons(w, ways),
  ];
}
