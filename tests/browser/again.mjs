// Desk and web program are killed under an open board and an open kiosk: nobody opens a page anew, nothing of the day is
// lost, and the next visit is heard of. And pages that are opened while a connection breaks: each comes by itself.
export async function again(stage) {
    const { checks, counter } = stage;
    const board = await stage.open("board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("受付")}`, (page) =>
        /* Each state of the line that stood there, however short. */
        page.addInitScript(() => {
            globalThis.lines = [];
            addEventListener("DOMContentLoaded", () => {
                const badge = document.getElementById("link");
                new MutationObserver(() => globalThis.lines.push(badge.textContent)).observe(badge, { childList: true, characterData: true, subtree: true });
            });
        }),
    );
    const kiosk = await stage.open("kiosk", `/kiosk/1#token=${counter.token("lane-1")}`);
    const { page } = board;
    const day = () => page.evaluate(() => [...document.querySelectorAll("#visits tr[data-visit]")].map((row) => row.dataset.visit).sort().join());
    const up = () => page.waitForFunction(() => !document.getElementById("main").hidden && document.getElementById("link").textContent === "つながっています" && document.querySelectorAll(".lane").length > 0, null, { timeout: 120000 }).then(() => true, () => false);
    const lookUp = () =>
        page.evaluate(async () => {
            const body = JSON.stringify({ insurer: "00990010", symbol: "試験", number: "2001", branch: "01", birth: "19640229", limit_consent: false });
            const answer = await fetch("/api/lookup", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body });
            return (await answer.json()).visit;
        });
    const stands = (visit) => page.waitForFunction((v) => document.querySelector(`#visits tr[data-visit="${v}"]`)?.innerText.includes("資格あり"), visit, { timeout: 120000 }).then(() => true, () => false);
    const idle = () => kiosk.page.waitForFunction(() => document.body.innerText.includes("マイナンバーカードを置いてください"), null, { timeout: 120000 }).then(() => true, () => false);

    await up();
    checks.check("board, before anything is killed: a look-up stands there", await stands(await lookUp()));
    await idle();
    for (const [program, words] of [["desk", "受付の本体が止まっています"], ["web", "つなぎ直しています"]]) {
        const before = await day();
        await page.evaluate(() => (globalThis.lines.length = 0));
        await page.locator("#search").focus();
        await counter.launcher(`kill ${program} 9`);
        const told = await page.waitForFunction((w) => globalThis.lines.includes(w), words, { timeout: 120000 }).then(() => true, () => false);
        checks.check(`board, ${program} killed: "${words}" stands there`, told, await page.evaluate(() => globalThis.lines.join(" | ")));
        checks.check(`board, ${program} killed: it is back by itself, nobody signs in anew`, await up(), await page.locator("#link").innerText());
        await page.waitForFunction((b) => [...document.querySelectorAll("#visits tr[data-visit]")].map((row) => row.dataset.visit).sort().join() === b, before, { timeout: 60000 }).catch(() => {});
        checks.check(`board, ${program} killed: the day is there, row by row, and the cursor where it was`, before !== "" && (await day()) === before && (await page.evaluate(() => document.activeElement.id)) === "search", `${before} / ${await day()}`);
        checks.check(`kiosk, ${program} killed: the next patient finds it ready`, await idle(), await kiosk.page.locator("body").innerText());
        checks.check(`board, ${program} killed: the next visit is heard of`, await stands(await lookUp()));
    }
    await kiosk.context.close();
    await board.context.close();
    await brokenOpenings(stage);
}

// One request of a page that is being opened is lost, as when the program behind it dies in that moment.
async function brokenOpenings(stage) {
    const { checks, counter } = stage;
    const pages = [
        ["kiosk", `/kiosk/1#token=${counter.token("lane-1")}`, "マイナンバーカードを置いてください"],
        ["board", `/board#token=${counter.token("staff")}&name=${encodeURIComponent("受付")}`, "窓口1"],
    ];
    const lost = [
        ["its first script", "GET", (path, surface) => path === `/${surface}.js`],
        ["a script of a script", "GET", (path) => path === "/dom.js"],
        ["how it looks", "GET", (path, surface) => path === `/${surface}.css`],
        ["its sign-in", "POST", (path) => path === "/api/session"],
        ["whose session it is", "GET", (path) => path === "/api/session", "board"],
    ];
    for (const [surface, address, words] of pages)
        for (const [what, method, is] of lost.filter(([, , , only = surface]) => only === surface)) {
            let asked = 0;
            const view = await stage.open(surface, address, (page) =>
                page.route("**/*", (route) => {
                    const request = route.request();
                    const here = request.method() === method && is(new URL(request.url()).pathname, surface);
                    return here && asked++ === 0 ? route.abort("connectionreset") : route.continue();
                }),
            );
            for (const end = Date.now() + 30000; Date.now() < end && asked < 2; )
                await view.page.waitForTimeout(50);
            const came = await view.page.waitForFunction((w) => document.styleSheets.length > 0 && document.body?.innerText.includes(w), words, { timeout: 30000, polling: 100 }).then(() => true, () => false);
            const shown = await view.page.locator("body").innerText();
            checks.check(`${surface}, opened while ${what} is lost: it comes by itself`, came && asked > 1, `asked ${asked} times; ${shown}`);
            await view.context.close();
        }
}
