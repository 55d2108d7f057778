"""Errors of the kernels.

`gpu_kernels` imports nothing of ours, so they are no `StreamError`s: wiring translates them. Every
class carries the same kind of `reason`.

KernelError
├── ModelError            a model's file is missing, altered or cannot be loaded
├── EngineChildError      no engine child can be had
└── PoisonedInputError    over one medium two children died or said nonsense: it is `unreadable`
"""

from typing import ClassVar


class KernelError(Exception):
    """Base class of what `gpu_kernels` raises on purpose."""

    reason: ClassVar[str] = "kernel"
    """The metric label and dead-letter field: snake_case, never renamed."""


class ModelError(KernelError):
    """A model's file is missing, altered or cannot be loaded; the message says the way out."""

    reason = "model"


class EngineChildError(KernelError):
    """No engine child can be had: they die before they are asked anything."""

    reason = "engine"


class PoisonedInputError(KernelError):
    """Over one medium two engine children died, or answered what cannot be."""

    reason = "poisoned_input"
