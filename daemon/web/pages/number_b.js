// 照合番号B by hand: era, birth date, year of expiry, security code, one question at a time, then one look at all of
// it. 14 digits: era year, month, day, year of expiry, code. The era itself is not part of it; it only finds slips.
import { h, show } from "./dom.js";
import { both, t } from "./text.js";
import { card } from "./drawing.js";
import { pad } from "./pad.js";
import { choices } from "./choices.js";

const eras = [
    { name: "showa", years: 64 },
    { name: "heisei", years: 31 },
    { name: "reiwa", years: 99 },
    { name: "taisho", years: 15 },
];
const number = (digits, from, to) => Number(String.fromCharCode(...digits.subarray(from, to)));

// What is wrong with a birth date of that era, or null.
export function birthFault(digits, era) {
    const [year, month, day] = [number(digits, 0, 2), number(digits, 2, 4), number(digits, 4, 6)];
    if (year < 1 || year > era.years)
        return "number.wrong.year";
    if (month < 1 || month > 12 || day < 1 || day > [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1])
        return "number.wrong.date";
    return null;
}

export function expiryFault(digits) {
    const year = number(digits, 0, 4);
    return year < 2016 || year > new Date().getFullYear() + 11 ? "number.wrong.expiry" : null;
}

// place: element to fill. visit: { done(bytes): the 14 digits, to be wiped by who gets them; back(): the button that
// leaves; others(): buttons of the other ways; say(): a new question stands }.
export function numberB(place, visit) {
    const all = new Uint8Array(14);
    let pads = null;
    let era = null;

    const steps = [
        { name: "birth", from: 0, length: 6, groups: [2, 2, 2], units: ["number.year", "number.month", "number.day"] },
        { name: "expiry", from: 6, length: 4, groups: [4], units: ["number.year"] },
        { name: "code", from: 10, length: 4, groups: [4], units: [null] },
    ];

    function stands() {
        visit.say();
        place.focus({ preventScroll: true });
    }

    function goBack(action) {
        return h("button", { type: "button", class: "plain", "data-back": true, onclick: action }, both("back"));
    }

    function askEra() {
        pads?.leave();
        show(
            place,
            h("h1", {}, both("number.era.title")),
            card("birth"),
            choices(
                "eras",
                eras.map((one) =>
                    h("button", { type: "button", onclick: () => {
                        era = one;
                        ask(0);
                    } }, both(`number.era.${one.name}`)),
                ),
                h("button", { type: "button", onclick: western }, both("number.era.western")),
            ),
            visit.back(),
        );
        stands();
    }

    function western() {
        show(
            place,
            h("h1", {}, both("number.era.western.title")),
            h("p", { class: "note" }, both("number.era.western.note")),
            choices("small", visit.others()),
            goBack(askEra),
        );
        stands();
    }

    function shown(digits, used, step) {
        const cells = [];
        let at = 0;
        step.groups.forEach((size, group) => {
            for (let i = 0; i < size; i++, at++)
                cells.push(h("b", { class: at === used ? "now" : null }, at < used ? String.fromCharCode(digits[at]) : ""));
            if (step.units[group])
                cells.push(h("span", {}, t(step.units[group])));
        });
        return cells;
    }

    function ask(index) {
        const step = steps[index];
        const digits = h("p", { class: "digits", "aria-live": "polite" }, step.name === "birth" && h("em", {}, t(`number.era.${era.name}`)));
        const cells = h("span", { class: "cells" });
        const fault = h("p", { class: "fault", role: "alert", hidden: true });

        digits.append(cells);
        pads?.leave();
        pads = pad(
            step.length,
            t(`number.${step.name}`),
            (bytes, used) => {
                show(cells, shown(bytes, used, step));
                if (used < step.length)
                    fault.hidden = true;
            },
            (bytes) => {
                const wrong = step.name === "birth" ? birthFault(bytes, era) : step.name === "expiry" ? expiryFault(bytes) : null;
                if (wrong !== null) {
                    show(fault, both(wrong));
                    fault.hidden = false;
                    return;
                }
                all.set(bytes, step.from);
                pads.clear();
                if (index + 1 < steps.length)
                    ask(index + 1);
                else
                    check();
            },
        );
        show(
            place,
            h(
                "div",
                { class: "entry" },
                h(
                    "div",
                    { class: "side" },
                    h("h1", {}, both(`number.${step.name}`)),
                    card(step.name),
                    h("p", { class: "note" }, both(`number.${step.name}.note`)),
                    digits,
                    fault,
                    goBack(() => (index === 0 ? askEra() : ask(index - 1))),
                ),
                pads.element,
            ),
        );
        stands();
    }

    function check() {
        const part = (from, to) => String.fromCharCode(...all.subarray(from, to));
        const line = (key, value) => h("tr", {}, h("th", { scope: "row" }, both(`number.${key}.name`)), h("td", {}, value));
        pads?.leave();
        show(
            place,
            h("h1", {}, both("number.check")),
            h("p", { class: "note" }, both("number.check.note")),
            h(
                "table",
                { class: "whole" },
                line("birth", `${t(`number.era.${era.name}`)} ${part(0, 2)}${t("number.year")} ${part(2, 4)}${t("number.month")} ${part(4, 6)}${t("number.day")}`),
                line("expiry", `${part(6, 10)}${t("number.year")}`),
                line("code", part(10, 14)),
            ),
            choices(
                "",
                h("button", { type: "button", "data-back": true, onclick: () => { all.fill(0); askEra(); } }, both("number.check.again")),
                h("button", { type: "button", class: "main", "data-enter": true, onclick: () => {
                    const copy = all.slice();
                    all.fill(0);
                    show(place);
                    visit.done(copy);
                } }, both("number.check.ok")),
            ),
        );
        stands();
    }

    askEra();
    return () => {
        all.fill(0);
        pads?.leave();
        show(place);
    };
}
