// The visits of `make run`, by the pages alone: what a patient touches or types, what staff click or type, and what
// the screens say. Card and camera move by the simulator's control socket.
import { secretsInMemory, secretsLeft } from "./checks.mjs";

const eras = { 昭和: [19261225, 1925], 平成: [19890108, 1988], 令和: [20190501, 2018] };
const eraOf = (birth) => Object.keys(eras).filter((era) => Number(birth) >= eras[era][0]).pop();

export class Kiosk {
    constructor(stage, view) {
        Object.assign(this, { stage, view, page: view.page, secrets: [] });
    }

    async at(state, seconds = 12) {
        await this.page.waitForSelector(`main[data-state="${state}"]`, { timeout: seconds * 1000 }).catch(async () => {
            throw new Error(`waited for ${state}; the kiosk says: ${await this.words()}`);
        });
    }

    words() {
        return this.page.evaluate(() => document.body.innerText);
    }

    async says(what, ...expected) {
        const text = await this.words();
        this.stage.checks.check(`kiosk, ${what}: says ${expected.map((e) => `"${e}"`).join(", ")}`, expected.every((e) => text.includes(e)), text);
    }

    press(words) {
        return this.page.locator("main button, footer button, #veil button").filter({ hasText: words }).first().click();
    }

    async digits(digits, byKeys) {
        if (byKeys)
            await this.page.keyboard.type(digits);
        else
            for (const digit of digits)
                await this.page.locator(".pad button", { hasText: new RegExp(`^${digit}$`) }).click();
    }

    async enter(byKeys) {
        if (byKeys)
            await this.page.keyboard.press("Enter");
        else
            await this.page.locator(".pad button.main").click();
    }

    // 照合番号B as it is printed: era, birth date, year of expiry, code; then the look at all of it.
    async numberB(card, { byKeys = false } = {}) {
        const { numberB, birth } = card;
        const parts = [numberB.slice(0, 6), numberB.slice(6, 10), numberB.slice(10)];

        await this.at("number_b");
        /* By hand, where the camera is offered first. */
        if (await this.page.locator('main [data-action="show_card"]').count()) {
            if (byKeys)
                await this.page.keyboard.press("2");
            else
                await this.press("カードの数字を入れる");
        }
        if (byKeys)
            await this.page.keyboard.press({ 昭和: "1", 平成: "2", 令和: "3" }[eraOf(birth)]);
        else
            await this.press(eraOf(birth));
        for (const part of parts) {
            await this.digits(part, byKeys);
            await this.enter(byKeys);
        }
        await this.page.waitForSelector(".whole");
        if (byKeys)
            await this.page.keyboard.press("Enter");
        else
            await this.press("はい、同じです");
        this.secrets.push(numberB, parts[0], parts[2]);
    }

    async pin(pin, byKeys = false) {
        await this.digits(pin, byKeys);
        await this.enter(byKeys);
        this.secrets.push(pin);
    }

    // "yes" to none but the questions named; by touch or by the numbers printed on the buttons.
    async consents(byKeys = false, yes = ["お薬", "健診"]) {
        await this.at("consent", 25);
        while ((await this.page.getAttribute("main", "data-state")) === "consent" && (await this.page.locator(".count").count()) > 0) {
            const question = await this.page.locator("h1").innerText();
            const agree = yes.some((word) => question.includes(word));
            if (byKeys)
                await this.page.keyboard.press(agree ? "2" : "1");
            else
                await this.press(agree ? "はい、伝えてよい" : "いいえ、伝えない");
            await this.page.waitForFunction((q) => document.querySelector("h1")?.innerText !== q, question);
        }
    }

    // After use: neither what was keyed in nor anybody's name is left anywhere.
    async nothingLeft(what) {
        const { checks, counter } = this.stage;
        const left = await secretsLeft(this.page, this.view.heard, this.secrets);
        checks.check(`kiosk, ${what}: PIN and 照合番号B are nowhere`, left.length === 0, left.join(", "));
        const html = await this.page.evaluate(() => document.documentElement.outerHTML);
        const names = counter.people.filter((name) => html.includes(name));
        checks.check(`kiosk, ${what}: nobody's name is on the screen`, names.length === 0, names.join(", "));
    }
}

class Board {
    constructor(stage, view) {
        Object.assign(this, { stage, view, page: view.page });
    }

    words() {
        return this.page.evaluate(() => document.body.innerText);
    }

    async says(what, ...expected) {
        const good = await this.page
            .waitForFunction((all) => all.every((e) => document.body.innerText.includes(e)), expected, { timeout: 60000, polling: 50 })
            .then(() => true, () => false);
        this.stage.checks.check(`board, ${what}: says ${expected.map((e) => `"${e}"`).join(", ")}`, good, good ? "" : await this.words());
    }

    // The newest row of the list.
    row(n = 0) {
        return this.page.locator("#visits tr[data-visit]").nth(n);
    }

    async rowSays(what, ...expected) {
        const good = await this.page
            .waitForFunction((all) => all.every((e) => document.querySelector("#visits tr[data-visit]")?.innerText.includes(e)), expected, { timeout: 60000, polling: 50 })
            .then(() => true, () => false);
        this.stage.checks.check(`board, ${what}: the row says ${expected.join(", ")}`, good, good ? "" : await this.row().innerText());
    }

    lookup(fields) {
        return (async () => {
            await this.page.locator("#visits").click({ position: { x: 5, y: 5 } });
            await this.page.keyboard.press("l");
            await this.page.waitForSelector("dialog[open] form");
            for (const words of fields) {
                await this.page.keyboard.type(words);
                await this.page.keyboard.press("Tab");
            }
            await this.page.keyboard.press("Space"); // the payment limit, with consent
            await this.page.keyboard.press("Enter");
            await this.page.waitForSelector("dialog[open]", { state: "detached" }).catch(() => {});
            /* Empty too: then the focus is back where it came from, and is not taken from the next step. */
            await this.page.waitForFunction(() => !document.getElementById("dialog").open && document.getElementById("dialog").childElementCount === 0);
        })();
    }
}

// short: a face, a wrong and a right PIN, staff, the last try.
export async function visits(stage, short) {
    const { checks, counter } = stage;
    const { device, service } = counter;
    const kioskView = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`);
    const boardView = await stage.open("board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("受付")}`);
    const kiosk = new Kiosk(stage, kioskView);
    const board = new Board(stage, boardView);

    async function place(card, camera) {
        await kiosk.at("idle", 15);
        await device(`camera ${camera}`);
        await device(`insert ${card}`);
        await kiosk.at("method");
        return counter.card(card);
    }
    async function goes(what) {
        await device("remove");
        await kiosk.at("idle");
        await kiosk.nothingLeft(what);
    }

    await kiosk.at("idle", 20);
    checks.check("kiosk: the token is out of address and history", !kiosk.page.url().includes("token") && !kiosk.page.url().includes("#"), kiosk.page.url());
    checks.check("board: so is the staff token", !board.page.url().includes("token") && !board.page.url().includes("#"), board.page.url());
    checks.check(`kiosk: the whole page weighs ${Math.ceil(kioskView.heard.bytes / 1000)} KB, less than 300`, kioskView.heard.bytes > 20000 && kioskView.heard.bytes < 300000, String(kioskView.heard.bytes));
    const policy = kioskView.heard.headers["content-security-policy"] ?? "";
    checks.check("kiosk: strict policy, nothing inline, nothing from elsewhere", /default-src 'none'/.test(policy) && !/unsafe|https?:|\*/.test(policy), policy);
    await board.says("opened", "今日の受付", "つながっています", "受付");

    /* the holder, by face; staff are typing a search meanwhile */
    await board.page.locator("#search").fill("みほん");
    let card = await place("franck", "franck");
    await kiosk.says("card there", "ご本人の確認のしかたを選んでください");
    await board.page.waitForFunction(() => document.getElementById("spoken").textContent.includes("新しい受付: レーン1")).catch(() => {});
    const typing = await board.page.evaluate(() => [document.activeElement.id, document.activeElement.value, document.getElementById("spoken").textContent]);
    checks.check("board: a new arrival is announced and takes no focus", typing[0] === "search" && typing[1] === "みほん" && typing[2].includes("レーン1"), typing.join(" | "));
    await board.page.locator("#search").fill("");
    await kiosk.press("顔で確認する");
    await kiosk.numberB(card);
    await kiosk.at("consent", 40);
    await stage.look(kioskView, "consent");
    await service("slow 2500");
    /* A screen of 2.5 seconds may come and go between two looks from outside: the page keeps what stood there. */
    await kiosk.page.evaluate(() => {
        const place = document.getElementById("screen");
        globalThis.stood = [];
        globalThis.keeper = new MutationObserver(() => globalThis.stood.push([place.dataset.state, place.innerText]));
        globalThis.keeper.observe(place, { attributes: true, childList: true, subtree: true });
    });
    await kiosk.consents();
    await kiosk.at("done", 40);
    await service("normal");
    const stood = await kiosk.page.evaluate(() => {
        globalThis.keeper.disconnect();
        return globalThis.stood.splice(0);
    });
    checks.check('kiosk, service asked: says "資格を確認しています"', stood.some(([state, words]) => state === "eligibility" && words.includes("資格を確認しています")), JSON.stringify(stood));
    await kiosk.says("done", "受付が終わりました", "カードをお取りください");
    await stage.look(kioskView, "done");
    await board.rowSays("face", "見本　太郎", "顔", "資格あり");
    await kiosk.at("take_card", 15);
    await kiosk.says("card still there", "カードをお取りください");
    await goes("after a face visit");

    if (!short) {
        /* the same again, all by keys */
        card = await place("franck", "franck 900");
        await kiosk.page.keyboard.press("1");
        await kiosk.numberB(card, { byKeys: true });
        await kiosk.consents(true);
        await kiosk.at("done");
        await board.rowSays("same again", "見本　太郎", "今日の回答を再利用");
        await goes("after a visit by keys alone");

        /* another man, then the right PIN */
        card = await place("franck", "cap12");
        await kiosk.press("顔で確認する");
        await kiosk.numberB(card);
        await kiosk.at("face", 15);
        const drawn = await kiosk.page
            .waitForFunction(() => {
                const canvas = document.querySelector(".live canvas");
                if (!canvas)
                    return false;
                const small = new OffscreenCanvas(64, 48).getContext("2d", { willReadFrequently: true });
                small.drawImage(canvas, 0, 0, 64, 48);
                return new Set(small.getImageData(0, 0, 64, 48).data).size > 20;
            }, null, { timeout: 8000 })
            .then(() => true, () => false);
        checks.check("kiosk: the live picture is drawn, mirrored, in an oval", drawn && (await kiosk.page.locator(".live.mirror .oval").count()) === 1);
        await kiosk.at("method", 25);
        await kiosk.says("another man", "お顔を確認できませんでした", "暗証番号を入れる", "係の者に頼む");
        await stage.look(kioskView, "method-not-same");
        await kiosk.press("暗証番号を入れる");
        await kiosk.at("pin");
        await kiosk.pin(card.pin);
        await kiosk.consents();
        await kiosk.at("done");
        await kiosk.says("another man, right PIN", "係の者が確認します");
        await board.rowSays("another man, right PIN", "暗証番号", "資格あり", "本人か目で確認", "V005");
        await goes("after a PIN");
        await board.row().focus();
        await board.page.keyboard.press("Enter");
        await board.says("another man, details", "本人かどうか顔を見て", "目で確認した");
        await stage.look(boardView, "look-at-the-person");
        await board.page.locator("#detail button", { hasText: "目で確認した" }).click();
        await board.page.waitForFunction(() => !document.querySelector("#visits tr[data-visit]").innerText.includes("本人か目で確認")).catch(() => {});
        await board.page.keyboard.press("Escape");
        checks.check("board: looked at after the patient has gone: the mark is off", (await board.row().innerText()).includes("係が目で確認しました"), await board.row().innerText());
    }

    /* PIN wrong once, then right, all by keys */
    card = await place("other", "cap12");
    await kiosk.page.keyboard.press("2");
    await kiosk.at("pin");
    await kiosk.says("PIN", "暗証番号4桁を入れてください", "あと3回");
    await kiosk.pin("9999", true);
    await kiosk.page.waitForFunction(() => document.body.innerText.includes("暗証番号が違います"), null, { timeout: 12000 }).catch(() => {});
    await kiosk.says("PIN wrong", "暗証番号が違います", "あと2回");
    checks.check("the chip's own counter says 2", (await counter.tries("other", "jpki.0018")) === 2);
    await kiosk.pin(card.pin, true);
    await kiosk.consents(true);
    await kiosk.at("done");
    await board.rowSays("PIN wrong, then right", "例示　次郎", "暗証番号", "資格あり");
    await goes("after a wrong and a right PIN");
    checks.check("the chip's own counter is full again", (await counter.tries("other", "jpki.0018")) === 3);

    /* staff check by eye; the PIN is locked, the camera off */
    await place("locked-pin", "off");
    checks.check("kiosk: a locked PIN is not offered", !(await kiosk.words()).includes("暗証番号を入れる"));
    await kiosk.press("係の者に頼む");
    await kiosk.at("visual");
    await kiosk.says("staff called", "係の者がお顔を確認します", "お待ちください");
    await board.page.waitForFunction(() => document.getElementById("spoken").textContent.includes("係を呼んでいます")).catch(() => {});
    await board.says("staff called", "目視確認を待っています", "次にすること");
    checks.check("board: the call is announced", (await board.page.locator("#spoken").textContent()).includes("レーン1が係を呼んでいます"));
    await stage.look(boardView, "staff-called");
    await board.page.evaluate(() => document.activeElement.blur()); // in the search a 1 would be searched for
    await board.page.keyboard.press("1");
    const focused = await board.page.evaluate(() => document.activeElement.closest(".lane")?.dataset.lane);
    checks.check("board: key 1 goes to the actions of lane 1", focused === "1", String(focused));
    await board.page.locator('.lane[data-lane="1"] button', { hasText: "本人と確認した" }).focus();
    await board.page.keyboard.press("Enter");
    await kiosk.consents();
    await kiosk.at("done");
    await board.rowSays("staff check", "見本　三郎", "目視", "資格あり");
    await goes("after a staff check");

    if (!short) {
        /* paper certificate, typed into the board's form; then one whose every text is markup */
        await board.lookup(["00990010", "試験", "2001", "01", "19640229"]);
        await board.rowSays("paper certificate", "架空　三郎", "番号", "資格あり");
        await board.lookup(["99000010", "見本", "6666", "01", "19700101"]);
        await board.rowSays("a name that is markup", "<img src=x onerror=window.markupRan=1>");
        await board.row().focus();
        await board.page.keyboard.press("Enter");
        await board.says("markup, details", "</td><b id=markup>太字</b>&lt;i&gt;");
        await board.page.locator("#detail button", { hasText: "回答をすべて見る" }).click();
        await board.says("markup, whole answer", "<script>window.markupRan=2</script>");
        const ran = await board.page.evaluate(() => [window.markupRan, document.getElementById("markup"), document.querySelector("#visits img, #detail img, #detail svg, #detail script")]);
        checks.check("board: markup in an answer stays text", ran.every((r) => r === null || r === undefined), JSON.stringify(ran));
        await stage.look(boardView, "markup");
        await board.page.keyboard.press("Escape");

        /* a counterfeit card */
        card = await place("counterfeit", "franck");
        await kiosk.press("顔で確認する");
        await kiosk.numberB(card);
        await kiosk.at("done", 15);
        await kiosk.says("counterfeit", "このカードでは受付できません", "係の者がご案内します", "カードをお取りください");
        await board.rowSays("counterfeit", "受付せず", "C007", "券面データの署名が正しくありません");
        await board.says("counterfeit", "カードを受け付けません");
        await goes("after a counterfeit card");

        /* the card is pulled out while it is read */
        card = await place("franck", "franck");
        await device("fault torn 12");
        await kiosk.press("顔で確認する");
        await kiosk.numberB(card);
        await kiosk.at("card_lost", 15);
        await kiosk.says("card pulled out", "カードが離れました。もう一度置いてください");
        await kiosk.at("idle", 15);
        await device("faults off");
        await board.rowSays("card pulled out", "中止", "C003");
        await kiosk.nothingLeft("after a card pulled out");
    }

    /* the last try: asked first, and the way out leads on */
    await place("last-try", "off");
    await kiosk.press("暗証番号を入れる");
    await kiosk.at("pin_confirm");
    await kiosk.says("last try", "あと1回だけ", "市区町村の窓口");
    await kiosk.page.keyboard.press("1");
    await kiosk.at("method");
    await kiosk.press("受付をやめる");
    await kiosk.at("take_card");
    await kiosk.says("stopped by the patient", "カードをお取りください", "受付を中止しました");
    await goes("after the patient stopped");
    checks.check("the last try was not spent", (await counter.tries("last-try", "jpki.0018")) === 1);

    const kept = await secretsInMemory(kiosk.page, [...new Set(kiosk.secrets.filter((s) => s.length > 4))]);
    checks.check("kiosk: no string in the page's memory holds 照合番号B", kept.length === 0, kept.join(", "));
    const rows = await board.page.locator("#visits tr[data-visit]").count();
    const expected = short ? 4 : 10;
    checks.check(`board: ${expected} visits stand in the list`, rows === expected, String(rows));
    await board.page.reload();
    await board.page.waitForSelector("#visits tr[data-visit]");
    checks.check("board: they are there again after a reload", (await board.page.locator("#visits tr[data-visit]").count()) === expected);
    stage.quiet(kioskView, " through all visits");
    stage.quiet(boardView, " through all visits");
    await board.page.click("#out");
    await board.page.waitForSelector("#door:not([hidden])");
    const after = await board.page.evaluate(() => document.documentElement.outerHTML);
    const stayed = counter.people.filter((name) => after.includes(name));
    checks.check("board: after signing out nobody's name is on the screen", stayed.length === 0, stayed.join(", "));
    await kioskView.context.close();
    await boardView.context.close();
}
