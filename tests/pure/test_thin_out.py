# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: within the stated error everywhere, exact where it has to be."""

import numpy as np

from s2c_blender.motion.thin_out import in_contact, kept_frames

TIMES = np.linspace(0.0, 10.0, 601)


def between(kept: np.ndarray, curves: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(np.arange(len(curves)), kept, curves[kept, column]) for column in range(curves.shape[1])], axis=1)


def test_straight_lines_stay_within_the_error_and_need_fewer_keys() -> None:
    curves = np.stack([np.sin(TIMES), np.cos(1.7 * TIMES)], axis=1)
    kept = kept_frames(curves, np.full((601, 2), 0.01))
    assert np.abs(between(kept, curves) - curves).max() <= 0.01 + 1e-12
    assert kept[0] == 0 and kept[-1] == 600 and len(kept) < 90


def test_every_frame_in_contact_is_kept() -> None:
    curves = np.sin(3.0 * TIMES)[:, None]
    contact = in_contact(TIMES, [(2.0, 3.0), (7.0, 7.1)], margin=0.02)
    kept = kept_frames(curves, np.where(contact[:, None], 0.0, 0.05))
    assert set(np.flatnonzero(contact)) <= set(kept.tolist())
    assert (np.abs(between(kept, curves) - curves)[contact] == 0.0).all()
    assert len(kept) < contact.sum() + 60


def test_what_does_not_move_needs_few_keys() -> None:
    assert len(kept_frames(np.ones((601, 3)), np.full((601, 1), 1e-6))) <= 5
