"""Runs programs that nobody trusts against their tests: `from sandbox import Sandbox`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.box import Sandbox
    from sandbox.model import Assert, Call, Case, Container, Limits, Outcome, Program, SandboxError, Stdin

__all__ = ["Assert", "Call", "Case", "Container", "Limits", "Outcome", "Program", "Sandbox", "SandboxError", "Stdin"]


def __getattr__(name: str) -> Any:
    # Late, so that a worker which needs `sandbox.worker_loop` alone does not import pydantic and asyncio first.
    if name == "Sandbox":
        from sandbox.box import Sandbox

        return Sandbox
    if name in __all__:
        from sandbox import model

        return getattr(model, name)
    raise AttributeError(f"module 'sandbox' has no attribute '{name}'")
