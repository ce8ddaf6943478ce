"""A call is a read only if nothing it may run writes or does anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_traces.classify import command_effect, effect, first_program, parallel, programs
from curserve_traces.model import RecordedCall, ToolCall, Turn

READS = r"""
grep -n "def main" src/a.py
cd /testbed && grep -rn 'x' --include=*.py . | head -20
cat a.py | sed -n '10,20p'
sed -n '1,/^def/p;s/a/b/g' a.py
find . -name '*.py' -not -path './.git/*' | xargs grep -l foo
find . -type f -exec grep -l x {} \;
ls -la 2>/dev/null
for f in *.py; do wc -l "$f"; done
git log --oneline -5 && git diff HEAD~1 -- a.py | head
git -C /x --no-pager branch -a
git config --get user.name
awk 'NR>=10 && NR<=20' a.py
awk '{ if ($1 > 5) print $2 }' a.txt
echo "a > b"; pwd
test -f x && cat x || true
bash -c 'grep x y | wc -l'
timeout 10 rg -n foo
sort a | uniq -c | sort -rn > /dev/null
cat <<< "hello"
diff <(sort a) <(sort b)
command -v rg
grep -E "a|b" x 2>&1 | tail -5
tee /dev/null < a
""".strip().splitlines()

EDITS = r"""
sed -i 's/a/b/' a.py
sed -ni.bak p a.py
sed -n 'w out' a.py
sed 's/a/b/w out' a.py
mkdir -p a/b
cat a > b
echo x >> b
cat > f.py
grep x y &> out
find . -name '*.pyc' -delete
find . -name x -exec rm {} +
cp a b && mv b c && rm c; touch d
echo x | tee out
sort -o a a
awk '{print > "out"}' a
git diff --output=x
xargs rm < list
(ls; pwd) > out
for f in a b; do cat $f; done > out
uniq a b
""".strip().splitlines()

OTHERS = r"""
python a.py
pip install x
pytest -q
curl http://example.org
git push
git checkout -b x
git branch new
git stash
cat a | python -
sed -n '1e rm x' a
sed 's/a/b/e' a
sed -f script a
awk 'BEGIN { system("rm x") }'
awk '{ print | "sh" }' a
find . -exec python {} \;
find . -name x | xargs python
rg --pre cat foo
PATH=/evil ls
LD_PRELOAD=x.so ls
git -c core.pager=evil log
git grep -O foo
eval "$x"
$CMD x
bash script.sh
. ./env.sh
./grep x
cat < /dev/tcp/1.2.3.4/80
env -S 'rm x'
sort --compress-program=evil a
bash -c "$x"
if true; then python x; fi
echo $(python x)
sudo ls
cat > f.py && python f.py
make
""".strip().splitlines()


@pytest.mark.parametrize("command", READS)
def test_reads(command: str) -> None:
    assert command_effect(command) == "read"


@pytest.mark.parametrize("command", EDITS)
def test_edits(command: str) -> None:
    assert command_effect(command) == "edit"


@pytest.mark.parametrize("command", OTHERS)
def test_others(command: str) -> None:
    assert command_effect(command) == "other"


def test_heredocs() -> None:
    assert command_effect("cat > f <<'EOF'\npython $(rm x)\nEOF") == "edit"
    assert command_effect("cat <<EOF > f\nx\nEOF") == "edit"
    assert command_effect("cat <<'EOF'\nx\nEOF") == "read"
    assert command_effect("cat <<EOF\n$(python x)\nEOF") == "other"
    assert command_effect("python - <<'EOF'\nprint(1)\nEOF") == "other"
    assert command_effect("cat <<EOF | sh\nrm x\nEOF") == "other"
    assert command_effect("cat > f <<'EOF' && python f\nx\nEOF") == "other"


def test_a_function_is_judged_by_its_body() -> None:
    assert command_effect("f() { ls; }; f") == "read"
    assert command_effect("ls() { rm x; }; ls") == "edit"


def test_programs_in_order() -> None:
    assert programs("cd /x && /usr/bin/grep a b | head; $X y") == ["cd", "grep", "head"]
    assert first_program("cd /x && A=1 timeout 5 python -c 1") == "python"
    assert first_program("cd /x") == "cd"
    assert first_program("") is None


def test_tools_other_than_bash() -> None:
    assert effect(ToolCall("1", "grep", {"pattern": "x"})) == "read"
    assert effect(ToolCall("1", "write", {"path": "x", "content": ""})) == "edit"
    assert effect(ToolCall("1", "other", {})) == "other"
    assert effect(ToolCall("1", "bash", {})) == "other"


def test_only_several_reads_are_parallel() -> None:
    read, edit = (RecordedCall(ToolCall("1", tool, {})) for tool in ("read", "edit"))
    assert parallel(Turn(calls=(read, read)))
    assert not parallel(Turn(calls=(read,)))
    assert not parallel(Turn(calls=(read, edit)))


@given(st.text(max_size=80) | st.text("sed grep -i>'\"$(){};|&<\n x", max_size=80))
def test_never_raises_and_python_is_never_a_read(text: str) -> None:
    assert command_effect(text) in ("read", "edit", "other")
    first_program(text)
    assert command_effect(f"python x; {text}") == "other"


def test_recorded_reads_are_reads(trajectories: Path) -> None:
    lines = (trajectories / "calls-dev.jsonl").read_bytes().splitlines()
    commands = [json.loads(line)["command"] for line in lines]
    reads = sum(command_effect(command) == "read" for command in commands)
    assert reads >= 0.99 * len(commands), f"{reads} of {len(commands)}"
