"""A console with one user of each role, over a database that the test fills."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from dashboards.console.accounts import Accounts
from dashboards.console.app import build_console
from dashboards.console.auth import Passwords, Role
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.keystore import KeyStore
from streams.settings import Settings
from tests.fakes import FakeClock

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Browser:
    """Follows nothing by itself; keeps cookies."""

    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def submit(self, path: str, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page, with its token."""
        return await self.client.post(path, data=hidden(page) | fields)

    async def log_in(self, name: str = "officer", password: str = PASSWORD) -> httpx.Response:
        page = await self.get("/login")
        return await self.submit("/login", page, name=name, password=password)


def hidden(page: httpx.Response) -> dict[str, str]:
    """Read the hidden fields of a page's forms."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))


@pytest.fixture
def audit(settings: Settings) -> AuditLog:
    return AuditLog(KeyStore(settings.keys_dir).audit_key())


@pytest.fixture
def accounts(database: Database, clock: FakeClock, audit: AuditLog) -> Accounts:
    """The accounts, one of each role, all with the same password."""
    opened = Accounts(database, clock, audit, Passwords(CHEAP), actor="root")
    for role in Role:
        opened.add(role, role, PASSWORD)
    return opened


@pytest.fixture
def app(settings: Settings, database: Database, clock: FakeClock, accounts: Accounts) -> FastAPI:
    return build_console(settings, database, clock, hasher=CHEAP)


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8600"
    ) as client:
        yield Browser(client)
