// Kiosk and board in a real browser: the visits of `make run` driven by the pages alone, then every state and every
// failure once more as a gallery. Prints a line a check and "N passed, N failed".
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Checks } from "./checks.mjs";
import { counter } from "./desk.mjs";
import { Stage, launch } from "./stage.mjs";
import { again } from "./again.mjs";
import { visits } from "./visits.mjs";
import { bench } from "./bench.mjs";
import { boardForms } from "./board_forms.mjs";
import { boards } from "./boards.mjs";
import { boardGallery } from "./board_gallery.mjs";
import { hostile } from "./hostile.mjs";
import { kioskEase } from "./kiosk_ease.mjs";
import { kioskEntry, kioskJapanese, kioskLanguages } from "./kiosk_gallery.mjs";
import { failures } from "./told.mjs";
import { forPatients } from "../../daemon/web/voice/prompts.mjs";

const option = { type: "string" };
const { values } = parseArgs({ options: { desk: option, port: option, packages: option, browser: option, pictures: option, cards: option, only: option, short: { type: "boolean" }, voice: { type: "boolean" }, bench: option } });
const { chromium } = createRequire(import.meta.url)(`${values.packages}/playwright-core`);
const checks = new Checks();
const began = Date.now();

const browser = await launch(chromium, values.browser);
try {
    const stage = new Stage({ ...values, browser, checks, counter: counter(values.desk, values.cards) });
    const all = failures();
    checks.check("the pages are served", await stage.ready(90));
    const wanted = (name) => !values.only || values.only.split(",").includes(name);
    if (values.bench) {
        const good = (await bench(stage, Number(values.bench))) && (await boards(stage, { rounds: 10, print: true }));
        await browser.close();
        process.exit(good && checks.failed === 0 ? 0 : 1);
    }
    /* Side by side: the galleries need the desk's pages only. What the short form leaves out: see run.sh. */
    const parts = {
        visits: () => visits(stage, values.short),
        forms: async () => (await begun.visits?.catch(() => {}), boardForms(stage)), // at the same lane
        japanese: () => kioskJapanese(stage, all),
        languages: () => kioskLanguages(stage, all.filter(forPatients), values.short),
        entry: () => kioskEntry(stage, all),
        ease: () => kioskEase(stage),
        /* What comes next has rows of its own in the list, and the lane to itself. */
        boards: async () => (await Promise.allSettled([begun.visits, begun.forms]), boards(stage)),
        hostile: () => hostile(stage, all, Promise.allSettled([begun.visits, begun.forms, begun.boards])),
        board: () => boardGallery(stage, all),
        again: async () => (await Promise.allSettled(Object.values(begun)), again(stage)), // under nobody's feet: it kills what serves the pages
    };
    checks.check("the table of failures was read", all.length > 70, String(all.length));
    const begun = {};
    const took = (name) => () => console.log(`      ${name}: over after ${Math.round((Date.now() - began) / 1000)} s`);
    for (const name of Object.keys(parts).filter(wanted)) {
        begun[name] = parts[name]();
        begun[name].then(took(name), took(name));
    }
    for (const part of await Promise.allSettled(Object.values(begun)))
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
