// Every state and every failure on the board.
import { ownEvents, quietLane } from "./told.mjs";

export const quietVisit = {
    visit: "1", lane: 1, opened: 1800000000, closed: null, state: "closed", method: "face", outcome: "eligible", failure: null, flags: [], name: "見本　太郎",
    kana: "ミホン　タロウ", birth: "19750604", sex: "1", validity: "1", ratio: "030", limit_class: "A03", insurer: "99000010 架空健康保険組合", notice: "",
    reference: "PT000123", consents: ["limit", "drugs"], answered: 1800000000, record: "yes", challenge: "yes", liveness: "passed", score_milli: 612,
    card_ms: 800, photo_ms: 1500, face_ms: 900, pin_ms: 0, ask_ms: 200, total_ms: 3400, apdus: 60, frames: 12, staff: "受付",
};

export async function boardGallery(stage, all) {
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
    const rows = all.map((f, i) => ({ ...quietVisit, visit: String(100 + i), opened: quietVisit.opened + i * 60, failure: f.staff, outcome: f.staff.kind === "notice" ? "eligible" : "staff", flags: i % 9 === 0 || f.code === "V005" ? ["look"] : [] })); // V005 says something else once somebody has looked
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

    /* who it is in the clinic's books, and what is not as last time */
    await tell("visit", { ...quietVisit, visit: "98", opened: quietVisit.opened + 99999, flags: ["who", "changed"], match: "doubt", patient: null, alias: "", since: "20260901",
        candidates: [{ number: "P-1001", name: "見本　太郎", by: "name" }, { number: "P-2002", name: "見本　太朗", by: "name" }],
        changes: [{ field: "insurer_name", old: "架空市", new: "架空健康保険組合" }, { field: "ratio", old: "020", new: "030" }] });
    const sent = [];
    await page.route("**/api/visits/98/patient", (route) => {
        sent.push(route.request().postDataJSON());
        return route.fulfill({ status: 200, contentType: "application/json", body: '{"accepted":true,"visit":"98"}' });
    });
    await page.locator('#visits [data-visit="98"]').focus();
    await page.keyboard.press("Enter");
    const who = await page.evaluate(() => document.getElementById("detail").innerText);
    checks.check("board: candidates and differences stand in the details", ["P-1001", "この施設のどの患者ですか", "前回(2026-09-01)の回答との違い", "架空市", "架空健康保険組合", "一部負担金の割合", "2割", "今回"].every((w) => who.includes(w)), who);
    await stage.look(view, "g-who");
    await page.locator('#detail [data-action="not-P-2002"]').focus();
    await page.keyboard.press("Enter");
    await page.locator('#detail [data-action="is-P-1001"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("spoken").textContent.includes("P-1001"));
    checks.check("board: staff say who it is and who it is not", JSON.stringify(sent) === JSON.stringify([{ number: "P-2002", same: false }, { number: "P-1001", same: true }]), JSON.stringify(sent));
    await page.locator('#detail [data-action="patient"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="patient"]');
    await stage.look(view, "g-patient");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");

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
