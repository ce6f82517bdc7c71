// Disaster mode: opened outside, by the ministry or the call centre; here stands by whose word and until when.
import { h, show } from "./dom.js";
import { t } from "./text.js";
import { askDialog, formDialog } from "./form.js";

const two = (n) => String(n).padStart(2, "0");
// As an input of type datetime-local has it, in the clock of this browser.
const local = (time) => `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`;
const moment = (seconds) => new Date(seconds * 1000).toLocaleString("ja-JP", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });

export function disasterOf({ api, open, words, say }) {
    let state = { cause: null };

    function begin() {
        formDialog(open, {
            what: "disaster",
            heading: t("disaster.title"),
            note: t("disaster.note"),
            fields: [
                { name: "cause", label: "disaster.cause", type: "radio", required: true, value: ["ministry"], options: ["ministry", "outage"].map((c) => [c, t(`disaster.${c}`)]) },
                { name: "word", label: "disaster.word", hint: "disaster.word.hint", max: 60, required: true, wide: true },
                { name: "until", label: "disaster.until", hint: "disaster.until.hint", type: "datetime-local", required: true, value: local(new Date(Date.now() + 86400000)) },
            ],
            go: t("disaster.go"),
            danger: true,
            words,
            send: ({ cause, word, until }) => {
                const time = Math.floor(new Date(until).getTime() / 1000);
                return api.post("/api/disaster", { cause, word, until: Number.isFinite(time) && time > 0 ? time : 0 });
            },
            done: () => say(t("disaster.on")),
        });
    }

    const end = () =>
        askDialog(open, {
            what: "disaster-end",
            heading: t("disaster.end"),
            note: t("disaster.end.note", { word: state.word }),
            go: t("disaster.end"),
            words,
            send: () => api.post("/api/disaster", { cause: "off" }),
        });

    return {
        take: (told) => (state = told),
        on: () => state.cause !== null,
        open: () => (state.cause === null ? begin() : end()),
        banner(place) {
            place.hidden = state.cause === null;
            show(
                place,
                state.cause !== null && [
                    h("b", {}, t("disaster.banner")),
                    ` ${t(`disaster.${state.cause}`)} — ${t("disaster.banner.word", { word: state.word, until: moment(state.until), staff: state.staff })} `,
                    h("button", { type: "button", id: "disaster-end", onclick: end }, t("disaster.end")),
                ],
            );
        },
    };
}
