// Kiosk and board in a real browser: the visits of `make run` driven by the pages alone, then every state and every
// failure once more as a gallery. Prints a line a check and "N passed, N failed".
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Checks } from "./checks.mjs";
import { counter } from "./desk.mjs";
import { Stage } from "./stage.mjs";
import { visits } from "./visits.mjs";
import { gallery } from "./gallery.mjs";

const option = { type: "string" };
const { values } = parseArgs({ options: { desk: option, port: option, packages: option, browser: option, pictures: option, cards: option, only: option } });
const { chromium } = createRequire(import.meta.url)(`${values.packages}/playwright-core`);
const checks = new Checks();
const began = Date.now();

const browser = await chromium.launch({
    executablePath: values.browser,
    args: ["--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
try {
    const stage = new Stage({ ...values, browser, checks, counter: counter(values.desk, values.cards) });
    /* Side by side: the gallery needs the desk's pages only. */
    const parts = [values.only !== "gallery" && visits(stage), values.only !== "visits" && gallery(stage)];
    for (const part of await Promise.allSettled(parts.filter(Boolean)))
        if (part.status === "rejected")
            checks.check("every part came to its end", false, part.reason.stack);
    checks.check("no request left the loopback host", stage.foreign.length === 0, stage.foreign.slice(0, 3).join(", "));
} catch (error) {
    checks.check("the run came to its end", false, error.stack);
} finally {
    await browser.close();
}
console.log(`${Math.round((Date.now() - began) / 1000)} s`);
console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed === 0 ? 0 : 1);
