// Fifty boards at once: each hears of a live visit, and the program that serves them does not grow. Plain clients of the
// event stream, as a browser's EventSource is one; the pages themselves are tried elsewhere.
import { request } from "node:http";
import { readFileSync, readdirSync } from "node:fs";

function ask(port, method, path, headers, body = null) {
    return new Promise((done, fail) => {
        const one = request({ host: "127.0.0.1", port, method, path, headers: { Origin: `http://127.0.0.1:${port}`, "X-Uketsuke": "board", ...(body ? { "Content-Type": "application/json" } : {}), ...headers } }, (answer) => {
            let text = "";
            answer.setEncoding("utf8");
            answer.on("data", (part) => (text += part));
            answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, text }));
        });
        one.on("error", fail);
        one.end(body);
    });
}

// A board that listens: heard(event, data) for each event.
class Listener {
    constructor(port, cookie, heard) {
        this.ready = new Promise((done, fail) => {
            this.request = request({ host: "127.0.0.1", port, path: "/api/events", headers: { Cookie: cookie, Accept: "text/event-stream" }, agent: false }, (answer) => {
                let rest = "";
                answer.setEncoding("utf8");
                answer.on("data", (part) => {
                    const blocks = (rest + part).split("\n\n");
                    rest = blocks.pop();
                    for (const block of blocks) {
                        const [, event] = block.match(/^event: (.*)$/m) ?? [];
                        const [, data] = block.match(/^data: (.*)$/m) ?? [];
                        if (event === "ready")
                            done();
                        if (event)
                            heard(event, JSON.parse(data));
                    }
                });
                answer.on("error", () => {});
            });
            this.request.on("error", fail);
            this.request.end();
        });
    }
    close() {
        this.ready.catch(() => {});
        this.request.destroy();
    }
}

// The web program of that desk, by its command line; its memory in KB.
function memory(desk) {
    const pid = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).find((name) => {
        try {
            const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
            return line.includes("uketsuke-web\0") && line.includes(`${desk}/`);
        } catch {
            return false;
        }
    });
    return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s*(\d+)/m)[1]);
}

// n boards, and `rounds` times a look-up that all must hear of. Prints a line for `make bench` when asked.
export async function boards(stage, { n = 50, rounds = 4, print = false } = {}) {
    const { checks, port } = stage;
    const token = stage.counter.token("staff");
    const cookies = [];
    const times = [];
    const sizes = [];
    let all = [];
    let heard = new Map(); // visit: how many boards know that it is decided
    let wanted = null;

    for (let i = 0; i < n; i++) {
        const signed = await ask(port, "POST", "/api/session", {}, JSON.stringify({ token, name: `受付${i}` }));
        if (signed.status !== 200)
            throw new Error(`board ${i} was not let in: ${signed.status} ${signed.text}`);
        cookies.push(signed.headers["set-cookie"][0].split(";")[0]);
    }
    const open = async () => {
        all = cookies.map((cookie) => new Listener(port, cookie, (event, visit) => {
            if (event !== "visit" || visit.outcome === "open")
                return;
            heard.set(visit.visit, (heard.get(visit.visit) ?? 0) + 1);
            if (visit.visit === wanted?.visit && heard.get(visit.visit) === n)
                wanted.done(performance.now());
        }));
        await Promise.all(all.map((one) => one.ready));
    };
    for (let round = 0; round < rounds; round++) {
        await open();
        heard = new Map();
        const began = performance.now();
        const answer = await ask(port, "POST", "/api/lookup", { Cookie: cookies[round] }, JSON.stringify({ insurer: "00990010", symbol: "試験", number: "2001", branch: "01", birth: "19640229", limit_consent: false }));
        const { visit } = JSON.parse(answer.text);
        const ended = await new Promise((done) => {
            wanted = { visit, done };
            const timer = setTimeout(() => done(null), 60000);
            if (heard.get(visit) === n)
                done(performance.now());
            wanted.timer = timer;
        });
        clearTimeout(wanted.timer);
        if (ended === null) {
            checks.check(`${n} boards: all hear of a visit`, false, `${heard.get(visit) ?? 0} did`);
            all.forEach((one) => one.close());
            return false;
        }
        times.push(ended - began);
        sizes.push(memory(stage.desk));
        all.forEach((one) => one.close());
        await new Promise((done) => setTimeout(done, 200));
    }
    const grown = sizes.at(-1) - sizes[0];
    times.sort((a, b) => a - b);
    if (print)
        console.log(`  ${n} boards open: from the look-up of staff to the last board ${times[0].toFixed(0)} ms at best, ${times.at(-1).toFixed(0)} ms at worst of ${rounds}; uketsuke-web ${sizes[0]} KB, after ${rounds} times fifty more or less ${grown} KB`);
    checks.check(`${n} boards: all hear of each of ${rounds} visits`, times.length === rounds);
    checks.check(`${n} boards, closed and opened ${rounds} times: the program that serves them does not grow`, grown < 2048, `${sizes.join(" ")} KB`);
    return true;
}
