// Pages that are watched: what they said on the console, what they asked for, and how each screen looks.
import { axeFaults, layoutFaults, sizes } from "./checks.mjs";

// Before any script of the page: nobody's face gets into a picture of a screen.
function coverFaces() {
    const cover = new CSSStyleSheet();
    cover.replaceSync(".live canvas { visibility: hidden !important; } .live .frame { background: #6b7684 !important; }");
    document.adoptedStyleSheets = [cover];
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
}

// A browser that asks nobody but the desk: no name is looked up, nothing is updated, reported or fetched in advance.
export function launch(chromium, executablePath) {
    return chromium.launch({
        executablePath,
        args: [
            "--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-sync", "--no-pings",
            "--disable-features=OptimizationHints,MediaRouter,Translate", "--metrics-recording-only", "--no-first-run",
        ],
    });
}

// Chromium has once, in thousands of pictures, let one wait without an end (its page had been measured and was there): a
// picture is asked for twice, and the second has the time that everything has.
async function picture(page, path) {
    const options = { path, type: "jpeg", quality: 75 };
    await page.screenshot({ ...options, timeout: 20000 }).catch((late) => {
        console.log(`a picture is asked for once more: ${path.split("/").pop()} (${late.message.split("\n")[0]})`);
        return page.screenshot(options);
    });
}

export class Stage {
    foreign = [];

    constructor(parts) {
        Object.assign(this, parts);
        this.origin = `http://127.0.0.1:${parts.port}`;
    }

    // The pages stand behind a desk of many programs that has just been started.
    async ready(seconds) {
        for (const until = Date.now() + seconds * 1000; Date.now() < until; await new Promise((done) => setTimeout(done, 200)))
            if (await fetch(`${this.origin}/kiosk/1`).then((answer) => answer.ok, () => false))
                return true;
        return false;
    }

    // A page in a browser of its own (cookies, storage). prepare(page): before it is opened.
    async open(surface, address, prepare = null) {
        const context = await this.browser.newContext({ viewport: sizes[1], locale: "ja-JP", timezoneId: "Asia/Tokyo" });
        const page = await context.newPage();
        const heard = { console: [], errors: [], requests: [], bytes: 0, headers: null };

        page.on("console", (m) => {
            heard.console.push(m.text());
            if (["error", "warning"].includes(m.type()))
                heard.errors.push(m.text());
        });
        page.on("pageerror", (e) => {
            heard.console.push(e.message);
            heard.errors.push(e.message);
        });
        page.on("request", (r) => {
            heard.requests.push({ address: r.url(), body: r.postData() });
            if (!r.url().startsWith(`${this.origin}/`))
                this.foreign.push(r.url());
        });
        page.on("response", async (r) => {
            if (r.request().resourceType() === "document")
                heard.headers = r.headers();
            if (["document", "script", "stylesheet", "image"].includes(r.request().resourceType()))
                heard.bytes += Number(r.headers()["content-length"] ?? 0);
        });
        page.setDefaultTimeout(60000);
        await page.addInitScript(coverFaces);
        await prepare?.(page);
        await page.goto(`${this.origin}${address}`, { waitUntil: "load" });
        return { surface, page, heard, context };
    }

    // One screen at three sizes: layout, axe, a picture of each.
    async look(view, name) {
        const faults = [];
        for (const size of [sizes[1], sizes[0], sizes[2]]) {
            await view.page.setViewportSize(size);
            for (const fault of await layoutFaults(view.page, view.surface))
                faults.push(`${size.width}x${size.height}: ${fault}`);
            faults.push(...(await axeFaults(view.page, view.surface, this.packages)).map((f) => `${size.width}x${size.height}: axe: ${f}`));
            await picture(view.page, `${this.pictures}/${view.surface}-${name}-${size.width}x${size.height}.jpg`);
        }
        await view.page.setViewportSize(sizes[1]);
        this.checks.check(`${view.surface}, ${name}: three sizes, targets, axe`, faults.length === 0, faults.join(" | "));
    }

    quiet(view, words) {
        this.checks.check(`${view.surface}: the console says nothing${words}`, view.heard.errors.length === 0, view.heard.errors.slice(0, 3).join(" | "));
    }
}
