// reception.mjs [--family NAME] FILE --desk=DIRECTORY...: every visit of `make run` by the pages alone, in a real browser:
// what the patient does is done at the kiosk, what staff do at the board, every other visit by keys alone and the others by
// touch, the lanes at three sizes. Each must end as the table says (by the board's row and the desk's answer), with the
// questions in the service's ledger and the tries in the chip that it says. Cards and camera move by the simulators; what
// was done is noted down in log/book.jsonl as sim-guest does it, so that all books can be compared afterwards.
// Prints a line a visit and "visits: N passed, M failed".
import { appendFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Checks, sizes } from "./checks.mjs";
import { ask, counter } from "./desk.mjs";
import { Patient, Staff, until } from "./hands.mjs";
import { Stage, launch } from "./stage.mjs";
import { tableOfVisits } from "./table.mjs";
import board from "../../daemon/web/pages/board.ja.js";

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { desk: { type: "string", multiple: true }, family: { type: "string" }, only: { type: "string" }, packages: { type: "string" }, browser: { type: "string" }, pictures: { type: "string" } },
});
const { chromium } = createRequire(import.meta.url)(`${values.packages}/playwright-core`);
const began = Date.now();
const checks = new Checks();
mkdirSync(values.pictures, { recursive: true });

// A second after a visit without an answer the desk asks by itself, if the service answers again: that may be the day's answer.
const known = (plan) => ({ ...plan, ends: { ...plan.ends, asked: "0|1" } });

// What the pages let nobody do, though the desk would take it from a program: a birth date that is not printed in an era of
// Japan is not guessed at, and the patient takes another way.
const otherwise = {
    "back-again": known,
    foreign: (plan) => ({ ...plan, ends: { ...plan.ends, method: "pin" }, steps: plan.steps.flatMap((step) => (step.startsWith("type number-b") ? ["western", "press choose_pin", "see pin", "type pin foreign"] : [step])) }),
};

const line = (path) => readFileSync(path, "utf8").split("\n")[0];
// In Japan.
const today = () => new Date(Date.now() + 9 * 3600000).toISOString().slice(0, 10).replaceAll("-", "");
// How many names below a directory fit a pattern of parts, as glob(7) has it.
function matching(directory, [part, ...rest]) {
    const like = new RegExp(`^${part.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
    const found = readdirSync(directory, { withFileTypes: true }).filter(({ name }) => like.test(name) && (!name.startsWith(".") || part.startsWith(".")));
    if (rest.length === 0)
        return found.length;
    return found.filter((one) => one.isDirectory()).reduce((n, { name }) => n + matching(`${directory}/${name}`, rest), 0);
}
const secondsOf = (words, usual) => Number(words.find((w) => /^\d+$/.test(w)) ?? usual) * 1000;

// One desk, and this run's own book about it.
class Site {
    constructor(directory) {
        this.directory = directory;
        this.port = line(`${directory}/port`);
        this.lanes = readFileSync(`${directory}/places`, "utf8").trim().split("\n").map((one) => one.split(" ")).map(([n, place]) => ({ n: Number(n), place }));
        this.counter = counter(directory, `${directory}/cards`);
    }
    note(fact) {
        appendFileSync(`${this.directory}/log/book.jsonl`, `${JSON.stringify({ ...fact, us: Date.now() * 1000 })}\n`);
    }
    ready(ms = 120000) {
        return until(() => this.counter.launcher("ready").then(() => true, () => false), ms, 100);
    }
    async starts(program) {
        const words = await this.counter.launcher("pids");
        return Number(words.match(new RegExp(` ${program}=\\d+:(\\d+)`))?.[1] ?? -1);
    }
    async kill(program, signal) {
        const before = await this.starts(program);
        this.note({ event: "kill", program, signal });
        await this.counter.launcher(`kill ${program} ${signal}`);
        if (signal === 9 && !(await until(async () => (await this.starts(program).catch(() => before)) !== before, 15000, 10)))
            throw new Error(`${program} was not started again`);
    }
}

// One lane with its kiosk, and a board of somebody's beside it.
class Lane {
    constructor(site, { n, place }) {
        Object.assign(this, { site, n, place, card: "", entry: null, seen: [], spoiled: false });
        const storm = place === "storm" ? "-storm" : "";
        this.service = (words) => ask(`${site.directory}/run/service${storm}.control`, words, 30000);
        this.device = (words) => ask(`${site.directory}/run/device-${n}.control`, words, 30000);
        this.ledger = `${site.directory}/log/ledger${storm}.jsonl`;
    }
    async open(browser) {
        this.stage = new Stage({ browser, checks, port: this.site.port, packages: values.packages, pictures: values.pictures });
        const token = (name) => this.site.counter.token(name);
        /* Which visit stands there is not written on the screen: the lane's own events say it. */
        const listen = () => {
            const real = EventSource.prototype.addEventListener;
            globalThis.told = [];
            globalThis.lanes = 0;
            EventSource.prototype.addEventListener = function (name, handler, ...more) {
                if (name === "lane")
                    real.call(this, name, (event) => (globalThis.lanes++, globalThis.told.push(JSON.parse(event.data).visit)));
                return real.call(this, name, handler, ...more);
            };
        };
        this.kiosk = await this.stage.open("kiosk", `/kiosk/${this.n}#token=${token(`lane-${this.n}`)}`, (page) => page.addInitScript(listen));
        this.board = await this.stage.open("board", `/board#token=${token("staff")}&name=${encodeURIComponent("受付")}`);
        await this.kiosk.page.setViewportSize(sizes[this.n % sizes.length]);
        /* The board asks at no lane, and so by the main upstream. For the service that may be ill-treated it is a board of its lane. */
        if (this.place === "storm")
            await this.board.page.route(/\/api\/(lookup|slips)$/, (route) => route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), lane: this.n }) }));
        for (const view of [this.kiosk, this.board])
            this.hear(view);
        this.patient = new Patient(this.kiosk.page);
        this.staff = new Staff(this.board.page, this.n);
        await this.patient.sees(["idle"], null, 90000);
    }
    // What the pages really sent, and what became of it.
    hear({ surface, page }) {
        const done = (request, accepted) => {
            if (request.method() !== "POST" || !/\/api\/lanes\/\d+\/actions$/.test(request.url()))
                return;
            const { visit, action, consents } = request.postDataJSON();
            const entered = ["send_pin", "send_number_b"].includes(action) ? this.entry : {};
            this.site.note({ event: "action", lane: this.n, visit: Number(visit), action, surface, accepted, card: this.card, ...(consents ? { consents } : {}), ...entered });
        };
        page.on("response", (r) => done(r.request(), r.status() === 200 ? "yes" : r.status() >= 500 ? "?" : "no"));
        page.on("requestfailed", (r) => done(r, "?"));
    }
    saw(visit) {
        if (visit === null || visit === undefined || this.seen.includes(String(visit)))
            return;
        this.seen.push(String(visit));
        this.site.note({ event: "visit", lane: this.n, visit: Number(visit), card: this.card });
    }
    // The newest that stood there.
    async look() {
        const told = await this.kiosk.page.evaluate(() => globalThis.told.splice(0)).catch(() => []);
        told.forEach((visit) => this.saw(visit));
        return this.seen.at(-1);
    }
    // How often this kiosk was told how its lane stands.
    news() {
        return this.kiosk.page.evaluate(() => globalThis.lanes);
    }
    begin(keys) {
        this.seen = [];
        this.patient.keys = this.staff.keys = keys;
    }
    questions() {
        return readFileSync(this.ledger, "utf8").split("\n").filter((one) => {
            const visit = one.match(/"request_id":"[US](\d+)-/)?.[1];
            return visit !== undefined && this.seen.includes(visit);
        }).length;
    }
    async counters(card) {
        const words = await this.device(`counters ${card}`);
        return ["jpki.0018", "kenkaku.0012", "kenhojo.0015"].map((key) => Number(words.match(new RegExp(` ${key.replace(".", "\\.")}=(\\d+)`))?.[1] ?? -1));
    }
    async put(card) {
        await this.device(`insert ${card}`);
        this.card = card;
        this.site.note({ event: "insert", lane: this.n, card });
    }
    answered({ status, json }, words) {
        if (status !== 200)
            throw new Error(`${words}: HTTP ${status} ${json?.error?.code ?? ""} ${json?.error?.field ?? ""}`);
        this.saw(json?.visit);
    }
    slipState = async (visit) => (await this.staff.ask(`/api/visits/${visit}/slip`)).json?.state;
}

const lookupFields = ([insurer, symbol, number, branch, birth]) => ({ ...Object.fromEntries(Object.entries({ insurer, symbol, number, branch, birth }).map(([k, v]) => [k, v === "-" ? "" : v])), limit_consent: true });

// What the table says as a request of a program, as staff do it at the board.
async function byForm(lane, path, body, code) {
    const { staff } = lane;
    if (path === "/api/disaster")
        return lane.answered(await staff.disaster(body), path);
    if (path.endsWith("/pick-up")) {
        await staff.toLane("proxy");
        await staff.form.is("pick-up");
        return lane.answered(await staff.send(path, body), path);
    }
    if (path.endsWith("/slip"))
        return staff.settle(path.split("/")[3], body.note);
    const { kind, lane: _, ...fields } = body;
    const there = await staff.slipForm(kind);
    if (code === "V009") {
        /* Where disaster mode is off its slip is not even offered. */
        if (there)
            throw new Error("a slip of disaster mode is offered");
        return staff.blank();
    }
    if (code !== undefined) {
        /* What lacks is said beside its field, and nothing is written down. */
        await staff.form.fill(fields);
        await staff.form.submit();
        await staff.page.waitForFunction(() => [...document.querySelectorAll("#dialog .wrong")].some((e) => e.textContent !== ""), null, { timeout: 10000 });
        return staff.blank();
    }
    if (fields.ratio)
        fields.ratio = fields.ratio.padStart(3, "0"); // as the choice has it
    return lane.answered(await staff.send(path, fields), path);
}

// One step: the words are those of tests/sim/guest/steps.c.
async function take(lane, beside, step) {
    const [word, ...words] = step.split(/\s+/);
    const rest = step.slice(word.length).trim();
    const filled = (text) => text.replaceAll("$visit", lane.seen.at(-1) ?? "0").replaceAll("$hex", Number(lane.seen.at(-1) ?? 0).toString(16).padStart(8, "0")).replaceAll("$lane", lane.n).replaceAll("$today", today()).replaceAll("$soon", Math.floor(Date.now() / 1000) + 3600);
    const posted = async (text, code) => {
        await lane.look();
        const [path] = text.split(" ");
        await byForm(lane, filled(path), JSON.parse(filled(text.slice(path.length))), code);
    };
    const steps = {
        async place([card, film = "off", frame = ""]) {
            await lane.patient.sees(["idle"], null, 30000);
            await lane.device(`camera ${film} ${frame}`);
            await lane.put(card);
        },
        again: ([card]) => lane.put(card),
        async take() {
            await lane.device("remove").catch(() => {}); // torn out by a fault already
            lane.card = "";
        },
        async see([states, ...more]) {
            const code = more.find((w) => !/^\d+$/.test(w)) ?? null;
            /* A page does not send what is no number: the desk has nothing to refuse. */
            if (code === "N004")
                return lane.patient.sees(states.split("|"), null, 5000);
            await lane.patient.sees(states.split("|"), code, secondsOf(more, 30));
            await lane.look();
        },
        async press([action]) {
            if (action !== "still_here")
                return lane.patient.press(action);
            /* Asked and answered, or put off by the page, since somebody has just pressed something. */
            const veil = lane.kiosk.page.locator("#veil button.main");
            const put = () => lane.kiosk.heard.requests.some((r) => r.body?.includes('"still_here"') && r.body.includes(`"${lane.seen.at(-1)}"`));
            await until(async () => put() || (await veil.isVisible()), 30000);
            await lane.patient.answers();
            if (!(await until(put, 30000)))
                throw new Error("nobody said that somebody is still there");
        },
        async staff([action]) {
            const sent = lane.board.page.waitForResponse((r) => r.url().endsWith(`/api/lanes/${lane.n}/actions`), { timeout: 120000 }).catch(() => null);
            await lane.staff.toLane(action);
            const answer = await sent;
            if (answer === null)
                throw new Error("the board sent nothing");
            if (answer.status() === 409) {
                /* Something happened between the look and the press: whoever pressed presses again. */
                await new Promise((done) => setTimeout(done, 300));
                await lane.staff.blank();
                await lane.staff.toLane(action);
            }
            await lane.look();
        },
        western: () => lane.patient.western(),
        async cannot([action]) {
            if (await lane.patient.offers(action))
                throw new Error(`${action} is on offer`);
        },
        async type([kind, whose]) {
            const own = lane.site.counter.card(lane.card);
            const other = /^\d+$/.test(whose) ? null : lane.site.counter.card(whose);
            const right = kind === "pin" ? own.pin : own.numberB;
            const digits = other === null ? whose : kind === "pin" ? other.pin : other.numberB;
            lane.entry = { entry: kind, right: digits === right };
            if (kind === "pin")
                await lane.patient.pin(digits);
            else
                await lane.patient.numberB(digits, (other ?? own).birth);
        },
        consent: (names) => lane.patient.consents((name) => (names.length === 0 ? ["limit", "drugs", "checkup"].includes(name) : names.includes(name))),
        async lookup(fields) {
            const answer = await lane.staff.lookup(lookupFields(fields));
            lane.site.note({ event: "lookup", lane: lane.place === "storm" ? lane.n : 0, visit: Number(answer.json?.visit ?? 0), link: false, accepted: answer.status === 200 ? "yes" : "no" });
            lane.answered(answer, "look-up");
        },
        async link(fields) {
            const visit = await lane.look();
            const answer = await lane.staff.link(lookupFields(fields));
            lane.site.note({ event: "lookup", lane: lane.n, visit: Number(visit), link: true, accepted: answer.status === 200 ? "yes" : "no" });
            lane.answered({ ...answer, json: null }, "link");
        },
        post: () => posted(rest),
        refuses: ([code]) => posted(rest.slice(code.length).trim(), code),
        async slip([state]) {
            const visit = lane.seen[0];
            if (!(await until(async () => (await lane.slipState(visit)) === state, 30000, 150)))
                throw new Error(`the slip is ${await lane.slipState(visit)}, not ${state}`);
            lane.seen.push(lane.seen.splice(0, 1)[0]);
        },
        async handed([target, state, code]) {
            let seen = "none";
            const isSo = async () => {
                const of = ((await lane.staff.ask(`/api/visits/${lane.seen.at(-1)}/outbox`)).json?.entries ?? []).filter((e) => e.target === target);
                seen = of.map((e) => `${e.state} ${e.failure?.code ?? "-"}`).join();
                return of.length > 0 && of.every((e) => e.state === state && (e.failure?.code ?? "-") === code);
            };
            if (!(await until(isSo, 60000, 150)))
                throw new Error(`${target} is ${seen}, not ${state} ${code}`);
        },
        async files([n, pattern]) {
            const there = () => matching(lane.site.directory, filled(pattern).split("/"));
            if (!(await until(() => there() === Number(n), 60000, 150)))
                throw new Error(`${there()} files ${pattern}, not ${n}`);
        },
        async answer([has, element]) {
            const holds = (json) => json !== null && typeof json === "object" && Object.entries(json).some(([key, value]) => key === element || holds(value));
            const isSo = async () => {
                const { status, json } = await lane.staff.ask(`/api/visits/${lane.seen.at(-1)}/answer`);
                return status === 200 && holds(json) === (has === "has");
            };
            if (!(await until(isSo, 120000, 1000)))
                throw new Error(`the answer ${has === "has" ? "lacks" : "still has"} ${element}`);
        },
        async decided() {
            const visit = lane.seen.at(-1);
            if (!(await until(async () => ((await lane.staff.ask(`/api/visits/${visit}`)).json?.outcome ?? "open") !== "open", 30000)))
                throw new Error(`visit ${visit} is not decided`);
        },
        device: () => lane.device(rest),
        service: () => lane.service(rest),
        async program([name, signal]) {
            lane.before = await lane.news();
            await lane.site.kill(name, Number(signal));
        },
        async settle() {
            if (!(await lane.site.ready()))
                throw new Error("not every program runs again");
            /* What stands at the kiosk may still be from before: who types into that types for nothing. */
            if (!(await until(async () => (await lane.news()) > lane.before, 30000)))
                throw new Error("the kiosk was told nothing of its lane again");
        },
        async served() {
            const answers = async () => {
                const services = ((await lane.staff.ask("/api/health")).json?.items ?? []).filter(({ component }) => component.includes("upstream service"));
                return services.length > 0 && services.every(({ state }) => state === "good");
            };
            if (!(await until(answers, 60000, 150)))
                throw new Error("a service does not answer again");
        },
        pause: ([ms]) => new Promise((done) => setTimeout(done, Number(ms))),
        beside: () => take(beside, null, rest),
    };
    if (!Object.hasOwn(steps, word))
        throw new Error(`no such step: ${step}`);
    await steps[word](words);
}

// What is not as the table says, or "".
async function faultOf(lane, visit, ends, before, after, asked) {
    const wanted = before.map((n, i) => ends[["pin", "b", "text-b"][i]] ?? `${n}>${n}`);
    const tries = before.map((n, i) => `${n}>${after[i]}`);
    if (wanted.join() !== tries.join())
        return `tries went ${tries.join(" ")}, not ${wanted.join(" ")}`;
    if (visit === null)
        return ends.outcome === "none" ? "" : "the board knows no visit";
    const is = [visit.method, visit.outcome, visit.failure?.code ?? "-"].join(" ");
    /* What was the last known answer becomes the day's as soon as the desk has asked by itself. */
    const reconciled = ends.outcome === "last_known" && visit.flags.includes("reconciled") && is === `${ends.method} eligible -`;
    if (!reconciled && is !== `${ends.method} ${ends.outcome} ${ends.code}`)
        return `not ${ends.method} ${ends.outcome} ${ends.code} but ${is}`;
    if (!reconciled && !ends.asked.split("|").includes(String(asked)))
        return `${asked} questions in the service's ledger, not ${ends.asked}`;
    const missing = (ends.flags ?? "").split(",").filter((flag) => flag !== "" && !visit.flags.includes(flag));
    if (missing.length > 0)
        return `the visit is not marked ${missing.join()}`;
    for (const name of ["record", "challenge"])
        if (ends[name] !== undefined && ends[name] !== visit[name])
            return `${name} is ${visit[name]}, not ${ends[name]}`;
    const said = [board[`way.${visit.method}`], board[`outcome.${visit.outcome}`], visit.failure?.code ?? "", visit.name];
    return (await lane.staff.rowSays(visit.visit, said)) ? "" : `the board's row does not say ${said.join(", ")}: ${await lane.board.page.locator(`#visits tr[data-visit="${visit.visit}"]`).innerText().catch(() => "no row")}`;
}

// After a visit that went wrong: an empty reader, no faults, a good service, and the lane idle if it can be.
async function cleanUp(lane) {
    for (const words of ["plug", "faults off", "remove"])
        await lane.device(words).catch(() => {});
    await lane.service("normal").catch(() => {});
    await lane.service("up").catch(() => {});
    lane.card = "";
    await lane.staff.blank().catch(() => {});
    if (await lane.board.page.locator(`.lane[data-lane="${lane.n}"] [data-action="staff_end"]`).isVisible().catch(() => false))
        await lane.board.page.locator(`.lane[data-lane="${lane.n}"] [data-action="staff_end"]`).click().catch(() => {});
    await lane.patient.sees(["idle"], null, 20000).catch(() => {});
    await lane.look();
}

async function drive(lane, beside, plan, keys) {
    const card = plan.steps.find((step) => step.startsWith("place "))?.split(/\s+/)[1];
    let before = [-1, -1, -1], after = before, fault = "", visit = null;
    const fetched = async () => (await lane.staff.ask(`/api/visits/${lane.seen.at(-1)}`)).json;

    lane.begin(keys);
    beside?.begin(keys);
    await lane.look();
    lane.seen = [];
    try {
        if (card !== undefined)
            before = await lane.counters(card);
        for (const step of plan.steps)
            await take(lane, beside, step).catch((error) => {
                throw new Error(`${error.message.split("\n")[0]} <- ${step}`);
            });
    } catch (error) {
        fault = error.message;
        await lane.kiosk.page.screenshot({ path: `${values.pictures}/reception-${plan.name}-kiosk.jpg`, type: "jpeg" }).catch(() => {});
        await lane.board.page.screenshot({ path: `${values.pictures}/reception-${plan.name}-board.jpg`, type: "jpeg" }).catch(() => {});
    }
    await lane.look();
    await beside?.look();
    /* The ledger first: a question of the desk itself between the two is then seen by its answer, or not at all. One that
       stands in the ledger already may still be without its answer. */
    const asked = lane.questions() + (beside?.questions() ?? 0);
    if (lane.seen.length > 0)
        visit = await fetched();
    if (plan.ends.outcome === "last_known" && visit?.outcome === "last_known" && asked > Math.max(...plan.ends.asked.split("|").map(Number)))
        await until(async () => ((visit = (await fetched()) ?? visit)).flags.includes("reconciled"), 30000, 150);
    if (card !== undefined)
        after = await lane.counters(card).catch(() => after);
    fault ||= await faultOf(lane, visit, plan.ends, before, after, asked);
    lane.site.note({ event: "ended", lane: lane.n, visit: Number(lane.seen.at(-1) ?? 0), plan: plan.name, outcome: visit?.outcome ?? "-", code: visit?.failure?.code ?? "-", good: fault === "" });
    if (fault !== "")
        for (const one of [lane, beside].filter(Boolean))
            await cleanUp(one);
    return { fault, visit };
}

const browser = await launch(chromium, values.browser);
const sites = values.desk.map((directory) => new Site(directory));
const plans = tableOfVisits(positionals[0]).map((plan) => otherwise[plan.name]?.(plan) ?? plan).filter((p) => (!values.family || p.family === values.family) && (!values.only || values.only.split(",").includes(p.name)));
const places = new Set(plans.map((p) => p.place));
let passed = 0, failed = 0;
try {
    const lanes = [];
    for (const site of sites) {
        await site.ready();
        const here = site.lanes.filter(({ place }) => places.has(place) || (place === "beside" && places.has("pair"))).map((one) => new Lane(site, one));
        for (const lane of here)
            await lane.open(browser);
        lanes.push(...here);
    }
    const waiting = plans.map((plan, i) => ({ plan, keys: i % 2 === 1, at: i, state: "waiting" }));
    const shared = (a, b) => [...a.claims].some((one) => b.claims.has(one));
    // The next visit for this lane that may begin now: those that claim the same keep their order.
    const pick = (place) => waiting.find((one) => one.state === "waiting" && one.plan.place === place && !waiting.some((other) => shared(one.plan, other.plan) && (other.state === "running" || (other.at < one.at && other.state === "waiting"))));
    let wake = [];
    const changed = () => wake.splice(0).forEach((one) => one());
    await Promise.all(lanes.filter((lane) => lane.place !== "beside").map(async (lane) => {
        const beside = lane.place === "pair" ? lanes.find((l) => l.place === "beside" && l.site === lane.site) : null;
        while (waiting.some((one) => one.state === "waiting" && one.plan.place === lane.place)) {
            const one = pick(lane.place);
            if (one === undefined) {
                await new Promise((done) => wake.push(done));
                continue;
            }
            one.state = "running";
            const from = Date.now();
            const { fault, visit } = await drive(lane, beside, one.plan, one.keys).catch((error) => ({ fault: error.stack, visit: null }));
            one.state = "finished";
            fault === "" ? passed++ : failed++;
            console.log(`${fault === "" ? "ok  " : "FAIL"}  ${one.keys ? "keys " : "touch"} ${String(((Date.now() - from) / 1000).toFixed(1)).padStart(5)} s  ${(visit?.method ?? "-").padEnd(8)} ${(visit?.outcome ?? "-").padEnd(12)} ${(visit?.failure?.code ?? "-").padEnd(5)} ${one.plan.words}`);
            if (fault !== "")
                console.log(`      ${one.plan.name}: ${fault}`);
            changed();
        }
        changed();
    }));
    for (const { plan } of waiting.filter((one) => one.state !== "finished")) {
        failed++;
        console.log(`FAIL  ${plan.name}: no lane stands at ${plan.place}`);
    }
    /* A refusal is told on the console by the browser, a program that dies too; what the policy stops or a script throws is not there. */
    const heard = lanes.flatMap((lane) => [lane.kiosk, lane.board]).flatMap((view) => view.heard.errors).filter((words) => !/Failed to load resource|net::ERR/.test(words));
    const foreign = lanes.flatMap((lane) => lane.stage.foreign);
    heard.length === 0 ? passed++ : failed++;
    console.log(`${heard.length === 0 ? "ok  " : "FAIL"}  no page complained${heard.length === 0 ? "" : `: ${heard.slice(0, 3).join(" | ")}`}`);
    foreign.length === 0 ? passed++ : failed++;
    console.log(`${foreign.length === 0 ? "ok  " : "FAIL"}  no request left the loopback host`);
    console.log(`${plans.length} visits by the pages in ${Math.round((Date.now() - began) / 1000)} s over ${lanes.length} lanes of ${sites.length} desks`);
} catch (error) {
    failed++;
    console.log(`FAIL  the run came to its end: ${error.stack}`);
} finally {
    await browser.close();
}
console.log(`visits: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
