// SPDX-License-Identifier: Apache-2.0
// What was not delivered: to whom, why, since when; searched, sent again, dropped.
/** @typedef {import("../types").Letter} Letter */
import { found, reasonWords, recipients } from "../letters.js";
import { showRows } from "./rows.js";
import { $, h, icon, put, redraw, time } from "./dom.js";

const PAGE = 50;

export class LettersView {
  /** @param {import("../letters.js").Letters} letters @param {{ask: (what: "again" | "drop", list: Letter[], whole: boolean) => void, hindrance: () => string, now: () => number}} ways */
  constructor(letters, ways) {
    this.letters = letters;
    this.ways = ways;
    this.dialog = /** @type {HTMLDialogElement} */ ($("letters"));
    this.search = /** @type {HTMLInputElement} */ ($("letters-search"));
    $("letters-open").addEventListener("click", () => this.open());
    $("letters-close").addEventListener("click", () => this.dialog.close());
    this.search.addEventListener("input", () => this.draw());
    $("letters-again").addEventListener("click", () => this.ways.ask("again", this.shown(), this.search.value.trim() === ""));
    $("letters-drop").addEventListener("click", () => this.ways.ask("drop", this.shown(), this.search.value.trim() === ""));
  }

  open() {
    if (this.dialog.open) return;
    void this.letters.read();
    this.dialog.showModal();
    this.search.focus();
    this.draw();
  }

  shown() {
    return found(this.letters.list, this.search.value);
  }

  draw() {
    const { list } = this.letters;
    const open = $("letters-open");
    open.hidden = list.length === 0;
    put(open, `✉ ${list.length} not delivered`);
    if (!this.dialog.open) return;
    const shown = this.shown();
    const hindrance = this.ways.hindrance();
    const waiting = shown.filter((l) => l.replay).length;
    put($("letters-tally"), list.length === 0 ? "" : [shown.length === list.length ? `${list.length}` : `${shown.length} of ${list.length}`, ...recipients(shown).slice(0, 4).map(([r, n]) => `${n} to ${r}`), ...(waiting ? [`${waiting} on their way again`] : [])].join(" · "));
    put($("letters-empty"), list.length === 0 ? "Nothing is undelivered." : shown.length === 0 ? "Nothing matches." : "");
    for (const [id, word] of [["letters-again", "Send again"], ["letters-drop", "Drop"]]) {
      const button = /** @type {HTMLButtonElement} */ ($(id));
      button.disabled = hindrance !== "" || shown.length === 0;
      button.title = hindrance;
      put(button, `${word} ${shown.length === list.length ? "all" : `these ${shown.length}`} …`);
    }
    put($("letters-why"), hindrance);
    const now = this.ways.now();
    showRows($("letters-rows"), shown, {
      page: PAGE, what: "letters", key: (l) => l.id,
      draw: (el, l) => redraw(el, JSON.stringify([l, hindrance]), () => this.row(l, hindrance, now)),
    });
  }

  /** @param {Letter} l @param {string} hindrance @param {number} now */
  row(l, hindrance, now) {
    const button = (/** @type {"again" | "drop"} */ what, /** @type {string} */ word) =>
      h("button", { type: "button", class: "small", "data-act": `${what}:${l.id}`, disabled: hindrance !== "", title: hindrance || null, "aria-label": `${word}: ${l.alarm_name} to ${l.name}`, onclick: () => this.ways.ask(what, [l], false) }, `${word} …`);
    return [
      h("p", { class: "letter-line" }, time(l.died_ms, now), " ", h("b", {}, l.alarm_name), ` ${l.state} ${l.severity} to `, h("b", {}, l.name), h("span", { class: "muted" }, ` ${l.recipient}`)),
      h("p", { class: "letter-why" }, icon("✕"), `${reasonWords(l)}: ${l.detail}`, l.tries > 1 ? ` (${l.tries} tries)` : ""),
      l.replay ? h("span", { class: "said" }, `${l.replay.by} wants it sent again`) : h("span", { class: "decide" }, button("again", "Send again"), button("drop", "Drop")),
    ];
  }
}
