"""A campaign small enough for tests: real cells, a Morse potential, a few steps of everything."""

import hashlib
import json
from pathlib import Path

STUDY = """
name = "small P2/O3"
seed = 3
dtype = "float64"
device = "cpu"
potential = "morse"

[structure]
repeats = [2, 1]

[[structure.blocks]]
phase = "P2"
gaps = 2
metals = { Co = 1.0 }
content = 1.0

[[structure.blocks]]
phase = "O3"
gaps = 1
metals = { Co = 1.0 }
content = 1.0

[relax]
cell = "fixed"
fmax_eV_per_A = 0.1
max_steps = 3

[migration]
images = 1
end_fmax_eV_per_A = 0.1
fmax_eV_per_A = 0.2
max_steps = 3

[gliding]
points = 3
letters = [1]
modes = ["rigid"]
"""

CAMPAIGN = """
name = "map"
study = "study.toml"

[over]
"structure.blocks.0.content" = [0.75, 1.0]
seed = { start = 3, stop = 4, count = 2 }
"""


def written(folder: Path, campaign: str = CAMPAIGN, study: str = STUDY) -> Path:
    """Both files; the path of the campaign's."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(study)
    (folder / "campaign.toml").write_text(campaign)
    return folder / "campaign.toml"


def fingerprint(root: Path) -> dict[str, str]:
    """SHA-256 of every result file of a campaign: kept values, sealed results, the table."""
    paths = [*(root / "tasks").rglob("*.npz"), *(root / "tasks").rglob("result.json"), root / "results.csv"]
    paths += [*(root / "studies").glob("*/results.json")]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def events(root: Path) -> list[dict]:
    """Every line of every attempts.jsonl."""
    texts = [path.read_text() for path in (root / "tasks").rglob("attempts.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]
