"""From a campaign file to tasks: combinations, filters, shared work, what changes re-runs."""

import pytest
from campaigns import CAMPAIGN, STUDY, written

from simkit.errors import InputError
from simkit.workflows.campaign import config, plan, run


def resolved(folder, campaign=CAMPAIGN, study=STUDY):
    return run.resolve(written(folder, campaign, study))


def keys(found, step):
    return {task.key for task in found.tasks.values() if task.step == step}


def test_lists_ranges_tables_filters_and_replicas(tmp_path):
    text = """
study = "study.toml"
replicas = 2
where = [
    "structure.blocks.0.content < structure.blocks.1.content",
    "structure.blocks.0.gaps + structure.blocks.1.gaps <= 5",
]
[over]
"structure.blocks.0.content" = { start = 0.5, stop = 1.0, count = 3 }
[[together]]
"structure.blocks.0.gaps" = [2, 4]
"structure.blocks.1.gaps" = [3, 3]
"""
    _, found = config.read(written(tmp_path, text))
    changes = [member.changes for member in found]
    assert [c["structure.blocks.0.content"] for c in changes] == [0.5, 0.5, 0.75, 0.75]
    assert [c["seed"] for c in changes] == [3, 4, 3, 4]
    assert {c["structure.blocks.0.gaps"] for c in changes} == {2}
    assert len({member.name for member in found}) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('study = "study.toml"\n[over]\n"relax.fmx" = [1]', "relax.fmx"),
        ('study = "study.toml"\n[over]\n"relax.max_steps" = []', "empty"),
        ('study = "study.toml"\nsteps = ["relaxatoin"]', "'relaxation'"),
        ('study = "study.toml"\nwhere = ["seed"]', "no comparison"),
        ('study = "study.toml"\nwhere = ["sed == 3"]', "neither a number nor a key"),
        ('study = "study.toml"\nwhere = ["seed < name"]', "cannot be compared"),
        ('study = "study.toml"\nwhere = ["seed == 99"]', "no combination"),
        ('study = "study.toml"\n[[together]]\nseed = [1, 2]\n"relax.max_steps" = [1]', "equally long"),
        ('study = "nowhere.toml"', "no such study file"),
        ('study = "study.toml"\nreplica = 3', "replicas"),
        ('study = "study.toml"\n[over]\npotential = ["mace:weights.model?trust=weights.model"]', "cannot vouch"),
        ('study = "study.toml"\n[over]\n"migration.ion" = ["Li"]', "study .* migration.ion"),
    ],
)
def test_every_mistake_has_its_sentence_before_anything_runs(text, words, tmp_path):
    with pytest.raises(InputError, match=words):
        resolved(tmp_path, text)


def test_shared_work_is_one_task(tmp_path):
    found = resolved(tmp_path)
    assert len(found.members) == 4
    assert len(keys(found, "relaxation")) == 4
    assert len(keys(found, "phase")) < 8, "P2 and O3 of each of four studies: equal cells are one"
    o3 = [task for task in found.tasks.values() if task.step == "phase" and task.phase == "O3"]
    assert len(o3) == 1, "the O3 block is the same in all four"


def test_a_change_changes_the_keys_of_what_it_reaches_and_of_nothing_else(tmp_path):
    before = resolved(tmp_path / "a")
    after = resolved(tmp_path / "b", study=STUDY.replace("[migration]\nimages = 1", "[migration]\nimages = 2"))
    for step in ("phase", "relaxation", "strained phases", "gliding", "stress"):
        assert keys(before, step) == keys(after, step), step
    assert not keys(before, "migration") & keys(after, "migration")
    assert not keys(before, "report") & keys(after, "report")
    harder = resolved(
        tmp_path / "c", study=STUDY.replace("max_steps = 3\n\n[migration]", "max_steps = 4\n\n[migration]")
    )
    assert not set(before.tasks) & set(harder.tasks)
    elsewhere = resolved(tmp_path / "d", study=STUDY.replace('device = "cpu"', 'device = "auto"'))
    assert set(before.tasks) - keys(before, "report") == set(elsewhere.tasks) - keys(elsewhere, "report")


def test_only_what_is_asked_for_and_what_that_needs(tmp_path):
    found = resolved(tmp_path, CAMPAIGN.replace('study = "study.toml"', 'study = "study.toml"\nsteps = ["stress"]'))
    assert {task.step for task in found.tasks.values()} == {"phase", "relaxation", "stress"}


def test_needs_come_first_and_batches_keep_to_their_size(tmp_path):
    limit = "batch_GB = 0.4"
    found = resolved(tmp_path, CAMPAIGN.replace('study = "study.toml"', f'study = "study.toml"\n{limit}'))
    seen = set()
    for key, task in found.tasks.items():
        assert set(task.needs) <= seen
        seen.add(key)
    sizes = [sum(found.tasks[key].memory_MB for key in unit) for unit in found.units() if len(unit) > 1]
    assert sizes
    assert max(sizes) <= 400
    assert sorted(key for unit in found.units() for key in unit) == sorted(found.tasks)
    for unit in found.units():
        assert not {need for key in unit for need in found.tasks[key].needs} & set(unit), "nobody needs his company"
        assert len({found.tasks[key].title for key in unit}) == 1
    assert len(resolved(tmp_path).units()) < len(found.units()), "more memory, larger batches"


def test_many_workers_may_share_one_study(tmp_path):
    alone = run.resolve(written(tmp_path / "a", 'study = "study.toml"'))
    assert not [task for task in alone.tasks.values() if task.stage], "nobody to share with"
    found = run.resolve(written(tmp_path / "b", 'study = "study.toml"\nspread = 3'))
    shares = [task for task in found.tasks.values() if task.title == "gliding: points" and not task.phase]
    assert [(task.part, task.parts) for task in shares] == [(0, 3), (1, 3), (2, 3)]
    (gliding,) = keys(found, "gliding") - {task.key for task in found.tasks.values() if task.stage}
    assert {task.key for task in shares} <= set(found.tasks[gliding].needs)
    bands = [task for task in found.tasks.values() if task.title == "migration: bands"]
    assert {found.tasks[need].title for task in bands for need in task.needs} == {"migration: states"}
    assert set(alone.tasks) <= set(found.tasks), "how the work is shared is in no key of a step"


def test_small_memory_cuts_the_work_of_one_cell(tmp_path):
    found = run.resolve(written(tmp_path, 'study = "study.toml"\nbatch_GB = 0.5'))
    shares = [task for task in found.tasks.values() if task.title == "gliding: points" and not task.phase]
    assert len(shares) > 1
    assert max(task.memory_MB for task in shares) <= 500 or all(task.parts == 4 for task in shares)


def test_work_on_a_bulk_phase_is_done_once_for_all_studies(tmp_path):
    found = resolved(tmp_path)
    (o3,) = [task for task in found.tasks.values() if task.title == "gliding: points" and task.phase == "O3"]
    steps = [task for task in found.tasks.values() if task.title == "gliding"]
    assert len(steps) == 4
    assert all(o3.key in task.needs for task in steps)
    assert not [task for task in found.tasks.values() if task.stage and not task.phase], "the cells are all different"


def test_segments_of_dynamics_follow_one_another(tmp_path):
    study = STUDY + "[dynamics]\nsegment_ps = 0.01\n[dynamics.run]\ntemperatures_K = [300, 600]\nlength_ps = 0.025\n"
    found = run.resolve(written(tmp_path, 'study = "study.toml"\nspread = 2', study))
    segments = {(task.stage, task.part): task for task in found.tasks.values() if task.title == "dynamics: segment"}
    assert sorted(segments) == [(f"segment {k}", part) for k in range(3) for part in range(2)]
    for (stage, part), task in segments.items():
        k = int(stage.split()[1])
        if k:
            assert task.needs == (segments[f"segment {k - 1}", part].key,)


def test_a_step_without_its_table_is_missed_by_name(tmp_path):
    with pytest.raises(InputError, match=r"'elastic' is done where the study has a table \[elastic\]"):
        resolved(tmp_path, CAMPAIGN.replace('study = "study.toml"', 'study = "study.toml"\nsteps = ["elastic"]'))


def test_the_lock_file_says_it_all(tmp_path):
    found = resolved(tmp_path)
    plan.write(tmp_path, found)
    assert plan.read(tmp_path) == found
    (tmp_path / plan.LOCK).write_bytes((tmp_path / plan.LOCK).read_bytes()[:-9])
    with pytest.raises(Exception, match="Submit the campaign file again"):
        plan.read(tmp_path)
    with pytest.raises(InputError, match="holds no campaign"):
        plan.read(tmp_path / "nowhere")


def test_a_study_is_a_campaign_of_one_in_its_own_folder(tmp_path):
    written(tmp_path)
    found = run.resolve(tmp_path / "study.toml")
    (member,) = found.members
    assert found.single
    assert found.folder(tmp_path, member) == tmp_path
