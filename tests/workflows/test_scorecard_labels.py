"""Which held-out labels belong to a model, and when they are left alone."""

import gzip
import json
from importlib import resources

import pytest
from ionic import rattled_labels

from simkit.errors import InputError
from simkit.workflows.distill.dataset import checksum, write_extxyz
from simkit.workflows.scorecard import labels_of
from simkit.workflows.scorecard.labels import NO_LABELS


@pytest.fixture(scope="module")
def labels():
    return rattled_labels()


@pytest.fixture
def folder(tmp_path, labels):
    """What `distill` leaves there, but for the models."""
    write_extxyz(tmp_path / "held-out.extxyz", labels)
    write_record(tmp_path / "mine.record.json", labels)
    return tmp_path


def write_record(path, labels):
    path.write_text(json.dumps({"recipe": {"name": "mine"}, "held_out_sha256": checksum(labels)}))


def test_the_embedded_model_has_the_labels_that_its_record_names():
    record = json.loads(resources.files("simkit.potentials").joinpath("nalox.record.json").read_text())
    found = labels_of("default")
    assert found.labels is not None, found.words
    assert checksum(found.labels) == record["held_out_sha256"]
    assert len(found.labels) == record["held_out"]
    assert "nalox.held-out.extxyz.gz" in found.words and "nalox.record.json" in found.words


@pytest.mark.parametrize("name", ["mine.json", "mine.safetensors", "mine", "mine-2.json"])
def test_a_distilled_model_and_its_fellows_have_those_of_their_folder(folder, labels, name):
    found = labels_of(f"simkit:{folder / name}?path=torch")
    assert checksum(found.labels) == checksum(labels)
    assert found.words == f"labels: {folder / 'held-out.extxyz'}; held out says mine.record.json"


def test_members_of_a_committee_share_them(folder, labels, tmp_path_factory):
    members = [f"simkit:{folder / name}.json" for name in ("mine", "mine-2", "mine-3")]
    assert checksum(labels_of(f"committee:{','.join(members)}").labels) == checksum(labels)
    other = tmp_path_factory.mktemp("other")
    write_extxyz(other / "held-out.extxyz", labels)
    for stranger in (f"simkit:{other / 'mine.json'}", "chgnet"):
        assert labels_of(f"committee:{members[0]},{stranger}").labels is None, "what one never saw the other may know"


def test_labels_that_the_record_of_the_model_does_not_name_are_left_out(folder, labels):
    write_extxyz(folder / "held-out.extxyz", labels[1:])
    found = labels_of(f"simkit:{folder / 'mine.json'}")
    assert found.labels is None
    assert found.words.startswith(NO_LABELS) and "mine.record.json" in found.words and "held_out_sha256" in found.words
    write_record(folder / "other.record.json", labels[1:])
    assert labels_of(f"simkit:{folder / 'mine.json'}").labels is None, "this one may have learnt those"
    renamed = labels_of(f"simkit:{folder / 'renamed.json'}")
    assert renamed.labels is not None and "other.record.json" in renamed.words
    for text in ("{}", "[]", "no JSON"):
        (folder / "mine.record.json").write_text(text)
        assert labels_of(f"simkit:{folder / 'mine.json'}").labels is None, "fails closed"


def test_labels_without_a_record_are_taken_and_that_is_said(folder):
    (folder / "mine.record.json").unlink()
    found = labels_of(f"simkit:{folder / 'mine.json'}")
    assert found.labels is not None and "no record" in found.words


def test_labels_of_its_own_name_go_first_and_damage_is_said(folder, labels):
    own = folder / "mine.held-out.extxyz.gz"
    own.write_bytes(gzip.compress((folder / "held-out.extxyz").read_bytes()))
    (folder / "held-out.extxyz").write_text("nothing")
    assert checksum(labels_of(f"simkit:{folder / 'mine.json'}").labels) == checksum(labels)
    own.write_bytes(own.read_bytes()[:-20])
    found = labels_of(f"simkit:{folder / 'mine.json'}")
    assert found.labels is None
    assert found.words.startswith(NO_LABELS) and "no whole gzip file" in found.words


def test_other_potentials_have_none(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with_d3, bare = f"simkit:{folder / 'mine.json'}+d3", f"simkit:{empty / 'mine.json'}"
    for spec in ("chgnet", "morse", "mace:some.model", with_d3, bare):
        found = labels_of(spec)
        assert (found.labels, found.words) == (None, NO_LABELS), spec
    with pytest.raises(InputError, match="unknown potential"):
        labels_of("chgnett")
