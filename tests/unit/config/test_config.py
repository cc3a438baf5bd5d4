import pytest
from pydantic import Field

from simkit.config import Section, checked, read_toml, with_overrides
from simkit.errors import InputError


class Inner(Section):
    content: float = Field(default=1.0, ge=0, le=1)


class Outer(Section):
    steps: int = Field(default=3, gt=0)
    blocks: list[Inner] = Field(default_factory=list)
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"stepz": 3}, "stepz: unknown key; did you mean 'steps'"),
        ({"inner": {"contnt": 1.0}}, "inner.contnt: unknown key; did you mean 'content'"),
        ({"blocks": [{"contents": 1.0}]}, "blocks.0.contents: unknown key; did you mean 'content'"),
        ({"steps": -1}, "steps = -1: should be greater than 0"),
        ({"steps": "many"}, "steps = 'many': should be a valid integer"),
        ({"inner": {"content": 1.5}}, "inner.content = 1.5: should be less than or equal to 1"),
    ],
)
def test_each_mistake_is_one_clear_line(data, words):
    with pytest.raises(InputError) as caught:
        checked(Outer, data)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_overrides_reach_tables_and_lists():
    data = {"blocks": [{"content": 1.0}], "inner": {}}
    changed = with_overrides(data, ["blocks.0.content=0.5", "inner.content=0.25", "steps=7", "name=trial"])
    assert changed == {"blocks": [{"content": 0.5}], "inner": {"content": 0.25}, "steps": 7, "name": "trial"}
    assert data == {"blocks": [{"content": 1.0}], "inner": {}}


@pytest.mark.parametrize("assignment", ["steps", "=3", "blocks.4.content=1"])
def test_a_bad_override_says_so(assignment):
    with pytest.raises(InputError, match="--set"):
        with_overrides({"blocks": [{}]}, [assignment])


def test_files_that_are_no_study(tmp_path):
    with pytest.raises(InputError, match="no such study file"):
        read_toml(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="regular file"):
        read_toml(tmp_path)
    bad = tmp_path / "bad.toml"
    bad.write_text("a = [1,")
    with pytest.raises(InputError, match="not valid TOML"):
        read_toml(bad)
