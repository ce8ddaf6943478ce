#!/usr/bin/env bash
# One gate in CI: runs it, writes the step summary and runs/gate.md, sets the output `verdict`, and gives the job
# the gate's exit code, except that an inconclusive gate warns and passes: noise must not block a change.
# Reads AGAINST, LIMIT, ROUNDS, REPLAY_ARGUMENTS, SHADOW, CURSERVE_BENCH; everything from outside stays an argument.
set -uo pipefail
mkdir -p runs
program=${CURSERVE_BENCH:-.venv/bin/curserve-bench}
program=$(realpath "$program")
export PATH="${program%/*}:$PATH" # a baseline's program may be a wrapper of this curserve-bench
read -ra replay <<<"${REPLAY_ARGUMENTS:-}"
options=(--against "${AGAINST:?}" --max-regression "${LIMIT:-5%}" --rounds "${ROUNDS:-4}")
options+=(--out "$PWD/runs/gate" --junit runs/gate.xml --summary runs/gate.md)
code=0
{ "$program" gate "${options[@]}" -- "${replay[@]}" 2>&1 >&3 | tee runs/gate.log >&2; } 3>&1 || code=$?
case $code in
    0) verdict=pass ;;
    1) verdict=fail ;;
    5) verdict=inconclusive ;;
    *) verdict=error ;;
esac
[ -s runs/gate.md ] || printf '**curserve-bench gate: %s** (exit code %d)\n\n```\n%s\n```\n' \
    "$verdict" "$code" "$(tail -5 runs/gate.log)" >runs/gate.md
cat runs/gate.md >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
echo "verdict=$verdict" >>"${GITHUB_OUTPUT:-/dev/null}"
if [ "${SHADOW:-false}" = true ]; then
    echo "shadow: $verdict is reported, the job passes"
    exit 0
fi
if [ $verdict = inconclusive ]; then
    echo "::warning::the gate is inconclusive; more rounds, or a quieter machine"
    exit 0
fi
exit "$code"
