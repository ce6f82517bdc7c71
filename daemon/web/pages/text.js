// The texts of the pages: one catalogue file per language. To add a language: write text.XX.js with the same keys
// and name it here.
import ja from "./text.ja.js";
import en from "./text.en.js";
import { h } from "./dom.js";

const catalogues = { ja, en };
let first = "ja";

export const languages = Object.keys(catalogues);
export const second = () => (first === "ja" ? "en" : "ja");
export const chosen = () => first;

export function choose(language) {
    if (language in catalogues) {
        first = language;
        document.documentElement.lang = language;
    }
}

export function text(language, key, values = {}) {
    const words = catalogues[language][key] ?? catalogues.ja[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const known = (key) => key in catalogues[first];

// In the language chosen.
export const t = (key, values) => text(first, key, values);

// Both languages: the chosen one large, the other one small beside it.
export function both(key, values) {
    return pair({ ja: text("ja", key, values), en: text("en", key, values) });
}

// The same for a text of the server: {ja, en}.
export function pair(words) {
    const other = second();
    return [
        h("span", { class: "first", lang: first }, words[first] ?? words.ja),
        h("span", { class: "second", lang: other }, words[other] ?? words.en),
    ];
}
