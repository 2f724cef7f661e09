// SPDX-License-Identifier: Apache-2.0
// One chart: the series behind one comparison of an alarm, the threshold, and marks of the loop.
import uPlot from "uplot";
import * as format from "../format.js";
import { columns, usualGap } from "../series.js";
import { h, put } from "./dom.js";
/**
 * @typedef {import("../series.js").Plan} Plan
 * @typedef {import("../series.js").Series} Series
 * @typedef {{t: number, kind: "raised" | "action" | "cleared"}} Mark
 */

const TWIN_ROWS = 30;
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
const GLYPHS = { raised: "▲", action: "➤", cleared: "✓" };

/** Colours and sizes as the style sheet has them now. */
function look() {
  const css = getComputedStyle(document.documentElement);
  const get = (/** @type {string} */ name) => css.getPropertyValue(name).trim();
  return {
    text: get("--muted"), grid: get("--line"), bad: get("--critical"), badArea: get("--violation"), ok: get("--ok"),
    action: get("--accent"), lines: [1, 2, 3, 4].map((i) => get(`--series-${i}`)), rem: parseFloat(css.fontSize) || 16, panel: get("--panel"),
  };
}

export class Chart {
  /** @param {Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.caption = h("span", { class: "chart-title" }, plan.title);
    this.figures = h("span", { class: "chart-now num" });
    this.plot = h("div", { class: "plot", role: "img" });
    this.legend = h("ul", { class: "legend" });
    this.twin = h("tbody");
    this.details = h("details", { class: "twin" }, h("summary", {}, "Values as a table"),
      h("table", {}, h("thead", {}, h("tr", {}, ...["Time", "Series", "Value"].map((t) => h("th", { scope: "col" }, t)))), this.twin));
    this.el = h("figure", { class: "chart" }, h("figcaption", {}, this.caption, this.figures), this.plot, this.legend, this.details);
    this.details.addEventListener("toggle", () => this.fillTwin());
    /** @type {Series[]} */
    this.series = [];
    /** @type {Mark[]} */
    this.marks = [];
    this.range = [0, 1];
    /** @type {uPlot | null} */
    this.u = null;
    this.made = "";
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.plot);
  }

  destroy() {
    this.resize.disconnect();
    this.u?.destroy();
    this.u = null;
    this.el.remove();
  }

  /** Draws anew with other colours or sizes. */
  restyle() {
    this.u?.destroy();
    this.u = null;
    this.draw();
  }

  /** @param {Series[]} series @param {Mark[]} marks @param {number} from Unix ms @param {number} to Unix ms */
  show(series, marks, from, to) {
    this.series = series;
    this.marks = marks.filter((m) => m.t >= from && m.t <= to);
    this.range = [from / 1000, to / 1000];
    this.draw();
    this.words();
    if (this.details.open) this.fillTwin();
  }

  get size() {
    // The style sheet decides how high (min-height), the page how wide.
    const height = parseFloat(getComputedStyle(this.plot).minHeight) || 140;
    return { width: Math.max(160, Math.floor(this.plot.clientWidth)), height: Math.round(height) };
  }

  fit() {
    if (!this.u) return;
    const { width, height } = this.size;
    if (width !== this.u.width || height !== this.u.height) this.u.setSize({ width, height });
  }

  draw() {
    if (this.series.length === 0 || this.plot.clientWidth === 0) return;
    const { xs, ys } = columns(this.series, this.plan.bucket ? Math.max(5000, this.plan.sub.period * 2500) : usualGap(this.series));
    const data = /** @type {uPlot.AlignedData} */ (/** @type {unknown} */ ([xs, ...ys]));
    const made = this.series.map((s) => s.label).join("\n");
    if (this.u && this.made !== made) {
      this.u.destroy();
      this.u = null;
    }
    if (!this.u) {
      this.made = made;
      this.u = new uPlot(this.options(), data, this.plot);
      this.u.setScale("x", { min: this.range[0], max: this.range[1] });
    } else {
      this.u.batch(() => {
        this.u?.setData(data, false);
        this.u?.setScale("x", { min: this.range[0], max: this.range[1] });
      });
    }
  }

  /** @returns {uPlot.Options} */
  options() {
    const c = look();
    const font = `${Math.round(c.rem * 0.75)}px system-ui, sans-serif`;
    const axis = { stroke: c.text, font, grid: { stroke: c.grid, width: 1 }, ticks: { stroke: c.grid, width: 1, size: 4 } };
    return {
      ...this.size,
      padding: [Math.round(c.rem * 0.9), Math.round(c.rem * 1.9), 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true, auto: false }, y: { range: (_u, min, max) => this.span(min, max) } },
      axes: [
        { ...axis, size: Math.round(c.rem * 1.7), space: c.rem * 5, values: (_u, ticks, _i, _s, step) => ticks.map((t) => (step < 60 ? format.clock(t * 1000) : format.clock(t * 1000).slice(0, 5))) },
        { ...axis, size: Math.round(c.rem * 3.4), space: c.rem * 2, values: (_u, ticks) => ticks.map((v) => format.value(v)) },
      ],
      series: [{}, ...this.series.map((s, i) => ({
        label: s.label, stroke: c.lines[i % c.lines.length], width: Math.max(1.5, c.rem / 10), dash: DASHES[Math.floor(i / c.lines.length) % DASHES.length], spanGaps: false,
        points: { show: s.points.length < 40, size: 5 },
      }))],
      hooks: { drawClear: [(u) => this.drawViolation(u)], draw: [(u) => this.drawMarks(u)], setCursor: [(u) => this.words(u.cursor.idx ?? null)] },
    };
  }

  /** Range of the value axis: all values and the threshold, with a little room. @param {number | null} min @param {number | null} max @returns {[number, number]} */
  span(min, max) {
    const t = this.plan.sub.threshold;
    let low = Math.min(min ?? t, t);
    let high = Math.max(max ?? t, t);
    if (low >= 0) low = 0;
    if (high === low) high = low + 1;
    const room = (high - low) * 0.12;
    return [low < 0 ? low - room : low, high + room];
  }

  /** The region in which the comparison holds, behind the lines. @param {uPlot} u */
  drawViolation(u) {
    const c = look();
    const { left, top, width, height } = u.bbox;
    const y = Math.min(top + height, Math.max(top, u.valToPos(this.plan.sub.threshold, "y", true)));
    const below = ["<", "≤"].includes(format.operator(this.plan.sub.operator));
    u.ctx.save();
    u.ctx.fillStyle = c.badArea;
    if (below) u.ctx.fillRect(left, y, width, top + height - y);
    else u.ctx.fillRect(left, top, width, y - top);
    u.ctx.restore();
  }

  /** Threshold and marks, before the lines' top. @param {uPlot} u */
  drawMarks(u) {
    const c = look();
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const px = devicePixelRatio || 1;
    ctx.save();
    ctx.lineWidth = Math.max(1, px * (c.rem / 13));
    ctx.font = `600 ${Math.round(c.rem * 0.72 * px)}px system-ui, sans-serif`;
    const y = u.valToPos(this.plan.sub.threshold, "y", true);
    ctx.strokeStyle = c.bad;
    ctx.setLineDash([7 * px, 4 * px]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    const label = `${format.operator(this.plan.sub.operator)} ${format.value(this.plan.sub.threshold)}`;
    ctx.fillStyle = c.bad;
    ctx.textAlign = "left";
    const above = y - c.rem * px > top;
    ctx.textBaseline = above ? "bottom" : "top";
    ctx.fillText(label, left + 4 * px, y + (above ? -2 : 2) * px);
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    let taken = -Infinity;
    for (const m of this.marks) {
      const x = Math.round(u.valToPos(m.t / 1000, "x", true));
      ctx.strokeStyle = ctx.fillStyle = m.kind === "raised" ? c.bad : m.kind === "action" ? c.action : c.ok;
      ctx.globalAlpha = m.kind === "action" ? 0.4 : 0.8;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      ctx.globalAlpha = 1;
      // Marks of one loop often share a pixel: glyphs stand side by side, lines where they belong.
      const step = c.rem * 0.75 * px;
      const place = Math.max(x, taken + step);
      if (place - x < 3 * step && place < left + width + c.rem * 2 * px) {
        ctx.fillText(GLYPHS[m.kind], place, top - 1);
        taken = place;
      }
    }
    ctx.restore();
  }

  /** Legend and the words for who cannot see the picture. @param {number | null} [at] index under the cursor */
  words(at = null) {
    const colours = look().lines;
    const found = this.series.map((s) => {
      const t = at === null ? null : (this.u?.data[0][at] ?? null);
      const p = t === null ? s.points.at(-1) : s.points.find(([pt]) => Math.abs(pt - /** @type {number} */ (t) * 1000) < 1);
      return { s, p };
    });
    if (this.legend.children.length !== found.length) {
      this.legend.replaceChildren(...found.map(() => h("li", {}, h("span", { class: "swatch", "aria-hidden": "true" }), h("span", { class: "legend-name" }), h("b", { class: "num" }))));
    }
    found.forEach(({ s, p }, i) => {
      const [swatch, name, v] = this.legend.children[i].children;
      /** @type {HTMLElement} */ (swatch).style.color = colours[i % colours.length];
      swatch.className = `swatch dash-${Math.floor(i / colours.length) % DASHES.length}`;
      put(name, s.label);
      put(v, p ? format.value(p[1]) : "–");
    });
    const t = at === null ? null : this.u?.data[0][at];
    put(this.figures, t ? `at ${format.clock(t * 1000, true)}` : this.series.every((s) => s.points.length === 0) ? "no samples in this time" : "");
    const [from, to] = this.range;
    const values = this.series.flatMap((s) => s.points.map(([, v]) => v));
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    this.plot.setAttribute("aria-label", `Chart of ${this.plan.sub.metric_name} from ${format.clock(from * 1000)} to ${format.clock(to * 1000)}. Alarm condition: ${this.plan.title}. ` +
      (values.length ? `Lowest ${format.value(low)}, highest ${format.value(high)}, last ${found.map(({ s, p }) => `${s.label} ${p ? format.value(p[1]) : "none"}`).join(", ")}. ` : "No samples. ") +
      this.marks.map((m) => `${m.kind} at ${format.clock(m.t, true)}`).join(", "));
  }

  fillTwin() {
    if (!this.details.open) return;
    const rows = this.series.flatMap((s) => s.points.map(([t, v]) => ({ t, v, label: s.label }))).sort((a, b) => b.t - a.t).slice(0, TWIN_ROWS);
    this.twin.replaceChildren(...rows.map((r) => h("tr", {}, h("td", { class: "num", title: format.utc(r.t) }, format.clock(r.t, true)), h("td", {}, r.label), h("td", { class: "num" }, format.value(r.v)))));
  }
}
