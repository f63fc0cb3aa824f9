"""The files for an Android build agree with each other, and would be read: init.rc, Android.bp,
SELinux policy, the user, the permission, the scripts."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from agent import settings
from tests.android.blueprint import blueprint, init_rc
from tests.android.fakes import ROOT

HERE = ROOT / "packaging" / "android"
POLICY = HERE / "sepolicy" / "private"
BASE = ROOT / "tests" / "android" / "policy"
USER = "system_ext_posagent"


def text(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def test_init_would_read_the_service(tmp_path: Path) -> None:
    """Known options only; no right, no reset of the device, a socket, an end for what hangs."""
    read = init_rc(text("posagent.rc"))
    daemon, prepare = read.services["posagent"], read.services["posagent_prepare"]
    for service in (daemon, prepare):
        assert service["capabilities"] == []
        assert service["user"] == [USER]
        assert service["seclabel"] == ["u:r:posagent:s0"]
    assert "critical" not in daemon
    assert "oneshot" in prepare
    assert daemon["socket"][0] == "posagent", "agent.inherited looks for this name"
    assert read.programs["posagent"][1:3] == ["/system_ext/bin/posagent", "run"]
    made = {words[1] for words in read.actions["post-fs-data"] if words[0] == "mkdir"}
    file = tmp_path / "posagent.toml"  # a checkout may be writable by a group
    file.write_text(text("posagent.toml"))
    file.chmod(0o600)
    told = settings.load(file).config
    assert {told.agent.state_dir, told.agent.run_dir, told.hooks.directory} <= made
    assert told.agent.watchdog_s, "init does not end what hangs"
    assert "/data/misc/posagent/tmp" in made


@pytest.mark.parametrize(
    "line", ["    criticle", "    user", "    socket posagent stream", "    rlimit nofile 5"]
)
def test_a_wrong_line_of_init_is_found(line: str) -> None:
    """The reader of this test can say no."""
    with pytest.raises(ValueError, match="line"):
        init_rc(text("posagent.rc") + line + "\n")


def test_soong_would_read_the_modules() -> None:
    """Every module's file is there, everything required is a module, all on system_ext."""
    modules = blueprint(text("Android.bp"))
    names = {str(held["name"]) for _, held in modules}
    for _, held in modules:
        assert (HERE / str(held["src"])).is_file()
        assert held["system_ext_specific"] is True
        required = held.get("required", [])
        assert isinstance(required, list)
        assert set(required) <= names
    main = next(held for _, held in modules if held["name"] == "posagent")
    assert main["init_rc"] == ["posagent.rc"]
    assert names - {"posagent"} == set(main["required"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("old", "new"),
    [("],", "]"), ("sub_dir:", "subdir:"), ('"posagent.sh"', "posagent.sh"), ("}", "")],
)  # fmt: skip
def test_a_wrong_blueprint_is_found(old: str, new: str) -> None:
    """A missing comma, a property that is none, a name without quotes, an open brace."""
    with pytest.raises((ValueError, KeyError)):
        blueprint(text("Android.bp").replace(old, new, 1))


def test_the_user_is_in_its_partitions_range() -> None:
    """AID_SYSTEM_EXT_… must lie in 7500 to 7999, and is the one init and the permission name."""
    read = configparser.ConfigParser()
    read.read_string(text("config.fs"))
    assert 7500 <= int(read["AID_SYSTEM_EXT_POSAGENT"]["value"]) <= 7999
    paths = [name for name in read.sections() if not name.startswith("AID_")]
    assert all(re.fullmatch(r"0[0-7]{3}", read[name]["mode"]) for name in paths)
    assert all(read[name]["caps"] == "0" for name in paths)
    given = ET.fromstring(text("posagent-permissions.xml")).findall("assign-permission")
    assert [(one.get("name"), one.get("uid")) for one in given] == [
        ("android.permission.DUMP", USER)
    ]


def compiled(tmp_path: Path, more: str = "") -> subprocess.CompletedProcess[str]:
    """The policy over the small base, expanded and compiled."""
    for tool in ("m4", "checkpolicy"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (sh packaging/ci/android.sh)")
    added = tmp_path / "more.te"
    added.write_text(more + "\n")
    parts = [BASE / "te_macros", BASE / "base.te", POLICY / "posagent.te", added, BASE / "end.te"]
    expanded = subprocess.run(
        ["m4", *map(str, parts)], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    source = tmp_path / "policy.conf"
    source.write_text(expanded)
    return subprocess.run(
        ["checkpolicy", "-M", "-o", str(tmp_path / "policy"), str(source)],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_the_policy_compiles(tmp_path: Path) -> None:
    """Against the base written for this test, with the rules Android forbids in it."""
    done = compiled(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "policy").stat().st_size > 4_000


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("allow posagent no_such_type:file read;", "unknown type no_such_type"),
        ("allow posagent system_file:file no_such_right;", "no_such_right"),
        ("allow posagent vendor_data_file:file { open read };", "neverallow"),
        ("unix_socket_connect(untrusted_app, posagent, posagent)", "neverallow"),
        ("allow posagent self:capability setuid;", "neverallow"),
        ("allow system_app posagent_data_file:file { open read };", "neverallow"),
        ("allow posagent posagent_data_file:file execute;", "neverallow"),
    ],
)
def test_a_rule_that_must_not_be_is_refused(tmp_path: Path, rule: str, why: str) -> None:
    """A missing type, a missing right, and what neverallow forbids here or in Android."""
    done = compiled(tmp_path, rule)
    assert done.returncode != 0
    assert why in done.stdout + done.stderr


def test_every_label_is_a_type_and_every_path_has_one() -> None:
    """file_contexts and property_contexts name types of the policy; init's paths are covered."""
    policy = (POLICY / "posagent.te").read_text()
    types = set(re.findall(r"^type (\w+),", policy, re.MULTILINE))
    labels = []
    for line in (POLICY / "file_contexts").read_text().splitlines():
        pattern, label = line.split()
        match = re.fullmatch(r"u:object_r:(\w+):s0", label)
        assert match, line
        assert match[1] in types, line
        labels.append((re.compile(pattern), match[1]))
    for path, wanted in (
        ("/system_ext/bin/posagent", "posagent_exec"),
        ("/system_ext/bin/posagent-prepare", "posagent_exec"),
        ("/data/misc/posagent", "posagent_data_file"),
        ("/data/misc/posagent/state/journal.db-wal", "posagent_data_file"),
        ("/dev/socket/posagent", "posagent_socket"),
    ):
        assert [kind for pattern, kind in labels if pattern.fullmatch(path)] == [wanted], path
    assert not [kind for pattern, kind in labels if pattern.fullmatch("/data/misc/posagentx")]
    prefix, label, *_ = (POLICY / "property_contexts").read_text().split()
    assert label == "u:object_r:posagent_prop:s0"
    for name in re.findall(r'"\$say" (\S+)', text("posagent-prepare.sh")):
        assert name.startswith(prefix)


def prepare(tmp_path: Path) -> str:
    """Run posagent-prepare; what it said to setprop."""
    said = tmp_path / "said"
    setprop = tmp_path / "setprop"
    setprop.write_text(f'#!/bin/sh\necho "$1=$2" >{said}\n')
    setprop.chmod(0o755)
    quick = tmp_path / "sync"  # that of the whole machine takes as long as the machine is busy
    quick.write_text("#!/bin/sh\n")
    quick.chmod(0o755)
    names = {"DATA": "data", "DEFAULTS": "defaults", "PACKAGES": "packages.list"}
    subprocess.run(
        ["sh", str(HERE / "posagent-prepare.sh")], check=True, timeout=30,
        env={
            **{f"POSAGENT_{name}": str(tmp_path / place) for name, place in names.items()},
            "POSAGENT_SETPROP": str(setprop), "PATH": f"{tmp_path}:{os.environ['PATH']}",
        },
    )  # fmt: skip
    return said.read_text().strip()


def test_the_payment_app_is_found_by_its_package(tmp_path: Path) -> None:
    """First start without packages, then the app's uid in [api], then nothing to do; what the
    merchant changed stays."""
    (tmp_path / "data" / "etc" / "conf.d").mkdir(parents=True)
    (tmp_path / "defaults").mkdir()
    shutil.copy(HERE / "posagent.toml", tmp_path / "defaults")
    (tmp_path / "defaults" / "payment-apps").write_text("# mine\ncom.example.pay\nnot.there\n")
    assert prepare(tmp_path) == "posagent.prepared=changed"
    packages = tmp_path / "packages.list"
    packages.write_text(
        "com.example.payments 10055 0 /data/user/0/x default:targetSdkVersion=33 none\n"
        "com.example.pay 10123 0 /data/user/0/com.example.pay default:targetSdkVersion=33 3003\n"
    )
    assert prepare(tmp_path) == "posagent.prepared=changed"
    assert prepare(tmp_path) == "posagent.prepared=same"
    file = tmp_path / "data" / "etc" / "posagent.toml"
    file.write_text(file.read_text().replace('device_id = ""', 'device_id = "SN1"'))
    assert prepare(tmp_path) == "posagent.prepared=same"
    loaded = settings.load(file)
    assert loaded.config.api.submit == ("10123",)
    assert loaded.config.agent.device_id == "SN1"
    packages.write_text(packages.read_text().replace("10123", "10200"))
    assert prepare(tmp_path) == "posagent.prepared=changed"
    assert settings.load(file).config.api.submit == ("10200",)
