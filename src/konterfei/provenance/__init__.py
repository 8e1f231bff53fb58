"""Whose face, with what right, and how a viewer can tell: consent records, visible labels, signed credentials.

consent.py       the record that a swap needs; checked, written
record_file.py   its TOML file, with errors that name the line
label.py         the visible label
certificate.py   whose signature: a certificate given, or a self-made one
layout.py        boxes of an MP4/MOV file, as far as marking needs them
streams.py       open files as c2pa wants them
credentials.py   writing C2PA Content Credentials into a finished video
verification.py  reading them back: marked, untouched, by what
verdict.py       what was found, and how it is told
"""
