#!/usr/bin/env bash
# What the action does once Squall is there: run, annotate, summarise, and compare with the baseline. The exit code is the worst of
# both: 99 for a failed expectation, 100 for a regression, 1 or 2 if something could not be run at all.
#
# From the environment: PROGRAM, PATHS, SEEDS, BASELINE, ARGS, REPORTS. Words are split at blanks, as on a command line.
set -uo pipefail
squall=${PROGRAM:-${RUNNER_TEMP:-/usr/local}/squall/bin/squall}
read -ra paths <<<"${PATHS:-scenarios}"
read -ra more <<<"${ARGS:-}"
seeds=(${SEEDS:+--seeds "$SEEDS"})
reports=${REPORTS:-squall-reports}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}

"$squall" run "${paths[@]}" "${seeds[@]}" "${more[@]}" --format github --report-dir "$reports"
verdict=$?
[ -f "$reports/report.md" ] && cat "$reports/report.md" >>"$summary"
# A mistake or an interruption: nothing was run that a baseline could be held against.
case $verdict in 0 | 99) ;; *) exit $verdict ;; esac
if [ -n "${BASELINE:-}" ] && [ -f "$BASELINE" ]; then
  check=("$squall" baseline check --log "$reports/squall.jsonl.zst" --file "$BASELINE")
  "${check[@]}" --format github
  regression=$?
  "${check[@]}" --format markdown >>"$summary"
  [ $regression -eq 0 ] || exit $regression
fi
exit $verdict
