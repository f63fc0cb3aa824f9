"""The list of parts (SBOM, CycloneDX 1.6) of a wheel, a bundle or a package, from the lock.

    python packaging/sbom/generate.py                        # everything the lock names
    python packaging/sbom/generate.py --extra cli --extra modem --wheels DIR --out sbom.cdx.json

Without `--wheels` each part carries the hashes of every file the lock allows for it; with it, the
hash of the very file that goes in, and a file the lock does not know is said to be one built here.
The same input gives the same bytes: no time (unless SOURCE_DATE_EPOCH gives one), no random
number, no network. Plain standard library: whoever builds an image has no tools of ours.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import pathlib
import re
import sys
import tomllib
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import locked  # noqa: E402 -- a script's neighbour: packaging/ is no package

ROOT = HERE.parents[1]
LOCK = ROOT / "packaging" / "locked" / "terminal.txt"
SPEC = "1.6"

Json = dict[str, object]


def licences(expression: str) -> list[Json]:
    """An SPDX expression as CycloneDX wants it."""
    if re.search(r" (OR|AND|WITH) ", expression):
        return [{"expression": expression}]
    return [{"license": {"id": expression}}]


def property_of(name: str, value: str) -> Json:
    """One fact of ours about a part."""
    return {"name": f"posagent:{name}", "value": value}


def wheels_in(folder: pathlib.Path) -> dict[str, list[tuple[str, str]]]:
    """Name -> (file, sha256) of every wheel in `folder`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.setdefault(f"{locked.plain(name)}=={version}", []).append((path.name, digest))
    return found


def files_of(
    pin: locked.Locked, purl: str, wheels: dict[str, list[tuple[str, str]]] | None
) -> Json:
    """The hashes of `pin`: of what the lock allows, or of the file that goes in."""
    if wheels is None:
        return {
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": purl,
                    "hashes": [{"alg": "SHA-256", "content": digest}],
                }
                for digest in pin.sha256
            ]
        }
    have = wheels.get(f"{pin.name}=={pin.version}", [])
    if len(have) != 1:
        raise SystemExit(
            f"{len(have)} wheels of {pin.name} {pin.version} in the folder of wheels, one is wanted"
        )
    name, digest = have[0]
    origin = "locked" if digest in pin.sha256 else "built here, the lock does not know it"
    return {
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "properties": [property_of("file", name), property_of("origin", origin)],
    }


def component(
    pin: locked.Locked,
    part: dict[str, object],
    *,
    optional: bool,
    wheels: dict[str, list[tuple[str, str]]] | None,
) -> Json:
    """One distribution."""
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    files = files_of(pin, purl, wheels)
    properties = list(files.pop("properties", []))  # type: ignore[call-overload]
    if pin.marker:
        properties.append(property_of("marker", pin.marker))
    made: Json = {
        "type": "library",
        "bom-ref": purl,
        "name": pin.name,
        "version": pin.version,
        "description": str(part["for"]),
        "scope": "optional" if optional else "required",
        "licenses": licences(str(part["licence"])),
        "purl": purl,
        **files,
    }
    if properties:
        made["properties"] = properties
    inside = part.get("carries")
    if isinstance(inside, list):
        made["components"] = [
            {
                "type": "library",
                "bom-ref": f"{purl}#{one['name']}",
                "name": one["name"],
                "version": one["version"],
                "description": "compiled into the wheels the index holds",
                "licenses": licences(one["licence"]),
                "purl": f"pkg:generic/{one['name']}@{one['version']}",
            }
            for one in inside
        ]
    return made


def selection(
    pins: tuple[locked.Locked, ...], project: dict[str, object], extras: list[str] | None
) -> tuple[set[str], set[str]]:
    """(always needed, needed by the extras) of what the lock names; all of it without extras."""
    needed = locked.reached(pins, {locked.required(r) for r in project["dependencies"]})  # type: ignore[attr-defined]
    groups = project["optional-dependencies"]
    assert isinstance(groups, dict)
    if extras is None:
        return needed, {pin.name for pin in pins} - needed
    for extra in extras:
        if extra not in groups:
            raise SystemExit(f"no extra {extra}; there are: {', '.join(sorted(groups))}")
    asked = {locked.required(r) for extra in extras for r in groups[extra]}
    unknown = asked - {pin.name for pin in pins}
    if unknown:
        raise SystemExit(f"not in {LOCK.name}: {', '.join(sorted(unknown))}")
    return needed, locked.reached(pins, asked) - needed


def listed(
    root: pathlib.Path = ROOT,
    *,
    extras: list[str] | None = None,
    wheels: pathlib.Path | None = None,
    own: str = "",
    epoch: str = "",
) -> Json:
    """The whole list."""
    project = locked.project(root)
    pins = locked.read(root / LOCK.relative_to(ROOT))
    parts = tomllib.loads((root / "packaging/sbom/parts.toml").read_text(encoding="utf-8"))
    needed, optional = selection(pins, project, extras)
    chosen = [pin for pin in pins if pin.name in needed | optional]
    missing = sorted({pin.name for pin in chosen} - set(parts))
    if missing:
        raise SystemExit(f"packaging/sbom/parts.toml says nothing about {', '.join(missing)}")
    found = None if wheels is None else wheels_in(wheels)
    ours = f"pkg:pypi/{locked.PROJECT}@{project['version']}"
    refs = {pin.name: f"pkg:pypi/{pin.name}@{pin.version}" for pin in chosen}
    top: Json = {
        "type": "application",
        "bom-ref": ours,
        "name": locked.PROJECT,
        "version": project["version"],
        "description": project["description"],
        "licenses": licences(str(project["license"])),
        "purl": ours,
    }
    if own:
        top["hashes"] = [{"alg": "SHA-256", "content": own}]
    metadata: Json = {"component": top}
    if epoch:
        at = dt.datetime.fromtimestamp(int(epoch), tz=dt.UTC)
        metadata = {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **metadata}
    body: Json = {
        "version": 1,
        "metadata": metadata,
        "components": [
            component(pin, parts[pin.name], optional=pin.name in optional, wheels=found)
            for pin in chosen
        ],
        "dependencies": [
            {
                "ref": ref,
                "dependsOn": sorted(refs[pin.name] for pin in chosen if name in pin.asked_by),
            }
            for name, ref in ((locked.PROJECT, ours), *sorted(refs.items()))
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{number}",
        **body,
    }


def text(bom: Json) -> str:
    """As it is written to a file."""
    return json.dumps(bom, indent=1, ensure_ascii=False) + "\n"


def main(words: list[str] | None = None) -> int:
    """The command."""
    said = argparse.ArgumentParser(description="list of parts (CycloneDX) from the locked files")
    said.add_argument(
        "--extra", action="append", help="only these extras (default: all of the lock)"
    )
    said.add_argument("--base", action="store_true", help="without any extra")
    said.add_argument("--wheels", type=pathlib.Path, help="folder with the wheels that go in")
    said.add_argument("--own", type=pathlib.Path, help="our own wheel, to name its hash")
    said.add_argument("--out", type=pathlib.Path, help="file to write (default: standard output)")
    asked = said.parse_args(words)
    bom = listed(
        extras=(asked.extra or []) if asked.base or asked.extra else None,
        wheels=asked.wheels,
        own=hashlib.sha256(asked.own.read_bytes()).hexdigest() if asked.own else "",
        epoch=os.environ.get("SOURCE_DATE_EPOCH", ""),
    )
    if asked.out is None:
        sys.stdout.write(text(bom))
    else:
        asked.out.write_text(text(bom), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
