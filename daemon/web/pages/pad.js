// Digits by touch, keyboard or numeric keypad. The digits live in a byte array that is overwritten when they have
// been used or the screen is left; a hidden entry never stands in the document.
import { h } from "./dom.js";
import { both } from "./text.js";

let active = null;

document.addEventListener("keydown", (event) => {
    if (active === null || active.element.closest("[inert]") || event.ctrlKey || event.altKey || event.metaKey)
        return;
    if (/^[0-9]$/.test(event.key))
        active.put(event.key.charCodeAt(0));
    else if (["Backspace", "Delete", "-"].includes(event.key))
        active.drop();
    else if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement))
        active.ready();
    else
        return;
    event.preventDefault();
});

// 0 to 9 in an order that nobody can guess from where a finger goes.
function shuffle() {
    const order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    for (let i = order.length - 1; i > 0; i--) {
        const [draw] = crypto.getRandomValues(new Uint32Array(1));
        const j = draw % (i + 1); // 2^32 is large against ten: no digit is preferred by more than a billionth
        [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
}

// length: how many digits; label: what they are, for a screen reader. onchange(bytes, used) after each; onready(bytes):
// all are there and OK was pressed. shuffled: the digits stand in another order each time.
export function pad(length, label, onchange, onready, shuffled = false) {
    const order = shuffled ? shuffle() : [1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    const digits = new Uint8Array(length);
    let used = 0;
    const ok = h("button", { type: "button", class: "word main", disabled: true, onclick: () => self.ready() }, both("ok"));
    const key = (n) =>
        h("button", { type: "button", onclick: () => self.put(48 + n) }, String(n));
    const self = {
        put(code) {
            if (used === length)
                return;
            digits[used++] = code;
            changed();
        },
        drop() {
            if (used === 0)
                return;
            digits[--used] = 0;
            changed();
        },
        ready() {
            if (used === length)
                onready(digits);
        },
        clear() {
            digits.fill(0);
            used = 0;
            changed();
        },
        // Hand the digits over and forget them.
        take() {
            const copy = digits.slice();
            self.clear();
            return copy;
        },
        leave() {
            digits.fill(0);
            if (active === self)
                active = null;
        },
        element: null,
    };
    function changed() {
        ok.disabled = used !== length;
        onchange(digits, used);
    }
    self.element = h(
        "div",
        { class: "pad", role: "group", "aria-label": label },
        order.slice(0, 9).map(key),
        h("button", { type: "button", class: "word", onclick: () => self.drop() }, both("delete")),
        key(order[9]),
        ok,
    );
    active = self;
    changed();
    return self;
}
