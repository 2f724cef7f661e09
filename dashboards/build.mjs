// SPDX-License-Identifier: Apache-2.0
// Bundles src/ into dist/ (or the directory given), which is replaced only after everything was built.
import { build } from "esbuild";
import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));

/** @param {string} out directory */
export async function bundle(out) {
  const made = `${out}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  await build({
    entryPoints: { app: join(root, "src/main.js") }, outdir: made, bundle: true, minify: true, format: "esm",
    target: ["chrome109", "firefox115", "safari16.4"], legalComments: "eof", logLevel: "warning", charset: "utf8",
  });
  for (const file of ["index.html", "icon.svg"]) cpSync(join(root, "src", file), join(made, file));
  rmSync(out, { recursive: true, force: true });
  renameSync(made, out);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(resolve(process.argv[2] ?? join(root, "dist")));
