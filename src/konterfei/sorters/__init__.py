"""Sorters: orders of a faceset's crops. A new one is one function and one line in the table."""
