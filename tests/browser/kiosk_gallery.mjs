// Every screen of the kiosk in every language, and what each is held against: words, layout, axe, keys alone.
import { axeFaults, layoutFaults, sizes } from "./checks.mjs";
import { languages } from "../../daemon/web/pages/languages.js";
import { prompts } from "../../daemon/web/voice/prompts.mjs";
import { kioskScreens, screenOf, visitNow } from "./kiosk_screens.mjs";
import { ownEvents, quietLane } from "./told.mjs";

// 8x6 pixels of one grey, so that the face screen has a picture and nobody's face.
const greyPicture = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAAAAADbboAnAAAADklEQVR4nGPIhgIGUhgAHgQUETfzuLEAAAAASUVORK5CYII=",
    "base64",
);

// A kiosk that hears what the test tells it and posts to nobody.
export class Told {
    static async open(stage) {
        const told = new Told();
        told.posted = [];
        told.view = await stage.open("kiosk", "/kiosk/1", async (page) => {
            await page.addInitScript(ownEvents);
            /* One picture (a grey square of our own), then none: the next answer never comes. */
            await page.route("**/api/lanes/1/preview*", (route) =>
                route.request().url().endsWith("after=0")
                    ? route.fulfill({ status: 200, contentType: "image/png", headers: { "X-Frame": "1" }, body: greyPicture })
                    : undefined,
            );
            await page.route("**/api/lanes/1/actions", (route) => {
                told.posted.push(route.request().postDataJSON());
                return route.fulfill({ status: 200, contentType: "application/json", body: "{}" });
            });
        });
        told.page = told.view.page;
        await told.page.waitForFunction(() => globalThis.listening());
        await told.tell(quietLane);
        return told;
    }
    event(name, data) {
        return this.page.evaluate(([n, d]) => globalThis.tell(n, d), [name, data]);
    }
    tell(lane) {
        return this.event("lane", lane);
    }
    // A state of visit 71, or of none.
    state(state) {
        return this.tell(state.state && state.visit !== null ? visitNow(state) : { ...quietLane, ...state });
    }
    words() {
        return this.page.evaluate(() => document.body.innerText);
    }
    sent(action) {
        return this.posted.find((p) => p.action === action);
    }
    // The page has sent this; what must come may take its time on a busy machine.
    async until(action) {
        for (const end = Date.now() + 30000; Date.now() < end && !this.sent(action); )
            await this.page.waitForTimeout(50);
    }
    close() {
        return this.view.context.close();
    }
}

// Runs in the page: what a user of a screen reader would miss.
function hears() {
    const screen = document.getElementById("screen");
    const spoken = document.getElementById("spoken");
    const title = screen.querySelector("h1");
    const faults = [];
    if (document.activeElement !== screen)
        faults.push(`the focus is at ${document.activeElement.tagName} ${document.activeElement.id}`);
    if (title === null)
        faults.push("no heading");
    else if (!title.classList.contains("unseen") && !spoken.textContent.includes(title.querySelector(".first").textContent))
        faults.push(`"${spoken.textContent}" is said`);
    if (spoken.getAttribute("aria-live") !== "polite" || spoken.lang !== document.documentElement.lang)
        faults.push("the live region is not one");
    if (screen.querySelector(".fault:not([role=alert]):not([hidden])"))
        faults.push("a failure is no alert");
    return faults.join(", ");
}

// Each state in Japanese: what it says, three sizes, axe, a picture of each.
export async function kioskJapanese(stage, all) {
    const { checks } = stage;
    const told = await Told.open(stage);
    const { page, view } = told;
    const words = () => told.words();

    for (const [name, state, expected] of kioskScreens(all)) {
        await told.state(state);
        await page.waitForFunction((e) => document.body.innerText.includes(e), expected, { timeout: 30000 }).catch(() => {});
        checks.check(`kiosk, ${name}: says "${expected}"`, (await words()).includes(expected), await words());
        await stage.look(view, `g-${name}`);
        const heard = await page.evaluate(hears);
        checks.check(`kiosk, ${name}: who listens hears the question and begins at its top`, heard === "", heard);
        await told.tell(quietLane);
    }
    for (const [name, key] of [["language", "+"], ["ease", "."]]) {
        await told.event("settings", { voice: "request", keypad: "fixed" });
        await told.state({ state: "method", offers: ["choose_face", "choose_pin", "choose_staff", "cancel"] });
        await page.keyboard.press(key);
        await stage.look(view, `g-${name}`);
        await page.keyboard.press("*");
        await told.tell(quietLane);
    }
    stage.quiet(view, " in the gallery");
    await told.close();
}

// Runs in the page: which words stand in another language than the one chosen, and what a voice would say.
async function wordsAndPrompts() {
    const { promptsOf } = await import("/voice.js");
    const place = document.getElementById("screen");
    return {
        lang: document.documentElement.lang,
        others: [...place.querySelectorAll(".first")].filter((e) => e.lang !== document.documentElement.lang).map((e) => e.textContent),
        prompts: promptsOf(place),
        words: document.body.textContent,
    };
}

// One size: at every step to every language, by keys alone, and back; the failures each in every language.
async function everyLanguage(stage, size, spoken, steps, troubles, { pictures = false, axe = false } = {}) {
    const told = await Told.open(stage);
    const { page } = told;
    const faults = [];
    const prompted = new Set();
    let screens = 0;

    async function look(name, language, n, state, expected) {
        await page.keyboard.press("+");
        await page.keyboard.press(String(n + 1));
        const now = await page.evaluate(wordsAndPrompts);
        const where = `${name} ${language.code}`;
        screens++;
        if (now.lang !== language.tag)
            faults.push(`${where}: the language is ${now.lang}`);
        if (now.others.length > 0)
            faults.push(`${where}: "${now.others[0]}" is in another language`);
        if (expected !== null && !now.words.includes(expected))
            faults.push(`${where}: is not said`);
        if (now.prompts.length === 0 && state.state !== "take_card" && state.state !== "face" && state.state !== "show_card")
            faults.push(`${where}: a voice would say nothing`);
        for (const prompt of now.prompts) {
            prompted.add(prompt);
            if (!spoken.has(prompt))
                faults.push(`${where}: no recording ${prompt}`);
        }
        faults.push(...(await layoutFaults(page, "kiosk")).map((f) => `${where}: ${f}`));
        if (axe && expected === null)
            faults.push(...(await axeFaults(page, "kiosk", stage.packages)).map((f) => `${where}: axe: ${f}`));
        if (pictures)
            await page.screenshot({ path: `${stage.pictures}/languages/${name}-${language.code}-${size.width}x${size.height}.jpg`, type: "jpeg", quality: 60 });
    }
    await page.setViewportSize(size);
    for (const [name, state] of steps) {
        await told.state(state);
        for (const [n, language] of languages.entries())
            await look(name, language, n, state, null);
    }
    for (const failure of troubles) {
        if (["S003", "C014", "P002", "N002"].includes(failure.code))
            continue; // these are screens of their own, above
        const state = screenOf(failure.patient);
        await told.state(state);
        for (const [n, language] of languages.entries()) {
            const words = failure.patient[language.code] ?? language.catalogue[failure.code];
            /* Guidance of a face stands for a while, each; the others at once. That staff come is said once, by the
               title, and then the code alone stands there. */
            const title = ["staff", "done"].includes(state.state) && failure.patient.ja === "係の者がご案内します。";
            await look(failure.code, language, n, state, state.state === "face" ? null : title ? failure.code : withoutReadings(words, language));
        }
    }
    await told.tell({ ...quietLane, visit: "70", state: "method" });
    await told.tell(quietLane);
    const next = await page.getAttribute("html", "lang");
    await told.close();
    const what = `${size.width}x${size.height}${axe ? ", axe at each state" : ""}: ${steps.length} states and ${troubles.length} failures in ${languages.length} languages, switched at each, by keys`;
    stage.checks.check(`kiosk, ${what} (${screens} screens)`, faults.length === 0, [...new Set(faults)].slice(0, 12).join(" | "));
    stage.checks.check(`kiosk, ${size.width}x${size.height}: the next patient begins in Japanese`, next === "ja", next);
    return prompted;
}

// As textContent has it: 漢字(かんじ).
const withoutReadings = (words, language) => (language.code === "ja-easy" ? words.replace(/《/g, "(").replace(/》/g, ")") : words);

export async function kioskLanguages(stage, all, short) {
    const spoken = new Set(prompts(all.map((f) => f.patient)).map((one) => `${one.language}/${one.name}`));
    const steps = kioskScreens(all);
    /* The smallest screen is where words do not fit: every failure there, and in the long form pictures to be looked at.
       The last two are the ends of what is promised: a small screen on end, and a large one. */
    const [smallest, ...larger] = sizes;
    const prompted = await Promise.all([
        everyLanguage(stage, smallest, spoken, steps, all, { pictures: !short, axe: true }),
        ...larger.map((size) => everyLanguage(stage, size, spoken, steps, short ? [] : all, { axe: !short })),
        ...[{ width: 480, height: 800 }, { width: 1920, height: 1080 }].map((size) => everyLanguage(stage, size, spoken, steps, [])),
    ]);
    if (!stage.voice)
        return;
    /* The recordings themselves, from the desk that serves them. */
    const missing = [];
    for (const name of new Set(prompted.flatMap((set) => [...set]))) {
        const answer = await fetch(`${stage.origin}/voice/${name}`);
        const head = Buffer.from(await answer.arrayBuffer()).subarray(0, 4).toString("latin1");
        if (answer.status !== 200 || answer.headers.get("content-type") !== "audio/ogg" || head !== "OggS")
            missing.push(`${name} ${answer.status}`);
    }
    stage.checks.check("kiosk: each recording that a screen asks for is served", missing.length === 0, missing.slice(0, 8).join(", "));
}

export async function kioskEntry(stage, all) {
    const { checks } = stage;
    const told = await Told.open(stage);
    const { page, view, posted } = told;
    const tell = (lane) => told.tell(lane);
    const words = () => told.words();

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
    await told.until("send_number_b");
    const sent = posted.find((p) => p.action === "send_number_b");
    checks.check("kiosk: 14 digits leave as one sealed envelope (65 + 12 + 14 + 16 bytes)", sent !== undefined && Buffer.from(sent.sealed, "base64").length === 107, JSON.stringify(posted));

    /* are you still there? */
    posted.length = 0;
    await tell(quietLane);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
    await tell(visitNow({ state: "method", offers: ["choose_face", "choose_pin", "choose_staff", "still_here", "cancel"], ends_ms: 60000 }));
    await tell(visitNow({ state: "method", step: 1, offers: ["choose_face", "choose_pin", "choose_staff", "still_here", "cancel"], ends_ms: 28000 }));
    await told.until("still_here");
    checks.check("kiosk: who has just pressed something is not asked, the desk is told", posted.some((p) => p.action === "still_here") && (await page.isHidden("#veil")), JSON.stringify(posted));
    posted.length = 0;
    await page.waitForTimeout(10500); // longer than a press counts: nothing is put off unasked any more
    await tell(visitNow({ state: "method", step: 2, offers: ["choose_face", "choose_pin", "choose_staff", "still_here", "cancel"], ends_ms: 15000 }));
    await page.waitForSelector("#veil:not([hidden])");
    await page.evaluate(() => { // its clock stands while it is looked at
        const now = performance.now();
        performance.now = () => now;
    });
    await stage.look(view, "g-still");
    checks.check("kiosk: before time runs out the patient is asked, and the focus is on the answer", (await words()).includes("まだ続けますか") && (await page.evaluate(() => document.activeElement.closest("#veil") !== null)));
    posted.length = 0;
    await page.keyboard.press("Enter");
    await told.until("still_here");
    checks.check("kiosk: Enter says yes", posted.some((p) => p.action === "still_here"), JSON.stringify(posted));
    await page.evaluate(() => delete performance.now);

    /* the card has fallen down: who looks for it is asked late, and not answered for */
    posted.length = 0;
    await tell(quietLane);
    await tell(visitNow({ state: "card_lost", card: false, offers: ["cancel", "choose_staff", "still_here"], ends_ms: 15000 }));
    await page.waitForTimeout(1300);
    checks.check("kiosk, card away: at first nothing stands over the screen, and nothing is put off unasked", (await page.isHidden("#veil")) && posted.length === 0, JSON.stringify(posted));
    await tell(visitNow({ state: "card_lost", step: 2, card: false, offers: ["cancel", "choose_staff", "still_here"], ends_ms: 7500 }));
    await page.waitForSelector("#veil:not([hidden])");
    await page.keyboard.press("Enter");
    await told.until("still_here");
    checks.check("kiosk, card away: before the visit ends the patient is asked, and may say yes", posted.some((p) => p.action === "still_here" && p.step === 2), JSON.stringify(posted));
    await tell(visitNow({ state: "card", step: 3, card: true, offers: ["cancel", "choose_staff"] }));
    await page.waitForSelector("#veil", { state: "hidden" });
    checks.check("kiosk, card away: the card is back, the question is gone", (await words()).includes("カードを動かさないでください"));

    /* a transit card is no card to go on with */
    const failure = (code) => all.find((f) => f.code === code).patient;
    const lost = async (code) => {
        await tell(visitNow({ state: "card_lost", card: false, failure: failure(code), offers: ["cancel", "choose_staff"] }));
        return (await words()).includes("同じカードなら、続きから進みます");
    };
    checks.check("kiosk, card away: the same card goes on; who has placed another kind is not told so", (await lost("C003")) && !(await lost("C002")));
    /* the certificate of the card ends soon: what that means and where it is renewed, beside the result */
    await tell(visitNow({ state: "done", outcome: "eligible", card: true, failure: failure("C017") }));
    const end = await words();
    checks.check("kiosk, certificate that ends soon: received, where it is renewed, and the card to be taken", ["受付が終わりました", "期限が近づいています", "市区町村の窓口で更新", "カードをお取りください"].every((w) => end.includes(w)), end);
    await stage.look(view, "g-done-ends");
    await tell(quietLane);

    /* nobody answers any more */
    await tell(quietLane);
    await page.evaluate(() => globalThis.tell("desk", { up: false }));
    await page.waitForFunction(() => document.body.innerText.includes("しばらくお待ちください"));
    await stage.look(view, "g-offline");
    await page.evaluate(() => globalThis.tell("desk", { up: true }));
    await page.waitForFunction(() => document.body.innerText.includes("マイナンバーカードを置いてください"));
    checks.check("kiosk: it comes back by itself when the desk does", true);
    stage.quiet(view, " while digits were keyed in");
    await told.close();
}
