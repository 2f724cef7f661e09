// SPDX-License-Identifier: Apache-2.0
// Rules of this directory that the type checker does not know. Prints each breach; exit code 1 when there is one.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** @type {[RegExp, string, RegExp?][]} pattern, why, files it holds for */
const RULES = [
  [/\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function\(/, "text becomes markup or code", /src\/.*\.js$/],
  [/\sstyle=|\son\w+=|<style|<script(?![^>]*src=)/, "inline style or script (CSP)", /\.html$/],
  [/["'(]\/\/[a-z]|https?:\/\/(?!127\.0\.0\.1|www\.w3\.org\/2000\/svg|vnfm:1)[a-z0-9]+\.[a-z]/i, "another host", /src\/|\.(json|npmrc|sh)$/],
  [/"resolved"\s*:/, "a registry's address in the lock file", /package-lock\.json$/],
  [/\bTODO\b|\bFIXME\b|\bXXX\b/, "unfinished", /src\/|\.sh$/],
  [/[ \t]+$/, "white space at the end of a line", /\.(m?js|css|html|ts|sh|md)$/],
];
const problems = [];
const files = /** @type {string[]} */ (readdirSync(root, { recursive: true })).map(String)
  .filter((f) => !/^(node_modules|dist(\.new)?)(\/|$)/.test(f) && /\.(m?js|css|html|ts|svg|json|sh|md)$|\.npmrc$/.test(f) && f !== "tests/lint.mjs");
for (const file of files) {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  if (/\.(m?js|css|html|ts|sh)$/.test(file) && !lines.slice(0, 3).join("\n").includes("SPDX-License-Identifier: Apache-2.0")) problems.push(`${file}: no SPDX line`);
  if (lines.length > 600 && !file.endsWith(".json")) problems.push(`${file}: ${lines.length} lines`);
  lines.forEach((line, i) => {
    for (const [pattern, why, where] of RULES) if ((!where || where.test(file)) && pattern.test(line)) problems.push(`${file}:${i + 1}: ${why}: ${line.trim().slice(0, 80)}`);
  });
}
for (const p of problems) console.error(p);
console.log(`${files.length} files of ${relative(process.cwd(), root) || "."} looked at, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
