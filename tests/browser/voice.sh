#!/bin/bash
# voice.sh: every text of the kiosk can be read aloud, and a few of each language are, by the tools that make all of
# them (make voice). Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/check/voice
passed=0 failed=0
say() { # say GOOD WORDS
    if [ "$1" = 0 ]; then echo "ok    $2"; passed=$((passed + 1)); else echo "FAIL  $2"; failed=$((failed + 1)); fi
}
rm -rf "$out"
node daemon/web/voice/make.mjs --sample "$out"
say $? "every text has a reading that eSpeak NG can speak"
for language in ja ja-easy en zh-hans zh-hant ko pt vi; do
    short=$(for one in "$out/$language"/*.opus; do
        # The granule position of the last page of an Opus file counts its samples, 48000 a second.
        last=$(tail -c 65536 "$one" | grep -aobF OggS | tail -n 1 | cut -d: -f1)
        size=$(stat -c %s "$one") from=$((size < 65536 ? size : 65536))
        samples=$(tail -c "$from" "$one" | tail -c "+$((last + 7))" | head -c 8 | od -An -tu8 | tr -d ' ')
        [ "${samples:-0}" -ge 24000 ] && [ "$samples" -le 960000 ] || echo "$one ($samples samples)"
    done)
    [ -z "$short" ] && [ "$(find "$out/$language" -name '*.opus' | wc -l)" -ge 3 ]
    say $? "$language: what was recorded lasts between half a second and twenty ${short:+: $short}"
done
[ "$(wc -l <"$out/texts.tsv")" -gt 1000 ] && awk -F'\t' 'NF != 2 || $1 !~ /^[a-z-]+\/[A-Za-z0-9_.-]+$/ || $2 == "" || seen[$1]++ { exit 1 }' "$out/texts.tsv"
say $? "what there is to be spoken is listed for who records it: name and words, each once"
# As the package uketsuke-voice puts it there: the same texts, found from there.
root=build/check/voice-package
rm -rf "$root" && mkdir -p "$root/usr/share/uketsuke" && cp -r daemon/web/pages "$root/usr/share/uketsuke/web"
while read -r from to; do install -D -t "$root/$to" "$from"; done <packaging/debian/uketsuke-voice.install
while read -r target link; do mkdir -p "$root/${link%/*}" && ln -s "$(realpath -m "$root/$target")" "$root/$link"; done <packaging/debian/uketsuke-voice.links
mkdir -p "$root/var/lib/uketsuke-voice"
sed -e "s|/usr/share|$PWD/$root/usr/share|; s|make.mjs|make.mjs --sample|; s|/var/lib|$PWD/$root/var/lib|" "$root/usr/sbin/uketsuke-make-voice" >"$root/make"
names() { (cd "$1" && find . -type f ! -name .from | sort); }
sh "$root/make" && cmp "$root/usr/share/uketsuke/voice/texts.tsv" "$out/texts.tsv" && [ "$(names "$root/usr/share/uketsuke/voice/.")" = "$(names "$out")" ]
say $? "the package makes the same where it is installed"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
