"""Keys appear whole, stay private, and are gone for ever once destroyed."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from monitors.keystore import KeyStore
from streams.errors import ConfigurationError, KeyDestroyedError, SealError
from streams.types import CaseId

CASE = CaseId("c" * 32)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore(tmp_path / "keys")
    made.create(CASE)
    return made


def test_what_was_sealed_opens_again(store: KeyStore) -> None:
    assert store.open_sealed(CASE, store.seal(CASE, b"x", context="a"), context="a") == b"x"


def test_a_seal_shows_nothing_of_what_it_holds_and_never_repeats(store: KeyStore) -> None:
    one, two = (store.seal(CASE, b"a secret word", context="a") for _ in range(2))
    assert one != two
    assert b"secret" not in one


def test_every_altered_bit_is_noticed(store: KeyStore) -> None:
    sealed = store.seal(CASE, b"word", context="a")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(SealError):
            store.open_sealed(CASE, bytes(altered), context="a")


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_a_seal_cut_short_is_noticed(store: KeyStore, length: int) -> None:
    with pytest.raises(SealError):
        store.open_sealed(CASE, store.seal(CASE, b"word", context="a")[:length], context="a")


def test_a_seal_opens_neither_in_another_place_nor_in_another_case(store: KeyStore) -> None:
    other = CaseId(uuid4().hex)
    store.create(other)
    sealed = store.seal(CASE, b"word", context="a")
    with pytest.raises(SealError):
        store.open_sealed(CASE, sealed, context="b")
    with pytest.raises(SealError):
        store.open_sealed(other, sealed, context="a")


def test_one_cases_key_file_does_not_open_another_case(store: KeyStore, tmp_path: Path) -> None:
    other = CaseId(uuid4().hex)
    folder = tmp_path / "keys" / "cases"
    (folder / f"{other}.key").write_bytes((folder / f"{CASE}.key").read_bytes())
    with pytest.raises(KeyDestroyedError):
        store.seal(other, b"word", context="a")


def test_the_same_bytes_have_one_name_in_a_case_and_another_elsewhere(store: KeyStore) -> None:
    other = CaseId(uuid4().hex)
    store.create(other)
    assert store.hmac(CASE, b"x") == store.hmac(CASE, b"x")
    assert len({store.hmac(CASE, b"x"), store.hmac(CASE, b"y"), store.hmac(other, b"x")}) == 3


def test_a_destroyed_key_opens_nothing_ever_again(store: KeyStore, tmp_path: Path) -> None:
    sealed = store.seal(CASE, b"word", context="a")
    assert store.destroy(CASE)
    assert not store.has(CASE)
    for again in (store, KeyStore(tmp_path / "keys")):
        with pytest.raises(KeyDestroyedError):
            again.open_sealed(CASE, sealed, context="a")
        with pytest.raises(KeyDestroyedError):
            again.hmac(CASE, b"word")
    assert not store.destroy(CASE)


def test_a_destroyed_key_is_overwritten_before_its_name_goes(
    store: KeyStore, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "cases" / f"{CASE}.key"
    os.link(file, tmp_path / "same-blocks")
    before = file.read_bytes()
    store.destroy(CASE)
    after = (tmp_path / "same-blocks").read_bytes()
    assert len(after) == len(before)
    assert after[:20] != before[:20]
    assert after[20:] != before[20:]


def test_a_machine_that_stopped_while_overwriting_has_destroyed_the_key(
    store: KeyStore, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "cases" / f"{CASE}.key"
    for left in (b"", os.urandom(10), os.urandom(73)):
        file.write_bytes(left)
        with pytest.raises(KeyDestroyedError):
            store.seal(CASE, b"word", context="a")
    assert store.destroy(CASE)


def test_making_a_key_again_keeps_the_first(store: KeyStore) -> None:
    sealed = store.seal(CASE, b"word", context="a")
    store.create(CASE)
    assert store.open_sealed(CASE, sealed, context="a") == b"word"


def test_only_the_owner_can_look(store: KeyStore, tmp_path: Path) -> None:
    store.audit_key()
    store.secret("push_token")
    for path in (tmp_path / "keys").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_nothing_half_made_stays_behind(store: KeyStore, tmp_path: Path) -> None:
    names = {path.name for path in (tmp_path / "keys").rglob("*") if path.is_file()}
    assert names == {"kek", f"{CASE}.key"}


def test_a_lost_kek_is_said_and_not_replaced(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "keys" / "kek").unlink()
    with pytest.raises(ConfigurationError, match="missing"):
        store.seal(CASE, b"word", context="a")
    with pytest.raises(ConfigurationError, match="missing"):
        store.create(CaseId(uuid4().hex))


def test_a_foreign_kek_is_a_wrong_setting_and_not_an_erasure(
    store: KeyStore, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "kek").write_bytes(os.urandom(32))
    with pytest.raises(ConfigurationError, match="not the one"):
        store.seal(CASE, b"word", context="a")


def test_an_identifier_cannot_lead_out_of_the_store(store: KeyStore) -> None:
    for bad in ("../kek", "", "C" * 32, "c" * 31):
        with pytest.raises(ValueError, match="identifier"):
            store.destroy(CaseId(bad))
    with pytest.raises(ValueError, match="name"):
        store.secret("../kek")


def test_secrets_stay_what_they_were_made(store: KeyStore, tmp_path: Path) -> None:
    token = store.secret("push_token")
    assert KeyStore(tmp_path / "keys").secret("push_token") == token
    assert len(token) >= 40
    assert store.secret("other") != token


def test_the_webhook_secret_is_one_that_standard_webhooks_takes(store: KeyStore) -> None:
    secret = store.secret("webhook_secret")
    assert secret.startswith("whsec_")
    Webhook(secret)


def test_a_store_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot read"):
        KeyStore(tmp_path / "keys").audit_key()


def test_processes_that_start_at_once_share_the_same_keys(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from monitors.keystore import KeyStore;"
        "folder = Path(sys.argv[1]); store = KeyStore(folder / 'keys'); case = 'c' * 32;"
        "print('ready', flush=True);"
        "sys.stdin.readline(); store.create(case);"
        "print(store.audit_key().hex(), store.secret('push_token'), store.hmac(case, b'x'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = {process.communicate(timeout=30)[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert len(seen) == 1
