// Our own line drawings: the card with the place of each number, and the signs of the screens.
import { svg } from "./dom.js";

// mark: "birth", "expiry", "code" or null.
export function card(mark) {
    const places = {
        birth: { x: 108, y: 84, width: 132, height: 24 },
        expiry: { x: 108, y: 118, width: 132, height: 24 },
        code: { x: 22, y: 166, width: 70, height: 22 },
    };
    const box = places[mark];
    const spot = (name, words) => [
        svg("rect", { ...places[name], rx: 4, class: mark === name ? "card-hot" : "card-photo", "fill-opacity": mark === name ? 1 : 0.35 }),
        svg("text", { x: places[name].x + 6, y: places[name].y + 16, class: "card-text" }, words),
    ];
    return svg(
        "svg",
        { viewBox: "0 0 320 205", class: "picture", "aria-hidden": "true" },
        svg("rect", { x: 3, y: 3, width: 314, height: 199, rx: 14, class: "card-edge" }),
        svg("line", { x1: 22, y1: 26, x2: 190, y2: 26, class: "card-line" }),
        svg("line", { x1: 22, y1: 44, x2: 240, y2: 44, class: "card-line" }),
        svg("line", { x1: 22, y1: 58, x2: 160, y2: 58, class: "card-line" }),
        svg("rect", { x: 22, y: 76, width: 70, height: 86, class: "card-photo" }),
        svg("circle", { cx: 57, cy: 108, r: 17, class: "card-person" }),
        svg("path", { d: "M30 162 q27 -48 54 0 z", class: "card-person" }),
        spot("birth", "平成 3年 5月 7日生"),
        spot("expiry", "2031年 5月 7日まで"),
        spot("code", "1 2 3 4"),
        svg("rect", { x: 262, y: 120, width: 36, height: 30, rx: 5, class: "card-photo" }),
        box && svg("rect", { x: box.x - 5, y: box.y - 5, width: box.width + 10, height: box.height + 10, rx: 8, class: "card-mark" }),
    );
}

// The card goes down onto the reader, or up from it.
export function reader(up = false) {
    return svg(
        "svg",
        { viewBox: "0 0 320 205", class: "picture", "aria-hidden": "true" },
        svg("rect", { x: 40, y: 120, width: 240, height: 70, rx: 16, fill: "#d5deea", stroke: "#10131a", "stroke-width": 2 }),
        svg("rect", { x: 70, y: 20, width: 180, height: 108, rx: 10, class: "card-edge" }),
        svg("rect", { x: 84, y: 56, width: 40, height: 52, class: "card-photo" }),
        svg("circle", { cx: 104, cy: 76, r: 10, class: "card-person" }),
        svg("path", { d: "M89 108 q15 -28 30 0 z", class: "card-person" }),
        svg("line", { x1: 84, y1: 38, x2: 190, y2: 38, class: "card-line" }),
        svg("line", { x1: 136, y1: 66, x2: 226, y2: 66, class: "card-line" }),
        svg("line", { x1: 136, y1: 84, x2: 206, y2: 84, class: "card-line" }),
        svg("path", { d: up ? "M160 168 v-30 m-14 13 l14 -14 l14 14" : "M160 136 v30 m-14 -13 l14 14 l14 -14", fill: "none", stroke: "#0a3a80", "stroke-width": 7, "stroke-linecap": "round", "stroke-linejoin": "round" }),
    );
}

const line = { fill: "none", stroke: "currentColor", "stroke-width": 4, "stroke-linecap": "round", "stroke-linejoin": "round" };
const icon = (...children) => svg("svg", { viewBox: "0 0 48 48", "aria-hidden": "true" }, ...children);

export const icons = {
    face: () =>
        icon(
            svg("path", { ...line, d: "M4 14 V4 H14 M34 4 H44 V14 M44 34 V44 H34 M14 44 H4 V34" }),
            svg("circle", { cx: 24, cy: 20, r: 8, ...line }),
            svg("path", { ...line, d: "M10 40 q14 -18 28 0" }),
        ),
    pin: () =>
        icon(
            svg("rect", { x: 5, y: 5, width: 38, height: 38, rx: 6, ...line }),
            ...[15, 24, 33].flatMap((x) => [15, 24, 33].map((y) => svg("circle", { cx: x, cy: y, r: 2.4, fill: "currentColor" }))),
        ),
    staff: () =>
        icon(
            svg("circle", { cx: 24, cy: 14, r: 8, ...line }),
            svg("path", { ...line, d: "M6 44 q2 -18 18 -18 q16 0 18 18 z" }),
            svg("path", { ...line, d: "M24 30 v8 m-4 -4 h8" }),
        ),
    ease: () => icon(svg("circle", { cx: 24, cy: 9, r: 4, fill: "currentColor" }), svg("path", { ...line, d: "M9 17 q15 5 30 0 M24 20 v11 M24 31 l-7 13 M24 31 l7 13" })),
    language: () => icon(svg("circle", { cx: 24, cy: 24, r: 19, ...line }), svg("path", { ...line, d: "M5 24 h38 M24 5 q-18 19 0 38 M24 5 q18 19 0 38" })),
    up: () => icon(svg("path", { ...line, "stroke-width": 6, d: "M24 42 V8 m-15 14 l15 -15 l15 15" })),
    alert: () => icon(svg("path", { ...line, "stroke-width": 6, d: "M24 8 v20" }), svg("circle", { cx: 24, cy: 39, r: 3.5, fill: "currentColor" })),
    check: () => icon(svg("path", { ...line, "stroke-width": 6, d: "M8 25 l11 11 l21 -24" })),
    bell: () => icon(svg("path", { ...line, d: "M8 36 h32 M24 8 q-12 0 -12 14 v14 M24 8 q12 0 12 14 v14 M20 42 h8" })),
};
