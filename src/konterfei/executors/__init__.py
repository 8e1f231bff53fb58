"""Executors: one function over many tasks, on one machine or more. A new one is one file here.

local.py     processes on this machine
"""

from konterfei.executors.local import LocalExecutor, Stopped, Voice

__all__ = ["LocalExecutor", "Stopped", "Voice"]
