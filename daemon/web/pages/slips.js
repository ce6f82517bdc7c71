// Slips: who is received without an answer of the day, and what becomes of it. One table says what each kind asks.
import { h } from "./dom.js";
import { chosen, known, t } from "./text.js";
import { formDialog, title } from "./form.js";

const digits = (name, max, more = {}) => ({ name, label: `slip.${name}`, hint: `slip.${name}.hint`, max, mode: "numeric", ...more });
const line = (name, max, more = {}) => ({ name, label: `slip.${name}`, max, ...more });
const ratios = () => ["", "000", "010", "020", "030"].map((r) => [r, r === "" ? "−" : t("slip.ratio.of", { n: Number(r) / 10 })]);
const sexes = () => ["", "1", "2", "3"].map((s) => [s, s === "" ? "−" : t(`sex.${s}`)]);
const consents = () => ["not_asked", "oral", "unable"].map((c) => [c, t(`slip.consent.${c}`)]);

const all = {
    name: () => line("name", 80, { required: true, wide: true }),
    kana: () => line("kana", 80, { wide: true }),
    birth: () => ({ ...line("birth", 8, { required: true }), hint: "slip.birth.hint" }),
    sex: () => ({ ...line("sex"), type: "select", options: sexes(), required: true }),
    address: () => line("address", 160, { required: true, wide: true }),
    phone: () => line("phone", 32, { mode: "tel" }),
    insured: () => line("insured", 80, { required: true, wide: true, hint: "slip.insured.hint" }),
    numbers_unknown: () => ({ ...line("numbers_unknown"), type: "check", hint: "slip.numbers_unknown.hint", wide: true }),
    insurer: () => digits("insurer", 8),
    symbol: () => line("symbol", 40),
    number: () => line("number", 40),
    branch: () => digits("branch", 2),
    ratio: () => ({ ...line("ratio"), type: "select", options: ratios() }),
    valid_from: () => digits("valid_from", 8),
    valid_until: () => digits("valid_until", 8),
    consent: () => ({ ...line("consent"), type: "select", options: consents(), value: "not_asked", required: true }),
    note: () => line("note", 60, { wide: true }),
};

const numbers = ["insurer", "symbol", "number", "branch"];
// What stands on the form of each kind, and which of it the desk cannot do without beyond what is marked above.
const kinds = {
    intake: { fields: ["name", "kana", "birth", "sex", "address", "phone", ...numbers, "ratio", "note"] },
    certificate: { fields: ["name", "kana", "birth", "sex", ...numbers, "ratio", "valid_from", "valid_until", "note"], need: ["insurer", "number", "ratio", "valid_from", "valid_until"], free: ["sex"] },
    statement: { fields: ["name", "kana", "birth", "sex", "address", "phone", "numbers_unknown", ...numbers, "ratio", "note"], need: ["phone"] },
    newborn: { fields: ["name", "kana", "birth", "sex", "insured", "address", "phone", ...numbers, "note"], free: ["name", "sex", "address"] },
    disaster: { fields: ["name", "kana", "birth", "sex", "address", "phone", "consent", ...numbers, "note"] },
};
export const slipKinds = Object.keys(kinds);

function fieldsOf(kind, person) {
    const { fields, need = [], free = [] } = kinds[kind];
    return fields.map((name) => {
        const field = all[name]();
        if (need.includes(name))
            field.required = true;
        if (free.includes(name))
            field.required = false;
        if (person[name])
            field.value = person[name];
        return field;
    });
}

// Where "unknown" is ticked the numbers cannot be entered: what nobody knows is not half known.
function unknownNumbers(values, made) {
    for (const field of made.filter((f) => numbers.includes(f.name)))
        field.focus.disabled = values.numbers_unknown === true;
}

export function slipsOf({ api, open, words, say, people, print }) {
    // about: { visit, lane } that the slip is for, or {} for somebody without a card.
    function fill(kind, about = {}) {
        const person = about.visit ? people(about.visit) : {};
        formDialog(open, {
            what: `slip-${kind}`,
            heading: t(`slip.${kind}`),
            note: t(`slip.${kind}.note`),
            fields: fieldsOf(kind, { name: person.name, kana: person.kana, birth: person.birth, sex: person.sex }),
            go: t("slip.file"),
            words,
            onChange: kind === "statement" ? unknownNumbers : null,
            send: (values) => {
                const body = { kind, ...values, lane: about.lane ?? 0 };
                if (about.visit)
                    body.visit = about.visit;
                if (body.numbers_unknown)
                    for (const name of numbers)
                        body[name] = "";
                return api.post("/api/slips", body);
            },
            done: () => say(t("slip.filed")),
        });
    }

    // Which kind? Where disaster mode is off the desk would refuse that one.
    function choose(about = {}, disaster = false) {
        const button = (kind, i) => h("button", { type: "button", class: "choice", autofocus: i === 0, onclick: () => fill(kind, about) }, h("b", {}, t(`slip.${kind}`)), h("small", {}, t(`slip.${kind}.when`)));
        open(
            "slip",
            h(
                "div",
                { class: "form" },
                title(t(about.visit ? "slip.title" : "slip.title.no_card")),
                h("div", { class: "choose" }, slipKinds.filter((k) => k !== "disaster" || disaster).map(button)),
                h("div", { class: "row" }, h("button", { type: "button", onclick: (event) => event.target.closest("dialog").close() }, t("board.close"))),
            ),
        );
    }

    // A visit that was just received stands on for some seconds, and the desk asks about it meanwhile: nobody has to
    // press twice for that.
    async function amend(visit, body) {
        for (let tries = 0; ; tries++) {
            try {
                return await api.post(`/api/visits/${visit}/slip`, body);
            } catch (refused) {
                if (refused.error?.code !== "S002" || tries === 14)
                    throw refused;
                say(t("slip.waits"));
                await new Promise((done) => setTimeout(done, 1000));
            }
        }
    }

    function enterNumbers(slip) {
        formDialog(open, {
            what: "slip-numbers",
            heading: t("slip.numbers"),
            note: t("slip.numbers.note", { name: slip.name || "−" }),
            fields: [...numbers, "birth"].map((name) => ({ ...all[name](), value: name === "birth" ? slip.birth : "", required: ["insurer", "number"].includes(name) || (name === "birth" && slip.birth === "") })),
            go: t("slip.numbers.go"),
            words,
            send: (values) => amend(slip.visit, { what: "numbers", ...values }),
            done: () => say(t("slip.asked")),
        });
    }

    function settle(slip) {
        formDialog(open, {
            what: "slip-settle",
            heading: t("slip.settle"),
            note: t("slip.settle.note"),
            fields: [{ ...all.note(), required: true, label: "slip.settle.how" }],
            go: t("slip.settle.go"),
            words,
            send: (values) => amend(slip.visit, { what: "settle", ...values }),
            done: () => say(t("slip.settled")),
        });
    }

    const row = (key, value) => (value === "" || value === null || value === undefined ? null : [h("dt", {}, t(key)), h("dd", {}, value)]);
    const date = (text) => (/^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text);
    const moment = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toLocaleString("ja-JP", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }));
    const differing = (slip) => slip.different.split(" ").filter(Boolean).map((f) => t(known(`slip.${f}`) ? `slip.${f}` : "slip.other")).join("、");

    function view(slip) {
        const over = slip.ended !== null;
        open(
            "slip-view",
            h(
                "div",
                { class: "form" },
                title(`${t(`slip.${slip.kind}`)}: ${slip.name || slip.insured || "−"}`),
                h("p", { class: `next ${slip.failure ? slip.failure.kind : "notice"}` }, h("b", {}, t(`slip.state.${slip.state}`)), slip.failure && ` ${slip.failure.code} ${slip.failure[chosen()] ?? slip.failure.ja}`),
                slip.different !== "" && h("p", { class: "fault" }, t("slip.different", { fields: differing(slip) })),
                h("div", { class: "advice" }, h("b", {}, t("board.next")), " ", t(`slip.next.${slip.state}`)),
                h(
                    "dl",
                    {},
                    row("slip.date", date(slip.date)),
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
                    row("slip.ratio", slip.ratio && t("slip.ratio.of", { n: Number(slip.ratio) / 10 })),
                    row("slip.valid_from", date(slip.valid_from)),
                    row("slip.valid_until", date(slip.valid_until)),
                    row("slip.consent", slip.consent === "not_asked" ? "" : t(`slip.consent.${slip.consent}`)),
                    row("slip.note", slip.note),
                    row("slip.asked.at", moment(slip.asked)),
                    row("slip.ended.at", moment(slip.ended)),
                    row("detail.staff", slip.ended_by || slip.staff),
                ),
                h(
                    "div",
                    { class: "row" },
                    h("button", { type: "button", onclick: () => print(people(slip.visit), slip) }, t("print.button")),
                    !over && h("button", { type: "button", onclick: () => settle(slip) }, t("slip.settle")),
                    !over && h("button", { type: "button", class: "main", onclick: () => enterNumbers(slip) }, t("slip.numbers")),
                    h("button", { type: "button", autofocus: true, onclick: (event) => event.target.closest("dialog").close() }, t("board.close")),
                ),
            ),
        );
    }

    return {
        choose,
        fill,
        view,
        show: async (visit) => view(await api.get(`/api/visits/${visit}/slip`)),
        columns: ["slip.date", "slip.kind", "slip.name", "slip.birth", "slip.state", "slip.differs"],
        cells: (slip) => [date(slip.date), t(`slip.${slip.kind}`), slip.name || slip.insured || "−", date(slip.birth), t(`slip.state.${slip.state}`), differing(slip)],
    };
}
