"""The only place that wires settings, store, connectors and services together."""

from __future__ import annotations

from arsync.bootstrap.app import App

__all__ = ["App"]
