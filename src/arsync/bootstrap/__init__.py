"""The only place that wires settings, store, connectors and services together."""

from __future__ import annotations

from arsync.bootstrap.app import App
from arsync.bootstrap.present import Present
from arsync.bootstrap.queueing import lay_queue, queue

__all__ = ["App", "Present", "lay_queue", "queue"]
