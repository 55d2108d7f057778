"""A process's /metrics, /healthz and /readyz."""

from collections.abc import Callable, Sequence

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from monitors import metrics
from streams.errors import ConfigurationError

log = structlog.get_logger()

Reasons = Callable[[], Sequence[str]]
"""Says why the process is not ready; nothing where it is. Must return at once."""

SHUTDOWN_SECONDS = 1.0


class Serving:
    """A small HTTP server in the process's own loop: if the loop hangs, it does not answer.

    Args:
        host: address to bind.
        port: likewise; 0: any.
        reasons: see `Reasons`.
    """

    def __init__(self, host: str, port: int, reasons: Reasons) -> None:
        self._host = host
        self._port = port
        self._reasons = reasons
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigurationError: the port is taken, or is not ours to bind.
        """
        app = web.Application()
        app.router.add_get("/metrics", _metrics)
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            raise ConfigurationError(
                f"port {self._port} for metrics and health cannot be bound: {error.strerror}"
            ) from error

    @property
    def port(self) -> int:
        """The port that is served."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Close the port. Idempotent."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _readyz(self, _request: web.Request) -> web.Response:
        reasons = list(self._reasons())
        metrics.READY.set(not reasons)
        content = {"ready": not reasons, "reasons": reasons}
        return web.json_response(content, status=503 if reasons else 200)


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(
        body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )
