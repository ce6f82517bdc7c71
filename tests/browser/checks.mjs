// What is held against every screen: nothing outside the window, targets, contrast and names (axe), no secret left.
import { readFileSync } from "node:fs";

export const sizes = [
    { width: 800, height: 480 },
    { width: 1280, height: 800 },
    { width: 1080, height: 1920 },
];

export class Checks {
    passed = 0;
    failed = 0;

    check(words, good, detail = "") {
        if (good)
            this.passed++;
        else
            this.failed++;
        console.log(`${good ? "ok  " : "FAIL"}  ${words}${good || detail === "" ? "" : `: ${detail}`}`);
        return good;
    }
}

// Runs in the page: what of the kiosk stands outside its place, is too small to touch, or lies over a neighbour.
function kioskFaults() {
    const faults = [];
    const name = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""} "${e.textContent.slice(0, 14)}"`;
    const outside = (box, room) => box.left < room.left - 1 || box.top < room.top - 1 || box.right > room.right + 1 || box.bottom > room.bottom + 1;
    const window_ = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
    const veil = document.getElementById("veil");
    const targets = [];

    for (const part of [...document.querySelectorAll("header, main, footer, #veil")]) {
        const room = part.getBoundingClientRect();
        if (room.width === 0)
            continue;
        if (outside(room, window_))
            faults.push(`${name(part)} outside the window`);
        for (const e of part.querySelectorAll("*")) {
            const box = e.getBoundingClientRect();
            if (box.width === 0 || e.closest(".unseen") || (e.closest("svg") && e.tagName !== "svg") || e.closest(".frame *") || e.closest(".rise"))
                continue;
            if (outside(box, room))
                faults.push(`${name(e)} outside its place (${[box.left, box.top, box.right, box.bottom].map(Math.round)} of ${[room.left, room.top, room.right, room.bottom].map(Math.round)})`);
            if (e.tagName === "BUTTON") {
                if (box.width < 64 || box.height < 64)
                    faults.push(`${name(e)} is ${box.width}x${box.height}`);
                if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
                    faults.push(`${name(e)} does not hold its words`);
                targets.push([e, box]);
            } else if (["H1", "P", "TABLE"].includes(e.tagName)) {
                targets.push([e, box]);
            }
        }
    }
    if (veil.hidden)
        for (const [a, p] of targets)
            for (const [b, q] of targets)
                if (a !== b && !a.contains(b) && !b.contains(a) && p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1)
                    faults.push(`${name(a)} lies over ${name(b)}`);
    return [...new Set(faults)].slice(0, 4);
}

// The board scrolls inside its parts; the frame itself never does, and nothing to press is cut off at the side.
function boardFaults() {
    const faults = [];
    if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight)
        faults.push(`the page is ${document.documentElement.scrollWidth}x${document.documentElement.scrollHeight}`);
    for (const e of document.querySelectorAll("header *, .lane button, .tools button, .tools input, #detail button, dialog[open] *")) {
        const box = e.getBoundingClientRect();
        if (box.width > 0 && (box.left < -1 || box.right > innerWidth + 1))
            faults.push(`${e.tagName.toLowerCase()} "${e.textContent.slice(0, 14)}" is cut off`);
        if (e.tagName === "BUTTON" && box.width > 0 && (box.width < 24 || box.height < 24))
            faults.push(`"${e.textContent}" is ${box.width}x${box.height}`);
    }
    return [...new Set(faults)].slice(0, 4);
}

export const layoutFaults = (page, surface) => page.evaluate(surface === "kiosk" ? kioskFaults : boardFaults);

// axe-core: WCAG 2.2 A and AA and its best practices; on the kiosk contrast AAA.
const axe = (packages) => readFileSync(`${packages}/axe-core/axe.min.js`, "utf8");
let source = null;

export async function axeFaults(page, surface, packages) {
    source ??= axe(packages);
    if (!(await page.evaluate(() => "axe" in globalThis)))
        await page.evaluate(source);
    return page.evaluate(async (enhanced) => {
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        const result = await globalThis.axe.run(document, {
            runOnly: { type: "tag", values: tags },
            rules: { "color-contrast-enhanced": { enabled: enhanced } },
            resultTypes: ["violations"],
        });
        return result.violations.map((v) => `${v.id} at ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`);
    }, surface === "kiosk");
}

// A sealed envelope as the bytes that left: four digits stand in base64 by chance now and then, in bytes hardly ever. What
// is shorter than an envelope (65 + 12 + 16 bytes and the digits) is none, and is looked at both as it was sent and as bytes.
function opened(body) {
    return body.replace(/"sealed":"([A-Za-z0-9+/=]*)"/g, (whole, text) => {
        const bytes = Buffer.from(text, "base64");
        return `${bytes.length > 93 ? "" : whole} ${bytes.toString("latin1")}`;
    });
}

// Where digits could have stayed: document, address, storage, cookies, console and what was sent.
export async function secretsLeft(page, heard, digits) {
    const inside = await page.evaluate(async () => {
        const databases = (await indexedDB.databases?.()) ?? [];
        const caches_ = await caches.keys().catch(() => []);
        return {
            document: document.documentElement.outerHTML,
            entered: [...document.querySelectorAll("input")].map((i) => i.value).join(" "),
            address: location.href,
            history: JSON.stringify(history.state),
            storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
            databases: JSON.stringify([databases, caches_]),
            title: document.title,
        };
    });
    inside.cookies = JSON.stringify(await page.context().cookies().then((all) => all.map((c) => [c.name, c.domain])));
    inside.console = heard.console.join("\n");
    inside.addresses = heard.requests.map((r) => r.address).join("\n");
    /* Numbers of visits and steps and the lane's token may hold any digits by chance: only what the patient entered counts. */
    inside.sent = heard.requests.map((r) => opened(r.body ?? "").replace(/"(visit|step)":("?)\d+\2|"token":"[0-9a-f]+"/g, "")).join("\n");
    return Object.entries(inside).filter(([, text]) => digits.some((d) => text.includes(d))).map(([place]) => place);
}

// The same in the page's memory: no living string of the script holds them once it has collected its garbage.
export async function secretsInMemory(page, digits) {
    const session = await page.context().newCDPSession(page);
    let text = "";
    session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => (text += chunk));
    await session.send("HeapProfiler.collectGarbage");
    await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    await session.detach();
    const { strings } = JSON.parse(text);
    return digits.filter((d) => strings.includes(d));
}
