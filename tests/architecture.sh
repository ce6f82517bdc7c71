#!/bin/bash
# architecture.sh BIN: which program links what. The table is the design's "one process, one library": a library
# named in a row may be linked directly by that program alone; what must never be in a program's closure is
# checked with ldd.
set -u
bin=$1
passed=0 failed=0
ok() { echo "ok    $1"; passed=$((passed + 1)); }
bad() { echo "FAIL  $1"; failed=$((failed + 1)); }

# program | libraries that it alone (of all programs) may name | libraries that must not be in its closure
while IFS='|' read -r program owns never; do
    program=${program%% *}
    [ -n "$program" ] || continue
    needed=$(readelf -d "$bin/$program" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
    for library in $owns; do
        if grep -q "^lib$library" <<<"$needed"; then ok "$program links $library"; else bad "$program does not link $library"; fi
        for other in uketsuked uketsuke-broker uketsuke-reader uketsuke-matcher uketsuke-ocr uketsuke-relay uketsuke-web uketsuke; do
            [ "$other" != "$program" ] || continue
            if readelf -d "$bin/$other" | grep -q "\[lib$library"; then bad "$other links $library too"; else ok "$other does not link $library"; fi
        done
    done
    closure=$(ldd "$bin/$program" | awk '{print $1}')
    for library in $never; do
        if grep -q "^lib$library" <<<"$closure"; then bad "$program has $library in its closure"; else ok "$program is free of $library"; fi
    done
done <<'EOF'
uketsuked        | sqlite3                                   | curl usb opencv openjp2 turbojpeg microhttpd expat tesseract
uketsuke-broker  |                                           | curl usb-1 opencv openjp2 sqlite3 microhttpd expat tesseract
uketsuke-reader  | usb-1.0                                   | curl opencv openjp2 sqlite3 microhttpd expat tesseract
uketsuke-matcher | opencv_dnn openjp2                        | curl usb-1 sqlite3 microhttpd expat tesseract
uketsuke-ocr     | tesseract lept                            | opencv usb-1 sqlite3 microhttpd
uketsuke-relay   | curl expat                                | usb-1 opencv openjp2 sqlite3 microhttpd tesseract
uketsuke-web     | microhttpd argon2                          | curl usb-1 opencv openjp2 sqlite3 expat tesseract
uketsuke         |                                           | curl usb-1 opencv openjp2 sqlite3 microhttpd expat tesseract
EOF

# Camera frames are decoded in two cages and nowhere else.
for program in uketsuked uketsuke-broker uketsuke-reader uketsuke-relay uketsuke-web uketsuke; do
    if readelf -d "$bin/$program" | grep -q '\[libturbojpeg'; then bad "$program links turbojpeg"; else ok "$program does not link turbojpeg"; fi
done
# Exactly one C++ file (tests/bench/plain_dnn.cpp is what the frame path is compared with, not part of it).
cxx=$(find daemon driver models tests -not -path 'tests/bench/*' \( -name '*.cpp' -o -name '*.cc' -o -name '*.cxx' \) | wc -l)
if [ "$cxx" -eq 1 ]; then ok "one C++ file"; else bad "$cxx C++ files"; fi
# Simulators share no code with the product.
if grep -rnE '#include "[^"]*(daemon|driver)/' tests/sim; then bad "a simulator includes the product"; else ok "simulators include nothing of the product"; fi
# Hardening of every program.
for program in uketsuked uketsuke-broker uketsuke-reader uketsuke-matcher uketsuke-ocr uketsuke-relay uketsuke-web uketsuke; do
    if readelf -h "$bin/$program" | grep -q 'DYN' && readelf -d "$bin/$program" | grep -q BIND_NOW &&
        readelf -lW "$bin/$program" | grep -q 'GNU_STACK.* RW  *0' && readelf -lW "$bin/$program" | grep -q GNU_RELRO; then
        ok "$program is PIE, full RELRO, no executable stack"
    else
        bad "$program is not hardened"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
