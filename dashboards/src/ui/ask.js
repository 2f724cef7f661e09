// SPDX-License-Identifier: Apache-2.0
// The second step of every decision: says what will happen, takes a comment, and cannot be confirmed by the
// click or the key that opened it: the focus is in the text, where Enter is a new line, and the button
// that confirms sleeps for a moment.
/** @typedef {import("../runs.js").Refusal} Refusal */
import { $, h, put } from "./dom.js";

const SLEEP_MS = 600;

/**
 * label "": nothing is to be said. word: must be typed before it can be confirmed.
 * @typedef {{title: string, what: Node[], label: string, required: boolean, word?: string, go: string, danger: boolean,
 *   send: (text: string) => Promise<Refusal | null>, done: () => void, closed: () => void}} Question
 */

export class Ask {
  constructor() {
    this.dialog = /** @type {HTMLDialogElement} */ ($("ask"));
    this.text = /** @type {HTMLTextAreaElement} */ ($("ask-text"));
    this.word = /** @type {HTMLInputElement} */ ($("ask-word"));
    this.go = /** @type {HTMLButtonElement} */ ($("ask-go"));
    /** @type {Question | null} */
    this.question = null;
    this.asleep = false;
    this.busy = false;
    this.over = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    $("ask-cancel").addEventListener("click", () => this.dialog.close());
    this.go.addEventListener("click", () => void this.confirm());
    this.text.addEventListener("input", () => this.arm());
    this.word.addEventListener("input", () => this.arm());
    this.dialog.addEventListener("close", () => {
      const { question } = this;
      this.question = null;
      clearTimeout(this.timer);
      question?.closed();
    });
  }

  /** @param {Question} question */
  open(question) {
    if (this.question) return;
    this.question = question;
    this.over = this.busy = false;
    this.asleep = true;
    this.timer = setTimeout(() => ((this.asleep = false), this.arm()), SLEEP_MS);
    put($("ask-title"), question.title);
    $("ask-what").replaceChildren(...question.what);
    put($("ask-label"), question.label);
    put($("ask-problem"), "");
    this.text.value = "";
    this.text.required = question.required;
    this.text.readOnly = this.word.readOnly = false;
    this.text.hidden = $("ask-label").hidden = question.label === "";
    this.word.value = "";
    this.word.hidden = $("ask-word-label").hidden = question.word === undefined;
    put($("ask-word-label"), question.word === undefined ? "" : `Type ${question.word} to confirm`);
    this.go.className = question.danger ? "danger" : "primary";
    put(this.go, question.go);
    this.go.hidden = false;
    put($("ask-cancel"), "Not now");
    this.arm();
    this.dialog.showModal();
    (this.text.hidden ? $("ask-cancel") : this.text).focus();
  }

  arm() {
    this.go.disabled = this.asleep || this.busy || this.over || (this.text.required && this.text.value.trim() === "") ||
      (this.question?.word !== undefined && this.word.value.trim().toLowerCase() !== this.question.word.toLowerCase());
  }

  /** There is nothing to decide any more. @param {string} text */
  end(text) {
    if (this.over || this.busy) return;
    this.over = true;
    put($("ask-problem"), text);
    this.text.readOnly = this.word.readOnly = true;
    this.arm();
    // A hidden button must not keep the focus.
    if (document.activeElement === this.go || this.dialog.contains(document.activeElement)) $("ask-cancel").focus();
    this.go.hidden = true;
    put($("ask-cancel"), "Close");
  }

  async confirm() {
    const { question } = this;
    if (!question || this.go.disabled) return;
    this.busy = true;
    this.arm();
    put($("ask-problem"), "");
    const refused = await question.send(this.text.value.trim());
    this.busy = false;
    if (this.question !== question) return; // closed meanwhile: the page says what became of it
    if (refused === null) {
      question.done();
      this.dialog.close();
    } else if (refused.over) this.end(refused.text);
    else {
      put($("ask-problem"), refused.text);
      this.arm();
      if (!this.go.disabled) this.go.focus();
    }
  }
}

/** What will be called, one line each. @param {{name: string, what: string}[]} calls @param {number} max */
export function callList(calls, max) {
  if (calls.length === 0) return h("p", { class: "muted" }, "nothing more");
  const rest = calls.length - max;
  return h("ol", { class: "calls mono" }, calls.slice(0, max).map((c) => h("li", { title: c.what }, c.name ? h("b", {}, c.name, " ") : null, c.what)),
    rest > 0 ? h("li", { class: "muted" }, `and ${rest} more`) : null);
}
