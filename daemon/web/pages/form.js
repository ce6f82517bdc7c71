// Forms in the one dialog of the board: every field has its words, its hint and its fault beside it; Tab stays inside,
// Escape goes back to where one came from, also when that place was drawn anew meanwhile.
import { h, show } from "./dom.js";
import { t } from "./text.js";

// Where the focus is, found again by what it means and not by the element, which a new state may have replaced.
export function bookmark(element = document.activeElement) {
    const lane = element?.closest?.("[data-lane]")?.dataset.lane;
    const action = element?.dataset?.action;
    const visit = element?.closest?.("tr[data-visit]")?.dataset.visit;
    const detail = element?.closest?.("#detail") !== null;
    const places = [
        lane && action && `[data-lane="${lane}"] [data-action="${action}"]`,
        lane && `[data-lane="${lane}"] button`,
        detail && action && `#detail [data-action="${action}"]`,
        visit && `tr[data-visit="${visit}"]`,
        element?.id && `#${element.id}`,
        '#visits [tabindex="0"]',
        "#search",
    ];
    return () => {
        const place = element?.isConnected && element !== document.body ? element : places.map((p) => p && document.querySelector(p)).find((e) => e && !e.closest("[hidden]"));
        place?.focus();
    };
}

const reachable = (dialog) => [...dialog.querySelectorAll("button, input, select, textarea, a[href], [tabindex]")].filter((e) => !e.disabled && e.tabIndex >= 0 && e.getClientRects().length > 0);

// Once, for the dialog element of the page: Tab goes round inside it.
export function trap(dialog) {
    let back = null;
    dialog.addEventListener("keydown", (event) => {
        if (event.key !== "Tab")
            return;
        const all = reachable(dialog);
        const at = all.indexOf(document.activeElement);
        const next = event.shiftKey ? at - 1 : at + 1;
        if (all.length > 0 && (at < 0 || next < 0 || next >= all.length)) {
            event.preventDefault();
            all[event.shiftKey ? all.length - 1 : 0].focus();
        }
    });
    dialog.addEventListener("close", () => {
        if (dialog.open)
            return; /* something else stands there already */
        show(dialog); /* what was typed is nobody's to find */
        delete dialog.dataset.what;
        back?.();
        back = null;
    });
    return (what, ...content) => {
        back ??= bookmark();
        dialog.dataset.what = what;
        show(dialog, ...content);
        dialog.setAttribute("aria-labelledby", "dialog-title");
        if (!dialog.open)
            dialog.showModal();
        (dialog.querySelector("[autofocus]") ?? reachable(dialog)[0])?.focus();
    };
}

export const title = (words) => h("h2", { id: "dialog-title" }, words);

// { name, label: key, hint: key, type, max, mode, value, options: [[value, words]], required }
function control(field) {
    const id = `f-${field.name}`;
    const common = {
        id,
        name: field.name,
        autocomplete: "off",
        spellcheck: "false",
        "aria-describedby": [field.hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(" "),
        "aria-required": field.required ? "true" : null,
    };
    if (field.type === "select")
        return h("select", common, field.options.map(([value, words]) => h("option", { value, selected: value === field.value }, words)));
    if (field.type === "check")
        return h("input", { ...common, type: "checkbox", checked: field.value === true });
    const input = h("input", { ...common, type: field.type ?? "text", maxlength: field.max, inputmode: field.mode });
    if (field.value)
        input.value = field.value;
    return input;
}

function labelled(field, input, wrong) {
    const words = [t(field.label), field.required && h("span", { class: "needed" }, t("form.needed"))];
    return h(
        "div",
        { class: `field${field.wide ? " wide" : ""}`, "data-field": field.name },
        h("label", { for: input.id, class: field.type === "check" ? "line" : null }, field.type === "check" ? [input, ...words] : words),
        field.type !== "check" && input,
        field.hint && h("small", { id: `${input.id}-hint` }, t(field.hint)),
        wrong,
    );
}

// A choice of several: a group of boxes. { name, label, options: [[value, words]], value: [..] }
function group(field, wrong) {
    const id = `f-${field.name}`;
    const boxes = field.options.map(([value]) => h("input", { type: field.type === "radio" ? "radio" : "checkbox", name: field.name, value, checked: field.value?.includes(value), "aria-describedby": `${id}-wrong` }));
    const element = h(
        "fieldset",
        { class: "field wide", "data-field": field.name },
        h("legend", {}, t(field.label), field.required && h("span", { class: "needed" }, t("form.needed"))),
        field.options.map(([, words], i) => h("label", { class: "line" }, boxes[i], words)),
        wrong,
    );
    const chosen = () => boxes.filter((b) => b.checked).map((b) => b.value);
    return { element, focus: boxes[0], inputs: boxes, value: field.type === "radio" ? () => chosen()[0] ?? "" : chosen };
}

function build(field) {
    const wrong = h("small", { id: `f-${field.name}-wrong`, class: "wrong" });
    const made = ["radio", "boxes"].includes(field.type)
        ? group(field, wrong)
        : (() => {
              const input = control(field);
              const value = field.type === "check" ? () => input.checked : () => input.value.normalize("NFC").trim();
              return { element: labelled(field, input, wrong), focus: input, inputs: [input], value };
          })();
    const say = (words) => {
        show(wrong, words);
        made.inputs.forEach((i) => (words ? i.setAttribute("aria-invalid", "true") : i.removeAttribute("aria-invalid")));
    };
    return { ...field, ...made, say };
}

// Codes that name a field and no more; the words of all others say what is wrong with it.
const vague = ["W422", "E019", "E023"];

/*
 * open: what trap() gave. heading, note: words. fields: as above. go: the words of the button. send(values): a promise;
 * what it throws as Refused is said, beside its field where the server names one. words(error): its words.
 * extra: elements between fields and buttons. onChange(values, form): after every entry.
 */
export function formDialog(open, { what, heading, note, fields, go, danger, send, done, words, extra, onChange, buttons = [] }) {
    const made = fields.map(build);
    const fault = h("p", { class: "fault", role: "alert" });
    const button = h("button", { class: danger ? "danger" : "main" }, go);
    const values = () => Object.fromEntries(made.map((f) => [f.name, f.value()]));
    const close = () => form.closest("dialog").close();
    const form = h(
        "form",
        {
            novalidate: true,
            onsubmit: async (event) => {
                event.preventDefault();
                fault.hidden = true;
                made.forEach((f) => f.say(""));
                button.disabled = true;
                try {
                    const result = await send(values());
                    close();
                    done?.(result);
                } catch (refused) {
                    if (!refused.error)
                        throw refused;
                    const place = made.find((f) => f.name === (refused.error.field ?? ""));
                    const said = `${refused.error.code ?? ""} ${words(refused.error) || refused.message}`.trim();
                    place?.say(vague.includes(refused.error.code) ? [refused.error.code, t("form.here"), place.hint && t("form.see")].filter(Boolean).join(" ") : said);
                    show(fault, place ? t("form.wrong", { field: t(place.label) }) : said);
                    fault.hidden = false;
                    (place?.focus ?? button).focus();
                } finally {
                    button.disabled = false;
                }
            },
        },
        title(heading),
        note && h("p", {}, note),
        h("div", { class: "fields" }, made.map((f) => f.element)),
        extra,
        fault,
        h("div", { class: "row" }, buttons, h("button", { type: "button", onclick: close }, t("board.close")), button),
    );
    fault.hidden = true;
    if (onChange) {
        const tell = () => onChange(values(), made);
        form.addEventListener("input", tell);
        tell();
    }
    open(what, form);
    return form;
}

// A question before what cannot be taken back.
export function askDialog(open, { what, heading, note, go, send, words }) {
    return formDialog(open, { what, heading, note, fields: [], go, danger: true, send, words });
}
