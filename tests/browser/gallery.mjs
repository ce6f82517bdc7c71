// Every state and every failure on both pages, told to them by an event source of our own: many of them need broken
// equipment or a bad day of the service. Words for failures come from the table that the desk itself is made from.
import { readFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { layoutFaults, sizes } from "./checks.mjs";

const table = new URL("../../daemon/common/failure.def", import.meta.url);

function failures() {
    const row = /^FAILURE\((\w+), "(\w\d+)", (\w+), "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)/gm;
    return [...readFileSync(table, "utf8").matchAll(row)].map(([, , code, kind, patientJa, patientEn, staffJa, staffEn]) => ({
        code,
        patient: { code, kind: kind.toLowerCase(), ja: patientJa, en: patientEn },
        staff: { code, kind: kind.toLowerCase(), ja: staffJa, en: staffEn },
    }));
}

// In place of the browser's: window.tell(event, data) speaks as the server would.
function ownEvents() {
    const sources = [];
    globalThis.EventSource = class {
        static CLOSED = 2;
        readyState = 1;
        heard = new Map();
        constructor() {
            sources.push(this);
            setTimeout(() => this.say("open"), 0);
        }
        addEventListener(name, handler) {
            this.heard.set(name, handler);
        }
        say(name, data) {
            this.heard.get(name)?.({ data: JSON.stringify(data) });
        }
        close() {
            sources.splice(sources.indexOf(this), 1);
        }
    };
    globalThis.tell = (name, data) => sources.forEach((s) => s.say(name, data));
    globalThis.listening = () => sources.length > 0;
}

const key = () => {
    const { x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
    return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]).toString("base64");
};

const quietLane = {
    lane: 1, label: "窓口1", institution: "clinic", visit: null, step: 1, state: "idle", method: "none", outcome: "open", failure: null, hint: null,
    offers: [], pin_tries: null, number_b_tries: null, pin_pad: false, reader: null, camera: null, card: false, box: null, consents: [], key: null,
    patient: "", ends_ms: null,
};

// The states as the desk tells them. `words`: what must stand on the screen.
function kioskScreens(all) {
    const of = (code) => all.find((f) => f.code === code).patient;
    const ways = ["choose_face", "choose_pin", "choose_staff", "cancel", "still_here"];
    return [
        ["idle", {}, "マイナンバーカードを置いてください"],
        ["idle-closed", { reader: of("R001") }, "受付の係にお声がけください"],
        ["card", { state: "card", card: true, offers: ["cancel", "choose_staff"] }, "カードを動かさないでください"],
        ["method", { state: "method", offers: ways }, "ご本人の確認のしかたを選んでください"],
        ["method-scan", { state: "method", offers: ["show_card", ...ways] }, "カードの表をカメラに見せる"],
        ["show-card", { state: "show_card", offers: ["key_in", ...ways.slice(1)] }, "数字を入れる"],
        ["number-b", { state: "number_b", offers: ["send_number_b", "no", ...ways.slice(1)] }, "年号を選んでください"],
        ["number-b-few", { state: "number_b_confirm", number_b_tries: 4, failure: of("N002"), offers: ["yes", "no", ...ways.slice(1)] }, "あと4回間違えると"],
        ["number-b-wrong", { state: "number_b", number_b_tries: 9, failure: of("N001"), offers: ["send_number_b", "no", ...ways.slice(1)] }, "入れ直す"],
        ["photo", { state: "photo", card: true, offers: ["cancel", "choose_staff"] }, "もう少しです"],
        ["face-hint", { state: "face", card: true, hint: of("F003"), offers: ways.slice(1, 4) }, "もう少し近づいてください"],
        ["face-good", { state: "face", card: true, box: { x: 3000, y: 2000, w: 3000, h: 5000 }, offers: ways.slice(1, 4) }, "そのまま動かないでください"],
        ["pin", { state: "pin", pin_tries: 3, offers: ["send_pin", "no", "choose_face", "choose_staff", "cancel", "still_here"] }, "あと3回まで"],
        ["pin-last", { state: "pin", pin_tries: 1, offers: ["send_pin", "no", "choose_staff", "cancel", "still_here"] }, "あと1回だけ"],
        ["pin-pad", { state: "pin", pin_pad: true, pin_tries: 3, offers: ["send_pin", "no", "choose_face", "choose_staff", "cancel"] }, "読み取り機のボタン"],
        ["pin-confirm", { state: "pin_confirm", pin_tries: 1, failure: of("P002"), offers: ["yes", "no", "choose_staff", "cancel"] }, "市区町村の窓口"],
        ["pin-check", { state: "pin_check", offers: ["cancel", "choose_staff"] }, "確認しています"],
        ["visual", { state: "visual", offers: ["no", "cancel"] }, "係の者がお顔を確認します"],
        ["register", { state: "register", offers: ["yes", "no", "cancel", "choose_staff", "still_here"] }, "保険証として使いますか"],
        ["consent", { state: "consent", consents: ["limit", "drugs", "checkup"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "1問目"],
        ["eligibility", { state: "eligibility", offers: ["choose_staff"] }, "資格を確認しています"],
        ["link", { state: "link", failure: of("E016"), offers: ["cancel"] }, "はじめての方ですね"],
        ["staff", { state: "staff", failure: of("E001"), offers: ["cancel"] }, "係の者がまいります"],
        ["card-lost", { state: "card_lost", failure: of("C002"), offers: ["cancel", "choose_staff"] }, "マイナンバーカードではないようです"],
        ["done", { state: "done", outcome: "eligible", card: true }, "カードをお取りください"],
        ["done-no-card", { state: "done", outcome: "eligible" }, "受付が終わりました"],
        ["done-look", { state: "done", outcome: "eligible", card: true, failure: of("V005") }, "係の者が確認します"],
        ["done-staff", { state: "done", outcome: "not_eligible", card: true, failure: of("E007") }, "係の者がご案内します"],
        ["done-abandoned", { state: "done", outcome: "abandoned", card: true, failure: of("V001") }, "受付は終わっていません"],
        ["take-card", { state: "take_card", outcome: "eligible", card: true }, "カードをお取りください"],
        ["take-card-left", { state: "take_card", outcome: "eligible", card: true, failure: of("C014") }, "カードをお取りください"],
    ];
}

const visitNow = (state) => ({ ...quietLane, visit: "71", method: "none", key: key(), ...state });

// 8x6 pixels of one grey, so that the face screen has a picture and nobody's face.
const greyPicture = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAAAAADbboAnAAAADklEQVR4nGPIhgIGUhgAHgQUETfzuLEAAAAASUVORK5CYII=",
    "base64",
);

// A failure on the screen where a patient meets it.
function screenOf(failure) {
    const { kind } = failure;
    const letter = failure.code[0];
    const ways = ["choose_face", "choose_pin", "choose_staff", "cancel"];
    if (kind === "retry")
        return {
            P: { state: "pin", pin_tries: 2, failure, offers: ["send_pin", "no", "cancel", "choose_staff"] },
            N: { state: "number_b", number_b_tries: 9, failure, offers: ["send_number_b", "no", "choose_pin", "choose_staff", "cancel"] },
            F: { state: "face", hint: failure, offers: ways.slice(1) },
            C: { state: "card_lost", failure, offers: ["cancel", "choose_staff"] },
            R: { state: "card_lost", failure, offers: ["cancel", "choose_staff"] },
        }[letter] ?? { state: "method", failure, offers: ways };
    if (kind === "other")
        return { state: "method", failure, offers: ways };
    if (kind === "notice")
        return { state: "done", outcome: "eligible", failure, card: true };
    return letter === "R" ? { visit: null, state: "idle", reader: failure } : { state: "staff", failure, offers: ["cancel"] };
}

async function kioskGallery(stage, all) {
    const { checks } = stage;
    const posted = [];
    const view = await stage.open("kiosk", "/kiosk/1", async (page) => {
        await page.addInitScript(ownEvents);
        /* One picture (a grey square of our own), then none: the next answer never comes. */
        await page.route("**/api/lanes/1/preview*", (route) =>
            route.request().url().endsWith("after=0")
                ? route.fulfill({ status: 200, contentType: "image/png", headers: { "X-Frame": "1" }, body: greyPicture })
                : undefined,
        );
        await page.route("**/api/lanes/1/actions", (route) => {
            posted.push(route.request().postDataJSON());
            return route.fulfill({ status: 200, contentType: "application/json", body: "{}" });
        });
    });
    const { page } = view;
    const tell = (state) => page.evaluate((lane) => globalThis.tell("lane", lane), state);
    const words = () => page.evaluate(() => document.body.innerText);

    await page.waitForFunction(() => globalThis.listening());
    for (const [name, state, expected] of kioskScreens(all)) {
        await tell(state.state ? visitNow(state) : { ...quietLane, ...state });
        await page.waitForFunction((e) => document.body.innerText.includes(e), expected, { timeout: 3000 }).catch(() => {});
        checks.check(`kiosk, ${name}: says "${expected}"`, (await words()).includes(expected), await words());
        await stage.look(view, `g-${name}`);
        await tell(quietLane);
    }

    /* the failures: the words of the table, both languages, nowhere too long */
    for (const language of ["ja", "en"]) {
        const faults = [];
        for (const failure of all) {
            if (["S003", "C014", "P002", "N002"].includes(failure.code))
                continue; // these are screens of their own, above
            const state = screenOf(failure.patient);
            await tell(quietLane);
            if (language === "en")
                await page.click("#language");
            await tell(state.visit === null ? { ...quietLane, ...state } : visitNow(state));
            const text = await words();
            if (!text.includes(failure.patient[language]) && state.state !== "face")
                faults.push(`${failure.code} is not said`);
            for (const size of sizes) {
                await page.setViewportSize(size);
                faults.push(...(await layoutFaults(page, "kiosk")).map((f) => `${failure.code} ${size.width}x${size.height}: ${f}`));
            }
        }
        checks.check(`kiosk: every failure has its screen, ${language}, three sizes (${all.length})`, faults.length === 0, faults.slice(0, 6).join(" | "));
    }
    await page.setViewportSize(sizes[1]);
    await tell(quietLane);

    /* every state in English too */
    const english = [];
    for (const [name, state] of kioskScreens(all)) {
        await tell(quietLane);
        await page.click("#language");
        await tell(state.state ? visitNow(state) : { ...quietLane, ...state });
        for (const size of sizes) {
            await page.setViewportSize(size);
            english.push(...(await layoutFaults(page, "kiosk")).map((f) => `${name} ${size.width}x${size.height}: ${f}`));
        }
    }
    checks.check("kiosk: every state with English first, three sizes", english.length === 0, english.slice(0, 6).join(" | "));
    await page.setViewportSize(sizes[1]);
    await tell(quietLane);
    checks.check("kiosk: the next patient begins in Japanese", (await page.getAttribute("html", "lang")) === "ja");

    /* 照合番号B by the keypad alone, step by step */
    posted.length = 0;
    await tell(visitNow({ state: "number_b", offers: ["send_number_b", "no", "choose_pin", "choose_staff", "cancel"] }));
    await page.keyboard.press("5");
    await stage.look(view, "g-number-b-western");
    await page.keyboard.press("*");
    await page.keyboard.press("1");
    await stage.look(view, "g-number-b-birth");
    await page.keyboard.type("500000");
    await page.keyboard.press("Enter");
    await stage.look(view, "g-number-b-birth-wrong");
    checks.check("kiosk: a month 00 is said and goes no further", (await words()).includes("月と日を確かめてください"));
    for (let i = 0; i < 6; i++)
        await page.keyboard.press("-");
    await page.keyboard.type("500604");
    await page.keyboard.press("Enter");
    await page.keyboard.type("2034");
    await stage.look(view, "g-number-b-expiry");
    await page.keyboard.press("Enter");
    await page.keyboard.type("4137");
    await stage.look(view, "g-number-b-code");
    await page.keyboard.press("Enter");
    await stage.look(view, "g-number-b-check");
    const whole = await words();
    checks.check("kiosk: what was keyed in stands on the last look", ["昭和 50年 06月 04日", "2034年", "4137"].every((w) => whole.includes(w)), whole);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector(".whole"));
    await page.waitForTimeout(100);
    const sent = posted.find((p) => p.action === "send_number_b");
    checks.check("kiosk: 14 digits leave as one sealed envelope (65 + 12 + 14 + 16 bytes)", sent !== undefined && Buffer.from(sent.sealed, "base64").length === 107, JSON.stringify(posted));

    /* are you still there? */
    posted.length = 0;
    await tell(quietLane);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
    await tell(visitNow({ state: "method", offers: ["choose_face", "choose_pin", "choose_staff", "still_here", "cancel"], ends_ms: 28000 }));
    await page.waitForTimeout(1200);
    checks.check("kiosk: who has just pressed something is not asked, the desk is told", posted.some((p) => p.action === "still_here") && (await page.isHidden("#veil")), JSON.stringify(posted));
    posted.length = 0;
    await page.waitForTimeout(9500);
    await tell(visitNow({ state: "method", step: 2, offers: ["choose_face", "choose_pin", "choose_staff", "still_here", "cancel"], ends_ms: 15000 }));
    await page.waitForSelector("#veil:not([hidden])");
    await stage.look(view, "g-still");
    checks.check("kiosk: before time runs out the patient is asked, and the focus is on the answer", (await words()).includes("まだ続けますか") && (await page.evaluate(() => document.activeElement.closest("#veil") !== null)));
    await page.keyboard.press("Enter");
    await page.waitForTimeout(150);
    checks.check("kiosk: Enter says yes", posted.some((p) => p.action === "still_here"), JSON.stringify(posted));

    /* nobody answers any more */
    await tell(quietLane);
    await page.evaluate(() => globalThis.tell("desk", { up: false }));
    await page.waitForFunction(() => document.body.innerText.includes("しばらくお待ちください"));
    await stage.look(view, "g-offline");
    await page.evaluate(() => globalThis.tell("desk", { up: true }));
    await page.waitForFunction(() => document.body.innerText.includes("マイナンバーカードを置いてください"));
    checks.check("kiosk: it comes back by itself when the desk does", true);
    stage.quiet(view, " in the gallery");
    await view.context.close();
}

const quietVisit = {
    visit: "1", lane: 1, opened: 1800000000, closed: null, state: "closed", method: "face", outcome: "eligible", failure: null, flags: [], name: "見本　太郎",
    kana: "ミホン　タロウ", birth: "19750604", sex: "1", validity: "1", ratio: "030", limit_class: "A03", insurer: "99000010 架空健康保険組合", notice: "",
    reference: "PT000123", consents: ["limit", "drugs"], answered: 1800000000, record: "yes", challenge: "yes", liveness: "passed", score_milli: 612,
    card_ms: 800, photo_ms: 1500, face_ms: 900, pin_ms: 0, ask_ms: 200, total_ms: 3400, apdus: 60, frames: 12, staff: "受付",
};

async function boardGallery(stage, all) {
    const { checks } = stage;
    const view = await stage.open("board", "/board", async (page) => {
        await page.addInitScript(ownEvents);
        await page.route("**/api/session", (route) =>
            route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify({ sessions: [{ surface: "board", name: "受付" }] }) }),
        );
    });
    const { page } = view;
    const tell = (name, data) => page.evaluate(([n, d]) => globalThis.tell(n, d), [name, data]);
    const of = (code) => all.find((f) => f.code === code).staff;
    const words = () => page.evaluate(() => document.body.innerText);

    await page.waitForFunction(() => globalThis.listening());
    await tell("desk", { up: true });
    await tell("lane", { ...quietLane });
    await tell("ready", {});
    await stage.look(view, "g-empty");

    const lane = (n, state) => tell("lane", { ...quietLane, lane: n, label: `窓口${n}`, visit: String(70 + n), ...state });
    await lane(1, { state: "visual", patient: "見本　三郎", failure: of("P003"), offers: ["staff_confirm", "staff_reject", "staff_end"] });
    await lane(2, { state: "pin", method: "none", patient: "例示　次郎", pin_tries: 2, offers: ["choose_staff", "staff_end"] });
    await lane(3, { state: "link", patient: "架空　花子", failure: of("E016"), offers: ["link", "staff_reject", "staff_end"] });
    await tell("lane", { ...quietLane, lane: 4, label: "窓口4", reader: of("R002") });
    const rows = all.map((f, i) => ({ ...quietVisit, visit: String(100 + i), opened: quietVisit.opened + i * 60, failure: f.staff, outcome: f.staff.kind === "notice" ? "eligible" : "staff", flags: i % 9 === 0 ? ["look"] : [] }));
    for (const one of rows)
        await tell("visit", one);
    await tell("visit", { ...quietVisit, visit: "99", outcome: "open", state: "pin", opened: quietVisit.opened + 9999, name: "例示　次郎" });
    await stage.look(view, "g-full");

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
    await stage.look(view, "g-detail");
    await page.keyboard.press("Escape");
    checks.check("board: Escape closes the details, the focus is back in the list", await page.evaluate(() => document.activeElement.closest("#visits") !== null && document.getElementById("detail").hidden));

    /* only what needs somebody */
    await page.click("#filters button:nth-child(3)");
    const shown = await page.locator("#visits tr[data-visit]").count();
    checks.check("board: the filter shows what needs somebody", shown > 0 && shown <= rows.length, String(shown));
    await page.click("#filters button:nth-child(1)");

    await page.keyboard.press("l");
    await stage.look(view, "g-lookup");
    await page.keyboard.press("Escape");
    await page.click("#language");
    await stage.look(view, "g-english");
    checks.check("board: English too", (await words()).includes("Today's visits"));
    stage.quiet(view, " in the gallery");
    await view.context.close();

    const closed = await stage.open("board", "/board");
    await closed.page.waitForSelector("#door:not([hidden])");
    await stage.look(closed, "g-sign-in");
    await closed.page.locator("#door input[type=password]").fill("wrong-token");
    await closed.page.locator("#door input[type=text]").fill("受付");
    await closed.page.keyboard.press("Enter");
    await closed.page.waitForSelector("#door [role=alert]");
    checks.check("board: a wrong token is said", (await closed.page.evaluate(() => document.body.innerText)).includes("合言葉が違います"));
    await closed.context.close();
}

export async function gallery(stage) {
    const all = failures();
    stage.checks.check("the table of failures was read", all.length > 70, String(all.length));
    await kioskGallery(stage, all);
    await boardGallery(stage, all);
}
