// The table of visits that `make run` drives (tests/sim/visits/reception.txt), read once more by somebody else: how a line
// is written stands in tests/sim/guest/script.c.
import { readFileSync } from "node:fs";

const first = (text) => {
    const [, word, rest] = text.match(/^(\S*)\s*(.*)$/s);
    return [word, rest];
};

function ending(text) {
    const [method, outcome, code, ...more] = text.split(/\s+/);
    return { method, outcome, code, ...Object.fromEntries(more.map((one) => one.split(/=(.*)/s).slice(0, 2))) };
}

// [{ name, words, family, place, claims: Set, ends, steps }]
export function tableOfVisits(path) {
    const ways = new Map();
    const visits = [];
    let family = "";
    // Steps of one's own are put in the place of their name; $1 to $5 are its words.
    const stepsOf = (text) =>
        text.split(";").map((one) => one.trim()).filter(Boolean).flatMap((step) => {
            const [word, rest] = first(step);
            if (!ways.has(word))
                return [step];
            const words = rest.split(/\s+/);
            return stepsOf(ways.get(word).replace(/\$([1-5])/g, (whole, n) => words[n - 1] ?? ""));
        });
    const facts = {
        family: (rest) => (family = first(rest)[0]),
        way: (rest) => ways.set(rest.slice(0, rest.indexOf(":")).trim(), rest.slice(rest.indexOf(":") + 1)),
        visit: (rest) => visits.push({ name: first(rest)[0], words: first(rest)[1], family, place: "main", claims: new Set(), ends: null, steps: [] }),
        at: (rest) => (visits.at(-1).place = rest),
        claims: (rest) => rest.split(/\s+/).forEach((name) => visits.at(-1).claims.add(name)),
        ends: (rest) => (visits.at(-1).ends = ending(rest)),
    };
    for (const line of readFileSync(path, "utf8").split("\n").map((one) => one.trim())) {
        if (line === "" || line.startsWith("#"))
            continue;
        const [word, rest] = first(line);
        if (word in facts) {
            facts[word](rest);
            continue;
        }
        const visit = visits.at(-1);
        visit.steps.push(...stepsOf(line));
        for (const step of visit.steps)
            for (const [, card] of step.matchAll(/\bplace (\S+)/g))
                visit.claims.add(card);
    }
    return visits;
}
