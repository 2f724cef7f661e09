// SPDX-License-Identifier: Apache-2.0
// Header: connection, health of the daemons, counts that are filters, the banner when data is old.
/** @typedef {import("../types").Connection} Connection */
import * as format from "../format.js";
import { $, h, icon, put, severityIcon, time } from "./dom.js";

const DAEMONS = ["collector", "thresholds", "correlator", "actuator"];

/** Connection in words, always visible. @param {Connection} c @param {number} now browser time */
export function connectionWords(c, now) {
  switch (c.phase) {
    case "live": return { word: "Live", text: now - c.heard_ms < 12_000 ? "" : `quiet for ${format.age(now - c.heard_ms)}` };
    case "refused": return { word: "Token refused", text: "" };
    case "reconnecting": return { word: "Reconnecting", text: `since ${format.clock(c.since_ms)}` };
    default: return { word: "Connecting", text: "" };
  }
}

/** @param {Connection} c @param {number} now browser time */
export function showConnection(c, now) {
  const { word, text } = connectionWords(c, now);
  const el = $("connection");
  el.className = `pill c-${c.phase}`;
  put($("connection-icon"), { live: "●", refused: "✕", reconnecting: "↻", connecting: "…" }[c.phase]);
  put($("connection-word"), word);
  put($("connection-text"), text);
  el.title = c.problem ? `${word}: ${c.problem}` : word;
  const stale = c.loaded && c.phase !== "live";
  document.body.classList.toggle("stale", stale);
  const banner = $("banner");
  banner.hidden = !stale;
  if (!stale) return;
  const wait = Math.max(0, Math.ceil((c.retry_ms - now) / 1000));
  const next = c.phase === "refused" ? "The token was refused: sign in again." : wait > 0 ? `Next attempt in ${wait} s.` : "Trying now.";
  put($("banner-text"), `STALE DATA as of ${format.when(c.heard_ms, now)}, ${format.age(now - c.heard_ms)} old. ${c.problem ? `${c.problem[0].toUpperCase()}${c.problem.slice(1)}. ` : ""}${next}`);
  $("banner-retry").hidden = c.phase === "refused";
}

/** @param {import("../types").StatusDoc | null} status null: not known @param {boolean} live */
export function showDaemons(status, live) {
  const box = $("daemons");
  const bad = status && live ? DAEMONS.filter((d) => !(d in status.daemons)) : [];
  const items = DAEMONS.map((d) => {
    const known = status !== null && live;
    const ok = known && !bad.includes(d);
    return `${d}:${known ? (ok ? "ok" : "silent") : "?"}`;
  });
  if (!(status?.redis.ok ?? true) && live) items.push("redis:silent");
  const signature = items.join(" ");
  if (box.dataset.signature === signature) return;
  box.dataset.signature = signature;
  box.replaceChildren(...items.map((text) => {
    const [name, word] = text.split(":");
    const glyph = word === "ok" ? "✓" : word === "?" ? "?" : "✕";
    const title = { ok: "reports as healthy", silent: "has not reported for 10 s", "?": "not known" }[word] ?? "";
    return h("span", { class: `daemon d-${word === "?" ? "unknown" : word}`, title: `${name}: ${title}` }, icon(glyph), name, word === "silent" ? h("b", {}, " silent") : null);
  }));
}

/** @param {{states: Record<string, number>, severities: Record<string, number>}} counts @param {string} filter @param {(word: string) => void} toggle */
export function showCounts(counts, filter, toggle) {
  const words = new Set(filter.trim().toLowerCase().split(/\s+/));
  /** @type {[string, string, string, string, number][]} */
  const chips = [
    ["ALARM", "ALARM", "s-ALARM", "", counts.states.ALARM],
    ["UNDETERMINED", "NO DATA", "s-UNDETERMINED", "", counts.states.UNDETERMINED],
    ["OK", "OK", "s-OK", "", counts.states.OK],
    ...Object.entries(counts.severities).map(([k, n]) => /** @type {[string, string, string, string, number]} */ ([k, k, `v-${k}`, severityIcon(k), n])),
  ];
  const box = $("counts");
  chips.forEach(([key, label, cls, glyph, n], i) => {
    const isState = i < 3;
    const word = isState ? `state:${key.toLowerCase()}` : `severity:${key.toLowerCase()}`;
    let chip = /** @type {HTMLButtonElement | undefined} */ (box.children[i]);
    if (!chip) {
      chip = h("button", { type: "button", class: "chip", "aria-label": label, onclick: () => toggle(word) },
        h("b", { class: "num" }), h("span", {}, glyph ? icon(glyph) : null, label));
      box.append(chip);
    }
    put(/** @type {Element} */ (chip.firstElementChild), String(n));
    const on = words.has(word);
    chip.className = `chip ${cls}${n === 0 ? " zero" : ""}${isState ? "" : " sevchip"}${key === "CRITICAL" ? " firstsev" : ""}`;
    chip.setAttribute("aria-pressed", String(on));
    chip.setAttribute("aria-label", `${n} ${label}${isState ? "" : " alarms"}; filter`);
    chip.title = on ? `Shown: only ${label}. Click for all.` : `Show only ${label}`;
  });
}

/** @param {number} now */
export function showClock(now) {
  const el = $("clock");
  const text = format.clock(now);
  if (el.textContent !== text) el.replaceChildren(time(now, now));
}
