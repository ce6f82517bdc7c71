// Who the patient is in the clinic's own books, and what the service says otherwise than last time. Both are shown, and
// staff decide; nothing is taken over by itself.
import { h } from "./dom.js";
import { known, t } from "./text.js";
import { formDialog } from "./form.js";

const date = (text) => (/^\d{8}$/.test(text ?? "") ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text);
// As people read it: a day, a share, or as it came.
const value = (field, text) => (field.endsWith("ratio") && /^\d{3}$/.test(text) ? t("slip.ratio.of", { n: Number(text) / 10 }) : date(text) || "−");
const fieldWords = (field) => (known(`change.${field}`) ? t(`change.${field}`) : field);

export function patientOf({ api, open, words, say, complain }) {
    const link = (visit, number, same) => api.post(`/api/visits/${visit}/patient`, { number, same });

    async function decide(visit, number, same) {
        try {
            await link(visit, number, same);
            say(t(same ? "patient.is" : "patient.is_not", { number }));
        } catch (refused) {
            complain(refused);
        }
    }

    function enter(visit) {
        formDialog(open, {
            what: "patient",
            heading: t("action.patient"),
            note: t("patient.note", { name: visit.name || "−" }),
            fields: [{ name: "number", label: "patient.number", hint: "patient.number.hint", max: 50, required: true, value: visit.patient ?? "" }],
            go: t("patient.go"),
            words,
            send: ({ number }) => link(visit.visit, number, true),
            done: () => say(t("patient.done")),
        });
    }

    function candidates(visit) {
        const list = visit.candidates ?? [];
        if (list.length === 0)
            return null;
        return h(
            "section",
            { class: "who", "aria-label": t("patient.who") },
            h("h3", {}, t("patient.who")),
            h("ul", {}, list.map((one) =>
                h("li", {}, h("b", {}, one.number), ` ${one.name} `, one.by && h("small", {}, known(`match.${one.by}`) ? t(`match.${one.by}`) : one.by), h(
                    "span",
                    { class: "row" },
                    h("button", { type: "button", class: "main", "data-action": `is-${one.number}`, "aria-label": t("patient.same.label", one), onclick: () => decide(visit.visit, one.number, true) }, t("patient.same")),
                    h("button", { type: "button", "data-action": `not-${one.number}`, "aria-label": t("patient.other.label", one), onclick: () => decide(visit.visit, one.number, false) }, t("patient.other")),
                )),
            )),
        );
    }

    function changes(visit) {
        const list = visit.changes ?? [];
        if (list.length === 0)
            return null;
        return h(
            "table",
            { class: "changes" },
            h("caption", {}, t("change.title", { date: date(visit.since) ?? "" })),
            h("thead", {}, h("tr", {}, ["change.field", "change.old", "change.new"].map((key) => h("th", { scope: "col" }, t(key))))),
            h("tbody", {}, list.map((one) => h("tr", {}, h("th", { scope: "row" }, fieldWords(one.field)), h("td", {}, value(one.field, one.old)), h("td", {}, value(one.field, one.new))))),
        );
    }

    return {
        enter,
        // What stands in the details of a visit.
        parts: (visit) => [candidates(visit), changes(visit)],
        rows: (visit) => [
            ["detail.patient", visit.patient ? `${visit.patient}${known(`match.${visit.match}`) ? ` (${t(`match.${visit.match}`)})` : ""}` : ""],
            ["detail.alias", visit.alias ?? ""],
        ],
    };
}
