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
const behind = [document.querySelector("header"), place, foot];

let lane = null;      // the state as last told
let shown = "";       // which screen stands
let screen = null;    // what it returned
let endsAt = null;    // when the state ends by itself
let trouble = null;   // "offline" or "closed"
let offlineTimer = null;
let touched = 0;      // when the patient last pressed anything
let kept = null;      // the end of a state that was put off already
let before = null;    // what had the focus before "still there?"

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

// The screen that stands, from its beginning.
function again() {
    shown = "";
    render();
}

const kit = { place, act, sealed, offered, again, say: (words) => (words === undefined ? say() : (spoken.textContent = words)), lane: () => lane };

// Parts of a state that make another screen; the rest is an update of the one that stands.
const nameOf = (now) => [now.visit, now.state, now.failure?.code, now.pin_tries, now.outcome, now.reader?.code, now.pin_pad, document.documentElement.lang].join("|");

function footer(now) {
    const buttons = [];
    const add = (action, key) =>
        buttons.push(h("button", { type: "button", class: "plain", "data-action": action, onclick: () => act(action) }, both(key)));
    if (offered(now, "cancel"))
        add("cancel", "cancel");
    if (offered(now, "choose_staff") && !["method", "face", "show_card"].includes(now.state))
        add("choose_staff", "help");
    /* Built anew only when it changes: a button keeps the focus while the lane reports. */
    const name = `${buttons.map((b) => b.dataset.action)} ${document.documentElement.lang} ${document.body.dataset.keys}`;
    if (name === foot.dataset.shown)
        return;
    foot.dataset.shown = name;
    show(foot, buttons, buttons.length > 0 && document.body.dataset.keys && h("p", { class: "keys", "aria-hidden": "true" }, t("keys.hint")));
}

function render() {
    if (trouble !== null || lane === null) {
        const key = trouble === "closed" ? "closed" : "offline";
        leave();
        shown = "";
        show(foot);
        foot.dataset.shown = "";
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
        say();
        /* The reader of a screen reader and the user of a keyboard begin at the top of each screen. */
        place.focus({ preventScroll: true });
    }
    footer(lane);
}

function leave() {
    screen?.leave?.();
    screen = null;
}

// What stands in large letters, for who listens instead of reading.
function say() {
    spoken.textContent = [...place.querySelectorAll("h1 .first, .note .first")].map((e) => e.textContent).join(" ");
    spoken.lang = document.documentElement.lang;
}

// "Are you still there?" before a state ends by itself.
function watch() {
    const left = endsAt === null ? Infinity : Math.ceil((endsAt - performance.now()) / 1000);
    const open = trouble === null && lane !== null && offered(lane, "still_here") && left > 0;
    /* Who has just pressed something is there: nobody is asked in the middle of an entry. */
    if (open && left <= 30 && kept !== endsAt && performance.now() - touched < 10000 && veil.hidden) {
        kept = endsAt;
        act("still_here");
        return;
    }
    if (!open || left > 20) {
        if (!veil.hidden) {
            veil.hidden = true;
            for (const part of behind)
                part.inert = false;
            (before?.isConnected ? before : place).focus({ preventScroll: true });
        }
        return;
    }
    if (veil.hidden) {
        const button = h("button", { type: "button", class: "main", onclick: () => act("still_here") }, both("still.yes"));
        show(veil, h("div", { role: "alertdialog", "aria-modal": "true", "aria-labelledby": "still" }, h("h1", { id: "still" }, both("still.title")), h("p", { class: "note" }), button));
        before = document.activeElement;
        veil.hidden = false;
        for (const part of behind)
            part.inert = true;
        button.focus();
    }
    show(veil.querySelector(".note"), both("still.note", { s: left }));
}

function take(now) {
    /* The next patient begins in Japanese, whatever this one chose. */
    if (lane !== null && lane.visit !== now.visit && now.visit === null && document.documentElement.lang !== "ja") {
        choose("ja");
        languageButton();
    }
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
    const button = document.getElementById("language");
    button.textContent = t("switch");
    button.lang = second();
    place.setAttribute("aria-label", t("screen"));
}

document.getElementById("language").addEventListener("click", () => {
    choose(second());
    languageButton();
    render();
});
/* A keyboard or numeric keypad alone: digits choose the buttons by the number printed on them (or are the entry,
   where there is a pad), Enter is the one button that leads on, * goes back, / calls staff. */
document.addEventListener("keydown", (event) => {
    touched = performance.now();
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey)
        return; /* the pad has taken it: one press is never two answers */
    if (!document.body.dataset.keys && event.key !== "Tab" && lane !== null) {
        document.body.dataset.keys = "1";
        footer(lane);
    }
    let target = null;
    if (!veil.hidden)
        target = event.key === "1" ? veil.querySelector("button") : null;
    else if (event.key === "*" || event.key === "/")
        target = event.key === "*" ? place.querySelector("[data-back]") : document.querySelector('[data-action="choose_staff"]');
    else if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement))
        target = place.querySelector("[data-enter]");
    else if (/^[1-9]$/.test(event.key) && !place.querySelector(".pad"))
        target = place.querySelectorAll(".choices button")[Number(event.key) - 1];
    if (target === null || target === undefined)
        return;
    event.preventDefault();
    target.click();
});
document.addEventListener("pointerdown", () => (touched = performance.now()), { capture: true });
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
