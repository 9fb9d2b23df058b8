# SPDX-License-Identifier: GPL-3.0-or-later
"""Niceties of the window after a take has come in. Does nothing where there is no window."""

import bpy


def arrange(scene: bpy.types.Scene) -> None:
    """Look through the scene's camera in every 3D view of windows that show the scene, with the lit, coloured solid shading."""
    if bpy.app.background:
        return
    for window in bpy.context.window_manager.windows:
        if window.scene != scene:
            continue
        if hasattr(window.workspace, "sequencer_scene"):  # from 5.0 the sequencer's scene is chosen apart
            window.workspace.sequencer_scene = scene
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                _show(area.spaces.active)


def _show(view: bpy.types.SpaceView3D) -> None:
    view.region_3d.view_perspective = "CAMERA"
    view.region_3d.view_camera_zoom, view.region_3d.view_camera_offset = 26.0, (0.0, 0.0)  # its frame nearly fills the view
    view.clip_start = 0.01
    view.overlay.show_relationship_lines = False
    if view.shading.type == "SOLID":
        view.shading.color_type = "MATERIAL"
        view.shading.show_shadows = True
        view.shading.show_cavity = True
