// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { SseParser } from "../../src/sse.js";

/** Events of these pieces. @param {string[]} pieces */
function parse(...pieces) {
  /** @type {import("../../src/sse.js").SseEvent[]} */
  const out = [];
  const parser = new SseParser((e) => out.push(e));
  for (const p of pieces) parser.push(p);
  return out;
}

const STREAM = 'event: hello\ndata: {"id":"0.0-0"}\n\n: ping\n\nid: 57.17-0\nevent: alarm\ndata: {"a":\ndata: "ü"}\n\nid: 58.17-0\r\nevent: action\r\ndata:x\r\n\r\ndata: last\r\r';
const EVENTS = [
  { event: "hello", data: '{"id":"0.0-0"}', id: "" },
  { event: "alarm", data: '{"a":\n"ü"}', id: "57.17-0" },
  { event: "action", data: "x", id: "58.17-0" },
  { event: "message", data: "last", id: "58.17-0" },
];

test("a stream in one piece", () => assert.deepEqual(parse(STREAM), EVENTS));

test("a stream cut anywhere is the same stream", () => {
  for (let i = 0; i <= STREAM.length; i++) assert.deepEqual(parse(STREAM.slice(0, i), STREAM.slice(i)), EVENTS, `cut at ${i}`);
});

test("a stream in single characters", () => assert.deepEqual(parse(...STREAM), EVENTS));

test("the byte order mark at the start is dropped, elsewhere kept", () => {
  assert.deepEqual(parse("\ufeffdata: a\n\n"), [{ event: "message", data: "a", id: "" }]);
  assert.deepEqual(parse("data: a\ufeff\n\n")[0].data, "a\ufeff");
});

test("an event without data is none; an unfinished one is not given out", () => {
  assert.deepEqual(parse("event: alarm\n\nid: 3\n\ndata: a"), []);
  assert.deepEqual(parse("id: 3\n\ndata: a\n\n"), [{ event: "message", data: "a", id: "3" }]);
});

test("only one space after the colon is dropped; unknown fields and NUL ids are ignored", () => {
  assert.equal(parse("data:  a\n\n")[0].data, " a");
  assert.deepEqual(parse("retry: 5\nfoo: x\nid: a\0b\ndata\n\n"), [{ event: "message", data: "", id: "" }]);
});

test("an endless line is an error", () => assert.throws(() => parse("data: " + "x".repeat(9 << 20)), RangeError));
