"""The command `coldframe`: which verbs there are, and what they answer with."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence

from coldframe.cli.check import check
from coldframe.cli.findings import Row
from coldframe.cli.policy import Policies, policies
from coldframe.exceptions import ArcticException
from coldframe.stores.uri import scheme_of

_OBJECT_STORES = ("s3", "s3s", "gcpxml", "gcpxmls", "gs", "azure")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code.

    0: everything is well; 1: something is not; 2: the command line or the connection string is wrong.
    """
    parsed = _parser().parse_args(arguments)
    try:
        if scheme_of(parsed.uri) not in _OBJECT_STORES:
            sys.stderr.write(f"coldframe {parsed.verb} is for object stores: s3://, gs:// and azure://\n")
            return 2
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            code: int = _check(parsed) if parsed.verb == "check" else _policy(parsed)
        for warning in caught:
            sys.stderr.write(f"warning: {warning.message}\n")
    except (ArcticException, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="coldframe", description="Set up and check storages.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    look = verbs.add_parser("check", help="try everything that a library needs, and say what is missing")
    look.add_argument("uri", help="a connection string")
    look.add_argument("--json", action="store_true", help="print the findings as JSON")
    look.add_argument("--read-only", action="store_true", help="only what reading needs; nothing is written")
    rights = verbs.add_parser("policy", help="print the policies with the least rights, and how to install them")
    rights.add_argument("uri", help="a connection string")
    rights.add_argument("--read-only", action="store_true", help="only reading")
    rights.add_argument("--sts", action="store_true", help="for a role that is assumed, with its trust policy")
    rights.add_argument("--user", default="", help="name of the IAM user; default: USER")
    rights.add_argument("--role", default="", help="name or ARN of the role; default: that of the connection string")
    rights.add_argument("--account", default="", help="number of the AWS account; default: 123456789012")
    rights.add_argument("--json", action="store_true", help="print the policies as one JSON object")
    return parser


def _check(parsed: argparse.Namespace) -> int:
    rows = check(parsed.uri, read_only=parsed.read_only)
    failed = any(row.ok is False for row in rows)
    if parsed.json:
        sys.stdout.write(json.dumps({"ok": not failed, "checks": [row.as_dict() for row in rows]}, indent=2) + "\n")
    else:
        sys.stdout.write(_table(rows))
    return 1 if failed else 0


def _table(rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        sign = {True: "✓", False: "✗", None: "–"}[row.ok]
        took = f"{row.milliseconds:8.1f} ms" if row.milliseconds is not None else " " * 11
        lines.append(f"{sign} {row.name:<{width}} {took}  {row.found}".rstrip())
        if row.remedy:
            lines.append(f"  {'':<{width}} {'':>11}  → {row.remedy}")
    return "\n".join(lines) + "\n"


def _policy(parsed: argparse.Namespace) -> int:
    found: Policies = policies(parsed.uri, read_only=parsed.read_only, sts=parsed.sts, user=parsed.user,
                               role=parsed.role, account=parsed.account)
    sys.stdout.write(json.dumps(found.as_dict(), indent=2) + "\n" if parsed.json else found.script())
    return 0
