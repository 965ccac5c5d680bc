"""Polices tidiness: `python -m tests.tidy` prints every fault with its place and fails. What a linter cannot know stands here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = 400
SERVICES = ("intake", "workflow", "sla", "reporting")
ROOMS = ("README.md", "store.py", "migrations", "api.py", "__main__.py")
EDGES = re.compile(
    r"/(clock|telemetry|embedded|tokens|supervisor|api|__main__|up|script|bootstrap)[a-z_]*\.py$|/cli/|/demo/"
)
"""Only the edge reads a clock."""
RECORD_PARTS = ("## Context", "## Decision", "## Consequences")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    skipped = {".venv", ".otklik", ".git", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]


def faults_of_code(path: Path, text: str, regions: set[str]) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    found: list[str] = []
    lines = text.splitlines()
    if len(lines) > LONGEST and "/versions/" not in name:
        found.append(f"{name}: {len(lines)} lines; over {LONGEST} a file is asked what it is about")
    inside = name.startswith(("services/", "schemas/", "regulations/"))
    for number, line in enumerate(lines, start=1):
        place = f"{name}:{number}"
        if re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", line) and name != "tests/tidy.py":
            found.append(f"{place}: unfinished work")
        if re.search(r"pytest\.(skip|xfail)\(|mark\.(skip|xfail)\b", line) and name != "tests/tidy.py":
            found.append(f"{place}: a skipped check is no check")
        if re.search(r"^\s*except\s*:|except BaseException\s*:", line) and "raise" not in "".join(
            lines[number : number + 4]
        ):
            found.append(f"{place}: catches everything and goes on")
        if inside and not EDGES.search("/" + name) and re.search(r"datetime\.(now|utcnow)\(|\btime\.time\(", line):
            found.append(f"{place}: reads a clock inside; time comes with the record")
        if inside and not name.startswith("services/demo/"):
            named = re.search(r"""["']([a-z0-9-]+)["']""", line)
            compared = re.search(r"\b(authority|authority_id|region)\b.*(==|!=| in )", line)
            if named and compared and named.group(1) in regions:
                found.append(f"{place}: a region named in code")
    return found


def faults_of_rooms() -> list[str]:
    found = [f"services/{service}/{room}: missing" for service in SERVICES for room in ROOMS
             if not (ROOT / "services" / service / room).exists()]  # fmt: skip
    for name in ("README.md", "ARCHITECTURE.md", "GLOSSARY.md", "CHANGELOG.md", "Makefile", ".ci/run"):
        if not (ROOT / name).exists():
            found.append(f"{name}: missing")
    for record in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = record.read_text(encoding="utf-8")
        name = record.relative_to(ROOT).as_posix()
        if not re.match(r"\d{4}-[a-z0-9-]+\.md$", record.name):
            found.append(f"{name}: decision records are named NNNN-words-of-the-title.md")
        found += [f"{name}: no part «{part}»" for part in RECORD_PARTS if part not in text]
        if len(text.splitlines()) > 60:
            found.append(f"{name}: a decision record is one page")
    return found


def faults_of_hosts(path: Path, text: str) -> list[str]:
    """No address of a package registry, and no path of the machine that something was made on."""
    name = path.relative_to(ROOT).as_posix()
    if name == "tests/tidy.py":
        return []
    hosts = re.compile(r"pypi\.org|files\.pythonhosted|repo1?\.maven|registry\.npmjs|deb\.debian\.org|/root/")
    return [f"{name}:{number}: names a registry's host or a machine's path"
            for number, line in enumerate(text.splitlines(), start=1) if hosts.search(line)]  # fmt: skip


def faults() -> list[str]:
    regions = {path.stem for path in (ROOT / "regulations" / "authorities").glob("*.toml")}
    found = faults_of_rooms()
    for path in tracked():
        if path.suffix not in {".py", ".toml", ".md", ".txt", ".yaml", ".yml", ".json", ".sh", ".html", ""}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += faults_of_hosts(path, text)
        if path.suffix == ".py":
            found += faults_of_code(path, text, regions)
    locks = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"}
    found += [f"{path.name}: a lock file that names download hosts" for path in tracked() if path.name in locks]
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    told = faults()
    print("\n".join(told) or "tidy")
    sys.exit(1 if told else 0)
