// Administration: how the lanes and programs are, what went wrong on which day, what ends when, and what to do for
// somebody who helps from outside. It shows no patient.
import { h, show } from "./dom.js";
import { chosen, t } from "./text.js";
import { barChart } from "./chart.js";
import { bundleText, save } from "./bundle.js";

const DAYS = 14;
const kinds = ["broken", "staff", "other", "retry", "notice"];
const ranks = { bad: 0, warning: 1, good: 2 };

// "日本語 / English" of the programs, in the language chosen.
function half(words) {
    const at = words.indexOf(" / ");
    return at < 0 ? words : chosen() === "ja" ? words.slice(0, at) : words.slice(at + 3);
}

const daysLeft = (until) => Math.floor((until - Date.now() / 1000) / 86400);
const dayWords = (day) => `${Number(day.slice(4, 6))}/${Number(day.slice(6))}`;

// The last days in Japan, today last: YYYYMMDD.
function lastDays(n) {
    const format = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Tokyo", year: "numeric", month: "2-digit", day: "2-digit" });
    return Array.from({ length: n }, (_, i) => format.format(new Date(Date.now() - (n - 1 - i) * 86400000)).replaceAll("-", ""));
}

// visits(): today's, of which the file for a helper has what names nobody. cards(): how many patients were received with a card today, and of how many its certificate ends soon or has ended.
export function adminOf({ place, api, words, lanes, visits, cards, complain }) {
    let timer = null;
    let last = null;
    let saved = ""; // the name of the file that was made

    const table = (caption, heads, rows, empty) =>
        h(
            "table",
            {},
            h("caption", {}, t(caption)),
            h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))),
            h("tbody", {}, rows.length > 0 ? rows : h("tr", {}, h("td", { colspan: heads.length }, t(empty)))),
        );
    const level = (state) => h("span", { class: `pill ${state}` }, t(`level.${state}`));

    function laneRows({ devices }) {
        return lanes().map((lane) => {
            const fault = lane.reader ?? lane.camera;
            const plugged = devices.filter((d) => d.lane === lane.lane);
            return h(
                "tr",
                {},
                h("th", { scope: "row" }, `${lane.lane} ${lane.label}`),
                h("td", {}, level(lane.reader ? "bad" : lane.camera ? "warning" : "good")),
                h("td", {}, fault ? [h("b", {}, fault.code), ` ${words(fault)}`] : t(lane.visit ? `state.${lane.state}` : "board.idle")),
                h("td", {}, plugged.map((d) => h("div", {}, [d.name || `${d.vendor.toString(16).padStart(4, "0")}:${d.product.toString(16).padStart(4, "0")}`, d.port, d.holder && t("admin.holder", { name: d.holder })].filter(Boolean).join(" · ")))),
            );
        });
    }

    const partRows = ({ items }) =>
        [...items]
            .sort((a, b) => ranks[a.state] - ranks[b.state] || a.component.localeCompare(b.component))
            .map((item) =>
                h(
                    "tr",
                    {},
                    h("th", { scope: "row" }, item.component),
                    h("td", {}, level(item.state)),
                    h("td", {}, item.failure && h("b", {}, `${item.failure.code} `), item.detail),
                    h("td", {}, half(item.next)),
                ),
            );

    function endRows({ items }) {
        return items
            .filter((item) => item.until)
            .sort((a, b) => a.until - b.until)
            .map((item) => {
                const left = daysLeft(item.until);
                return h(
                    "tr",
                    {},
                    h("th", { scope: "row" }, item.component),
                    h("td", {}, level(item.state)),
                    h("td", {}, new Date(item.until * 1000).toLocaleDateString("ja-JP", { timeZone: "Asia/Tokyo", year: "numeric", month: "2-digit", day: "2-digit" })),
                    h("td", { class: "number" }, t(left < 0 ? "admin.ended" : "admin.left", { n: Math.abs(left) })),
                    h("td", {}, half(item.next)),
                );
            });
    }

    function troubles({ troubles: list }) {
        const days = lastDays(DAYS);
        const shown = days.map((day) => ({
            label: dayWords(day),
            values: kinds.map((kind) => list.filter((one) => one.day === day && one.failure.kind === kind).reduce((sum, one) => sum + one.count, 0)),
        }));
        const codes = new Map();
        for (const one of list.filter((o) => days.includes(o.day))) {
            const row = codes.get(one.failure.code) ?? { failure: one.failure, counts: new Array(DAYS).fill(0), sum: 0 };
            row.counts[days.indexOf(one.day)] += one.count;
            row.sum += one.count;
            codes.set(one.failure.code, row);
        }
        const rows = [...codes.values()].sort((a, b) => b.sum - a.sum);
        const sum = rows.reduce((n, row) => n + row.sum, 0);
        return [
            h("h2", {}, t("admin.troubles")),
            h("p", {}, t("admin.troubles.note", { days: DAYS, n: sum })),
            barChart(shown, kinds.map((name) => ({ name, words: t(`kind.${name}`) })), t("admin.troubles.chart", { days: DAYS, n: sum })),
            h(
                "div",
                { class: "wide-table", tabindex: "0", role: "group", "aria-label": t("admin.troubles.table") },
                h(
                    "table",
                    {},
                    h("caption", { class: "unseen" }, t("admin.troubles.table")),
                    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("col.failure")), days.map((d) => h("th", { scope: "col" }, dayWords(d))), h("th", { scope: "col" }, t("admin.sum")))),
                    h(
                        "tbody",
                        {},
                        rows.length === 0
                            ? h("tr", {}, h("td", { colspan: DAYS + 2 }, t("admin.troubles.none")))
                            : rows.map((row) => h("tr", {}, h("th", { scope: "row" }, h("b", {}, row.failure.code), ` ${words(row.failure)}`), row.counts.map((n) => h("td", { class: "number" }, n === 0 ? "·" : String(n))), h("td", { class: "number" }, h("b", {}, String(row.sum))))),
                    ),
                ),
            ),
        ];
    }

    function configuration({ items }) {
        const said = items.filter((item) => item.component.startsWith("configuration"));
        return [
            h("h2", {}, t("admin.config")),
            said.map((item) => h("p", {}, level(item.state), ` ${half(item.detail)}`, item.next && ` ${half(item.next)}`)),
            h("p", {}, t("admin.config.note"), " ", h("code", {}, "uketsuke config check")),
        ];
    }

    async function makeBundle() {
        try {
            const metrics = await fetch("/metrics", { headers: { "X-Uketsuke": "board" }, cache: "no-store" }).then((answer) => (answer.ok ? answer.text() : ""));
            saved = save(bundleText({ health: last.items, devices: last.devices, troubles: last.troubles, lanes: lanes(), visits: visits(), metrics }));
            render();
            place.querySelector('[data-action="bundle"]').focus();
        } catch (refused) {
            complain(refused);
        }
    }
    const bundle = () => [
        h("h2", {}, t("admin.bundle")),
        h("p", {}, t("admin.bundle.note")),
        h("p", {}, h("button", { type: "button", "data-action": "bundle", onclick: makeBundle }, t("admin.bundle.go")), " ", h("span", { role: "status" }, saved && t("admin.bundle.saved", { name: saved }))),
        h("p", {}, t("admin.bundle.logs"), " ", h("code", {}, "sudo uketsuke bundle")),
    ];

    function render() {
        if (last === null)
            return;
        const active = document.activeElement;
        const at = place.contains(active) && active !== place && (active.dataset.action ? `[data-action="${active.dataset.action}"]` : ".wide-table");
        const scroll = place.scrollTop;
        show(
            place,
            h("section", { "aria-label": t("admin.lanes") }, table("admin.lanes", ["col.lane", "admin.state", "admin.now", "admin.devices"], laneRows(last), "board.none")),
            h("section", { "aria-label": t("admin.troubles") }, troubles(last)),
            h("section", { "aria-label": t("admin.ends") }, table("admin.ends", ["admin.part", "admin.state", "admin.until", "admin.days", "board.next"], endRows(last), "admin.ends.none"), h("p", {}, t("admin.cards", cards()))),
            h("section", { "aria-label": t("admin.config") }, configuration(last), bundle()),
            h("section", { "aria-label": t("admin.parts") }, table("admin.parts", ["admin.part", "admin.state", "admin.detail", "board.next"], partRows(last), "board.none")),
        );
        place.scrollTop = scroll;
        if (at)
            place.querySelector(at)?.focus({ preventScroll: true });
    }

    async function refresh() {
        try {
            const since = Math.floor(Date.now() / 1000) - DAYS * 86400;
            const [health, devices, counted] = await Promise.all([api.get("/api/health"), api.get("/api/devices"), api.get(`/api/troubles?since=${since}`)]);
            last = { items: health.items ?? [], devices: devices.devices, troubles: counted.troubles };
            if (timer !== null)
                render();
        } catch (refused) {
            complain(refused);
        }
    }

    return {
        async open() {
            timer ??= setInterval(refresh, 20000);
            await refresh();
            place.focus({ preventScroll: true });
        },
        close() {
            clearInterval(timer);
            timer = null;
            last = null;
            saved = "";
            show(place);
        },
        render: () => timer !== null && render(),
    };
}
