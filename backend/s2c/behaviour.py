# SPDX-License-Identifier: GPL-3.0-or-later
"""What the published S2C scripts do by accident, each behind a name, and what is done instead by default."""

from dataclasses import dataclass

from s2c_blender.wire.errors import PianoHandsError


@dataclass(frozen=True)
class Behaviour:
    """The defaults are the right way; `REFERENCE` is what the published scripts do.

    joint_normalisation: the loudness of a recording is normalised over everything in the batch, so that a take depends on what
      happens to be computed beside it. Right: over each recording alone.
    causal_alone: with one window in the batch the position and condition transformers see only the past, with weights that fall
      with distance. Training always had more than one and no mask. Right: no mask, as trained.
    same_start: both hands start from one and the same noise, where training drew it apart for each hand. Right: apart.
    dropout: the scripts never switch dropout off, so a tenth of the transformers' signals is lost at random. Right: off.
    filter_vectors: Savitzky-Golay smoothing of each number of the rotation vectors, which breaks where a vector wraps at pi.
      Right: the same filter on unit quaternions of one sign.
    """

    joint_normalisation: bool = False
    causal_alone: bool = False
    same_start: bool = False
    dropout: bool = False
    filter_vectors: bool = False


RIGHT = Behaviour()
REFERENCE = Behaviour(joint_normalisation=True, causal_alone=True, same_start=True, dropout=True, filter_vectors=True)


def behaviour(compatibility: str = "none") -> Behaviour:
    """ "none" (the right way) or "reference". Raises PianoHandsError('bad-setting')."""
    known = {"none": RIGHT, "reference": REFERENCE}
    if compatibility not in known:
        raise PianoHandsError("bad-setting", f"There is no compatibility {compatibility!r}.", f"Choose one of {', '.join(known)}.")
    return known[compatibility]
