// The texts of a page: one catalogue file per language, all with the same keys; {name} is replaced by a value,
// 漢字《かんじ》 carries its reading.
import { h } from "./dom.js";

let catalogues = {};
let tags = {};
let beside = () => null;
let first = "ja";

// all: {code: catalogue}. other(code): the language that stands small beside it, or null. tag: {code: its BCP 47
// tag}, where the two differ.
export function speak(all, other, tag = {}) {
    catalogues = all;
    beside = other;
    tags = tag;
}

export const chosen = () => first;
export const tagOf = (code) => tags[code] ?? code;
export const known = (key) => key in catalogues[first];

export function choose(code) {
    if (code in catalogues) {
        first = code;
        document.documentElement.lang = tagOf(code);
    }
}

function raw(code, key, values = {}) {
    const words = catalogues[code][key] ?? catalogues.ja[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

const reading = /([々\u4e00-\u9fff]+)《([^》]+)》/g;

// Without readings: for who listens, and for labels.
export const text = (code, key, values) => raw(code, key, values).replace(reading, "$1");

// In the language chosen.
export const t = (key, values) => text(first, key, values);

// With readings above the letters.
function letters(words) {
    const parts = [];
    let at = 0;
    for (const found of words.matchAll(reading)) {
        parts.push(words.slice(at, found.index), h("ruby", {}, found[1], h("rp", {}, "("), h("rt", {}, found[2]), h("rp", {}, ")")));
        at = found.index + found[0].length;
    }
    return [...parts, words.slice(at)];
}

// prompt: the name of its recording (voice.js), null when it is never spoken.
const line = (kind, code, words, prompt = null) => h("span", { class: kind, lang: tagOf(code), "data-prompt": prompt && `${code}/${prompt}` }, letters(words));

// "pin.tries" with {tries: 2} is spoken as "pin.tries.2"; what has more values than one is not spoken.
const promptOf = (key, values = {}) => (Object.keys(values).length > 1 ? null : [key, ...Object.values(values)].join("."));

// One language by itself.
export const only = (code, key, values) => line("first", code, raw(code, key, values), promptOf(key, values));

// The language chosen, large; beside it small the one that belongs there.
export function both(key, values) {
    const other = beside(first);
    return [only(first, key, values), other !== null && line("second", other, raw(other, key, values))];
}

// For whoever comes next: nobody has chosen a language yet, so Japanese is never alone.
export function anyone(key, values) {
    const other = beside(first) ?? "en";
    return [only(first, key, values), line("second", other, raw(other, key, values))];
}

// A text of the server {code, ja, en}: other languages have it in their catalogue, by its code.
export function pair(words) {
    const say = (code) => words[code] ?? catalogues[code]?.[words.code] ?? words.en ?? words.ja;
    const other = beside(first);
    return [line("first", first, say(first), words.code), other !== null && line("second", other, say(other))];
}
