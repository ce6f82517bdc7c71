# shellcheck shell=bash
# launcher.sh, to be sourced: a whole simulated desk (make-desk.sh) is started, waited for and ended. $bin: the programs.
launcher=''
launcher_start() { # launcher_start DESK
    # shellcheck disable=SC2154 # said above
    "$bin/sim-launcher" "$1/plan" "$1/log" "$1/run/launcher.control" 2>"$1/log/launcher.log" &
    launcher=$!
}
# A relay that began before its service did may have given up for some seconds: nobody is asked until it tries again.
launcher_served() { # launcher_served DESK: each service that its configuration names has answered
    local wanted
    wanted=$(grep -c '^kind = web-api' "$1/uketsuke.conf") || return 0
    [ "$("$bin/uketsuke" -c "$1/uketsuke.conf" doctor 2>/dev/null | grep -c 'ok  *upstream service: ')" -eq "$wanted" ]
}
launcher_ready() { # launcher_ready DESK: all of it is up, within a minute; else it is said what is not
    local i answer=''
    for ((i = 0; i < 600; i++)); do
        answer=$("$bin/sim-service" --send "$1/run/launcher.control" ready 2>/dev/null) && [ "$answer" = ok ] &&
            answer='a service has not answered' && launcher_served "$1" && return 0
        sleep 0.1
    done
    echo "the desk did not come up: $answer; see $1/log" >&2
    return 1
}
launcher_stop() {
    [ -z "$launcher" ] || { kill -TERM "$launcher" 2>/dev/null; wait "$launcher" 2>/dev/null; }
    launcher=''
}
