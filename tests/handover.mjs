// See handover.sh. The receipt computer (a folder), the hook's receiver, ORCA and the board, in a few lines each.
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { Document, routerFaults } from "./openapi.mjs";

const [desk, bin, port] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const here = new URL("..", import.meta.url).pathname;
const base = `http://127.0.0.1:${port}`;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let passed = 0, failed = 0;
function check(words, good, why = "") {
    console.log(`${good ? "ok    " : "FAIL  "}${words}${good ? "" : ` ${why}`}`);
    if (good) passed++; else failed++;
}
// What must come comes, however busy the machine is.
async function until(words, look, seconds = 60) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await wait(100)) {
        const found = await look();
        if (found) return found;
    }
    check(words, false, "did not come");
    return undefined;
}
const send = (name, ...words) => execFileSync(`${bin}/sim-service`, ["--send", `${desk}/run/${name}`, ...words], { encoding: "utf8" });
// A program that is just being started again cannot be killed: it is tried until it can.
async function kill(name) {
    for (const end = Date.now() + 30000; ; await wait(50))
        try { return send("launcher.control", "kill", name, "9"); } catch (error) { if (Date.now() > end) throw error; }
}

// ---- the receivers ---------------------------------------------------------------------------------------

const hooks = [], orders = []; // {id, body, good}; {patient, body, authorization}
const hookPlan = [], orcaPlan = []; // what to do with the next ones: a status, "reset", or a code of ORCA
const receiver = createServer((request, response) => {
    const parts = [];
    response.on("error", () => {}); // the carrier was killed
    request.on("error", () => {}).on("data", (part) => parts.push(part)).on("end", () => {
        const body = Buffer.concat(parts);
        if (request.url === "/hook") {
            const signature = `sha256=${createHmac("sha256", "hook-secret-of-the-test").update(body).digest("hex")}`;
            const plan = hookPlan.shift() ?? 204;
            hooks.push({ id: request.headers["x-uketsuke-id"], body, good: request.headers["x-uketsuke-signature"] === signature, plan });
            if (plan === "reset") request.socket.destroy();
            else response.writeHead(plan).end();
        } else {
            const text = body.toString("utf8"), plan = orcaPlan.shift() ?? "00";
            orders.push({ patient: /<Patient_ID[^>]*>([^<]*)</.exec(text)?.[1], body: text, authorization: request.headers.authorization,
                type: request.headers["content-type"], plan });
            if (plan === "reset") return request.socket.destroy();
            response.writeHead(200, { "Content-Type": "application/xml" }).end(
                `<?xml version="1.0" encoding="UTF-8"?>\n<xmlio2>\n  <acceptres type="record">\n    <Api_Result type="string">${plan}</Api_Result>\n` +
                `    <Api_Result_Message type="string">試験の返事</Api_Result_Message>\n  </acceptres>\n</xmlio2>\n`);
        }
    });
});

// The receipt computer takes what appears, at once.
const files = [];
mkdirSync(`${desk}/taken`, { recursive: true });
function receiptComputer() {
    for (const name of readdirSync(`${desk}/receipt`).filter((n) => n.startsWith("OQSsiquc01res_face_"))) {
        renameSync(`${desk}/receipt/${name}`, `${desk}/taken/${name}`);
        files.push({ name, bytes: readFileSync(`${desk}/taken/${name}`) });
    }
}
const japanese = (file) => new TextDecoder("shift_jis", { fatal: true }).decode(file.bytes);

// ---- the board ------------------------------------------------------------------------------------------

const api = new Document(`${here}daemon/web/pages/openapi.json`);
const words = [];
let cookie = "";
// Each request over a connection of its own: one that is kept may be closed by the other side just as it is used again,
// and then fetch() throws, which is no fault of anybody's. What only reads is asked again all the same.
async function asked(url, options) {
    for (let tries = options.method === "GET" ? 5 : 1; ; tries--)
        try {
            const response = await fetch(url, { ...options, headers: { ...options.headers, Connection: "close" } });
            return { response, text: await response.text() };
        } catch (error) {
            if (tries === 1) throw error;
            await wait(200);
        }
}
async function call(method, path, { body, as = path, surface = "board", raw = {}, token } = {}) {
    const headers = { "X-Uketsuke": surface, Origin: base, ...raw };
    if (token) headers.Authorization = `Bearer ${token}`;
    else if (cookie) headers.Cookie = cookie;
    if (body !== undefined) headers["Content-Type"] ??= "application/json";
    const { response, text } = await asked(base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    words.push(...api.answer(method, as.split("?")[0], response.status, response.headers.get("content-type"), text));
    if (body !== undefined && response.ok) words.push(...api.request(method, as.split("?")[0], body));
    return { status: response.status, headers: response.headers, json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text };
}
const entries = async (visit) => (await call("GET", `/api/visits/${visit}/outbox`, { as: "/api/visits/{visit}/outbox" })).json.entries ?? [];
const entry = async (visit, target) => (await entries(visit)).find((e) => e.target === target);
const reached = (visit, target, state) => until(`${target} of visit ${visit} becomes ${state}`,
    async () => { const e = await entry(visit, target); return e?.state === state ? e : undefined; });

const person = (name) => JSON.parse(readFileSync(`${here}tests/sim/service/people/${name}.json`, "utf8")).results[0];
async function received(name) {
    // A desk that was killed a moment ago has no visits to tell yet.
    const visits = await until("the visits are told", async () => (await call("GET", "/api/visits")).json.visits);
    const known = new Set((visits ?? []).map((v) => v.visit));
    const p = person(name);
    let answer;
    // 503: no desk to ask, so nothing was asked.
    await until(`${name} can be asked about`, async () => (answer = await call("POST", "/api/lookup", { body: { insurer: p.InsurerNumber,
        symbol: p.InsuredCardSymbol ?? "", number: p.InsuredIdentificationNumber, branch: p.InsuredBranchNumber ?? "", birth: p.Birthdate } })).status !== 503);
    if (answer.status !== 200) return check(`${name} is looked up`, false, JSON.stringify(answer.json));
    check(`${name} has a visit of its own`, !known.has(answer.json.visit));
    await until(`${name} is received`, async () => {
        const visit = (await call("GET", `/api/visits/${answer.json.visit}`, { as: "/api/visits/{visit}" })).json;
        return visit.outcome === "eligible" ? visit : undefined;
    });
    return answer.json.visit;
}
const flags = async (visit) => await until(`visit ${visit} has flags`, async () => (await call("GET", `/api/visits/${visit}`, { as: "/api/visits/{visit}" })).json.flags) ?? [];
const linkOnce = (visit, number) => call("POST", `/api/visits/${visit}/patient`, { as: "/api/visits/{visit}/patient", body: { number, same: true } });
async function link(visit, number) {
    let answer;
    await until(`visit ${visit} can be linked`, async () => (answer = await linkOnce(visit, number)).status !== 503);
    return answer;
}
const decide = (e, what) => call("POST", `/api/outbox/${e?.entry ?? 0}`, { as: "/api/outbox/{entry}", body: { what } });

// ---- what is shown ------------------------------------------------------------------------------------------

async function everythingOnce() {
    const visit = await received("franck"), p = person("franck");
    await reached(visit, "receipt", "done");
    await reached(visit, "hook", "done");
    receiptComputer();
    const text = files.length === 1 ? japanese(files[0]) : "";
    check("one face file, in Shift_JIS, CR LF, of the official shape", /^<\?xml version="1.0" encoding="Shift_JIS"/.test(text) &&
        text.includes(`<Name>${p.Name}</Name>`) && text.includes("<CharacterCodeIdentifier>1<") && text.includes("<SegmentOfResult>1<") &&
        !text.includes("QualificationConfirmSearchInfo") && !/[^\r]\n/.test(text), `${files.length}: ${text.slice(0, 300)}`);
    check("under a name as the terminals make it", /^OQSsiquc01res_face_9910000017[0-9a-f]{20}_\d{14}\.xml$/.test(files[0]?.name ?? ""), files[0]?.name);
    const told = hooks.length > 0 ? JSON.parse(hooks[0].body.toString("utf8")) : {};
    check("one hook, signed, with its id", hooks.length === 1 && hooks[0].good && told.id === hooks[0].id && told.event === "visit.finished" &&
        told.visit === visit && told.outcome === "eligible" && told.patient?.name === p.Name && told.lane === 0, JSON.stringify(told));
    check("ORCA is not told of a patient whose number nobody knows", orders.length === 0);
    const linked = await link(visit, "PT&0001");
    check("the clinic's number is taken", linked.status === 200, JSON.stringify(linked.json));
    await reached(visit, "orca", "done");
    await reached(visit, "main", "done");
    check("acceptmodv2: number, department, physician, who we are", orders.length === 1 && orders[0].body.includes(">PT&amp;0001</Patient_ID>") &&
        orders[0].body.includes('<Request_Number type="string">01<') && orders[0].body.includes('<Department_Code type="string">01<') &&
        orders[0].body.includes('<Physician_Code type="string">10001<') && orders[0].type === "application/xml" &&
        orders[0].authorization === `Basic ${Buffer.from("ormaster:ormaster-password").toString("base64")}`, JSON.stringify(orders[0]));
    const ledger = readFileSync(`${desk}/log/ledger.jsonl`, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l));
    check("照会番号登録: once at the service", ledger.filter((l) => l.kind === "reference_number" && /set/.test(l.outcome)).length === 1,
        JSON.stringify(ledger.filter((l) => /reference/.test(l.kind))));
    check("a number that cannot be one is named", (await link(visit, " ")).json.error?.field === "number");
}

async function hooksAgain() {
    hookPlan.push(500, "reset", 429);
    const from = hooks.length, visit = await received("anna");
    const e = await reached(visit, "hook", "done");
    const mine = hooks.slice(from).filter((h) => JSON.parse(h.body).visit === visit);
    check("a hook that failed three times comes again, the same", mine.length === 4 && new Set(mine.map((h) => h.id)).size === 1 &&
        mine.every((h) => h.body.equals(mine[0].body) && h.good) && e?.tries === 4, `${mine.map((h) => h.plan)} ${e?.tries}`);
    hookPlan.push(410);
    const gone = await received("goro"), refused = await reached(gone, "hook", "refused");
    check("a refusal is not repeated and shown at the visit", refused?.failure?.code === "H004" && refused.detail === "HTTP 410" && (await flags(gone)).includes("handover"));
    await decide(refused, "arrived");
    check("until somebody has looked", (await entry(gone, "hook"))?.state === "done" && !(await flags(gone)).includes("handover"));
}

async function doubt() {
    orcaPlan.push("reset");
    const visit = await received("hachiro");
    await link(visit, "PT0002");
    const e = await reached(visit, "orca", "doubtful");
    check("an answer that is lost leaves a doubt, at the visit too", e?.failure?.code === "H005" && (await flags(visit)).includes("handover"));
    const cli = () => { try { return execFileSync(`${bin}/uketsuke`, ["--config", `${desk}/uketsuke.conf`, "outbox", "list"], { encoding: "utf8" }); } catch (x) { return x.status === 1 ? x.stdout : `${x}`; } };
    check("uketsuke outbox shows it", /doubtful/.test(cli()) && cli().includes("H005"), cli());
    await wait(4000);
    check("it is not sent again by itself", orders.filter((o) => o.patient === "PT0002").length === 1);
    check("nor after kill -9 of desk and carrier", await (async () => {
        await kill("desk");
        await kill("handover-orca");
        await until("the desk is back", async () => (await call("GET", "/api/health")).json?.items?.length > 0);
        await wait(2000);
        return orders.filter((o) => o.patient === "PT0002").length === 1 && (await entry(visit, "orca"))?.state === "doubtful";
    })());
    orcaPlan.push("16");
    check("by somebody's word it is", (await decide(await entry(visit, "orca"), "resend")).status === 200);
    const done = await reached(visit, "orca", "done");
    check("and was there already (16)", done && orders.filter((o) => o.patient === "PT0002").length === 2 && !(await flags(visit)).includes("handover"));
    orcaPlan.push("90", "10");
    const other = await received("juro");
    await link(other, "PT0003");
    const refused = await reached(other, "orca", "refused");
    check("busy (90) is tried again, unknown (10) is not", orders.filter((o) => o.patient === "PT0003").length === 2 && /^10 試験の返事/.test(refused?.detail ?? ""), refused?.detail);
    await decide(refused, "arrived");
}

async function character() {
    send("service.control", "person", "saburo", "results.0.Name", "𠮷田　三郎");
    const visit = await received("saburo"), e = await reached(visit, "receipt", "refused");
    check("a character that Shift_JIS lacks is refused, in words, at the visit", e?.failure?.code === "H003" && /Name/.test(e.detail) && (await flags(visit)).includes("handover"), JSON.stringify(e));
    receiptComputer();
    check("and nothing of it is in the folder", !files.some((f) => f.bytes.includes(Buffer.from("3F93", "hex")) || japanese(f).includes("三郎")));
    await decide(e, "arrived");
}

async function crashes() {
    const people = ["rokuro", "shiro", "sakura", "yuri", "momo"], visits = [];
    const from = { files: files.length, orders: orders.length };
    const computer = setInterval(() => {
        try { receiptComputer(); } catch (error) { check("the receipt computer can take its files", false, `${error}`); }
    }, 20);
    for (const name of people) {
        const visit = await received(name);
        visits.push(visit);
        await link(visit, `CR${visit}`);
        for (const program of ["handover-receipt", "handover-hook", "handover-orca", "desk", "relay-main"])
            if (Math.random() < 0.5) await kill(program);
        await until("the desk is back", async () => (await call("GET", "/api/health")).json?.items?.length > 0);
    }
    for (const visit of visits)
        await until(`everything of visit ${visit} has come to its end`, async () => {
            const all = await entries(visit);
            return all.length >= 2 && all.every((e) => !["waiting", "sent_maybe"].includes(e.state));
        });
    clearInterval(computer);
    receiptComputer();
    const fresh = files.slice(from.files);
    check("kill -9 on the way: each face file exactly once", fresh.length === people.length && new Set(fresh.map((f) => f.name)).size === people.length &&
        people.every((name) => fresh.filter((f) => japanese(f).includes(`<Name>${person(name).Name}</Name>`)).length === 1), `${fresh.length}`);
    check("each hook at least once, under one id", visits.every((visit) => {
        const mine = hooks.filter((h) => JSON.parse(h.body).visit === visit);
        return mine.length > 0 && new Set(mine.map((h) => h.id)).size === 1 && mine.every((h) => h.good);
    }));
    const unsure = [];
    for (const visit of visits) {
        const n = orders.filter((o) => o.patient === `CR${visit}`).length, state = (await entry(visit, "orca"))?.state, said = await flags(visit);
        if (n > 1 || (state === "done" ? n !== 1 : state !== "doubtful" || !said.includes("handover"))) unsure.push(`${visit}: ${n} ${state} ${said}`);
    }
    check("ORCA never twice, and what is not sure is shown", unsure.length === 0, unsure.join("; "));
}

// What no visit has called yet, so that each path has answered once.
async function theRest() {
    const staff = readFileSync(`${desk}/tokens/staff`, "utf8").trim(), kiosk = readFileSync(`${desk}/tokens/lane-1`, "utf8").trim();
    const events = async (path, as, token, surface) => {
        const stop = new AbortController();
        const r = await fetch(base + path, { headers: token ? { Authorization: `Bearer ${token}`, "X-Uketsuke": surface } : { Cookie: cookie, "X-Uketsuke": surface }, signal: stop.signal });
        const first = Buffer.from((await r.body.getReader().read()).value ?? "").toString();
        words.push(...api.answer("GET", as, r.status, r.headers.get("content-type"), first));
        stop.abort();
    };
    const visit = (await call("GET", "/api/visits")).json.visits[0].visit;
    for (const path of ["/api/health", "/metrics", "/api/failures", "/api/openapi.json", "/api/session", "/api/lanes", "/api/slips", "/api/slips?all=1", "/api/outbox",
        "/api/outbox?all=1", "/api/outbox?all=2", "/api/troubles", "/api/troubles?since=x", "/api/disaster", "/api/devices", "/api/accounts", "/api/sessions", "/api/visits?limit=0"]) await call("GET", path);
    await call("GET", "/api/lanes/1", { as: "/api/lanes/{lane}" });
    await call("GET", "/api/lanes/9", { as: "/api/lanes/{lane}" });
    await call("GET", "/api/lanes/1", { as: "/api/lanes/{lane}", token: kiosk, surface: "kiosk" });
    await call("GET", "/api/lanes/1/preview", { as: "/api/lanes/{lane}/preview", token: kiosk, surface: "kiosk" });
    await call("POST", "/api/lanes/1/actions", { as: "/api/lanes/{lane}/actions", body: { step: 0, action: "choose_staff" } });
    await call("POST", "/api/lanes/1/actions", { as: "/api/lanes/{lane}/actions", body: { step: 0, action: "no_such" } });
    await events("/api/lanes/1/events", "/api/lanes/{lane}/events", kiosk, "kiosk");
    await events("/api/events", "/api/events", undefined, "board");
    await call("GET", `/api/visits/${visit}/answer`, { as: "/api/visits/{visit}/answer" });
    await call("GET", "/api/visits/999999", { as: "/api/visits/{visit}" });
    await call("GET", `/api/visits/${visit}/slip`, { as: "/api/visits/{visit}/slip" });
    const slip = await call("POST", "/api/slips", { body: { kind: "intake", name: "見本　一", birth: "19800101", sex: "1", address: "見本町", consent: "oral" } });
    check("a slip is filed", slip.status === 200, JSON.stringify(slip.json));
    await call("GET", `/api/visits/${slip.json.visit}/slip`, { as: "/api/visits/{visit}/slip" });
    await call("GET", "/api/slips");
    await call("POST", "/api/slips", { body: { kind: "intake" } });
    await call("POST", `/api/visits/${slip.json.visit}/slip`, { as: "/api/visits/{visit}/slip", body: { what: "settle", note: "済" } });
    await call("POST", `/api/visits/${visit}/slip`, { as: "/api/visits/{visit}/slip", body: { what: "other" } });
    await call("POST", `/api/visits/${visit}/pick-up`, { as: "/api/visits/{visit}/pick-up", body: { name: "代理", relation: "子" } });
    await call("POST", "/api/outbox/999999", { as: "/api/outbox/{entry}", body: { what: "arrived" } });
    await call("POST", "/api/outbox/1", { as: "/api/outbox/{entry}", body: { what: "other" } });
    await call("POST", "/api/disaster", { body: { cause: "outage", word: "試験", until: Math.floor(Date.now() / 1000) + 3600 } });
    await call("GET", "/api/disaster");
    await call("GET", "/api/lanes");
    await call("POST", "/api/disaster", { body: { cause: "off" } });
    await call("POST", "/api/lookup", { body: { insurer: "1" } });
    await call("POST", "/api/lookup", { body: { insurer: "1" }, raw: { "Content-Type": "text/plain" } });
    await call("POST", "/api/session/touch", { body: {} });
    await call("POST", "/api/sign-in", { body: { name: "nobody", password: "1234567890123", code: "" } });
    await call("POST", "/api/setup", { body: { name: "nobody", setup: "AAAA" } });
    await call("POST", "/api/accounts", { body: { what: "no_such", name: "nobody" } });
    await call("DELETE", "/api/sessions/999999", { as: "/api/sessions/{session}" });
    await call("POST", "/api/session", { body: { token: "wrong", name: "x" } });
    await call("GET", "/api/visits", { raw: { Cookie: "" }, token: staff });
    const held = cookie;
    await call("DELETE", "/api/session");
    cookie = "";
    check("without a session nothing is told", (await call("GET", "/api/outbox")).status === 401);
    cookie = held;
}

async function main() {
    await new Promise((resolve) => receiver.listen(port + 3, "127.0.0.1", resolve));
    await until("the web is there", async () => { try { return (await fetch(`${base}/api/health`)).status === 200; } catch { return false; } });
    const token = readFileSync(`${desk}/tokens/staff`, "utf8").trim();
    const signed = await call("POST", "/api/session", { body: { token, name: "受付" } });
    cookie = (signed.headers.get("set-cookie") ?? "").split(";")[0];
    await until("every program is up", async () => {
        const health = (await call("GET", "/api/health")).json;
        return ["handover receipt", "handover hook", "handover orca", "relay main"].every((n) => health.items?.some((i) => i.component === n && i.state === "good"));
    });
    await everythingOnce();
    await hooksAgain();
    await doubt();
    await character();
    await crashes();
    await theRest();
    const metrics = (await asked(`${base}/metrics`, { method: "GET", headers: {} })).text;
    check("Prometheus counts it", /uketsuke_outbox_entries\{kind="orca",state="doubtful"\} \d+/.test(metrics) && /uketsuke_output_up\{output="receipt"\} 1/.test(metrics));
    for (const fault of routerFaults(api, `${here}daemon/web/route.c`)) check(fault, false);
    for (const key of api.unseen()) check(`${key} was called`, false);
    check(`every answer is as the document declares it (${[...api.seen.values()].flat().length} answers, ${api.seen.size} operations)`, words.length === 0, [...new Set(words)].slice(0, 12).join("\n      "));
    receiver.close();
    receiver.closeAllConnections();
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
}
// Whatever goes wrong in between is a failure with words, and an end: never a program that hangs or dies without either.
try {
    await main();
} catch (error) {
    check("the walk came to its end", false, `${error.stack ?? error}${error.cause ? `: ${error.cause}` : ""}`);
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(1);
}
