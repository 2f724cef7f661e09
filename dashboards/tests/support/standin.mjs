// SPDX-License-Identifier: Apache-2.0
// A stand-in for the collector, for states the real one reaches rarely or by chance: answers in a chosen
// order, daemons that are silent, positions that went back. Speaks docs/formats/http.md as far as the page asks.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

export class StandIn {
  /** @param {string} files */
  constructor(files) {
    this.files = files;
    /** @type {any[]} */ this.alarms = [];
    /** @type {any[]} */ this.log = [];
    /** @type {any[]} */ this.journal = [];
    /** @type {any[]} */ this.runs = [];
    /** @type {any[]} */ this.switches = [];
    /** @type {any[]} */ this.letters = [];
    this.roles = ["operator"];
    /** Answer to every change: status and body. @type {[number, any]} */ this.change = [200, {}];
    /** @type {{path: string, body: any}[]} */ this.changes = [];
    this.position = "0.0-0";
    this.token = "t";
    this.daemons = ["collector", "thresholds", "correlator", "actuator"];
    /** @type {Set<import("node:http").ServerResponse>} */ this.streams = new Set();
    /** @type {string[]} */ this.resumed = [];
    /** Called before an answer with its path; may wait. @type {(path: string) => Promise<void> | void} */
    this.before = () => {};
    this.server = createServer((req, res) => void this.serve(req, res));
  }

  /** @returns {Promise<string>} URL */
  listen() {
    return new Promise((done) => this.server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (this.server.address()).port}`)));
  }
  close() {
    this.cut();
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
  /** Ends all live streams. */
  cut() {
    for (const s of this.streams) s.destroy();
    this.streams.clear();
  }

  /** An event on all live streams, in pieces of odd sizes. @param {string} name @param {any} data */
  send(name, data) {
    const [seq, journal] = this.position.split(".");
    this.position = name === "alarm" ? `${data.seq}.${journal}` : `${seq}.${data.id}`;
    const text = `id: ${this.position}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const s of this.streams) for (let i = 0; i < text.length; i += 37) s.write(text.slice(i, i + 37));
  }

  /** @param {import("node:http").IncomingMessage} req @param {import("node:http").ServerResponse} res */
  async serve(req, res) {
    const { pathname, searchParams } = new URL(req.url ?? "/", "http://127.0.0.1");
    if (!/^\/(v\d|api\/)/.test(pathname)) {
      const file = pathname === "/" ? "index.html" : pathname.slice(1);
      if (!/^[\w.]+$/.test(file)) return void res.writeHead(404).end();
      const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(file))];
      return void res.writeHead(200, { "Content-Type": type, "Content-Security-Policy": "default-src 'self'" }).end(readFileSync(join(this.files, file)));
    }
    await this.before(pathname);
    const json = (/** @type {number} */ code, /** @type {any} */ body) => void res.writeHead(code, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (req.headers["x-auth-token"] !== this.token) return json(401, { title: "Unauthorized", description: "the token is unknown", code: 401 });
    if (req.method !== "GET") {
      let text = "";
      for await (const piece of req) text += piece;
      this.changes.push({ path: pathname, body: JSON.parse(text) });
      return json(...this.change);
    }
    switch (pathname) {
      case "/v1/runs": return json(200, { links: [], elements: this.runs.filter((r) => r.state === searchParams.get("state")) });
      case "/api/v2/dead-letters": return json(200, { links: [], elements: this.letters });
      case "/v1/switches": return json(200, { elements: this.switches });
      case "/v2.0/alarms": return json(200, { links: [], elements: this.alarms });
      case "/v1/alarm-log": return json(200, { elements: this.log });
      case "/v1/journal": return json(200, { elements: this.journal });
      case "/v1/status": return json(200, { version: "0", time_ms: Date.now(), tenant: "t", roles: this.roles, daemons: Object.fromEntries(this.daemons.map((d) => [d, {}])), redis: { ok: true, used_memory_bytes: 0 }, series: 0, alarms: {} });
      case "/v1/live":
        this.resumed.push(String(req.headers["last-event-id"] ?? ""));
        res.writeHead(200, { "Content-Type": "text/event-stream" });
        res.write(`event: hello\ndata: {"id":"${this.position}","version":"0"}\n\n`);
        this.streams.add(res);
        res.on("close", () => this.streams.delete(res));
        return;
      default: return json(404, { title: "Not Found", description: "no such path", code: 404 });
    }
  }
}
