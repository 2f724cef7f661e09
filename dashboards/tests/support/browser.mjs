// SPDX-License-Identifier: Apache-2.0
// The browser of the tests: Debian's Chromium, or the one CHROMIUM names.
import { existsSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const noBrowser = existsSync(executable) ? "" : `no browser at ${executable} (Debian: chromium; or set CHROMIUM)`;

/** Starts a browser with a fresh profile. */
export const launch = () => chromium.launch({
  executablePath: executable,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/**
 * A page that notes every problem: script errors, console errors (CSP violations among them), requests to
 * other origins. Call check() at the end. Errors a test provokes are named in `expected`.
 * @param {import("playwright-core").Browser} browser
 * @param {string} origin
 * @param {import("playwright-core").BrowserContextOptions & {expected?: RegExp}} [options]
 */
export async function open(browser, origin, { expected, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (e) => problems.push(`error: ${e.stack}`));
  page.on("console", (m) => {
    if (["error", "warning"].includes(m.type()) && !expected?.test(m.text())) problems.push(`console: ${m.text()}`);
  });
  page.on("dialog", (d) => (problems.push(`dialog: ${d.message()}`), d.dismiss()));
  page.on("request", (r) => {
    if (!r.url().startsWith(`${origin}/`)) problems.push(`request elsewhere: ${r.url()}`);
  });
  return { page, context, problems, check: () => problems.length === 0 || Promise.reject(new Error(problems.join("\n"))) };
}

/** Waits for this text in the element. @param {import("playwright-core").Page} page @param {string} selector @param {RegExp | string} text */
export async function text(page, selector, text, timeout = 30_000) {
  try {
    await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout, state: "attached" });
  } catch (e) {
    const seen = await page.locator("#connection, #rows, #loop-body").allInnerTexts().catch(() => []);
    throw new Error(`no ${text} in ${selector}; the page shows:\n${seen.join("\n").replace(/\n+/g, " | ").slice(0, 3000)}`, { cause: e });
  }
}

/** Saves a picture below HALE_SHOTS, when that is set. @param {import("playwright-core").Page} page @param {string} name */
export async function shot(page, name) {
  const dir = process.env.HALE_SHOTS;
  if (!dir) return;
  mkdirSync(resolve(dir), { recursive: true });
  await page.screenshot({ path: join(resolve(dir), `${name}.png`) });
}

export const dist = resolve(dirname(fileURLToPath(import.meta.url)), "../../dist");
