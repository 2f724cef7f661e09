// SPDX-License-Identifier: Apache-2.0
// The connection: live stream by fetch (EventSource cannot set headers), snapshot after hello,
// resume by Last-Event-ID, exponential back-off with jitter, a watchdog for silence.
/**
 * @typedef {import("./types").Connection} Connection
 * @typedef {import("./types").State} State
 * @typedef {{connection: (c: Connection) => void, reset: (s: State) => void, event: (name: string, data: any) => void}} Handlers
 */
import { ApiError } from "./api.js";
import { SseParser } from "./sse.js";
import { compareIds, load, parsePosition } from "./state.js";

export const TIMING = {
  /** The server sends a comment every 10 s: this silence is a dead connection. */
  silence_ms: 25_000,
  first_ms: 500,
  max_ms: 15_000,
  /** After a longer absence the snapshot is read again instead of resuming. */
  resume_ms: 10 * 60_000,
  /** Events held back while the snapshot is read; more means start again. */
  held: 100_000,
};

/** Pause before attempt n = 0, 1, 2 ...: doubles up to the maximum, then between half and all of it. @param {number} n @param {() => number} random in [0, 1) */
export function backoff(n, random = Math.random) {
  const full = Math.min(TIMING.max_ms, TIMING.first_ms * 2 ** Math.min(n, 20));
  return full / 2 + (full / 2) * random();
}

export class Live {
  /** @param {import("./api.js").Api} api @param {Handlers} handlers */
  constructor(api, handlers) {
    this.api = api;
    this.handlers = handlers;
    this.position = "";
    this.lostAt = 0;
    this.stopped = false;
    /** @type {Connection} */
    this.connection = { phase: "connecting", since_ms: Date.now(), heard_ms: 0, loaded: false, attempt: 0, retry_ms: 0, problem: "" };
    /** @type {AbortController | null} */
    this.abort = null;
    /** @type {(() => void) | null} */
    this.wake = null;
  }

  /** Runs until stop() or until the token is refused. */
  async run() {
    while (!this.stopped) {
      let problem = "";
      try {
        await this.session();
        problem = "the stream ended";
      } catch (e) {
        if (e instanceof ApiError && e.status === 401) {
          this.refuse(e.message);
          return;
        }
        problem = e instanceof Error ? e.message : String(e);
      }
      this.abort?.abort();
      if (this.stopped) return;
      if (this.connection.phase !== "reconnecting") {
        this.lostAt = Date.now();
        this.set({ phase: "reconnecting", since_ms: this.connection.phase === "live" ? this.connection.heard_ms : Date.now() });
      }
      const pause = backoff(this.connection.attempt);
      this.set({ problem, attempt: this.connection.attempt + 1, retry_ms: Date.now() + pause });
      await this.sleep(pause);
    }
  }

  stop() {
    this.stopped = true;
    this.abort?.abort();
    this.wake?.();
  }

  /** The token is not taken (any more): ends the connection until somebody signs in. @param {string} problem */
  refuse(problem) {
    this.stop();
    this.set({ phase: "refused", since_ms: Date.now(), problem });
  }

  /** Tries at once instead of waiting (network came back, page shown again). */
  hurry() {
    this.wake?.();
  }

  /** @param {Partial<Connection>} change */
  set(change) {
    this.connection = { ...this.connection, ...change };
    this.handlers.connection(this.connection);
  }

  /** @param {number} ms */
  sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const self = this;
      function done() {
        clearTimeout(timer);
        self.wake = null;
        resolve(undefined);
      }
      this.wake = done;
    });
  }

  /** One connection: from the request to its end. */
  async session() {
    const abort = (this.abort = new AbortController());
    let timedOut = false;
    const silence = () => setTimeout(() => ((timedOut = true), abort.abort()), TIMING.silence_ms);
    let watchdog = silence();
    try {
      const resume = this.position !== "" && Date.now() - this.lostAt < TIMING.resume_ms ? this.position : "";
      const body = await this.api.stream("/v1/live", resume, abort.signal);
      const intake = new Intake(this, resume, abort.signal);
      const parser = new SseParser((e) => intake.take(e));
      const decoder = new TextDecoder();
      const reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (intake.error) throw intake.error;
        if (done) return;
        clearTimeout(watchdog);
        watchdog = silence();
        this.connection.heard_ms = Date.now();
        parser.push(decoder.decode(value, { stream: true }));
        if (intake.error) throw intake.error;
      }
    } catch (e) {
      if (timedOut) throw new Error(`nothing heard for ${TIMING.silence_ms / 1000} s`);
      throw e;
    } finally {
      clearTimeout(watchdog);
    }
  }
}

/** Events of one connection: hello decides between resuming and reading a snapshot; meanwhile events wait. */
class Intake {
  /** @param {Live} live @param {string} resume @param {AbortSignal} signal */
  constructor(live, resume, signal) {
    this.live = live;
    this.resume = resume;
    this.signal = signal;
    this.ready = false;
    /** @type {import("./sse.js").SseEvent[]} */
    this.held = [];
    /** @type {Error | null} */
    this.error = null;
  }

  /** @param {import("./sse.js").SseEvent} e */
  take(e) {
    if (e.event === "hello") this.hello(JSON.parse(e.data));
    else if (this.ready) this.apply(e);
    else if (this.held.push(e) > TIMING.held) throw new Error("too many events while loading");
  }

  /** @param {{id: string}} hello */
  hello(hello) {
    const now = parsePosition(hello.id);
    const mine = parsePosition(this.resume);
    // A server whose positions lie before ours has lost its data: what we show is not its truth.
    const behind = now && mine && (now.seq < mine.seq || compareIds(now.journal, mine.journal) < 0);
    if (mine && !behind) return this.go();
    this.snapshot(hello.id).catch((e) => {
      this.error = e;
      this.live.abort?.abort(e);
    });
  }

  /** @param {string} position */
  async snapshot(position) {
    const { api } = this.live;
    const alarms = await api.allAlarms(this.signal); // before the log: see state.js load()
    const [log, journal] = await Promise.all([
      api.get("/v1/alarm-log?limit=1000", this.signal),
      api.get("/v1/journal?limit=1000", this.signal),
    ]);
    if (this.signal.aborted) return;
    const state = load({ alarms, log: log.elements, journal: journal.elements });
    this.live.position = position;
    this.live.handlers.reset(state);
    this.go();
  }

  go() {
    this.ready = true;
    this.live.set({ phase: "live", since_ms: Date.now(), heard_ms: Date.now(), loaded: true, attempt: 0, problem: "" });
    for (const e of this.held) this.apply(e);
    this.held = [];
  }

  /** @param {import("./sse.js").SseEvent} e */
  apply(e) {
    try {
      this.live.handlers.event(e.event, JSON.parse(e.data));
    } catch (problem) {
      // One record that cannot be shown must not stop the others: resuming would meet it again for ever.
      console.error(`event ${e.event} ${e.id} left out`, problem);
    }
    if (parsePosition(e.id)) this.live.position = e.id;
  }
}
