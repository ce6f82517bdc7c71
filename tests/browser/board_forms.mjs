// What staff write down at the board, by keys alone, against the desk and its service: every kind of slip, disaster mode,
// help from the other side, paper. A wrong entry is said beside its field, and the focus goes back to where it was.
import { readFileSync } from "node:fs";
import { Kiosk } from "./visits.mjs";

const day = (offset = 0) => new Date(Date.now() + 9 * 3600000 + offset * 86400000).toISOString().slice(0, 10).replaceAll("-", "");

// The board's dialog, as a keyboard finds it.
export class Form {
    constructor(page, checks) {
        Object.assign(this, { page, checks });
    }
    async is(what) {
        await this.page.waitForSelector(`#dialog[open][data-what="${what}"]`);
    }
    // Closed and empty: the page empties it a frame later than it closes, and gives the focus back only then.
    async closed() {
        await this.page.waitForFunction(() => !document.getElementById("dialog").open && document.getElementById("dialog").childElementCount === 0);
    }
    // { name: words }; a choice by its value.
    async fill(fields) {
        for (const [name, words] of Object.entries(fields)) {
            const field = this.page.locator(`#dialog [name="${name}"]`).first();
            if (await field.evaluate((e) => e.tagName === "SELECT"))
                await field.selectOption(words);
            else if (words === true)
                await field.check();
            else
                await field.fill(words);
        }
    }
    submit() {
        return this.page.locator("#dialog button:is(.main, .danger)").last().evaluate((b) => b.form.requestSubmit(b));
    }
    // The field that is at fault: named, explained beside itself, and under the cursor.
    async fault(words, name) {
        const found = await this.page
            .waitForFunction((n) => {
                const field = document.querySelector(`#dialog [data-field="${n}"]`);
                return field.querySelector(".wrong").textContent !== "" && field.contains(document.activeElement) && document.activeElement.getAttribute("aria-invalid") === "true" &&
                    document.activeElement.getAttribute("aria-describedby").includes(field.querySelector(".wrong").id);
            }, name, { timeout: 60000 })
            .then(() => true, () => false);
        this.checks.check(`board, ${words}: the fault stands beside ${name}, and the cursor in it`, found, found ? "" : await this.page.locator("#dialog").innerText());
    }
}

export async function boardForms(stage) {
    const { checks, counter } = stage;
    const { device } = counter;
    const view = await stage.open("board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("受付")}`, (page) =>
        page.addInitScript(() => {
            globalThis.printed = [];
            globalThis.print = () => globalThis.printed.push(document.getElementById("sheet").innerText || document.getElementById("sheet").textContent);
        }),
    );
    const { page } = view;
    const form = new Form(page, checks);
    const look = (name) => stage.look(view, name);
    const row = (visit) => page.locator(`#visits tr[data-visit="${visit}"]`);
    const newest = () => page.evaluate(() => document.querySelector("#visits tr[data-visit]")?.dataset.visit ?? "");
    const rowSays = async (words, visit, ...expected) => {
        const good = await page.waitForFunction(([v, all]) => all.every((e) => document.querySelector(`#visits tr[data-visit="${v}"]`)?.innerText.includes(e)), [visit, expected], { timeout: 60000 }).then(() => true, () => false);
        checks.check(`board, ${words}: the row says ${expected.join(", ")}`, good, good ? "" : await page.locator("#visits").innerText());
    };
    const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.action || document.activeElement.dataset.visit || document.activeElement.tagName);
    // A slip for somebody without a card: S, then the kind.
    const begin = async (kind) => {
        await page.locator("#slip").focus();
        await page.keyboard.press("s");
        await form.is("slip");
        await page.locator("#dialog .choice", { hasText: kind }).focus();
        await page.keyboard.press("Enter");
    };

    // The visit that has come since `before` was the newest.
    const next = async (before) => {
        await form.closed();
        await page.waitForFunction((b) => (document.querySelector("#visits tr[data-visit]")?.dataset.visit ?? "") !== b, before).catch(() => {});
        return newest();
    };

    await page.waitForSelector("#main:not([hidden])");
    await page.waitForFunction(() => document.querySelectorAll(".lane").length > 0 && document.getElementById("visits").textContent !== "");

    /* --- an outage: the four items; nothing is lost by Escape, and Tab stays inside --- */
    await begin("受付票");
    await form.is("slip-intake");
    await look("f-intake");
    const inside = await page.evaluate(() => document.querySelectorAll("#dialog :is(button, input, select)").length);
    let left = false;
    for (let i = 0; i < inside + 2; i++) {
        await page.keyboard.press("Tab");
        left ||= await page.evaluate(() => document.activeElement.closest("dialog") === null);
    }
    await page.keyboard.press("Shift+Tab");
    left ||= await page.evaluate(() => document.activeElement.closest("dialog") === null);
    checks.check(`board: Tab goes round inside a form (${inside} stops)`, !left);
    await page.keyboard.press("Escape");
    await form.closed();
    checks.check("board: Escape closes it, and the focus is back where it was", (await focus()) === "slip", await focus());
    checks.check("board: what was typed is gone with the form", (await page.evaluate(() => document.getElementById("dialog").childElementCount)) === 0);
    const before = await newest();
    await begin("受付票");
    await form.submit();
    await form.fault("intake without a name", "name");
    await form.fill({ name: "架空　台風", birth: "20991231", sex: "1", address: "架空県見本市1-2-3" });
    await form.submit();
    await form.fault("born tomorrow", "birth");
    await look("f-intake-fault");
    await form.fill({ birth: "S450604" });
    await form.submit();
    const intake = await next(before);
    await rowSays("intake slip", intake, "架空　台風", "後で照会", "受付票", "E020");

    /* --- 資格確認書 by sight --- */
    await begin("資格確認書");
    await form.is("slip-certificate");
    await form.fill({ name: "架空　三郎", birth: "19640229", insurer: "00990010", symbol: "試験", number: "2001", branch: "01", ratio: "030", valid_from: day(-400), valid_until: day(-1) });
    await form.submit();
    await form.fault("a certificate of yesterday", "valid_until");
    await form.fill({ valid_until: day(200) });
    await form.submit();
    const certificate = await next(intake);
    await rowSays("certificate by sight", certificate, "架空　三郎", "書類", "3割");
    await rowSays("certificate, asked afterwards", certificate, "後の照会で");

    /* --- the written statement: nobody knows the numbers; entered later, and asked for --- */
    await begin("申立書");
    await form.is("slip-statement");
    await form.fill({ name: "例示　次郎", birth: "19920315", sex: "1", address: "架空県見本市4-5-6", phone: "0000-00-0000", insurer: "99000010", numbers_unknown: true });
    checks.check("board, statement: unknown numbers cannot be half known", await page.locator('#dialog [name="insurer"]').isDisabled());
    await look("f-statement");
    await form.submit();
    const statement = await next(certificate);
    await rowSays("statement", statement, "例示　次郎", "後で照会");
    await page.click("#filters button:nth-child(4)");
    await row(statement).focus();
    await page.keyboard.press("Enter");
    await form.is("slip-view");
    checks.check("board, statement: the slip says what is missing", (await page.locator("#dialog").innerText()).includes("番号を待っています"));
    await look("f-slip");
    await page.locator("#dialog button", { hasText: "印刷" }).click();
    const paper = await page.evaluate(() => globalThis.printed.at(-1));
    checks.check("board, statement: on paper stand the patient's words, the numbers as 不詳, and a line to sign", ["被保険者資格申立書", "例示　次郎", "架空県見本市4-5-6", "77777777", "署名"].every((w) => paper.includes(w)), paper);
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    checks.check("board: after printing nothing of it is left in the page", (await page.locator("#sheet").evaluate((e) => e.textContent)) === "");
    await page.locator("#dialog button", { hasText: "番号を入れる" }).click();
    await form.is("slip-numbers");
    await form.fill({ insurer: "1234", number: "1002" });
    await form.submit();
    await form.fault("an insurer of four digits", "insurer");
    await form.fill({ insurer: "99000011" });
    await form.submit();
    await page.waitForFunction(() => document.querySelector('#dialog [data-field="insurer"] .wrong').textContent.includes("検証番号"), null, { timeout: 60000 }).catch(() => {});
    const digit = await page.locator('#dialog [data-field="insurer"] .wrong').innerText();
    checks.check("board: a wrong check digit of the insurer is said beside it, with its code", digit.includes("E030") && digit.includes("検証番号"), digit);
    await form.fill({ insurer: "99000010", symbol: "見本", branch: "01" });
    await form.submit();
    await form.closed();
    await page.waitForFunction((v) => !document.querySelector(`#visits tr[data-visit="${v}"]`), statement, { timeout: 60000 }).catch(() => {});
    checks.check("board, statement: asked and the same, it waits for nobody any more", (await row(statement).count()) === 0, await page.locator("#visits").innerText());

    /* --- settled by other means; it must be said how --- */
    await row(intake).focus();
    await page.keyboard.press("Enter");
    await form.is("slip-view");
    await page.locator("#dialog button", { hasText: "済みにする" }).click();
    await form.is("slip-settle");
    await form.submit();
    await form.fault("settled without a word", "note");
    await form.fill({ note: "後日来院し番号を確認" });
    await form.submit();
    await form.closed();
    await page.waitForFunction((v) => !document.querySelector(`#visits tr[data-visit="${v}"]`), intake, { timeout: 60000 }).catch(() => {});
    checks.check("board, intake: settled, it is gone from what waits", (await row(intake).count()) === 0);
    await page.click("#filters button:nth-child(1)");
    await rowSays("intake settled", intake, "係が対応");

    /* --- a child born today --- */
    await begin("生まれたばかり");
    await form.is("slip-newborn");
    await form.fill({ birth: day(-800) });
    await form.submit();
    await form.fault("a newborn of two years", "birth");
    await form.fill({ birth: day() });
    await form.submit();
    await form.fault("whose child", "insured");
    await form.fill({ insured: "架空　親" });
    await form.submit();
    const newborn = await next(statement);
    await rowSays("newborn", newborn, "後で照会", "受付票");

    /* --- disaster mode: whose word, until when --- */
    await page.locator("#slip").focus();
    await page.keyboard.press("s");
    await form.is("slip");
    checks.check("board: without disaster mode its slip is not offered", (await page.locator("#dialog .choice").count()) === 4);
    await page.keyboard.press("Escape");
    await form.closed();
    await page.locator("#disaster").focus();
    await page.keyboard.press("Enter");
    await form.is("disaster");
    await look("f-disaster");
    await form.submit();
    await form.fault("disaster mode by nobody's word", "word");
    await form.fill({ word: "架空県事務連絡 第1号", until: `${day(40).slice(0, 4)}-${day(40).slice(4, 6)}-${day(40).slice(6)}T12:00` });
    await form.submit();
    await form.fault("disaster mode for forty days", "until");
    await form.fill({ until: `${day(2).slice(0, 4)}-${day(2).slice(4, 6)}-${day(2).slice(6)}T12:00` });
    await form.submit();
    await form.closed();
    await page.waitForSelector("#banner:not([hidden])");
    checks.check("board: the banner says whose word it is", (await page.locator("#banner").innerText()).includes("架空県事務連絡 第1号"));
    await begin("災害時の受付");
    await form.is("slip-disaster");
    await form.fill({ name: "架空　避難", birth: "19700101", sex: "2", address: "架空県見本市7" });
    await form.submit();
    await form.fault("nobody asked for consent", "consent");
    await form.fill({ consent: "oral" });
    await form.submit();
    const refugee = await next(newborn);
    await rowSays("disaster slip", refugee, "架空　避難", "災害時の受付");

    /* --- a patient at the kiosk: help from the other side, consent by word of mouth --- */
    const kioskView = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`);
    const kiosk = new Kiosk(stage, kioskView);
    await kiosk.at("idle", 90);
    await device("camera off");
    await device("insert locked-pin");
    await kiosk.at("method", 90);
    await page.locator('.lane [data-action="help"]').focus();
    await page.keyboard.press("Enter");
    await form.is("help");
    const helped = () => page.locator("#dialog").innerText();
    /* The board may hear later than the kiosk that the card is read: help follows. */
    await page.waitForFunction(() => document.getElementById("dialog").innerText.includes("方法の選択"), null, { timeout: 60000 }).catch(() => {});
    checks.check("board, help: which step, what to say, and that the card lies there", await helped().then((words) => ["方法の選択", "こう案内します", "カードは読み取り機の上にあります"].every((w) => words.includes(w))), await helped());
    await look("f-help");
    await page.locator('#dialog [data-action="choose_staff"]').focus();
    await kiosk.press("係の者に頼む");
    await page.waitForFunction(() => document.getElementById("dialog").innerText.includes("目視確認"), null, { timeout: 60000 }).catch(() => {});
    checks.check("board, help: it follows the patient, and the focus stays inside", (await helped()).includes("目視確認を待っています") && (await page.evaluate(() => document.activeElement.closest("#dialog") !== null)), await helped());
    const html = await page.evaluate(() => document.documentElement.outerHTML);
    const card = counter.card("locked-pin");
    checks.check("board, help: neither picture nor PIN nor 照合番号B is in the page", !/<(img|canvas|video)/i.test(html) && !html.includes(card.numberB) && !html.includes(`>${card.pin}<`));
    await page.locator('#dialog [data-action="staff_confirm"]').focus();
    await page.keyboard.press("Enter");
    await form.closed();
    await kiosk.at("consent", 90);
    await page.waitForSelector('.lane [data-action="staff_consent"]');
    await page.locator('.lane [data-action="staff_consent"]').focus();
    await page.keyboard.press("Enter");
    await form.is("consent");
    await page.keyboard.press("Space");
    await form.submit();
    await form.closed();
    await kiosk.at("done", 90);
    await device("remove");
    await kiosk.at("idle", 90);
    const seen = await newest();
    await rowSays("staff check under disaster mode", seen, "見本　三郎", "目視", "資格あり");

    /* --- one visit on paper: what it may say and what not --- */
    await row(seen).focus();
    await page.keyboard.press("Enter");
    await page.locator('#detail [data-action="print"]').click();
    const sheet = await page.evaluate(() => globalThis.printed.at(-1));
    checks.check("board: on paper stand name, result and share", ["受付の控え", "見本　三郎", "資格あり"].every((w) => sheet.includes(w)), sheet);
    checks.check("board: neither score nor consents nor other patients stand there", !/一致度|生体|同意|薬剤|例示/.test(sheet), sheet);
    await page.emulateMedia({ media: "print" });
    const visible = await page.evaluate(() => document.body.innerText);
    checks.check("board: the printer gets the sheet alone", visible.includes("受付の控え") && !visible.includes("例示　次郎") && !visible.includes("今日の受付"), visible.slice(0, 300));
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    checks.check("board: one page of A5", (pdf.match(/\/Type\s*\/Page\b/g) ?? []).length === 1 && /\/MediaBox\s*\[\s*0 0 (419|420)/.test(pdf), String(pdf.match(/\/MediaBox[^\]]*\]/g)));
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    checks.check("board: printed without the button, it shows nobody", !/見本|例示|架空/.test(await page.evaluate(() => document.body.innerText)));
    await page.emulateMedia({ media: null });
    await page.keyboard.press("Escape");

    /* --- a visit at the counter becomes a slip: what is known of the person is there already --- */
    await device("insert locked-pin");
    await kiosk.at("method", 90);
    await kiosk.press("係の者に頼む");
    await page.waitForSelector('.lane [data-action="slip"]');
    await page.keyboard.press("1");
    await page.locator('.lane [data-action="slip"]').focus();
    await page.keyboard.press("Enter");
    await form.is("slip");
    await page.keyboard.press("Escape");
    await form.closed();
    checks.check("board: from a lane's form the focus goes back to the lane's button", (await focus()) === "slip", await focus());
    await page.locator('.lane [data-action="staff_end"]').focus();
    await page.keyboard.press("Enter");
    await kiosk.at("take_card", 90);
    await device("remove");
    await kiosk.at("idle", 90);
    await page.locator("#disaster-end").focus();
    await page.keyboard.press("Enter");
    await form.is("disaster-end");
    await form.submit();
    await form.closed();
    await page.waitForSelector("#banner", { state: "hidden" });
    checks.check("board: disaster mode is ended by staff too", (await page.locator("#disaster").innerText()) === "災害モード");
    /* --- administration: what has gone wrong above is counted, what ends is told --- */
    await page.locator("#administration").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#admin table tbody tr");
    await page.waitForFunction(() => document.querySelectorAll("#admin section").length === 5);
    const said = await page.locator("#admin").innerText();
    checks.check("board, administration: the lane and its reader", /1 窓口1/.test(said) && /usbip|SIM|Reader/i.test(said), said.slice(0, 400));
    const counts = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".wide-table tbody tr")].map((r) => [r.querySelector("b").textContent, Number(r.lastElementChild.textContent)])));
    const bars = await page.evaluate(() => [...document.querySelectorAll(".chart rect.bar title")].reduce((n, e) => n + Number(e.textContent.split(": ")[1]), 0));
    const sum = Object.values(counts).reduce((a, b) => a + b, 0);
    checks.check("board, administration: the slips of today are counted by cause", counts.E024 >= 1 && counts.E025 >= 1 && counts.E026 >= 1 && counts.V008 >= 1, JSON.stringify(counts));
    checks.check("board, administration: picture and table say the same", sum > 0 && bars === sum, `${bars} ${sum}`);
    checks.check("board, administration: what ends, and in how many days", ["certificate of main", "CA of main", "CA of cards 1"].every((w) => said.includes(w)) && /\d+日/.test(said), said);
    checks.check("board, administration: of how many patients of today the card ends soon", /今日カードで受付した[1-9]\d*人のうち、電子証明書の期限が3か月以内の人は0人/.test(said), said);
    checks.check("board, administration: the configuration is the one that was read; how to check and to bundle", ["誤りなし、起動時のまま", "uketsuke config check", "uketsuke bundle"].every((w) => said.includes(w)), said);
    checks.check("board, administration: nobody's name stands there", !/架空|見本|例示/.test(said));
    /* the file for a helper: everything about the house, nobody in it */
    const coming = page.waitForEvent("download");
    await page.locator('#admin [data-action="bundle"]').focus();
    await page.keyboard.press("Enter");
    const download = await coming;
    const bundle = readFileSync(await download.path(), "utf8");
    const { parts, lanes, devices, troubles, visits, metrics } = JSON.parse(bundle);
    checks.check("board, bundle: parts, lanes, devices, troubles, today's visits with their codes, and the metrics stand in it", parts.length > 5 && lanes.length === 1 && devices.length >= 1 && troubles.some((one) => one.failure === "V008") && visits.length >= 6 && visits.some((one) => one.failure === "E020" || one.outcome === "pending") && metrics.some((line) => line.startsWith("uketsuke_")), `${parts.length} ${lanes.length} ${devices.length} ${troubles.length} ${visits.length} ${metrics.length}`);
    const told = [...counter.people, "架空", "例示", "見本", "窓口", "00990010", "99000010", "9910000017", "77777777", "受付", "架空県"].filter((words) => bundle.includes(words));
    checks.check("board, bundle: no patient, no number of an insurer or institution, nobody of the staff", told.length === 0, told.join(", "));
    checks.check("board, bundle: its name is said, and the focus stays at the button", /^uketsuke-\d{12}\.json$/.test(download.suggestedFilename()) && (await page.locator("#admin").innerText()).includes(download.suggestedFilename()) && (await focus()) === "bundle", `${download.suggestedFilename()} ${await focus()}`);
    await look("admin");
    await page.keyboard.press("Escape");
    checks.check("board, administration: Escape goes back to reception", (await page.isVisible("#main")) && (await focus()) === "administration", await focus());
    view.heard.errors = view.heard.errors.filter((words) => !words.includes("409")); // each wrong entry above is one
    stage.quiet(view, " through all forms");
    await kioskView.context.close();
    await view.context.close();
}
