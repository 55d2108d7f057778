"""`streams.media.probes`: what hostile media would try, tried in a really locked child."""

import warnings
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streams.errors import DecoderCrashedError
from streams.media.decoder import SandboxedDecoder
from streams.media.frames import EXIT_DENIED
from streams.media.probes import DENIED, HOSTILE, PROBES
from streams.media.sandbox import bubblewrap_works, sandbox_status

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail),
]

KINDS = [
    pytest.param(
        "landlock",
        marks=pytest.mark.skipif(sandbox_status().kind != "landlock", reason="no Landlock"),
    ),
    pytest.param(
        "bubblewrap",
        marks=pytest.mark.skipif(not bubblewrap_works(), reason="bubblewrap does not work here"),
    ),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=KINDS)
async def decoder(request: pytest.FixtureRequest) -> AsyncIterator[SandboxedDecoder]:
    decoder = SandboxedDecoder(timeout_seconds=20, kind=request.param)
    await decoder.start()
    yield decoder
    await decoder.close()


@pytest.mark.parametrize("name", sorted(DENIED))
async def test_a_locked_child_is_denied(decoder: SandboxedDecoder, name: str) -> None:
    assert await decoder.probe(name) == EXIT_DENIED


@pytest.mark.parametrize(
    "name",
    sorted(
        DENIED.keys() - {"write_file", "execute", "fork", "signal_zygote", "mount", "stop", "trace"}
    ),
)
async def test_an_unlocked_process_is_not_denied(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        DENIED[name](memoryview(b""))


async def test_a_child_that_eats_memory_hits_the_limit(decoder: SandboxedDecoder) -> None:
    assert await decoder.probe("eat_memory") == 1


async def test_a_child_that_crashes_is_told_by_its_signal(decoder: SandboxedDecoder) -> None:
    assert await decoder.probe("crash") == -11


async def test_a_child_that_forges_its_answer_ends_like_any_other(
    decoder: SandboxedDecoder,
) -> None:
    assert await decoder.probe("forge") == 0


@pytest.mark.parametrize("name", ["sleep", "spin"])
async def test_a_child_that_never_ends_is_ended(name: str) -> None:
    decoder = SandboxedDecoder(timeout_seconds=0.3)
    await decoder.start()
    with pytest.raises(DecoderCrashedError, match="time"):
        await decoder.probe(name)
    await decoder.close()


async def test_a_name_means_one_probe() -> None:
    assert len(dict(PROBES)) == len(PROBES) == len(DENIED) + len(HOSTILE)
