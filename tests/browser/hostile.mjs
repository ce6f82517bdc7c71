// What somebody with bad intentions tries in a browser or beside it: markup in every text, pages of others that use the
// session of staff, connections that never say what they want.
import { connect } from "node:net";
import { createServer } from "node:http";
import { visitNow } from "./kiosk_screens.mjs";
import { Kiosk } from "./visits.mjs";
import { ownEvents, quietLane } from "./told.mjs";
import { quietVisit } from "./board_gallery.mjs";

const markup = (n) => `<img src=x onerror="window.ran=${n}"><script>window.ran=${n}</script>"'><svg onload="window.ran=${n}"><a href="javascript:window.ran=${n}">x</a>{name}`;

// The same shape, and every text in it is markup; what `keep` names stays, since the page chooses its screen by it.
let count = 0;
function poison(value, keep, name = "") {
    if (typeof value === "string" && !keep.includes(name))
        return markup(++count);
    if (Array.isArray(value))
        return value.map((one) => poison(one, keep, name));
    if (value !== null && typeof value === "object")
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, keep, k)]));
    return value;
}

// Runs in the page: did anything run, and is there an element that only the markup could have made?
function harmed() {
    const made = [...document.querySelectorAll("img, a[href^='javascript'], svg[onload], script:not([src])")].map((e) => e.outerHTML.slice(0, 60));
    return [globalThis.ran, ...made].filter((one) => one !== undefined);
}

const slip = {
    visit: "70", lane: 1, kind: "intake", state: "different", failure: null, consent: "oral", tries: 1, date: "20261005", filed: 1800000000, asked: 1800000100, ended: null,
    name: "x", kana: "x", birth: "x", sex: "1", address: "x", phone: "x", insured: "x", insurer: "x", symbol: "x", number: "x", branch: "x", ratio: "x",
    valid_from: "x", valid_until: "x", note: "x", different: "name", staff: "x", ended_by: "x",
};

async function markupEverywhere(stage, failure) {
    const { checks } = stage;
    const board = await stage.open("board", "/board", async (page) => {
        await page.addInitScript(ownEvents);
        await page.addInitScript(() => (globalThis.print = () => {}));
        const json = (pattern, body) => page.route(pattern, (route) => route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify(body) }));
        await json("**/api/session", { sessions: [{ surface: "board", name: markup("name") }] });
        await json("**/api/visits/*/answer", { answer: { XmlMsg: { MessageBody: poison({ Name: "x", ResultList: [{ ResultOfQualificationConfirmation: { Name: "x", Birthdate: "x", Address: "x", Unknown: { Inner: ["x", "x"] } } }] }, []), [markup("element")]: markup("value") } } });
        await json("**/api/visits/*/slip", poison(slip, ["visit", "kind", "state"]));
        await json("**/api/health", { items: [poison({ state: "bad", failure, component: "x", detail: "x", next: "x", until: 1900000000 }, ["state", "kind"])] });
        await json("**/api/devices", { devices: [poison({ lane: 1, kind: 1, use: 1, vendor: 1, product: 2, port: "x", serial: "x", name: "x", holder: "x", next: "x" }, [])] });
        await json("**/api/troubles*", { troubles: [{ ...poison({ failure }, ["kind"]), day: new Date(Date.now() + 9 * 3600000).toISOString().slice(0, 10).replaceAll("-", ""), count: 3 }] });
    });
    const { page } = board;
    const tell = (name, data) => page.evaluate(([n, d]) => globalThis.tell(n, d), [name, data]);
    /* Texts this long leave no room for a mouse. */
    const press = (selector) => page.locator(selector).first().evaluate((e) => e.click());
    await page.waitForFunction(() => globalThis.listening());
    await tell("desk", { up: true });
    await tell("disaster", poison({ cause: "ministry", word: "x", since: 1800000000, until: 1900000000, staff: "x" }, ["cause"]));
    await tell("lane", { ...poison({ ...quietLane, label: "x", patient: "x", failure, hint: failure, reader: failure }, ["state", "method", "outcome", "institution", "kind"]), visit: "71", state: "visual", offers: ["staff_confirm", markup("offer")] });
    await tell("slip", poison(slip, ["visit", "kind", "state"]));
    await tell("ready", {});
    /* In a state and with an outcome that nobody knows, too. */
    for (const [visit, keep] of [["70", ["method", "outcome", "state", "kind"]], ["72", []]])
        await tell("visit", { ...poison({ ...quietVisit, failure, notice: "x", proxy: "x", relation: "x", alias: "x", patient: "x", changes: [{ field: "x", old: "x", new: "x" }], candidates: [{ number: "x", name: "x", by: "x" }], flags: ["x"], consents: ["x"] }, keep), visit });
    const faults = [];
    const look = async (where) => (await page.evaluate(harmed)).forEach((one) => faults.push(`${where}: ${one}`));
    await look("list");
    for (const visit of ["70", "72"]) {
        await page.locator(`#visits [data-visit="${visit}"]`).first().focus();
        await page.keyboard.press("Enter");
        await press("#detail p button");
        await page.waitForSelector("#detail .tree");
        await look(`details ${visit}`);
        await press('#detail [data-action="print"]');
        await look(`paper ${visit}`);
    }
    const shown = await page.evaluate(() => document.getElementById("detail").innerText);
    checks.check("board: markup is shown as the text that it is", shown.includes("<script>window.ran=") && shown.includes("onerror="), shown.slice(0, 200));
    await press('.lane [data-action="help"]');
    await look("help");
    await page.keyboard.press("Escape");
    await press("#filters button:nth-child(4)");
    await press('#visits [data-visit="70"]');
    await look("slip");
    await page.keyboard.press("Escape");
    await press("#administration");
    await page.waitForSelector("#admin table");
    await look("administration");
    checks.check(`board: markup in every field of visit, slip, lane, answer, health and disaster runs nowhere (${count} texts)`, faults.length === 0, faults.slice(0, 4).join(" | "));
    checks.check("board: the policy had nothing to stop", board.heard.errors.every((e) => !e.includes("policy:")), board.heard.errors.slice(0, 3).join(" | "));
    await board.context.close();

    const kiosk = await stage.open("kiosk", "/kiosk/1", (page_) => page_.addInitScript(ownEvents));
    await kiosk.page.waitForFunction(() => globalThis.listening());
    const bad = poison(failure, ["kind"]);
    const kioskFaults = [];
    for (const state of ["idle", "card", "method", "number_b", "face", "pin", "pin_confirm", "visual", "consent", "link", "staff", "card_lost", "done", "take_card", markup("state")]) {
        await kiosk.page.evaluate((lane) => globalThis.tell("lane", lane), { ...visitNow({ state, failure: bad, hint: bad, pin_tries: 2, number_b_tries: 3, consents: ["limit", markup("consent")], offers: ["choose_face", "choose_pin", "cancel", "consent", "yes", "no", markup("offer")] }), label: markup("label"), patient: markup("patient"), reader: state === "idle" ? bad : null, visit: state === "idle" ? null : "71" });
        (await kiosk.page.evaluate(harmed)).forEach((one) => kioskFaults.push(`${state}: ${one}`));
    }
    checks.check("kiosk: markup in every field of a lane runs in no state", kioskFaults.length === 0, kioskFaults.slice(0, 4).join(" | "));
    checks.check("kiosk: the policy had nothing to stop", kiosk.heard.errors.every((e) => !e.includes("policy:")), kiosk.heard.errors.slice(0, 3).join(" | "));
    await kiosk.context.close();
}

// A page of somebody else, opened in the browser in which staff are signed in. It stands on the same machine, where even
// SameSite cookies are sent along: the harder case.
async function foreignPage(stage) {
    const { checks, counter, origin } = stage;
    const server = createServer((question, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>other</title>"));
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const board = await stage.open("board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("受付")}`);
    await board.page.waitForSelector("#main:not([hidden])");
    const evil = await board.context.newPage();
    await evil.goto(`http://127.0.0.1:${server.address().port}/`);
    const tries = await evil.evaluate(async (desk) => {
        const body = JSON.stringify({ cause: "ministry", word: "悪意", until: Math.floor(Date.now() / 1000) + 3600 });
        const status = (answer) => answer.then((a) => a.type === "opaque" ? "opaque" : a.status, () => "refused");
        const all = { credentials: "include", method: "POST", body };
        return {
            plain: await status(fetch(`${desk}/api/disaster`, { ...all, mode: "no-cors", headers: { "Content-Type": "text/plain" } })),
            json: await status(fetch(`${desk}/api/disaster`, { ...all, headers: { "Content-Type": "application/json", "X-Uketsuke": "board" } })),
            read: await status(fetch(`${desk}/api/visits`, { credentials: "include" })),
            remove: await status(fetch(`${desk}/api/session`, { credentials: "include", method: "DELETE" })),
            events: await new Promise((done) => {
                const source = new EventSource(`${desk}/api/events`, { withCredentials: true });
                source.onmessage = source.onopen = () => done("open");
                source.onerror = () => done("refused");
            }),
            frame: await new Promise((done) => {
                const frame = document.createElement("iframe");
                frame.onload = () => {
                    try {
                        done(frame.contentDocument === null ? "foreign" : frame.contentDocument.body.innerText);
                    } catch {
                        done("foreign");
                    }
                };
                frame.src = `${desk}/board`;
                document.body.append(frame);
                setTimeout(() => done("nothing"), 3000);
            }),
            form: await new Promise((done) => {
                const form = document.createElement("form");
                const frame = document.createElement("iframe");
                frame.name = "target";
                form.method = "post";
                form.action = `${desk}/api/disaster`;
                form.enctype = "text/plain";
                form.target = "target";
                const input = document.createElement("input");
                input.name = body.slice(0, -1);
                input.value = "}";
                form.append(input);
                document.body.append(frame, form);
                frame.onload = () => done("answered");
                form.submit();
                setTimeout(() => done("nothing"), 3000);
            }),
        };
    }, origin);
    checks.check("a page of somebody else reads nothing: no visits, no events", tries.read === "refused" && tries.events === "refused", JSON.stringify(tries));
    checks.check("a page of somebody else changes nothing: neither form nor script", tries.json === "refused" && tries.remove === "refused", JSON.stringify(tries));
    const mode = await board.page.evaluate(async () => (await (await fetch("/api/disaster", { headers: { "X-Uketsuke": "board" } })).json()).cause);
    const still = await board.page.evaluate(async () => (await fetch("/api/lanes", { headers: { "X-Uketsuke": "board" } })).status);
    checks.check("and the desk is as it was, staff still signed in", mode === null && still === 200, `${mode} ${still}`);
    const framed = evil.frames().filter((f) => f.url().startsWith(origin)).length === 0 || (await Promise.all(evil.frames().map((f) => f.locator("#main, #door").count().catch(() => 0)))).every((n) => n === 0);
    checks.check("the board is shown in no frame of others", framed, tries.frame);
    stage.foreign.splice(0); // the other page is one of ours
    await board.context.close();
    await new Promise((done) => server.close(done));
}

// A cookie that somebody else has chosen is worth nothing after signing in, nor is the one of a session that was ended.
async function fixation(stage) {
    const { checks, counter, origin } = stage;
    const cookies = async (view) => (await view.context.cookies()).filter((c) => c.name.startsWith("uketsuke"));
    const attacker = await stage.open("board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("悪意")}`);
    await attacker.page.waitForSelector("#main:not([hidden])");
    const [chosen] = await cookies(attacker);
    await attacker.page.click("#out");
    await attacker.page.waitForSelector("#door:not([hidden])");
    const victim = await stage.open("board", "/board", (page) => page.context().addCookies([{ name: chosen.name, value: chosen.value, url: origin }]));
    await victim.page.waitForSelector("#door:not([hidden])");
    checks.check("a session that was ended cannot be handed to somebody else", true);
    await victim.page.locator("#door input[type=password]").fill(counter.token("staff"));
    await victim.page.locator("#door input[type=text]").fill("受付");
    await victim.page.keyboard.press("Enter");
    await victim.page.waitForSelector("#main:not([hidden])");
    const [own] = await cookies(victim);
    checks.check("signing in makes a new session, whatever cookie was there", own.value !== chosen.value);
    const old = await attacker.page.evaluate(async () => (await fetch("/api/lanes", { headers: { "X-Uketsuke": "board" } })).status);
    checks.check("and the cookie chosen beforehand opens nothing", old === 401, String(old));
    checks.check("no script can read a session", (await victim.page.evaluate(() => document.cookie)) === "" && own.httpOnly && own.sameSite === "Strict");
    await victim.context.close();
    await attacker.context.close();
}

// Many connections that say half of something: a kiosk that comes then is served, and the one that is there goes on.
async function slowConnections(stage) {
    const { checks, counter, port } = stage;
    const there = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`);
    const first = new Kiosk(stage, there);
    await first.at("idle", 90);
    const halves = ["", "GET /api/health HTTP/1.1\r\nX-Drip: a", `POST /api/session HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:${port}\r\nX-Uketsuke: board\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`];
    const sockets = [];
    for (let i = 0; i < 360; i++) {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.on("connect", () => socket.write(halves[i % 3]));
        sockets.push(socket);
    }
    await new Promise((done) => setTimeout(done, 500));
    const came = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`);
    const second = new Kiosk(stage, came);
    await second.at("idle", 90);
    checks.check(`${sockets.length} slow connections: a kiosk that is opened then is served`, true);
    await counter.device("insert locked-pin");
    await first.at("method", 90);
    await second.at("method", 90);
    checks.check("and one that was there hears of the next card", true);
    sockets.forEach((socket) => socket.destroy());
    await first.press("受付をやめる");
    await counter.device("remove");
    await first.at("idle", 90);
    await there.context.close();
    await came.context.close();
}

// `lane`: when lane 1 is nobody else's any more.
export async function hostile(stage, all, lane) {
    await markupEverywhere(stage, all.find((f) => f.code === "R002").staff);
    await foreignPage(stage);
    await fixation(stage);
    await lane;
    await slowConnections(stage);
}
