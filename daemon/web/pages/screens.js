// What the patient sees in each state of a visit. A screen is a function (lane, kit) that fills kit.place and may
// return { update(lane), leave() }; states without one of their own share `wait`.
//
// kit: place, act(action, extra), sealed(action, purpose, bytes), offered(lane, action), say(text), prompt(element):
// speak what stands there, lane(), ease: what this patient chose (ease.js)
import { h, show } from "./dom.js";
import { anyone, both, pair, t, text } from "./text.js";
import { reader, icons } from "./drawing.js";
import { choices } from "./choices.js";
import { camera } from "./face.js";
import { pad } from "./pad.js";
import { numberB } from "./number_b.js";

const button = (kit, action, content, options = {}) =>
    h("button", { type: "button", class: options.class ?? (options.main ? "main" : null), "data-action": action, "data-enter": options.enter, "data-back": options.back, onclick: (event) => {
        for (const other of event.currentTarget.parentElement.querySelectorAll("button"))
            other.disabled = true;
        kit.act(action, options.extra).finally(() => {
            for (const other of document.querySelectorAll("main button, footer button"))
                if (!other.closest(".pad"))
                    other.disabled = false;
        });
    } }, content);

// One step back, or to the other ways: where the desk takes a "no".
const back = (lane, kit, key = "other_way") =>
    kit.offered(lane, "no") && button(kit, "no", both(key), { class: "plain", back: true });

// `titles`: what stands there in large letters already; words that say no more are left out, the code stays.
function fault(failure, ...titles) {
    const plain = (words) => words.replace(/[。.]/g, "");
    if (failure && titles.some((title) => plain(failure.ja) === plain(text("ja", title))))
        return h("p", { class: "aside" }, failure.code);
    return failure && h("p", { class: failure.kind === "notice" ? "fault notice" : "fault", role: "alert" }, h("span", { class: "code" }, failure.code), pair(failure));
}

const ways = [
    { action: "choose_face", key: "method.face", icon: "face" },
    { action: "choose_pin", key: "method.pin", icon: "pin" },
    { action: "choose_staff", key: "method.staff", icon: "staff" },
    { action: "show_card", key: "method.show", icon: "face" },
    { action: "key_in", key: "method.key_in", icon: "pin" },
];
const aims = ["choose_face", "show_card"]; // something must be held to the camera

// The ways that are open, in the order of the table. `main`: the one that stands out. `notes`: say what each asks for.
function wayButtons(lane, kit, names, main = null, notes = false) {
    return ways
        .filter((way) => names.includes(way.action) && kit.offered(lane, way.action) && !(kit.ease.blind && aims.includes(way.action)))
        .map((way) => button(kit, way.action, [icons[way.icon](), both(way.key), notes && h("small", {}, t(`${way.key}.note`))], { main: way.action === main }));
}

function idle(lane, kit) {
    if (lane.reader !== null)
        show(kit.place, h("h1", {}, anyone("idle.closed")), h("p", { class: "note" }, anyone("idle.closed.note")), fault(lane.reader));
    else
        show(
            kit.place,
            fault(lane.failure),
            reader(),
            h("h1", {}, anyone("idle.title")),
            h("p", { class: "note" }, anyone("idle.note")),
            h("p", { class: "aside" }, anyone("idle.nocard")),
        );
}

const wait = (key) => (lane, kit) =>
    show(kit.place, h("div", { class: "work" }), h("h1", {}, both(`${key}.title`)), h("p", { class: "note" }, both(`${key}.note`)));

// Nothing is to be read twice: that staff come, or that it is a first visit, stands there once.
const asked = (key) => (lane, kit) =>
    show(
        kit.place,
        h("div", { class: "sign ask" }, icons.bell()),
        h("h1", {}, both(`${key}.title`)),
        h("p", { class: "note" }, both(`${key}.note`)),
        key === "link" && lane.failure ? h("p", { class: "aside" }, lane.failure.code) : fault(lane.failure, "done.other", "staff.title"),
        choices("", wayButtons(lane, kit, ["choose_face", "choose_pin"])),
        back(lane, kit, "back"),
    );

function method(lane, kit) {
    held = null;
    show(
        kit.place,
        fault(lane.failure),
        h("h1", {}, both("method.title")),
        choices("", wayButtons(lane, kit, ["choose_face", "choose_pin", "choose_staff"], lane.failure ? null : "choose_face", !lane.failure)),
    );
}

function pin(lane, kit) {
    if (lane.pin_pad) {
        show(
            kit.place,
            fault(lane.failure),
            h("h1", {}, both("pin.pad.title")),
            h("p", { class: "note" }, both("pin.pad.note")),
            tries(lane),
            choices("small", button(kit, "send_pin", both("pin.pad.start"), { main: true, enter: true }), wayButtons(lane, kit, ["choose_face"])),
            back(lane, kit),
        );
        return null;
    }
    const dots = [0, 1, 2, 3].map(() => h("i"));
    const keys = pad(
        4,
        t("pin.title"),
        (bytes, used) => {
            dots.forEach((dot, i) => dot.classList.toggle("on", i < used));
            if (used > 0)
                kit.say(t("pin.digits", { n: used }), `pin.digits.${used}`);
        },
        () => kit.sealed("send_pin", "pin", keys.take()),
        kit.ease.settings.keypad === "shuffled" && !kit.ease.blind,
    );
    show(
        kit.place,
        h(
            "div",
            { class: "entry" },
            h(
                "div",
                { class: "side" },
                fault(lane.failure),
                h("h1", {}, both("pin.title")),
                !lane.failure && lane.pin_tries !== 1 && h("p", { class: "note" }, both(kit.ease.company ? "pin.company" : "pin.note")),
                h("div", { class: "dots", "aria-hidden": "true" }, dots),
                tries(lane),
                back(lane, kit),
            ),
            keys.element,
        ),
    );
    return { leave: () => keys.leave() };
}

function tries(lane) {
    if (lane.pin_tries === null)
        return null;
    return lane.pin_tries === 1 ? h("p", { class: "note last" }, both("pin.tries.one")) : h("p", { class: "note" }, both("pin.tries", { tries: lane.pin_tries }));
}

// The visit whose patient has been before the camera with the card: who then wants to key in is not asked again how.
let held = null;

const showCard = camera(false, "show_card.title", ["key_in", "choose_pin", "choose_staff"], wayButtons, choices);

function number(lane, kit) {
    const place = kit.place;
    if (lane.failure) {
        // Said first, by itself: then the entry begins anew.
        let leave = null;
        show(
            place,
            fault(lane.failure),
            h("h1", {}, both("number.again")),
            lane.number_b_tries !== null && h("p", { class: "note" }, both("pin.tries", { tries: lane.number_b_tries })),
            choices("",
                h("button", { type: "button", class: "main", "data-enter": true, onclick: () => { leave = start(); } }, both("number.check.again")),
                wayButtons(lane, kit, ["show_card", "choose_pin"])),
        );
        return { leave: () => leave?.() };
    }
    function start() {
        return numberB(place, {
            say: () => kit.say(),
            back: () => back(lane, kit, "back"),
            others: () => wayButtons(lane, kit, ["choose_pin", "choose_staff"]),
            done: (bytes) => {
                show(place, h("div", { class: "work" }), h("h1", {}, both("photo.title")));
                kit.sealed("send_number_b", "number-b", bytes).then((ok) => ok || kit.again());
            },
        });
    }
    /* To the camera or by hand? */
    let leave = null;
    if (!kit.offered(lane, "show_card") || held === lane.visit)
        return { leave: start() };
    show(
        place,
        h("h1", {}, both("number.how.title")),
        h("p", { class: "note" }, both("number.how.note")),
        choices(
            "",
            wayButtons(lane, kit, ["show_card"]),
            h("button", { type: "button", onclick: () => { leave = start(); } }, icons.pin(), both("method.key_in")),
        ),
        back(lane, kit, "back"),
    );
    return { leave: () => leave?.() };
}

const question = (key) => (lane, kit) =>
    show(
        kit.place,
        fault(lane.failure?.kind === "notice" ? lane.failure : null),
        h("h1", {}, both(`${key}.title`)),
        h("p", { class: "note" }, both(`${key}.note`)),
        choices("", button(kit, "no", both(`${key}.no`)), button(kit, "yes", both(`${key}.yes`))),
    );

// Before something that may not be undone: the way out stands first and stands out.
const warning = (key, values) => (lane, kit) =>
    show(
        kit.place,
        !["P002", "N002"].includes(lane.failure?.code) && fault(lane.failure),
        h(
            "div",
            { class: "warning" },
            h("div", { class: "sign warn" }, icons.alert()),
            h("div", {}, h("h1", {}, both(`${key}.title`)), h("p", { class: "note" }, both(`${key}.note`, values(lane)))),
        ),
        choices("", button(kit, "no", both(`${key}.no`), { main: true, back: true }), button(kit, "yes", both(`${key}.yes`))),
    );

// The face or the PIN was right: said once, where the next question stands.
const verified = (lane) => lane.method !== "none" && h("p", { class: "verified" }, icons.check(), both("verified"));

// What was answered so far, so that another language does not begin anew.
let answers = { visit: null, at: 0, given: new Map() };

function consent(lane, kit) {
    const asked = lane.consents;
    if (answers.visit !== lane.visit)
        answers = { visit: lane.visit, at: 0, given: new Map() };
    const { given } = answers;

    function ask(i) {
        answers.at = i;
        if (i === asked.length) {
            show(kit.place, h("div", { class: "work" }), h("h1", {}, both("consent.sent")));
            kit.act("consent", { consents: asked.filter((name) => given.get(name)) }).then((ok) => ok || ask(asked.length - 1));
            return;
        }
        const answer = (yes) => () => {
            given.set(asked[i], yes);
            ask(i + 1);
        };
        show(
            kit.place,
            i === 0 && verified(lane),
            asked.length > 1 && h("p", { class: "count" }, both("consent.count", { n: i + 1, all: asked.length })),
            h("h1", {}, both(`consent.${asked[i]}`)),
            h("p", { class: "note" }, both(`consent.${asked[i]}.note`)),
            choices(
                "",
                h("button", { type: "button", onclick: answer(false) }, both("consent.no")),
                h("button", { type: "button", onclick: answer(true) }, both("consent.yes")),
            ),
            i > 0 && h("button", { type: "button", class: "plain", "data-back": true, onclick: () => ask(i - 1) }, both("back")),
        );
        kit.say();
        kit.place.focus({ preventScroll: true });
    }
    ask(Math.min(answers.at, asked.length - 1));
}

function done(lane, kit) {
    const key = ["eligible", "last_known", "pending"].includes(lane.outcome) ? "done.eligible" : lane.outcome === "abandoned" ? "done.abandoned" : "done.other";
    const sign = key === "done.eligible" ? h("div", { class: "sign" }, icons.check()) : h("div", { class: "sign ask" }, icons.bell());
    const next = h("p", { class: "take" }, icons.up(), anyone("take_card.title"));
    const update = (now) => (next.hidden = !now.card);

    show(kit.place, sign, h("h1", {}, both(key)), h("p", { class: "note" }, both(`${key}.note`)), fault(lane.failure, key), next);
    update(lane);
    return { update };
}

function takeCard(lane, kit) {
    const left = lane.failure?.code === "C014";
    const bell = left ? ring(() => kit.prompt(kit.place.querySelector("h1"))) : null;

    show(kit.place, !left && fault(lane.failure), h("div", { class: "rise" }, reader(true)), h("h1", { class: "loud" }, anyone("take_card.title")), h("p", { class: "note" }, anyone("take_card.note")));
    document.body.classList.toggle("flash", left);
    return {
        leave: () => {
            document.body.classList.remove("flash");
            bell?.();
        },
    };
}

// A soft two-tone call every three seconds until the card is taken; every third time it is also said, where the voice
// is on.
function ring(say) {
    let calls = 0;
    const sound = new AudioContext();
    const call = () => {
        if (calls++ % 3 === 2)
            say();
        [660, 880].forEach((pitch, i) => {
            const tone = sound.createOscillator();
            const volume = sound.createGain();
            const at = sound.currentTime + i * 0.25;
            tone.frequency.value = pitch;
            volume.gain.setValueAtTime(0.2, at);
            volume.gain.exponentialRampToValueAtTime(0.001, at + 0.24);
            tone.connect(volume).connect(sound.destination);
            tone.start(at);
            tone.stop(at + 0.25);
        });
    };
    const timer = setInterval(call, 3000);
    call();
    return () => {
        clearInterval(timer);
        sound.close();
    };
}

function cardLost(lane, kit) {
    show(
        kit.place,
        reader(),
        h("h1", { class: "told" }, lane.failure ? pair(lane.failure) : both("card_lost.title")),
        /* Another kind of card does not go on from anywhere. */
        lane.failure?.code !== "C002" && h("p", { class: "note" }, both("card_lost.note")),
        lane.failure && h("p", { class: "aside" }, lane.failure.code),
    );
}

export const screens = {
    idle,
    closed: idle,
    card: wait("card"),
    method,
    show_card: (lane, kit) => {
        held = lane.visit;
        return showCard(lane, kit);
    },
    number_b: number,
    number_b_confirm: warning("number_b_confirm", (lane) => ({ tries: lane.number_b_tries })),
    photo: wait("photo"),
    face: camera(true, "face.title", ["choose_pin", "choose_staff"], wayButtons, choices),
    pin,
    pin_confirm: warning("pin_confirm", () => ({})),
    pin_check: wait("pin_check"),
    visual: asked("visual"),
    register: question("register"),
    consent,
    eligibility: wait("eligibility"),
    /* A state of a newer desk: whatever it is, it goes on, or staff see it. */
    unknown: wait("eligibility"),
    link: asked("link"),
    staff: asked("staff"),
    card_lost: cardLost,
    done,
    take_card: takeCard,
};
