// The languages of the kiosk. One more: write text.XX.js with the same keys and the codes of the failures, and name
// it here.
import ja from "./text.ja.js";
import easy from "./text.ja-easy.js";
import en from "./text.en.js";
import hans from "./text.zh-hans.js";
import hant from "./text.zh-hant.js";
import ko from "./text.ko.js";
import pt from "./text.pt.js";
import vi from "./text.vi.js";

// code: its file, and the folder of its voice; tag: what a browser and a screen reader know it by.
export const languages = [
    { code: "ja", tag: "ja", catalogue: ja },
    { code: "ja-easy", tag: "ja", catalogue: easy },
    { code: "en", tag: "en", catalogue: en },
    { code: "zh-hans", tag: "zh-Hans", catalogue: hans },
    { code: "zh-hant", tag: "zh-Hant", catalogue: hant },
    { code: "ko", tag: "ko", catalogue: ko },
    { code: "pt", tag: "pt-BR", catalogue: pt },
    { code: "vi", tag: "vi", catalogue: vi },
];

export const catalogues = Object.fromEntries(languages.map((l) => [l.code, l.catalogue]));
export const tags = Object.fromEntries(languages.map((l) => [l.code, l.tag]));

// Japanese stands alone; beside every other language stands Japanese, so that staff can point and help.
export const beside = (code) => (code.startsWith("ja") ? null : "ja");
