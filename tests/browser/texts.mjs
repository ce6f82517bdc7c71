// The texts of both pages: no key is missing in a language, none is there for nothing, every failure has its words in
// every language of the kiosk, and every value has its place. Prints "N passed, N failed".
import { readFileSync, readdirSync } from "node:fs";
import { languages } from "../../daemon/web/pages/languages.js";
import boardEn from "../../daemon/web/pages/board.en.js";
import boardJa from "../../daemon/web/pages/board.ja.js";
import { forPatients, prompts } from "../../daemon/web/voice/prompts.mjs";
import { Checks } from "./checks.mjs";
import { failures } from "./told.mjs";

const checks = new Checks();
const pages = new URL("../../daemon/web/pages/", import.meta.url);
const codes = failures().filter(forPatients).map((f) => f.code);
const isCode = (key) => /^[A-Z]\d{3}$/.test(key);
const places = (words) => [...words.matchAll(/\{\w+\}/g)].map(String).sort().join();
const list = (keys) => keys.slice(0, 8).join(", ");

// The sources of a page: its script and all it imports, but the catalogues.
function sources(file, seen = new Set()) {
    if (seen.has(file) || /^(text|board)\.[\w-]+\.js$/.test(file))
        return "";
    seen.add(file);
    const source = readFileSync(new URL(file, pages), "utf8");
    return source + [...source.matchAll(/from "\.\/([\w.-]+)"/g)].map(([, name]) => sources(name, seen)).join("");
}

// Used: the key itself stands in a source, or a template with something in front or behind that is named there too.
function unused(keys, source) {
    const literal = (words) => [`"${words}"`, `\`${words}`, `/${words}.\${`].some((one) => source.includes(one));
    const templates = [...source.matchAll(/`([\w.]*)\$\{[^}]*\}((?:[\w.]|\$\{[^}]*\})*)`/g)]
        .map(([, before, behind]) => [before, behind.replace(/\$\{[^}]*\}/g, "*")])
        .filter(([before, behind]) => before.endsWith(".") || behind.startsWith("."));
    const made = (key) =>
        templates.some(([before, behind]) => {
            const tail = behind.split("*").pop();
            if (!key.startsWith(before) || !key.endsWith(tail) || key.length <= before.length + tail.length)
                return false;
            const middle = key.slice(before.length, key.length - tail.length);
            return before !== "" || literal(middle);
        });
    return keys.filter((key) => key !== "language" && !literal(key) && !made(key));
}

const ja = languages.find((l) => l.code === "ja").catalogue;
const keys = Object.keys(ja);
const files = readdirSync(pages).filter((name) => /^text\.[\w-]+\.js$/.test(name)).map((name) => name.slice(5, -3)).sort();
checks.check("kiosk: eight languages, each with a file of its own", languages.length === 8 && files.join() === languages.map((l) => l.code).sort().join(), files.join());
for (const { code, catalogue } of languages) {
    const own = Object.keys(catalogue).filter((key) => !isCode(key));
    const missing = keys.filter((key) => !(key in catalogue));
    const extra = own.filter((key) => !(key in ja));
    checks.check(`${code}: no text is missing, none is there that Japanese does not have (${own.length})`, missing.length + extra.length === 0, list([...missing, ...extra]));
    const empty = Object.keys(catalogue).filter((key) => catalogue[key].trim() === "");
    const values = keys.filter((key) => key in catalogue && places(catalogue[key]) !== places(ja[key]));
    checks.check(`${code}: no text is empty, every value has its place`, empty.length + values.length === 0, list([...empty, ...values]));
    const table = code === "ja" || code === "en";
    const unsaid = table ? [] : codes.filter((c) => !(c in catalogue));
    const twice = Object.keys(catalogue).filter((key) => isCode(key) && (table || !codes.includes(key)));
    checks.check(`${code}: every failure has its words${table ? " in the table alone" : ""} (${codes.length})`, unsaid.length + twice.length === 0, list([...unsaid, ...twice]));
}
const readings = Object.entries(languages.find((l) => l.code === "ja-easy").catalogue).filter(([key, words]) => key !== "keys.hint" && !/^number\.(year|month|day)$/.test(key) && /[\u4e00-\u9fff]/.test(words.replace(/[々\u4e00-\u9fff]+《[\u3041-\u3096]+》/g, "")));
checks.check("ja-easy: every 漢字 has its reading", readings.filter(([key]) => key !== "language").length === 0, list(readings.map(([key]) => key)));
checks.check("kiosk: no text is there for nothing", unused(keys, sources("kiosk.js")).length === 0, list(unused(keys, sources("kiosk.js"))));

const boardKeys = Object.keys(boardJa);
const lacking = [...boardKeys.filter((key) => !(key in boardEn)), ...Object.keys(boardEn).filter((key) => !(key in boardJa))];
checks.check(`board: the same texts in both languages (${boardKeys.length})`, lacking.length === 0, list(lacking));

checks.check("board: no text is there for nothing", unused(boardKeys, sources("board.js")).length === 0, list(unused(boardKeys, sources("board.js"))));

/* What the desk may say of a visit or of a hand-over: a word of its own for staff, never the bare name. */
const named = (file, what) => [...readFileSync(new URL(`../../daemon/common/${file}`, import.meta.url), "utf8").matchAll(new RegExp(`^${what}\\(\\w+, "(\\w+)"`, "gm"))].map((m) => m[1]);
const flags = [...readFileSync(new URL("../../daemon/web/json_view.c", import.meta.url), "utf8").matchAll(/\{VISIT_FLAG_\w+, "(\w+)"\}/g)].map((m) => m[1]);
const spoken = {
    flag: flags,
    state: named("visit.def", "VISIT_STATE"),
    way: named("visit.def", "VISIT_METHOD"),
    outcome: named("visit.def", "VISIT_OUTCOME"),
    "slip.state": named("visit.def", "SLIP_STATE"),
    "outbox.kind": named("outbox.def", "OUTBOX_KIND"),
    "outbox.state": named("outbox.def", "OUTBOX_STATE").filter((s) => s !== "done"),
    "outbox.next": named("outbox.def", "OUTBOX_STATE").filter((s) => s !== "done"),
    "outbox.cause": [...named("outbox.def", "OUTBOX_CAUSE"), "linked"],
};
for (const [family, all] of Object.entries(spoken)) {
    const wordless = all.filter((name) => !(`${family}.${name}` in boardJa) || !(`${family}.${name}` in boardEn));
    checks.check(`board: every ${family} has its words (${all.length})`, all.length > 2 && wordless.length === 0, list(wordless));
}

/* what is spoken */
const all = prompts(failures().map((f) => f.patient));
const names = new Set(all.map((one) => `${one.language}/${one.name}`));
checks.check(`voice: no recording has the name of another (${all.length})`, names.size === all.length);
const unspoken = codes.filter((code) => languages.some((l) => !names.has(`${l.code}/${code}`)));
checks.check("voice: every failure is spoken in every language", unspoken.length === 0, list(unspoken));
checks.check("voice: no value is left open in what is spoken", all.every((one) => !one.words.includes("{")), list(all.filter((one) => one.words.includes("{")).map((one) => one.name)));

console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed === 0 ? 0 : 1);
