"""Backup, restore and verification of databases and files.

The order makes a backup consistent while everybody goes on working. The databases come first, each
in one snapshot; then the files that they name, which stand in the store before a row names them and
never change. MLflow's snapshot is the older one: a run that it lacks is recorded again from our own
files, while a run too many would meet a later fit of the same id.
"""
