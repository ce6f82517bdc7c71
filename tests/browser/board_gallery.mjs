// Every state and every failure on the board.
import { Form } from "./board_forms.mjs";
import { ownEvents, quietLane } from "./told.mjs";

export const quietVisit = {
    visit: "1", lane: 1, opened: 1800000000, closed: null, state: "closed", method: "face", outcome: "eligible", failure: null, flags: [], name: "見本　太郎",
    kana: "ミホン　タロウ", birth: "19750604", sex: "1", validity: "1", ratio: "030", limit_class: "A03", insurer: "99000010 架空健康保険組合", notice: "",
    reference: "PT000123", consents: ["limit", "drugs"], answered: 1800000000, record: "yes", challenge: "yes", liveness: "passed", score_milli: 612,
    card_ms: 800, photo_ms: 1500, face_ms: 900, pin_ms: 0, ask_ms: 200, total_ms: 3400, apdus: 60, frames: 12, staff: "受付",
};

// What is handed over to others: listed, told live, decided by keys alone, and never decided twice.
async function handedOver({ stage, page, waiting, tell, of, look, view, opened }) {
    const { checks } = stage;
    const form = new Form(page, checks);
    const entry = (n, more) => ({ entry: String(n), visit: "98", target: "orca", kind: "orca", cause: "finished", state: "waiting", failure: null, tries: 0, made: opened, tried: null, due: null, ended: null, name: "", detail: "", staff: "", patient: "見本　太郎", ...more });
    const posted = [];
    await page.route("**/api/outbox/*", (route) => {
        posted.push([route.request().url().split("/").pop(), route.request().postDataJSON()]);
        return posted.length === 3
            ? route.fulfill({ status: 409, contentType: "application/json", body: JSON.stringify({ error: { ...of("S003"), next: "wait" } }) })
            : route.fulfill({ status: 200, contentType: "application/json", body: '{"accepted":true,"visit":"98"}' });
    });
    const filter = page.locator('#filters [data-filter="outbox"]');
    checks.check("board: a house that hands nothing over has no list for it", (await filter.count()) === 0);
    waiting.push(entry(9, { target: "earlier" }));
    await tell("ready", {});
    await filter.waitFor();
    checks.check("board: what waited before the page was opened is asked for", (await filter.innerText()) === "引き渡し", await filter.innerText());
    await tell("outbox", entry(9, { state: "done" }));
    await tell("outbox", entry(1, { tries: 2, state: "doubtful", failure: of("H005"), tried: opened + 60, detail: "timeout" }));
    await tell("outbox", entry(2, { made: opened + 10, target: "receipt", kind: "face_file", state: "refused", failure: of("H003"), tries: 1, detail: "Name", name: "OQSsiquc01res_face_1.xml", patient: "見本　花子", visit: "100" }));
    await tell("outbox", entry(3, { made: opened + 20, target: "hook", kind: "hook", due: opened + 300, tries: 4, failure: of("H001") }));
    checks.check("board: how many hand-overs staff have to decide about stands at the filter", (await filter.innerText()) === "引き渡し 2件", await filter.innerText());
    await filter.focus();
    await page.keyboard.press("Enter");
    const said = await page.locator("#visits").innerText();
    checks.check("board: what waits, is doubtful or was refused: to whom, whose, why", ["orca", "届いたか分かりません", "H005", "timeout", "receipt", "渡せませんでした", "H003", "見本　花子", "hook", "これから渡します", "レセコンのフォルダーへのファイル"].every((w) => said.includes(w)), said);
    await look(view, "g-outbox");
    const row = (n) => page.locator(`#visits tr[data-visit="o${n}"]`);
    const dialog = () => page.locator("#dialog").innerText();
    await row(3).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="outbox"]');
    checks.check("board: what waits is nobody's to decide", (await page.locator("#dialog [data-action=resend], #dialog [data-action=arrived]").count()) === 0 && (await dialog()).includes("自動で渡します"), await dialog());
    await page.keyboard.press("Escape");
    await form.closed();
    checks.check("board: Escape goes back to its row", (await page.evaluate(() => document.activeElement.dataset.visit)) === "o3");
    await row(1).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="outbox"]');
    checks.check("board: a doubt is explained before anything is sent", (await dialog()).includes("確かめずに渡すと二重になる") && (await page.evaluate(() => document.activeElement.dataset.action)) === "close", await dialog());
    await look(view, "g-outbox-doubt");
    await page.locator("#dialog [data-action=arrived]").focus();
    await page.keyboard.press("Enter");
    await form.closed();
    checks.check("board: that it is there is sent and said", JSON.stringify(posted) === '[["1",{"what":"arrived"}]]' && (await page.locator("#spoken").textContent()).includes("orcaに届いている"), JSON.stringify(posted));
    await tell("outbox", entry(1, { state: "done", ended: opened + 90, staff: "受付" }));
    checks.check("board: what is over there is gone from the list", (await row(1).count()) === 0 && (await filter.innerText()) === "引き渡し 1件");
    await row(2).focus();
    await page.keyboard.press("Enter");
    await page.locator("#dialog [data-action=resend]").focus();
    await page.keyboard.press("Enter");
    await form.closed();
    checks.check("board: once more is sent", JSON.stringify(posted[1]) === '["2",{"what":"resend"}]', JSON.stringify(posted));

    /* somebody else decides while it stands open here; and the desk refuses what was decided already */
    await row(2).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="outbox"]');
    await tell("outbox", entry(2, { target: "receipt", kind: "face_file", state: "sent_maybe", tries: 2, visit: "100" }));
    await page.waitForFunction(() => document.querySelector("#dialog [data-action=resend]") === null);
    checks.check("board: decided elsewhere, the buttons are gone and the focus stays inside", await page.evaluate(() => document.activeElement.closest("#dialog") !== null));
    await tell("outbox", entry(2, { state: "done", visit: "100" }));
    await form.closed();
    await tell("outbox", entry(4, { state: "refused", failure: of("H004"), detail: "10 <b>試験</b>", target: "orca" }));
    await row(4).focus();
    await page.keyboard.press("Enter");
    await page.locator("#dialog [data-action=resend]").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="notice"]');
    checks.check("board: what the desk refuses is said", (await dialog()).includes("S003"), await dialog());
    await page.keyboard.press("Escape");
    await form.closed();

    /* beside the visit that it belongs to */
    await page.click('#filters [data-filter="all"]');
    await page.locator('#visits [data-visit="98"]').focus();
    await page.keyboard.press("Enter");
    const part = () => page.locator("#handed").innerText();
    checks.check("board: it stands in the details of its visit, markup as text", await part().then((words) => ["orca", "渡せませんでした", "H004", "10 <b>試験</b>", "hook"].every((w) => words.includes(w))), await part());
    await look(view, "g-outbox-visit");
    await page.locator('#handed [data-action="outbox-4"]').focus();
    await tell("outbox", entry(3, { target: "hook", kind: "hook", state: "done" }));
    checks.check("board: news do not take the focus away", (await page.evaluate(() => document.activeElement.dataset.action)) === "outbox-4" && !(await part()).includes("hook"));
    await tell("outbox", entry(4, { state: "done" }));
    checks.check("board: nothing is left of it when it is over there", (await part()) === "" && (await page.evaluate(() => document.activeElement.closest("#detail") !== null)));
    await page.keyboard.press("Escape");
}

// A day of more visits, slips and hand-overs than the first words hold: the page fetches what is older, draws some of it,
// and finds all of it.
async function longDay(stage) {
    const { checks } = stage;
    const PAGE = 256;
    const asked = [];
    // id 1 is the oldest
    const pageOf = (rows, key, from, make) => {
        const list = [];
        for (let id = from - 1; id > 0 && list.length < PAGE; id--)
            list.push(make(String(id)));
        return JSON.stringify({ [rows]: list, more: list.at(-1)?.[key] !== "1" });
    };
    const visit = (id) => ({ ...quietVisit, visit: id, opened: quietVisit.opened + Number(id), name: `見本　${id}番` });
    const slip = (id) => ({ visit: id, lane: 1, kind: "intake", state: "waiting", failure: null, filed: quietVisit.opened + Number(id), ended: null, name: `例示　${id}番`, kana: "", birth: "", sex: "1", insured: "", insurer: "", number: "", symbol: "", branch: "", different: [], note: "", staff: "" });
    const entry = (id) => ({ entry: id, visit: id, target: "receipt", kind: "face_file", cause: "finished", state: "doubtful", failure: null, tries: 1, made: quietVisit.opened, tried: null, due: null, ended: null, name: "", detail: "", staff: "", patient: `架空　${id}番` });
    const view = await stage.open("board", "/board", async (page) => {
        await page.addInitScript(ownEvents);
        await page.route("**/api/session", (route) => route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify({ sessions: [{ surface: "board", name: "受付" }] }) }));
        for (const [path, rows, key, make, newest] of [["visits", "visits", "visit", visit, 601], ["slips", "slips", "visit", slip, 301], ["outbox", "entries", "entry", entry, 301]])
            await page.route(new RegExp(`/api/${path}(\\?|$)`), (route) => {
                const before = new URL(route.request().url()).searchParams.get("before");
                asked.push(`${path} ${before}`);
                return route.fulfill({ status: 200, contentType: "application/json", body: pageOf(rows, key, Number(before ?? newest), make) });
            });
    });
    const { page } = view;
    const tell = (name, data) => page.evaluate(([n, d]) => globalThis.tell(n, d), [name, data]);
    const drawn = () => page.locator("#visits tr[data-visit]").count();
    const filter = (name) => page.locator(`#filters [data-filter="${name}"]`);

    await page.waitForFunction(() => globalThis.listening());
    await tell("desk", { up: true });
    await tell("visit", visit("600"));
    await tell("slip", slip("300"));
    await tell("ready", { count: 1, older: "600", older_slips: "300" });
    await page.locator('#visits [data-action="draw-all"]').waitFor();
    /* Three chains of pages, each at its own pace: what the last of each adds is waited for. */
    await page.waitForFunction(() => ['#visits [data-action="draw-all"]', '#filters [data-filter="slips"]', '#filters [data-filter="outbox"]'].every((one) => document.querySelector(one)?.innerText.includes("300")), null, { timeout: 30000 }).catch(() => {});
    for (const end = Date.now() + 30000; Date.now() < end && asked.length < 7; )
        await page.waitForTimeout(50);
    checks.check("board: a long day is fetched page by page", ["visits 600", "visits 344", "visits 88", "slips 300", "slips 44", "outbox null", "outbox 45"].every((one) => asked.includes(one)) && asked.length === 7, asked.join(", "));
    checks.check("board: three hundred rows are drawn, the newest first", (await drawn()) === 300 && (await page.locator("#visits tr[data-visit]").first().getAttribute("data-visit")) === "600", String(await drawn()));
    checks.check("board: how many slips and hand-overs wait is said of all of them", (await filter("slips").innerText()).includes("300") && (await filter("outbox").innerText()).includes("300"), `${await filter("slips").innerText()} ${await filter("outbox").innerText()}`);
    await stage.look(view, "g-long-day");
    await page.locator("#search").fill("見本 7番");
    checks.check("board: who came first this morning is found", (await drawn()) === 1 && (await page.locator("#visits tr[data-visit]").getAttribute("data-visit")) === "7", String(await drawn()));
    await page.locator("#search").fill("");
    await page.locator('#visits [data-action="draw-all"]').focus();
    await page.keyboard.press("Enter");
    checks.check("board: and all of it is drawn when somebody asks", (await drawn()) === 600, String(await drawn()));
    await view.context.close();
}

// A lane, a visit speak up between the down and the up of a press, by mouse, finger and blank. They do so within the page,
// as soon as the press has begun there, and down and up are sent together: a slow test does not make a long press.
async function pressedMeanwhile(checks, page, tell) {
    const posted = [];
    const route = "**/api/lanes/1/actions";
    await page.route(route, (r) => {
        posted.push(r.request().postDataJSON().action);
        return r.fulfill({ status: 200, contentType: "application/json", body: "{}" });
    });
    const button = page.locator('.lane[data-lane="1"] [data-action="staff_confirm"]');
    const two = (words) => page.waitForFunction((w) => document.querySelector('.lane[data-lane="2"]').innerText.includes(w), words, { timeout: 30000, polling: 50 }).then(() => true, () => false);
    const news = (patient) => [
        ["lane", { ...quietLane, lane: 2, label: "窓口2", visit: "72", state: "pin", method: "none", patient, pin_tries: 2, offers: ["choose_staff", "staff_end"] }],
        ["visit", { ...quietVisit, visit: "99", outcome: "open", state: "pin", opened: quietVisit.opened + 9999, name: patient }],
    ];
    const meanwhile = (begins, patient) => page.evaluate(([event, all]) => addEventListener(event, () => all.forEach(([name, data]) => globalThis.tell(name, data)), { capture: true, once: true }), [begins, news(patient)]);
    let place = null;
    const presses = [
        ["mouse", "pointerdown", () => button.hover(), () => page.mouse.down(), () => page.mouse.up()],
        ["blank", "keydown", () => button.focus(), () => page.keyboard.down(" "), () => page.keyboard.up(" ")],
        ["finger", "pointerdown", async () => (place = await middle(button)), () => finger("touchStart", [place]), () => finger("touchEnd", [])],
    ];
    const glass = await page.context().newCDPSession(page);
    await glass.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    const finger = (type, touchPoints) => glass.send("Input.dispatchTouchEvent", { type, touchPoints });
    const middle = async (one) => {
        const { x, y, width, height } = await one.boundingBox();
        return { x: x + width / 2, y: y + height / 2 };
    };
    for (const [name, begins, there, down, up] of presses) {
        posted.length = 0;
        await there();
        await meanwhile(begins, `途中　${name}`);
        await Promise.all([down(), up()]);
        const drawn = await two(`途中　${name}`);
        for (const end = Date.now() + 30000; Date.now() < end && posted.length === 0; )
            await page.waitForTimeout(50); // a request is told behind what the page drew
        checks.check(`board, ${name}: what arrives during a press neither takes it away nor is lost`, posted.join() === "staff_confirm" && drawn, `${posted} ${drawn}`);
    }
    await glass.send("Emulation.setTouchEmulationEnabled", { enabled: false });
    await glass.detach();
    await button.hover();
    await page.mouse.down();
    await page.mouse.move(2, 2);
    await page.mouse.up();
    for (const [name, data] of news("例示　次郎"))
        await tell(name, data);
    checks.check("board: a press that ends elsewhere presses nothing, and holds nothing back", (await two("例示　次郎")) && posted.length === 1, posted.join());
    await page.unroute(route);
    const taken = await page.evaluate(async () => {
        const { pressOf } = await import("/press.js");
        const told = [], press = pressOf(), { visit } = press.held({ visit: (which) => told.push(which) });
        const later = () => new Promise((done) => setTimeout(done, 50));
        visit("before");
        dispatchEvent(new Event("pointerdown"));
        visit("in the middle");
        press.drop();
        dispatchEvent(new Event("click"));
        await later();
        visit("after");
        return told.join();
    });
    checks.check("board: what waits for the end of a press is gone with the session", taken === "before,after", taken);
}

// A stream that is lost opens anew by itself, one that was stopped never: not after the wait, and it says nothing of an end.
async function stoppedStream(checks, page) {
    const told = await page.evaluate(async () => {
        const { connect } = await import("/api.js");
        const usual = { EventSource: globalThis.EventSource, fetch: globalThis.fetch }, made = [], states = [], lose = {};
        globalThis.fetch = async (path) => ({ status: path === "/api/gone" ? 401 : 200 }); // no real one: the console shall say nothing
        globalThis.EventSource = class {
            static CLOSED = 2;
            readyState = 2;
            constructor(path) {
                made.push(path);
                this.path = path;
            }
            addEventListener(name, handler) {
                if (name === "error")
                    lose[this.path] = handler;
            }
            close() {}
        };
        const listen = (path) => connect("board").listen(path, {}, (state) => states.push(`${path} ${state}`));
        listen("/api/there/events");
        await lose["/api/there/events"]();
        const stop = listen("/api/here/events");
        await lose["/api/here/events"]();
        stop();
        const leave = listen("/api/gone/events");
        const lost = lose["/api/gone/events"]();
        leave();
        await lost;
        await new Promise((done) => setTimeout(done, 900));
        Object.assign(globalThis, usual);
        return { made: made.join(), states: states.join() };
    });
    checks.check("board: a stream that is lost opens anew, a stopped one neither opens nor tells of an end",
        told.made === "/api/there/events,/api/here/events,/api/gone/events,/api/there/events" && !told.states.includes("closed"), JSON.stringify(told));
}

export async function boardGallery(stage, all) {
    const { checks } = stage;
    const look = stage.look.bind(stage);
    const view = await stage.open("board", "/board", async (page) => {
        await page.addInitScript(ownEvents);
        await page.route("**/api/session", (route) =>
            route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify({ sessions: [{ surface: "board", name: "受付" }] }) }),
        );
    });
    const { page } = view;
    const form = new Form(page, checks);
    const waiting = []; // what the desk says is not handed over
    await page.route("**/api/outbox", (route) => route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify({ entries: waiting }) }));
    const tell = (name, data) => page.evaluate(([n, d]) => globalThis.tell(n, d), [name, data]);
    const of = (code) => all.find((f) => f.code === code).staff;
    const words = () => page.evaluate(() => document.body.innerText);

    await page.waitForFunction(() => globalThis.listening());
    await tell("desk", { up: true });
    await tell("lane", { ...quietLane });
    await tell("ready", {});
    await look(view, "g-empty");

    const lane = (n, state) => tell("lane", { ...quietLane, lane: n, label: `窓口${n}`, visit: String(70 + n), ...state });
    await lane(1, { state: "visual", patient: "見本　三郎", failure: of("P003"), offers: ["staff_confirm", "staff_reject", "staff_end"] });
    await lane(2, { state: "pin", method: "none", patient: "例示　次郎", pin_tries: 2, offers: ["choose_staff", "staff_end"] });
    await lane(3, { state: "link", patient: "架空　花子", failure: of("E016"), offers: ["link", "staff_reject", "staff_end"] });
    await tell("lane", { ...quietLane, lane: 4, label: "窓口4", reader: of("R002") });
    const rows = all.map((f, i) => ({ ...quietVisit, visit: String(100 + i), opened: quietVisit.opened + i * 60, failure: f.staff, outcome: f.staff.kind === "notice" ? "eligible" : "staff", flags: i % 9 === 0 || f.code === "V005" ? ["look"] : [] })); // V005 says something else once somebody has looked
    for (const one of rows)
        await tell("visit", one);
    await tell("visit", { ...quietVisit, visit: "99", outcome: "open", state: "pin", opened: quietVisit.opened + 9999, name: "例示　次郎" });
    await look(view, "g-full");
    await pressedMeanwhile(checks, page, tell);
    await stoppedStream(checks, page);

    /* every failure: code, words for staff, the next step */
    const missing = [];
    for (const one of rows) {
        await page.locator(`#visits [data-visit="${one.visit}"]`).focus();
        await page.keyboard.press("Enter");
        const detail = await page.evaluate(() => document.getElementById("detail").innerText);
        if (!detail.includes(one.failure.code) || !detail.includes(one.failure.ja) || !/次にすること.{8,}/s.test(detail))
            missing.push(one.failure.code);
    }
    checks.check(`board: every failure shows code, words and next step (${rows.length})`, missing.length === 0, missing.join(" "));
    await look(view, "g-detail");
    await page.keyboard.press("Escape");
    checks.check("board: Escape closes the details, the focus is back in the list", await page.evaluate(() => document.activeElement.closest("#visits") !== null && document.getElementById("detail").hidden));

    /* what staff have to know of a visit, in words; what waits for them is found by the filter */
    const flags = { who: "だれかを決める", changed: "前回と違う", late: "終了後に回答", last_month: "先月以前の回答", handover: "引き渡しを確認", card_ends: "カードの期限が近い", card_ended: "カードの証明書が期限切れ", look: "本人か目で確認" };
    await tell("visit", { ...quietVisit, visit: "97", opened: quietVisit.opened + 99990, flags: Object.keys(flags) });
    await tell("visit", { ...quietVisit, visit: "96", opened: quietVisit.opened + 99980, flags: ["changed", "late", "last_month", "card_ends"] }); // nobody waits for these
    const now = Math.floor(Date.now() / 1000);
    await tell("visit", { ...quietVisit, visit: "95", opened: quietVisit.opened + 99970, flags: ["last_known"], answered: now - 7 * 86400 });
    await tell("visit", { ...quietVisit, visit: "94", opened: quietVisit.opened + 99960, flags: ["cached"], answered: now });
    const old = await page.locator('#visits [data-visit="95"]').innerText(), reused = await page.locator('#visits [data-visit="94"]').innerText();
    checks.check("board: the age of an answer stands in the row: an older one's day, today's time", /今日の回答ではない\(7日前、\d{4}\/\d\d\/\d\d \d\d:\d\d\)/.test(old) && /今日の回答を再利用\(\d\d:\d\d\)/.test(reused), `${old} ${reused}`);
    const flagged = await page.locator('#visits [data-visit="97"]').innerText();
    checks.check("board: every flag stands in the row in words", Object.values(flags).every((w) => flagged.includes(w)), flagged);
    await page.locator('#visits [data-visit="97"]').focus();
    await page.keyboard.press("Enter");
    const explained = await page.locator("#detail").innerText();
    checks.check("board: and in the details", Object.values(flags).every((w) => explained.includes(w)), explained);
    await page.keyboard.press("Escape");
    await tell("visit", { ...quietVisit, visit: "93", opened: quietVisit.opened + 99950, flags: ["subsidy"] });
    const row = await page.locator('#visits [data-visit="93"]').innerText();
    await page.locator('#visits [data-visit="93"]').focus();
    await page.keyboard.press("Enter");
    const subsidy = await page.locator("#detail").innerText();
    checks.check("board: a subsidy that the answer does not tell of: ask for the paper, and never that there is none", subsidy.includes("分かりません。紙の受給者証をお持ちか") && subsidy.includes("「助成なし」という意味ではありません") && !row.includes("助成"), `${row} | ${subsidy}`);
    await page.keyboard.press("Escape");
    await page.click('#filters [data-filter="look"]');
    checks.check("board: what waits for somebody is found, what is only to be known is not", (await page.locator('#visits [data-visit="97"]').count()) === 1 && (await page.locator('#visits [data-visit="96"]').count()) === 0);
    checks.check("board: the filter that was pressed keeps the focus", (await page.evaluate(() => document.activeElement.dataset.filter)) === "look");
    await page.click('#filters [data-filter="all"]');

    /* who it is in the clinic's books, and what is not as last time */
    await tell("visit", { ...quietVisit, visit: "98", opened: quietVisit.opened + 99999, flags: ["who", "changed"], match: "doubt", patient: null, alias: "", since: "20260901",
        candidates: [{ number: "P-1001", name: "見本　太郎", by: "name" }, { number: "P-2002", name: "見本　太朗", by: "name" }],
        changes: [{ field: "insurer_name", old: "架空市", new: "架空健康保険組合" }, { field: "ratio", old: "020", new: "030" }] });
    const sent = [], answers = []; // what the desk says to the next ones, where it is not yes
    await page.route("**/api/visits/98/patient", (route) => {
        sent.push(route.request().postDataJSON());
        const other = answers.shift();
        if (other)
            return route.fulfill({ status: other.status, contentType: "application/json", body: JSON.stringify(other.body) });
        return route.fulfill({ status: 200, contentType: "application/json", body: '{"accepted":true,"visit":"98"}' });
    });
    await page.locator('#visits [data-visit="98"]').focus();
    await page.keyboard.press("Enter");
    const who = await page.evaluate(() => document.getElementById("detail").innerText);
    checks.check("board: candidates and differences stand in the details", ["P-1001", "この施設のどの患者ですか", "前回(2026-09-01)の回答との違い", "架空市", "架空健康保険組合", "一部負担金の割合", "2割", "今回"].every((w) => who.includes(w)), who);
    await look(view, "g-who");
    await page.locator('#detail [data-action="not-P-2002"]').focus();
    await page.keyboard.press("Enter");
    await page.locator('#detail [data-action="is-P-1001"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("spoken").textContent.includes("P-1001"));
    checks.check("board: staff say who it is and who it is not", JSON.stringify(sent) === JSON.stringify([{ number: "P-2002", same: false }, { number: "P-1001", same: true }]), JSON.stringify(sent));
    await page.locator('#detail [data-action="patient"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="patient"]');
    await look(view, "g-patient");
    sent.length = 0;
    answers.push({ status: 422, body: { error: { ...of("E029"), field: "number" } } });
    await page.keyboard.type("P 1");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector('#dialog [data-field="number"] .wrong').textContent !== "");
    checks.check("board: a number that cannot be one: the fault stands beside it, and the cursor in it", await page.evaluate(() => document.activeElement.name === "number" && document.activeElement.getAttribute("aria-invalid") === "true"));
    await page.keyboard.press("Control+a");
    await page.keyboard.type("P-3003");
    await page.keyboard.press("Enter");
    await form.closed();
    checks.check("board: link patient number sends the number, for this visit", JSON.stringify(sent) === JSON.stringify([{ number: "P 1", same: true }, { number: "P-3003", same: true }]), JSON.stringify(sent));
    checks.check("board: it is said, and the focus is back at its button", (await page.locator("#spoken").textContent()) === "番号を結びました。" && (await page.evaluate(() => document.activeElement.dataset.action)) === "patient");
    await page.keyboard.press("Escape");
    await tell("visit", { ...quietVisit, visit: "93", opened: quietVisit.opened + 99950, name: "架空　捜子", kana: "カクウ　サガシコ", reference: "PT777" });
    for (const [typed, found] of [["さがし", 1], ["サガシ", 1], ["ｻｶﾞｼ", 1], ["かくうさがしこ", 1], ["架空捜子", 1], ["pt777", 1], ["さがさない", 0]]) {
        await page.locator("#search").fill(typed);
        const rows = await page.locator("#visits tr[data-visit]").evaluateAll((all) => all.map((one) => one.dataset.visit).join());
        checks.check(`board: "${typed}" finds ${found === 1 ? "that patient alone" : "nobody"}`, rows === (found === 1 ? "93" : ""), rows);
    }
    await page.locator("#search").fill("");
    await handedOver({ stage, page, waiting, tell, of, look, view, opened: quietVisit.opened });

    /* more lanes than room: who calls is said beside the heading, and a press leads there */
    for (let n = 5; n <= 12; n++)
        await lane(n, n === 12 ? { state: "visual", patient: "見本　十二", offers: ["staff_confirm", "staff_reject", "staff_end"] } : { visit: null, state: "idle" });
    const calls = page.locator('#calls [data-calls="12"]');
    checks.check("board: a lane that calls below the edge is named beside the heading", (await calls.innerText()).includes("12 窓口12: 目視確認を待っています"), await page.locator("#calls").innerText());
    await look(view, "g-many-lanes");
    await calls.focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector('#calls [data-calls="12"]') === null).catch(() => {});
    checks.check("board: and a press leads to what may be done there", await page.evaluate(() => document.activeElement.closest(".lane")?.dataset.lane === "12" && document.querySelector('#calls [data-calls="12"]') === null), await page.locator("#calls").innerText());
    const noted = await page.evaluate(() => [...document.querySelectorAll("#visits tr[data-visit]")].map((r) => r.innerText).join("\n"));
    checks.check("board: consents stand in the row", noted.includes("同意: 限度額、薬剤"), noted.slice(0, 300));

    /* only what needs somebody */
    await page.click('#filters [data-filter="look"]');
    const shown = await page.locator("#visits tr[data-visit]").count();
    checks.check("board: the filter shows what needs somebody", shown > 0 && shown <= rows.length, String(shown));
    await page.click('#filters [data-filter="all"]');

    await page.keyboard.press("l");
    await look(view, "g-lookup");
    await page.keyboard.press("Escape");
    await page.click("#language");
    await look(view, "g-english");
    checks.check("board: English too", (await words()).includes("Today's visits"));
    view.heard.errors = view.heard.errors.filter((words) => !/409|422/.test(words)); // each refusal above is one
    stage.quiet(view, " in the gallery");
    await view.context.close();

    const closed = await stage.open("board", "/board");
    await closed.page.waitForSelector("#door:not([hidden])");
    await look(closed, "g-sign-in");
    await closed.page.locator("#door input[type=password]").fill("wrong-token");
    await closed.page.locator("#door input[type=text]").fill("受付");
    await closed.page.keyboard.press("Enter");
    await closed.page.waitForSelector("#door [role=alert]");
    checks.check("board: a wrong token is said", (await closed.page.evaluate(() => document.body.innerText)).includes("合言葉が違います"));
    await closed.context.close();
    await longDay(stage);
}
