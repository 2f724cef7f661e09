// SPDX-License-Identifier: Apache-2.0
// The charts of the selected alarm and the reading of their data: all of the range first, then what is new.
import { merge, path, plan, read } from "../series.js";
import { Chart } from "./chart.js";
import { $, h, put } from "./dom.js";
/**
 * @typedef {import("../types").Alarm} Alarm
 * @typedef {import("../series.js").Series} Series
 */

const MAX_CHARTS = 4;
/** Samples may arrive late: each refresh reads this much again. */
const OVERLAP_MS = 15_000;
const FULL_EVERY_MS = 60_000;

export class Charts {
  /** @param {import("../main.js").Context} context */
  constructor(context) {
    this.context = context;
    this.box = $("charts-body");
    this.range_ms = 15 * 60_000;
    this.sign = "";
    /** @type {{chart: Chart, series: Series[], full: number, to: number}[]} */
    this.items = [];
    /** @type {ReturnType<typeof import("../loops.js").marks>} */
    this.marks = [];
    this.generation = 0;
    this.busy = false;
    for (const button of document.querySelectorAll("#ranges button")) {
      button.addEventListener("click", () => this.setRange(Number(/** @type {HTMLElement} */ (button).dataset.minutes)));
    }
  }

  /** @param {number} minutes */
  setRange(minutes) {
    this.range_ms = minutes * 60_000;
    for (const b of document.querySelectorAll("#ranges button")) b.setAttribute("aria-pressed", String(Number(/** @type {HTMLElement} */ (b).dataset.minutes) === minutes));
    for (const item of this.items) item.full = 0;
    void this.refresh();
  }

  /** Shows the charts of this alarm. @param {Alarm | null} alarm @param {Charts["marks"]} marks */
  show(alarm, marks) {
    this.marks = marks;
    const plans = alarm ? plan(alarm).slice(0, MAX_CHARTS) : [];
    const sign = `${alarm?.id}|${plans.map((p) => `${p.title}${p.metrics.length}${JSON.stringify(p.query)}`).join("|")}`;
    if (sign !== this.sign) {
      this.sign = sign;
      this.generation++;
      this.busy = false;
      for (const item of this.items) item.chart.destroy();
      this.items = plans.map((p) => ({ chart: new Chart(p), series: [], full: 0, to: 0 }));
      this.box.replaceChildren(...this.items.map((i) => i.chart.el));
      if (alarm && plans.length === 0) {
        const why = alarm.source === "event" ? "This alarm was raised by a fault event: there are no series behind it." : alarm.sub_alarms === null ? "Loading …" : "No series are known for this alarm.";
        this.box.replaceChildren(h("p", { class: "empty" }, why));
      }
      put($("charts-problem"), "");
      void this.refresh();
    } else this.redraw();
  }

  redraw() {
    const to = this.context.now();
    for (const item of this.items) if (item.full > 0) item.chart.show(item.series, this.marks, to - this.range_ms, to);
  }

  restyle() {
    for (const item of this.items) item.chart.restyle();
  }

  /** Reads what is new. One call at a time. */
  async refresh() {
    const { api } = this.context;
    if (this.busy || !api || this.items.length === 0 || document.hidden) return;
    const mine = this.generation;
    this.busy = true;
    try {
      await Promise.all(this.items.map(async (item) => {
        const now = this.context.now();
        const to = now + 1000; // the newest sample may bear the server's next millisecond
        const from = now - this.range_ms;
        const { plan } = item.chart;
        const all = item.full === 0 || now - item.full > FULL_EVERY_MS || plan.bucket;
        const since = all ? from : Math.max(from, item.to - OVERLAP_MS);
        const fresh = read(plan, await api.get(path(plan, since, to)));
        if (mine !== this.generation) return;
        item.series = all ? fresh : merge(item.series, fresh, since, from);
        if (all) item.full = now;
        item.to = now;
      }));
      if (mine === this.generation) put($("charts-problem"), "");
    } catch (e) {
      if (mine === this.generation) put($("charts-problem"), `Series not up to date: ${e instanceof Error ? e.message : e}`);
    } finally {
      if (mine === this.generation) {
        this.busy = false;
        this.redraw();
      }
    }
  }
}
