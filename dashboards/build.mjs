// SPDX-License-Identifier: Apache-2.0
// Bundles src/ into dist/. dist/ is replaced as a whole only after everything was built.
import { build } from "esbuild";
import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const made = join(root, "dist.new");
rmSync(made, { recursive: true, force: true });
mkdirSync(made);
await build({
  entryPoints: { app: join(root, "src/main.js") }, outdir: made, bundle: true, minify: true, format: "esm",
  target: ["chrome109", "firefox115", "safari16.4"], legalComments: "eof", logLevel: "warning", charset: "utf8",
});
for (const file of ["index.html", "icon.svg"]) cpSync(join(root, "src", file), join(made, file));
rmSync(join(root, "dist"), { recursive: true, force: true });
renameSync(made, join(root, "dist"));
