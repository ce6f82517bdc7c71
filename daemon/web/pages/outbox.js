// What is handed over to the receipt computer and others and is not there yet, or not surely: what waits, what is
// doubtful, what was refused. Whether it arrived is looked up over there, by people; the desk never sends twice by itself.
import { h } from "./dom.js";
import { chosen, t } from "./text.js";
import { title } from "./form.js";

const undecided = ["doubtful", "refused"];
const moment = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toLocaleString("ja-JP", { timeZone: "Asia/Tokyo", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }));
const row = (key, value) => (value === "" || value === null ? null : [h("dt", {}, t(key)), h("dd", {}, value)]);
const reason = (one) => [one.failure?.code, one.failure?.[chosen()] ?? one.failure?.ja, one.detail].filter(Boolean).join(" ");

// changed(): the list is another one.
export function outboxOf({ dialog, api, open, say, complain, changed }) {
    const entries = new Map();
    let seen = false; // does this house hand over at all?
    let told = new Set(); // heard since the list was asked for: newer than the list

    function put(one) {
        seen = true;
        if (one.state === "done")
            entries.delete(one.entry);
        else
            entries.set(one.entry, one);
    }

    async function decide(one, what) {
        try {
            await api.post(`/api/outbox/${one.entry}`, { what });
            say(t(`outbox.said.${what}`, { target: one.target }));
            dialog.close();
        } catch (refused) {
            dialog.close();
            complain(refused);
        }
    }

    function view(one) {
        const button = (what, kind) => h("button", { type: "button", class: kind, "data-action": what, onclick: (event) => {
            for (const other of event.currentTarget.parentElement.querySelectorAll("button"))
                other.disabled = true;
            decide(one, what);
        } }, t(`outbox.${what}`));
        const asked = undecided.includes(one.state);
        open(
            "outbox",
            h(
                "div",
                { class: "form", "data-entry": one.entry },
                title(t("outbox.title", { target: one.target, name: one.patient || one.visit })),
                h("p", { class: `next ${asked ? one.state : "notice"}` }, h("b", {}, t(`outbox.state.${one.state}`)), " ", reason(one)),
                h("div", { class: "advice" }, h("b", {}, t("board.next")), " ", t(`outbox.next.${one.state}`)),
                h(
                    "dl",
                    {},
                    row("outbox.kind", t(`outbox.kind.${one.kind}`)),
                    row("outbox.cause", t(`outbox.cause.${one.cause}`)),
                    row("outbox.name", one.name),
                    row("outbox.tries", String(one.tries)),
                    row("outbox.made", moment(one.made)),
                    row("outbox.tried", moment(one.tried)),
                    row("outbox.due", asked ? "" : moment(one.due)),
                    row("detail.staff", one.staff),
                    row("detail.visit", one.visit),
                ),
                h(
                    "div",
                    { class: "row" },
                    asked && button("resend", "danger"),
                    asked && button("arrived", "main"),
                    h("button", { type: "button", autofocus: true, "data-action": "close", onclick: () => dialog.close() }, t("board.close")),
                ),
            ),
        );
    }

    return {
        view,
        known: () => seen,
        all: () => [...entries.values()].sort((a, b) => a.made - b.made || Number(BigInt(a.entry) - BigInt(b.entry))),
        asks: () => [...entries.values()].filter((one) => undecided.includes(one.state)).length,
        forget() {
            entries.clear();
            seen = false;
        },
        async load() {
            const news = new Set();
            told = news;
            await api.pages("/api/outbox", { rows: "entries", id: "entry" }, null, (list) => {
                if (told !== news)
                    return false; // another connection has begun meanwhile
                /* What came as news first is the newer one. */
                for (const one of list.filter((o) => !told.has(o.entry)))
                    put(one);
                changed();
                return true;
            });
        },
        take(one) {
            told.add(one.entry);
            put(one);
            /* Somebody else has decided about what stands open here. */
            if (dialog.open && dialog.dataset.what === "outbox" && dialog.firstElementChild?.dataset.entry === one.entry) {
                if (entries.has(one.entry))
                    view(one);
                else
                    dialog.close();
            }
            changed();
        },
        // In the details of a visit: what of it is not over there.
        part(visit) {
            const list = [...entries.values()].filter((one) => one.visit === visit.visit);
            return list.length > 0 && h(
                "section",
                { class: "who", "aria-label": t("outbox.part") },
                h("h3", {}, t("outbox.part")),
                h("ul", {}, list.map((one) => h("li", {}, h("b", {}, one.target), ` ${t(`outbox.state.${one.state}`)} `, h("small", {}, reason(one)), h(
                    "span",
                    { class: "row" },
                    h("button", { type: "button", "data-action": `outbox-${one.entry}`, onclick: () => view(one) }, t(undecided.includes(one.state) ? "outbox.decide" : "outbox.see")),
                )))),
            );
        },
        columns: ["outbox.made", "col.name", "outbox.target", "outbox.kind", "outbox.state", "outbox.tries", "outbox.why"],
        cells: (one) => [moment(one.made), one.patient || "−", one.target, t(`outbox.kind.${one.kind}`), h("span", { class: `pill ${undecided.includes(one.state) ? "refused" : "last_known"}` }, t(`outbox.state.${one.state}`)), String(one.tries), reason(one)],
    };
}
