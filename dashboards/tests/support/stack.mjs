// SPDX-License-Identifier: Apache-2.0
// The real Hale on private ports and a private Redis in a temporary directory: redis-server, the
// daemons of HALE_BUILD_DIR and, when wanted, the lab. Everything ends with this process.
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
export const buildDir = resolve(process.env.HALE_BUILD_DIR ?? join(root, "build/dev"));

/** Path of a Hale program, or null when it is not built. @param {string} program */
export function program(program) {
  const places = [join(buildDir, "bin", program), join(buildDir, program.replace("hale-", ""), program)];
  return places.find((p) => existsSync(p)) ?? null;
}

/** @param {string} name */
const onPath = (name) => (process.env.PATH ?? "").split(delimiter).concat("/usr/sbin").some((d) => existsSync(join(d, name)));

/** Why the stack cannot be started, or "". @param {boolean} lab */
export function missing(lab) {
  const daemons = ["hale-collector", "hale-thresholds", "hale-correlator", "hale-actuator"];
  const gone = daemons.filter((d) => program(d) === null);
  if (gone.length > 0) return `${gone.join(", ")} not built in the directory HALE_BUILD_DIR names (default build/dev)`;
  const tools = ["redis-server", ...(lab ? ["python3", "dnsmasq"] : [])].filter((t) => !onPath(t));
  return tools.length > 0 ? `not installed: ${tools.join(", ")}` : "";
}

/** @returns {Promise<number>} */
export const freePort = () => new Promise((done, fail) => {
  const server = createServer();
  server.on("error", fail);
  server.listen(0, "127.0.0.1", () => {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    server.close(() => done(port));
  });
});

/** Waits until test() gives something true; its last error is told when it does not. @template T @param {() => Promise<T> | T} test @returns {Promise<NonNullable<T>>} */
export async function until(test, what = "condition", ms = 20_000) {
  const end = Date.now() + ms;
  /** @type {unknown} */
  let problem = "";
  while (Date.now() < end) {
    try {
      const got = await test();
      if (got) return got;
    } catch (e) {
      problem = e;
    }
    await new Promise((r) => setTimeout(r, 25));
  }
  throw new Error(`not within ${ms} ms: ${what}. ${problem}`);
}

export class Stack {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "hale-dash-"));
    /** @type {Map<string, import("node:child_process").ChildProcess>} */
    this.children = new Map();
    /** @type {Map<string, string[]>} */
    this.commands = new Map();
    /** @type {Record<string, number>} */
    this.ports = {};
    this.tokens = { operator: randomBytes(16).toString("hex"), reader: randomBytes(16).toString("hex"), agent: randomBytes(16).toString("hex"), anna: randomBytes(16).toString("hex") };
    this.killAll = () => {
      for (const child of this.children.values()) child.kill("SIGKILL");
    };
    process.on("exit", this.killAll);
  }

  get url() {
    return `http://127.0.0.1:${this.ports.collector}`;
  }
  get labUrl() {
    return `http://127.0.0.1:${this.ports.lab}`;
  }

  /** @param {{lab?: boolean, dashboards?: string, policies?: string}} [options] policies: text; default the lab's */
  async start({ lab = false, dashboards = join(root, "dashboards/dist"), policies } = {}) {
    for (const name of ["collector", "thresholds", "correlator", "actuator", "lab"]) this.ports[name] = await freePort();
    const { dir, ports } = this;
    const at = (/** @type {string} */ name) => join(dir, name);
    for (const d of ["redis", "collector", "lab"]) mkdirSync(at(d));
    const socket = at("redis.sock");
    const hash = (/** @type {string} */ t) => createHash("sha256").update(t).digest("hex");
    const token = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ role) =>
      `  - name: ${name}\n    sha256: "${hash(text)}"\n    tenant: default\n    roles: [${role}]\n`;
    writeFileSync(at("tokens.yaml"), `tokens:\n${token("operator", this.tokens.operator, "operator")}${token("reader", this.tokens.reader, "read-only")}${token("agent", this.tokens.agent, "agent")}${token("anna", this.tokens.anna, "operator, delegate")}`);
    writeFileSync(at("agent.token"), `${this.tokens.agent}\n`, { mode: 0o600 });
    const common = (/** @type {string} */ n) => `listen: 127.0.0.1:${ports[n]}\nredis: unix:${socket}\n`;
    writeFileSync(at("collector.yaml"), `${common("collector")}tokens_file: ${at("tokens.yaml")}\nstate_dir: ${at("collector")}\ndashboards_dir: ${dashboards}\n`);
    for (const n of ["thresholds", "correlator"]) writeFileSync(at(`${n}.yaml`), common(n));
    writeFileSync(at("actuator.yaml"), `${common("actuator")}policies: ${at("policies.yaml")}\n`);
    writeFileSync(at("policies.yaml"), policies ?? readFileSync(join(root, "tests/lab/policies.yaml"), "utf8").replaceAll("@LAB_URL@", this.labUrl));
    this.commands.set("redis", ["redis-server", "--port", "0", "--unixsocket", socket, "--dir", at("redis"), "--save", "", "--appendonly", "no"]);
    for (const n of ["collector", "thresholds", "correlator", "actuator"]) this.commands.set(n, [/** @type {string} */ (program(`hale-${n}`)), "--config", at(`${n}.yaml`)]);
    // 80 queries/s: a busy test machine does not fall below dns-idle's 15 per server, which would scale in.
    this.commands.set("lab", ["python3", join(root, "tests/lab/lab.py"), "--state", dir, "--port", String(ports.lab), "--qps", "80", "--collector", this.url, "--token-file", at("agent.token")]);
    this.spawn("redis");
    await until(() => existsSync(socket), "redis-server's socket");
    this.spawn("collector");
    await this.healthy("collector");
    for (const n of ["thresholds", "correlator", "actuator"]) this.spawn(n);
    for (const n of ["thresholds", "correlator", "actuator"]) await this.healthy(n);
    if (lab) {
      this.spawn("lab");
      await until(async () => (await fetch(`${this.labUrl}/lab/state`)).ok, "the lab");
    }
  }

  /** @param {string} name */
  spawn(name) {
    const [cmd, ...args] = /** @type {string[]} */ (this.commands.get(name));
    const log = openSync(join(this.dir, `${name}.log`), "a");
    this.children.set(name, spawn(cmd, args, { stdio: ["ignore", log, log], cwd: this.dir, env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } }));
  }

  /** @param {string} name */
  async healthy(name) {
    await until(async () => {
      const child = this.children.get(name);
      if (child?.exitCode !== null) throw new Error(`${name} ended: ${readFileSync(join(this.dir, `${name}.log`), "utf8").slice(-1500)}`);
      return (await fetch(`http://127.0.0.1:${this.ports[name]}/healthz`)).ok;
    }, `health of ${name}`);
  }

  /** Ends a part and waits for it. @param {string} name @param {NodeJS.Signals} [signal] */
  async kill(name, signal = "SIGKILL") {
    const child = this.children.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((done) => {
      const hard = setTimeout(() => child.kill("SIGKILL"), 5000);
      child.once("exit", () => (clearTimeout(hard), done(undefined)));
      child.kill(signal);
    });
  }

  async stop() {
    for (const name of ["lab", "actuator", "correlator", "thresholds", "collector", "redis"]) await this.kill(name, "SIGTERM");
    process.off("exit", this.killAll);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A call to the collector as operator; throws when it is refused. @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async call(method, path, body, token = this.tokens.operator) {
    const answer = await fetch(this.url + path, {
      method, headers: { "X-Auth-Token": token, "Content-Type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Makes the alarm definitions of the lab. */
  async labDefinitions() {
    for (const d of [
      { name: "dns-vnfc-down", description: "A DNS server of the lab does not run or does not answer", expression: "last(dns.success_perc{service=dns}) < 50", match_by: ["vnf_id", "vnfc_id"], severity: "CRITICAL" },
      { name: "dns-overload", description: "More queries per second and DNS server than one should carry", expression: "last(dns.load{service=dns}) > 100", match_by: ["vnf_id"], severity: "HIGH" },
      { name: "dns-idle", description: "So few queries that fewer DNS servers would do", expression: "last(dns.load{service=dns}) < 15", match_by: ["vnf_id"], severity: "LOW" },
    ]) await this.call("POST", "/v2.0/alarm-definitions", d);
  }

  /** @param {string} path @param {unknown} body */
  async lab(path, body) {
    const answer = await fetch(this.labUrl + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return answer.json();
  }
}
