// SPDX-License-Identifier: Apache-2.0
// The page: token, connection, state, selection, keyboard; draws when something changed.
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { Api, ApiError } from "./api.js";
import { Decisions } from "./decisions.js";
import { compile, count, order } from "./filter.js";
import * as format from "./format.js";
import { Live } from "./live.js";
import { marks } from "./loops.js";
import { addRow, applyJournal, applyLog, empty, latest, loopsOf } from "./state.js";
import { announce } from "./ui/announce.js";
import { Charts } from "./ui/charts.js";
import { $, put } from "./ui/dom.js";
import { showFacts, showTitle } from "./ui/facts.js";
import { showFeed } from "./ui/feed.js";
import { showClock, showConnection, showCounts, showDaemons } from "./ui/header.js";
import { List } from "./ui/list.js";
import { showLoop } from "./ui/loop.js";
import { initTheme } from "./ui/theme.js";

const TOKEN_KEY = "hale-token";
const STATUS_MS = 5000;
const CHART_MS = 2000;
/** A decision that is due so soon stands out. */
const SOON_MS = 60_000;

export class Context {
  constructor() {
    this.state = empty();
    /** @type {Api | null} */
    this.api = null;
    /** Server time less browser time, ms. */
    this.skew = 0;
    this.nowMs = Date.now();
  }
  now() {
    return Date.now() + this.skew;
  }
}

class Page {
  constructor() {
    this.context = new Context();
    /** @type {Live | null} */
    this.live = null;
    /** @type {import("./types").StatusDoc | null} */
    this.status = null;
    this.filter = "";
    this.pinned = false;
    /** Also loops without any action stand in the feed. */
    this.feedAll = false;
    this.alarmId = "";
    this.loopKey = "";
    /** @type {{id: string, seq: number, last: any, journal: any[]} | null} answer of GET /v1/alarms/{id} */
    this.detail = null;
    this.asking = "";
    this.scheduled = false;
    this.list = new List({ choose: (id) => this.choose(id, true), open: (id) => this.open(id) });
    this.charts = new Charts(this.context);
    this.decisions = new Decisions(this.context, { choose: (id) => this.choose(id, true), schedule: () => this.schedule() });
  }

  start() {
    initTheme(() => this.charts.restyle());
    const hash = new URLSearchParams(location.hash.slice(1));
    const given = hash.get("token");
    if (given) sessionStorage.setItem(TOKEN_KEY, given);
    this.setFilter(hash.get("q") ?? "");
    this.listen();
    const token = sessionStorage.getItem(TOKEN_KEY);
    if (token) this.signIn(token);
    else this.askToken("");
    setInterval(() => this.tick(), 1000);
    setInterval(() => this.readStatus(), STATUS_MS);
    setInterval(() => this.charts.refresh(), CHART_MS);
    this.tick();
  }

  // --- token --------------------------------------------------------------------------------

  /** @param {string} token */
  signIn(token) {
    this.live?.stop();
    sessionStorage.setItem(TOKEN_KEY, token);
    $("signin").hidden = true;
    $("signout").hidden = false;
    const api = (this.context.api = new Api(token));
    this.decisions.use(api);
    this.live = new Live(api, {
      connection: (c) => {
        this.decisions.connected(c.phase === "live");
        if (c.phase === "refused") this.askToken(c.problem);
        showConnection(c, Date.now());
        announce.connection(c);
      },
      reset: (state) => {
        this.context.state = state;
        this.schedule();
      },
      event: (name, data) => this.event(name, data),
    });
    showConnection(this.live.connection, Date.now());
    void this.live.run();
    void this.readStatus();
  }

  /** @param {string} problem */
  askToken(problem) {
    sessionStorage.removeItem(TOKEN_KEY);
    this.context.api = null;
    $("signin").hidden = false;
    $("signout").hidden = true;
    put($("signin-problem"), problem ? `The token was refused: ${problem}` : "");
    if (!this.live) showConnection({ phase: "connecting", since_ms: 0, heard_ms: 0, loaded: false, attempt: 0, retry_ms: 0, problem: "" }, 0), put($("connection-word"), "Not signed in");
    $("token").focus();
  }

  signOut() {
    this.live?.stop();
    this.live = null;
    this.context.state = empty();
    this.detail = null;
    this.select("", "");
    this.status = null;
    this.decisions.use(null);
    this.askToken("");
    this.schedule();
  }

  // --- what comes in ------------------------------------------------------------------------

  /** @param {string} name @param {any} data */
  event(name, data) {
    const { state } = this.context;
    if (name === "alarm") {
      if (!applyLog(state, data)) return;
      announce.alarm(data);
    } else if (name === "action") {
      if (!applyJournal(state, data)) return;
      announce.action(data, state);
      this.decisions.desk.hear(data);
    } else return;
    if (data.alarm_id === this.detail?.id && name === "action") this.detail?.journal.push(data);
    this.schedule();
  }

  async readStatus() {
    const { api } = this.context;
    if (!api || document.hidden) return;
    const before = Date.now();
    try {
      const status = await api.get("/v1/status");
      const after = Date.now();
      this.status = status;
      if (api === this.context.api) this.decisions.may(status.roles);
      // Half the way there and back is the error; small differences are not worth jumping.
      const skew = status.time_ms - (before + after) / 2;
      if (Math.abs(skew - this.context.skew) > Math.max(50, after - before)) this.context.skew = skew;
    } catch (e) {
      this.status = null;
      if (e instanceof ApiError && e.status === 401 && api === this.context.api) this.live?.refuse(e.message);
    }
    showDaemons(this.status, this.live?.connection.phase === "live");
  }

  /** Reads the whole record, evidence and journal of the shown alarm. */
  async readDetail() {
    const { api, state } = this.context;
    const id = this.alarmId;
    const seq = state.alarms.get(id)?.seq ?? 0;
    const key = `${id}|${seq}`;
    if (!api || id === "" || this.asking === key || (this.detail?.id === id && this.detail.seq >= seq && seq > 0)) return;
    this.asking = key;
    try {
      const d = await api.get(`/v1/alarms/${encodeURIComponent(id)}`);
      if (this.alarmId !== id) return;
      const known = state.alarms.get(id);
      if (known && known.seq <= d.alarm.seq) state.alarms.set(id, d.alarm);
      this.detail = { id, seq: d.alarm.seq, last: d.last, journal: d.journal ?? [] };
      for (const row of this.detail.journal) addRow(state, row);
      this.schedule();
    } catch {
      this.asking = ""; // deleted meanwhile, or the connection is gone: the next change asks again
    }
  }

  // --- selection ----------------------------------------------------------------------------

  /** @param {string} id @param {string} loopKey */
  select(id, loopKey) {
    this.alarmId = id;
    this.loopKey = loopKey;
    if (this.detail?.id !== id) this.detail = null;
  }

  /** @param {string} id @param {boolean} open shows the detail on a small screen */
  choose(id, open) {
    if (id === "") return;
    this.pinned = true;
    this.select(id, "");
    if (open) document.body.classList.add("detail-open");
    this.draw();
    this.list.reveal();
  }

  /** @param {import("./types").Loop} loop */
  chooseLoop(loop) {
    this.pinned = true;
    this.select(loop.alarm_id, loop.key);
    document.body.classList.add("detail-open");
    this.draw();
    this.list.reveal();
  }

  /** @param {string} id */
  open(id) {
    this.choose(id, true);
    $("detail").focus();
  }

  follow() {
    this.pinned = false;
    document.body.classList.remove("detail-open");
    this.loopKey = "";
    this.draw();
    this.list.reveal();
  }

  /** What is followed: the latest loop in which Hale acts, or that is critical; else the first of the list. @param {import("./types").Loop[]} loops */
  selectLatest(loops) {
    const { alarms } = this.context.state;
    const loop = loops.find((l) => l.rows.length > 0 || (l.severity === "CRITICAL" && l.cleared === null));
    if (loop) this.select(loop.alarm_id, loop.key);
    else if (!alarms.has(this.alarmId)) this.select([...alarms.values()].sort(order)[0]?.id ?? "", "");
  }

  // --- drawing ------------------------------------------------------------------------------

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    // Animation frames do not come in a hidden page; the title must still be true.
    const go = () => {
      if (!this.scheduled) return;
      this.scheduled = false;
      this.draw();
    };
    requestAnimationFrame(go);
    setTimeout(go, 250);
  }

  /** Once a second: ages go on and an action that is overdue is seen without any event. */
  tick() {
    const now = this.context.now();
    showClock(now);
    if (this.live) showConnection(this.live.connection, Date.now());
    showDaemons(this.status, this.live?.connection.phase === "live");
    this.decisions.tick();
    this.draw();
  }

  draw() {
    const { context } = this;
    const { state } = context;
    const now = (context.nowMs = context.now());
    const loops = latest(state);
    if (!this.pinned) this.selectLatest(loops);
    const passes = compile(this.filter);
    const shown = [...state.alarms.values()].filter(passes).sort(order);
    const counts = count(state.alarms.values());
    showCounts(counts, this.filter, (word) => this.toggleWord(word));
    this.list.show(shown, this.alarmId, { state, now });
    put($("shown"), shown.length === state.alarms.size ? `${state.alarms.size}` : `${shown.length} of ${state.alarms.size}`);
    this.emptyWords(shown.length, counts.states.ALARM);
    this.drawDetail(now);
    showFeed(this.feedAll ? loops : loops.filter((l) => l.rows.length > 0), this.loopKey || loopsOf(state, this.alarmId).at(-1)?.key || "", now, (l) => this.chooseLoop(l));
    for (const el of document.querySelectorAll("[data-since]")) {
      const { since, prefix } = /** @type {HTMLElement} */ (el).dataset;
      put(el, `${prefix}${format.age(now - Number(since))}`);
    }
    for (const el of document.querySelectorAll("[data-until]")) {
      const left = Number(/** @type {HTMLElement} */ (el).dataset.until) - now;
      put(el, left > 0 ? `${format.age(left)} left` : "expired");
      el.classList.toggle("soon", left < SOON_MS);
    }
    this.title(counts);
  }

  /** @param {number} now */
  drawDetail(now) {
    const { state } = this.context;
    const all = loopsOf(state, this.alarmId);
    const loop = all.find((l) => l.key === this.loopKey) ?? all.at(-1) ?? null;
    const alarm = state.alarms.get(this.alarmId) ?? loop?.cleared?.alarm ?? loop?.raised?.alarm ?? null;
    const own = this.detail?.id === this.alarmId ? this.detail : null;
    showTitle(alarm, this.pinned, now);
    this.decisions.draw(loop, now);
    showLoop(alarm || loop ? loop : null, all, now, (l) => this.chooseLoop(l));
    showFacts(alarm, own?.last ?? state.last.get(this.alarmId) ?? null, own?.journal ?? all.flatMap((l) => l.rows), now);
    this.charts.show(alarm, marks(all));
    void this.readDetail();
  }

  /** @param {number} shown @param {number} raised */
  emptyWords(shown, raised) {
    const { state } = this.context;
    const text = shown > 0 ? "" : !state.loaded ? (this.context.api ? "Loading …" : "") : state.alarms.size === 0
      ? "No alarms exist yet. They appear with the first samples that match an alarm definition." : `Nothing matches “${this.filter.trim()}”.`;
    put($("list-empty"), text);
    $("list-empty").hidden = text === "";
    const quiet = state.loaded && raised === 0 && state.alarms.size > 0;
    put($("quiet"), quiet ? "All clear: no alarm is raised." : "");
    $("quiet").hidden = !quiet;
  }

  /** @param {ReturnType<typeof count>} counts */
  title(counts) {
    const phase = this.live?.connection.phase;
    const { ALARM } = counts.states;
    const worst = Object.entries(counts.severities).find(([, n]) => n > 0);
    const text = phase && phase !== "live" && this.context.state.loaded ? "STALE – Hale" : worst ? `(${ALARM}) ${worst[0]} – Hale` : "Hale";
    if (document.title !== text) document.title = text;
  }

  // --- filter and keyboard ------------------------------------------------------------------

  /** @param {string} text */
  setFilter(text) {
    this.filter = text;
    const input = /** @type {HTMLInputElement} */ ($("filter"));
    if (input.value !== text) input.value = text;
    const hash = text.trim() === "" ? "" : `#${new URLSearchParams({ q: text.trim() })}`;
    // Also takes the token out of the address bar and of the history.
    history.replaceState(null, "", location.pathname + location.search + hash);
  }

  /** @param {string} word */
  toggleWord(word) {
    const words = this.filter.trim().split(/\s+/).filter((w) => w !== "");
    const kind = word.slice(0, word.indexOf(":") + 1);
    const rest = words.filter((w) => !w.toLowerCase().startsWith(kind));
    if (!words.some((w) => w.toLowerCase() === word)) rest.push(word);
    this.setFilter(rest.join(" "));
    this.draw();
  }

  listen() {
    $("filter").addEventListener("input", (e) => {
      this.setFilter(/** @type {HTMLInputElement} */ (e.target).value);
      this.draw();
    });
    $("signin").addEventListener("submit", (e) => {
      e.preventDefault();
      const input = /** @type {HTMLInputElement} */ ($("token"));
      const token = input.value.trim();
      input.value = "";
      if (/^[\x21-\x7e]+$/.test(token)) this.signIn(token);
      else put($("signin-problem"), "A token consists of visible ASCII characters.");
    });
    $("signout").addEventListener("click", () => this.signOut());
    $("feed-all").addEventListener("click", () => {
      this.feedAll = !this.feedAll;
      $("feed-all").setAttribute("aria-pressed", String(this.feedAll));
      this.draw();
    });
    $("back").addEventListener("click", () => this.follow());
    $("banner-retry").addEventListener("click", () => this.live?.hurry());
    $("keys-close").addEventListener("click", () => /** @type {HTMLDialogElement} */ ($("keys")).close());
    $("help").addEventListener("click", () => /** @type {HTMLDialogElement} */ ($("keys")).showModal());
    addEventListener("online", () => this.live?.hurry());
    addEventListener("hashchange", () => this.hashChanged());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.live?.hurry();
      void this.readStatus();
      void this.charts.refresh();
    });
    document.addEventListener("keydown", (e) => this.key(e));
  }

  hashChanged() {
    const hash = new URLSearchParams(location.hash.slice(1));
    const token = hash.get("token");
    this.setFilter(hash.get("q") ?? "");
    if (token) this.signIn(token);
    this.draw();
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || !$("signin").hidden || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (e.target);
    const typing = target.matches("input, textarea");
    if (e.key === "Escape") {
      if (typing && this.filter !== "") this.setFilter("");
      else if (!typing) this.follow();
      $("rows").focus();
      this.draw();
      return;
    }
    if (typing) {
      if (e.key === "Enter" || e.key === "ArrowDown") {
        e.preventDefault();
        $("rows").focus();
        this.choose(this.list.neighbour(0), false);
      }
      return;
    }
    const inList = target === $("rows") || target === document.body;
    const move = /** @type {Record<string, number>} */ ({ j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e6, End: 1e6 } : {}) })[e.key];
    if (move !== undefined) {
      e.preventDefault();
      this.choose(this.list.neighbour(move), false);
    } else if (e.key === "Enter" && inList) this.open(this.alarmId);
    else if (e.key === "/") {
      e.preventDefault();
      $("filter").focus();
      /** @type {HTMLInputElement} */ ($("filter")).select();
    } else if (e.key === "a") this.decisions.focus();
    else if (e.key === "u" && !$("letters-open").hidden) {
      e.preventDefault(); // it is no word of the search
      this.decisions.view.open();
    } else if (e.key === "t") $("theme").click();
    else if (e.key === "?") /** @type {HTMLDialogElement} */ ($("keys")).showModal();
  }
}

new Page().start();
