"""The processors that a process may use, as its control groups tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coldframe import quota


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`allowed(membership, files)`: processors of a machine with sixteen, whose control groups are these files."""

    def ask(membership: str, files: dict[str, str]) -> int:
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(membership)
        monkeypatch.setattr(quota, "GROUPS", tmp_path / "groups")
        monkeypatch.setattr(quota, "MEMBERSHIP", tmp_path / "own")
        return quota.processors()

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    return ask


@pytest.mark.parametrize(("text", "expected"), [
    ("max 100000", 16), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("3200000 100000", 16),
    ("nonsense", 16), ("", 16),
])
def test_a_containers_quota(allowed, text, expected):
    assert allowed("0::/\n", {"cpu.max": text}) == expected


def test_the_strictest_of_all_groups_above_counts(allowed):
    files = {"a/b/cpu.max": "800000 100000", "a/cpu.max": "300000 100000", "other/cpu.max": "100000 100000"}
    assert allowed("0::/a/b\n", files) == 3


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_the_first_version_of_control_groups(allowed, mount):
    files = {f"{mount}/job/cpu.cfs_quota_us": "250000\n", f"{mount}/job/cpu.cfs_period_us": "100000\n",
             f"{mount}/cpu.cfs_quota_us": "-1\n", f"{mount}/cpu.cfs_period_us": "100000\n"}
    assert allowed("9:cpuset:/elsewhere\n4:cpu,cpuacct:/job\n0::/\n", files) == 3


def test_a_container_that_does_not_see_its_groups_folder(allowed):
    files = {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}
    assert allowed("4:cpu,cpuacct:/docker/0123abcd\n", files) == 4


def test_no_control_groups(allowed, monkeypatch, tmp_path):
    assert allowed("", {}) == 16
    monkeypatch.setattr(quota, "MEMBERSHIP", tmp_path / "none")
    assert quota.processors() == 16
