"""deploy/install.sh on a real server: first and repeated install, upgrade, failures, the old cron job, uninstall."""

import re
import socket
from collections.abc import Iterator

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo, free_port, wait_for
from tests import access, shop
from tests.system.machine import SOURCE
from tests.system.site import DATABASE, ETC, INSTALLER, NAME, Site, prepared
from tests.system.test_process import get

pytestmark = pytest.mark.timeout(600)

OLD = "/srv/dashboard/daily_analytics_cron.py"
CRONTABS = {
    "/var/spool/cron/crontabs/www-data": f"MAILTO=admin\n0 6 * * * python3 {OLD} >> /tmp/log\n5 5 * * * backup\n",
    "/etc/cron.d/dashboard": f"# {OLD} was here\n0 6 * * * root cd /srv && python3 {OLD}\n",
}
CHECKOUT = "/root/checkout"
PAGES = ("README.md", "LICENSE", "CHANGELOG.md")


@pytest.fixture(scope="module")
def prepared_site(guarded: EmbeddedMongo) -> Iterator[Site]:
    """Prepare a server with the dashboard's database and its old cron job, without the daemon."""
    with prepared(guarded) as site:
        shop.plans(site.db)
        for file, text in CRONTABS.items():
            site.machine.write(file, text, "600")
        site.machine.run("chown", "www-data:crontab", "/var/spool/cron/crontabs/www-data")
        yield site


@pytest.fixture
def site(prepared_site: Site) -> Iterator[Site]:
    """Return the site with the daemon installed and ready, whatever the previous test did."""
    if not prepared_site.is_ready():
        prepared_site.prepare()
        prepared_site.install("--mongodb-uri-file", "/root/uri")
    yield prepared_site


def everything(site: Site) -> str:
    """Return names, modes, sizes and times of all files that the installer could change."""
    return site.machine.run("find", "/etc", "/opt", "/usr", "/var/spool", "/root", "-printf", "%p %m %u %s %t\\n")


def checkout(site: Site, *edits: str) -> None:
    """Copy the checkout and apply sed expressions `file:expression`."""
    site.machine.run("rm", "-rf", CHECKOUT)
    site.machine.run("mkdir", CHECKOUT)
    parts = ("daemon", "rules", "deploy", "docs", "requirements", "pyproject.toml", f"{NAME}.service", *PAGES)
    site.machine.run("cp", "-r", *(f"{SOURCE}/{part}" for part in parts), CHECKOUT)
    for edit in edits:
        file, _, expression = edit.partition(":")
        site.machine.run("sed", "-i", "-E", expression, f"{CHECKOUT}/{file}")


def upgrade(site: Site) -> str:
    return site.machine.run(f"{CHECKOUT}/deploy/install.sh", "--yes", check=False)


def test_a_dry_run_prints_its_actions_and_changes_nothing(prepared_site: Site) -> None:
    before = everything(prepared_site)
    output = prepared_site.machine.run(INSTALLER, "--dry-run", "--mongodb-uri-file", "/root/uri", "--local-mongodb")

    assert everything(prepared_site) == before
    for part in ("useradd", "would write: /etc/chatello-analytics/mongodb-uri (mode 600", "check, and only if", OLD):
        assert part in output, output
    assert "analytics:analytics@" not in output


def test_the_service_runs_as_its_own_user_and_keeps_its_secret(site: Site) -> None:
    assert site.show("User") == NAME
    assert site.machine.run("stat", "-c", "%a %U", f"{ETC}/mongodb-uri").split() == ["600", "root"]
    assert site.machine.run("cat", f"{ETC}/config.toml") == site.configuration
    assert site.systemctl("is-enabled").strip() == "enabled"
    assert "analytics:analytics@" not in site.machine.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
    assert site.machine.run(f"/usr/local/bin/{NAME}", "verify").strip()
    refused = site.machine.run("setpriv", "--reuid=www-data", f"/usr/local/bin/{NAME}", "check", check=False)
    assert "cannot read the configuration file" in refused and "Permission denied" in refused
    assert "Traceback" not in refused


def test_the_old_cron_job_is_removed_with_a_backup(site: Site) -> None:
    for file, text in CRONTABS.items():
        lines = site.machine.run("cat", file).splitlines()
        assert [line for line in lines if not line.startswith("#")] == [
            line for line in text.splitlines() if OLD not in line
        ]
        kept = site.machine.run("sh", "-c", f"cat {ETC}/crontab-backups/*{file.rpartition('/')[2]}*")
        assert kept == text
    owner = site.machine.run("stat", "-c", "%a %U %G", "/var/spool/cron/crontabs/www-data")
    assert owner.split() == ["600", "www-data", "crontab"]


def test_installing_again_changes_nothing_and_restarts_nothing(site: Site) -> None:
    site.install()
    pid, before = site.show("MainPID"), everything(site)
    output = site.install()

    assert "already running; nothing to start" in output
    assert site.show("MainPID") == pid
    assert everything(site) == before


def test_an_upgrade_has_its_own_directory_and_keeps_the_previous_version(site: Site) -> None:
    before = site.version()
    checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.9"/')
    output = upgrade(site)

    assert "/9.9.9-" in site.version(), output
    wait_for(site.is_ready, "the new version to be ready")
    assert 'version="9.9.9"' in metrics(site)
    kept = site.machine.run("ls", f"/opt/{NAME}/versions").split()
    assert sorted(kept) == sorted(path.rpartition("/")[2] for path in (before, site.version()))


def metrics(site: Site) -> str:
    return get(site.port, "/metrics")[1]


def test_a_version_whose_check_fails_is_never_started(site: Site) -> None:
    pid, before = site.show("MainPID"), site.version()
    checkout(site, "daemon/diagnostics/preflight.py:s/^MINIMUM_VERSION = .*/MINIMUM_VERSION = (99, 0)/")
    output = upgrade(site)

    assert "PROBLEM version: MongoDB" in output and "upgrade the server to 6.0 or newer" in output
    assert "the check failed, so nothing was started or changed" in output
    assert (site.show("MainPID"), site.version()) == (pid, before)


def test_a_version_that_does_not_become_ready_is_rolled_back(site: Site) -> None:
    before = site.version()
    checkout(site, "daemon/app.py:s/^( +)(listening = listener.listen.*)/\\1raise OSError('on purpose')/")
    output = upgrade(site)

    assert "on purpose" in output
    assert f"rolled back: {before.rpartition('/')[2]} is running again" in output
    assert site.version() == before
    site.await_ready()


def test_a_changed_password_is_accepted_and_a_wrong_one_is_rejected(site: Site) -> None:
    pid = site.show("MainPID")
    site.machine.write("/root/uri", site.uri("wrong-canary") + "\n", "600")
    output = site.install("--mongodb-uri-file", "/root/uri", check=False)
    assert "MongoDB refuses this login: check user, password and authSource" in output
    assert "wrong-canary" not in output
    assert site.show("MainPID") == pid
    assert site.machine.run("ls", ETC).split() == ["config.toml", "crontab-backups", "mongodb-uri"]
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == site.uri()

    changed = site.uri() + "&appName=chatello"
    output = site.install("--mongodb-uri-file", "-", stdin=changed)
    assert re.search("== done: leader", output)
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == changed
    assert site.show("MainPID") != pid
    site.await_ready()


def versions(site: Site) -> list[str]:
    return sorted(site.machine.run("ls", f"/opt/{NAME}/versions").split())


def kept(site: Site) -> str:
    """Return content, mode and owner of every file that a failed installation has to restore."""
    files = (
        f"{ETC} /etc/systemd/system -name '*.bak' -prune -o -type f -exec stat -c '%n %a %U %G' {{}} + -exec cat {{}} +"
    )
    return site.machine.run("sh", "-c", f"find {files}; readlink /opt/{NAME}/current")


def test_a_changed_password_keeps_the_previous_version(site: Site) -> None:
    checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.8"/')
    upgrade(site)
    before = versions(site)
    site.machine.write("/root/uri", site.uri() + "&appName=kept\n", "600")
    output = site.machine.run(f"{CHECKOUT}/deploy/install.sh", "--yes", "--mongodb-uri-file", "/root/uri")

    assert "== done" in output
    assert len(before) == 2
    assert versions(site) == before


def test_everything_is_put_back_if_the_service_does_not_become_ready(site: Site) -> None:
    checkout(
        site,
        'pyproject.toml:s/^version = .*/version = "9.9.7"/',
        f"{NAME}.service:s/^(Description=).*/\\1another/",
    )
    before = kept(site)
    site.machine.write("/root/uri", site.uri("wrong-canary") + "\n", "600")
    options = ("--start-anyway", "--mongodb-uri-file", "/root/uri", "--local-mongodb", "--http-token")
    output = site.machine.run(f"{CHECKOUT}/deploy/install.sh", *options, check=False)

    assert "PROBLEM database: not usable" in output
    assert "is running again, with its secrets and configuration" in output
    assert kept(site) == before
    assert "wrong-canary" not in output
    assert site.machine.run("sh", "-c", "ls -d /tmp/tmp.* 2>/dev/null || true") == ""
    site.await_ready()


def test_everything_is_put_back_after_an_interrupt(site: Site) -> None:
    checkout(site, "daemon/app.py:s/^( +)(listening = listener.listen.*)/\\1__import__('time').sleep(60)/")
    before = kept(site)
    installing = f"timeout --signal=INT 45 {CHECKOUT}/deploy/install.sh --yes --http-token"
    output = site.machine.run("sh", "-c", f"{installing}; echo ended with $?", check=False)

    assert "== starting" in output and "is running again" in output, output
    assert kept(site) == before
    site.await_ready()


def test_a_failed_check_leaves_no_file(site: Site) -> None:
    before = kept(site)
    site.machine.write("/root/uri", site.uri("wrong-canary") + "\n", "600")
    options = ("--mongodb-uri-file", "/root/uri", "--local-mongodb", "--http-token")
    output = site.install(*options, check=False)

    assert "nothing was started or changed" in output
    assert "created a token" not in output
    assert kept(site) == before


def test_a_used_port_is_found_before_the_service_is_stopped(site: Site) -> None:
    pid, other = site.show("MainPID"), free_port()
    with socket.create_server(("127.0.0.1", other)):
        site.machine.write(f"{ETC}/config.toml", site.configuration.replace(f"{site.port}", f"{other}"))
        checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.6"/')
        output = upgrade(site)
    site.machine.write(f"{ETC}/config.toml", site.configuration)

    assert f"PROBLEM port {other}: not usable" in output
    assert f"port {other} is used by another program" in output
    assert "nothing was started or changed" in output
    assert site.show("MainPID") == pid
    checked = site.machine.run(f"/usr/local/bin/{NAME}", "check")
    assert f"ok      port {site.port}: used by the running service" in checked


ASKED = "MongoDB connection string"


def on_a_terminal(site: Site, *answers: str) -> str:
    """Run the installer on a terminal; each answer is typed once its question is shown."""
    script = f"""import os, pty, select, sys
answers = {list(answers)!r}
pid, terminal = pty.fork()
if not pid:
    os.execv({INSTALLER!r}, [{INSTALLER!r}])
shown = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    shown += part
    if answers and (shown.endswith(b"): ") or shown.endswith(b"[y/N] ")):
        os.write(terminal, answers.pop(0).encode() + b"\\n")
print(shown.decode(), os.waitpid(pid, 0)[1])
"""
    return site.machine.run("python3", "-c", script)


def test_a_first_installation_with_a_wrong_password_asks_again_and_has_the_command(prepared_site: Site) -> None:
    site = prepared_site
    site.machine.run(INSTALLER, "uninstall", "--purge")
    site.machine.write("/etc/cron.d/dashboard", "", "600")
    output = on_a_terminal(site, site.uri("wrong-canary"), "y")

    assert "starting anyway, as requested" in output
    assert "no version is running; secrets and configuration were not kept" in output
    assert "wrong-canary" not in output
    assert "Usage:" in site.machine.run(f"/usr/local/bin/{NAME}", "--help")
    assert "No such file" in site.machine.run("ls", ETC, check=False)
    assert site.show("LoadState") == "not-found"
    site.machine.write(f"{ETC}/config.toml", site.configuration)
    output = on_a_terminal(site, site.uri(), "n")
    assert ASKED in output and "== done: leader" in output
    assert ASKED not in on_a_terminal(site, "n")


def test_parquet_is_installed_on_request_and_kept_by_upgrades(site: Site) -> None:
    refused = site.machine.run(f"/usr/local/bin/{NAME}", "export", "rows", "-o", "/tmp/y.parquet", check=False)
    assert "run deploy/install.sh --with-parquet" in refused
    assert "== done" in site.install("--with-parquet")
    checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.5"/')
    upgrade(site)

    assert "/9.9.5-" in site.version()
    site.machine.run(f"/usr/local/bin/{NAME}", "export", "rows", "-o", "/tmp/y.parquet")
    assert site.machine.run("head", "-c4", "/tmp/y.parquet") == "PAR1"


def test_a_second_shop_has_its_own_service_and_follows_upgrades(site: Site) -> None:
    """As in docs/operations.md: a folder below /etc/chatello-analytics and an instance of the template unit."""
    shop_port, folder, unit = free_port(), f"{ETC}/secondo", f"{NAME}@secondo"
    configuration = site.configuration.replace(f"{site.port}", f"{shop_port}").replace(
        "[mongodb]\n", f'[mongodb]\ndatabase = "{DATABASE}_2"\n'
    )
    with access.database_with_role(site.mongo, f"{DATABASE}_2") as second:
        shop.plans(second)
        site.machine.run("install", "-d", "-m", "750", "-g", NAME, folder)
        site.machine.write(f"{folder}/config.toml", configuration)
        uri = access.uri_of(site.mongo, "analytics", "analytics", f"{DATABASE}_2")
        site.machine.write(f"{folder}/mongodb-uri", uri, "600")
        command = (f"/usr/local/bin/{NAME}", "check", "--config", f"{folder}/config.toml")
        assert f"ok      port {shop_port}: free" in site.machine.run(*command, CREDENTIALS_DIRECTORY=folder)
        site.machine.run("systemctl", "enable", "--quiet", "--now", unit)
        wait_for(lambda: get(shop_port, "/readyz")[0] == 200, "the second shop to be ready")
        assert f"ok      port {shop_port}: used by the running service" in site.machine.run(
            *command, CREDENTIALS_DIRECTORY=folder
        )
        site.machine.run("systemctl", "reload", unit)
        shop.customer(second, "Zoe")
        wait_for(lambda: second.business_events.count_documents({}) == 1, "the event of the second shop")
        assert site.db.business_events.count_documents({"description": {"$regex": "Zoe"}}) == 0
        checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.4"/')
        output = upgrade(site)
        assert f"restarting {unit}.service" in output
        wait_for(lambda: get(shop_port, "/readyz")[0] == 200, "the second shop to be ready again")
        assert 'version="9.9.4"' in get(shop_port, "/metrics")[1]
        site.machine.run(INSTALLER, "uninstall")
        assert "inactive" in site.machine.run("systemctl", "is-active", unit, check=False)
        site.machine.run("rm", "-r", folder)


def test_a_version_with_a_failed_check_starts_only_with_start_anyway(site: Site) -> None:
    before = site.version()
    checkout(site, "daemon/diagnostics/preflight.py:s/^MINIMUM_VERSION = .*/MINIMUM_VERSION = (98, 0)/")
    output = site.machine.run(f"{CHECKOUT}/deploy/install.sh", "--start-anyway")

    assert "starting anyway, as requested" in output
    assert site.version() != before
    site.await_ready()


def test_without_a_connection_string_it_names_the_option_for_it(prepared_site: Site) -> None:
    site = prepared_site
    site.machine.run("rm", "-f", f"{ETC}/mongodb-uri")

    assert "--mongodb-uri-file FILE" in site.install(check=False)
    assert "is empty" in site.install("--mongodb-uri-file", "/dev/null", check=False)
    site.machine.write("/root/wrong", site.uri("mistyped") + "\n", "600")
    assert "nothing was started or changed" in site.install("--mongodb-uri-file", "/root/wrong", check=False)
    assert "--mongodb-uri-file FILE" in site.install(check=False), "a wrong connection string must not be kept"
    assert "unknown option: --nonsense" in site.install("--nonsense", check=False)
    site.machine.write(f"{ETC}/mongodb-uri", site.uri(), "600")


def test_uninstalling_keeps_the_configuration_and_a_later_install_resumes(site: Site) -> None:
    movements = site.db.analytics_ledger.count_documents({})
    output = site.machine.run(INSTALLER, "uninstall")

    assert "the database is unchanged" in output
    assert site.systemctl("is-active", check=False).strip() == "inactive"
    for removed in (f"/opt/{NAME}", f"/usr/local/bin/{NAME}", f"/etc/systemd/system/{NAME}.service"):
        assert "No such file" in site.machine.run("ls", removed, check=False)
    assert site.machine.run("cat", f"{ETC}/config.toml") == site.configuration
    site.install()
    site.await_ready()
    assert site.db.analytics_ledger.count_documents({}) == movements
    assert site.db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0


def test_purging_removes_everything_except_the_crontab_backups(site: Site) -> None:
    site.machine.run(INSTALLER, "uninstall", "--purge")

    left = site.machine.run(
        "find", "/etc", "/opt", "/usr/local", "/var/log", "-name", f"*{NAME}*", "-not", "-path", "*journal*"
    )
    assert left == ""
    assert NAME not in site.machine.run("cat", "/etc/passwd", "/etc/group")
    assert "www-data" in site.machine.run("ls", f"/root/{NAME}-crontab-backups")
    site.prepare()
