// SPDX-License-Identifier: Apache-2.0
// Elements by function calls. Text reaches the page as text nodes only; nothing here takes markup.
import { clock, utc, when } from "../format.js";

/**
 * An element. attrs: "class", "title", aria-*, data-* ... as attributes, on<event> as listener; null or false is left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [attrs]
 * @param {...(Node | string | number | null | undefined | false | (Node | string | null | false)[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, v] of Object.entries(attrs)) {
    if (v === null || v === undefined || v === false) continue;
    if (typeof v === "function") el.addEventListener(name.slice(2), /** @type {EventListener} */ (v));
    else el.setAttribute(name, v === true ? "" : String(v));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return el;
}

/** The element with this id; the page has it. @param {string} id */
export const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Sets text only when it differs, so that a screen reader and a text selection are left in peace. @param {Element} el @param {string} text */
export function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * Draws the content of an element anew when its signature changed. Who stands on a button (data-act) stays on it.
 * @param {HTMLElement} box @param {string} sign @param {() => Node[]} make
 */
export function redraw(box, sign, make) {
  if (box.dataset.sign === sign) return;
  box.dataset.sign = sign;
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  const act = box.contains(active) ? active?.dataset.act : undefined;
  box.replaceChildren(...make());
  if (act !== undefined) for (const el of box.querySelectorAll("[data-act]")) if (/** @type {HTMLElement} */ (el).dataset.act === act) /** @type {HTMLElement} */ (el).focus();
}

/** Local time with UTC in the tooltip. @param {number | null} ms @param {number} now */
export function time(ms, now, { millis = false, date = true } = {}) {
  if (ms === null || !Number.isFinite(ms) || ms <= 0) return h("span", {}, "–");
  return h("time", { datetime: new Date(ms).toISOString(), title: utc(ms) }, date ? when(ms, now, millis) : clock(ms, millis));
}

/** A time span that ticks by itself (see tick in main.js). @param {number} ms @param {string} [prefix] */
export const ticking = (ms, prefix = "") => h("span", { class: "num", "data-since": ms, "data-prefix": prefix, title: utc(ms) });

/** A time that is left, counting down by itself (see draw in main.js). @param {number} ms */
export const counting = (ms) => h("span", { class: "num left", "data-until": ms, title: `until ${utc(ms)}` });

/** A time that is to come, to the second. @param {number} ms */
export const until = (ms) => h("time", { class: "num", datetime: new Date(ms).toISOString(), title: utc(ms) }, clock(ms));

const SEVERITY_ICON = { CRITICAL: "▲", HIGH: "◆", MEDIUM: "■", LOW: "●" };
/** @param {string} severity */
export const severityIcon = (severity) => SEVERITY_ICON[/** @type {keyof typeof SEVERITY_ICON} */ (severity)] ?? "○";

const OUTCOME_ICON = {
  healed: "✓", acting: "➤", failed: "✕", suppressed: "‖", observed: "◎", open: "!", selfclear: "↺", gone: "–",
};
/** @param {string} code */
export const outcomeIcon = (code) => OUTCOME_ICON[/** @type {keyof typeof OUTCOME_ICON} */ (code)] ?? "·";

const STEP_ICON = {
  raised: "▲", triggered: "◇", suppressed: "‖", observed: "◎", call: "➤", answer: "◄", verifying: "…",
  verified: "✓", failed: "✕", cleared: "✓", undetermined: "?", deleted: "–", action: "➤",
  suggested: "◎", proposed: "?", approved: "✓", rejected: "✕", expired: "–", step: "→", waiting: "…", acknowledged: "✓", aborted: "✕",
  switched: "■", latched: "■", unlatched: "□",
};
/** @param {string} kind */
export const stepIcon = (kind) => STEP_ICON[/** @type {keyof typeof STEP_ICON} */ (kind)] ?? "·";

/** An icon for the eye only; the word stands beside it. @param {string} glyph */
export const icon = (glyph) => h("span", { class: "icon", "aria-hidden": "true" }, glyph);
