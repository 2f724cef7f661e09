// SPDX-License-Identifier: Apache-2.0
// `npm run dev`: the real stack with the lab in front; prints the address. Ctrl-C ends it.
import { missing, Stack } from "./stack.mjs";

const why = missing(true);
if (why) {
  console.error(`cannot start: ${why}`);
  process.exit(1);
}
const stack = new Stack();
process.on("SIGINT", () => void stack.stop().then(() => process.exit(0)));
process.on("SIGTERM", () => void stack.stop().then(() => process.exit(0)));
await stack.start({ lab: true });
await stack.labDefinitions();
console.log(`dashboard  ${stack.url}/#token=${stack.tokens.operator}\nlab        ${stack.labUrl}\nfiles      ${stack.dir}`);
setInterval(() => {}, 1 << 30);
