#!/bin/sh
# Tries the simulated eligibility service with curl, jq and openssl: none of its own code is on this side.
#
#   selftest.sh PATH_OF_SIM_SERVICE
#
# Prints a line for each check and "N passed, N failed". Needs curl, jq, openssl; no network but loopback.
# shellcheck disable=SC2030,SC2031 # one try has files of its own
set -u

if [ $# -ne 1 ] || [ ! -x "$1" ]; then
    echo "usage: selftest.sh PATH_OF_SIM_SERVICE" >&2
    exit 2
fi
for tool in curl jq openssl flock; do
    command -v "$tool" >/dev/null || { echo "selftest.sh: $tool is not installed" >&2; exit 2; }
done

binary=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
control=$work/control
ledger=$work/ledger
port_file=$work/port
passed=0
failed=0
service=
export LC_ALL=C.UTF-8

end() {
    if [ -n "$service" ]; then kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; fi
    rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

# ---- checks -----------------------------------------------------------------------------------

same() { # NAME EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        echo "ok   $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1: expected [$2], got [$3]"
    fi
}

json() { jq -r "$1" "$work/answer" 2>/dev/null; } # of the last answer

body_is() { # NAME EXPECTED JQ_PATH below MessageBody
    same "$1" "$2" "$(json ".XmlMsg.MessageBody$3")"
}

# ---- the service ------------------------------------------------------------------------------

until_it() { # COMMAND...: until it succeeds, within half a minute
    tries=0
    until "$@" || [ $tries -ge 1500 ]; do sleep 0.02 && tries=$((tries + 1)); done
}
started_or_ended() { [ -s "$port_file" ] || ! kill -0 "$service" 2>/dev/null; }
start() { # more options of sim-service
    rm -f "$port_file"
    "$binary" --cert "$pki/server.pem" --key "$pki/server.key" --client-ca "$pki/ca.pem" \
        --people "$here/people" --accounts "$here/accounts.json" --ledger "$ledger" \
        --control "$control" --port-file "$port_file" "$@" >"$work/stdout" 2>"$work/stderr" &
    service=$!
    until_it started_or_ended
    if [ ! -s "$port_file" ]; then
        echo "selftest.sh: the service does not start" >&2
        cat "$work/stderr" >&2
        exit 1
    fi
    base=https://127.0.0.1:$(cat "$port_file")
}

stop() {
    tell quit >/dev/null
    wait "$service"
    same "ends with status 0" 0 $?
    service=
}

tell() { "$binary" --send "$control" "$@"; }

# The status code goes to stdout ("000": no answer), the body to answer, curl's own code to rc.
call() { # PATH [curl options...]
    path=$1
    shift
    case "$*" in
    *Content-Type*) ;;
    *) set -- "$@" -H "Content-Type: $type" ;;
    esac
    rm -f "$work/answer"
    curl -sS --max-time 5 --cacert "$pki/ca.pem" --cert "$pki/client.pem" --key "$pki/client.key" \
        -o "$work/answer" -w '%{http_code}' "$@" "$base$path" 2>"$work/curl-error"
    echo $? >"$work/rc"
}

rc() { cat "$work/rc"; }

log_in() { # -> token
    call $AUTH -d '{"userId":"sim-user","password":"sim-password-not-secret"}' >"$work/status"
    token=$(json .result.idToken)
}

ask() { # PATH BODY [curl options...]
    path=$1
    printf '%s' "$2" >"$work/request"
    shift 2
    call "$path" -H "Authorization: $token" --data-binary "@$work/request" "$@"
}

type='application/json;charset=UTF-8'
AUTH=/oqs-api-pro/MSA12020/ILI12020SV01/auth
SEARCH=/oqs-api-pro/MSA01030/ILI01030SV01/search
EXTENSION=/uketsuke-extension/v1

# ---- requests ---------------------------------------------------------------------------------

numbers() { # INSURER SYMBOL NUMBER BRANCH BIRTHDATE [LIMIT] [DATE]
    jq -n --arg i "$1" --arg s "$2" --arg n "$3" --arg b "$4" --arg d "$5" --arg l "${6:-0}" \
        --arg c "${7:-20261122}" '{XmlMsg:{MessageHeader:{QualificationConfirmationDate:$c,
        MedicalInstitutionCode:"9910000017",ArbitraryFileIdentifier:"RD-1"},
        MessageBody:{QualificationConfirmSearchInfo:({InsurerNumber:$i,
        InsuredIdentificationNumber:$n,Birthdate:$d,LimitApplicationCertificateRelatedConsFlg:$l,
        ArbitraryIdentifier:"PT000123"}
        + (if $s == "" then {} else {InsuredCardSymbol:$s} end)
        + (if $b == "" then {} else {InsuredBranchNumber:$b} end))}}}'
}

search() { ask $SEARCH "$(numbers "$@")" >"$work/status"; }

certificate() { # NAME COMMON_NAME DAYS [rsa|ec] [more options of openssl req]
    name=$1 common=$2 days=$3 kind=${4:-rsa}
    shift 3
    if [ $# -gt 0 ]; then shift; fi
    if [ "$kind" = ec ]; then set -- -newkey ec -pkeyopt ec_paramgen_curve:P-256 "$@"
    else set -- -newkey rsa:2048 "$@"; fi
    openssl req -x509 -nodes -sha256 -days "$days" -subj "/C=JP/O=selftest/CN=$common" "$@" \
        -keyout "$work/$name.user.key" -out "$work/$name.user.pem" 2>/dev/null
    openssl x509 -in "$work/$name.user.pem" -outform DER -out "$work/$name.user.der"
}

statement() { # [INSTITUTION] [TIME] [NONCE]
    printf 'uketsuke statement v1\npurpose: eligibility\ninstitution: %s\ntime: %s\nnonce: %s\n' \
        "${1:-9910000017}" "${2:-$(date -u +%Y%m%dT%H%M%SZ)}" "${3:-$(openssl rand -hex 16)}" \
        >"$work/statement"
}

sign() { # NAME: signs the statement
    openssl dgst -sha256 -sign "$work/$1.user.key" -out "$work/signature" "$work/statement"
}

session() { # PART NAME METHOD CONSENTS_JSON
    jq -n --arg part "$1" --arg cert "$(base64 -w0 "$work/$2.user.der")" --arg m "$3" \
        --argjson consents "${4:-{\}}" \
        --arg st "$(base64 -w0 "$work/statement" 2>/dev/null)" \
        --arg si "$(base64 -w0 "$work/signature" 2>/dev/null)" \
        '{XmlMsg:{MessageHeader:{QualificationConfirmationDate:"20261122",
        MedicalInstitutionCode:"9910000017",ArbitraryFileIdentifier:"CS-1"},
        MessageBody:{($part):({UserCertificate:$cert,Method:$m,Consents:$consents}
        + (if $m == "pin" then {SignedStatement:$st,Signature:$si} else {} end))}}}'
}

card() { # NAME METHOD [CONSENTS]
    ask $EXTENSION/card_session "$(session CardSession "$@")" >"$work/status"
}

pki=$work/pki
sh "$here/make-pki.sh" "$pki" >/dev/null || exit 1
before=$(cat "$pki"/*.pem | cksum)
sh "$here/make-pki.sh" "$pki" >/dev/null
same "the certificates are made once" "$before" "$(cat "$pki"/*.pem | cksum)"
openssl req -x509 -nodes -days 10 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=old \
    -keyout "$pki/wrong-ca.key" -out "$pki/wrong-ca.pem" 2>/dev/null
sh "$here/make-pki.sh" "$pki" >/dev/null
openssl x509 -in "$pki/wrong-ca.pem" -noout -checkend 60000000 >/dev/null
same "a certificate about to end is made anew" 0 $?
openssl verify -CAfile "$pki/wrong-ca.pem" "$pki/wrong-client.pem" >/dev/null 2>&1
same "and so is what it issued" 0 $?

start

# ---- mutual TLS -------------------------------------------------------------------------------

# In TLS 1.3 the client has sent its request before it learns of the refusal, and the reset that meets
# it may overtake the alert; so "" wants only that there is no answer. In TLS 1.2 the alert always arrives.
tls() { # NAME EXPECTED_TEXT_OF_CURL [curl options]
    name=$1 expected=$2
    shift 2
    status=$(curl -sS --max-time 5 -o /dev/null -w '%{http_code}' "$@" "$base$EXTENSION/capabilities" \
        2>"$work/curl-error")
    case "$status $(cat "$work/curl-error")" in
    "000 "*"$expected"*) same "$name" refused refused ;;
    *) same "$name" "$expected" "$status $(cat "$work/curl-error")" ;;
    esac
}

client="--cert $pki/client.pem --key $pki/client.key"
# shellcheck disable=SC2086
{
tls "TLS 1.3 without a client certificate" "" --cacert "$pki/ca.pem"
tls "TLS 1.3 with one of another authority" "" --cacert "$pki/ca.pem" \
    --cert "$pki/wrong-client.pem" --key "$pki/wrong-client.key"
tls "TLS 1.2 without a client certificate" "alert handshake failure" --cacert "$pki/ca.pem" \
    --tls-max 1.2
tls "a client certificate of another authority" "alert unknown ca" --cacert "$pki/ca.pem" \
    --tls-max 1.2 --cert "$pki/wrong-client.pem" --key "$pki/wrong-client.key"
tls "a server certificate is no client certificate" "alert bad certificate" --tls-max 1.2 \
    --cacert "$pki/ca.pem" --cert "$pki/server.pem" --key "$pki/server.key"
tls "a client that knows another authority" "certificate" --cacert "$pki/wrong-ca.pem" $client
tls "TLS 1.1" "curl: (35)" --cacert "$pki/ca.pem" $client --tls-max 1.1 \
    --ciphers DEFAULT@SECLEVEL=0
}
same "TLS 1.2 with everything right" 401 "$(call $EXTENSION/capabilities --tls-max 1.2)"
same "TLS 1.3 with everything right" 401 "$(call $EXTENSION/capabilities --tlsv1.3)"

# ---- auth and tokens --------------------------------------------------------------------------

same "wrong password" 401 "$(call $AUTH -d '{"userId":"sim-user","password":"x"}')"
same "status in the JSON" 401 "$(json .status)"
same "no password" 400 "$(call $AUTH -d '{"userId":"sim-user"}')"
same "no JSON" 400 "$(call $AUTH -d 'userId=sim-user')"
same "no JSON type" 415 "$(call $AUTH -H 'Content-Type: text/plain' -d '{}')"
log_in
same "right password" 200 "$(cat "$work/status")"
same "four members of result" "accessToken idToken linkSysCharCd refreshToken" \
    "$(json '.result | keys | join(" ")')"
same "capabilities with the token" 200 "$(call $EXTENSION/capabilities -H "Authorization: $token")"
same "capabilities" "by_numbers card_session register consents reference_number bulk documents" "$(json '.capabilities|join(" ")')"
same "the token stands without Bearer" 401 \
    "$(call $EXTENSION/capabilities -H "Authorization: Bearer $token")"
same "an unknown token" 401 "$(call $EXTENSION/capabilities -H "Authorization: 00")"
same "no token" 401 "$(call $SEARCH -d '{}')"
same "unknown path" 404 "$(call /nowhere -H "Authorization: $token")"
same "wrong method" 405 "$(call $SEARCH -H "Authorization: $token")"
head -c 300000 /dev/zero | tr '\0' ' ' >"$work/big"
same "a request that is too large" 413 \
    "$(call $SEARCH -H "Authorization: $token" --data-binary "@$work/big")"
log_in # ten seconds are left from here, and no work is in them
tell clock 590 >/dev/null
same "a token shortly before its end" 200 "$(call $EXTENSION/capabilities -H "Authorization: $token")"
tell clock 610 >/dev/null
same "a token after its end" 401 "$(call $EXTENSION/capabilities -H "Authorization: $token")"
tell clock 0 >/dev/null
log_in
tell token-expire >/dev/null
same "all tokens ended at once" 401 "$(call $EXTENSION/capabilities -H "Authorization: $token")"
tell expire-seconds 1 >/dev/null
log_in
tell clock 2 >/dev/null
same "a short lifetime" 401 "$(call $EXTENSION/capabilities -H "Authorization: $token")"
tell clock 0 >/dev/null
tell expire-seconds 600 >/dev/null
log_in

# ---- search by numbers ------------------------------------------------------------------------

search 99000010 見本 1001 01 19750604 1
same "search" 200 "$(cat "$work/status")"
body_is "valid" 1 .QualificationValidity
body_is "status" 1 .ProcessingResultStatus
body_is "no notice" null .ProcessingResultCode
body_is "one result" 1 '.ResultList | length'
body_is "name" "見本　太郎" '.ResultList[0].ResultOfQualificationConfirmation.Name'
body_is "kana in half width" "ﾐﾎﾝ ﾀﾛｳ" '.ResultList[0].ResultOfQualificationConfirmation.NameKana'
body_is "limit information with consent" A03 \
    '.ResultList[0][].LimitApplicationCertificateRelatedInfo.LimitApplicationCertificateClassificationFlag'
body_is "the query comes back" 1001 .QualificationConfirmSearchInfo.InsuredIdentificationNumber
body_is "the free id comes back" PT000123 '.ResultList[0][].ArbitraryIdentifier'
body_is "no consent flags by numbers" null '.ResultList[0][].PharmacistsInfoConsFlg'
same "header" "1 2 0 9910000017 20261122 RD-1" "$(json '.XmlMsg.MessageHeader |
    [.SegmentOfResult,.ReferenceClassification,.CharacterCodeIdentifier,.MedicalInstitutionCode,
    .QualificationConfirmationDate,.ArbitraryFileIdentifier] | join(" ")')"
same "time of execution" true "$(json '.XmlMsg.MessageHeader.ProcessExecutionTime | test("^[0-9]{14}$")')"
same "every value is a string" "array object string" \
    "$(json '[.. | type] | unique | join(" ")')"
search 99000010 見本 1001 01 19750604 0
body_is "limit information without consent" null \
    '.ResultList[0][].LimitApplicationCertificateRelatedInfo'
search '  990010' 試験 1007 01 19890108
body_is "insurer padded with blanks" 1 .QualificationValidity
search 00990010 試験 1007 01 19890108
body_is "insurer padded with zeros" 1 .QualificationValidity
body_is "the answer pads with blanks" '  990010' '.ResultList[0][].InsurerNumber'
search 99000010 9901 4567 02 19540707
body_is "symbol in half width" 1 .QualificationValidity
body_is "a character outside the set" "架●　花子" '.ResultList[0][].Name'
body_is "elderly ratio" 020 \
    '.ResultList[0][].ElderlyRecipientCertificateInfo.ElderlyRecipientContributionRatio'
body_is "the clinic's own number" PT000456 '.ResultList[0][].ReferenceNumber'
search 99000010 ９９０１ ４５６７ ０２ 19540707
body_is "branch in full width is refused" SIMPRC104 .ProcessingResultCode
search 99000010 ９９０１ ４５６７ 02 19540707
body_is "symbol and number in full width" 1 .QualificationValidity
search 39990015 '' 12345678 '' 19400103
body_is "75 and over, no symbol" 010 '.ResultList[0][].InsuredPartialContributionRatio'
search 99000010 '' 1001 01 19750604
body_is "a missing symbol does not match" 4 .QualificationValidity
search 99000010 見本 1001 '' 19750604
body_is "no branch asked" 1 .QualificationValidity
search 99000010 見本 1001 01 19750605
body_is "another birth date" 4 .QualificationValidity
body_is "none has no results" 0 '.ResultList | length'

search 99000010 見本 3001 01 19900110
body_is "CD006 2: lost" "2 20260901" '| [.QualificationValidity, .ResultList[0][].DisqualificationDate] | join(" ")'
search '  990010' 試験 1001 01 19710203
body_is "CD006 3: lost, new one exists" "3 03" '| [.QualificationValidity, .ResultList[0][].ReasonOfLoss] | join(" ")'
search 99000010 見本 4001 01 19790909
body_is "CD006 4: none" "4 0" '| [.QualificationValidity, (.ResultList|length|tostring)] | join(" ")'
search 99000010 見本 5001 01 19830606
body_is "CD006 5: several" "5 2" '| [.QualificationValidity, (.ResultList|length|tostring)] | join(" ")'
search 12990016 '' 1234566 '' 19580512
body_is "CD006 6: ticket not registered" "6 A1 0" '| [.QualificationValidity,
    .ResultList[0][].InsuredCardClassification, (.ResultList[0][].PublicExpenseResultList|length|tostring)] | join(" ")'
search 12990016 '' 1234574 '' 19610924
body_is "a ticket" "1 202611" '| [.QualificationValidity,
    .ResultList[0][].PublicExpenseResultList[0].MedicalTicketInfo.MedicalTreatmentMonth] | join(" ")'
search 99000010 見本 7001 01 19770101
body_is "notice with success" "1 1 SIMNOT001" '| [.ProcessingResultStatus, .QualificationValidity,
    .ProcessingResultCode] | join(" ")'
search 99000010 見本 6001 '' 20100710
body_is "twins without branch are several" "5 2" '| [.QualificationValidity, (.ResultList|length|tostring)] | join(" ")'
search 99000010 見本 6001 03 20100710
body_is "twins with branch" "1 架空　星" '| [.QualificationValidity, .ResultList[0][].Name] | join(" ")'
search '  990010' 試験 2101 01 19880808 0 20260930
body_is "the day before the change" "1 見本市国民健康保険" '| [.QualificationValidity, .ResultList[0][].InsurerName] | join(" ")'
search 99000010 見本 2102 01 19880808 0 20261001
body_is "the day of the change" "1 架空健康保険組合" '| [.QualificationValidity, .ResultList[0][].InsurerName] | join(" ")'
tell person other validity 2 >/dev/null
search 99000010 見本 1002 01 19920315
body_is "a person changed at run time" 2 .QualificationValidity
same "a state that cannot be" "error validity cannot be that" "$(tell person other validity 9)"
same "a person that is not" "error no such person: nobody" "$(tell person nobody validity 1)"
tell person other results.0.Name 別名 >/dev/null
search 99000010 見本 1002 01 19920315
body_is "an element changed at run time" 別名 '.ResultList[0][].Name'
tell reload >/dev/null
search 99000010 見本 1002 01 19920315
body_is "read again" "1 例示　次郎" '| [.QualificationValidity, .ResultList[0][].Name] | join(" ")'

bad() { # NAME CODE JQ_CHANGE
    ask $SEARCH "$(numbers 99000010 見本 1001 01 19750604 | jq "$3")" >"$work/status"
    same "$1" "200 $2" "$(cat "$work/status") $(json '.XmlMsg | [.MessageHeader.ErrorCode,
        .MessageBody.ProcessingResultCode] | map(select(. != null)) | join(" ")')"
}

bad "institution of 9 digits" SIMSEG002 '.XmlMsg.MessageHeader.MedicalInstitutionCode = "991000001"'
same "a failed request has no body" "9 null" \
    "$(json '.XmlMsg | [.MessageHeader.SegmentOfResult, (.MessageBody|tostring)] | join(" ")')"
bad "institution in full width" SIMSEG002 '.XmlMsg.MessageHeader.MedicalInstitutionCode = "９９１００００１"'
bad "another's institution" SIMSEG003 '.XmlMsg.MessageHeader.MedicalInstitutionCode = "9940000025"'
bad "a day that does not exist" SIMSEG004 '.XmlMsg.MessageHeader.QualificationConfirmationDate = "20260229"'
bad "file identifier too long" SIMSEG005 '.XmlMsg.MessageHeader.ArbitraryFileIdentifier = "x" * 51'
bad "no header" SIMSEG002 'del(.XmlMsg.MessageHeader)'
bad "no search info" SIMSEG001 'del(.XmlMsg.MessageBody.QualificationConfirmSearchInfo)'
bad "no XmlMsg" SIMSEG001 '{}'
info=.XmlMsg.MessageBody.QualificationConfirmSearchInfo
bad "insurer not padded" SIMPRC101 "$info.InsurerNumber = \"990010\""
bad "insurer of blanks" SIMPRC101 "$info.InsurerNumber = \"        \""
bad "insurer as a number" SIMPRC101 "$info.InsurerNumber = 99000010"
bad "symbol of 21 characters" SIMPRC102 "$info.InsuredCardSymbol = \"見\" * 21"
bad "no number" SIMPRC103 "del($info.InsuredIdentificationNumber)"
bad "branch of one digit" SIMPRC104 "$info.InsuredBranchNumber = \"1\""
bad "birth date" SIMPRC105 "$info.Birthdate = \"昭和50年\""
bad "consent flag" SIMPRC106 "$info.LimitApplicationCertificateRelatedConsFlg = \"2\""
body_is "a refused search is echoed" 1001 .QualificationConfirmSearchInfo.InsuredIdentificationNumber

# ---- the files --------------------------------------------------------------------------------

check_digit() { # NUMBER: is its last digit right? weights 2 1 2 1... from the right, digit sums
    printf '%s' "$1" | awk '{ w = 2; for (i = length($0) - 1; i > 0; i--) {
        p = substr($0, i, 1) * w; t += int(p / 10) + p % 10; w = 3 - w }
        exit (10 - t % 10) % 10 != substr($0, length($0), 1) }'
}

wrong=
for insurer in $(cat "$here"/people/*.json | jq -r '.results[].InsurerNumber | ltrimstr("  ")' | sort -u); do
    check_digit "$insurer" || wrong="$wrong $insurer"
done
same "check digits of all insurers" "" "$wrong"
check_digit 01130012
same "the rule itself, by a public insurer number" 0 $?

wrong=
for file in "$here"/../cards/*.card; do
    if ! grep -qs '^auth-serial = ' "$file"; then continue; fi
    if grep -q '^kind = juki' "$file"; then continue; fi # has no user certificate
    name=$(basename "$file" .card)
    card_says=$(sed -n 's/^birth = //p; s/^sex = //p; s/^name = //p' "$file" | sort | tr '\n' ' ')
    # a person of whom the service knows nothing more
    ! cat "$here"/people/*.json | jq -se --arg card "$name" 'any(.[]; (.cards | index($card)) and .results == [])' >/dev/null || continue
    file_says=$(cat "$here"/people/*.json | jq -r --arg card "$name" 'select(.cards | index($card)) |
        .results[] | .Name, .Birthdate, .Sex1' | sort -u | tr '\n' ' ')
    [ "$card_says" = "$file_says" ] || wrong="$wrong $name"
done
same "name, birth date and sex of every simulated card" "" "$wrong"

# ---- card sessions ----------------------------------------------------------------------------

certificate franck SIM-franck 1000
certificate other SIM-other 1000
certificate hanako SIM-hanako 1000 ec
certificate stranger SIM-stranger 1000
certificate first SIM-first-use 1000
certificate missing SIM-insurer-missing 1000
certificate revoked SIM-revoked 1000
certificate ending SIM-notice 30

card franck face '{"PharmacistsInfoConsFlg":"1","DiagnosisInfoConsFlg":"0","LimitApplicationCertificateRelatedConsFlg":"1"}'
same "card session by face" 200 "$(cat "$work/status")"
same "reference classification: card" 1 "$(json .XmlMsg.MessageHeader.ReferenceClassification)"
body_is "valid" "1 見本　太郎" '| [.QualificationValidity, .ResultList[0][].Name] | join(" ")'
body_is "no search info" null .QualificationConfirmSearchInfo
body_is "consents as given" "1 0 0 0 1" '.ResultList[0][] | [.PharmacistsInfoConsFlg,
    .SpecificHealthCheckupsInfoConsFlg, .DiagnosisInfoConsFlg, .OperationInfoConsFlg,
    .LimitApplicationCertificateRelatedConsFlg] | join(" ")'
body_is "available for 24 hours" 86400 '.ResultList[0][] |
    (.PharmacistsInfoAvailableTime | strptime("%Y%m%d%H%M%S") | mktime) -
    (.PharmacistsInfoConsTime | strptime("%Y%m%d%H%M%S") | mktime)'
body_is "no time without consent" null '.ResultList[0][].DiagnosisInfoConsTime'
card franck visual '{}'
body_is "card session by staff" 1 .QualificationValidity
card franck face '""'
body_is "no consents as an empty text" 0 '.ResultList[0][].PharmacistsInfoConsFlg'
card franck nose
body_is "an unknown method" SIMPRC211 .ProcessingResultCode
card franck face '{"PharmacistsInfoConsFlg":"7"}'
body_is "a consent out of range" SIMPRC106 .ProcessingResultCode
card franck face '{"Anything":"1"}'
body_is "a consent nobody knows" SIMPRC106 .ProcessingResultCode
card stranger face
body_is "a certificate nobody knows" SIMPRC203 .ProcessingResultCode
card revoked face
body_is "a revoked certificate" SIMPRC205 .ProcessingResultCode
ask $EXTENSION/card_session "$(session CardSession franck face | jq \
    '.XmlMsg.MessageBody.CardSession.UserCertificate = "bm8="')" >/dev/null
body_is "no certificate at all" SIMPRC201 .ProcessingResultCode

statement
sign franck
card franck pin
body_is "PIN: an RSA signature by openssl" 1 .QualificationValidity
card franck pin
body_is "the same statement again" SIMPRC216 .ProcessingResultCode
statement
sign hanako
card hanako pin '{"SpecificDiseasesCertificateRelatedConsFlg":"1"}'
body_is "PIN: an ECDSA signature by openssl" "1 1,2" '| [.QualificationValidity,
    ([.ResultList[0][].SpecificDiseasesCertificateList[].SpecificDiseasesCertificateInfo.SpecificDiseasesDiseaseCategory] | join(","))] | join(" ")'
statement
sign other
card franck pin
body_is "a signature by another key" SIMPRC213 .ProcessingResultCode
statement
sign franck
printf 'x: y\n' >>"$work/statement"
card franck pin
body_is "a statement changed after signing" SIMPRC213 .ProcessingResultCode
statement
sign franck
ask $EXTENSION/card_session "$(session CardSession franck pin | jq \
    'del(.XmlMsg.MessageBody.CardSession.Signature)')" >/dev/null
body_is "no signature" SIMPRC213 .ProcessingResultCode
ask $EXTENSION/card_session "$(session CardSession franck pin | jq \
    'del(.XmlMsg.MessageBody.CardSession.SignedStatement)')" >/dev/null
body_is "no statement" SIMPRC212 .ProcessingResultCode

signed() { # NAME CODE: the statement as it stands, well signed
    sign franck
    card franck pin
    body_is "$1" "$2" .ProcessingResultCode
}
printf 'hello\n' >"$work/statement"
signed "a text that is no statement" SIMPRC212
statement
grep -v '^nonce' "$work/statement" >"$work/s" && mv "$work/s" "$work/statement"
signed "no nonce" SIMPRC212
statement
grep -v '^purpose' "$work/statement" >"$work/s" && mv "$work/s" "$work/statement"
signed "no purpose" SIMPRC212
statement
echo "nonce: $(openssl rand -hex 16)" >>"$work/statement"
signed "two nonces" SIMPRC212
statement 9910000017 "$(date -u +%Y%m%dT%H%M%SZ)" 1234
signed "a short nonce" SIMPRC212
statement 9940000025
signed "for another institution" SIMPRC214
statement 9910000017 "$(date -u -d '-11 minutes' +%Y%m%dT%H%M%SZ)"
signed "eleven minutes old" SIMPRC215
statement 9910000017 "$(date -u -d '+11 minutes' +%Y%m%dT%H%M%SZ)"
signed "eleven minutes ahead" SIMPRC215
statement 9910000017 "$(date -u -d '-9 minutes' +%Y%m%dT%H%M%SZ)"
signed "nine minutes old" null
statement
sign franck
request=$(session CardSession franck pin)
ask $EXTENSION/card_session "$request" -H 'X-Request-Id: once-1' >/dev/null
ask $EXTENSION/card_session "$request" -H 'X-Request-Id: once-1' >/dev/null
body_is "the same request sent again under its id" 1 .QualificationValidity
ask $EXTENSION/card_session "$request" -H 'X-Request-Id: once-2' >/dev/null
body_is "under another id" SIMPRC216 .ProcessingResultCode

card ending face '{"PharmacistsInfoConsFlg":"1"}'
body_is "a certificate that ends soon: the person's own notice first" SIMNOT001 .ProcessingResultCode
tell person notice notice null >/dev/null
card ending face '{"PharmacistsInfoConsFlg":"1"}'
body_is "a certificate that ends soon" "1 1 SIMNOT301 1" '| [.ProcessingResultStatus,
    .QualificationValidity, .ProcessingResultCode, .ResultList[0][].PharmacistsInfoConsFlg] | join(" ")'
tell clock 2678400 >/dev/null
log_in
card ending face '{"PharmacistsInfoConsFlg":"1"}'
body_is "a day after its end: entitlement only" "1 1 SIMNOT302 0" '| [.ProcessingResultStatus,
    .QualificationValidity, .ProcessingResultCode, .ResultList[0][].PharmacistsInfoConsFlg] | join(" ")'
tell clock 13996800 >/dev/null
log_in
card ending face
body_is "months after its end" SIMPRC204 .ProcessingResultCode
tell clock 0 >/dev/null
log_in

# ---- registration and consents ----------------------------------------------------------------

register() { # NAME [curl options]
    name=$1
    shift
    ask $EXTENSION/register "$(session CardRegistration "$name" face)" "$@" >"$work/status"
}

card first face
body_is "a card not yet registered" SIMPRC221 .ProcessingResultCode
register missing
body_is "insurer's data missing: refused" "2 refused SIMPRC222" '| [.ProcessingResultStatus,
    .RegistrationOutcome, .ProcessingResultCode] | join(" ")'
register first -H 'X-Request-Id: reg-1'
body_is "registration accepted" "1 accepted" '| [.ProcessingResultStatus, .RegistrationOutcome] | join(" ")'
first_answer=$(cat "$work/answer")
register first -H 'X-Request-Id: reg-1'
same "repeated: the first answer" "$first_answer" "$(cat "$work/answer")"
register first -H 'X-Request-Id: reg-2'
body_is "asked anew: already" "1 already SIMNOT303" '| [.ProcessingResultStatus,
    .RegistrationOutcome, .ProcessingResultCode] | join(" ")'
register franck -H 'X-Request-Id: reg-1'
same "an id used for another request" 409 "$(cat "$work/status")"
card first face
body_is "then the card is good" 1 .QualificationValidity

# One PIN for all three: the statement is handed on until an entitlement was named.
tell reload >/dev/null
statement
sign first
card first pin
body_is "by PIN, not yet registered" SIMPRC221 .ProcessingResultCode
ask $EXTENSION/register "$(session CardRegistration first pin)" -H 'X-Request-Id: reg-3' >"$work/status"
body_is "the same statement registers" accepted .RegistrationOutcome
card first pin
body_is "and opens the session after it" 1 .QualificationValidity
card first pin
body_is "then it is used up" SIMPRC216 .ProcessingResultCode

change() { # NAME CONSENTS
    ask $EXTENSION/consents "$(session ConsentChange "$1" face "$2")" >"$work/status"
}
card franck face '{"PharmacistsInfoConsFlg":"1","OperationInfoConsFlg":"1"}'
change franck '{"PharmacistsInfoConsFlg":"0","DiagnosisInfoConsFlg":"1"}'
body_is "consents changed, the others kept" "0 1 1 0" '.ResultList[0][] | [.PharmacistsInfoConsFlg,
    .DiagnosisInfoConsFlg, .OperationInfoConsFlg, .SpecificHealthCheckupsInfoConsFlg] | join(" ")'
card franck face '{}'
body_is "a new session starts without consents" "0 0" '.ResultList[0][] |
    [.OperationInfoConsFlg, .DiagnosisInfoConsFlg] | join(" ")'

# ---- bad days ---------------------------------------------------------------------------------

good="$(numbers 99000010 見本 1001 01 19750604)"
try() { ask $SEARCH "$good" "$@"; }
milliseconds() { date +%s%3N; }
asked_since() { [ "$(lines)" -gt "$1" ]; } # asked_since COUNT: the ledger has more lines than that
lines() { jq -s 'map(select(.kind != "connection")) | length' "$ledger"; }

tell slow 700 >/dev/null
from=$(milliseconds)
same "slow: still right" 200 "$(try)"
took=$(($(milliseconds) - from))
same "slow: late" yes "$([ $took -ge 700 ] && echo yes || echo $took)" # no client waits longer than 5 s
tell slow 20000 /search >/dev/null
log_in
same "slow on one path only" 200 "$(cat "$work/status")"

tell error segment OQC-OWSE0900000 通信エラー（試験用文言） >/dev/null
try >/dev/null
same "error segment" "9 OQC-OWSE0900000 通信エラー（試験用文言）" \
    "$(json '.XmlMsg.MessageHeader | [.SegmentOfResult, .ErrorCode, .ErrorMessage] | join(" ")')"
log_in
same "an error of XmlMsg leaves auth alone" 200 "$(cat "$work/status")"
tell error processing X1 'two words' >/dev/null
try >/dev/null
body_is "error processing" "2 X1 two words" '| [.ProcessingResultStatus, .ProcessingResultCode,
    .ProcessingResultMessage] | join(" ")'
tell pending >/dev/null
try >/dev/null
same "pending" 2 "$(json .XmlMsg.MessageHeader.SegmentOfResult)"
tell status 503 >/dev/null
same "status" "503 503" "$(try) $(json .status)"
tell garbage >/dev/null
status=$(try)
if jq . "$work/answer" >/dev/null 2>&1; then is_json=yes; else is_json=no; fi
same "garbage: 200 and no JSON" "200 no" "$status $is_json"
tell redirect >/dev/null
same "redirect" 302 "$(try)"
tell half >/dev/null
try >/dev/null
if [ "$(rc)" != 0 ] && [ -s "$work/answer" ]; then cut=yes; else cut=no; fi
same "half: curl sees a cut, after some bytes" yes $cut
tell drip 2 >/dev/null
from=$(milliseconds)
same "drip: whole in the end" 200 "$(try --max-time 20)"
took=$(($(milliseconds) - from))
body_is "drip: and right" 1 .QualificationValidity
same "drip: slow" yes "$([ $took -ge 1000 ] && echo yes || echo $took)"
tell endless >/dev/null
try --max-time 15 --limit-rate 1M >/dev/null
same "endless: only the client ends it" 28 "$(rc)"
same "endless: megabytes" yes "$([ "$(stat -c %s "$work/answer")" -gt 1000000 ] && echo yes || echo no)"
tell huge 5000000 >/dev/null
same "huge" "200 5000000" "$(try) $(stat -c %s "$work/answer")"
body_is "huge: still JSON" 1 .QualificationValidity
count=$(lines)
tell reset >/dev/null
try >/dev/null
same "reset: curl sees it" 56 "$(rc)"
same "reset: in the ledger" "$((count + 1)) not handled reset" \
    "$(lines) $(tail -n 1 "$ledger" | jq -r '[.outcome, .behaviour] | join(" ")')"
tell normal >/dev/null
same "normal again" 200 "$(try)"

tell person first-use registration not-registered >/dev/null
tell lost >/dev/null
register first -H 'X-Request-Id: reg-lost'
same "lost: no answer" "000" "$(cat "$work/status")"
tell normal >/dev/null
register first -H 'X-Request-Id: reg-lost'
body_is "lost: but done; the id brings the answer" accepted .RegistrationOutcome
register first
body_is "lost: done once" already .RegistrationOutcome

tell script 2 status 500 /search >/dev/null
tell script 1 garbage /search >/dev/null
log_in
same "script: the next two, then one, then normal" "500 500 200 200" "$(try) $(try) $(try) $(try)"
body_is "script: over" 1 .QualificationValidity
same "a behaviour that is not" "error no such behaviour" "$(tell dance)"
same "an argument that is missing" "error slow: an argument is missing or out of range" "$(tell slow)"
same "two scripts are shown" "ok up, port $(cat "$port_file"), slow /auth, next 3: half" \
    "$(tell slow 5 /auth >/dev/null; tell script 3 half >/dev/null; tell show)"
tell normal >/dev/null

tell slow 30000 >/dev/null
count=$(lines)
try --max-time 60 >"$work/late" &
late=$!
until_it asked_since "$count"
from=$(milliseconds)
same "down" ok "$(tell down)"
took=$(($(milliseconds) - from))
same "down waits for nobody" yes "$([ $took -lt 20000 ] && echo yes || echo $took)"
wait $late
same "down cuts what runs" "000" "$(cat "$work/late")"
try >/dev/null
same "down: refused" 7 "$(rc)"
tell normal >/dev/null
same "up" ok "$(tell up)"
same "up at the same port" 200 "$(try)"
same "down and up again" "ok ok 200" "$(tell down) $(tell up) $(try)"

# Ten at once: a slow one must not hold up the others.
tell script 1 slow 10000 /search >/dev/null
count=$(lines)
(work=$work/late-one && mkdir -p "$work" && try --max-time 60 >/dev/null) &
late=$!
until_it asked_since "$count"
same "one slow answer delays no other" 200 "$(try)"
same "and that is true: it is still waited for" yes "$(kill -0 $late 2>/dev/null && echo yes)"
tell normal >/dev/null
wait $late

# ---- the ledger -------------------------------------------------------------------------------

count=$(lines)
same "every line is JSON with time, kind, seq" 0 \
    "$(jq -s 'map(select((.time and .kind and .seq) | not)) | length' "$ledger")"
same "numbers without gap" yes "$(jq -s 'if map(.seq) == [range(1; length + 1)] then "yes" else "no" end' -r "$ledger")"
try -H 'X-Request-Id: led-1' >/dev/null
same "a line" "search led-1 $SEARCH numbers:99000010/見本/1001/01 validity 1, results 1 200 SIM relay 9910000017" \
    "$(tail -n 1 "$ledger" | jq -r '[.kind, .request_id, .path, .subject, .outcome, (.http|tostring), .client] | join(" ")')"
same "one line a request" $((count + 1)) "$(lines)"
same "counts by the control socket" "$(jq -s length "$ledger")" "$(tell ledger | sed 's/^ok //' | jq .lines)"
same "a request id of blanks" 400 "$(try -H 'X-Request-Id: a b')"

# Killed among twenty requests: whoever got an answer stands in the ledger.
log_in
printf '%s' "$good" >"$work/request"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    curl -sS --max-time 5 --cacert "$pki/ca.pem" --cert "$pki/client.pem" --key "$pki/client.key" \
        -o /dev/null -w '%{http_code}' -H "Content-Type: $type" -H "Authorization: $token" \
        -H "X-Request-Id: kill-$n" --data-binary "@$work/request" "$base$SEARCH" \
        >"$work/killed-$n" 2>/dev/null &
    pids="${pids:-} $!"
done
eight_killed() { [ "$(grep -c 'kill-' "$ledger")" -ge 8 ]; }
until_it eight_killed
kill -9 "$service"
wait "$service" 2>/dev/null
# shellcheck disable=SC2086
wait $pids
answered=0
missing=
for file in "$work"/killed-*; do
    [ "$(cat "$file")" = 200 ] || continue
    answered=$((answered + 1))
    grep -q "\"request_id\":\"kill-${file##*-}\"" "$ledger" || missing="$missing ${file##*-}"
done
same "killed in mid-work: no answer ($answered given) without its line" "" "$missing"
same "and every line is whole" 0 "$(jq -c . "$ledger" >/dev/null 2>&1; echo $?)"
start --resume
log_in

statement
sign franck
kept=$(session CardSession franck pin)
ask $EXTENSION/card_session "$kept" >/dev/null
count=$(wc -l <"$ledger")
kill -9 "$service"
wait "$service" 2>/dev/null
printf '{"torn' >>"$ledger"
start --resume
log_in
same "after kill -9 no line is missing" "$((count + 2))" "$(wc -l <"$ledger")"
register first -H 'X-Request-Id: reg-lost'
body_is "resumed: the first answer" accepted .RegistrationOutcome
register first
body_is "resumed: registered" already .RegistrationOutcome
ask $EXTENSION/card_session "$kept" >/dev/null
body_is "resumed: the nonce is used up" SIMPRC216 .ProcessingResultCode
stop

# ---- a service with another certificate -------------------------------------------------------

start --cert "$pki/wrong-host.pem" --key "$pki/wrong-host.key"
tls "a certificate for another host" "curl: (60)" --cacert "$pki/ca.pem"
stop
start --cert "$pki/wrong-server.pem" --key "$pki/wrong-server.key"
tls "a certificate of another authority" "curl: (60)" --cacert "$pki/ca.pem"
stop

# ---- whose certificate: serial, issuer, revocation ----------------------------------------------

mkdir -p "$work/cards" "$work/ca"
printf 'about = x\nname = y\nauth-serial = 4711\n' >"$work/cards/franck.card"
printf 'auth-serial = 4712\n' >"$work/cards/other.card"
openssl req -x509 -nodes -newkey rsa:2048 -days 1000 -subj /CN=selftest-user-ca \
    -keyout "$work/ca.key" -out "$work/user-ca.pem" 2>/dev/null
for serial in 4711 4712; do
    openssl req -new -nodes -newkey rsa:2048 -subj "/CN=0000${serial}XSIM13101" \
        -keyout "$work/s$serial.user.key" -out "$work/s.csr" 2>/dev/null
    openssl x509 -req -in "$work/s.csr" -CA "$work/user-ca.pem" -CAkey "$work/ca.key" -days 1000 \
        -set_serial $serial -out "$work/s$serial.user.pem" 2>/dev/null
    openssl x509 -in "$work/s$serial.user.pem" -outform DER -out "$work/s$serial.user.der"
done
cat >"$work/ca/ca.conf" <<END
[ca]
default_ca = d
[d]
database = $work/ca/index
crlnumber = $work/ca/number
default_md = sha256
default_crl_days = 900
END
: >"$work/ca/index"
echo 01 >"$work/ca/number"
for what in "-revoke $work/s4712.user.pem" "-gencrl -out $work/user.crl"; do
    # shellcheck disable=SC2086
    openssl ca -config "$work/ca/ca.conf" -cert "$work/user-ca.pem" -keyfile "$work/ca.key" $what \
        2>/dev/null
done
start --cards "$work/cards" --user-ca "$work/user-ca.pem" --user-crl "$work/user.crl"
log_in
card s4711 face
body_is "by the serial in the card's description" "見本　太郎" '.ResultList[0][].Name'
same "and so in the ledger" card:franck "$(tail -n 1 "$ledger" | jq -r .subject)"
card s4712 face
body_is "in the revocation list" SIMPRC205 .ProcessingResultCode
card franck face
body_is "of another issuer" SIMPRC202 .ProcessingResultCode
stop
same "nothing on stderr" "" "$(cat "$work/stderr")"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
