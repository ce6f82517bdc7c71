// Staff sign in at the board: by the pages alone, with codes computed here from the secret that the page shows.
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Form } from "./board_forms.mjs";
import { Checks } from "./checks.mjs";
import { Stage, launch } from "./stage.mjs";

const option = { type: "string" };
const { values } = parseArgs({ options: { desk: option, port: option, packages: option, browser: option, pictures: option, code: option, database: option } });
const { chromium } = createRequire(import.meta.url)(`${values.packages}/playwright-core`);
const checks = new Checks();

// RFC 6238 in six lines, with nothing of the product.
function totp(secret, step) {
    const bits = [...secret.replaceAll(" ", "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
    const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", key).update(counter).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}
// Each code works once, so each attempt takes the next step that is still accepted (now, or one ahead).
let used = 0;
async function code(secret) {
    // The oldest that is accepted must still be when it arrives.
    while (Date.now() % 30000 > 22000)
        await new Promise((done) => setTimeout(done, 200));
    for (;;) {
        const now = Math.floor(Date.now() / 30000);
        const step = Math.max(used + 1, now - 1);
        if (step <= now + 1) {
            used = step;
            return totp(secret, step);
        }
        await new Promise((done) => setTimeout(done, 1000));
    }
}
const sql = (query) => execFileSync("sqlite3", [values.database, query], { encoding: "utf8" }).trim();
const audits = (event) => Number(sql(`SELECT count(*) FROM audit WHERE event = '${event}'`));

const browser = await launch(chromium, values.browser);
const password = "雨の月曜日の朝八時半";
try {
    const stage = new Stage({ ...values, browser, checks });
    checks.check("the pages are served", await stage.ready(90));
    const board = await stage.open("board", "/board");
    const page = board.page;
    const door = page.locator("#door form");
    const form = new Form(page, checks);
    const fill = async (...texts) => {
        const inputs = door.locator("input");
        for (const [i, text] of texts.entries())
            await inputs.nth(i).fill(text);
        await door.locator("button.main").click();
    };
    const says = async (part) => (await page.locator("#door [role=alert]").textContent()).includes(part);
    const settled = () => page.waitForFunction(() => document.querySelector("#door [role=alert]")?.textContent || !document.querySelector("#main").hidden);

    // Guesses from another page.
    async function brute(at) {
        const statuses = await at.evaluate(async () => {
            const all = [];
            for (let i = 0; i < 7; i++) {
                const answer = await fetch("/api/sign-in", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body: JSON.stringify({ name: "鈴木", password: `guess number ${i}`, code: "000000" }) });
                all.push([answer.status, Number(answer.headers.get("Retry-After") ?? 0)]);
            }
            return all;
        });
        checks.check("five wrong attempts lock a name", statuses.slice(0, 4).every(([s]) => s === 401) && statuses.slice(4).every(([s, wait]) => s === 429 && wait > 0), JSON.stringify(statuses));
    }

    await page.waitForSelector("#door form input[type=password]");
    await stage.look(board, "sign-in");
    /* --- first setup --- */
    await door.locator("button:not(.main)").click();
    await page.waitForSelector("#door input.code");
    await fill("佐藤", "AAAA-BBBB-CCCC-DDDD");
    await page.waitForFunction(() => document.querySelector("#door [role=alert]").textContent !== "");
    checks.check("a wrong setup code is refused, and not said to be it", await says("A001"));
    await fill("佐藤", values.code.toLowerCase().match(/.{4}/g).join(" "));
    await page.waitForSelector("#door p.code");
    const secret = await page.locator("#door p.code").textContent();
    /* The code on the screen, read by an eye of somebody else's making (zbar). */
    const picture = `${values.desk}/qr.png`;
    await page.locator("#door svg.qr").screenshot({ path: picture });
    const link = await page.locator("#door a").getAttribute("href");
    const read = execFileSync("zbarimg", ["-q", "--raw", picture], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    rmSync(picture);
    checks.check("the QR code holds the link of the authenticator app, and the link the secret", read === link && read.startsWith("otpauth://totp/") && new URL(read).searchParams.get("secret") === secret.replaceAll(" ", ""), read.length === 0 ? "nothing was read" : `${read.length} characters`);
    checks.check("first setup names the QR code, and what to do without it", await page.locator("#door").innerText().then((words) => words.includes("QRコード") && words.includes("下の文字を登録")));
    await stage.look(board, "setup");
    const setup = async (first, again, digits) => {
        await page.locator("#door [role=alert]").evaluate((e) => (e.textContent = ""));
        await fill(first, again, digits);
    };
    await setup(password, `${password}x`, "000000");
    await page.waitForFunction(() => document.querySelector("#door [role=alert]").textContent !== "");
    checks.check("two passwords that differ are noticed", await says("違います"));
    await setup("1234567890", "1234567890", await code(secret));
    await page.waitForFunction(() => document.querySelector("#door [role=alert]").textContent !== "");
    checks.check("a password that everybody tries is refused", await says("推測されやすい"));
    await setup(password, password, "000000");
    await page.waitForFunction(() => document.querySelector("#door [role=alert]").textContent !== "");
    checks.check("a wrong one-time code is noticed before anything is stored", (await says("確認コード")) && audits("account_set_up") === 0);
    used = 0;
    await setup(password, password, await code(secret));
    await page.waitForSelector("#door input[autocomplete=username]");
    checks.check("the account is set up, and the audit log says so", audits("account_set_up") === 1);

    /* --- signing in --- */
    const [fixed] = [{ name: "uketsuke_board", value: "AAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA", url: stage.origin }];
    await board.context.addCookies([fixed]);
    await fill("佐藤", "something else", "000000"); // a code is not even looked at where the password is wrong
    await settled();
    checks.check("a wrong password: one word for all that may be wrong", await says("A001"));
    checks.check("the password does not stay in its field", (await door.locator("input[type=password]").inputValue()) === "");
    await fill("誰か", password, "000000");
    await settled();
    checks.check("an unknown name: the same word", await says("A001"));
    checks.check("wrong attempts stand in the audit log", audits("sign_in_failed") === 3);
    await fill("佐藤", password, await code(secret));
    await page.waitForSelector("#main:not([hidden])");
    checks.check("name, password and code open the board", (await page.locator("#who").textContent()) === "佐藤");
    checks.check("the audit log has who came in", audits("signed_in") === 1);
    await page.waitForSelector("#main .lane[data-lane]"); // drawn from what the stream tells
    checks.check("and whose eyes the board has, before it shows anything", audits("board_viewed") === 1);
    checks.check("nothing of the password is in the page, its address or what it kept", !(await page.evaluate(() => document.documentElement.outerHTML + location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage))).includes(password));
    const session = async () => (await board.context.cookies()).filter((c) => c.name.startsWith("uketsuke") && c.httpOnly);
    const mine = (await session())[0];
    checks.check("a cookie that was there before is not the session", mine !== undefined && mine.value !== fixed.value && mine.sameSite === "Strict");
    checks.check("no script can read the session", (await page.evaluate(() => document.cookie)) === "");
    checks.check("it was said in one request each, never in an address", board.heard.requests.every((r) => !decodeURIComponent(r.address).includes(password)));

    /* The board must not lock while a slow machine looks at it, or sets up the second: pictures are no touch of a hand. */
    const awake = () => page.evaluate(() => fetch("/api/session/touch", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body: "{}" }).then(() => {}));
    const lookAwake = async (name) => {
        await awake();
        await stage.look(board, name);
        await awake();
    };

    /* --- a pharmacy: somebody else comes for the medicine --- */
    await page.locator("#lookup").click();
    await page.waitForSelector('#dialog[open][data-what="lookup"]');
    for (const [name, words] of Object.entries({ insurer: "00990010", symbol: "試験", number: "2001", branch: "01", birth: "19640229" }))
        await page.locator(`#dialog [name="${name}"]`).fill(words);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("#visits tr[data-visit]")?.innerText.includes("資格あり"));
    await form.closed(); // it may close after the list is new
    await page.locator("#visits tr[data-visit]").first().focus();
    await page.keyboard.press("Enter");
    await page.locator('#detail [data-action="proxy"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('#dialog[open][data-what="pick-up"]');
    await lookAwake("pick-up");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector('#dialog [data-field="name"] .wrong')?.textContent !== "");
    checks.check("pick-up without a name: the fault stands beside it, and the cursor in it", await page.evaluate(() => document.activeElement.name === "name"));
    await page.locator('#dialog [name="name"]').fill("架空　四郎");
    await page.locator('#dialog [name="relation"]').fill("長男");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.getElementById("dialog").open && document.querySelector("#visits tr[data-visit]").innerText.includes("代理の方の受け取り"));
    checks.check("who picks up stands with the visit, and who of staff noted it in the audit log", (await page.locator("#detail").innerText()).includes("架空　四郎 (長男)") && audits("proxy") === 1);
    await page.keyboard.press("Escape");

    /* --- an administrator adds somebody, who sees no accounts --- */
    await page.locator("#accounts").click();
    await page.waitForSelector("#dialog[open] tbody tr");
    await page.locator("#dialog input[type=text]").fill("鈴木");
    await page.locator("#dialog form button.main").click();
    await page.waitForSelector("#dialog .code b");
    const second = (await page.locator("#dialog .code b").textContent()).replaceAll("-", "");
    checks.check("a setup code is shown once for a new account", /^[A-Z2-7]{16}$/.test(second));
    await lookAwake("accounts");
    checks.check("the last administrator cannot disable herself", await page.evaluate(async () => {
        const answer = await fetch("/api/accounts", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body: JSON.stringify({ what: "disable", name: "佐藤" }) });
        return answer.status === 409 && (await answer.json()).error.code === "A004";
    }));
    await page.keyboard.press("Escape");

    await awake();
    const other = await stage.open("board", "/board");
    const setUpOther = await other.page.evaluate(async ({ code }) => {
        const answer = await fetch("/api/setup", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body: JSON.stringify({ name: "鈴木", setup: code }) });
        return answer.json();
    }, { code: second });
    const theirs = setUpOther.secret;
    await awake();
    used = 0;
    await other.page.evaluate(async ({ code, secret, digits }) => {
        await fetch("/api/setup", { method: "POST", headers: { "X-Uketsuke": "board", "Content-Type": "application/json" }, body: JSON.stringify({ name: "鈴木", setup: code, secret, password: "a colleague's long sentence", code: digits }) });
    }, { code: second, secret: theirs, digits: totp(theirs, Math.floor(Date.now() / 30000)) });
    await awake();
    const theirDoor = other.page.locator("#door form");
    for (const [i, text] of ["鈴木", "a colleague's long sentence", totp(theirs, Math.floor(Date.now() / 30000))].entries())
        await theirDoor.locator("input").nth(i).fill(text);
    await theirDoor.locator("button.main").click();
    await other.page.waitForSelector("#main:not([hidden])");
    await awake();
    checks.check("reception does not see the accounts", await other.page.locator("#accounts").isHidden());
    checks.check("and is not served them either", (await other.page.evaluate(() => fetch("/api/accounts", { headers: { "X-Uketsuke": "board" } }).then((a) => a.status))) === 403);
    checks.check("reception may work", (await other.page.evaluate(() => fetch("/api/lanes", { headers: { "X-Uketsuke": "board" } }).then((a) => a.status))) === 200);

    /* --- ended from elsewhere, and by idleness --- */
    const ended = await page.evaluate(async () => {
        const { sessions } = await (await fetch("/api/sessions", { headers: { "X-Uketsuke": "board" } })).json();
        const theirs = sessions.find((s) => s.name === "鈴木");
        return (await fetch(`/api/sessions/${theirs.id}`, { method: "DELETE", headers: { "X-Uketsuke": "board" } })).status;
    });
    checks.check("an administrator ends a session", ended === 204);
    checks.check("whose page may see nothing more", (await other.page.evaluate(() => fetch("/api/lanes", { headers: { "X-Uketsuke": "board" } }).then((a) => a.status))) === 401);
    await other.page.waitForSelector("#door:not([hidden])", { timeout: 60000 });
    checks.check("and goes back to the door by itself", (await other.page.locator("#visits").textContent()) === "");
    const locked = page.waitForSelector("#door:not([hidden])", { timeout: 150000 }); // a minute, in which others work
    await brute(other.page);
    await locked;
    checks.check("a board that nobody touches for a minute locks itself", await says("操作がなかった"));
    checks.check("and keeps nothing of the day", (await page.locator("#visits").textContent()) === "" && (await page.locator("#lanes").textContent()) === "");

    checks.check("no request left the loopback host", stage.foreign.length === 0);
} catch (error) {
    checks.check("the run came to its end", false, error.stack);
} finally {
    await browser.close();
}
console.log(`${checks.passed} passed, ${checks.failed} failed`);
