// SPDX-License-Identifier: Apache-2.0
// Parser of text/event-stream (WHATWG HTML 9.2.6), fed with text in pieces of any size.

/** A line or event may not grow past this; a longer one is an error of the server. */
const MAX_CHARS = 8 << 20;

/**
 * @typedef {{event: string, data: string, id: string}} SseEvent id is the last id seen so far
 */
export class SseParser {
  /** @param {(event: SseEvent) => void} onEvent */
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
    this.first = true;
    this.skipLf = false;
    this.id = "";
    this.event = "";
    /** @type {string[]} */
    this.data = [];
    this.size = 0;
  }

  /** Takes the next piece of text. Throws RangeError when a line or an event is too long. @param {string} text */
  push(text) {
    if (this.first && text !== "") {
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.first = false;
    }
    if (this.skipLf && text !== "") {
      if (text[0] === "\n") text = text.slice(1);
      this.skipLf = false;
    }
    const all = this.rest + text;
    let from = 0;
    for (let i = this.rest.length; i < all.length; i++) {
      const c = all[i];
      if (c !== "\n" && c !== "\r") continue;
      this.line(all.slice(from, i));
      if (c === "\r" && all[i + 1] === "\n") i++;
      else if (c === "\r" && i + 1 === all.length) this.skipLf = true; // half of a CRLF, perhaps
      from = i + 1;
    }
    this.rest = all.slice(from);
    if (this.rest.length + this.size > MAX_CHARS) throw new RangeError("event too long");
  }

  /** @param {string} line */
  line(line) {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") {
      this.data.push(value);
      this.size += value.length;
    } else if (field === "event") {
      this.event = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.id = value;
    }
  }

  dispatch() {
    const { event, data } = this;
    this.event = "";
    this.data = [];
    this.size = 0;
    if (data.length > 0) this.onEvent({ event: event || "message", data: data.join("\n"), id: this.id });
  }
}
