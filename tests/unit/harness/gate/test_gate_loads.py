"""`gate` on loads, over saved ones."""

from pathlib import Path

from click.testing import CliRunner
from made_loads import Session, write_load

from curserve_harness.cli.gate import command
from curserve_results.baseline import save


def test_loads_are_gated_by_their_sessions_whole_time(tmp_path: Path) -> None:
    """Through the command: a load over saved ones, of which like passes for like and double its time does not."""

    def made(name: str, factor: float) -> Path:
        def sessions(engine: str, repetition: int) -> list[Session]:
            return [Session(1000 * n, [(10, factor * (1000 + 3 * (n + repetition)), 5)] * 2) for n in range(12)]

        return write_load(tmp_path / name, sessions, repetitions=4, run=name)

    for number, factor in enumerate((1.0, 1.001, 0.999, 1.0)):
        save(str(tmp_path / "store"), "main", made(f"saved-{number}", factor))
    for factor, verdict, code in ((1.0, "PASS", 0), (2.0, "FAIL", 1)):
        run, again = (made(f"{name}-{factor}", factor) for name in ("run", "again"))
        asked = [str(run), "--baseline", "main", "--store", str(tmp_path / "store"), "--confirm", str(again)]
        done = CliRunner().invoke(command, asked)
        assert f"Gate at 5%: {verdict}" in done.output
        assert "daemon end to end" in done.output
        assert done.exit_code == code
