// For administrators: who may sign in, and who is signed in now.
import { h, show } from "./dom.js";
import { t } from "./text.js";
import { title } from "./form.js";

const roles = ["reception", "clinician", "administrator"];

export async function accountsDialog(dialog, open, { api, words }) {
    const fault = h("p", { class: "fault", role: "alert" });
    fault.hidden = true;
    const code = h("p", { class: "code", role: "status" });
    code.hidden = true;
    const list = h("div", {});

    async function change(body) {
        fault.hidden = code.hidden = true;
        try {
            const done = await api.post("/api/accounts", body);
            if (done.setup) {
                show(code, t("accounts.code", { name: body.name }), h("b", {}, done.setup.match(/.{4}/g).join("-")));
                code.hidden = false;
            }
            await refresh();
        } catch (refused) {
            show(fault, `${refused.error?.code ?? ""} ${words(refused.error) || refused.message}`);
            fault.hidden = false;
        }
    }
    // What cannot be taken back is asked once more, on the same button.
    const act = (what, name) => {
        let sure = what !== "remove" && what !== "reset";
        const button = h("button", { type: "button", onclick: () => {
            if (sure) {
                change({ what, name });
                return;
            }
            sure = true;
            button.textContent = t("accounts.sure", { what: t(`accounts.${what}`) });
        } }, t(`accounts.${what}`));
        return button;
    };
    const roleChoice = (account) => {
        const choice = h("select", { "aria-label": t("accounts.role"), onchange: () => change({ what: "role", name: account.name, role: choice.value }) },
            roles.map((r) => h("option", { value: r, selected: r === account.role }, t(`role.${r}`))));
        return choice;
    };
    const row = (account) =>
        h(
            "tr",
            {},
            h("th", { scope: "row" }, account.name),
            h("td", {}, roleChoice(account)),
            h("td", {}, t(`accounts.state.${account.state}`), account.locked_s > 0 && ` ${t("accounts.locked", { s: account.locked_s })}`),
            h("td", {}, account.state === "active" && act("disable", account.name), account.state === "disabled" && act("enable", account.name),
                act("reset", account.name), act("remove", account.name)),
        );
    const sessionRow = (session) =>
        h(
            "tr",
            {},
            h("th", { scope: "row" }, session.name),
            h("td", {}, t(`role.${session.role}`)),
            h("td", {}, t("accounts.since", { m: Math.floor(session.age_s / 60) })),
            h("td", {}, h("button", { type: "button", onclick: async () => {
                await api.remove(`/api/sessions/${session.id}`).catch(() => {});
                await refresh();
            } }, t("accounts.end"))),
        );

    async function refresh() {
        const [{ accounts }, { sessions }] = await Promise.all([api.get("/api/accounts"), api.get("/api/sessions")]);
        show(
            list,
            h("table", {}, h("caption", {}, t("accounts.title")), h("tbody", {}, accounts.map(row))),
            h("table", {}, h("caption", {}, t("accounts.sessions")), h("tbody", {}, sessions.map(sessionRow))),
        );
    }

    const name = h("input", { type: "text", maxlength: 64, required: true, autocomplete: "off" });
    const role = h("select", {}, roles.map((r) => h("option", { value: r }, t(`role.${r}`))));
    open(
        "accounts",
        title(t("accounts.title")),
        fault,
        code,
        list,
        h(
            "form",
            { onsubmit: (event) => {
                event.preventDefault();
                change({ what: "add", name: name.value.trim(), role: role.value });
                name.value = "";
            } },
            h("label", {}, t("accounts.name"), name),
            h("label", {}, t("accounts.role"), role),
            h("div", { class: "row" }, h("button", { type: "button", onclick: () => dialog.close() }, t("board.close")), h("button", { class: "main" }, t("accounts.add"))),
        ),
    );
    await refresh();
}
