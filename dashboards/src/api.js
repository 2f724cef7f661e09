// SPDX-License-Identifier: Apache-2.0
// Calls to the collector. Nothing else in the page talks to the network.

export class ApiError extends Error {
  /** @param {number} status 0: no answer @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 15_000;
const MAX_PAGES = 50;

export class Api {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
  }

  /** JSON of a GET. Throws ApiError. @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
  async get(path, signal) {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const both = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const answer = await this.call(path, {}, both);
    try {
      return await answer.json();
    } catch {
      throw new ApiError(answer.status, `${path}: the answer is not JSON or broke off`);
    }
  }

  /** Sends a change; its answer, or null when there is none. Throws ApiError. @param {"POST" | "PUT" | "DELETE"} method @param {string} path @param {object} body @returns {Promise<any>} */
  async send(method, path, body) {
    const answer = await this.call(path, { "Content-Type": "application/json" }, AbortSignal.timeout(TIMEOUT_MS), method, JSON.stringify(body));
    if (answer.status === 204) return null;
    try {
      return await answer.json();
    } catch {
      throw new ApiError(0, "the answer broke off");
    }
  }

  /** Body of an endless answer. @param {string} path @param {string} lastEventId "" starts at now @param {AbortSignal} signal */
  async stream(path, lastEventId, signal) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (lastEventId !== "") headers["Last-Event-ID"] = lastEventId;
    const { body } = await this.call(path, headers, signal);
    if (!body) throw new ApiError(0, "no stream");
    return body;
  }

  /** All alarms of the tenant, page by page. @param {AbortSignal} [signal] */
  async allAlarms(signal) {
    /** @type {any[]} */
    const all = [];
    let query = "?limit=10000";
    for (let page = 0; page < MAX_PAGES; page++) {
      const { elements, links } = await this.get(`/v2.0/alarms${query}`, signal);
      all.push(...elements);
      const next = (links ?? []).find((/** @type {{rel: string}} */ l) => l.rel === "next");
      if (!next || elements.length === 0) break;
      query = new URL(next.href, location.origin).search;
    }
    return all;
  }

  /** @param {string} path @param {Record<string, string>} headers @param {AbortSignal} signal @param {string} [body] */
  async call(path, headers, signal, method = "GET", body) {
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(path, {
        method, body, headers: { "X-Auth-Token": this.token, ...headers }, signal, cache: "no-store", credentials: "omit", redirect: "error",
      });
    } catch (e) {
      throw new ApiError(0, e instanceof Error && e.name === "TimeoutError" ? "no answer in time" : "the collector does not answer");
    }
    if (answer.ok) return answer;
    let text = `HTTP ${answer.status}`;
    try {
      const body = await answer.json();
      text = String(body.description || body.title || text);
    } catch {
      // the status says enough
    }
    throw new ApiError(answer.status, text);
  }
}
