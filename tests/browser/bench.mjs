// From event to pixels: the desk's durable step, as its log tells it, until the kiosk has painted the screen that
// belongs to it. The log is a file, written after the step; the page tells the second frame after the change.
import { closeSync, openSync, readSync, watch } from "node:fs";
import { Kiosk } from "./visits.mjs";

// Each line that is added, with the moment it was seen.
function follow(path, heard) {
    const file = openSync(path, "r");
    const bytes = Buffer.alloc(1 << 16);
    let rest = "";
    function read() {
        for (let n = readSync(file, bytes); n > 0; n = readSync(file, bytes)) {
            const lines = (rest + bytes.toString("utf8", 0, n)).split("\n");
            rest = lines.pop();
            for (const line of lines)
                heard(line, performance.timeOrigin + performance.now());
        }
    }
    const watcher = watch(path, read);
    read();
    return () => {
        watcher.close();
        closeSync(file);
    };
}

// Runs in the page.
function tellPaints() {
    addEventListener("DOMContentLoaded", () => {
        new MutationObserver(() => {
            const { state } = document.getElementById("screen").dataset;
            requestAnimationFrame(() => requestAnimationFrame(() => globalThis.painted(state, performance.timeOrigin + performance.now())));
        }).observe(document.getElementById("screen"), { attributes: true, attributeFilter: ["data-state"] });
    });
}

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
function row(name, values) {
    const sorted = values.map((v) => Math.max(0, v)).sort((a, b) => a - b);
    const show = (v) => v.toFixed(0).padStart(5);
    console.log(`  ${name.padEnd(34)} ${show(at(sorted, 0.5))} ${show(at(sorted, 0.95))} ${show(sorted.at(-1))}   ${sorted.length}`);
}

export async function bench(stage, runs) {
    const { counter } = stage;
    const steps = [];
    const paints = [];
    let began = false;
    const stop = follow(`${stage.desk}/log/desk.log`, (line, time) => {
        const step = line.match(/ step visit=\d+ lane=1 event=(\w+) from=(\w+) to=(\w+)/);
        if (step !== null && began && step[2] !== step[3])
            steps.push({ event: step[1], to: step[3], time });
    });
    const view = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`, async (page) => {
        await page.exposeFunction("painted", (state, time) => paints.push({ state, time }));
        await page.addInitScript(tellPaints);
    });
    const kiosk = new Kiosk(stage, view);
    const card = counter.card("franck");

    await kiosk.at("idle", 60);
    began = true;
    for (let i = 0; i < runs; i++) {
        await counter.device("camera franck");
        await counter.device("insert franck");
        await kiosk.at("method", 30);
        await kiosk.press("顔で確認する");
        await kiosk.numberB(card);
        await kiosk.consents();
        await kiosk.at("done", 30);
        await counter.device("remove");
        await kiosk.at("idle", 30);
    }
    await kiosk.page.waitForTimeout(300);
    stop();
    await view.context.close();

    /* A step and the painting of its state before the next step; the log may be seen some milliseconds late. What is
       gone again before a frame was due was never to be seen. */
    const found = [];
    steps.forEach((step, i) => {
        const state = step.to === "closed" ? "idle" : step.to;
        const until = steps[i + 1]?.time ?? Infinity;
        const paint = paints.find((p) => p.state === state && p.time > step.time - 20 && p.time < until + 1000 && !p.taken);
        if (paint === undefined)
            return;
        paint.taken = true;
        found.push({ ...step, ms: paint.time - step.time });
    });
    const matched = found.filter((f) => f.event === "same");
    console.log(`  ${"milliseconds".padEnd(34)} median   95%   max   of`);
    if (matched.length > 0)
        row("match found, screen changed", matched.map((f) => f.ms));
    if (found.length > 0)
        row("every step of the visits", found.map((f) => f.ms));
    return matched.length === runs;
}
