// One slip on paper. What is printed is made here and nowhere else: who, when, with what result, and what staff have to
// do. Never a score, never what was consented to for treatment, never the rest of the day's list.
import { h, show } from "./dom.js";
import { chosen, t } from "./text.js";

const row = (key, value) => (value === "" || value === null || value === undefined ? null : [h("dt", {}, t(key)), h("dd", {}, value)]);
const date = (text) => (/^\d{8}$/.test(text ?? "") ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text);
const moment = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleString("ja-JP", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }) : "");
const ratio = (text) => (/^\d{3}$/.test(text ?? "") ? t("slip.ratio.of", { n: Number(text) / 10 }) : text);

function visitRows(visit) {
    return [
        row("detail.visit", visit.visit),
        row("detail.opened", moment(visit.opened)),
        row("col.lane", visit.lane ? String(visit.lane) : ""),
        row("col.name", visit.name),
        row("detail.kana", visit.kana),
        row("col.birth", date(visit.birth)),
        row("col.method", t(`way.${visit.method}`)),
        row("col.outcome", visit.outcome && t(`outcome.${visit.outcome}`)),
        row("col.ratio", ratio(visit.ratio)),
        row("col.limit", visit.limit_class),
        row("detail.insurer", visit.insurer),
        row("detail.reference", visit.reference),
        row("detail.answered", moment(visit.answered)),
        visit.flags?.includes("last_known") && row("col.flags", t("flag.last_known")),
        row("detail.proxy", visit.proxy && `${visit.proxy}${visit.relation ? ` (${visit.relation})` : ""}`),
        row("detail.staff", visit.staff),
    ];
}

function slipRows(slip) {
    return [
        row("slip.date", date(slip.date)),
        row("slip.kind", t(`slip.${slip.kind}`)),
        row("slip.state", t(`slip.state.${slip.state}`)),
        row("slip.name", slip.name),
        row("slip.kana", slip.kana),
        row("slip.birth", date(slip.birth)),
        row("slip.sex", slip.sex && t(`sex.${slip.sex}`)),
        row("slip.address", slip.address),
        row("slip.phone", slip.phone),
        row("slip.insured", slip.insured),
        row("slip.insurer", slip.insurer),
        row("slip.symbol", slip.symbol),
        row("slip.number", slip.number),
        row("slip.branch", slip.branch),
        row("slip.ratio", ratio(slip.ratio)),
        row("slip.valid_from", date(slip.valid_from)),
        row("slip.valid_until", date(slip.valid_until)),
        row("slip.note", slip.note),
        row("detail.staff", slip.staff),
    ];
}

// visit or slip may be missing. The sheet is gone again as soon as the printer has it.
export function printSheet(place, visit, slip = null) {
    const written = slip !== null && ["statement", "intake", "disaster"].includes(slip.kind);
    show(
        place,
        h("h1", {}, t(slip ? `slip.${slip.kind}` : "print.title")),
        slip ? h("dl", {}, slipRows(slip), row("detail.visit", slip.visit)) : h("dl", {}, visitRows(visit)),
        !slip && visit.failure && h("p", {}, `${visit.failure.code} ${visit.failure[chosen()] ?? visit.failure.ja}`),
        !slip && visit.notice && h("p", {}, `${t("detail.notice")}: ${visit.notice}`),
        written && h("p", { class: "sign" }, t("print.sign")),
        h("p", { class: "printed" }, t("print.printed", { time: moment(Date.now() / 1000) })),
    );
    document.body.dataset.sheet = "1";
    const forget = () => {
        show(place);
        delete document.body.dataset.sheet;
    };
    addEventListener("afterprint", forget, { once: true });
    print();
}
