// make.mjs OUT [LANGUAGE...]: the spoken guidance, one recording a text: OUT/LANGUAGE/NAME.opus. By eSpeak NG; what it
// cannot read is given to it as it sounds: Japanese by MeCab, Chinese as pinyin by ICU. Made anew only where texts or
// this file have changed. A better voice, or a person's, needs no build: see `recordings` in uketsuke.conf(5).
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { failuresOf, prompts } from "./prompts.mjs";

const here = new URL(".", import.meta.url);
const read = (path) => readFileSync(new URL(path, here), "utf8");
const [out, ...wanted] = process.argv.slice(2);

const lines = (program, options, texts) =>
    execFileSync(program, options, { input: `${texts.join("\n")}\n`, encoding: "utf8", maxBuffer: 1 << 26 }).replace(/\n$/, "").split("\n");

// MeCab's pronunciation of a word (the particle は is ワ), or the word itself where it has none.
const kana = (texts) => lines("mecab", ["-F", "%f[8]", "-U", "%m", "-E", "\\n"], texts);
const pinyin = (texts) => lines("uconv", ["-f", "utf-8", "-t", "utf-8", "-x", "Han-Latin"], texts);
const asItIs = (texts) => texts;

// voice: of eSpeak NG; sounds: the texts as it can read them.
const voices = {
    ja: { voice: "ja", speed: 150, sounds: kana },
    "ja-easy": { voice: "ja", speed: 125, sounds: kana },
    en: { voice: "en-us", speed: 150, sounds: asItIs },
    "zh-hans": { voice: "cmn-latn-pinyin", speed: 140, sounds: pinyin },
    "zh-hant": { voice: "cmn-latn-pinyin", speed: 140, sounds: pinyin },
    ko: { voice: "ko", speed: 150, sounds: asItIs },
    pt: { voice: "pt-br", speed: 150, sounds: asItIs },
    vi: { voice: "vi", speed: 150, sounds: asItIs },
};

// As it is said aloud: readings in place of the letters they stand above, nothing in brackets, no typography.
const aloud = (words) =>
    words
        .replace(/[々\u4e00-\u9fff]+《([^》]+)》/g, "$1")
        .replace(/[(（][^)）]*[)）]/g, "")
        .replace(/[「」『』“”‘’"]/g, " ")
        .replace(/[·・]/g, " ")
        .replace(/−/g, " ")
        .trim();

// One text through eSpeak NG and Opus, complete or not there at all.
function record(voice, speed, sound, path) {
    return new Promise((done, fail) => {
        const speaker = spawn("espeak-ng", ["-v", voice, "-s", String(speed), "--stdout", "--", sound], { stdio: ["ignore", "pipe", "inherit"] });
        const coder = spawn("opusenc", ["--quiet", "--bitrate", "20", "-", `${path}.new`], { stdio: [speaker.stdout, "ignore", "inherit"] });
        let left = 2;
        const ended = (program) => (code) => {
            if (code !== 0)
                fail(new Error(`${program} ended with ${code} over "${sound}"`));
            else if (--left === 0) {
                renameSync(`${path}.new`, path);
                done();
            }
        };
        speaker.on("error", fail).on("exit", ended("espeak-ng"));
        coder.on("error", fail).on("exit", ended("opusenc"));
    });
}

async function language(code, all) {
    const folder = `${out}/${code}`;
    const stamp = createHash("sha256").update(JSON.stringify(all)).update(read("make.mjs")).digest("hex");
    let made = "";
    try {
        made = readFileSync(`${folder}/.from`, "utf8");
    } catch { /* not made yet */ }
    if (made === stamp)
        return 0;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { voice, speed, sounds } = voices[code];
    const spoken = sounds(all.map((one) => aloud(one.words)));
    if (spoken.length !== all.length)
        throw new Error(`${code}: ${all.length} texts, but ${spoken.length} readings`);
    const todo = all.map((one, i) => ({ path: `${folder}/${one.name}.opus`, sound: spoken[i] }));
    const worker = async () => {
        for (let one = todo.shift(); one !== undefined; one = todo.shift())
            await record(voice, speed, one.sound, one.path);
    };
    await Promise.all(cpus().map(worker));
    writeFileSync(`${folder}/.from`, stamp);
    return all.length;
}

const all = prompts(failuresOf(read("../../common/failure.def")));
let made = 0;
for (const code of wanted.length > 0 ? wanted : Object.keys(voices))
    made += await language(code, all.filter((one) => one.language === code));
console.log(`声の案内 / spoken guidance: ${made} recordings made, ${all.length} in all`);
