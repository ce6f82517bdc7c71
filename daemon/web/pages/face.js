// The live picture: the face in an oval, mirrored, or the printed side of the card in a frame. One instruction at a
// time: each stands for a while, however often the matcher changes its mind.
import { h, svg, show } from "./dom.js";
import { both, pair, t } from "./text.js";
import { preview } from "./preview.js";

const STANDS_MS = 1200; // an instruction, at least
const OFFER_MS = 6000;  // then other ways are offered, without being asked

function live(mirrored) {
    const canvas = h("canvas", { width: 640, height: 480, "aria-hidden": "true" });
    /* Oval and card keep their shape in any frame; what is dimmed reaches beyond it on all sides. */
    const mask = (width, height, hole, line) =>
        svg(
            "svg",
            { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
            svg("path", { class: "dim", "fill-rule": "evenodd", d: `M-200 -200H300V300H-200Z ${hole}` }),
            line,
        );
    const over = mirrored
        ? mask(75, 100, "M37.5 12 a28 37 0 1 0 0.01 0Z", svg("ellipse", { class: "oval", cx: 37.5, cy: 49, rx: 28, ry: 37 }))
        : mask(100, 75, "M12 13.5H88V61.5H12Z", svg("rect", { class: "oval", x: 12, y: 13.5, width: 76, height: 48, rx: 4 }));
    return { canvas, element: h("div", { class: mirrored ? "live mirror" : "live" }, h("div", { class: "frame" }, canvas, over)) };
}

// What to say to the last frame: {name, words, good}.
function instruction(now, started, mirrored, titleKey, company) {
    if (!started)
        return { name: "wait", words: both("face.wait"), good: false };
    if (now.hint?.code === "F002" && company)
        return { name: "company", words: both("face.company"), good: false };
    if (now.hint)
        return { name: now.hint.code, words: pair(now.hint), good: false };
    if (now.box && mirrored)
        return { name: "good", words: both("face.good"), good: true };
    return { name: "title", words: both(titleKey), good: false };
}

// wayButtons(lane, kit, names): see screens.js. others: the ways offered; a face waits before it offers them.
export function camera(mirrored, titleKey, others, wayButtons, choices) {
    return (lane, kit) => {
        const picture = live(mirrored);
        const hint = h("p", { class: "hint", role: "status", "aria-live": "polite" });
        const row = h("div", { class: "others" });
        let stands = null; // the name of the instruction that stands
        let since = -Infinity;
        let pending = null;
        let timer = null;
        let offered = null;
        let offering = !mirrored;
        let started = false;

        function stand() {
            const { name, words, good } = pending;
            timer = null;
            if (name === stands)
                return;
            stands = name;
            since = performance.now();
            show(hint, words);
            picture.element.classList.toggle("good", good);
            kit.prompt(hint);
        }
        function update(now) {
            const ways = offering ? now.offers.join() : "";
            pending = instruction(now, started, mirrored, titleKey, kit.ease.company);
            if (timer === null) {
                const left = since + STANDS_MS - performance.now();
                if (left <= 0 || stands === null)
                    stand();
                else
                    timer = setTimeout(stand, left);
            }
            if (ways !== offered) {
                offered = ways;
                show(row, offering && [mirrored ? h("p", { class: "note", role: "status" }, both("face.other")) : h("p", { class: "note" }, both("show_card.note")), choices("small", wayButtons(now, kit, others))]);
                if (offering && mirrored)
                    kit.prompt(row);
            }
        }
        show(kit.place, h("div", { class: "facing" }, h("h1", { class: "unseen" }, t(mirrored ? "face.heading" : "method.show")), hint, picture.element, row));
        update(lane);
        const stop = preview(lane.lane, picture.canvas, () => {
            if (!started) {
                started = true;
                update(kit.lane());
            }
        });
        const offer = setTimeout(() => {
            offering = true;
            update(kit.lane());
        }, OFFER_MS);
        return {
            update,
            leave: () => {
                clearTimeout(timer);
                clearTimeout(offer);
                stop();
            },
        };
    };
}
