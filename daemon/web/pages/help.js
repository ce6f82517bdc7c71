// Helping from the other side: which step the patient is at, what stands on their screen, what may be said, and what
// staff can do about it. Neither the PIN, nor what was keyed in, nor any picture comes here: web does not have them.
import { h } from "./dom.js";
import { t } from "./text.js";
import { title } from "./form.js";

// failureOf(lane): the trouble to be shown, or null. buttons(lane, close): those of the lane's actions.
export function helpOf({ dialog, open, words, lane: laneOf, buttons }) {
    let number = null;
    let told = "";

    const tries = (lane) => (lane.state.startsWith("pin") && lane.pin_tries !== null ? t("help.pin", { n: lane.pin_tries }) : lane.state.startsWith("number_b") && lane.number_b_tries !== null ? t("help.number_b", { n: lane.number_b_tries }) : null);

    function content(lane) {
        const fault = lane.failure ?? lane.reader ?? lane.camera;
        return h(
            "div",
            { class: "form" },
            title(t("help.title", { lane: lane.lane, label: lane.label })),
            lane.patient && h("p", { class: "person" }, lane.patient),
            h("p", { class: "step" }, h("b", {}, t(lane.visit ? `state.${lane.state}` : "board.idle")), " ", t(`help.sees.${lane.state}`)),
            lane.method !== "none" && h("p", {}, `${t("col.method")}: ${t(`way.${lane.method}`)}`),
            tries(lane) && h("p", {}, tries(lane)),
            lane.card !== undefined && h("p", {}, t(lane.card ? "help.card" : "help.no_card")),
            lane.hint && h("p", { class: "fault" }, h("b", {}, lane.hint.code), " ", words(lane.hint)),
            fault && h("p", { class: "fault" }, h("b", {}, fault.code), " ", words(fault)),
            h("div", { class: "advice" }, h("b", {}, t("help.say")), " ", t(`help.say.${lane.state}`)),
            h("div", { class: "actions" }, buttons(lane)),
            h("div", { class: "row" }, h("button", { type: "button", "data-action": "close", onclick: () => dialog.close() }, t("board.close"))),
        );
    }
    // What would be seen differently; a countdown alone is no news.
    const nameOf = (lane) => JSON.stringify([lane.visit, lane.state, lane.offers, lane.failure, lane.hint, lane.reader, lane.camera, lane.pin_tries, lane.number_b_tries, lane.method, lane.card, lane.patient, t("help.say")]);

    return {
        open(lane) {
            number = lane;
            told = nameOf(laneOf(lane));
            open("help", content(laneOf(lane)));
        },
        // The lane has moved on while its help stands open: the focus stays at what it means.
        take(lane) {
            if (!dialog.open || dialog.dataset.what !== "help" || lane.lane !== number || nameOf(lane) === told)
                return;
            told = nameOf(lane);
            const action = document.activeElement?.dataset?.action;
            open("help", content(lane));
            (dialog.querySelector(`[data-action="${action}"]`) ?? dialog.querySelector("button")).focus();
        },
    };
}
