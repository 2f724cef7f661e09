// SPDX-License-Identifier: Apache-2.0
// Everything known about the selected alarm: evidence, dimensions, times, ids, journal.
/**
 * @typedef {import("../types").Alarm} Alarm
 * @typedef {import("../types").LogRecord} LogRecord
 * @typedef {import("../types").JournalRow} JournalRow
 */
import * as format from "../format.js";
import { brief, describe } from "../series.js";
import { objectOf } from "../state.js";
import { $, h, icon, put, severityIcon, stepIcon, ticking, time } from "./dom.js";

const JOURNAL_SHOWN = 100;

/** Heading of the detail: which alarm, its state, since when. @param {Alarm | null} alarm @param {boolean} pinned @param {number} now */
export function showTitle(alarm, pinned, now) {
  const follow = $("follow");
  put(follow, pinned ? "selected · Esc follows the latest" : "following the latest");
  follow.title = pinned ? "Esc goes back to following the latest" : "The latest loop is shown as it happens";
  const box = $("title");
  const sign = alarm ? `${alarm.id}|${alarm.state}|${alarm.severity}|${alarm.state_updated_ms}|${alarm.reason}|${alarm.description}` : "none";
  if (box.dataset.sign === sign) return;
  box.dataset.sign = sign;
  if (!alarm) {
    box.className = "";
    box.replaceChildren(h("p", { class: "empty" }, "No alarm is selected."));
    return;
  }
  box.className = `s-${alarm.state} v-${alarm.severity}`;
  box.replaceChildren(
    h("div", { class: "title-line" },
      h("span", { class: "sev" }, icon(severityIcon(alarm.severity)), h("span", {}, alarm.severity)),
      h("h2", {}, alarm.definition_name),
      h("span", { class: "state" }, alarm.state === "UNDETERMINED" ? "NO DATA" : alarm.state),
      h("span", { class: "title-since" }, "for ", ticking(alarm.state_updated_ms), " since ", time(alarm.state_updated_ms, now))),
    h("div", { class: "dims" }, format.pairs(objectOf(alarm)).map(([k, v]) => h("span", { class: "dim" }, h("span", { class: "dim-key" }, k), v))),
    h("p", { class: "title-reason", title: alarm.reason }, brief(alarm, true), alarm.description ? h("span", { class: "muted" }, ` – ${alarm.description}`) : null));
}

/** @param {Alarm | null} alarm @param {LogRecord | null} last @param {JournalRow[]} journal @param {number} now */
export function showFacts(alarm, last, journal, now) {
  const box = $("facts-body");
  const sign = alarm ? `${alarm.id}|${alarm.seq}|${alarm.updated_ms}|${last?.seq}|${journal.length}|${journal.at(-1)?.id}` : "none";
  if (box.dataset.sign === sign) return;
  box.dataset.sign = sign;
  if (!alarm) return box.replaceChildren();
  box.replaceChildren(...[evidence(alarm, last, now), facts(alarm, last, now), series(alarm), table(journal, now)].filter((e) => e !== null));
}

/** @param {string} term @param {...(Node | string)} value */
const row = (term, ...value) => h("div", {}, h("dt", {}, term), h("dd", {}, ...value));

/** A value of an event, times as such. @param {string} key @param {unknown} v @param {number} now */
function eventValue(key, v, now) {
  if (typeof v === "string") return v;
  return /(^|[._])time_ms$/.test(key) && typeof v === "number" ? time(v, now, { millis: true }) : JSON.stringify(v);
}

/** @param {Alarm} alarm @param {LogRecord | null} last @param {number} now */
function evidence(alarm, last, now) {
  const event = last?.evidence?.event;
  if (event) {
    const flat = Object.entries(event).flatMap(([k, v]) => (v && typeof v === "object" ? Object.entries(v).map(([k2, v2]) => [`${k}.${k2}`, v2]) : [[k, v]]));
    return h("dl", { class: "facts" }, flat.map(([k, v]) => row(String(k).replace(/time_ms$/, "time"), eventValue(String(k), v, now))));
  }
  const subs = last?.evidence?.subs;
  const rows = subs
    ? subs.map((s) => ({ text: s.expression, state: s.state, values: s.values }))
    : (alarm.sub_alarms ?? []).map((s) => ({ text: describe(s.sub_alarm_expression), state: s.sub_alarm_state, values: s.current_values }));
  if (rows.length === 0) return null;
  return h("table", { class: "evidence" },
    h("caption", {}, "Evidence of the last change"),
    h("thead", {}, h("tr", {}, ...["Condition", "Values", "State"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, rows.map((r) => h("tr", { class: `s-${r.state}` },
      h("td", { class: "mono" }, r.text), h("td", { class: "num" }, (r.values ?? []).map((v) => format.value(v)).join(", ") || "–"),
      h("td", {}, h("span", { class: "state" }, r.state === "UNDETERMINED" ? "NO DATA" : r.state === "ALARM" ? "VIOLATED" : r.state))))));
}

/** @param {Alarm} alarm @param {LogRecord | null} last @param {number} now */
function facts(alarm, last, now) {
  const us = (/** @type {number | undefined} */ v) => (v ? time(v / 1000, now, { millis: true }) : "–");
  const list = [
    alarm.reason ? row("Reason", alarm.reason) : null,
    alarm.description ? row("Description", alarm.description) : null,
    last?.evidence?.expression ? row("Expression", h("span", { class: "mono" }, last.evidence.expression)) : null,
    row("Created", time(alarm.created_ms, now)), row("Updated", time(alarm.updated_ms, now)),
    last && last.accepted_us ? row("Last change", "sample ", us(last.accepted_us), ", decided ", us(last.decided_us), ", logged ", us(last.logged_us)) : null,
    alarm.lifecycle_state ? row("Lifecycle", alarm.lifecycle_state) : null,
    alarm.link ? row("Link", link(alarm.link)) : null,
    row("Alarm id", h("span", { class: "mono" }, alarm.id)), row("Definition id", h("span", { class: "mono" }, alarm.definition_id)),
    alarm.seq ? row("Log number", String(alarm.seq)) : null,
  ];
  return h("dl", { class: "facts" }, list);
}

/** @param {string} text */
const link = (text) => (/^https?:\/\//i.test(text) ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, text) : text);

/** @param {Alarm} alarm */
function series(alarm) {
  if (alarm.metrics.length === 0) return null;
  return h("details", {}, h("summary", {}, `Series (${alarm.metrics.length})`),
    h("ul", { class: "series mono" }, alarm.metrics.slice(0, 200).map((m) => h("li", {}, `${m.name}{${format.dims(m.dimensions).replaceAll(" ", ", ")}}`))));
}

/** @param {JournalRow[]} journal @param {number} now */
function table(journal, now) {
  if (journal.length === 0) return null;
  const shown = journal.slice(-JOURNAL_SHOWN).reverse();
  return h("details", { open: true }, h("summary", {}, `Journal (${journal.length} rows, latest first)`),
    h("div", { class: "scroll-x" }, h("table", { class: "journal" },
      h("thead", {}, h("tr", {}, ...["Time", "Kind", "What"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, shown.map((r) => h("tr", { class: `k-${r.kind}`, title: `run ${r.run_id}\n${JSON.stringify(r.detail)}` },
        h("td", { class: "num" }, time(r.time_ms, now, { millis: true })), h("td", { class: "step-word" }, icon(stepIcon(r.kind)), r.kind),
        h("td", {}, h("b", {}, r.policy), r.kind === "triggered" && r.target ? ` on ${r.target}: ` : ": ", format.plain(r.text, r.time_ms))))))));
}
