"""Snakemake's `--executor lohrec`: jobs as a folder that runs elsewhere, found by its name."""

from snakemake_executor_plugin_lohrec.executor import Executor, ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
