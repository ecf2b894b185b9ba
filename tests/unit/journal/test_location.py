"""Where the database is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jackstay.errors import ConfigurationError, StorageUnavailable
from jackstay.journal.location import from_url, locate


def test_it_stands_beside_the_nearest_project_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    inner = tmp_path / "src" / "deep"
    inner.mkdir(parents=True)

    location = locate({}, inner)

    assert location.path == tmp_path / ".jackstay" / "jackstay.db"
    assert (location.durability, location.notice) == ("normal", None)


def test_without_a_project_it_stands_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert locate({}).path == tmp_path / ".jackstay" / "jackstay.db"


def test_an_address_wins_over_every_folder(tmp_path: Path) -> None:
    location = locate({"JACKSTAY_DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere/runs.db"}, tmp_path)

    assert location.path == tmp_path / "elsewhere" / "runs.db"
    assert not (tmp_path / ".jackstay").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    location = from_url(f"{scheme}://me:secret@db.example/runs")

    assert (location.dialect, location.path) == ("postgresql", None)
    assert location.url.drivername == "postgresql+psycopg"
    assert location.shown == "postgresql+psycopg://me:***@db.example/runs"


@pytest.mark.skipif(sys.platform != "linux", reason="the state directory of Linux")
def test_a_folder_that_cannot_be_written_is_replaced_by_the_state_directory(tmp_path: Path) -> None:
    project, state = tmp_path / "project", tmp_path / "state"
    project.mkdir()
    (project / ".jackstay").write_text("in the way")

    first = locate({"XDG_STATE_HOME": str(state)}, project)
    again = locate({"XDG_STATE_HOME": str(state)}, project)

    assert first == again
    assert first.path is not None
    assert first.path.parent.parent == state / "jackstay"
    assert first.path.parent.name.startswith("project-")
    assert first.notice is not None
    assert str(first.path) in first.notice
    assert "JACKSTAY_DATABASE_URL" in first.notice


@pytest.mark.skipif(sys.platform != "linux", reason="the state directory of Linux")
def test_when_no_place_can_be_written_both_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / ".jackstay").write_text("in the way")
    (tmp_path / "state").write_text("in the way, too")

    with pytest.raises(StorageUnavailable, match=r"JACKSTAY_DATABASE_URL=.* JACKSTAY_DURABILITY=off"):
        locate({"XDG_STATE_HOME": str(tmp_path / "state")}, tmp_path)


def test_durability_off_is_in_memory_whatever_the_folder(tmp_path: Path) -> None:
    location = locate({"JACKSTAY_DURABILITY": "OFF"}, tmp_path)

    assert (location.path, location.durability, location.shown) == (None, "off", "memory")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_durability_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="JACKSTAY_DURABILITY is 'paranoid'; it can be normal, full or off"):
        locate({"JACKSTAY_DURABILITY": "paranoid"})


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_url("postgres//me:secret@host")

    assert "secret" not in str(caught.value)
