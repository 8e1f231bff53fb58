"""Torch modules: networks and losses. No files, no configuration, no choice of device.

Convention:
    images float32 [B, 3, H, W] RGB in [0, 1]; masks float32 [B, 1, H, W] in [0, 1], 1 = face.
"""
