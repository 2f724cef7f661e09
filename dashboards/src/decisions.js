// SPDX-License-Identifier: Apache-2.0
// Decisions of people: brings together what waits (desk.js), how it is shown and how it is confirmed.
/**
 * @typedef {import("./types").Waiting} Waiting
 * @typedef {import("./types").Loop} Loop
 * @typedef {import("./runs.js").Verb} Verb
 */
import { Desk } from "./desk.js";
import * as format from "./format.js";
import { Letters, recipients } from "./letters.js";
import { calls, decidedWords, hindrance, mayFlip, PAST, policiesOf, questionOf, scopeWords, waiting } from "./runs.js";
import { objectOf } from "./state.js";
import { announce } from "./ui/announce.js";
import { Ask, callList } from "./ui/ask.js";
import { $, h } from "./ui/dom.js";
import { LettersView } from "./ui/letters.js";
import { showQueue } from "./ui/queue.js";
import { showRunbar, showSwitches } from "./ui/switches.js";

/** How long the page says what became of a decision. */
const SAID_MS = 12_000;
const POLICIES = 5;

const TITLE = { approve: "Approve this run?", reject: "Reject this run?", acknowledge: "Acknowledge, so that the run goes on?", abort: "Abort this run?" };
const THEN = { approve: "It will call:", reject: "It would have called:", acknowledge: "It goes on with:", abort: "It will not go on with:" };
const GO = { approve: "Yes, approve", reject: "Yes, reject", acknowledge: "Yes, acknowledge", abort: "Yes, abort" };

export class Decisions {
  /** @param {import("./main.js").Context} context @param {{choose: (alarmId: string) => void, schedule: () => void}} page */
  constructor(context, page) {
    this.context = context;
    this.page = page;
    this.desk = new Desk(() => page.schedule());
    this.ask = new Ask();
    this.letters = new Letters(() => page.schedule());
    this.view = new LettersView(this.letters, { ask: (what, list, whole) => this.post(what, list, whole), hindrance: () => hindrance(this.roles, this.desk.live), now: () => context.now() });
    $("stop-all").addEventListener("click", () => this.flip("all", true));
    /** @type {string[] | null} */
    this.roles = null;
    /** @type {Waiting[]} */
    this.list = [];
    this.said = { text: "", until: 0 };
    /** Question the open dialog is about. */
    this.asked = "";
  }

  /** @param {import("./api.js").Api | null} api */
  use(api) {
    this.roles = null;
    this.said.text = "";
    this.desk.use(api);
    this.letters.use(api);
  }

  /** @param {boolean} live */
  connected(live) {
    this.desk.connected(live);
    this.letters.connected(live);
  }

  tick() {
    this.desk.tick();
    this.letters.tick();
  }

  /** @param {string[]} roles */
  may(roles) {
    if (JSON.stringify(roles) === JSON.stringify(this.roles)) return;
    this.roles = roles;
    this.page.schedule();
  }

  /** To the first that waits. */
  focus() {
    if ($("queue").hidden) return;
    const button = /** @type {HTMLElement | null} */ ($("queue-rows").querySelector("button:not(:disabled):not(.link)"));
    (button ?? $("queue-title")).focus();
  }

  /** @param {Loop | null} loop shown in the detail @param {number} now */
  draw(loop, now) {
    const { desk, context } = this;
    const hindered = hindrance(this.roles, desk.live);
    this.list = waiting(desk.runs, desk.said, now);
    if (this.said.until <= now) this.said.text = "";
    const ways = {
      hindrance: hindered, why: (/** @type {Waiting} */ w) => this.why(w), stopped: (/** @type {Waiting} */ w) => this.stopped(w, now), choose: (/** @type {Waiting} */ w) => this.page.choose(w.run.alarm_id),
      act: (/** @type {Waiting} */ w, /** @type {Verb} */ verb) => this.decide(w, verb),
    };
    const hands = { roles: this.roles, hindrance: hindered, flip: (/** @type {string} */ scope, /** @type {boolean} */ on) => this.flip(scope, on) };
    showQueue(this.list, this.said.text, ways);
    showSwitches(desk.switches, now, hands);
    this.view.draw();
    const all = /** @type {HTMLButtonElement} */ ($("stop-all"));
    all.hidden = !mayFlip("all", this.roles) || desk.onNow("all", now) !== undefined;
    all.disabled = hindered !== "";
    all.title = hindered || "Kill switch of everything: no policy begins or goes on";
    const mine = loop ? this.list.filter((w) => context.state.by_run.get(w.run.id) === loop) : [];
    const policies = policiesOf(loop?.rows ?? []).slice(-POLICIES).map((name) => {
      return { name, on: desk.onNow(`policy/${name}`, now) };
    });
    showRunbar(mine, policies, now, hands, ways);
    this.overtaken(now);
  }

  /** The open dialog must not ask about what somebody else has decided, or what has expired. @param {number} now */
  overtaken(now) {
    if (this.asked === "") return;
    const still = this.list.find((w) => questionOf(w.run) === this.asked);
    if (still && still.said === "") return;
    const id = this.asked.split(":")[0];
    const run = this.desk.runs.find((r) => r.id === id);
    const expired = run?.state === "proposed" && run.expires_us !== undefined && run.expires_us / 1000 <= now;
    const rows = (this.context.state.by_run.get(id)?.rows ?? []).filter((r) => r.run_id === id);
    this.ask.end(still?.said || (expired ? "Expired: nobody decided in time. Nothing was called." : decidedWords(rows) || "It does not wait any more."));
  }

  /** Name and words of the alarm behind a run. @param {Waiting} w */
  why(w) {
    const alarm = this.context.state.alarms.get(w.run.alarm_id);
    if (!alarm) return { name: w.run.alarm_name, text: "" };
    return { name: alarm.definition_name, text: [format.dims(objectOf(alarm)), alarm.reason].filter((t) => t !== "").join(": ") };
  }

  /** Which kill switch would refuse the run, however it is decided, or "". @param {Waiting} w @param {number} now */
  stopped(w, now) {
    const { run } = w;
    const scope = ["all", ...(run.site ? [`site/${run.site}`] : []), `policy/${run.policy}`].find((s) => this.desk.onNow(s, now));
    if (scope === undefined) return "";
    return `${scopeWords(scope)} is stopped: ${w.kind === "held" ? "it makes no call" : "an approval is refused"} until it may act again`.replace(/^./, (c) => c.toUpperCase());
  }

  /** Letters that were given up. @param {"again" | "drop"} what @param {import("./types").Letter[]} list @param {boolean} whole all of their recipients */
  post(what, list, whole) {
    const again = what === "again";
    const n = list.length === 1 ? "this notification" : `${list.length} notifications`;
    const done = again ? `${n} will be sent again, oldest first.` : `Dropped: ${n}.`;
    this.ask.open({
      title: again ? `Send ${n} again?` : `Drop ${n}?`, required: false, danger: !again, go: again ? "Yes, send again" : "Yes, drop", label: "",
      what: [
        h("p", {}, again ? "With the content and the id they had: who got one already can tell that it is the same." : "Nobody will be told of them any more."),
        h("ul", { class: "calls" }, recipients(list).map(([r, k]) => h("li", {}, `${k} to `, h("b", {}, r)))),
      ],
      send: (_) => this.letters.change(what, list, whole),
      done: () => this.say(done.charAt(0).toUpperCase() + done.slice(1)),
      closed: () => this.closed(),
    });
  }

  /** @param {string} text */
  say(text) {
    this.said = { text, until: this.context.now() + SAID_MS };
    announce.words(text);
    this.page.schedule();
  }

  /** @param {Waiting} w @param {Verb} verb */
  decide(w, verb) {
    const { run } = w;
    const why = this.why(w);
    this.asked = questionOf(run);
    this.ask.open({
      title: TITLE[verb], required: false, danger: verb === "reject" || verb === "abort", go: GO[verb], label: "Comment (optional, kept in the journal)",
      what: [
        h("p", {}, h("b", {}, run.policy), " on ", h("b", {}, run.target)),
        h("p", { class: "muted" }, `because ${why.name}${why.text ? ` ${why.text}` : ""}`),
        h("p", {}, THEN[verb]), callList(calls(w), 16),
      ],
      send: async (comment) => {
        const refused = await this.desk.decide(run, verb, comment);
        if (refused?.over) this.say(`${run.policy} on ${run.target}: ${refused.text}`);
        return refused;
      },
      done: () => this.say(`${run.policy} on ${run.target}: ${PAST[verb]}.`),
      closed: () => this.closed(),
    });
  }

  /** @param {string} scope @param {boolean} on */
  flip(scope, on) {
    const what = scopeWords(scope);
    const all = scope === "all";
    this.ask.open({
      word: all ? (on ? "stop" : "act") : undefined,
      title: on ? `Stop ${what}?` : `Let ${what} act again?`, required: on, danger: on, go: on ? "Yes, stop it" : "Yes, let it act",
      label: on ? "Reason (needed; everybody sees it)" : "Reason (optional, kept in the journal)",
      what: [h("p", {}, on ? "No new run begins and runs under way make no further call, until somebody lets it act again. What was sent is followed to its end." : "Alarms lead to actions again at once."),
        ...(all ? [h("p", {}, h("b", {}, on ? "This concerns every policy of every tenant and site." : "This lets every policy of every tenant and site act; switches of single ones stay."))] : [])],
      send: (reason) => this.desk.flip(scope, on, reason),
      done: () => this.say(on ? `Stopped: ${what}.` : `${what} may act again.`),
      closed: () => this.closed(),
    });
  }

  /** The browser gives the focus back to the button; when that is gone, the page must have a place for it. */
  closed() {
    this.asked = "";
    this.page.schedule();
    setTimeout(() => {
      if (document.activeElement !== document.body) return;
      ($("queue").hidden ? $("rows") : $("queue-title")).focus();
    }, 0);
  }
}
