"""Which IP addresses the fetcher may connect to: public unicast ones, and nothing that hides one.

The lists are our own because `ipaddress.is_global` of Python 3.11 calls NAT64, 6to4, `::127.0.0.1`
and multicast addresses global (measured, 3.11.7).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address

FORBIDDEN_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # "this network", RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; also a cloud's metadata (100.100.100.200)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local and most clouds' metadata
        "168.63.129.16/32",  # Azure's host agent: public range, private service
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA's special-purpose registry for IPv4, and known metadata services outside of it."""

GLOBAL_V6 = IPv6Network("2000::/3")
"""The only IPv6 unicast space that IANA has handed out. Loopback, ::a.b.c.d, SIIT, NAT64
(64:ff9b::/96), unique local, link-local and multicast addresses all lie outside of it."""

FORBIDDEN_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""Special-purpose blocks inside `GLOBAL_V6`."""

ISATAP_MARKS = (0x00005EFE, 0x02005EFE)
"""Bits 64 to 95 of an ISATAP address, whose last 32 bits are an IPv4 address (RFC 5214)."""


def is_public(address: IPAddress | str) -> bool:
    """Say whether the fetcher may connect to this address.

    An IPv4 address mapped into IPv6 is judged as that IPv4 address. Text that is no address, and
    an address with a zone, is not public.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    if parsed.ipv4_mapped is not None and parsed.scope_id is None:
        return _is_public_v4(parsed.ipv4_mapped)
    return _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in block for block in FORBIDDEN_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in GLOBAL_V6:
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP_MARKS:
        return False
    return not any(address in block for block in FORBIDDEN_V6)
