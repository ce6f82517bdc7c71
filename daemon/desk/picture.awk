# picture.awk: the visit table for people, as a Graphviz graph.
#   uketsuked --print-table dot >DOT; uketsuked --print-table text | awk -f picture.awk DOT - >PICTURE
# The complete graph has an edge for every two states that a row joins: true, and unreadable. Here what leads to the same
# state from many others (the patient cancels, the card goes away, staff take over) is a letter in each of those states,
# explained once in the legend; what leaves a state where it is too. All else is an edge. Nothing is left out:
# tests/visit-table.sh holds the picture against the rows.
function state(name, phase, ja, colour) {
    order[++states] = name
    phases[name] = phase
    words[name] = ja
    colours[name] = colour
}
function escape(text) {
    gsub(/&/, "\\&amp;", text)
    return text
}
BEGIN {
    FS = "\t"
    many = 3 # states from which an event leads to the same one
    fan = 5  # states to which an event leads from the same one: the visit goes on where it was
    n = split("idle card|card method|card_lost card|method show_card|method number_b|method pin|method visual|" \
        "show_card photo|number_b photo|number_b_confirm number_b|photo face|face consent|pin pin_check|pin_confirm pin|pin_check consent|" \
        "visual consent|consent eligibility|eligibility register|register eligibility|eligibility link|link eligibility|" \
        "eligibility staff|staff link|eligibility done|done take_card|take_card closed", road, "|")
    for (i = 1; i <= n; i++)
        main[road[i]] = 1 # drawn in any case, and what the others are placed by
    patient = "#dbe9f9" # the patient is asked
    machine = "#ffffff" # the card, the camera or the service is at work
    person = "#fbe7c0"  # staff
    end = "#d7efd3"
    away = "#f6d5d5"
    state("idle", "", "待機", end)
    state("card_lost", "", "カードが離れた", away)
    state("card", "カードを読む / the card", "カード確認", machine)
    state("method", "カードを読む / the card", "方法を選ぶ", patient)
    state("show_card", "顔 / face", "券面を見せる", patient)
    state("number_b", "顔 / face", "照合番号B", patient)
    state("number_b_confirm", "顔 / face", "残り少・確認", patient)
    state("photo", "顔 / face", "写真を読む", machine)
    state("face", "顔 / face", "顔をくらべる", machine)
    state("pin", "暗証番号 / PIN", "暗証番号", patient)
    state("pin_confirm", "暗証番号 / PIN", "残り1回・確認", patient)
    state("pin_check", "暗証番号 / PIN", "カードが照合", machine)
    state("visual", "係 / staff", "目で確認", person)
    state("staff", "係 / staff", "係が対応", person)
    state("link", "係 / staff", "番号で紐付け", person)
    state("consent", "資格確認 / eligibility", "同意", patient)
    state("register", "資格確認 / eligibility", "はじめての登録", patient)
    state("eligibility", "資格確認 / eligibility", "照会中", machine)
    state("done", "おわり / the end", "結果", end)
    state("take_card", "おわり / the end", "カードを取る", end)
    state("closed", "おわり / the end", "終了", end)
}
FILENAME != "-" { # the complete graph says how long a state may last
    if (match($0, /^  [a-z_]+ \[label="[a-z_]+\\n/)) {
        name = $1
        sub(/^ +/, "", name)
        sub(/ .*/, "", name)
        limit = $0
        sub(/^[^\\]*\\n/, "", limit)
        sub(/"\];$/, "", limit)
        limits[name] = limit
    }
    next
}
{
    n = split($1, from, ", ")
    for (i = 1; i <= n; i++) {
        if (!(from[i] in words) || ($4 != "(stays)" && !($4 in words))) {
            print "picture.awk: no words for a state: " $0 >"/dev/stderr"
            wrong = 1
            exit 1
        }
        to = $4 == from[i] ? "(stays)" : $4
        if ((from[i], $2, to) in seen)
            continue
        seen[from[i], $2, to] = 1
        if (!(($2, to) in reached))
            turn[++turns] = $2 SUBSEP to
        reached[$2, to]++
        leads[from[i], $2]++
    }
}
END {
    if (wrong)
        exit 1
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    # One letter for an event from the same states, wherever it leads; in the order of where that is.
    for (s = 0; s <= states; s++)
        for (t = 1; t <= turns; t++) {
            split(turn[t], pair, SUBSEP)
            if (pair[2] != (s == states ? "(stays)" : order[s + 1]))
                continue
            common = reached[turn[t]] >= many || pair[2] == "(stays)"
            from_where = pair[1] (pair[2] == "(stays)" ? " stays" : "")
            for (i = 1; i <= states; i++)
                if ((order[i], pair[1], pair[2]) in seen) {
                    common = common || (leads[order[i], pair[1]] >= fan && !((order[i] " " pair[2]) in main))
                    from_where = from_where " " order[i]
                }
            if (!common)
                continue
            if (!(from_where in given)) {
                given[from_where] = substr(letters, ++used, 1)
                event_of[used] = pair[1]
            }
            letter[turn[t]] = given[from_where]
            i = index(letters, letter[turn[t]])
            targets[i] = targets[i] (targets[i] == "" ? "" : ", ") (pair[2] == "(stays)" ? "(そのまま / stays)" : pair[2])
        }
    print "digraph visit {"
    print "  graph [rankdir=LR, newrank=true, fontname=\"Noto Sans CJK JP\", fontsize=13, nodesep=0.32, ranksep=0.75, splines=true];"
    print "  node [shape=box, style=\"rounded,filled\", color=\"#555555\", fontname=\"Noto Sans CJK JP\", fontsize=12, margin=\"0.12,0.06\"];"
    print "  edge [fontname=\"Noto Sans CJK JP\", fontsize=9, color=\"#444444\", fontcolor=\"#444444\", arrowsize=0.7];"
    for (s = 1; s <= states; s++) {
        name = order[s]
        if (phases[name] != phase && phase != "")
            print "  }"
        if (phases[name] != phase && phases[name] != "")
            printf "  subgraph cluster_%d {\n    label=\"%s\"; color=\"#999999\"; style=\"rounded\"; fontcolor=\"#555555\";\n", s, phases[name]
        phase = phases[name]
        also = ""
        for (t = 1; t <= turns; t++) {
            split(turn[t], pair, SUBSEP)
            if ((name, pair[1], pair[2]) in seen && turn[t] in letter)
                has[name, index(letters, letter[turn[t]])] = 1
        }
        for (i = 1; i <= used; i++)
            if ((name, i) in has)
                also = also substr(letters, i, 1)
        printf "  %s [fillcolor=\"%s\", label=<<b>%s</b><br/>%s", name, colours[name], words[name], name
        if (limits[name] != "")
            printf "<br/><font point-size=\"9\" color=\"#777777\">%s</font>", limits[name]
        if (also != "")
            printf "<br/><font point-size=\"9\" color=\"#9a5b00\">%s</font>", also
        print ">];"
    }
    if (phase != "")
        print "  }"
    for (a = 1; a <= states; a++)
        for (b = 1; b <= states; b++) {
            label = ""
            bold = (order[a] " " order[b]) in main
            kind = "dashed" # only the clock takes it
            failure = 1
            for (t = 1; t <= turns; t++) {
                split(turn[t], pair, SUBSEP)
                if (!((order[a], pair[1], pair[2]) in seen) || pair[2] != order[b] || (turn[t] in letter && !bold))
                    continue
                label = label pair[1] "\\l"
                if (pair[1] != "timeout")
                    kind = "solid"
                if (pair[1] !~ /^(timeout|fail_.*|.*_lost|.*_failed|not_same|attack|unavailable|doubtful|cannot_ask|card_needed|clock_wrong|resumed)$/)
                    failure = 0
            }
            if (label != "")
                # An edge back is told to Graphviz as one forth that points back: states stand in the order of a visit.
                printf "  %s -> %s [label=\"%s\", style=%s%s%s%s];\n", order[a < b ? a : b], order[a < b ? b : a], label, kind,
                    a < b ? "" : ", dir=back", bold ? ", penwidth=2, weight=8" : ", weight=0",
                    failure ? ", color=\"#b03030\", fontcolor=\"#b03030\"" : ""
        }
    print "  legend [shape=plain, style=\"\", label=<<table border=\"0\" cellborder=\"0\" cellspacing=\"1\">"
    print "    <tr><td align=\"left\" colspan=\"6\"><b>各状態の文字 / the letters in a state</b></td></tr>"
    rows = int((used + 1) / 2)
    for (i = 1; i <= rows; i++) {
        print "    <tr>"
        for (t = i; t <= used; t += rows) {
            gsub(/[a-z_]+, [a-z_]+, [a-z_]+, [a-z_]+, /, "&<br align=\"left\"/>", targets[t])
            printf "      <td align=\"left\" valign=\"top\"><font color=\"#9a5b00\"><b>%s</b></font></td><td align=\"left\" valign=\"top\">%s</td><td align=\"left\">→ %s</td>\n",
                substr(letters, t, 1), event_of[t], targets[t]
        }
        print "    </tr>"
    }
    n = split("青 患者がする / blue: the patient is asked|黄 係がする / amber: staff|白 カード・カメラ・サービスが動く / white: card, camera or service at work|" \
        "緑 はじめと終わり / green: beginning and end|太い矢印 おもな道 / bold: the main road|赤い矢印 うまくいかない / red: something went wrong|" \
        "破線 時間切れだけ / dashed: by the clock only", says, "|")
    for (i = 1; i <= n; i++)
        printf "    <tr><td align=\"left\" colspan=\"6\">%s</td></tr>\n", says[i]
    print "  </table>>];"
    print "}"
}
