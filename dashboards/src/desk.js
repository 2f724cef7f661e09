// SPDX-License-Identifier: Apache-2.0
// What waits for a person and which kill switches are on: read from the collector when a live row, a new
// connection or the clock says so; decisions are sent from here.
/**
 * @typedef {import("./types").Run} Run
 * @typedef {import("./types").Switch} Switch
 * @typedef {import("./runs.js").Verb} Verb
 * @typedef {import("./runs.js").Refusal} Refusal
 */
import { ApiError } from "./api.js";
import { matters, PAST, questionOf, refusal, scopeWords } from "./runs.js";

/** Rows come in bursts: one reading for all of them. Now and then one more, in case none came. */
const SOON_MS = 150;
const AGAIN_MS = 30_000;
const MANY = 1000;

export class Desk {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {import("./api.js").Api | null} */
    this.api = null;
    /** @type {Run[]} */
    this.runs = [];
    /** @type {Switch[]} */
    this.switches = [];
    /** What is known of a decision before the list shows it. @type {Map<string, string>} */
    this.said = new Map();
    this.live = false;
    this.reading = false;
    this.wanted = false;
    this.read_ms = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Somebody signs in (or out: null). @param {import("./api.js").Api | null} api */
  use(api) {
    this.api = api;
    this.runs = [];
    this.switches = [];
    this.said.clear();
    this.live = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.wanted = false;
    this.changed();
  }

  /** @param {boolean} live */
  connected(live) {
    if (live === this.live) return;
    this.live = live;
    if (live) this.soon();
    this.changed();
  }

  /** A row of the live stream. @param {import("./types").JournalRow} row */
  hear(row) {
    if (row.kind === "switched" || matters(row, this.runs)) this.soon();
  }

  /** The clock: once a second. */
  tick() {
    if (this.live && Date.now() - this.read_ms > AGAIN_MS) this.soon();
  }

  soon() {
    if (this.reading) this.wanted = true;
    else this.timer ??= setTimeout(() => void this.read(), SOON_MS);
  }

  async read() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { api } = this;
    if (!api) return;
    if (this.reading) {
      this.wanted = true;
      return;
    }
    this.reading = true;
    this.read_ms = Date.now();
    try {
      const [proposed, open, switches] = await Promise.all([
        api.get(`/v1/runs?state=proposed&limit=${MANY}`), api.get(`/v1/runs?state=open&limit=${MANY}`), api.get("/v1/switches"),
      ]);
      if (api !== this.api) return;
      this.runs = [...proposed.elements, ...open.elements.filter((/** @type {Run} */ r) => r.held === true)];
      this.switches = switches.elements;
      const asked = new Set(this.runs.map(questionOf));
      for (const question of this.said.keys()) if (!asked.has(question)) this.said.delete(question);
      this.changed();
    } catch (e) {
      // What is shown stays; the clock tries again sooner than usual unless the collector has no such thing.
      if (!(e instanceof ApiError && e.status === 404)) this.read_ms = Date.now() - AGAIN_MS + 2000;
    } finally {
      this.reading = false;
      if (this.wanted) {
        this.wanted = false;
        this.soon();
      }
    }
  }

  /** Says a word about a run. Null: it counts. @param {Run} run @param {Verb} verb @param {string} comment @returns {Promise<Refusal | null>} */
  async decide(run, verb, comment) {
    const { api } = this;
    if (!api) return { over: false, text: "Not signed in." };
    try {
      const { by } = await api.send("POST", `/v1/runs/${encodeURIComponent(run.id)}/${verb}`, comment === "" ? {} : { comment });
      this.said.set(questionOf(run), `${PAST[verb]} by ${by}; the actuator takes it up`);
      return null;
    } catch (e) {
      const answer = refusal(e instanceof ApiError ? e : { status: 0, message: String(e) }, verb);
      if (answer.over) this.said.set(questionOf(run), answer.text);
      return answer;
    } finally {
      this.changed();
      this.soon();
    }
  }

  /** Turns a kill switch. Null: done. @param {string} scope @param {boolean} on @param {string} reason @returns {Promise<Refusal | null>} */
  async flip(scope, on, reason) {
    const { api } = this;
    if (!api) return { over: false, text: "Not signed in." };
    const path = `/v1/switches/${scope.split("/").map(encodeURIComponent).join("/")}`;
    try {
      await api.send(on ? "PUT" : "DELETE", path, reason === "" ? {} : { reason });
      return null;
    } catch (e) {
      const { status, message } = e instanceof ApiError ? e : new ApiError(0, String(e));
      if (status === 404 && !on) return { over: true, text: `The switch of ${scopeWords(scope)} is not on any more.` };
      if (status === 401 || status === 403) return { over: false, text: `This token may not do that: ${scope.startsWith("policy/") ? "it needs the role operator" : "it needs the roles operator and delegate"}.` };
      return { over: false, text: `${message}${/[.!?]$/.test(message) ? "" : "."}` };
    } finally {
      this.soon();
    }
  }

  /** The switch of this scope, if it is on. @param {string} scope @param {number} now */
  onNow(scope, now) {
    return this.switches.find((s) => s.scope === scope && (s.expires_ms === 0 || s.expires_ms > now));
  }
}
