"""The configuration: everything wrong is said at once, precisely, and nothing is guessed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent import settings
from agent.cli import config_reference
from agent.config import Config, Iso8583Uplink, Uplink
from agent.core.fleet.budget import DEFAULT_KB, PROFILES
from agent.settings import schema
from agent.settings.lines import Lines
from agent.settings.problems import MASK, Both, ConfigError, Kind, Problem, shown

list_keys = schema.keys

ROOT = Path(__file__).resolve().parents[1]

Write = Callable[..., Path]

#: A whole uplink, to be gone on with.
UPLINK = "[[uplink]]\nname = 'a'\nurl = 'https://h'\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file nobody else can change."""

    def to(text: str, name: str = "posagent.toml", mode: int = 0o600) -> Path:
        file = tmp_path / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(mode)
        return file

    return to


def problems(file: Path, *, references: bool = True) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        settings.load(file, references=references)
    return list(caught.value.problems)


def only(file: Path) -> Problem:
    found = problems(file)
    assert len(found) == 1, [problem.sentence() for problem in found]
    return found[0]


def test_no_file_at_all_gives_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unconfigured machine runs on defaults, and the loader says that no file was read."""
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "none" / "posagent.toml")
    loaded = settings.load()
    assert loaded.config == Config()
    assert loaded.files == ()


def test_a_file_asked_for_must_be_there(tmp_path: Path) -> None:
    """A file named by the operator that does not exist is an error, not the defaults."""
    problem = only(tmp_path / "absent.toml")
    assert problem.kind is Kind.NOT_THERE
    assert "absent.toml" in problem.sentence()


def test_values_are_taken_over(write: Write) -> None:
    """What stands in the file is what is in force, whole numbers where numbers are expected too."""
    file = write(
        'agent.site = "Shop 3"\n[printer]\ndevice = "/dev/ttyS1"\nbaud = 9600\nperiod_s = 5\n'
        '[[uplink]]\nname = "main"\nurl = "https://host.example/p"\noutcomes = { 500 = "busy" }\n'
        '[telemetry]\nendpoints = ["mqtts://broker.example:8883", "mqtt://127.0.0.1:1883"]\n'
    )
    config = settings.load(file).config
    assert config.agent.site == "Shop 3"
    assert config.printer.baud == 9600
    assert config.printer.period_s == 5.0
    assert config.uplink[0].outcomes == {"500": "busy"}
    assert config.telemetry.endpoints[1] == "mqtt://127.0.0.1:1883"


def test_conf_d_is_laid_over_in_name_order(write: Write) -> None:
    """Later files win key by key, uplinks add up, other suffixes are left alone."""
    file = write('[agent]\nsite = "a"\ntenant = "t"\n[[uplink]]\nname="x"\nurl="https://a/"\n')
    write('[agent]\nsite = "c"\n', "conf.d/20-later.toml")
    write('[agent]\nsite = "b"\n[[uplink]]\nname="y"\nurl="https://b/"\n', "conf.d/10-first.toml")
    write("not toml", "conf.d/30-ignored.toml.bak")
    loaded = settings.load(file)
    assert loaded.config.agent.site == "c"
    assert loaded.config.agent.tenant == "t"
    assert [uplink.name for uplink in loaded.config.uplink] == ["x", "y"]
    assert [path.name for path in loaded.files] == [
        "posagent.toml",
        "10-first.toml",
        "20-later.toml",
    ]
    assert loaded.origins["agent.site"].endswith("20-later.toml:2")
    assert loaded.origins["uplink.1.url"].endswith("10-first.toml:5")


def test_every_problem_is_reported_at_once(write: Write) -> None:
    """One run names all problems of all files, in the order of files and lines."""
    file = write('[api]\nmax_connections = 4\n[printer]\nbaud = "9600"\n')
    write("[agent]\nsiet = 1\n", "conf.d/a.toml")
    write("[agent\n", "conf.d/b.toml")
    found = problems(file)
    assert [(p.file.name, p.line, p.kind) for p in found if p.file] == [
        ("a.toml", 2, Kind.UNKNOWN),
        ("b.toml", 1, Kind.SYNTAX),
        ("posagent.toml", 2, Kind.NOT_ALLOWED),
        ("posagent.toml", 4, Kind.NOT_ALLOWED),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[agent]\nsite = \n", 2, "broken TOML"),
        ("[agent]\nsite = 'x'\nsite = 'y'\n", 3, "broken TOML"),
        ("[agent]\nsite = '''x\n", 2, "at the end of the file"),
        ("x = " + "[" * 5000, 0, "nested too deeply"),
        ("x = " + "9" * 5000, 0, "broken TOML"),
    ],
)
def test_broken_toml_names_the_line(write: Write, text: str, line: int, words: str) -> None:
    """A text that is no TOML is refused with its line and the parser's reason."""
    problem = only(write(text))
    assert problem.kind is Kind.SYNTAX
    assert problem.line == line
    assert words in problem.sentence()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with the line of the first wrong byte."""
    file = tmp_path / "latin.toml"
    file.write_bytes(b'[agent]\nsite = "caf\xe9"\n')
    file.chmod(0o600)
    assert (only(file).kind, only(file).line) == (Kind.SYNTAX, 2)


@pytest.mark.parametrize(
    ("text", "line", "table", "key", "nearest"),
    [
        ("[telemetry]\n\nwindwo = 3\n", 3, "[telemetry]", "windwo", "window"),
        ("[printr]\nbaud = 9600\n", 1, "", "printr", "[printer]"),
        ("puback_timeout_s = 3\n", 1, "", "puback_timeout_s", "[telemetry] puback_timeout_s"),
        ("[api]\nbaud = 9600\n", 2, "[api]", "baud", "[printer] baud"),
        ("[telemetry]\npassword = 'x'\n", 2, "[telemetry]", "password", "password_file"),
        (
            "[[uplink]]\nname='a'\nurl='https://a'\n[[uplink]]\nname='b'\nurl='https://b'\nulr=1",
            7,
            "[[uplink]] #2",
            "ulr",
            "url",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(  # noqa: PLR0917 - one row of the table above
    write: Write, text: str, line: int, table: str, key: str, nearest: str
) -> None:
    """A key nobody knows is an error with file, line, table, key and the key probably meant."""
    problem = only(write(text))
    assert problem.kind is Kind.UNKNOWN
    assert (problem.line, problem.table, problem.key) == (line, table, key)
    assert f"did you mean {nearest}?" in problem.sentence("en")
    assert f"是否应为 {nearest}\uff1f" in problem.sentence("zh")


@pytest.mark.parametrize(
    ("text", "found", "allowed"),
    [
        ("[api]\nmax_connections = 4\n", "4", "whole number 8 to 256"),
        ("[api]\nmax_connections = 8.0\n", "8.0", "whole number 8 to 256"),
        ("[api]\nmax_connections = true\n", "true", "whole number 8 to 256"),
        ('[api]\nmax_connections = "64"\n', '"64"', "whole number 8 to 256"),
        ("[api]\nhead_timeout_s = nan\n", "NaN", "number 0.05 to 86400"),
        ("[api]\nhead_timeout_s = inf\n", "Infinity", "number 0.05 to 86400"),
        ("[api]\nhead_timeout_s = 1979-05-27\n", "1979-05-27", "number 0.05 to 86400"),
        ("[api]\nhead_timeout_s = true\n", "true", "number 0.05 to 86400"),
        ('[api]\nsubmit = "root"\n', '"root"', "list of: text in quotes"),
        ("[api]\nsubmit = [1]\n", "1", "text in quotes"),
        ('[agent]\nlog_level = "loud"\n', '"loud"', '"debug", "error", "info", "warning"'),
        ('[agent]\ntenant = "a b"\n', '"a b"', "1 to 64 letters, digits, _ or -"),
        ('[agent]\ntenant = "ab\\n"\n', "ab", "1 to 64 letters, digits, _ or -"),
        ("[agent]\nsite = 5\n", "5", "text, 0 to 64 characters"),
        ("[agent]\nsite = '" + "x" * 65 + "'\n", "x…", "text, 0 to 64 characters"),
        ("[printer]\nbaud = 9601\n", "9601", "9600, 19200"),
        ("[printer]\nbaud = 9600.0\n", "9600.0", "9600, 19200"),
        ("agent = 5\n", "5", "a table"),
        ("[uplink]\nname = 'a'\n", "{…}", "a [[table]] for each"),
        ("uplink = [1]\n", "1", "a table"),
        ("health = 1\n", "1", "a table"),
        ("[[agent]]\nsite = 'x'\n", "[{…}]", "a table"),
    ],
)
def test_what_does_not_fit_names_found_and_allowed(
    write: Write, text: str, found: str, allowed: str
) -> None:
    """A wrong type or a value out of range is quoted beside what is allowed."""
    sentence = only(write(text)).sentence()
    assert found in sentence
    assert allowed in sentence


def test_inline_tables_are_checked_inside(write: Write) -> None:
    """Keys and values inside a table of outcomes have their own limits."""
    file = write(
        "[[uplink]]\nname = 'a'\nurl = 'https://h/'\noutcomes = { 600 = 'busy', 500 = 'shrug' }\n"
    )
    found = problems(file)
    assert [p.key for p in found] == ["outcomes.600", "outcomes.500"]
    assert {p.line for p in found} == {4}


def test_what_must_be_given_is_missed(write: Write) -> None:
    """An uplink without name and address is told which keys it needs."""
    found = problems(write("[[uplink]]\nin_flight = 2\n"))
    assert [(p.kind, p.key, p.line) for p in found] == [
        (Kind.MISSING, "name", 1),
        (Kind.MISSING, "url", 1),
    ]


def test_uplink_names_are_unique_across_files(write: Write) -> None:
    """The second uplink of one name is an error, also in another file."""
    file = write("[[uplink]]\nname = 'main'\nurl = 'https://a/'\n")
    second = write("[[uplink]]\nurl = 'https://b/'\nname = 'main'\n", "conf.d/b.toml")
    problem = only(file)
    assert (problem.file, problem.line, problem.table) == (second, 3, "[[uplink]] #2")
    assert "#1" in problem.sentence()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/p",
        "http://127.9.9.9/",
        "http://localhost/p",
        "http://[::1]:80/p",
        "https://host.example:8443/a/b",
    ],
)
def test_addresses_that_may_be_used(write: Write, url: str) -> None:
    """https anywhere, plain http only to this machine."""
    file = write(f"[[uplink]]\nname = 'a'\nurl = '{url}'\n")
    assert settings.load(file).config.uplink[0].url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host.example/p", "http:// only to this machine"),
        ("http://127.0.0.1.evil.example/", "http:// only to this machine"),
        ("http://localhost.example/", "http:// only to this machine"),
        ("http://10.0.0.1/", "http:// only to this machine"),
        ("https://user:hunter2@host/", "must not hold a user or password"),
        ("https://host/p?x=1", "before any ? or #"),
        ("https://host/p#x", "before any ? or #"),
        ("https:///p", "needs a host"),
        ("https://host:0/", "a port above 0"),
        ("https://host:99999/", "not a valid address"),
        ("https://[::1/", "not a valid address"),
        ("https://h ost/", "no spaces"),
        ("https://hôte/", "only ASCII"),
    ],
)
def test_addresses_that_may_not_be_used(write: Write, url: str, words: str) -> None:
    """An address that could leak, leave the machine in clear or not work is refused."""
    sentence = only(write(f"[[uplink]]\nname = 'a'\nurl = '{url}'\n")).sentence()
    assert words in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[telemetry]\nendpoints = ['mqtt://broker.example:1883']", "use mqtts://"),
        ("[telemetry]\nendpoints = ['mqtts://u:p@b:8883']", "must not hold a user"),
        ("[telemetry]\nendpoints = ['mqtts://b:8883?x']", "before any ?"),
        ("[connectivity]\nhosts = ['host']", "must be host:port"),
        ("[connectivity]\nhosts = ['host:0']", "must be host:port"),
        ("[connectivity]\nhosts = ['http://host/']", "must be host:port"),
        ("[agent]\nstate_dir = 'var/lib'", "must be an absolute path"),
        ("[printer]\ndevice = 'ttyS1'", "must be an absolute path"),
        ("[api]\nread = ['@']", "must be a user"),
        ("[api]\nreserved_for_submit = 64", "less than max_connections (64)"),
        ("[api]\nmax_connections = 16", "less than max_connections (16)"),
        ("[telemetry]\nreconnect_base_s = 400", "no more than reconnect_cap_s (300.0)"),
        (
            "[[uplink]]\nname = 'a'\nurl = 'https://h'\nbackoff_cap_s = 1",
            "no more than backoff_cap_s (1)",
        ),
        (
            f"[store]\nretention_days = 1\n{UPLINK}key_window_s = 86401",
            "not be longer than store.retention_days (1)",
        ),
        (f"[agent]\nrun_dir = '/{'r' * 100}'", "would be 110 bytes, Linux allows 107"),
    ],
)
def test_rules_beyond_bounds(write: Write, table: str, words: str) -> None:
    """What fits its bounds but not the rest of the configuration is refused with the rule."""
    problem = only(write(table + "\n"))
    assert words in problem.sentence()
    assert problem.line == len(table.splitlines())


def test_referenced_files_must_be_readable(write: Write, tmp_path: Path) -> None:
    """A certificate, key or password that cannot be read is an error naming its key; a manifest
    is not: it comes and goes without anybody here."""
    keyring = tmp_path / "d"
    keyring.mkdir(mode=0o700)
    file = write(
        f"[software]\nmanifest = '{tmp_path}/none.json'\n"
        f"[telemetry]\npassword_file = '{keyring}'\nca_file = 'ca.pem'\n"
    )
    found = problems(file)
    assert [(p.table, p.key) for p in found] == [
        ("[telemetry]", "password_file"),
        ("[telemetry]", "ca_file"),
    ]
    assert "not a regular file" in found[0].sentence()
    assert "absolute path" in found[1].sentence()
    assert [p.key for p in problems(file, references=False)] == ["ca_file"]


def test_a_named_pipe_does_not_hang(write: Write, tmp_path: Path) -> None:
    """A pipe in the place of a certificate or of the file itself is refused at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert "not a regular file" in only(write(f"[telemetry]\nca_file = '{pipe}'\n")).sentence()
    assert "not a regular file" in only(pipe).sentence()


def test_a_key_needs_its_certificate(write: Write, tmp_path: Path) -> None:
    """A private key alone cannot be used for TLS."""
    key = write("x", "key.pem")
    problem = only(write(f"[telemetry]\nkey_file = '{key}'\n"))
    assert "cert_file" in problem.sentence()


def test_secrets_everybody_can_read_are_warned_about(write: Write) -> None:
    """A password file open to all is used, and the warning names the command to run."""
    secret = write("hunter2", "password", 0o644)
    loaded = settings.load(write(f"[telemetry]\npassword_file = '{secret}'\n"))
    assert len(loaded.warnings) == 1
    assert f"chmod o= {secret}" in loaded.warnings[0][0]
    assert "hunter2" not in "".join(loaded.warnings[0])


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_files_others_can_write_are_refused(write: Write, mode: int) -> None:
    """Whoever can write the configuration can redirect the money: refused, with the chmod."""
    file = write("", mode=mode)
    problem = only(file)
    assert problem.kind is Kind.NOT_OURS
    assert f"chmod go-w {file}" in problem.sentence()


def test_links_to_files_others_can_write_are_refused(write: Write, tmp_path: Path) -> None:
    """A symlink is as good as what it points to."""
    link = tmp_path / "link.toml"
    link.symlink_to(write("", "target.toml", 0o666))
    assert only(link).kind is Kind.NOT_OURS
    link.unlink()
    link.symlink_to(write("[agent]\nsite = 'x'\n", "good.toml"))
    assert settings.load(link).config.agent.site == "x"
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    assert only(link).kind is Kind.NOT_THERE


def test_directories_others_can_write_are_refused_once(write: Write) -> None:
    """In a directory open to others the file could be replaced; said once, not per file."""
    file = write("")
    write("", "conf.d/a.toml")
    part = write("", "conf.d/b.toml")
    part.parent.chmod(0o777)
    problem = only(file)
    assert problem.file == part.parent
    part.parent.chmod(0o1777)
    assert settings.load(file).config == Config()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_somebody_else_are_refused(write: Write) -> None:
    """A file owned by neither root nor the agent's own user is refused."""
    file = write("")
    os.chown(file, 12_345, -1)
    assert "chown root" in only(file).sentence()
    assert "uid 12345" in only(file).sentence()


def test_a_huge_file_is_refused(write: Write) -> None:
    """A file no configuration can be is not read into memory."""
    assert "larger than" in only(write("#" * 1_048_577)).sentence()


def test_health_codes_are_known_and_may_be_written_both_ways(write: Write) -> None:
    """Delays belong to conditions that exist, quoted or not."""
    file = write(
        "[health.printer.paper_out]\nvisible_after_s = 1\n"
        '[health."printer.cover_open"]\nenabled = false\n'
    )
    health = settings.load(file).config.health
    assert health["printer.paper_out"].visible_after_s == 1.0
    assert health["printer.cover_open"].enabled is False
    loaded = settings.load(write("[health.issuer.unavailable]\nenabled = false\n"))
    assert "nothing watches" in loaded.warnings[0][0]
    problem = only(write("[health.printer.paper_uot]\nenabled = false\n"))
    assert "printer.paper_out" in problem.sentence()
    assert problem.line == 1
    problem = only(write("[health.printer.paper_out]\nvisible_after_s = -1\n"))
    assert (problem.table, problem.key, problem.line) == (
        "[health.printer.paper_out]",
        "visible_after_s",
        2,
    )


def test_the_agent_table_survives_trouble_elsewhere(write: Write) -> None:
    """`status` finds the store although another table is broken; with no TOML it uses defaults."""
    file = write("[agent]\nstate_dir = '/srv/pos'\nlog_level = 'loud'\n[api]\nx = 1\n")
    agent = settings.agent_table(file)
    assert (agent.state_dir, agent.log_level) == ("/srv/pos", "info")
    assert settings.agent_table(write("[")) == Config().agent


def test_lines_are_found_in_awkward_texts() -> None:
    """Dotted keys, quoted keys, lists and strings over several lines do not mislead the scan."""
    lines = Lines(
        'a.b = """\n[no]\nx = 1\n"""\n'
        "[t]  # comment with = and [brackets]\n"
        'list = [ # "\n  "x = 1",\n  "y]",\n]\n'
        "'quoted key' = 1\n"
        "[[u]]\nk = 1\n[u.sub]\nk = 2\n[[u]]\nk = '[['\nm = 3\n"
    )
    assert [
        lines.find(path)
        for path in ("a.b", "t", "t.list", "t.list.0", "t.quoted key", "u.0.k", "u.0.sub.k")
    ] == [1, 5, 6, 6, 10, 12, 14]
    assert [lines.find(path) for path in ("u.1", "u.1.k", "u.1.m", "x", "")] == [15, 16, 17, 0, 0]


def test_secrets_are_masked() -> None:
    """Passwords, tokens, keys and credentials in addresses never reach a screen or a log."""
    assert shown("password", "hunter2") == f'"{MASK}"'
    assert shown("api_token", ["hunter2"]) == f'["{MASK}"]'
    assert shown("signing_key", "hunter2") == f'"{MASK}"'
    assert shown("x", "-----BEGIN PRIVATE KEY-----") == f'"{MASK}"'
    assert shown("url", "https://u:hunter2@h/") == f'"https://{MASK}@h/"'
    assert shown("password_file", "/etc/p") == '"/etc/p"'
    assert shown("key_window_s", 60) == "60"
    assert "\x1b" not in shown("x", "\x1b[2J\x9b")


def test_secrets_in_wrong_places_are_masked_in_complaints(write: Write) -> None:
    """A password under a wrong key is not repeated by the complaint."""
    text = "[telemetry]\npassword = 'hunter2'\nusername = 5\n[[uplink]]\ntoken = 'hunter2'\n"
    assert all("hunter2" not in p.sentence() for p in problems(write(text)))


def test_effective_configuration_is_toml(write: Write) -> None:
    """What `config show` prints is a configuration again, equal to the one in force."""
    file = write(
        "[[uplink]]\nname = 'a'\nurl = 'https://h/'\noutcomes = { 500 = 'busy' }\n"
        "[health.printer.paper_out]\nclear_after_s = 3\n"
        "[[reconcile]]\nname = 'b'\ncolumns = { key = '订单号' }\n"
    )
    config = settings.load(file).config
    text, table = "", ""
    for header, key, value in schema.effective(config):
        if header != table:
            text += f"{header}\n"
            table = header
        text += f"{key} = {value}\n"
    assert tomllib.loads(text)["uplink"][0]["outcomes"] == {"500": "busy"}
    assert settings.load(write(text)).config == config


def test_every_sentence_exists_in_both_languages(write: Write) -> None:
    """A complaint reads completely in Chinese: no English template, no open placeholder."""
    file = write("[api]\nmax_connections = 4\nx = 1\n[[uplink]]\nname='a'\nurl='http://h'\n")
    for problem in problems(file):
        assert "{" not in problem.sentence("zh")
        assert any("\u4e00" <= char <= "\u9fff" for char in problem.sentence("zh"))


def test_config_error_lists_all(write: Write) -> None:
    """The error the daemon prints holds every problem, one a line."""
    with pytest.raises(ConfigError) as caught:
        settings.load(write("[api]\nx = 1\ny = 2\n"))
    assert caught.value.code == "config.invalid"
    assert len(caught.value.what.splitlines()) == 3


ACQUIRER = "[[uplink]]\nname = 'a'\ntype = 'iso8583'\nhost = 'h'\nport = 8583\n"


def test_an_uplink_is_of_one_of_two_types(write: Write) -> None:
    """Without a type it is https; each type has its own keys and defaults."""
    config = settings.load(write(ACQUIRER + "[[uplink]]\nname = 'b'\nurl = 'https://b/'\n")).config
    first, second = config.uplink
    assert isinstance(first, Iso8583Uplink)
    assert isinstance(second, Uplink)
    assert (first.tls, first.order, first.in_flight) == (True, "terminal", 1)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[[uplink]]\nname='a'\ntype='iso'\n", "type", 'one of "https", "iso8583"'),
        ("[[uplink]]\nname='a'\ntype=7\nurl='https://h/'\n", "type", 'one of "https"'),
        (ACQUIRER + "url = 'https://h/'\n", "url", "did you mean [[uplink]] url?"),
        ("[[uplink]]\nname='a'\ntype='iso8583'\nhost='h'\n", "port", "must be given"),
        (ACQUIRER + "port2 = 1\n", "port2", "did you mean port"),
        (ACQUIRER + "tpdu = '60'\n", "tpdu", "10 hexadecimal digits"),
        (ACQUIRER + "header = '6'\n", "header", "hexadecimal, up to 32 bytes"),
        (ACQUIRER + "fields = { 1 = 'n6' }\n", "fields.1", "field 2 to 128"),
        (ACQUIRER + "fields = { 48 = 'x6' }\n", "fields.48", "a notation such as"),
        (ACQUIRER + "fields = { 48 = 'n..1000' }\n", "fields", "impossible"),
        (ACQUIRER + "codes = { 'a0' = 'keys' }\n", "codes.a0", "two digits or capitals"),
        (ACQUIRER + "codes = { 'A0' = 'shrug' }\n", "codes.A0", '"approved"'),
        (ACQUIRER + "protected_fields = ['3']\n", "protected_fields.0", "one of"),
        (ACQUIRER + "echo = 'app'\n", "echo", "needs echo_message"),
        (ACQUIRER + "echo = 'own_tid'\necho_terminal_id = 'E1'\n", "echo", "echo_merchant_id"),
        (ACQUIRER + "tls = false\nca_file = '/x'\n", "ca_file", "tls = true"),
        (ACQUIRER + "payload_begins = 'tpdu'\n", "payload_begins", "tpdu or header must say"),
    ],
)
def test_what_is_wrong_with_an_acquirer_is_said_at_its_key(
    write: Write, text: str, key: str, words: str
) -> None:
    """Every complaint names the key and what would be right."""
    with pytest.raises(ConfigError) as caught:
        settings.load(write(text), references=False)
    found = {problem.key: problem.sentence() for problem in caught.value.problems}
    assert key in found, found
    assert words in found[key]


def test_clear_text_to_another_machine_is_warned_of(write: Write) -> None:
    """A private line may be meant; it is said every time."""
    assert not settings.load(write(ACQUIRER)).warnings
    (warning,) = settings.load(write(ACQUIRER + "tls = false\n")).warnings
    assert "travel in clear to h" in warning[0]
    assert not settings.load(write(ACQUIRER.replace("'h'", "'::1'") + "tls = false\n")).warnings


def test_allowed_is_said_for_every_key() -> None:
    """Every key has its limits in words, in both languages, and a default or the word required."""
    for key in list_keys():
        said: Both = key.allowed
        assert said[0], key
        assert said[1], key
        assert "text like" not in said[0], (
            f"{key.name}: give the pattern words in agent.settings.schema"
        )
        assert config_reference.meaning(key)


def test_the_key_table_in_the_documentation_is_current() -> None:
    """docs/contracts/configuration.md is what the code says."""
    written = (ROOT / "docs/contracts/configuration.md").read_text("utf-8")
    assert written == config_reference.markdown(), (
        "run: posagent config keys > docs/contracts/configuration.md"
    )


def test_the_packaged_file_is_current_and_loads(write: Write) -> None:
    """packaging/posagent.toml loads as it is, and with every key uncommented."""
    text = (ROOT / "packaging/posagent.toml").read_text("utf-8")
    assert text == config_reference.toml(), (
        "run: posagent config keys --toml > packaging/posagent.toml"
    )
    assert settings.load(write(text)).config == Config()
    live = "".join(
        line.removeprefix("#") + "\n"
        for line in text.splitlines()
        if not line.startswith("# ") and line != "#"
    )
    config = settings.load(write(live)).config
    profile = PROFILES[config.telemetry.profile]
    assert config.telemetry == msgspec.structs.replace(
        Config().telemetry,
        health_period_s=profile.health_s,
        full_period_s=profile.full_s,
        backlog_period_s=profile.backlog_s,
        daily_budget_kb=DEFAULT_KB,
    )
    assert config.uplink[0].name == "main"
    assert config.health["printer.paper_out"].visible_after_s == 10.0
