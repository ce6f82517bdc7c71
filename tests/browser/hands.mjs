// The hands of a patient at the kiosk and of staff at the board: by touch (and mouse), or by keys alone. They know of the
// pages what a person does: what stands there, and what there is to press.
import { Form } from "./board_forms.mjs";

const eras = { 昭和: [19261225, "1"], 平成: [19890108, "2"], 令和: [20190501, "3"] };
const eraOf = (birth) => Object.keys(eras).filter((era) => Number(birth) >= eras[era][0]).pop();
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Until it is so, or not after so long.
export async function until(so, ms = 30000, every = 40) {
    for (const end = Date.now() + ms; ; await wait(every)) {
        const answer = await so();
        if (answer || Date.now() >= end)
            return answer;
    }
}

// By Tab to the element that `selector` names, as often as there are stops.
async function tabTo(page, selector) {
    for (let i = 0; i < 40; i++) {
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector))
            return;
        await page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not come to ${selector}`);
}

// Runs in the page: does the kiosk stand in one of the states, and say this failure? "-": none; null: any.
function stands([states, code]) {
    const place = document.getElementById("screen");
    const state = place.dataset.state;
    if (!states.includes(state) || place.querySelector(".choices, h1, .facing") === null || place.innerText.includes("しばらくお待ちください"))
        return false;
    if (code === null)
        return true;
    if (code === "-")
        return place.querySelector(".fault:not([hidden])") === null;
    /* These are said by the whole screen: a warning of its own, and the light of a card left behind. */
    const whole = { P002: "pin_confirm", N002: "number_b_confirm", C014: "take_card" }[code];
    return whole === state ? code !== "C014" || document.body.classList.contains("flash") : place.innerText.includes(code);
}

export class Patient {
    constructor(page) {
        Object.assign(this, { page, keys: false });
    }
    words() {
        return this.page.evaluate(() => document.body.innerText);
    }
    state() {
        return this.page.getAttribute("main", "data-state");
    }
    async sees(states, code, ms) {
        await this.page.waitForFunction(stands, [states, code], { timeout: ms, polling: 40 }).catch(async () => {
            throw new Error(`waited for ${states.join("|")} ${code ?? ""}; the kiosk stands in ${await this.state()} and says: ${(await this.words()).replace(/\s+/g, " ").slice(0, 300)}`);
        });
    }
    // "Are you still there?" is answered by whoever is about to press something.
    async answers() {
        const yes = this.page.locator('#veil button.main');
        if (!(await yes.isVisible()))
            return;
        if (this.keys)
            await this.page.keyboard.press("Enter");
        else
            await yes.click({ timeout: 2000 }).catch(() => {}); // it may go by itself
        await this.page.waitForSelector("#veil", { state: "hidden", timeout: 5000 });
    }
    offers(action) {
        return action === "send_pin" || action === "send_number_b"
            ? this.page.locator("main .pad").isVisible()
            : this.page.locator(`:is(main, footer) [data-action="${action}"]`).first().isVisible();
    }
    async press(action) {
        await this.answers();
        if (action === "no" && (await this.state()) === "consent")
            return this.consents(() => false);
        /* The camera is offered where the numbers are asked for. */
        if (action === "show_card" && (await this.state()) === "method") {
            await this.press("choose_face");
            await this.sees(["number_b"], null, 20000);
        }
        const button = this.page.locator(`:is(main, footer) [data-action="${action}"]`).first();
        await button.waitFor({ timeout: 20000 });
        if (!this.keys)
            return button.click({ timeout: 20000 });
        const key = await button.evaluate((e) => e.querySelector(".key")?.textContent ?? (e.dataset.enter !== undefined ? "Enter" : e.dataset.back !== undefined ? "*" : null));
        const pad = await this.page.locator("main .pad").isVisible();
        if (key !== null && !(pad && /^\d$/.test(key)))
            return this.page.keyboard.press(key);
        if (action === "choose_staff")
            return this.page.keyboard.press("/");
        await tabTo(this.page, `[data-action="${action}"]`);
        return this.page.keyboard.press("Enter");
    }
    async digits(digits) {
        if (this.keys)
            return this.page.keyboard.type(digits);
        for (const digit of digits)
            await this.page.locator(".pad button:not(.word)", { hasText: digit }).click({ timeout: 20000 });
    }
    async ok() {
        if (this.keys)
            return this.page.keyboard.press("Enter");
        return this.page.locator(".pad button.main").click({ timeout: 20000 });
    }
    async pin(digits) {
        await this.answers();
        await this.digits(digits);
        await this.ok();
    }
    // What stands on the way to the entry: a mistake that was said, or the question whether by camera or by hand.
    async toTheNumbers() {
        const again = this.page.locator('main button[data-enter]:not([data-action])');
        const byHand = this.page.locator("main .choices button:not([data-action])", { hasText: "カードの数字を入れる" });
        if (await again.isVisible())
            await (this.keys ? this.page.keyboard.press("Enter") : again.click());
        else if (await byHand.isVisible())
            await (this.keys ? this.page.keyboard.press(await byHand.locator(".key").textContent()) : byHand.click());
        await this.page.waitForSelector(".choices.eras", { timeout: 10000 });
    }
    // 照合番号B as it is printed. Fewer than fourteen digits do not get beyond the first question.
    async numberB(digits, birth) {
        await this.answers();
        await this.toTheNumbers();
        const era = eraOf(birth);
        if (this.keys)
            await this.page.keyboard.press(eras[era][1]);
        else
            await this.page.locator(".eras button", { hasText: era }).click();
        if (digits.length < 14) {
            await this.digits(digits);
            const shut = await this.page.locator(".pad button.main").isDisabled();
            await this.page.keyboard.press("Enter");
            if (!shut || (await this.page.locator(".whole").count()) > 0)
                throw new Error("an incomplete number was taken");
            return this.back();
        }
        for (const part of [digits.slice(0, 6), digits.slice(6, 10), digits.slice(10)]) {
            await this.digits(part);
            await this.ok();
        }
        await this.page.waitForSelector(".whole", { timeout: 10000 });
        if (this.keys)
            await this.page.keyboard.press("Enter");
        else
            await this.page.locator("main [data-enter]").click();
    }
    async back() {
        if (this.keys)
            await this.page.keyboard.press("*");
        else
            await this.page.locator("main [data-back]").click();
    }
    // The birth date is printed in years of our era: which digits the chip would want is not known, and the page says so.
    async western() {
        await this.toTheNumbers();
        if (this.keys)
            await this.page.keyboard.press("5");
        else
            await this.page.locator(".eras button").nth(4).click();
        await this.page.waitForFunction(() => document.getElementById("screen").innerText.includes("この方法では確認できません"), null, { timeout: 5000 });
    }
    // yes(name): of each question that stands there.
    async consents(yes) {
        await this.answers();
        for (let i = 0; i < 8; i++) {
            const name = await this.page.evaluate(() => document.querySelector('main[data-state="consent"] h1 .first')?.dataset.prompt?.split(".").pop() ?? "sent");
            if (name === "sent")
                break;
            const key = yes(name) ? "2" : "1";
            if (this.keys)
                await this.page.keyboard.press(key);
            else
                await this.page.locator(".choices button").nth(Number(key) - 1).click({ timeout: 10000 });
            await this.page.waitForFunction((n) => document.querySelector("h1 .first")?.dataset.prompt?.split(".").pop() !== n, name, { timeout: 20000, polling: 20 });
        }
    }
}

export class Staff {
    constructor(page, lane) {
        Object.assign(this, { page, lane, keys: false, form: new Form(page, null) });
    }
    // What the page itself may read: { status, json }.
    ask(path) {
        return this.page.evaluate(async (p) => {
            const answer = await fetch(p, { headers: { "X-Uketsuke": "board" }, cache: "no-store" });
            return { status: answer.status, json: await answer.json().catch(() => null) };
        }, path).catch(() => ({ status: 0, json: null }));
    }
    async blank() {
        if (await this.page.evaluate(() => document.getElementById("dialog").open))
            await this.page.keyboard.press("Escape");
        await this.form.closed();
        await this.page.evaluate(() => document.activeElement.blur());
    }
    async toLane(action) {
        const selector = `.lane[data-lane="${this.lane}"] [data-action="${action}"]`;
        /* A machine with much to do draws a page that nobody looks at late: that is waited for. */
        if (!(await until(() => this.page.locator(selector).isVisible(), 60000)))
            throw new Error(`the board does not offer ${action}`);
        if (!this.keys)
            return this.touch(selector);
        await this.blank();
        await this.page.keyboard.press(String(this.lane));
        await tabTo(this.page, selector);
        return this.page.keyboard.press("Enter");
    }
    // By hand, where the button stands now. The lanes are drawn anew at every event of any of them, and while that goes on
    // no button is the same in two frames: nobody waits for that. A press that lands elsewhere, since all has moved
    // meanwhile, is none and is repeated.
    async touch(selector) {
        const landed = () => this.page.evaluate(() => {
            removeEventListener("click", globalThis.touching, true);
            return globalThis.landed;
        });
        const touched = await until(async () => {
            const place = await this.page.evaluate((s) => {
                globalThis.landed = false;
                globalThis.touching = (event) => {
                    globalThis.landed = event.target.closest(s) !== null;
                    if (globalThis.landed)
                        return;
                    event.preventDefault();
                    event.stopImmediatePropagation();
                };
                const button = document.querySelector(s);
                if (button === null)
                    return null;
                addEventListener("click", globalThis.touching, true);
                button.scrollIntoView({ block: "nearest" });
                const { x, y, width, height } = button.getBoundingClientRect();
                return { x: x + width / 2, y: y + height / 2 };
            }, selector);
            if (place !== null)
                await this.page.mouse.click(place.x, place.y);
            return landed();
        }, 60000);
        if (!touched)
            throw new Error(`${selector} could not be pressed`);
    }
    // Fills in the form that stands there and sends it; resolves with what the desk answered.
    async send(path, fields) {
        await this.form.fill(fields);
        const answer = this.page.waitForResponse((r) => r.request().method() === "POST" && new URL(r.url()).pathname === path, { timeout: 90000 }).catch(() => null);
        if (this.keys) {
            await tabTo(this.page, "#dialog button:is(.main, .danger)");
            await this.page.keyboard.press("Enter");
        } else {
            await this.form.submit();
        }
        const response = await answer;
        if (response === null)
            throw new Error(`the board sent nothing to ${path}`);
        const json = await response.json().catch(() => null);
        if (response.ok())
            await this.form.closed();
        return { status: response.status(), json };
    }
    async press(key, button, what) {
        await this.blank();
        if (this.keys)
            await this.page.keyboard.press(key);
        else
            await this.page.click(button);
        await this.form.is(what);
    }
    async lookup(words) {
        await this.press("l", "#lookup", "lookup");
        return this.send("/api/lookup", words);
    }
    async link(words) {
        await this.toLane("link");
        await this.form.is("link");
        return this.send("/api/lookup", words);
    }
    // Which kinds of slip are offered, by their place: intake, certificate, statement, newborn, and under disaster mode its own.
    async slipForm(kind) {
        const kinds = ["intake", "certificate", "statement", "newborn", "disaster"];
        await this.press("s", "#slip", "slip");
        const choice = this.page.locator("#dialog .choice").nth(kinds.indexOf(kind));
        if ((await choice.count()) === 0)
            return false;
        if (this.keys) {
            await choice.focus();
            await this.page.keyboard.press("Enter");
        } else {
            await choice.click();
        }
        await this.form.is(`slip-${kind}`);
        return true;
    }
    async settle(visit, note) {
        await this.blank();
        await this.page.click('#filters [data-filter="slips"]');
        const row = this.page.locator(`#visits tr[data-visit="${visit}"]`);
        await row.waitFor({ timeout: 20000 });
        await row.focus();
        await this.page.keyboard.press("Enter");
        await this.form.is("slip-view");
        await this.page.locator("#dialog button", { hasText: "済みにする" }).click();
        await this.form.is("slip-settle");
        /* A visit that was just received stands on for some seconds: the page asks again by itself. */
        await this.form.fill({ note });
        await this.form.submit();
        await this.form.closed();
        await this.page.click('#filters [data-filter="all"]');
    }
    async disaster({ cause, word }) {
        await this.blank();
        if (cause === "off") {
            await this.page.click("#disaster-end");
            await this.form.is("disaster-end");
            return this.send("/api/disaster", {});
        }
        await this.page.click("#disaster");
        await this.form.is("disaster");
        return this.send("/api/disaster", { word });
    }
    // The row of a visit says all of these.
    rowSays(visit, words) {
        return this.page
            .waitForFunction(([v, all]) => all.every((w) => document.querySelector(`#visits tr[data-visit="${v}"]`)?.innerText.includes(w)), [visit, words], { timeout: 15000, polling: 50 })
            .then(() => true, () => false);
    }
}
