// The answer of the eligibility service as a readable tree: known elements have words, codes are explained, and
// what nobody knows is shown as it came.
import { h } from "./dom.js";
import { chosen } from "./text.js";

const names = {
    MessageHeader: ["ヘッダー", "Header"],
    MessageBody: ["本体", "Body"],
    ProcessExecutionTime: ["処理の時刻", "Processed"],
    QualificationConfirmationDate: ["確認日", "Confirmation date"],
    MedicalInstitutionCode: ["医療機関コード", "Institution"],
    ArbitraryFileIdentifier: ["任意のファイル識別子", "Correlation"],
    ReferenceClassification: ["照会区分", "Kind of query"],
    SegmentOfResult: ["処理結果", "Result"],
    ErrorCode: ["エラーコード", "Error code"],
    ErrorMessage: ["エラーの内容", "Error"],
    CharacterCodeIdentifier: ["文字コード", "Character code"],
    ProcessingResultStatus: ["処理の状態", "Processing"],
    ProcessingResultCode: ["処理結果コード", "Processing code"],
    ProcessingResultMessage: ["処理結果の内容", "Processing message"],
    QualificationValidity: ["資格の有効性", "Validity"],
    PrescriptionIssueSelect: ["処方箋の希望", "Prescription"],
    QualificationConfirmSearchInfo: ["照会した内容", "Query"],
    ResultList: ["資格の一覧", "Results"],
    ResultOfQualificationConfirmation: ["資格", "Entitlement"],
    InsuredCardClassification: ["証の区分", "Kind of certificate"],
    InsurerNumber: ["保険者番号", "Insurer number"],
    InsurerName: ["保険者", "Insurer"],
    InsuredCardSymbol: ["記号", "Symbol"],
    InsuredIdentificationNumber: ["番号", "Number"],
    InsuredBranchNumber: ["枝番", "Branch"],
    PersonalFamilyClassification: ["本人・家族", "Self or family"],
    InsuredName: ["被保険者・世帯主", "Insured person"],
    Name: ["氏名", "Name"],
    NameKana: ["氏名カナ", "Kana"],
    NameOfOther: ["通称", "Other name"],
    NameOfOtherKana: ["通称カナ", "Other name, kana"],
    Sex1: ["性別", "Sex"],
    Sex2: ["性別(券面)", "Sex as printed"],
    Birthdate: ["生年月日", "Birth date"],
    Address: ["住所", "Address"],
    PostNumber: ["郵便番号", "Post code"],
    QualificationDate: ["資格取得日", "Since"],
    DisqualificationDate: ["資格喪失日", "Until"],
    ReasonOfLoss: ["喪失の理由", "Reason of loss"],
    InsuredCertificateIssuanceDate: ["交付日", "Issued"],
    InsuredCardValidDate: ["有効開始日", "Valid from"],
    InsuredCardExpirationDate: ["有効終了日", "Valid until"],
    InsuredPartialContributionRatio: ["一部負担金の割合", "Contribution"],
    PreschoolClassification: ["未就学", "Preschool"],
    ElderlyRecipientCertificateInfo: ["高齢受給者証", "Elderly recipient"],
    ElderlyRecipientContributionRatio: ["高齢受給者の割合", "Contribution (elderly)"],
    LimitApplicationCertificateRelatedInfo: ["限度額適用認定証", "Payment limit"],
    LimitApplicationCertificateRelatedConsFlg: ["限度額の同意", "Consent: limit"],
    LimitApplicationCertificateRelatedConsTime: ["限度額の同意の時刻", "Consent time: limit"],
    LimitApplicationCertificateClassification: ["認定証の区分", "Kind"],
    LimitApplicationCertificateClassificationFlag: ["適用区分", "Class"],
    LimitApplicationCertificateDate: ["交付日", "Issued"],
    LimitApplicationCertificateValidStartDate: ["有効開始日", "From"],
    LimitApplicationCertificateValidEndDate: ["有効終了日", "Until"],
    LimitApplicationCertificateLongTermDate: ["長期入院該当日", "Long-term date"],
    SpecificDiseasesCertificateList: ["特定疾病療養受療証", "Specific diseases"],
    SpecificDiseasesCertificateRelatedConsFlg: ["特定疾病の同意", "Consent: specific diseases"],
    SpecificHealthCheckupsInfoConsFlg: ["健診の同意", "Consent: check-ups"],
    SpecificHealthCheckupsInfoConsTime: ["健診の同意の時刻", "Consent time: check-ups"],
    SpecificHealthCheckupsInfoAvailableTime: ["健診の閲覧期限", "Readable until: check-ups"],
    PharmacistsInfoConsFlg: ["薬剤の同意", "Consent: medicines"],
    PharmacistsInfoConsTime: ["薬剤の同意の時刻", "Consent time: medicines"],
    PharmacistsInfoAvailableTime: ["薬剤の閲覧期限", "Readable until: medicines"],
    DiagnosisInfoConsFlg: ["診療の同意", "Consent: treatment"],
    DiagnosisInfoConsTime: ["診療の同意の時刻", "Consent time: treatment"],
    DiagnosisInfoAvailableTime: ["診療の閲覧期限", "Readable until: treatment"],
    OperationInfoConsFlg: ["手術の同意", "Consent: operations"],
    OperationInfoConsTime: ["手術の同意の時刻", "Consent time: operations"],
    OperationInfoAvailableTime: ["手術の閲覧期限", "Readable until: operations"],
    PublicExpenseResultList: ["公費", "Public expense"],
    MedicalTicketInfo: ["医療券", "Medical ticket"],
    ReferenceNumber: ["照会番号", "Patient number"],
    ArbitraryIdentifier: ["任意の識別子", "Identifier"],
};

const yesNo = { 0: ["なし", "no"], 1: ["あり", "yes"] };
const consent = { 0: ["同意なし", "none"], 1: ["同意あり", "given"], 2: ["期限切れ", "expired"], 3: ["取得困難", "hard to obtain"] };
const codes = {
    QualificationValidity: { 1: ["有効", "valid"], 2: ["無効", "not valid"], 3: ["無効(新しい資格あり)", "not valid, a new one exists"], 4: ["該当する資格なし", "no such entitlement"], 5: ["複数該当", "several match"], 6: ["有効(未登録)", "valid, ticket not registered"] },
    SegmentOfResult: { 1: ["正常", "normal"], 2: ["処理中", "processing"], 9: ["異常", "abnormal"] },
    ProcessingResultStatus: { 1: ["正常", "ok"], 2: ["エラー", "error"] },
    ReferenceClassification: { 1: ["マイナンバーカード", "My Number card"], 2: ["証の記号番号", "certificate data"] },
    Sex1: { 1: ["男", "male"], 2: ["女", "female"], 3: ["未設定", "not set"] },
    Sex2: { 1: ["男", "male"], 2: ["女", "female"], 3: ["未設定", "not set"] },
    PersonalFamilyClassification: { 1: ["本人", "self"], 2: ["家族", "family"] },
    ReasonOfLoss: { "01": ["死亡", "death"], "02": ["生活保護", "public assistance"], "03": ["他保険に加入", "joined another insurer"], 99: ["その他", "other"] },
    PrescriptionIssueSelect: { 1: ["電子", "electronic"], 2: ["紙", "paper"] },
    PreschoolClassification: yesNo,
};

const label = (name) => names[name]?.[chosen() === "ja" ? 0 : 1] ?? name;

function words(name, value) {
    const table = name.endsWith("ConsFlg") ? consent : codes[name];
    const meaning = table?.[value]?.[chosen() === "ja" ? 0 : 1];
    if (meaning)
        return `${meaning} (${value})`;
    if (/(Date|date)$/.test(name) && /^\d{8}$/.test(value))
        return `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}`;
    if (/Time$/.test(name) && /^\d{14}$/.test(value))
        return `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6, 8)} ${value.slice(8, 10)}:${value.slice(10, 12)}:${value.slice(12)}`;
    if (/Ratio$/.test(name) && /^\d{3}$/.test(value))
        return `${Number(value) / 10}割 (${value})`;
    return value;
}

// value: string, object, or array of either.
export function tree(value) {
    const list = h("dl", { class: "tree" });
    for (const item of Array.isArray(value) ? value : [value])
        for (const [name, inner] of Object.entries(item))
            for (const one of Array.isArray(inner) && !name.endsWith("List") ? inner : [inner])
                list.append(
                    h("dt", {}, label(name), label(name) !== name && h("small", {}, name)),
                    h("dd", {}, typeof one === "string" ? words(name, one) : tree(one)),
                );
    return list;
}
