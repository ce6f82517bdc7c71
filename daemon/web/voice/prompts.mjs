// Which texts of the kiosk's catalogues are spoken, and under which name: what a screen may ask for (data-prompt in
// text.js) is here, and what is here is made.
import { languages } from "../pages/languages.js";

// Never spoken: units and names beside numbers, what changes every second, what only a keyboard needs.
const silent = /^(language|screen|keys\.hint|ok|delete|consent\.count|still\.note|ease\.close|number\.(year|month|day|\w+\.name))$/;

// With a value in it: one recording for each that can stand there.
const values = { tries: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], n: [1, 2, 3, 4, 5, 6, 7, 8, 9] };

function variants(key, words) {
    const place = words.match(/\{(\w+)\}/);
    if (place === null)
        return [{ name: key, words }];
    const most = key === "pin.digits" ? 4 : Infinity;
    return values[place[1]].filter((v) => v <= most).map((v) => ({ name: `${key}.${v}`, words: words.replaceAll(place[0], String(v)) }));
}

// Accounts of staff (A...) and what is handed over (H...) are nothing that a kiosk says.
export const forPatients = ({ code }) => !/^[AH]/.test(code);

// [{ language, name, words }]; the words of failures in Japanese and English stand in the table of failures.
export function prompts(failures) {
    const all = [];
    for (const { code, catalogue } of languages) {
        for (const [key, words] of Object.entries(catalogue))
            if (!silent.test(key))
                all.push(...variants(key, words).map((one) => ({ language: code, ...one })));
        /* In the list of languages each is named in itself. */
        all.push({ language: code, name: "language", words: catalogue.language });
        for (const failure of failures.filter(forPatients))
            if (code in failure)
                all.push({ language: code, name: failure.code, words: failure[code] });
    }
    return all;
}

// The table of failures as the pages get it: [{ code, ja, en }], in the words for patients.
export function failuresOf(table) {
    const row = /^FAILURE\((\w+), "(\w\d+)", (\w+), "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)/gm;
    return [...table.matchAll(row)].map(([, , code, kind, ja, en, staffJa, staffEn]) => ({ code, kind: kind.toLowerCase(), ja, en, staff: { ja: staffJa, en: staffEn } }));
}
