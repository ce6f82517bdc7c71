// The board's door: how staff sign in. One token for all, or accounts: name, password and one-time code, and the
// first setup with a code from the administrator. Nothing that is typed here stays in the page.
import { h, show } from "./dom.js";
import { t, text } from "./text.js";
import { qrPicture } from "./qr.js";

const field = (key, attributes) => {
    const input = h("input", { autocomplete: "off", spellcheck: "false", ...attributes });
    return { input, label: h("label", {}, t(key), input) };
};

// A form whose fields forget what they held, whatever becomes of it.
function form(place, { title, second, wrong, hint, fields, go, send, more }) {
    const fault = h("p", { class: "fault", role: "alert" }, wrong ?? "");
    fault.hidden = !wrong;
    const button = h("button", { class: "main" }, go);
    const said = (message) => {
        show(fault, message);
        fault.hidden = message === "";
    };
    show(
        place,
        h(
            "form",
            {
                onsubmit: async (event) => {
                    event.preventDefault();
                    const values = fields.map((f) => f.input.value);
                    button.disabled = true; // a password takes a moment to be checked
                    said("");
                    try {
                        await send(...values);
                    } catch (refused) {
                        const wrongField = fields.find((f) => f.name === refused.error?.field);
                        for (const f of fields.filter((f) => f.input.type === "password" || f.once))
                            f.input.value = "";
                        said(more.words(refused));
                        (wrongField ?? fields.find((f) => f.input.value === "") ?? fields[0]).input.focus();
                    }
                    button.disabled = false;
                },
            },
            h("h2", {}, title, second && h("span", { class: "second" }, second)),
            fault,
            hint,
            fields.map((f) => f.label),
            h("div", { class: "row" }, more.button, button),
        ),
    );
    fields[0].input.focus();
}

// What a refusal says, with how long to wait where that is known.
function wordsOf(context) {
    return (refused) => {
        const key = refused.error?.field === "password" ? "door.password.weak" : refused.error?.field === "code" ? "door.code.wrong" : null;
        return key ? t(key) : `${refused.error?.code ?? ""} ${context.words(refused.error) || refused.message}`;
    };
}

function tokenDoor(place, context, wrong) {
    const token = field("board.sign_in.token", { type: "password" });
    const who = field("board.sign_in.name", { type: "text", maxlength: 20, required: true, pattern: ".*\\S.*" });
    form(place, {
        title: t("board.sign_in"),
        second: text(context.other(), "board.sign_in"),
        wrong: wrong ? t("board.sign_in.wrong") : null,
        fields: [token, who],
        go: t("board.sign_in.go"),
        send: async (value, name) => {
            await context.api.post("/api/session", { token: value.trim(), name: name.trim() });
            context.enter();
        },
        more: { words: (refused) => (refused.status === 429 ? wordsOf(context)(refused) : t("board.sign_in.wrong")) },
    });
}

function accountDoor(place, context, ended) {
    const name = { ...field("door.name", { type: "text", maxlength: 64, required: true, autocomplete: "username" }), name: "name" };
    const password = field("door.password", { type: "password", maxlength: 200, required: true, autocomplete: "current-password" });
    const code = { ...field("door.code", { type: "text", inputmode: "numeric", maxlength: 6, required: true, pattern: "[0-9]{6}", autocomplete: "one-time-code" }), once: true };
    form(place, {
        title: t("board.sign_in"),
        second: text(context.other(), "board.sign_in"),
        wrong: ended ? t("door.ended") : null,
        fields: [name, password, code],
        go: t("board.sign_in.go"),
        send: async (who, secret, digits) => {
            await context.api.post("/api/sign-in", { name: who.trim(), password: secret, code: digits });
            context.enter();
        },
        more: {
            words: wordsOf(context),
            button: h("button", { type: "button", onclick: () => setupDoor(place, context) }, t("door.setup")),
        },
    });
}

// First the code of the administrator; then the app, the password and a code from the app.
function setupDoor(place, context) {
    const name = { ...field("door.name", { type: "text", maxlength: 64, required: true }), name: "name" };
    const setup = { ...field("door.setup.code", { type: "text", maxlength: 30, required: true, class: "code" }), once: true };
    const back = h("button", { type: "button", onclick: () => accountDoor(place, context, false) }, t("door.back"));
    form(place, {
        title: t("door.setup"),
        second: text(context.other(), "door.setup"),
        hint: h("p", {}, t("door.setup.hint")),
        fields: [name, setup],
        go: t("door.setup.next"),
        send: async (who, code) => {
            const offer = await context.api.post("/api/setup", { name: who.trim(), setup: code });
            passwordDoor(place, context, { name: who.trim(), setup: code, ...offer });
        },
        more: { words: wordsOf(context), button: back },
    });
}

function passwordDoor(place, context, offer) {
    const groups = offer.secret.match(/.{1,4}/g).join(" ");
    const password = { ...field("door.password.new", { type: "password", minlength: offer.password_min, maxlength: 200, required: true, autocomplete: "new-password" }), name: "password" };
    const again = field("door.password.again", { type: "password", maxlength: 200, required: true, autocomplete: "new-password" });
    const code = { ...field("door.code", { type: "text", inputmode: "numeric", maxlength: 6, required: true, pattern: "[0-9]{6}" }), name: "code", once: true };
    form(place, {
        title: t("door.setup"),
        second: text(context.other(), "door.setup"),
        hint: h(
            "div",
            {},
            h("p", {}, t("door.app")),
            qrPicture(offer.uri, t("door.qr")),
            h("p", { class: "code" }, groups),
            h("p", {}, h("a", { href: offer.uri }, t("door.app.link"))),
            h("p", {}, t("door.password.hint", { n: offer.password_min })),
        ),
        fields: [password, again, code],
        go: t("door.setup.done"),
        send: async (first, second, digits) => {
            if (first !== second)
                throw Object.assign(new Error(t("door.password.differs")), { error: null });
            await context.api.post("/api/setup", { name: offer.name, setup: offer.setup, secret: offer.secret, password: first, code: digits });
            accountDoor(place, context, false);
        },
        more: { words: (refused) => (refused.error ? wordsOf(context)(refused) : refused.message) },
    });
}

// context: {api, words, other, enter}. why: "wrong" (token) or "ended" (the session is over), or nothing.
export function openDoor(place, context, accounts, why) {
    if (accounts)
        accountDoor(place, context, why === "ended");
    else
        tokenDoor(place, context, why === "wrong");
}
