"""deploy/install.sh on a real server: first install, again, upgrade, what fails, the old cron job, uninstall."""

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


@pytest.fixture(scope="module")
def prepared_site(guarded: EmbeddedMongo) -> Iterator[Site]:
    """A server with the dashboard's shop and its old cron job, and no daemon yet."""
    with prepared(guarded) as site:
        shop.plans(site.db)
        for file, text in CRONTABS.items():
            site.machine.write(file, text, "600")
        site.machine.run("chown", "www-data:crontab", "/var/spool/cron/crontabs/www-data")
        yield site


@pytest.fixture
def site(prepared_site: Site) -> Iterator[Site]:
    """The daemon installed and ready, whatever the test before did."""
    if not prepared_site.is_ready():
        prepared_site.prepare()
        prepared_site.install("--mongodb-uri-file", "/root/uri")
    yield prepared_site


def everything(site: Site) -> str:
    """Names, modes, sizes and times of all files that an installer could touch."""
    return site.machine.run("find", "/etc", "/opt", "/usr", "/var/spool", "/root", "-printf", "%p %m %u %s %t\\n")


def checkout(site: Site, *edits: str) -> None:
    """A checkout of ours, changed by sed expressions `file:expression`."""
    site.machine.run("rm", "-rf", CHECKOUT)
    site.machine.run("mkdir", CHECKOUT)
    parts = ("daemon", "rules", "deploy", "docs", "requirements", "pyproject.toml", f"{NAME}.service")
    site.machine.run("cp", "-r", *(f"{SOURCE}/{part}" for part in (*parts, "README.md", "CHANGELOG.md")), CHECKOUT)
    for edit in edits:
        file, _, expression = edit.partition(":")
        site.machine.run("sed", "-i", "-E", expression, f"{CHECKOUT}/{file}")


def upgrade(site: Site) -> str:
    return site.machine.run(f"{CHECKOUT}/deploy/install.sh", "--yes", check=False)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(prepared_site: Site) -> None:
    before = everything(prepared_site)
    told = prepared_site.machine.run(INSTALLER, "--dry-run", "--mongodb-uri-file", "/root/uri", "--local-mongodb")

    assert everything(prepared_site) == before
    for part in ("useradd", "would write: /etc/chatello-analytics/mongodb-uri (mode 600", "check, and only if", OLD):
        assert part in told, told
    assert "analytics:analytics@" not in told


def test_what_it_installs_runs_as_a_user_of_its_own_and_keeps_its_secret(site: Site) -> None:
    assert site.show("User") == NAME
    assert site.machine.run("stat", "-c", "%a %U", f"{ETC}/mongodb-uri").split() == ["600", "root"]
    assert site.machine.run("cat", f"{ETC}/config.toml") == site.configuration
    assert site.systemctl("is-enabled").strip() == "enabled"
    assert "analytics:analytics@" not in site.machine.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
    assert site.machine.run(f"/usr/local/bin/{NAME}", "verify").strip()
    refused = site.machine.run("setpriv", "--reuid=www-data", f"/usr/local/bin/{NAME}", "check", check=False)
    assert "cannot be read" in refused and "Permission denied" in refused and "Traceback" not in refused


def test_the_old_cron_job_is_taken_out_with_a_backup(site: Site) -> None:
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
    told = site.install()

    assert "it runs already; nothing to start" in told
    assert site.show("MainPID") == pid
    assert everything(site) == before


def test_an_upgrade_has_a_directory_of_its_own_and_the_version_before_stays(site: Site) -> None:
    before = site.version()
    checkout(site, 'pyproject.toml:s/^version = .*/version = "9.9.9"/')
    told = upgrade(site)

    assert "/9.9.9-" in site.version(), told
    wait_for(site.is_ready, "the new version to be ready")
    assert 'version="9.9.9"' in metrics(site)
    kept = site.machine.run("ls", f"/opt/{NAME}/versions").split()
    assert sorted(kept) == sorted(path.rpartition("/")[2] for path in (before, site.version()))


def metrics(site: Site) -> str:
    return get(site.port, "/metrics")[1]


def test_a_version_whose_check_fails_is_never_started(site: Site) -> None:
    pid, before = site.show("MainPID"), site.version()
    checkout(site, "daemon/diagnostics/preflight.py:s/^OLDEST = .*/OLDEST = (99, 0)/")
    told = upgrade(site)

    assert "upgrade the server to 6.0 or newer" in told
    assert "the check failed, so nothing was started or changed" in told
    assert (site.show("MainPID"), site.version()) == (pid, before)


def test_a_version_that_does_not_stand_is_rolled_back(site: Site) -> None:
    before = site.version()
    checkout(site, "daemon/app.py:s/^( +)(listening = server.listen.*)/\\1raise OSError('on purpose')/")
    told = upgrade(site)

    assert "on purpose" in told
    assert f"rolled back: {before.rpartition('/')[2]} runs again" in told
    assert site.version() == before
    site.await_ready()


def test_a_password_that_changed_is_given_again_and_a_wrong_one_is_refused(site: Site) -> None:
    pid = site.show("MainPID")
    site.machine.write("/root/uri", site.uri("wrong-canary") + "\n", "600")
    told = site.install("--mongodb-uri-file", "/root/uri", check=False)
    assert "the database refuses us" in told and "wrong-canary" not in told
    assert site.show("MainPID") == pid
    assert site.machine.run("ls", ETC).split() == ["config.toml", "crontab-backups", "mongodb-uri"]
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == site.uri()

    again = site.uri() + "&appName=chatello"
    told = site.install("--mongodb-uri-file", "-", given=again)
    assert re.search("== done: leader", told)
    assert site.machine.run("cat", f"{ETC}/mongodb-uri").strip() == again
    assert site.show("MainPID") != pid
    site.await_ready()


def test_what_the_check_found_is_started_over_only_when_it_is_said_so(site: Site) -> None:
    before = site.version()
    checkout(site, "daemon/diagnostics/preflight.py:s/^OLDEST = .*/OLDEST = (98, 0)/")
    told = site.machine.run(f"{CHECKOUT}/deploy/install.sh", "--start-anyway")

    assert "started all the same, as you say" in told
    assert site.version() != before
    site.await_ready()


def test_without_knowing_where_mongodb_is_it_says_how_to_tell_it(prepared_site: Site) -> None:
    site = prepared_site
    site.machine.run("rm", "-f", f"{ETC}/mongodb-uri")

    assert "--mongodb-uri-file FILE" in site.install(check=False)
    assert "is empty" in site.install("--mongodb-uri-file", "/dev/null", check=False)
    site.machine.write("/root/wrong", site.uri("mistyped") + "\n", "600")
    assert "nothing was started or changed" in site.install("--mongodb-uri-file", "/root/wrong", check=False)
    assert "--mongodb-uri-file FILE" in site.install(check=False), (
        "what was mistyped is not kept: it is asked for again"
    )
    assert "--nonsense is not understood" in site.install("--nonsense", check=False)
    site.machine.write(f"{ETC}/mongodb-uri", site.uri(), "600")


def test_uninstalling_leaves_the_configuration_and_a_later_install_goes_on(site: Site) -> None:
    movements = site.db.analytics_ledger.count_documents({})
    told = site.machine.run(INSTALLER, "uninstall")

    assert "the database is untouched" in told
    assert site.systemctl("is-active", check=False).strip() == "inactive"
    for gone in (f"/opt/{NAME}", f"/usr/local/bin/{NAME}", f"/etc/systemd/system/{NAME}.service"):
        assert "No such file" in site.machine.run("ls", gone, check=False)
    assert site.machine.run("cat", f"{ETC}/config.toml") == site.configuration
    site.install()
    site.await_ready()
    assert site.db.analytics_ledger.count_documents({}) == movements
    assert site.db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0


def test_purging_leaves_nothing_but_the_backups_of_crontabs(site: Site) -> None:
    site.machine.run(INSTALLER, "uninstall", "--purge")

    left = site.machine.run(
        "find", "/etc", "/opt", "/usr/local", "/var/log", "-name", f"*{NAME}*", "-not", "-path", "*journal*"
    )
    assert left == ""
    assert NAME not in site.machine.run("cat", "/etc/passwd", "/etc/group")
    assert "www-data" in site.machine.run("ls", f"/root/{NAME}-crontab-backups")
    site.prepare()
