import { h } from "./dom.js";

// Buttons with the number of the key that chooses each.
export function choices(kind, ...buttons) {
    const row = buttons.flat(Infinity).filter(Boolean);
    row.forEach((one, i) => one.prepend(h("span", { class: "key", "aria-hidden": "true" }, String(i + 1))));
    return h("div", { class: `choices ${kind}${row.length > 3 && kind === "" ? "many" : ""}` }, row);
}
