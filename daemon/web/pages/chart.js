// Bars by day, stacked by kind: drawn here, in words beside it. The colours differ in lightness too, and each kind has
// its place in the stack, so that nobody needs to tell red from green.
import { h, svg } from "./dom.js";

const width = 640;
const height = 220;
const left = 34;
const foot = 24;

// A round number of steps that holds the most.
function scale(most) {
    for (let unit = 1; ; unit *= 10)
        for (const step of [1, 2, 5])
            if (step * unit * 4 >= most)
                return step * unit;
}

// days: [{ label, values: [n by kind] }]. kinds: [{ name, words }]. label: what the picture shows, in a sentence.
export function barChart(days, kinds, label) {
    const most = Math.max(1, ...days.map((d) => d.values.reduce((a, b) => a + b, 0)));
    const step = scale(most);
    const room = height - foot - 8;
    const y = (n) => 8 + room - (n / (step * 4)) * room;
    const slot = (width - left) / days.length;
    return h(
        "figure",
        { class: "chart" },
        svg(
            "svg",
            { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
            [0, 1, 2, 3, 4].map((i) => [
                svg("line", { x1: left, x2: width, y1: y(i * step), y2: y(i * step), class: "grid" }),
                svg("text", { x: left - 6, y: y(i * step) + 4, "text-anchor": "end" }, String(i * step)),
            ]),
            days.map((day, i) => {
                let below = 0;
                return [
                    day.values.map((n, k) => {
                        const from = below;
                        below += n;
                        return n > 0 && svg("rect", { x: left + i * slot + slot * 0.15, width: slot * 0.7, y: y(below), height: y(from) - y(below), class: `bar ${kinds[k].name}` }, svg("title", {}, `${day.label} ${kinds[k].words}: ${n}`));
                    }),
                    (days.length < 10 || i % 2 === days.length % 2 || i === days.length - 1) && svg("text", { x: left + (i + 0.5) * slot, y: height - 6, "text-anchor": "middle" }, day.label),
                ];
            }),
        ),
        h("figcaption", {}, kinds.map((k) => h("span", {}, h("i", { class: `bar ${k.name}`, "aria-hidden": "true" }), k.words))),
    );
}
