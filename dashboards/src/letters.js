// SPDX-License-Identifier: Apache-2.0
// Notifications that were given up: read now and then, searched, sent again, dropped.
/** @typedef {import("./types").Letter} Letter */
import { ApiError } from "./api.js";

const AGAIN_MS = 30_000;
const PAGE = 1000;
/** What the actuator keeps in all. */
const PAGES = 20;

/** @type {Record<string, string>} */
const REASONS = {
  expired: "not taken in time", refused: "refused", denied: "may not be sent there", unraised: "its begin was not told", lost: "could not be written, or too many waited",
};
/** @param {Letter} l */
export const reasonWords = (l) => REASONS[l.reason] ?? l.reason;

/** Letters that have all words of the search, latest first. @param {Letter[]} letters @param {string} search */
export function found(letters, search) {
  const words = search.toLowerCase().split(/\s+/).filter((w) => w !== "");
  const fits = (/** @type {Letter} */ l) => {
    const text = [l.recipient, l.name, l.alarm_name, l.state, l.severity, l.reason, l.detail, l.alarm_id, l.id].join(" ").toLowerCase();
    return words.every((w) => text.includes(w));
  };
  return letters.filter(fits).sort((a, b) => b.died_ms - a.died_ms || (a.id < b.id ? -1 : 1));
}

/** Recipients and how many of these letters are theirs. @param {Letter[]} letters @returns {[string, number][]} */
export function recipients(letters) {
  /** @type {Map<string, number>} */
  const n = new Map();
  for (const l of letters) n.set(l.recipient, (n.get(l.recipient) ?? 0) + 1);
  return [...n].sort(([a], [b]) => (a < b ? -1 : 1));
}

export class Letters {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {import("./api.js").Api | null} */
    this.api = null;
    /** @type {Letter[]} */
    this.list = [];
    this.live = false;
    this.reading = false;
    this.read_ms = 0;
  }

  /** @param {import("./api.js").Api | null} api */
  use(api) {
    this.api = api;
    this.list = [];
    this.live = false;
    this.changed();
  }

  /** @param {boolean} live */
  connected(live) {
    if (live && !this.live) this.read_ms = 0;
    this.live = live;
  }

  /** The clock: once a second. */
  tick() {
    if (this.live && !this.reading && Date.now() - this.read_ms > AGAIN_MS) void this.read();
  }

  async read() {
    const { api } = this;
    if (!api) return;
    this.reading = true;
    this.read_ms = Date.now();
    try {
      /** @type {Letter[]} */
      const all = [];
      for (let page = 0; page < PAGES; page++) {
        const { elements, links } = await api.get(`/api/v2/dead-letters?limit=${PAGE}&offset=${page * PAGE}`);
        all.push(...elements);
        if (!(links ?? []).some((/** @type {{rel: string}} */ l) => l.rel === "next")) break;
      }
      if (api !== this.api) return;
      this.list = all;
      this.changed();
    } catch {
      // What is shown stays; the clock tries again.
    } finally {
      this.reading = false;
    }
  }

  /** Asks for letters to be sent again, or drops them; whole: all of their recipients. Null: done. @param {"again" | "drop"} what @param {Letter[]} letters @param {boolean} whole @returns {Promise<import("./runs.js").Refusal | null>} */
  async change(what, letters, whole) {
    const { api } = this;
    if (!api) return { over: false, text: "Not signed in." };
    const method = what === "again" ? "POST" : "DELETE";
    const tail = what === "again" ? "/replay" : "";
    const paths = whole ? recipients(letters).map(([r]) => `${tail}?recipient=${encodeURIComponent(r)}`) : letters.map((l) => `/${encodeURIComponent(l.id)}${tail}`);
    let kept = 0;
    try {
      for (const path of paths) {
        try {
          await api.send(method, `/api/v2/dead-letters${path}`, {});
        } catch (e) {
          // Gone meanwhile is as good as done; one that can only be dropped stays.
          if (!(e instanceof ApiError && (e.status === 404 || e.status === 409))) throw e;
          kept += Number(e.status === 409);
        }
      }
      return kept === 0 ? null : { over: true, text: `${kept} cannot be sent again: their records are gone from the alarm log.` };
    } catch (e) {
      const { status, message } = e instanceof ApiError ? e : new ApiError(0, String(e));
      return { over: false, text: status === 401 || status === 403 ? "This token may not do that: it needs the role operator." : `${message}.` };
    } finally {
      void this.read();
    }
  }
}
