// What makes the kiosk easier: the lower part of the screen, more time, company, no camera and a voice; the order of
// the digits; one instruction at a time.
import { sizes } from "./checks.mjs";
import { Told } from "./kiosk_gallery.mjs";
import { failures, quietLane } from "./told.mjs";
import ja from "../../daemon/web/pages/text.ja.js";

const ways = ["choose_face", "choose_pin", "choose_staff", "cancel", "still_here"];
const pin = { state: "pin", pin_tries: 3, offers: ["send_pin", "no", "choose_face", "choose_staff", "cancel", "still_here"] };

// From a numeric keypad, where each thing is a key: what makes it easier is opened, changed and closed at any step, who
// cannot see hears each change, and nothing of it reaches the entry or the desk.
async function byKeysAlone({ checks, look }, told, asked, heard) {
    const { page } = told;
    const box = () => page.evaluate(() => (document.getElementById("veil").hidden ? null : [...document.querySelectorAll("#veil [data-ease]")].map((b) => `${b.dataset.ease}${b.getAttribute("aria-pressed") === "true" ? "+" : ""}`).join(" ")));
    const dots = () => page.locator(".dots .on").count();
    const steps = [
        ["idle", {}],
        ["method", { state: "method", offers: ways }],
        ["consent", { state: "consent", method: "face", consents: ["limit"], offers: ["consent", "cancel", "choose_staff"] }],
        ["pin", pin],
        ["pin_confirm", { state: "pin_confirm", pin_tries: 1, offers: ["yes", "no", "choose_staff", "cancel"] }],
        ["done", { state: "done", outcome: "eligible", card: true }],
    ];
    await page.evaluate(() => {
        globalThis.loud = [];
        HTMLMediaElement.prototype.play = function () {
            globalThis.loud.push(this.volume);
            return Promise.resolve();
        };
    });
    const loud = (n) => page.evaluate((i) => globalThis.loud.at(i), n);

    for (const [n, [name, state]] of steps.entries()) {
        const key = n % 2 === 0 ? "." : ","; // what stands on that key differs between countries
        told.posted.length = 0;
        await told.state(state);
        if (name === "pin")
            await page.keyboard.type("12");
        await page.keyboard.press(key);
        const opened = await box();
        checks.check(`kiosk by keys, ${name}: the dot opens what makes it easier`, opened === "slow low company blind voice", String(opened));
        asked.length = 0;
        await page.keyboard.press("5");
        checks.check(`kiosk by keys, ${name}: 5 there: a voice, and it says so and what else there is`, (await box()) === "slow low company blind voice+ volume" && (await heard("ja/ease.voice")), `${await box()} ${asked}`);
        if (["method", "pin"].includes(name))
            await look(`g-ease-keys-${name}`);
        const before = await loud(-1);
        await page.keyboard.press("6");
        await heard("ja/ease.volume.3");
        const up = await loud(-1);
        await page.keyboard.press("6");
        await heard("ja/ease.volume.1");
        const down = await loud(-1);
        checks.check(`kiosk by keys, ${name}: louder and softer, each said as loud as it is`, before < up && down < before && down > 0, `${before} ${up} ${down}`);
        await page.keyboard.press("1");
        const slow = [await box(), await heard("ja/ease.slow")].join();
        await page.keyboard.press("Enter"); // that button has the focus now
        checks.check(`kiosk by keys, ${name}: more time, and no more by Enter`, slow === "slow+ low company blind voice+ volume,true" && (await box()) === "slow low company blind voice+ volume", `${slow} ${await box()}`);
        await page.keyboard.press(key);
        checks.check(`kiosk by keys, ${name}: the dot closes it, at the same step, and nothing was sent`, (await box()) === null && (await told.page.getAttribute("main", "data-state")) === (state.state ?? "idle") && told.posted.length === 0, `${await box()} ${JSON.stringify(told.posted)}`);
        if (name === "pin") {
            const kept = await dots();
            await page.keyboard.press("3");
            checks.check("kiosk by keys, pin: no digit was lost or added meanwhile, the next goes to the entry", kept === 2 && (await dots()) === 3, `${kept} ${await dots()}`);
            await page.keyboard.press("-");
            checks.check("kiosk by keys, pin: the minus takes one digit away", (await dots()) === 2, String(await dots()));
        }
        await told.tell({ ...quietLane, visit: "70", state: "method" });
        await told.tell(quietLane); // the next patient
        await page.keyboard.press(".");
        checks.check(`kiosk by keys, ${name}: none of it is left for the next patient`, (await box()) === "slow low company blind voice", String(await box()));
        await page.keyboard.press("*");
    }
}

export async function kioskEase(stage) {
    const { checks } = stage;
    const told = await Told.open(stage);
    const { page } = told;
    const of = (code) => failures().find((f) => f.code === code).patient;
    const digits = () => page.evaluate(() => [...document.querySelectorAll(".pad button:not(.word)")].map((b) => b.textContent).join(""));
    const press = async (name) => {
        await page.click("#ease");
        await page.click(`[data-ease="${name}"]`);
        await page.keyboard.press("*");
    };
    const asked = [];
    await page.route("**/voice/**", (route) => {
        asked.push(new URL(route.request().url()).pathname.slice("/voice/".length));
        return route.fulfill({ status: 404, body: "" });
    });

    // What must be asked for is waited for, however slow the machine is; what must not come is looked at afterwards.
    const heard = async (...names) => {
        for (const until = Date.now() + 30000; Date.now() < until && !names.every((name) => asked.includes(name)); )
            await page.waitForTimeout(50);
        return names.every((name) => asked.includes(name));
    };
    // A sentence that was begun may still ask for its next word while the page turns: no answer to what comes afterwards. It is
    // over when its last word has failed here and was followed by none, however long that takes.
    await page.evaluate(() => {
        const src = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
        const failed = () => (globalThis.speaking = false);
        Object.defineProperty(HTMLMediaElement.prototype, "src", {
            ...src,
            set(address) {
                globalThis.speaking = true;
                this.addEventListener("error", failed, { capture: true }); // before the page's own handler takes the next word
                src.set.call(this, address);
            },
        });
    });
    const hush = async () => {
        await page.waitForFunction(() => !globalThis.speaking, null, { timeout: 30000, polling: 50 });
        asked.length = 0;
    };

    /* the lower part, tall screen: everything to press within reach */
    await page.setViewportSize(sizes[2]);
    const high = [];
    await told.state({ state: "method", offers: ways });
    await press("low");
    for (const state of [{ state: "method", offers: ways }, pin, { state: "consent", method: "face", consents: ["limit"], offers: ["consent", "cancel", "choose_staff"] }]) {
        await told.state(state);
        high.push(...(await page.evaluate(() => [...document.querySelectorAll("header button, main button, footer button")].filter((b) => b.getBoundingClientRect().top < innerHeight * 0.4).map((b) => b.innerText))));
    }
    checks.check("kiosk, lower part: nothing to press stands in the upper two fifths", high.length === 0, high.join(", "));
    await stage.look(told.view, "g-low");
    await told.tell(quietLane);
    checks.check("kiosk: what one patient chose is forgotten with the visit", await page.evaluate(() => !document.body.hasAttribute("data-low")));
    await page.setViewportSize(sizes[1]);

    /* the order of the digits */
    await told.state(pin);
    checks.check("kiosk: the digits stand as on a telephone", (await digits()) === "1234567890", await digits());
    await told.tell(quietLane);
    await told.event("settings", { voice: "off", keypad: "shuffled" });
    const orders = new Set();
    for (let i = 0; i < 4; i++) {
        await told.state(pin);
        orders.add(await digits());
        await told.tell(quietLane);
    }
    checks.check("kiosk, shuffled: all ten digits, another order each time", orders.size === 4 && [...orders].every((order) => [...order].sort().join("") === "0123456789"), [...orders].join(" "));
    await told.state(pin);
    await page.keyboard.type("12");
    const hidden = await page.evaluate(() => [document.querySelectorAll(".dots .on").length, document.getElementById("screen").innerText]);
    checks.check("kiosk: digits of a PIN are counted, not shown", hidden[0] === 2 && !/(^|\D)12(\D|$)/.test(hidden[1]), hidden[1]);
    await told.tell(quietLane);

    /* company: whom to look at, and whose PIN it is */
    await told.event("settings", { voice: "request", keypad: "fixed" });
    await told.state(pin);
    await press("company");
    checks.check("kiosk, company: a child's PIN is the guardian's to key in", (await told.words()).includes("保護者の方が入れてください"));
    await told.state({ state: "face", hint: of("F002"), offers: ways.slice(1, 4) });
    await page.waitForFunction(() => document.querySelector(".hint")?.innerText.includes("付き添いの方は"), null, { timeout: 60000 }).catch(() => {});
    checks.check("kiosk, company: two faces: whoever is with the patient steps aside", (await told.words()).includes("付き添いの方は、画面から離れてください"), await told.words());
    await told.tell(quietLane);

    /* a face: one instruction at a time, other ways by themselves after a while */
    await told.state({ state: "face", hint: null, offers: ways.slice(1, 4) });
    checks.check("kiosk, face: at first there is nothing but the face to do", (await page.locator("main button").count()) === 0);
    /* Until the first picture is there only waiting is asked for. */
    await page.waitForFunction((wait) => !["", wait].includes(document.querySelector(".hint .first")?.textContent ?? ""), ja["face.wait"], { timeout: 30000, polling: 50 }).catch(() => {});
    await page.evaluate(() => {
        globalThis.changes = [];
        new MutationObserver(() => globalThis.changes.push([performance.now(), document.querySelector(".hint").innerText])).observe(document.querySelector(".hint"), { childList: true });
    });
    for (let i = 0; i < 30; i++) {
        await told.state({ state: "face", hint: of(["F003", "F005", "F008"][i % 3]), offers: ways.slice(1, 4) });
        await page.waitForTimeout(90);
    }
    const changes = await page.evaluate(() => globalThis.changes);
    const gaps = changes.slice(1).map(([at], i) => at - changes[i][0]);
    checks.check(`kiosk, face: thirty hints in three seconds are ${changes.length} instructions, none shorter than a second`, changes.length >= 1 && gaps.every((gap) => gap >= 1000), gaps.map(Math.round).join(" "));
    await page.waitForSelector('main [data-action="choose_pin"]', { timeout: 30000 }).catch(() => {});
    const offer = await page.evaluate(() => [...document.querySelectorAll("main button")].map((b) => b.dataset.action).join());
    checks.check("kiosk, face: after a few seconds PIN and staff are offered without being asked for", offer === "choose_pin,choose_staff" && (await told.words()).includes("ほかの方法でも確認できます"), offer);
    checks.check("kiosk, face: and nothing was sent meanwhile", told.posted.length === 0, JSON.stringify(told.posted));
    await told.tell(quietLane);

    /* more time */
    told.posted.length = 0;
    await told.state({ state: "method", offers: ways, ends_ms: 60000 });
    await press("slow");
    await page.waitForTimeout(10500);
    const extended = () => told.posted.filter((p) => p.action === "still_here").length;
    await told.state({ state: "method", step: 2, offers: ways, ends_ms: 29000 });
    await told.until("still_here");
    await page.waitForTimeout(300);
    checks.check("kiosk, more time: the end is put off twice before anybody is asked", extended() === 1 && (await page.isHidden("#veil")), String(extended()));
    await told.state({ state: "method", step: 3, offers: ways, ends_ms: 28000 });
    for (const end = Date.now() + 30000; Date.now() < end && extended() < 2; )
        await page.waitForTimeout(50);
    await page.waitForTimeout(300);
    await told.state({ state: "method", step: 4, offers: ways, ends_ms: 17000 });
    await page.waitForSelector("#veil:not([hidden])", { timeout: 30000 }).catch(() => {});
    checks.check("kiosk, more time: then it asks, and still does not end by itself", extended() === 2 && (await told.words()).includes("まだ続けますか"), String(extended()));
    await told.tell(quietLane);

    /* where a state ends after seconds: asked in time, a yes takes the question away, and nothing is asked for in a row */
    told.posted.length = 0;
    await page.waitForTimeout(10500);
    const veiled = page // it stands for two seconds: found from within the page, and the clock stands from then on
        .waitForFunction(() => {
            if (document.getElementById("veil").hidden)
                return false;
            const now = performance.now();
            performance.now = () => now;
            return true;
        }, null, { timeout: 30000, polling: 50 })
        .catch(() => {});
    await told.state({ state: "method", offers: ways, ends_ms: 5000 });
    await veiled;
    await page.keyboard.press("Enter");
    await told.until("still_here");
    for (let step = 2; step < 12; step++) {
        await told.state({ state: "method", step, offers: ways, ends_ms: 5000 });
        await page.waitForTimeout(20);
    }
    await page.waitForTimeout(300);
    checks.check("kiosk, five seconds: a yes takes the question away, and is said once", extended() === 1 && (await page.isHidden("#veil")), `${extended()}`);
    await page.evaluate(() => delete performance.now);
    await told.tell(quietLane);

    /* a card left behind: light and sound until it is taken */
    await page.evaluate(() => {
        globalThis.tones = 0;
        globalThis.open = 0;
        const Real = globalThis.AudioContext;
        globalThis.AudioContext = class extends Real {
            constructor() {
                super();
                globalThis.open++;
            }
            createOscillator() {
                globalThis.tones++;
                return super.createOscillator();
            }
            close() {
                globalThis.open--;
                return super.close();
            }
        };
    });
    await told.state({ state: "take_card", outcome: "eligible", card: true, failure: of("C014") });
    await page.waitForFunction(() => globalThis.tones >= 4, null, { timeout: 15000 }).catch(() => {});
    const left = await page.evaluate(() => [globalThis.tones, globalThis.open, getComputedStyle(document.body).animationName]);
    checks.check("kiosk, card left behind: it calls again and again, and the screen flashes", left[0] >= 4 && left[1] === 1 && left[2] === "flash", left.join(" "));
    await told.tell(quietLane);
    const taken = await page.evaluate(() => [globalThis.open, getComputedStyle(document.body).animationName]);
    checks.check("kiosk, card left behind: silence and a still screen once it is taken", taken[0] === 0 && taken[1] === "none", taken.join(" "));

    /* no camera: by the key with the raised mark, voice and keys alone */
    await told.state({ state: "method", offers: ways });
    await page.keyboard.press("5");
    const begun = await page.evaluate(() => [...document.querySelectorAll("main button")].map((b) => b.dataset.action).join());
    checks.check("kiosk, no camera: key 5 begins the guidance by voice where the card lies there already", (await heard("ja/voice.intro", "ja/method.title", "ja/method.pin")) && asked[0] === "ja/voice.intro" && begun === "choose_pin,choose_staff", `${begun} ${asked}`);
    await told.tell(quietLane);
    await hush();
    await told.state(pin);
    await page.keyboard.press("5");
    checks.check("kiosk, no camera: where digits are keyed in, 5 is a digit", (await page.locator(".dots .on").count()) === 1 && asked.length === 0, asked.join(" "));
    await told.tell(quietLane);
    await page.keyboard.press("5");
    checks.check("kiosk, no camera: key 5 begins the guidance by voice", await heard("ja/idle.title", "ja/voice.intro"), asked.join(" "));
    await hush();
    await told.state({ state: "method", offers: ways });
    await heard("ja/method.title", "ja/voice.key.1", "ja/method.pin", "ja/voice.key.2", "ja/method.staff");
    const offers = await page.evaluate(() => [...document.querySelectorAll("main button")].map((b) => b.dataset.action).join());
    checks.check("kiosk, no camera: straight to PIN or staff", offers === "choose_pin,choose_staff", offers);
    const expected = ["ja/method.title", "ja/voice.key.1", "ja/method.pin", "ja/voice.key.2", "ja/method.staff"];
    checks.check("kiosk, no camera: question and choices are said with their keys, in order", expected.every((name, i) => asked.indexOf(name) >= 0 && (i === 0 || asked.indexOf(name) > asked.indexOf(expected[i - 1]))), asked.join(" "));
    await hush();
    await page.keyboard.press("0");
    await heard("ja/method.title", "ja/method.staff");
    checks.check("kiosk, no camera: 0 says it again", asked[0] === "ja/method.title", asked.join(" "));
    await hush();
    await told.state(pin);
    await heard("ja/pin.title");
    await hush();
    await page.keyboard.type("12");
    await heard("ja/pin.digits.2");
    checks.check("kiosk, no camera: how many digits are in is said, never which", asked.length > 0 && asked.every((name) => /^ja\/pin\.digits\.[1-4]$/.test(name)), asked.join(" "));
    await told.tell(quietLane);
    await hush();
    await told.state({ state: "method", offers: ways });
    await page.waitForTimeout(200);
    checks.check("kiosk: the next patient hears nothing and has the camera again", asked.length === 0 && (await page.locator('[data-action="choose_face"]').count()) === 1, asked.join(" "));
    await told.tell(quietLane);
    await byKeysAlone({ checks, look: (name) => stage.look(told.view, name) }, told, asked, heard);
    await told.event("settings", { voice: "off", keypad: "fixed" });
    await page.keyboard.press("5");
    await page.keyboard.press(".");
    checks.check("kiosk: a lane without a voice offers none", (await page.locator('[data-ease="voice"], [data-ease="blind"]').count()) === 0);
    await told.close();
}
