// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { ApiError } from "../../src/api.js";
import * as l from "../../src/letters.js";
import { letter } from "../support/records.mjs";

const LIST = [letter("1", { died_ms: 1 }), letter("2", { died_ms: 3, recipient: "method/m", name: "phone", reason: "expired" }), letter("3", { died_ms: 2, alarm_name: "disk.old" })];

test("found by words in any of its texts, the latest first", () => {
  assert.deepEqual(l.found(LIST, "").map((x) => x.id), ["2", "3", "1"]);
  assert.deepEqual(l.found(LIST, "  NOC disk ").map((x) => x.id), ["3"]);
  assert.deepEqual(l.found(LIST, "expired").map((x) => x.id), ["2"]);
  assert.deepEqual(l.found(LIST, "nothing"), []);
  assert.deepEqual(l.recipients(LIST), [["method/m", 1], ["subscriber/noc", 2]]);
  assert.equal(l.reasonWords(LIST[1]), "not taken in time");
});

/** @param {(path: string) => any} answer */
function desk(answer) {
  /** @type {string[]} */ const paths = [];
  const letters = new l.Letters(() => {});
  letters.use(/** @type {any} */ ({
    get: async () => ({ elements: [], links: [] }),
    send: async (/** @type {string} */ method, /** @type {string} */ path) => (paths.push(`${method} ${path}`), answer(path)),
  }));
  return { letters, paths };
}

test("all of a recipient in one call, some by their ids; what is gone is as good as done", async () => {
  const all = desk(() => ({}));
  assert.equal(await all.letters.change("again", LIST, true), null);
  assert.deepEqual(all.paths, ["POST /api/v2/dead-letters/replay?recipient=method%2Fm", "POST /api/v2/dead-letters/replay?recipient=subscriber%2Fnoc"]);
  const some = desk((path) => {
    if (path.includes("/1")) throw new ApiError(404, "gone");
    if (path.includes("/2")) throw new ApiError(409, "its record is gone");
  });
  const refused = await some.letters.change("again", LIST.slice(0, 2), false);
  assert.deepEqual(some.paths, ["POST /api/v2/dead-letters/1/replay", "POST /api/v2/dead-letters/2/replay"]);
  assert.match(refused?.text ?? "", /^1 cannot be sent again/);
  const reader = desk(() => {
    throw new ApiError(401, "no");
  });
  assert.match((await reader.letters.change("drop", LIST, false))?.text ?? "", /role operator/);
  assert.deepEqual(reader.paths, ["DELETE /api/v2/dead-letters/1"]);
});
