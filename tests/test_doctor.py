"""The doctor: sound here, and sick where something is missing."""

import shutil
from pathlib import Path

import pytest

import srlab.doctor
from srlab.doctor import Finding, examine


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SRLAB_DEVICE", raising=False)


def found(subject: str) -> Finding:
    return next(finding for finding in examine() if finding.subject == subject)


def sick(subject: str, text: str) -> bool:
    finding = found(subject)
    return not finding.fine and text in finding.text


def test_everything_is_looked_at_and_fine() -> None:
    findings = {finding.subject: finding for finding in examine()}
    assert list(findings) == [
        "python", "packages", "device", "memory", "assets", "browser", "writing",
    ]  # fmt: skip
    assert [f for f in findings.values() if not f.fine and f.subject != "memory"] == []
    assert "torch 2." in findings["packages"].text
    assert "threads" in findings["device"].text
    assert "files intact" in findings["assets"].text


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells its memory")
def test_memory_counts_what_programs_can_have() -> None:
    import psutil

    free = float(found("memory").text.split()[0])
    assert free == pytest.approx(psutil.virtual_memory().available / 2**30, rel=0.2, abs=0.3)


def test_a_changed_and_a_missing_asset_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "assets"
    shutil.copytree(srlab.doctor.ASSETS, copy)
    monkeypatch.setattr("srlab.doctor.ASSETS", copy)
    assert found("assets").fine
    with (copy / "photos" / "coffee-cup.jpg").open("ab") as file:
        file.write(b"!")
    (copy / "photos" / "dahlia-flower.jpg").unlink()
    bad = "photos/coffee-cup.jpg, photos/dahlia-flower.jpg"
    assert sick("assets", f"missing or changed: {bad}; install again")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlab.doctor.PACKAGES", ("torch", "no-such-package"))
    assert sick("packages", "no-such-package missing")
    (tmp_path / "file").touch()
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "file"))
    assert sick("writing", f"no access to {tmp_path / 'file'}")
    assert str(Path.cwd()) not in found("writing").text
    monkeypatch.setenv("SRLAB_DEVICE", "gpu")
    assert sick("device", "There is no device 'gpu' here")


def test_it_says_where_the_precision_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "cache" / "precision.json"
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    assert f"(by a trial, kept in {kept}; delete it to try again)" in found("device").text
    assert kept.exists()
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")
    assert found("device").text.endswith("threads, fp32")
