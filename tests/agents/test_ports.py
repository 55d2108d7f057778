"""`agents.ports`."""

from pathlib import Path

from agents.ports import persisted_port, with_ports
from streams.broker import is_free
from streams.settings import Settings


def test_the_brokers_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "broker.port"
    first = persisted_port(file)
    assert persisted_port(file) == first
    file.write_text("not a number")
    assert persisted_port(file) > 0


def test_free_ports_are_chosen_where_the_settings_say_0(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, push_port=0, collector_port=0, worker_port=0, workers=3)
    chosen = with_ports(settings)
    first = chosen.worker_port
    assert all(is_free(port) for port in (*range(first, first + 3), chosen.push_port))
    assert chosen.push_port != chosen.collector_port
    assert chosen.console_port == settings.console_port
