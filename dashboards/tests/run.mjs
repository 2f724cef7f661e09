// SPDX-License-Identifier: Apache-2.0
// `npm test`: lint, unit tests, browser tests; the last line is "N passed, N failed, N skipped".
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const only = process.argv[2] ?? "";
const t0 = Date.now();
const total = { passed: 0, failed: 0, skipped: 0 };

if (only === "") {
  const lint = spawnSync("npm", ["run", "--silent", "lint"], { cwd: dirname(here), encoding: "utf8" });
  total[lint.status === 0 ? "passed" : "failed"]++;
  console.log(`${lint.status === 0 ? "ok  " : "FAIL"} lint`);
  if (lint.status !== 0) console.log(lint.stdout + lint.stderr);
}

const files = (only === "--browser" ? ["browser"] : ["unit", "browser"]).flatMap((room) =>
  readdirSync(join(here, room)).filter((f) => f.endsWith(".test.mjs")).map((f) => join(here, room, f)));

await new Promise((done) => {
  run({ files, concurrency: 1, timeout: 240_000 })
    .on("test:pass", ({ name, skip, details, nesting }) => {
      if (details.type === "suite" && skip === undefined) return;
      if (files.includes(name)) return; // the file itself
      total[skip === undefined ? "passed" : "skipped"]++;
      if (skip !== undefined) console.log(`skip ${name}: ${skip}`);
      else if (nesting > 0) console.log(`ok   ${name} (${Math.round(details.duration_ms)} ms)`);
    })
    .on("test:fail", ({ name, details }) => {
      // A suite fails with its tests; it counts itself only when a hook of its own broke.
      const cause = /** @type {any} */ (details.error);
      if (cause?.failureType === "subtestsFailed") return;
      total.failed++;
      console.log(`FAIL ${name}\n${String((cause?.failureType ? cause.cause?.stack : cause?.stack) ?? cause).replace(/^/gm, "     ")}`);
    })
    .on("test:stderr", ({ message }) => process.stderr.write(message))
    .on("end", done)
    .resume();
});
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped (${Math.round((Date.now() - t0) / 1000)} s)`);
process.exit(total.failed > 0 || (total.skipped > 0 && process.env.HALE_SKIPS_FAIL === "1") ? 1 : 0);
