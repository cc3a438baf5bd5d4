"""Moving atoms: relaxation, minimum energy paths, sliding."""

from simkit.solve.breakdown import MdLimits
from simkit.solve.casting import prepare_md
from simkit.solve.cell_band import cell_paths, find_cell_paths, nearest_final, prepare_cell_paths
from simkit.solve.conditions import MdConditions, MdSettings
from simkit.solve.descent import Descent, Limits, State, from_arrays, run, to_arrays
from simkit.solve.dynamics import run_md, status, trajectories, wreck
from simkit.solve.hessian import partial_hessians
from simkit.solve.host import Host, HostSettings, host_cost, host_hessian
from simkit.solve.host_model import HostModel
from simkit.solve.joined import joined_path, piece_of, positions_at
from simkit.solve.loop import Hooks, Observer, Summary, also_saving, hooks_of, iterate
from simkit.solve.motion import Dynamics, Motion, Recorder, integrate
from simkit.solve.motion_arrays import motion_from_arrays, motion_to_arrays
from simkit.solve.optimisers import STEPPERS
from simkit.solve.outcome import CONVERGED, NOT_CONVERGED, Outcome
from simkit.solve.path import (
    BAND_SPRINGS,
    Hop,
    NebSettings,
    Path,
    find_path,
    find_paths,
    first_guess,
    paths,
    prepare_paths,
)
from simkit.solve.precondition import Springs
from simkit.solve.relaxation import RelaxSettings, outcomes, prepare_relaxation, relax
from simkit.solve.schedule import Ramp
from simkit.solve.sliding import SlidePoint, SlideSettings, prepare_slides, settle, slid_by, slide

__all__ = [
    "BAND_SPRINGS",
    "CONVERGED",
    "NOT_CONVERGED",
    "STEPPERS",
    "Descent",
    "Dynamics",
    "Hooks",
    "Hop",
    "Host",
    "HostModel",
    "HostSettings",
    "Limits",
    "MdConditions",
    "MdLimits",
    "MdSettings",
    "Motion",
    "NebSettings",
    "Observer",
    "Outcome",
    "Path",
    "Ramp",
    "Recorder",
    "RelaxSettings",
    "SlidePoint",
    "SlideSettings",
    "Springs",
    "State",
    "Summary",
    "also_saving",
    "cell_paths",
    "find_cell_paths",
    "find_path",
    "find_paths",
    "first_guess",
    "from_arrays",
    "hooks_of",
    "host_cost",
    "host_hessian",
    "integrate",
    "iterate",
    "joined_path",
    "motion_from_arrays",
    "motion_to_arrays",
    "nearest_final",
    "outcomes",
    "partial_hessians",
    "paths",
    "piece_of",
    "positions_at",
    "prepare_cell_paths",
    "prepare_md",
    "prepare_paths",
    "prepare_relaxation",
    "prepare_slides",
    "relax",
    "run",
    "run_md",
    "settle",
    "slid_by",
    "slide",
    "status",
    "to_arrays",
    "trajectories",
    "wreck",
]
