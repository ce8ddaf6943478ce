"""Places of a workspace: an allow-list of shapes, tried with everything that a recording could hold."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_traces.place import RESERVED, why_not

NAMES = st.sampled_from(
    [
        "",
        ".",
        "..",
        "opt",
        "curserve",
        "usr",
        "tmp",
        "proc",
        "dev",
        "etc",
        "testbed",
        "libexec",
        "x",
        "\n",
        "a b",
        "é",
    ]
) | st.text(max_size=6)
PATHS = st.lists(NAMES, max_size=6).map(lambda names: "/" + "/".join(names)) | st.text(max_size=20)


@pytest.mark.parametrize(
    "at", ["/testbed", "/home/user/my project", "/workspace/a/b", "/tmp/one/repo", "/opt/app", "/root/é"]
)
def test_places_of_real_recordings_are_taken(at: str) -> None:
    assert why_not(at) is None


@pytest.mark.parametrize(
    "at",
    ["", "/", "//", "testbed", "~/x", "/opt", "//opt", "/opt/", "/opt/.", "//opt/curserve/libexec",
     "/opt/curserve", "/opt/curserve/libexec/curserve", "/x/../opt", "/tmp", "/tmp/", "/tmp/.", "/usr",
     "/usr/bin/x", "/bin", "/lib64/x", "/proc", "/proc/self", "/proc/sys", "/dev/shm", "/sys/fs", "/etc",
     "/run/x", "/a\nb", "/a\x00b", "/a\x1b[2J",
     "/a\u202eb", "/a\ud800", "/" + "x" * 256, "/x" * 40, "/a//b", "/a/./b", "C:\\x", "\\\\host\\x"],
)  # fmt: skip
def test_what_could_take_the_place_of_the_sandbox_is_refused(at: str) -> None:
    assert why_not(at)


@given(PATHS)
def test_a_place_that_is_taken_is_normal_and_apart_from_all_that_is_reserved(at: str) -> None:
    if why_not(at) is not None:
        return
    assert at == posixpath.normpath(at)
    assert at.startswith("/")
    assert not at.startswith("//")
    assert at.isprintable()
    for place in (*RESERVED, "/tmp"):
        assert posixpath.commonpath([at, place]) != at, "a workspace above a place of the sandbox covers it"
        if place != "/tmp":
            assert posixpath.commonpath([at, place]) != place
