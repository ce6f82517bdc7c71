// 照合番号B by hand: birth date, year of expiry, security code, one question at a time, then one look at all of it.
// 14 digits: era year, month, day, year of expiry, code. The era itself is not part of it; it only finds slips.
import { h, show } from "./dom.js";
import { both, t } from "./text.js";
import { card } from "./drawing.js";
import { pad } from "./pad.js";

const eras = [
    { name: "reiwa", years: 99 },
    { name: "heisei", years: 31 },
    { name: "showa", years: 64 },
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

// place: element to fill. done(bytes): the 14 digits, to be wiped by who gets them.
export function numberB(place, done) {
    const all = new Uint8Array(14);
    let pads = null;
    let era = null;

    const steps = [
        { name: "birth", from: 0, length: 6, groups: [2, 2, 2], units: ["number.year", "number.month", "number.day"] },
        { name: "expiry", from: 6, length: 4, groups: [4], units: ["number.year"] },
        { name: "code", from: 10, length: 4, groups: [4], units: [null] },
    ];

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
        const digits = h("p", { class: "digits", "aria-live": "polite" });
        const fault = h("p", { class: "fault", role: "alert", hidden: true });
        const complain = (key) => {
            show(fault, both(key));
            fault.hidden = false;
        };
        pads?.leave();
        pads = pad(
            step.length,
            (bytes, used) => {
                show(digits, shown(bytes, used, step));
                if (used < step.length)
                    fault.hidden = true;
            },
            (bytes) => {
                const wrong =
                    step.name === "birth" ? (era === null ? "number.wrong.era" : birthFault(bytes, era)) : step.name === "expiry" ? expiryFault(bytes) : null;
                if (wrong !== null) {
                    complain(wrong);
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
                    h("p", { class: "note" }, both(`number.${step.name}.note`)),
                    card(step.name),
                    step.name === "birth" && eraRow(complain),
                    digits,
                    fault,
                ),
                h("div", { class: "side" }, pads.element, index > 0 && h("button", { type: "button", class: "plain", onclick: () => ask(index - 1) }, both("back"))),
            ),
        );
    }

    function eraRow(complain) {
        const row = h("div", { class: "eras", role: "group", "aria-label": t("number.era") });
        const press = (button, value) => {
            for (const other of row.children)
                other.setAttribute("aria-pressed", String(other === button));
            era = value;
            button.blur(); /* so that Enter means the digits again */
        };
        for (const one of eras) {
            const button = h("button", { type: "button", "aria-pressed": String(era === one), onclick: () => press(button, one) }, both(`number.era.${one.name}`));
            row.append(button);
        }
        const western = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
            press(western, null);
            complain("number.era.western.note");
        } }, both("number.era.western"));
        row.append(western);
        return row;
    }

    function check() {
        const part = (from, to) => String.fromCharCode(...all.subarray(from, to));
        pads?.leave();
        show(
            place,
            h("h1", {}, both("number.check")),
            h("p", { class: "note" }, both("number.check.note")),
            h(
                "table",
                { class: "whole" },
                h("tr", {}, h("th", { scope: "row" }, both("number.birth.name")), h("td", {}, `${t(`number.era.${era.name}`)} ${part(0, 2)}${t("number.year")} ${part(2, 4)}${t("number.month")} ${part(4, 6)}${t("number.day")}`)),
                h("tr", {}, h("th", { scope: "row" }, both("number.expiry.name")), h("td", {}, `${part(6, 10)}${t("number.year")}`)),
                h("tr", {}, h("th", { scope: "row" }, both("number.code.name")), h("td", {}, part(10, 14))),
            ),
            h(
                "div",
                { class: "choices" },
                h("button", { type: "button", onclick: () => { all.fill(0); ask(0); } }, both("number.check.again")),
                h("button", { type: "button", class: "main", onclick: (event) => {
                    event.currentTarget.disabled = true;
                    const copy = all.slice();
                    all.fill(0);
                    show(place);
                    done(copy);
                } }, both("number.check.ok")),
            ),
        );
    }

    ask(0);
    return () => {
        all.fill(0);
        pads?.leave();
        show(place);
    };
}
