// The kiosk of one lane: hears its state, shows its screen, sends what the patient chooses.
import { connect, Refused } from "./api.js";
import { h, show } from "./dom.js";
import { both, pair, t, choose, second } from "./text.js";
import { screens } from "./screens.js";
import { seal } from "./seal.js";

// "/kiosk/1" or "/kiosk.html?lane=1"
const number = Number(new URLSearchParams(location.search).get("lane") ?? location.pathname.split("/").pop());
const api = connect("kiosk");
const place = document.getElementById("screen");
const foot = document.getElementById("foot");
const veil = document.getElementById("veil");
const spoken = document.getElementById("spoken");

let lane = null;      // the state as last told
let shown = "";       // which screen stands
let screen = null;    // what it returned
let endsAt = null;    // when the state ends by itself
let trouble = null;   // "offline" or "closed"
let offlineTimer = null;

const offered = (now, action) => now.offers.includes(action);

async function act(action, extra = {}) {
    try {
        await api.post(`/api/lanes/${number}/actions`, { visit: lane.visit, step: lane.step, action, ...extra });
        return true;
    } catch (refused) {
        /* Out of turn: the screen that fits is already on its way. */
        if (refused instanceof Refused && refused.error.code !== "S003" && refused.error.ja)
            toast(refused.error);
        else if (!(refused instanceof Refused))
            toast({ ja: t("try_again"), en: "" });
        return false;
    }
}

// PIN and 照合番号B: sealed here, sent as ciphertext, wiped by seal().
async function sealed(action, purpose, bytes) {
    const { key, visit } = lane;
    if (key === null) {
        bytes.fill(0);
        return false;
    }
    return act(action, { sealed: await seal(key, visit, purpose, bytes) });
}

function toast(words) {
    const note = h("p", { class: "fault", role: "alert" }, pair(words));
    place.prepend(note);
    setTimeout(() => note.remove(), 4000);
}

const kit = { place, act, sealed, offered, say: (words) => (spoken.textContent = words), lane: () => lane };

// Parts of a state that make another screen; the rest is an update of the one that stands.
const nameOf = (now) => [now.visit, now.state, now.failure?.code, now.pin_tries, now.outcome, now.reader?.code, now.pin_pad, document.documentElement.lang].join("|");

function footer(now) {
    const buttons = [];
    const add = (action, key) =>
        buttons.push(h("button", { type: "button", class: "plain", onclick: () => act(action) }, both(key)));
    if (offered(now, "cancel"))
        add("cancel", "cancel");
    if (offered(now, "choose_staff") && !["method", "face", "show_card"].includes(now.state))
        add("choose_staff", "help");
    show(foot, buttons);
}

function render() {
    if (trouble !== null || lane === null) {
        const key = trouble === "closed" ? "closed" : "offline";
        leave();
        shown = "";
        show(foot);
        show(place, key === "offline" && h("div", { class: "work" }), h("h1", {}, both(`${key}.title`)), h("p", { class: "note" }, both(`${key}.note`)));
        return;
    }
    document.getElementById("label").textContent = lane.label;
    const name = nameOf(lane);
    if (name === shown) {
        screen?.update?.(lane);
    } else {
        leave();
        shown = name;
        screen = (screens[lane.state] ?? screens.idle)(lane, kit) ?? null;
        place.dataset.state = lane.state;
        spoken.textContent = place.querySelector("h1 .first, .hint .first")?.textContent ?? "";
        /* The reader of a screen reader and the user of a keyboard begin at the top of each screen. */
        place.focus({ preventScroll: true });
    }
    footer(lane);
}

function leave() {
    screen?.leave?.();
    screen = null;
}

// "Are you still there?" before a state ends by itself.
function watch() {
    const left = endsAt === null ? Infinity : Math.ceil((endsAt - performance.now()) / 1000);
    const ask = trouble === null && lane !== null && offered(lane, "still_here") && left <= 15 && left > 0;
    if (!ask) {
        veil.hidden = true;
        return;
    }
    if (veil.hidden) {
        const button = h("button", { type: "button", class: "main", onclick: () => act("still_here") }, both("still.yes"));
        show(veil, h("div", { role: "alertdialog", "aria-labelledby": "still" }, h("h1", { id: "still" }, both("still.title")), h("p", { class: "note" }), button));
        veil.hidden = false;
        button.focus();
    }
    show(veil.querySelector(".note"), both("still.note", { s: left }));
}

function take(now) {
    lane = now;
    endsAt = now.ends_ms === null ? null : performance.now() + now.ends_ms;
    render();
    watch();
}

function setTrouble(next) {
    clearTimeout(offlineTimer);
    if (next === "offline" && trouble === null) {
        /* A blink of the line is nobody's business. */
        offlineTimer = setTimeout(() => {
            trouble = "offline";
            render();
        }, 1500);
        return;
    }
    if (next !== trouble) {
        trouble = next;
        render();
    }
}

function languageButton() {
    document.getElementById("language").textContent = t("switch");
}

document.getElementById("language").addEventListener("click", () => {
    choose(second());
    languageButton();
    render();
});
/* Keys of a keyboard or numeric keypad choose the buttons of a screen in their order; Escape stops. */
document.addEventListener("keydown", (event) => {
    if (place.querySelector(".pad") || !/^[1-9]$/.test(event.key) || event.ctrlKey || event.altKey)
        return;
    place.querySelectorAll(".choices button")[Number(event.key) - 1]?.click();
});
document.addEventListener("contextmenu", (event) => event.preventDefault());
setInterval(watch, 1000);
languageButton();
render();
try {
    await api.signInByFragment();
} catch {
    trouble = "closed";
    render();
}
if (trouble === null)
    api.listen(
        `/api/lanes/${number}/events`,
        {
            lane: take,
            desk: ({ up }) => setTrouble(up ? null : "offline"),
        },
        (state) => state !== "up" && setTrouble(state === "closed" ? "closed" : "offline"),
    );
