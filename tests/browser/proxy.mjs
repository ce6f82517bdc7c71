// Kiosk and board behind a proxy with TLS, in a browser that calls them by the house's name and takes no other certificate
// than the proxy's: a visit by PIN, which needs a secure page (the PIN is sealed in it), and events.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Checks } from "./checks.mjs";
import { counter } from "./desk.mjs";
import { Stage } from "./stage.mjs";
import { Kiosk } from "./visits.mjs";

const option = { type: "string" };
const { values } = parseArgs({ options: { desk: option, name: option, pin: option, packages: option, browser: option, cards: option, words: option } });
const { chromium } = createRequire(import.meta.url)(`${values.packages}/playwright-core`);
const checks = new Checks();
const check = (words, good, detail) => checks.check(`${values.words}: ${words}`, good, detail);

const browser = await chromium.launch({
    executablePath: values.browser,
    args: [
        `--host-resolver-rules=MAP ${values.name} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`, `--ignore-certificate-errors-spki-list=${values.pin}`, "--no-proxy-server", "--no-sandbox",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    ],
});
try {
    const stage = new Stage({ ...values, browser, checks, counter: counter(values.desk, values.cards) });
    stage.origin = `https://${values.name}`;
    const kioskView = await stage.open("kiosk", `/kiosk/1#token=${stage.counter.token("lane-1")}`);
    const board = await stage.open("board", `/board#token=${stage.counter.token("staff")}&name=${encodeURIComponent("受付")}`);
    const kiosk = new Kiosk(stage, kioskView);
    const { device } = stage.counter;
    const row = () => board.page.evaluate(() => document.querySelector("#visits tr[data-visit]")?.innerText ?? "");

    await kiosk.at("idle", 60);
    check("the kiosk is a secure page", await kiosk.page.evaluate(() => globalThis.isSecureContext && typeof crypto.subtle === "object"));
    check("the board is connected", await board.page.waitForFunction(() => document.getElementById("link").textContent === "つながっています", null, { timeout: 30000 }).then(() => true, () => false));
    await device("camera cap12");
    await device("insert other");
    await kiosk.at("method", 30);
    await kiosk.press("暗証番号を入れる");
    await kiosk.at("pin");
    await kiosk.pin(stage.counter.card("other").pin);
    await kiosk.consents();
    await kiosk.at("done", 30);
    check("a visit by PIN comes to its end at the kiosk", (await kiosk.words()).includes("受付が終わりました"), await kiosk.words());
    check("and stands on the board as it happened", await board.page.waitForFunction(() => document.querySelector("#visits tr[data-visit]")?.innerText.includes("例示　次郎"), null, { timeout: 5000 }).then(() => true, () => false), await row());
    await device("remove");
    await kiosk.at("idle", 30);
    const cookies = [...(await kioskView.context.cookies()), ...(await board.context.cookies())];
    check("every cookie goes over TLS only, and to no script", cookies.length >= 2 && cookies.every((c) => c.secure && c.httpOnly && c.sameSite === "Strict"), JSON.stringify(cookies.map((c) => [c.name, c.secure, c.httpOnly, c.sameSite])));
    check("nothing was asked of anybody else", stage.foreign.length === 0, stage.foreign.slice(0, 3).join(", "));
    for (const view of [kioskView, board])
        check(`the ${view.surface}'s console says nothing`, view.heard.errors.length === 0, view.heard.errors.slice(0, 3).join(" | "));
    console.log("browser: the end");
} catch (error) {
    check("the browser's part came to its end", false, error.stack);
} finally {
    await browser.close();
}
process.exit(checks.failed === 0 ? 0 : 1);
