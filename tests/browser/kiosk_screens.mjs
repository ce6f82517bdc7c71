// The screens of the kiosk: every state as the desk tells it, and every failure where a patient meets it.
import { key, quietLane } from "./told.mjs";

// The states as the desk tells them. `words`: what must stand on the screen.
export function kioskScreens(all) {
    const of = (code) => all.find((f) => f.code === code).patient;
    const ways = ["choose_face", "choose_pin", "choose_staff", "cancel", "still_here"];
    return [
        ["idle", {}, "マイナンバーカードを置いてください"],
        ["idle-closed", { reader: of("R001") }, "受付の係にお声がけください"],
        ["card", { state: "card", card: true, offers: ["cancel", "choose_staff"] }, "カードを動かさないでください"],
        ["method", { state: "method", offers: ways }, "ご本人の確認のしかたを選んでください"],
        ["method-blind-camera", { state: "method", failure: of("K001"), offers: ["choose_pin", "choose_staff", "cancel", "still_here"] }, "カメラを使えません"],
        ["show-card", { state: "show_card", offers: ["key_in", ...ways.slice(1)] }, "数字を入れる"],
        ["number-b", { state: "number_b", offers: ["send_number_b", "no", ...ways.slice(1)] }, "年号を選んでください"],
        ["number-b-how", { state: "number_b", visit: "77", offers: ["show_card", "send_number_b", "no", ...ways.slice(1)] }, "カードの表をカメラに見せる"],
        ["number-b-few", { state: "number_b_confirm", number_b_tries: 4, failure: of("N002"), offers: ["yes", "no", ...ways.slice(1)] }, "あと4回間違えると"],
        ["number-b-wrong", { state: "number_b", number_b_tries: 9, failure: of("N001"), offers: ["send_number_b", "no", ...ways.slice(1)] }, "入れ直す"],
        ["photo", { state: "photo", card: true, offers: ["cancel", "choose_staff"] }, "もう少しです"],
        ["face-hint", { state: "face", card: true, hint: of("F003"), offers: ways.slice(1, 4) }, "もう少し近づいてください"],
        ["face-good", { state: "face", card: true, box: { x: 3000, y: 2000, w: 3000, h: 5000 }, offers: ways.slice(1, 4) }, "そのまま動かないでください"],
        ["pin", { state: "pin", pin_tries: 3, offers: ["send_pin", "no", "choose_face", "choose_staff", "cancel", "still_here"] }, "あと3回まで"],
        ["pin-last", { state: "pin", pin_tries: 1, offers: ["send_pin", "no", "choose_staff", "cancel", "still_here"] }, "あと1回だけ"],
        ["pin-pad", { state: "pin", pin_pad: true, pin_tries: 3, offers: ["send_pin", "no", "choose_face", "choose_staff", "cancel"] }, "読み取り機のボタン"],
        ["pin-confirm", { state: "pin_confirm", pin_tries: 1, failure: of("P002"), offers: ["yes", "no", "choose_staff", "cancel"] }, "市区町村の窓口"],
        ["pin-check", { state: "pin_check", offers: ["cancel", "choose_staff"] }, "確認しています"],
        ["visual", { state: "visual", offers: ["no", "cancel"] }, "係の者がお顔を確認します"],
        ["register", { state: "register", offers: ["yes", "no", "cancel", "choose_staff", "still_here"] }, "保険証として使いますか"],
        ["consent", { state: "consent", method: "face", consents: ["limit", "drugs", "checkup"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "ご本人の確認ができました"],
        ["consent-drugs", { state: "consent", visit: "72", method: "pin", consents: ["drugs"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "お薬の情報"],
        ["consent-checkup", { state: "consent", visit: "73", method: "pin", consents: ["checkup"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "健診の結果"],
        ["consent-diagnosis", { state: "consent", visit: "74", method: "pin", consents: ["diagnosis"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "診療の情報"],
        ["consent-operation", { state: "consent", visit: "75", method: "pin", consents: ["operation"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "手術の情報"],
        ["consent-disease", { state: "consent", visit: "76", method: "pin", consents: ["disease"], offers: ["consent", "cancel", "choose_staff", "still_here"] }, "特定疾病の情報"],
        ["eligibility", { state: "eligibility", offers: ["choose_staff"] }, "資格を確認しています"],
        ["link", { state: "link", failure: of("E016"), offers: ["cancel"] }, "はじめての方ですね"],
        ["staff", { state: "staff", failure: of("E001"), offers: ["cancel"] }, "係の者がまいります"],
        ["card-lost", { state: "card_lost", failure: of("C002"), offers: ["cancel", "choose_staff", "still_here"] }, "マイナンバーカードではないようです"],
        ["done", { state: "done", outcome: "eligible", card: true }, "カードをお取りください"],
        ["done-no-card", { state: "done", outcome: "eligible" }, "受付が終わりました"],
        ["done-look", { state: "done", outcome: "eligible", card: true, failure: of("V005") }, "係の者が確認します"],
        ["done-staff", { state: "done", outcome: "not_eligible", card: true, failure: of("E007") }, "係の者がご案内します"],
        ["done-abandoned", { state: "done", outcome: "abandoned", card: true, failure: of("V001") }, "受付は終わっていません"],
        ["take-card", { state: "take_card", outcome: "eligible", card: true }, "カードをお取りください"],
        ["take-card-left", { state: "take_card", outcome: "eligible", card: true, failure: of("C014") }, "カードをお取りください"],
    ];
}

export const visitNow = (state) => ({ ...quietLane, visit: "71", method: "none", key: key(), ...state });

// A failure on the screen where a patient meets it.
export function screenOf(failure) {
    const { kind } = failure;
    const letter = failure.code[0];
    const ways = ["choose_face", "choose_pin", "choose_staff", "cancel"];
    if (kind === "retry")
        return {
            P: { state: "pin", pin_tries: 2, failure, offers: ["send_pin", "no", "cancel", "choose_staff"] },
            N: { state: "number_b", number_b_tries: 9, failure, offers: ["send_number_b", "no", "choose_pin", "choose_staff", "cancel"] },
            F: { state: "face", hint: failure, offers: ways.slice(1) },
            C: { state: "card_lost", failure, offers: ["cancel", "choose_staff", "still_here"] },
            R: { state: "card_lost", failure, offers: ["cancel", "choose_staff", "still_here"] },
        }[letter] ?? { state: "method", failure, offers: ways };
    if (kind === "other")
        return { state: "method", failure, offers: ways };
    if (kind === "notice")
        return { state: "done", outcome: "eligible", failure, card: true };
    return letter === "R" ? { visit: null, state: "idle", reader: failure } : { state: "staff", failure, offers: ["cancel"] };
}
