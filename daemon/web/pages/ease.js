// What makes the kiosk easier for one patient: language, voice, more time, the lower part of the screen, company, no
// camera. Chosen at any step; forgotten with the visit.
import { h } from "./dom.js";
import { both, choose, only, tagOf } from "./text.js";
import { choices } from "./choices.js";
import { icons } from "./drawing.js";
import { languages } from "./languages.js";

const plain = { voice: false, volume: 2, slow: false, low: false, company: false, blind: false };

// settings: of the lane, as the server tells them. changed(): the screen is drawn anew, whatever that changes of it.
export function easeOf(changed) {
    const self = {
        ...plain,
        settings: { voice: "off", keypad: "fixed" },
        // What makes another screen of the same state.
        name: () => `${self.company} ${self.blind}`,
        touchedAnything: () => Object.keys(plain).some((key) => self[key] !== self.usual(key)),
        usual: (key) => (key === "voice" ? self.settings.voice === "on" : plain[key]),
        reset() {
            for (const key of Object.keys(plain))
                self[key] = self.usual(key);
            choose("ja");
            self.show();
        },
        set(key, value) {
            self[key] = value;
            /* Who cannot aim at a camera cannot hurry either. */
            if (key === "blind" && value)
                self.slow = self.voice = true;
            self.show();
            changed(key);
        },
        show() {
            document.body.toggleAttribute("data-low", self.low);
        },
    };
    return self;
}

// The key is shown where keys are used, as on the buttons at the top.
export const keyOf = (key) => h("span", { class: "key", "aria-hidden": "true" }, key);

const closing = (key, done) => h("button", { type: "button", class: "plain", "data-back": true, onclick: done }, keyOf(key), both("ease.close"));

// done(): the choice is made or given up.
export function languageBox(changed, done) {
    return h(
        "div",
        { role: "dialog", "aria-modal": "true", "aria-labelledby": "over-title", class: "box" },
        h("h1", { id: "over-title" }, both("language.title")),
        choices(
            "list",
            languages.map(({ code }) =>
                h("button", { type: "button", lang: tagOf(code), onclick: () => {
                    choose(code);
                    changed("language");
                    done();
                } }, only(code, "language")),
            ),
        ),
        closing("*", done),
    );
}

// done(): closed. say(names, all): what a press has changed, for who cannot see it; then all that stands there.
export function easeBox(ease, done, say) {
    const box = h("div", { role: "dialog", "aria-modal": "true", "aria-labelledby": "over-title", class: "box" });
    const spoken = ease.settings.voice !== "off";

    function draw(focus) {
        const toggle = (key) =>
            h("button", { type: "button", "data-ease": key, "aria-pressed": String(ease[key]), onclick: () => {
                ease.set(key, !ease[key]);
                draw(key);
                say([`ease.${key}`, ease[key] ? "ease.on" : "ease.off"], key === "voice" || key === "blind");
            } }, h("span", { class: "tick", "aria-hidden": "true" }, ease[key] && icons.check()), both(`ease.${key}`));
        const louder = () =>
            h("button", { type: "button", "data-ease": "volume", onclick: () => {
                ease.set("volume", (ease.volume % 3) + 1);
                draw("volume");
                say([`ease.volume.${ease.volume}`], false);
            } }, both(`ease.volume.${ease.volume}`));
        box.replaceChildren(
            h("h1", { id: "over-title" }, both("ease")),
            choices("list", ["slow", "low", "company"].map(toggle), spoken && [toggle("blind"), toggle("voice"), ease.voice && louder()]),
            h("p", { class: "unseen" }, both("ease.leave")),
            closing(".", done),
        );
        if (focus)
            box.querySelector(`[data-ease="${focus}"]`).focus();
    }
    draw(null);
    return box;
}
