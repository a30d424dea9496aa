"""Errors that a user can act on. Each subclasses a builtin, so callers need not know this module."""

from __future__ import annotations


class KaryofastError(Exception):
    """Base of every error that karyofast raises on purpose."""


class ImageError(KaryofastError, ValueError):
    """A picture cannot be read or used; the message names the file and the reason."""


class OptionError(KaryofastError, ValueError):
    """A setting is not of the allowed kind; the message names it, the value got and what is allowed."""


class OutputError(KaryofastError, OSError):
    """Results cannot be written: a folder that may not be written to, a full disk; the message names the place."""


class ModelError(KaryofastError, ValueError):
    """A model directory is missing, broken or of another kind than asked for."""


class DataError(KaryofastError, ValueError):
    """A data set, manifest or truth file cannot be used; the message names the file and the row."""


class NotBuiltError(KaryofastError, RuntimeError):
    """A compiled kernel or an optional package was asked for and is not there."""


class TrainingError(KaryofastError, RuntimeError):
    """A training has diverged or collapsed: what it would have written is of no use."""
