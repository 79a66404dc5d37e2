"""deploy/install.sh on a real server: first and repeated install, upgrade, failures, the old cron job, uninstall."""

import re
from collections.abc import Iterator

import pytest

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from tests import shop
from tests.system.machine import SOURCE
from tests.system.site import ETC, INSTALLER, NAME, Site, prepared
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

    assert "upgrade the server to 6.0 or newer" in output
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
    assert "the database denied access" in output and "wrong-canary" not in output
    assert site.show("MainPID") == pid
    assert site.machine.run("ls", ETC).split() == ["config.toml", "crontab-backups", "mongodb-uri"]
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == site.uri()

    changed = site.uri() + "&appName=chatello"
    output = site.install("--mongodb-uri-file", "-", stdin=changed)
    assert re.search("== done: leader", output)
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == changed
    assert site.show("MainPID") != pid
    site.await_ready()


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
