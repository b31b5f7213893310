"""Snakemake's `--logger lohrec`: one line a step. Snakemake finds this package by its name."""

from snakemake_logger_plugin_lohrec.handler import LogHandler

__all__ = ["LogHandler"]
