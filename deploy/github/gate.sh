#!/usr/bin/env bash
# What the action does once Squall is there: run, annotate, summarise, and compare with the baseline. The exit code is the worst of
# both: 99 for a failed expectation, 100 for a regression, 1 or 2 if something could not be run at all.
#
# From the environment: PROGRAM, PATHS, SEEDS, BASELINE, ARGS, REPORTS. Words are split at blanks, as on a command line.
set -uo pipefail
squall=${PROGRAM:-${RUNNER_TEMP:-/usr/local}/squall/bin/squall}
# An input may have several lines; `read` takes all of them only if nothing ends it.
read -rd '' -a paths <<<"${PATHS:-scenarios}"
read -rd '' -a more <<<"${ARGS:-}"
seeds=(${SEEDS:+--seeds "$SEEDS"})
reports=${REPORTS:-squall-reports}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}

"$squall" run "${paths[@]}" "${seeds[@]}" "${more[@]}" --format github --report-dir "$reports"
verdict=$?
[ -f "$reports/report.md" ] && cat "$reports/report.md" >>"$summary"
# A mistake or an interruption: nothing was run that a baseline could be held against.
case $verdict in 0 | 99) ;; *) exit $verdict ;; esac
# Without a baseline at the usual place nobody asked for one; one that was named must be there.
if [ -n "${BASELINE:-}" ] && [ ! -f "$BASELINE" ] && [ "$BASELINE" != squall-baseline.json ]; then
  echo "::error title=Squall::there is no baseline at $BASELINE: \`squall baseline save --file $BASELINE\` writes one"
  [ $verdict -eq 0 ] || exit $verdict
  exit 2
fi
if [ -n "${BASELINE:-}" ] && [ -f "$BASELINE" ]; then
  check=("$squall" baseline check --log "$reports/squall.jsonl.zst" --file "$BASELINE")
  "${check[@]}" --format github
  regression=$?
  "${check[@]}" --format markdown >>"$summary"
  [ $regression -eq 0 ] || exit $regression
fi
exit $verdict
