// make.mjs [--sample] OUT: the spoken guidance, one recording a text: OUT/LANGUAGE/NAME.opus. By eSpeak NG; what it
// cannot read is given to it as it sounds: Japanese by MeCab, Chinese as pinyin by ICU. Only what has changed is made
// anew. OUT/texts.tsv lists what there is to be spoken. --sample: every text is read, a few of each language are
// recorded. A better voice, or a person's, needs no build: see `recordings` in uketsuke.conf(5).
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { failuresOf, prompts } from "./prompts.mjs";

const here = new URL(".", import.meta.url);
const file = (path) => readFileSync(new URL(path, here), "utf8");
const sample = process.argv[2] === "--sample";
const out = process.argv[sample ? 3 : 2];
const bitrate = "20"; // kbit/s: speech

const lines = (program, options, texts) =>
    execFileSync(program, options, { input: `${texts.join("\n")}\n`, encoding: "utf8", maxBuffer: 1 << 26 }).replace(/\n$/, "").split("\n");

// What MeCab's dictionary lacks, or reads in the other way.
const corrections = [
    ["カードの表", "カードのおもて"], ["お一人", "おひとり"], ["健診", "けんしん"], ["受療", "じゅりょう"], ["年・月・日", "ねん、つき、ひ"],
    ["「年」", "ねん"], ["年を確かめて", "ねんを確かめて"], ["でない方", "でないかた"],
    ...["はじめて", "保護者", "付き添い", "代理", "お急ぎ"].map((who) => [`${who}の方`, `${who}のかた`]),
];

// Numbers as they are said before what is counted: よんけた, いっかい, ひとつ.
const ones = ["ゼロ", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう", "じゅう"];
const times = { 1: "いっ", 6: "ろっ", 8: "はっ", 10: "じゅっ" };
const things = ["", "ひと", "ふた", "みっ", "よっ"];
function counted(words) {
    return words.replace(/(\d+)(回|かい|つ)?/g, (whole, digits, counter = "") => {
        const n = Number(digits);
        const behind = counter === "回" ? "かい" : counter;
        if (digits.startsWith("0"))
            return [...digits].map((d) => ones[Number(d)]).join("") + behind;
        if (n > 19)
            return whole;
        if (counter === "つ" && n < things.length)
            return `${things[n]}つ`;
        if (counter !== "" && counter !== "つ" && n in times)
            return `${times[n]}かい`;
        return (n > 10 ? ones[10] + ones[n - 10] : ones[n]) + behind;
    });
}

// MeCab's pronunciation of a word (the particle は is ワ), or the word itself where it has none.
const kana = (texts) => lines("mecab", ["-F", "%f[8]", "-U", "%m", "-E", "\\n"], texts.map(counted));
const pinyin = (texts) => lines("uconv", ["-f", "utf-8", "-t", "utf-8", "-x", "Han-Latin"], texts);
const asItIs = (texts) => texts;

const corrected = (words) => corrections.reduce((text, [wrong, right]) => text.replaceAll(wrong, right), words);

// voice: of eSpeak NG; read: before anything else; sounds: the texts as it can read them; unread: what must not be left of them.
const kanji = /[々\u4e00-\u9fff]/;
const voices = {
    ja: { voice: "ja", speed: 150, sounds: kana, unread: kanji, read: corrected },
    "ja-easy": { voice: "ja", speed: 125, sounds: kana, unread: kanji },
    en: { voice: "en-us", speed: 150, sounds: asItIs },
    "zh-hans": { voice: "cmn-latn-pinyin", speed: 140, sounds: pinyin, unread: kanji },
    "zh-hant": { voice: "cmn-latn-pinyin", speed: 140, sounds: pinyin, unread: kanji },
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
        const coder = spawn("opusenc", ["--quiet", "--bitrate", bitrate, "-", `${path}.new`], { stdio: [speaker.stdout, "ignore", "inherit"] });
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

// What was made of what: {name: digest of the sound and of how it is spoken}.
function known(folder) {
    try {
        return JSON.parse(readFileSync(`${folder}/.from`, "utf8"));
    } catch {
        return {}; // not made yet
    }
}

async function language(code, all) {
    const folder = `${out}/${code}`;
    const { voice, speed, sounds, unread, read } = voices[code];
    const spoken = sounds(all.map((one) => aloud(read === undefined ? one.words : read(one.words))));
    if (spoken.length !== all.length)
        throw new Error(`${code}: ${all.length} texts, but ${spoken.length} readings`);
    const wrong = all.find((one, i) => spoken[i].trim() === "" || unread?.test(spoken[i]));
    if (wrong !== undefined)
        throw new Error(`${code}: no reading for ${wrong.name}: "${spoken[all.indexOf(wrong)]}"`);
    mkdirSync(folder, { recursive: true });
    const before = known(folder);
    const now = {};
    const unspoken = [];
    all.forEach((one, i) => {
        const path = `${folder}/${one.name}.opus`;
        const digest = createHash("sha256").update(JSON.stringify([voice, speed, bitrate, spoken[i]])).digest("hex").slice(0, 16);
        if (before[one.name] === digest && existsSync(path))
            now[one.name] = digest;
        else if (!sample || i % 48 === 0)
            unspoken.push({ name: one.name, digest, path, sound: spoken[i] });
    });
    /* A text that is gone is not spoken any more. */
    for (const name of Object.keys(before))
        if (!all.some((one) => one.name === name))
            rmSync(`${folder}/${name}.opus`, { force: true });
    const made = unspoken.length;
    const worker = async () => {
        for (let one = unspoken.shift(); one !== undefined; one = unspoken.shift()) {
            await record(voice, speed, one.sound, one.path);
            now[one.name] = one.digest;
        }
    };
    await Promise.all(cpus().map(worker));
    writeFileSync(`${folder}/.from`, JSON.stringify(now));
    return made;
}

const all = prompts(failuresOf(file("../../common/failure.def")));
let made = 0;
for (const code of Object.keys(voices))
    made += await language(code, all.filter((one) => one.language === code));
writeFileSync(`${out}/texts.tsv`, all.map((one) => `${one.language}/${one.name}\t${one.words}\n`).join(""));
console.log(`声の案内 / spoken guidance: ${made} recordings made, ${all.length} texts`);
