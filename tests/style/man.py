#!/usr/bin/env python3
"""The man pages name every verb and option that the programs offer, and every key that a policy may have."""

import json
import os
import re
import subprocess
import sys

from tracked import ROOT, read

OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
# In mdoc a long option is an argument of Fl that begins with a dash, and an argument after `|` or `,` may be one.
MAN_OPTION = re.compile(r"(?<![\w-])-([a-z][a-z-]+)")
UNIVERSAL = {"help", "version"}


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def offered(programs):
    """Verbs and options of divisi, and options of divisid."""
    divisi = os.path.join(programs, "divisi")
    verbs = re.findall(r"^  ([a-z]+)  ", help_of(divisi).split("Subcommands:")[1], re.MULTILINE)
    options = set()
    for verb in verbs:
        options |= set(OPTION.findall(help_of(divisi, verb)))
    return set(verbs), options - UNIVERSAL, set(OPTION.findall(help_of(os.path.join(programs, "divisid")))) - UNIVERSAL


def documented_options(page):
    lines = [line for line in read(page).splitlines() if "Fl" in line]
    return {option for line in lines for option in MAN_OPTION.findall(line)} - UNIVERSAL


def policy_keys(schema):
    """Every key that the schema knows, however deep."""
    keys = set()
    if isinstance(schema, dict):
        keys |= set(schema.get("properties", {}))
        for part in schema.values():
            keys |= policy_keys(part)
    elif isinstance(schema, list):
        for part in schema:
            keys |= policy_keys(part)
    return keys


def main():
    verbs, options, daemon_options = offered(os.path.abspath(sys.argv[1]))
    problems = []

    def compare(page, what, offers, documents):
        problems.extend(f"{page}: does not tell of {what} {name}" for name in sorted(offers - documents))

    page = "docs/man/divisi.1"
    compare(page, "the verb", verbs, set(re.findall(r"[a-z]+", read(page))))
    compare(page, "the option", options, documented_options(page))
    problems += [f"{page}: no verb has the option --{name}" for name in sorted(documented_options(page) - options - {"show"})]
    page = "docs/man/divisid.8"
    compare(page, "the option", daemon_options, documented_options(page))
    page = "docs/man/divisi-policy.5"
    compare(page, "the key", policy_keys(json.loads(read("policies/policy.schema.json"))),
            set(re.findall(r"[\w-]+", read(page))))
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
