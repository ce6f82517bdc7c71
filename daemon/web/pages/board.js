// The board: all lanes and today's visits, live. Everything is reachable from the keyboard; new arrivals are
// announced without taking the focus.
import { connect, Refused } from "./api.js";
import { h, show } from "./dom.js";
import { t, text, known, choose, speak, chosen } from "./text.js";
import ja from "./board.ja.js";
import en from "./board.en.js";
import { tree } from "./answer.js";
import { openDoor } from "./door.js";
import { accountsDialog } from "./accounts.js";
import { formDialog, title, trap } from "./form.js";
import { slipsOf } from "./slips.js";
import { disasterOf } from "./disaster.js";
import { helpOf } from "./help.js";
import { outboxOf } from "./outbox.js";
import { patientOf } from "./patient.js";
import { pressOf } from "./press.js";
import { printSheet } from "./print.js";
import { adminOf } from "./admin.js";

const other = () => (chosen() === "ja" ? "en" : "ja");
speak({ ja, en }, other);

const api = connect("board");
const $ = (id) => document.getElementById(id);
const lanes = new Map();
const visits = new Map();
const slips = new Map(); // those that wait for somebody, of whatever day
let selected = null;
let filter = "all";
let link = "lost";
let deskUp = false;
let ready = false;
let name = "";

const press = pressOf();
const openDialog = trap($("dialog"));
const calling = ["staff", "visual", "link"];
const words = (failure) => (failure ? failure[chosen()] ?? failure.ja : "");
// What the failure of a visit says to staff: who was looked at need not be looked at again.
const troubleOf = (visit) => (visit.failure?.code === "V005" && !visit.flags.includes("look") ? t("looked") : words(visit.failure));
// What to do about a failure: its own words, or those for its kind.
function nextStep(failure) {
    const own = `next.${failure.code}`;
    return t(known(own) ? own : `next.${failure.kind === "staff" ? "failure" : failure.kind}`);
}
// What to do now on a lane or about a visit, or "".
function adviceFor(state, failure, flags = []) {
    if (flags.includes("look"))
        return t("next.look");
    if (["visual", "link"].includes(state))
        return t(`next.${state}`);
    if (failure)
        return nextStep(failure);
    return state === "staff" ? t("next.staff") : "";
}
const nextLine = (step) => step !== "" && h("div", { class: "advice" }, h("b", {}, t("board.next")), " ", step);
const time = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toLocaleTimeString("ja-JP", { timeZone: "Asia/Tokyo", hour: "2-digit", minute: "2-digit" }));
const dayOf = (seconds) => Math.floor((seconds + 9 * 3600) / 86400); // in Japan
// How old an answer is: of today by its time, an older one by its day and how many days ago that was.
function age(seconds) {
    const days = dayOf(Date.now() / 1000) - dayOf(seconds);
    const day = new Date(seconds * 1000).toLocaleDateString("ja-JP", { timeZone: "Asia/Tokyo", year: "numeric", month: "2-digit", day: "2-digit" });
    return days <= 0 ? time(seconds) : t("board.age.days", { day, time: time(seconds), n: days });
}
// What stands there as the answer of an earlier time says of which.
const flagWords = (visit, flag) => (["cached", "last_known"].includes(flag) && visit.answered ? t("board.age", { flag: t(`flag.${flag}`), age: age(visit.answered) }) : t(`flag.${flag}`));
const date = (digits) => (/^\d{8}$/.test(digits) ? `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}` : digits);
const ratio = (digits) => (/^\d{3}$/.test(digits) ? `${Number(digits) / 10}割` : digits);
const say = (message) => ($("spoken").textContent = message);

/* ---- actions ---- */

async function act(lane, visit, action, step) {
    try {
        await api.post(`/api/lanes/${lane}/actions`, { visit, step, action });
        say(t("board.done"));
    } catch (refused) {
        complain(refused);
    }
}

function complain(refused) {
    if (refused instanceof Refused && refused.status === 401)
        door();
    else
        say(words(refused.error) || String(refused.message));
    if (refused instanceof Refused && refused.error.ja)
        notice(words(refused.error), refused.error.code);
}

function notice(message, code) {
    openDialog("notice", h("form", { method: "dialog" }, title(t("board.notice")), h("p", { class: "fault" }, code && h("b", {}, `${code} `), message), h("div", { class: "row" }, h("button", { class: "main", autofocus: true }, t("board.close")))));
}

const print = (visit, slip = null) => printSheet($("sheet"), visit, slip);
const slipForms = slipsOf({ api, open: openDialog, words, say, people: (visit) => visits.get(visit) ?? {}, print });
const patients = patientOf({ api, open: openDialog, words, say, complain });
const outbox = outboxOf({ dialog: $("dialog"), api, open: openDialog, say, complain, changed: () => ready && (renderCounts(), filter === "outbox" && renderVisits(), renderPart()) });
const disaster = disasterOf({ api, open: openDialog, words, say });
const help = helpOf({ dialog: $("dialog"), open: openDialog, words, lane: (n) => lanes.get(n), buttons: (lane) => actionButtons(lane, () => $("dialog").close()) });

const admin = adminOf({ place: $("admin"), api, words, complain, lanes: () => [...lanes.values()].sort((a, b) => a.lane - b.lane), visits: () => [...visits.values()], cards: cardsToday });

// Only how many: administration sees no patient.
function cardsToday() {
    const list = [...visits.values()].filter((v) => v.lane !== 0 && !v.flags.includes("no_card"));
    const flagged = (flag) => list.filter((v) => v.flags.includes(flag)).length;
    return { all: list.length, soon: flagged("card_ends"), over: flagged("card_ended") };
}

// Reception, or administration in its place.
function toggleAdmin(shown) {
    $("admin").hidden = !shown;
    $("main").hidden = shown;
    renderFrame();
    if (shown)
        admin.open();
    else
        admin.close();
}

// Somebody else came for the patient; also after the visit is over.
function pickUp(visit) {
    const known = visits.get(visit) ?? {};
    formDialog(openDialog, {
        what: "pick-up",
        heading: t("action.proxy"),
        note: t("pickup.note", { name: known.name || "−" }),
        fields: [
            { name: "name", label: "pickup.name", max: 80, required: true, value: known.proxy, wide: true },
            { name: "relation", label: "pickup.relation", hint: "pickup.relation.hint", max: 20, required: true, value: known.relation },
        ],
        go: t("pickup.go"),
        words,
        send: (values) => api.post(`/api/visits/${visit}/pick-up`, values),
        done: () => say(t("pickup.done")),
    });
}

// Under disaster mode consents are given by word of mouth; what was not asked is not given.
function oralConsent(lane) {
    formDialog(openDialog, {
        what: "consent",
        heading: t("action.staff_consent"),
        note: t("consent.note"),
        fields: [{ name: "consents", label: "consent.given", type: "boxes", options: lane.consents.map((c) => [c, t(`bit.${c}`)]) }],
        go: t("consent.go"),
        words,
        send: ({ consents }) => api.post(`/api/lanes/${lane.lane}/actions`, { visit: lane.visit, step: lane.step, action: "staff_consent", consents }),
        done: () => say(t("board.done")),
    });
}

// What needs more than a word from staff has a form; the rest is done at once.
const forms = {
    link: (lane) => lookup(lane.visit, lane.lane),
    slip: (lane) => slipForms.choose({ visit: lane.visit, lane: lane.lane }, disaster.on()),
    proxy: (lane) => pickUp(lane.visit),
    staff_consent: oralConsent,
};
const main = new Set(["staff_confirm", "link", "staff_looked"]);
const danger = new Set(["staff_end", "staff_reject"]);

// before: what is to be done first (a dialog over the lane closes).
function actionButtons(lane, before = () => {}) {
    const button = (action, run) =>
        h("button", { type: "button", "data-action": action, class: main.has(action) ? "main" : danger.has(action) ? "danger" : null, onclick: (event) => {
            event.stopPropagation();
            before();
            run();
        } }, t(`action.${action}`));
    return lane.offers.map((action) => button(action, () => (forms[action] ? forms[action](lane) : act(lane.lane, lane.visit, action, lane.step))));
}

/* ---- lanes ---- */

function renderLanes() {
    const focused = document.activeElement?.closest(".lane")?.dataset.lane;
    const action = document.activeElement?.dataset.action;
    show(
        $("lanes"),
        [...lanes.values()]
            .sort((a, b) => a.lane - b.lane)
            .map((lane) => {
                const broken = lane.reader ?? lane.camera;
                const kind = calling.includes(lane.state) ? "calls" : lane.reader ? "broken" : lane.visit ? "busy" : "";
                const fault = lane.failure ?? broken;
                return h(
                    "article",
                    { class: `lane ${kind}`, "data-lane": lane.lane, "aria-label": `${t("col.lane")} ${lane.lane}` },
                    h("div", { class: "top" }, h("span", { class: "number" }, `${lane.lane}`), h("span", {}, lane.label), h("span", { class: "state" }, lane.visit ? t(`state.${lane.state}`) : t(lane.reader ? "board.broken" : "board.idle"))),
                    lane.patient && h("div", { class: "patient" }, lane.patient),
                    lane.visit && lane.method !== "none" && h("div", {}, `${t("col.method")}: ${t(`way.${lane.method}`)}`),
                    lane.hint && !fault && h("div", { class: "fault" }, h("b", {}, lane.hint.code), " ", words(lane.hint)),
                    fault && h("div", { class: "fault" }, h("b", {}, fault.code), " ", words(fault)),
                    nextLine(adviceFor(lane.state, fault)),
                    lane.visit && h(
                        "div",
                        { class: "actions" },
                        actionButtons(lane),
                        h("button", { type: "button", "data-action": "help", onclick: () => help.open(lane.lane) }, t("action.help")),
                    ),
                );
            }),
    );
    const card = focused && document.querySelector(`.lane[data-lane="${focused}"]`);
    if (card)
        (card.querySelector(`[data-action="${action}"]`) ?? card.querySelector("button"))?.focus();
    renderCalls();
}

// Who calls and cannot be seen because there are more lanes than room: said beside the heading, and a press leads there.
// The cards themselves never change places under somebody's hand.
function renderCalls() {
    const room = $("lanes").getBoundingClientRect();
    const unseen = [...document.querySelectorAll(".lane.calls")].filter((card) => card.getBoundingClientRect().bottom > room.bottom + 1 || card.getBoundingClientRect().top < room.top - 1);
    const had = document.activeElement?.dataset?.calls;
    show($("calls"), unseen.map((card) => {
        const lane = lanes.get(Number(card.dataset.lane));
        const [who, what] = [`${lane.lane} ${lane.label}`, `: ${t(`state.${lane.state}`)}`];
        return h("button", { type: "button", class: "main", "data-calls": lane.lane, "aria-label": who + what, onclick: () => {
            card.scrollIntoView({ block: "nearest" });
            card.querySelector("button")?.focus({ preventScroll: true });
        } }, who, h("span", {}, what));
    }));
    if (had)
        $("calls").querySelector(`[data-calls="${had}"]`)?.focus();
}

/* ---- visits ---- */

// What is searched is typed in hiragana as often as in katakana, of any width, with or without the blank inside a name.
const folded = (words) => words.normalize("NFKC").toLowerCase().replace(/[ぁ-ゖ]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0x60)).replace(/\s+/g, "");
function matches(...texts) {
    const wanted = folded($("search").value);
    return texts.some((words) => folded(words).includes(wanted));
}

const needsSomebody = (visit) => visit.flags.includes("look") || visit.flags.includes("who") || visit.flags.includes("handover") || (visit.outcome === "open" && calling.includes(visit.state)) || (visit.failure !== null && visit.failure.kind !== "notice");

function fits(visit) {
    if (filter === "open" && visit.outcome !== "open")
        return false;
    if (filter === "look" && !needsSomebody(visit))
        return false;
    return matches(visit.name, visit.kana, visit.reference, visit.patient ?? "", visit.alias ?? "", visit.visit);
}

function row(visit) {
    const open = visit.outcome === "open";
    return h(
        "tr",
        {
            tabindex: visit.visit === selected ? "0" : "-1",
            "data-visit": visit.visit,
            "aria-selected": String(visit.visit === selected),
            class: `${open ? "open" : ""} ${visit.flags.includes("look") ? "look" : ""}`,
            onclick: () => select(visit.visit, true),
        },
        h("td", {}, time(visit.opened)),
        h("td", {}, visit.lane === 0 ? "−" : String(visit.lane)),
        h("td", { class: "name" }, visit.name || "−", visit.kana && h("small", {}, visit.kana)),
        h("td", {}, date(visit.birth)),
        h("td", {}, t(`way.${visit.method}`)),
        h("td", {}, h("span", { class: `pill ${visit.outcome}` }, open ? t(`state.${visit.state}`) : t(`outcome.${visit.outcome}`))),
        h("td", {}, ratio(visit.ratio)),
        h("td", {}, visit.limit_class),
        h(
            "td",
            { class: "flags" },
            visit.notice && h("span", { class: "flag" }, t("detail.notice")),
            visit.flags.filter((flag) => flag !== "subsidy").map((flag) => h("span", { class: "flag" }, flagWords(visit, flag))),
            visit.consents.length > 0 && h("small", {}, `${t("detail.consents")}: ${visit.consents.map((c) => t(`bit.${c}`)).join("、")}`),
        ),
        h("td", { class: "trouble" }, visit.failure && [h("b", {}, visit.failure.code), " ", troubleOf(visit)]),
    );
}

const drawnMost = 300; // a day may have ten times as many, and the table is drawn anew at every event
let drawAll = false;
const columns = ["time", "lane", "name", "birth", "method", "outcome", "ratio", "limit", "flags", "failure"];

// What waits for somebody, of whatever day: slips, and what is not handed over. The oldest first, it has waited longest.
const waiting = {
    slips: {
        list: () => [...slips.values()].filter((s) => matches(s.name, s.kana, s.insured, s.visit)).sort((a, b) => a.filed - b.filed),
        key: (slip) => slip.visit,
        from: slipForms,
        empty: "slip.none",
    },
    outbox: {
        list: () => outbox.all().filter((o) => matches(o.patient, o.target, o.visit)),
        key: (one) => `o${one.entry}`,
        from: outbox,
        empty: "outbox.none",
    },
};

function renderWaiting({ list: listOf, key, from, empty }) {
    const list = listOf();
    const had = document.activeElement?.dataset?.visit;
    const body = h("tbody", {}, list.map((one, i) =>
        h("tr", { tabindex: key(one) === selected || (i === 0 && !list.some((o) => key(o) === selected)) ? "0" : "-1", "data-visit": key(one), onclick: () => {
            select(key(one), false);
            from.view(one);
        } }, from.cells(one).map((words, n, all) => h("td", { class: n === all.length - 1 ? "trouble" : null }, words))),
    ));
    if (list.length === 0)
        body.append(h("tr", {}, h("td", { class: "empty", colspan: from.columns.length }, t(empty))));
    show($("visits"), h("thead", {}, h("tr", {}, from.columns.map((c) => h("th", { scope: "col" }, t(c))))), body);
    if (had)
        body.querySelector(`[data-visit="${had}"]`)?.focus();
}

function renderVisits() {
    if (filter in waiting) {
        renderWaiting(waiting[filter]);
        return;
    }
    const list = [...visits.values()].filter(fits).sort((a, b) => b.opened - a.opened || Number(BigInt(b.visit) - BigInt(a.visit)));
    const had = document.activeElement?.dataset?.visit;
    const body = h("tbody", {}, list.slice(0, drawAll ? list.length : drawnMost).map(row));
    if (list.length === 0)
        body.append(h("tr", {}, h("td", { class: "empty", colspan: columns.length }, t(visits.size === 0 ? "board.none" : "board.nothing"))));
    else if (list.length > drawnMost && !drawAll)
        body.append(h("tr", {}, h("td", { class: "empty", colspan: columns.length }, h("button", { type: "button", "data-action": "draw-all", onclick: () => {
            drawAll = true;
            renderVisits();
        } }, t("board.draw_all", { n: list.length - drawnMost })))));
    if (list.length > 0 && !body.querySelector('[tabindex="0"]'))
        body.firstElementChild.setAttribute("tabindex", "0");
    show($("visits"), h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, t(`col.${c}`))))), body);
    if (had)
        body.querySelector(`[data-visit="${had}"]`)?.focus();
}

function select(visit, open) {
    selected = visit;
    renderVisits();
    $("visits").querySelector(`[data-visit="${visit}"]`)?.focus();
    if (open)
        renderDetail();
}

/* ---- one visit ---- */

function line(key, value) {
    return value === "" || value === null || value === undefined ? null : [h("dt", {}, t(key)), h("dd", {}, value)];
}

// What may still be done about a visit that is over.
function laterButtons(visit, lane) {
    const button = (action, run) => h("button", { type: "button", "data-action": action, onclick: run }, t(`action.${action}`));
    const over = visit.outcome !== "open" && lane?.visit !== visit.visit;
    const pharmacy = [...lanes.values()].some((l) => l.institution === "pharmacy");
    return [
        over && ["unknown", "last_known", "staff"].includes(visit.outcome) && !visit.flags.includes("slip") && button("slip", () => slipForms.choose({ visit: visit.visit, lane: visit.lane }, disaster.on())),
        over && pharmacy && !["refused", "abandoned"].includes(visit.outcome) && button("proxy", () => pickUp(visit.visit)),
        visit.flags.includes("slip") && button("slip_view", () => slipForms.show(visit.visit).catch(complain)),
        visit.outcome !== "open" && visit.name !== "" && "patient" in visit && button("patient", () => patients.enter(visit)),
        button("print", () => print(visit)),
    ];
}

function renderDetail(answer = null) {
    const visit = visits.get(selected);
    const lane = visit && lanes.get(visit.lane);
    const aside = $("detail");
    if (!visit) {
        aside.hidden = true;
        return;
    }
    const stages = ["card_ms", "photo_ms", "face_ms", "pin_ms", "ask_ms", "total_ms"].filter((s) => visit[s] > 0).map((s) => [t(`stage.${s}`), visit[s], "ms"].join(" "));
    aside.hidden = false;
    aside.dataset.answer = answer === null ? "" : visit.visit;
    show(
        aside,
        h("h2", {}, t("board.details"), h("button", { type: "button", onclick: closeDetail }, t("board.close"))),
        h("p", { class: "person" }, visit.name || "−"),
        visit.failure && h("p", { class: `next ${visit.failure.kind}` }, h("b", {}, `${visit.failure.code} `), troubleOf(visit)),
        adviceFor(visit.state, visit.failure, visit.flags) !== "" && h("div", { class: "next step" }, nextLine(adviceFor(visit.state, visit.failure, visit.flags))),
        visit.notice && h("p", { class: "next notice" }, `${t("detail.notice")}: ${visit.notice}`),
        h(
            "div",
            { class: "actions" },
            lane && lane.visit === visit.visit ? actionButtons(lane) : null,
            visit.flags.includes("look") && !(lane?.visit === visit.visit && lane.offers.includes("staff_looked")) &&
                h("button", { type: "button", class: "main", "data-action": "staff_looked", onclick: () => act(visit.lane, visit.visit, "staff_looked", lane?.step ?? 0) }, t("action.staff_looked")),
            laterButtons(visit, lane),
        ),
        patients.parts(visit),
        h("div", { id: "handed" }, outbox.part(visit)),
        h(
            "dl",
            {},
            patients.rows(visit).map(([key, value]) => line(key, value)),
            line("detail.kana", visit.kana),
            line("col.birth", date(visit.birth)),
            line("detail.sex", visit.sex && t(`sex.${visit.sex}`)),
            line("col.outcome", visit.outcome === "open" ? t(`state.${visit.state}`) : t(`outcome.${visit.outcome}`)),
            line("detail.validity", visit.validity && t(`validity.${visit.validity}`)),
            line("col.ratio", ratio(visit.ratio)),
            line("col.limit", visit.limit_class),
            line("detail.subsidy", visit.flags.includes("subsidy") && t("subsidy.unknown")),
            line("detail.insurer", visit.insurer),
            line("detail.reference", visit.reference),
            line("detail.consents", visit.consents.map((c) => t(`bit.${c}`)).join("、")),
            line("detail.answered", visit.answered && age(visit.answered)),
            line("col.flags", visit.flags.filter((f) => f !== "subsidy").map((f) => t(`flag.${f}`)).join("、")),
            line("col.method", t(`way.${visit.method}`)),
            line("detail.record", t(`genuine.${visit.record}`)),
            line("detail.challenge", t(`genuine.${visit.challenge}`)),
            line("detail.liveness", t(`liveness.${visit.liveness}`)),
            line("detail.score", visit.method === "face" ? (visit.score_milli / 1000).toFixed(3) : ""),
            line("detail.stages", stages.join(" / ")),
            line("detail.opened", time(visit.opened)),
            line("detail.closed", time(visit.closed)),
            line("detail.proxy", visit.proxy && `${visit.proxy}${visit.relation ? ` (${visit.relation})` : ""}`),
            line("detail.staff", visit.staff),
            line("detail.visit", visit.visit),
        ),
        answer === null
            ? visit.answered && h("p", {}, h("button", { type: "button", onclick: showAnswer }, t("board.answer")), " ", h("small", {}, t("board.answer.audit")))
            : tree(answer),
    );
}

// What is handed over changes by itself: its part of the details, the focus left where it is.
function renderPart() {
    const visit = visits.get(selected);
    if ($("handed") === null || !visit)
        return;
    const action = $("handed").contains(document.activeElement) ? document.activeElement.dataset.action : null;
    show($("handed"), outbox.part(visit));
    if (action !== null)
        ($("handed").querySelector(`[data-action="${action}"]`) ?? $("detail").querySelector("button")).focus();
}

async function showAnswer() {
    try {
        const { answer } = await api.get(`/api/visits/${selected}/answer`);
        renderDetail(Object.values(answer)[0]);
    } catch (refused) {
        complain(refused);
    }
}

function closeDetail() {
    $("detail").hidden = true;
    show($("detail"));
    $("visits").querySelector('[tabindex="0"]')?.focus();
}

/* ---- look-up ---- */

const lookupFields = () => [
    { name: "insurer", label: "lookup.insurer", max: 8, mode: "numeric", required: true },
    { name: "symbol", label: "lookup.symbol", max: 40 },
    { name: "number", label: "lookup.number", max: 40, required: true },
    { name: "branch", label: "lookup.branch", max: 2, mode: "numeric" },
    { name: "birth", label: "lookup.birth", max: 8, required: true },
    { name: "limit_consent", label: "lookup.limit", type: "check", wide: true },
];

// visit: link that visit's card; null: a visit without card.
function lookup(visit = null, lane = 0) {
    formDialog(openDialog, {
        what: visit === null ? "lookup" : "link",
        heading: t(visit === null ? "lookup.title" : "lookup.link"),
        fields: lookupFields(),
        go: t("lookup.go"),
        words,
        send: (values) => api.post("/api/lookup", visit === null ? { ...values, lane } : { ...values, lane, visit }),
        done: () => say(t("lookup.sent")),
    });
}

/* ---- the frame around it ---- */

const inside = () => $("door").hidden;

function renderFrame() {
    const state = link !== "up" ? "lost" : deskUp ? "up" : "down";
    document.title = `${text("ja", "board.title")} / ${text("en", "board.title")}`;
    $("title").textContent = t("board.title");
    $("link").textContent = t(`board.${state}`);
    $("link").classList.toggle("bad", state !== "up");
    $("who").textContent = name;
    document.documentElement.lang = chosen();
    $("language").textContent = text(other(), "language");
    $("lookup").textContent = t("board.lookup");
    $("slip").textContent = t("board.slip");
    $("disaster").textContent = t("board.disaster");
    disaster.banner($("banner"));
    $("banner").hidden ||= !inside();
    $("out").textContent = t("board.sign_out");
    $("accounts").textContent = t("accounts.title");
    for (const part of ["link", "lookup", "slip", "disaster", "out", "who", "keys"])
        $(part).hidden = !inside();
    $("disaster").hidden ||= disaster.on(); // it is ended where it stands
    $("administration").textContent = t($("admin").hidden ? "admin.title" : "admin.back");
    $("administration").hidden = !inside() || (accounts && role !== "administrator");
    $("accounts").hidden = !inside() || role !== "administrator";
    $("lanes-title").textContent = t("board.lanes");
    $("visits-title").textContent = t("board.visits");
    $("search-label").textContent = t("board.search");
    $("keys").textContent = t("board.keys");
    $("filters").setAttribute("aria-label", t("board.filter"));
    const had = document.activeElement?.dataset?.filter;
    show(
        $("filters"),
        filters.filter((f) => f !== "outbox" || outbox.known() || filter === f).map((f) =>
            h("button", { type: "button", "data-filter": f, "aria-pressed": String(f === filter), onclick: () => {
                filter = f;
                renderFrame();
                renderVisits();
            } }, filterWords(f)),
        ),
    );
    if (had)
        $("filters").querySelector(`[data-filter="${had}"]`)?.focus();
}

const filters = ["all", "open", "look", "slips", "outbox"];

function filterWords(f) {
    const n = f === "all" ? 0 : f === "slips" ? slips.size : f === "outbox" ? outbox.asks() : [...visits.values()].filter(f === "open" ? (v) => v.outcome === "open" : needsSomebody).length;
    return n === 0 ? t(`board.filter.${f}`) : t("board.count", { name: t(`board.filter.${f}`), n });
}

function renderCounts() {
    if (outbox.known() && $("filters").querySelector('[data-filter="outbox"]') === null)
        renderFrame();
    for (const button of $("filters").children)
        button.textContent = filterWords(button.dataset.filter);
}

function renderAll() {
    renderFrame();
    renderLanes();
    renderVisits();
    admin.render();
    if (!$("detail").hidden)
        renderDetail();
}

let accounts = false; // does each member of staff have an account?
let role = null;

// why: "wrong" token, or the session has "ended".
function door(why = null) {
    /* Nobody reads over the shoulder of who signs in: nothing of the day stays in the page, or comes into it. */
    stopListening?.();
    press.drop();
    visits.clear();
    lanes.clear();
    slips.clear();
    outbox.forget();
    disaster.take({ cause: null });
    selected = null;
    ready = false;
    filter = "all";
    $("search").value = "";
    for (const part of ["visits", "lanes", "detail", "dialog", "sheet", "banner"])
        show($(part));
    $("detail").hidden = true;
    if ($("dialog").open)
        $("dialog").close();
    say("");
    admin.close();
    $("admin").hidden = true;
    $("main").hidden = true;
    $("door").hidden = false;
    renderFrame();
    openDoor($("door"), { api, words, other, enter: start }, accounts, why);
}

let stopListening = null;
let connection = 0; // what an earlier one had asked for is no answer to this one

// What did not come with the first words: a page after the other, oldest last.
async function takeOlder(path, rows, before, held) {
    const of = connection;
    await api.pages(path, { rows, id: "visit" }, before, (list) => {
        if (of !== connection || !ready)
            return false;
        for (const one of list.filter((o) => !held.has(o.visit)))
            held.set(one.visit, one);
        renderVisits();
        renderCounts();
        return true;
    });
}

function takeLane(lane) {
    const before = lanes.get(lane.lane);
    lanes.set(lane.lane, lane);
    renderLanes();
    help.take(lane);
    if (!ready)
        return;
    if (lane.visit && before?.visit !== lane.visit)
        say(t("board.new", { lane: lane.lane }));
    else if (calling.includes(lane.state) && before?.state !== lane.state)
        say(t("board.calls", { lane: lane.lane, step: adviceFor(lane.state, null) }));
    if (!$("detail").hidden && visits.get(selected)?.lane === lane.lane && !$("detail").dataset.answer)
        renderDetail();
}

function takeVisit(visit) {
    const earlier = visits.get(visit.visit);
    visits.set(visit.visit, visit);
    if (!ready)
        return;
    renderVisits();
    renderCounts();
    if (visit.outcome !== "open" && earlier?.outcome === "open")
        say(t("board.result", { lane: visit.lane === 0 ? "−" : visit.lane, name: visit.name, outcome: t(`outcome.${visit.outcome}`) }));
    if (visit.visit === selected && !$("detail").hidden && !$("detail").dataset.answer)
        renderDetail();
}

// One that nobody has to do anything about any more is gone from the list; its visit keeps it.
function takeSlip(slip) {
    if (slip.ended === null)
        slips.set(slip.visit, slip);
    else
        slips.delete(slip.visit);
    if (!ready)
        return;
    renderCounts();
    if (filter === "slips")
        renderVisits();
}

async function start() {
    const known = await api.answered("GET", "/api/session").catch(() => ({ sessions: [] }));
    const board = known.sessions.find((s) => s.surface === "board");
    accounts = known.accounts === true;
    if (!board) {
        door();
        return;
    }
    name = board.name;
    role = board.role ?? null;
    $("door").hidden = true;
    show($("door"));
    $("main").hidden = false;
    stopListening?.();
    stopListening = api.listen(
        "/api/events",
        press.held({
            desk: ({ up }) => {
                deskUp = up;
                if (!up)
                    lanes.clear();
                renderFrame();
                renderLanes();
            },
            lane: takeLane,
            visit: takeVisit,
            slip: takeSlip,
            outbox: outbox.take,
            disaster: (state) => {
                disaster.take(state);
                renderFrame();
            },
            ready: ({ older, older_slips: slipsBefore }) => {
                ready = true;
                renderAll();
                /* Without the desk the next "ready" asks again. */
                outbox.load().catch(() => {});
                if (older)
                    takeOlder("/api/visits", "visits", older, visits).catch(() => {});
                if (slipsBefore)
                    takeOlder("/api/slips", "slips", slipsBefore, slips).catch(() => {});
            },
        }),
        (state) => {
            link = state;
            renderFrame();
            if (state === "up") { /* the full state comes next; yesterday's rows must not stay */
                connection++;
                drawAll = false;
                press.drop();
                visits.clear();
                slips.clear();
                outbox.forget();
            }
            if (state === "closed")
                door(accounts ? "ended" : null);
        },
    );
    renderAll();
}

document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "Escape" && !$("admin").hidden && !$("dialog").open) {
        toggleAdmin(false);
        $("administration").focus();
    }
    if ($("main").hidden || $("dialog").open || event.ctrlKey || event.altKey || event.metaKey)
        return;
    if (event.key === "Escape" && typing)
        event.target.blur();
    else if (event.key === "Escape" && !$("detail").hidden)
        closeDetail();
    if (typing)
        return;
    const rows = [...$("visits").querySelectorAll("tr[data-visit]")];
    const at = rows.findIndex((r) => r === document.activeElement);
    if (/^[1-9]$/.test(event.key))
        document.querySelector(`.lane[data-lane="${event.key}"] button`)?.focus();
    else if (event.key === "/")
        $("search").focus();
    else if (event.key === "l" || event.key === "L")
        lookup();
    else if (event.key === "s" || event.key === "S")
        slipForms.choose({}, disaster.on());
    else if (event.key === "ArrowDown" && rows.length > 0)
        select(rows[Math.min(at + 1, rows.length - 1)].dataset.visit, false);
    else if (event.key === "ArrowUp" && rows.length > 0)
        select(rows[Math.max(at - 1, 0)].dataset.visit, false);
    else if (event.key === "Enter" && at >= 0 && filter in waiting)
        rows[at].click();
    else if (event.key === "Enter" && at >= 0)
        select(rows[at].dataset.visit, true);
    else if ((event.key === "p" || event.key === "P") && !$("detail").hidden)
        print(visits.get(selected));
    else
        return;
    event.preventDefault();
});
$("search").addEventListener("input", renderVisits);
$("lanes").addEventListener("scroll", renderCalls);
addEventListener("resize", renderCalls);
$("lookup").addEventListener("click", () => lookup());
$("slip").addEventListener("click", () => slipForms.choose({}, disaster.on()));
$("disaster").addEventListener("click", () => disaster.open());
$("administration").addEventListener("click", () => toggleAdmin($("admin").hidden));
$("accounts").addEventListener("click", () => accountsDialog($("dialog"), openDialog, { api, words }).catch((refused) => notice(words(refused.error) || refused.message)));
// The board locks when nobody does anything: what is done by hand is told, at most twice a minute; when it has
// locked, nothing of the day stays on the screen.
let touched = 0;
for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, async () => {
        if (!accounts || !inside() || Date.now() - touched < 30000)
            return;
        touched = Date.now();
        await api.post("/api/session/touch", {}).catch((refused) => refused.status === 401 && door("ended"));
    });
setInterval(async () => {
    if (accounts && inside())
        await api.get("/api/disaster").catch((refused) => refused.status === 401 && door("ended"));
}, 20000);
$("out").addEventListener("click", async () => {
    await api.remove("/api/session").catch(() => {});
    door();
});
$("language").addEventListener("click", () => {
    choose(other());
    if (inside())
        renderAll();
    else
        door();
});
setInterval(() => ($("clock").textContent = new Date().toLocaleTimeString("ja-JP", { hour: "2-digit", minute: "2-digit" })), 1000);
renderFrame();
await api.signInByFragment().catch(() => false);
await start();
