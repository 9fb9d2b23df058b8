# SPDX-License-Identifier: GPL-3.0-or-later
"""Piano Hands: the part that runs inside Blender.

Importing this package has no effect and needs no bpy, so that the backend may use `wire` and `motion`.
"""


def register() -> None:
    from . import registration

    registration.register()


def unregister() -> None:
    from . import registration

    registration.unregister()
