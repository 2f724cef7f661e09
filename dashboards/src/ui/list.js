// SPDX-License-Identifier: Apache-2.0
// The alarm list: only the rows in view exist, so ten thousand alarms scroll as ten do. While
// somebody has scrolled down to read, new alarms do not move what is being read.
/**
 * @typedef {import("../types").Alarm} Alarm
 * @typedef {{state: import("../types").State, now: number}} View
 */
import * as format from "../format.js";
import { outcome } from "../loops.js";
import { brief } from "../series.js";
import { loopsOf, objectOf } from "../state.js";
import { $, h, icon, outcomeIcon, put, severityIcon } from "./dom.js";

const SPARE = 4;

/** @typedef {ReturnType<typeof makeRow>} Row */

/** @param {(id: string) => void} choose */
function makeRow(choose) {
  const parts = {
    sevIcon: icon(""), sev: h("span"), name: h("span", { class: "name" }), object: h("span", { class: "object" }),
    reason: h("span", { class: "reason" }), outIcon: icon(""), out: h("span"), age: h("span", { class: "age num" }),
    at: h("time", { class: "at num" }), state: h("span", { class: "state" }),
  };
  const el = h("div", { class: "row", role: "option" },
    h("span", { class: "sev" }, parts.sevIcon, parts.sev),
    h("span", { class: "what" }, h("span", { class: "line" }, parts.name, parts.object), parts.reason),
    h("span", { class: "out" }, parts.outIcon, parts.out),
    h("span", { class: "since" }, parts.age, parts.at),
    parts.state);
  const row = { el, id: "", parts };
  el.addEventListener("click", () => choose(row.id));
  return row;
}

export class List {
  /** @param {{choose: (id: string) => void, open: (id: string) => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.box = $("rows");
    this.spacer = $("rows-space");
    this.more = $("more");
    /** @type {Alarm[]} */
    this.alarms = [];
    /** @type {Map<string, number>} */
    this.index = new Map();
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Row[]} */
    this.spare = [];
    this.selected = "";
    this.unseen = 0;
    this.context = /** @type {View | null} */ (null);
    this.box.addEventListener("scroll", () => this.paint(), { passive: true });
    new ResizeObserver(() => this.paint()).observe(this.box);
    this.more.addEventListener("click", () => this.box.scrollTo({ top: 0 }));
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.spacer).getPropertyValue("line-height")) || 44;
  }

  /** @param {Alarm[]} alarms in order @param {string} selected @param {View} context */
  show(alarms, selected, context) {
    const height = this.rowHeight;
    const scrolled = this.box.scrollTop;
    const before = new Set(this.index.keys());
    const anchor = scrolled > height / 2 ? this.alarms[Math.floor(scrolled / height)] : undefined;
    this.alarms = alarms;
    this.index = new Map(alarms.map((a, i) => [a.id, i]));
    this.selected = selected;
    this.context = context;
    this.spacer.style.height = `${alarms.length * height}px`;
    if (anchor) {
      const at = this.index.get(anchor.id);
      if (at !== undefined) this.box.scrollTop = at * height + (scrolled % height);
      const first = Math.min(alarms.length, Math.floor(this.box.scrollTop / height));
      for (let i = 0; i < first; i++) if (!before.has(alarms[i].id) && alarms[i].state === "ALARM") this.unseen++;
    }
    this.paint();
  }

  /** Brings the selected row into view. */
  reveal() {
    const at = this.index.get(this.selected);
    if (at === undefined) return;
    const height = this.rowHeight;
    const { scrollTop, clientHeight } = this.box;
    if (at * height < scrollTop) this.box.scrollTop = at * height;
    else if ((at + 1) * height > scrollTop + clientHeight) this.box.scrollTop = (at + 1) * height - clientHeight;
    this.paint();
  }

  /** The neighbour of the selected alarm, or the first. @param {number} by */
  neighbour(by) {
    const at = this.index.get(this.selected);
    if (at === undefined) return this.alarms[0]?.id ?? "";
    return this.alarms[Math.min(this.alarms.length - 1, Math.max(0, at + by))].id;
  }

  paint() {
    if (!this.context) return;
    const height = this.rowHeight;
    const first = Math.max(0, Math.min(this.alarms.length, Math.floor(this.box.scrollTop / height)) - SPARE);
    const end = Math.min(this.alarms.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + SPARE);
    const wanted = new Set(this.alarms.slice(first, end).map((a) => a.id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      this.rows.delete(id);
      row.el.remove();
      if (this.spare.length < 60) this.spare.push(row);
    }
    for (let i = first; i < end; i++) {
      const alarm = this.alarms[i];
      let row = this.rows.get(alarm.id);
      if (!row) {
        row = this.spare.pop() ?? makeRow((id) => this.actions.choose(id));
        row.id = alarm.id;
        row.el.id = `alarm-${alarm.id}`;
        this.rows.set(alarm.id, row);
      }
      // Screen readers go by the order in the document.
      if (this.spacer.children[i - first] !== row.el) this.spacer.insertBefore(row.el, this.spacer.children[i - first] ?? null);
      row.el.style.transform = `translateY(${i * height}px)`;
      this.fill(row, alarm, i);
    }
    if (this.box.scrollTop < height) this.unseen = 0;
    this.more.hidden = this.unseen === 0;
    put(this.more, `↑ ${this.unseen} new`);
    if (this.rows.has(this.selected)) this.box.setAttribute("aria-activedescendant", `alarm-${this.selected}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** @param {Row} row @param {Alarm} alarm @param {number} i */
  fill(row, alarm, i) {
    const { state, now } = /** @type {View} */ (this.context);
    const { parts, el } = row;
    const loop = loopsOf(state, alarm.id).at(-1);
    const recent = loop && (alarm.state !== "OK" || now - (loop.cleared_ms ?? now) < 3600_000) ? outcome(loop, now) : null;
    put(parts.sevIcon, severityIcon(alarm.severity));
    put(parts.sev, alarm.severity);
    put(parts.name, alarm.definition_name);
    put(parts.object, format.pairs(objectOf(alarm)).map(([, v]) => v).join(" · "));
    const reason = brief(alarm, true) || alarm.description || "";
    put(parts.reason, reason);
    put(parts.outIcon, recent ? outcomeIcon(recent.code) : "");
    put(parts.out, !recent ? "" : recent.code === "healed" && loop?.raised_ms && loop.cleared_ms ? `${recent.word} ${format.span(loop.cleared_ms - loop.raised_ms)}` : recent.word);
    put(parts.age, format.age(now - alarm.state_updated_ms));
    put(parts.at, format.when(alarm.state_updated_ms, now));
    parts.at.title = format.utc(alarm.state_updated_ms);
    put(parts.state, alarm.state === "UNDETERMINED" ? "NO DATA" : alarm.state);
    parts.state.title = alarm.state;
    const fresh = alarm.state === "ALARM" && now - alarm.state_updated_ms < 6000;
    const classes = `row s-${alarm.state} v-${alarm.severity}${fresh ? " fresh" : ""}${recent ? ` o-${recent.code}` : ""}`;
    if (el.className !== classes) el.className = classes;
    const chosen = String(alarm.id === this.selected);
    if (el.getAttribute("aria-selected") !== chosen) el.setAttribute("aria-selected", chosen);
    el.setAttribute("aria-posinset", String(i + 1));
    el.setAttribute("aria-setsize", String(this.alarms.length));
    el.title = `${alarm.definition_name}\n${format.dims(objectOf(alarm))}\n${alarm.reason}`;
    const label = `${alarm.state}, ${alarm.severity}, ${alarm.definition_name}, ${format.dims(objectOf(alarm))}, since ${format.when(alarm.state_updated_ms, now)}${recent ? `, Hale: ${recent.word}` : ""}`;
    if (el.getAttribute("aria-label") !== label) el.setAttribute("aria-label", label);
  }
}
