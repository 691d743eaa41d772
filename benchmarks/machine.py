"""What a result must say of where it comes from: date, processor, cores, and versions.

A script that imports it, before tinycnn, measures the tinycnn beside this folder, installed or not.
"""

import importlib.metadata
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tinycnn.cli.report import processor
from tinycnn.execution import cores


def describe(*packages: str) -> dict[str, object]:
    """Date, processor, cores, system, Python, and the versions of those packages that are installed."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def sentence(machine: dict) -> str:
    """The same on one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, {versions}"
    )
