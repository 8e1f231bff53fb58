"""Bytes to objects and back: video, images, facesets, runs, manifests.

The only floor that knows codecs, containers, BGR and how files are replaced safely. Nothing here imports torch.
"""
