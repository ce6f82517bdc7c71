// The kiosk of one lane: hears its state, shows its screen, sends what the patient chooses.
import { connect, Refused } from "./api.js";
import { h, show } from "./dom.js";
import { anyone, both, chosen, pair, speak, t } from "./text.js";
import { beside, catalogues, tags } from "./languages.js";
import { easeBox, easeOf, keyOf, languageBox } from "./ease.js";
import { promptsOf, voiceOf } from "./voice.js";
import { icons } from "./drawing.js";
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
let whole = 0;        // the longest that it was to last, in seconds
let trouble = null;   // "offline" or "closed"
let offlineTimer = null;
let touched = -Infinity; // when the patient last pressed anything
let kept = null;      // the end of a state that was put off already
let before = null;    // what had the focus before something stood over the screen
let over = null;      // what stands over it: "still", "language", "ease", or null
let spared = 0;       // how often the end of this state was put off without asking
let greeted = null;   // the language in which the guidance by voice has said how it is used

speak(catalogues, beside, tags);
const ease = easeOf(onEase);
const voice = voiceOf(ease);

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
            toast(null);
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
    const note = h("p", { class: "fault", role: "alert" }, words !== null && (words.code in catalogues[chosen()] || chosen() in words) ? pair(words) : both("try_again"));
    place.prepend(note);
    setTimeout(() => note.remove(), 4000);
}

// The screen that stands, from its beginning.
function again() {
    shown = "";
    render();
}

const recordings = (names) => names.map((name) => `${chosen()}/${name}`);

// words: for who listens to a screen reader. prompt: the same as a recording.
function tell(words, prompt) {
    spoken.textContent = words;
    voice.say(recordings([prompt]), false);
}

const kit = {
    place, act, sealed, offered, again, ease,
    say: (words, prompt) => (words === undefined ? say() : tell(words, prompt)),
    prompt: (element) => voice.say(promptsOf(element)),
    lane: () => lane,
};

// Parts of a state that make another screen; the rest is an update of the one that stands.
const nameOf = (now) => [now.visit, now.state, now.failure?.code, now.pin_tries, now.outcome, now.reader?.code, now.pin_pad, chosen(), ease.name()].join("|");

function footer(now) {
    const buttons = [];
    const add = (action, key) =>
        buttons.push(h("button", { type: "button", class: "plain", "data-action": action, onclick: () => act(action) }, both(key)));
    if (offered(now, "cancel"))
        add("cancel", "cancel");
    if (offered(now, "choose_staff") && !["method", "face", "show_card"].includes(now.state))
        add("choose_staff", "help");
    /* Built anew only when it changes: a button keeps the focus while the lane reports. */
    const name = `${buttons.map((b) => b.dataset.action)} ${chosen()} ${document.body.dataset.keys}`;
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
        show(place, key === "offline" && h("div", { class: "work" }), h("h1", {}, anyone(`${key}.title`)), h("p", { class: "note" }, anyone(`${key}.note`)));
        return;
    }
    document.getElementById("label").textContent = lane.label;
    const name = nameOf(lane);
    if (name === shown) {
        screen?.update?.(lane);
    } else {
        leave();
        shown = name;
        screen = (screens[lane.state] ?? screens.unknown)(lane, kit) ?? null;
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
    if (over !== null)
        return;
    const first = ease.blind && greeted !== chosen();
    if (first)
        greeted = chosen();
    voice.say([...(first ? recordings(["voice.intro"]) : []), ...promptsOf(place)]);
}

// One thing over the screen at a time; what is behind it can neither be touched nor reached by keys.
function lay(name, box, focus) {
    if (over === null)
        before = document.activeElement;
    over = name;
    show(veil, box);
    veil.hidden = false;
    for (const part of behind)
        part.inert = true;
    (focus ?? box.querySelector("button")).focus();
    voice.say(promptsOf(veil));
}

function lift() {
    over = null;
    veil.hidden = true;
    veil.replaceChildren();
    for (const part of behind)
        part.inert = false;
    (before?.isConnected ? before : place).focus({ preventScroll: true });
    say();
}

// "Are you still there?" before a state ends by itself.
function watch() {
    const left = endsAt === null ? Infinity : Math.ceil((endsAt - performance.now()) / 1000);
    const open = trouble === null && lane !== null && offered(lane, "still_here") && left > 0;
    const still = performance.now() - touched < 10000;
    /* Who has just pressed something is there, and who asked for time gets it: nobody is asked in the middle of an
       entry. */
    /* A card comes back in seconds or not at all: there the question comes late, and nothing is put off unasked. Where
       the whole time is short all this begins later, so that more time takes the question away and is not asked for again
       at once. */
    const away = lane?.state === "card_lost";
    const soon = Math.min(away ? 8 : 20, whole / 2);
    if (open && !away && left <= Math.min(30, (whole * 3) / 4) && kept !== endsAt && over !== "still" && (still || (ease.slow && spared < 2))) {
        kept = endsAt;
        spared += still ? 0 : 1;
        act("still_here");
        return;
    }
    forget();
    if (!open || left > soon) {
        if (over === "still")
            lift();
        return;
    }
    if (over !== "still") {
        const button = h("button", { type: "button", class: "main", onclick: () => act("still_here") }, both("still.yes"));
        lay("still", h("div", { class: "box", role: "alertdialog", "aria-modal": "true", "aria-labelledby": "still" }, h("h1", { id: "still" }, both("still.title")), h("p", { class: "note count" }), button), button);
    }
    show(veil.querySelector(".note"), both("still.note", { s: left }));
}

// What somebody chose before any card came, and then left.
function forget() {
    if (lane?.visit === null && performance.now() - touched > 60000 && (chosen() !== "ja" || ease.touchedAnything()))
        fresh();
}

// The next patient begins in Japanese, as the lane is set up, whatever this one chose.
function fresh() {
    ease.reset();
    greeted = null;
    if (over !== null)
        lift();
    headings();
    again();
}

// Another language, a voice, company... What was pressed in a box over the screen is said by that box.
function onEase(what) {
    headings();
    if (what !== "volume" && what !== "low" && what !== "slow")
        render();
}

function take(now) {
    const gone = lane !== null && lane.visit !== now.visit && now.visit === null;

    if (lane === null || lane.visit !== now.visit || lane.state !== now.state)
        spared = whole = 0;
    whole = Math.max(whole, (now.ends_ms ?? 0) / 1000);
    lane = now;
    endsAt = now.ends_ms === null ? null : performance.now() + now.ends_ms;
    if (gone)
        fresh();
    else
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

// The two buttons at the top: always there, in the language chosen, with the key of each where keys are used.
function headings() {
    show(document.getElementById("ease"), keyOf("."), icons.ease(), h("span", {}, both("ease")[0]));
    place.setAttribute("aria-label", t("screen"));
}

const boxes = {
    language: () => languageBox(onEase, lift),
    ease: () => easeBox(ease, lift, (names, all) => voice.say([...recordings(names), ...(all ? promptsOf(veil) : [])], all)),
};
for (const name of Object.keys(boxes))
    document.getElementById(name).addEventListener("click", () => over === null && lay(name, boxes[name]()));
show(document.getElementById("language"), keyOf("+"), icons.language(), h("span", { lang: "ja" }, "言語"), h("span", { lang: "en" }, "Language"));

// Key 5. Who is in the middle of the card's digits has eyes and a camera, and may have missed a key.
const begins = () => over === null && trouble === null && lane !== null && lane.state !== "number_b" && !place.querySelector(".pad") && ease.settings.voice !== "off" && !ease.blind;

/* A keyboard or numeric keypad alone: digits choose the buttons by the number printed on them (or are the entry,
   where there is a pad), Enter is the one button that leads on, * goes back, / calls staff, + asks for the language,
   . (a comma on some keypads) opens and closes what makes it easier. 0 says it again; 5, which fingers know by its
   raised mark, begins the guidance by voice wherever it is neither a choice nor a digit. */
document.addEventListener("keydown", (event) => {
    touched = performance.now();
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey)
        return; /* the pad has taken it: one press is never two answers */
    if (!document.body.dataset.keys && event.key !== "Tab" && lane !== null) {
        document.body.dataset.keys = "1";
        footer(lane);
    }
    const stage = over !== null ? veil : place;
    const choice = /^[1-9]$/.test(event.key) && !stage.querySelector(".pad") ? stage.querySelectorAll(".choices button")[Number(event.key) - 1] : undefined;
    const decimal = event.key === "." || event.key === ",";
    let target = null;
    if (event.key === "*")
        target = stage.querySelector("[data-back]");
    else if (event.key === "/" && over === null)
        target = { click: () => lane !== null && offered(lane, "choose_staff") && act("choose_staff") };
    else if (event.key === "+" && over === null)
        target = document.getElementById("language");
    else if (decimal && over === null)
        target = document.getElementById("ease");
    else if (decimal && over === "ease")
        target = veil.querySelector("[data-back]");
    else if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement))
        target = stage.querySelector("[data-enter]");
    else if (event.key === "0" && !stage.querySelector(".pad"))
        target = { click: voice.again };
    else if (event.key === "1" && over === "still")
        target = veil.querySelector("button");
    else if (choice !== undefined)
        target = choice;
    else if (event.key === "5" && begins())
        target = { click: () => ease.set("blind", true) };
    if (target === null || target === undefined)
        return;
    event.preventDefault();
    target.click();
});
document.addEventListener("pointerdown", () => (touched = performance.now()), { capture: true });
document.addEventListener("contextmenu", (event) => event.preventDefault());
setInterval(watch, 1000);
headings();
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
            settings: (told) => {
                /* Told anew after each lost line: only news may change what the patient chose. */
                if (JSON.stringify(told) === JSON.stringify(ease.settings))
                    return;
                ease.settings = told;
                ease.reset();
                headings();
            },
            lane: take,
            desk: ({ up }) => setTrouble(up ? null : "offline"),
        },
        (state) => state !== "up" && setTrouble(state === "closed" ? "closed" : "offline"),
    );
