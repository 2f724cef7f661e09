// SPDX-License-Identifier: Apache-2.0
// Kill switches: the banner while one is on, and the switch of a run's policies in its detail.
/**
 * @typedef {import("../types").Switch} Switch
 * @typedef {import("../types").Waiting} Waiting
 * @typedef {{roles: string[] | null, hindrance: string, flip: (scope: string, on: boolean) => void}} Hands
 */
import * as format from "../format.js";
import { mayFlip, scopeWords } from "../runs.js";
import { decisionButtons, timeLeft } from "./queue.js";
import { $, h, icon, redraw, ticking, time } from "./dom.js";

const SHOWN = 4;

/** Who stopped it, since when, why. @param {Switch} s @param {number} now */
const told = (s, now) => [
  ` by ${s.by} since `, time(s.at_ms, now), " (", ticking(s.at_ms), "): ", h("q", {}, s.reason), s.expires_ms > 0 ? ` – goes off by itself at ${format.when(s.expires_ms, now)}` : "",
];

/** @param {Switch[]} list @param {number} now @param {Hands} hands */
export function showSwitches(list, now, hands) {
  const box = $("switches");
  const on = list.filter((s) => s.expires_ms === 0 || s.expires_ms > now);
  box.hidden = on.length === 0;
  redraw(box, JSON.stringify([on, hands.roles, hands.hindrance]), () => [
    ...on.slice(0, SHOWN).map((s) => h("p", { class: "switch" },
      h("span", { class: "switch-text" }, icon("■"), h("b", {}, `Stopped: ${scopeWords(s.scope)}`), ...told(s, now)),
      mayFlip(s.scope, hands.roles) ? h("button", { type: "button", class: "small", "data-act": `off:${s.scope}`, disabled: hands.hindrance !== "", onclick: () => hands.flip(s.scope, false), "aria-label": `Let ${scopeWords(s.scope)} act again` }, "Let it act again …") : null)),
    ...(on.length > SHOWN ? [h("p", { class: "switch" }, `and ${on.length - SHOWN} more kill switches`)] : []),
  ]);
}

/**
 * In the detail of an alarm: what of its runs waits for a person, and the switches of the policies that acted.
 * @param {Waiting[]} list of this loop @param {{name: string, on: Switch | undefined}[]} policies @param {number} now @param {Hands} hands @param {import("./queue.js").Ways} ways
 */
export function showRunbar(list, policies, now, hands, ways) {
  const box = $("runbar");
  box.hidden = list.length === 0 && policies.length === 0;
  redraw(box, JSON.stringify([list.map((w) => [w.run.id, w.run.step, w.kind, w.said, w.until_ms]), policies, hands.hindrance]), () => [
    ...list.map((w) => h("p", { class: `run w-${w.kind}` }, h("span", {}, h("b", {}, w.run.policy), w.kind === "held" ? " waits for an acknowledgement, " : " waits for an approval, ", timeLeft(w)), decisionButtons(w, ways))),
    ...policies.map(({ name, on }) => h("p", { class: on ? "run stopped" : "run" },
      h("span", {}, "Policy ", h("b", {}, name), ...(on ? [" is stopped", ...told(on, now)] : [" may act"])),
      h("button", { type: "button", class: "small", "data-act": `flip:${name}`, disabled: hands.hindrance !== "", title: hands.hindrance || null, onclick: () => hands.flip(`policy/${name}`, on === undefined), "aria-label": on ? `Let policy ${name} act again` : `Stop policy ${name}` },
        on ? "Let it act again …" : "Stop it …"))),
    ...(hands.hindrance !== "" ? [h("p", { class: "muted run-why" }, hands.hindrance)] : []),
  ]);
}
