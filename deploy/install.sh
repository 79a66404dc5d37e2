#!/usr/bin/env bash
# Installs, upgrades and uninstalls chatello-analytics on the dashboard's server; see `deploy/install.sh --help`.
#
# Guarantees: the running version keeps running until the new one has passed its check. Secrets, drop-in, units and
# configuration are staged, replaced when the new version starts, and put back as they were if it does not become ready.
# Each version has its own directory; `current` links to one of them. An existing configuration is never overwritten,
# only packages of the index are downloaded, and a repeated run changes nothing.
set -euo pipefail
umask 022

readonly NAME=chatello-analytics
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly HERE
readonly HOME_DIR=/opt/$NAME ETC=/etc/$NAME
readonly VERSIONS=$HOME_DIR/versions CURRENT=$HOME_DIR/current
readonly UNITS=/etc/systemd/system
readonly UNIT=$UNITS/$NAME.service DROP_INS=$UNITS/$NAME.service.d TEMPLATE=$UNITS/$NAME@.service
readonly COMMAND=/usr/local/bin/$NAME
readonly OLD_CRON=daily_analytics_cron.py
readonly TAKEN_OUT="# disabled by $NAME, which writes these rows: "

dry='' yes='' purge='' anyway='' local_only='' make_token='' with_parquet='' uri_file='' wheel='' python=${PYTHON:-python3}
unfinished='' scratch='' staged='' former='' switching='' before=''

usage() {
  cat <<EOF
Usage: deploy/install.sh [install|uninstall] [OPTIONS]

  install      install this checkout, or upgrade to it; safe to repeat (the default)
  uninstall    stop and remove the daemon; configuration, secrets and the database stay

Options:
  --dry-run                show what would be done without doing it
  --yes                    do not ask questions; disable the old $OLD_CRON in the crontabs
  --mongodb-uri-file FILE  read the connection string from FILE (- for standard input)
  --http-token             create a token; without one the HTTP API is read-only
  --with-parquet           also install pyarrow (170 MB) for exports to Parquet; later upgrades keep it
  --local-mongodb          allow connections to this machine only (MongoDB runs here)
  --wheel FILE             install this wheel instead of building one from the checkout
  --python PROGRAM         Python 3.11 or newer (default: python3)
  --start-anyway           start even if the check finds problems
  --purge                  uninstall: also remove configuration, secrets, logs and user
  -h, --help               show this text

Examples:
  sudo deploy/install.sh
  sudo deploy/install.sh --yes --mongodb-uri-file /root/uri
  sudo deploy/install.sh --dry-run
  sudo deploy/install.sh uninstall
EOF
}

say() { printf '%s\n' "$*"; }
step() { printf '== %s\n' "$*"; }
complain() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
  complain "$@"
  exit 1
}

# run COMMAND...: run the command; in a dry run only print it.
run() {
  if [[ $dry ]]; then
    printf '   would run: %s\n' "$*"
  else
    "$@"
  fi
}

can_ask() { [[ ! $yes && ! $dry && -t 0 ]]; }

# agreed QUESTION: ask the user; without a terminal the answer is yes if --yes is given.
agreed() {
  if can_ask; then
    local answer
    read -rp "$1 [y/N] " answer
    [[ $answer == [yYsS]* ]]
  else
    [[ $yes ]]
  fi
}

# shellcheck source=deploy/installer/files.sh
source "$HERE/deploy/installer/files.sh"
# shellcheck source=deploy/installer/version.sh
source "$HERE/deploy/installer/version.sh"
# shellcheck source=deploy/installer/service.sh
source "$HERE/deploy/installer/service.sh"
# shellcheck source=deploy/installer/crontabs.sh
source "$HERE/deploy/installer/crontabs.sh"

# -- requirements -----------------------------------------------------------------------------------------------

require_machine() {
  [[ $dry || $EUID == 0 ]] || die "must run as root; use sudo deploy/install.sh (or --dry-run)"
  [[ $dry || -d /run/systemd/system ]] || die "systemd is not running on this machine; see deploy/docker for Docker"
  if [[ ! $dry ]]; then
    exec 9>/run/$NAME-install.lock
    flock -n 9 || die "another install.sh is running; try again when it has finished"
  fi
}

require_python() {
  [[ -f $HERE/requirements/run.txt ]] || die "$HERE is not a checkout; run deploy/install.sh from one"
  command -v "$python" >/dev/null || die "$python: command not found; run apt-get install python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is older than Python 3.11; select a newer one with --python"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "Python's venv module is missing; run apt-get install python3-venv"
}

# -- user, configuration, secrets -------------------------------------------------------------------------------

make_user() {
  getent group $NAME >/dev/null || run groupadd --system $NAME
  getent passwd $NAME >/dev/null || run useradd --system --gid $NAME --home-dir /nonexistent --no-create-home \
    --shell /usr/sbin/nologin --comment "Chatello analytics daemon" $NAME
}

stage_configuration() {
  if [[ -e $ETC/config.toml ]]; then
    say "   $ETC/config.toml exists and is not changed"
  else
    stage 640 root:$NAME $ETC/config.toml <"$HERE/deploy/config.toml"
  fi
}

# Read the connection string first, so that no question interrupts the installation. A stored one is used without a
# question only if a service with it became ready: the unit exists.
read_uri() {
  uri=''
  if [[ $uri_file == - ]]; then uri_file=/dev/stdin; fi
  if [[ $uri_file ]]; then
    [[ -r $uri_file ]] || die "$uri_file cannot be read"
    uri=$(<"$uri_file")
    [[ $uri ]] || die "$uri_file is empty; it must contain mongodb://… or mongodb+srv://…"
  elif can_ask && [[ ! -e $UNIT || ! -s $ETC/mongodb-uri ]]; then
    read -rsp "MongoDB connection string (not shown$([[ ! -s $ETC/mongodb-uri ]] || echo "; empty: the stored one")): " uri
    echo
  fi
  if [[ ! $uri && ! -s $ETC/mongodb-uri && ! $dry ]]; then
    die "no connection string; write it to a file and pass --mongodb-uri-file FILE"
  fi
}

stage_secrets() {
  if [[ $uri ]]; then stage 600 root:root $ETC/mongodb-uri <<<"$uri"; fi
  if [[ $make_token && ! -s $ETC/http-token ]]; then
    stage 600 root:root $ETC/http-token <<<"$(head -c 32 /dev/urandom | base64 | tr -d '=+/\n')"
  fi
}

stage_units() {
  stage 644 root:root $UNIT <"$HERE/$NAME.service"
  stage 644 root:root $TEMPLATE <"$HERE/deploy/systemd/$NAME@.service"
  if [[ $local_only ]]; then
    stage 644 root:root $DROP_INS/local-mongodb.conf <"$HERE/deploy/systemd/local-mongodb.conf"
  fi
}

# -- install, uninstall -----------------------------------------------------------------------------------------

install_it() {
  require_machine
  require_python
  read_uri
  name_requirements
  if [[ -e $UNIT ]]; then before=$(readlink $CURRENT || true); fi
  if [[ $dry ]]; then
    say "   would build a wheel of $HERE and install it with $(grep -c '==' "$requirements") pinned packages below $VERSIONS"
  else
    make_scratch
    name_version
    make_version
  fi
  make_user
  write_command
  stage_configuration
  stage_secrets
  stage_units
  if [[ $dry ]]; then
    say "   would run: $NAME check, and only if it passes start $NAME.service (rolled back if it does not become ready)"
  else
    check_version
    switch
  fi
  take_out_old_cron
  if [[ ! $dry ]]; then farewell; fi
}

farewell() {
  step "done: $(systemctl show --property=StatusText --value $NAME)"
  if [[ -e $staged$ETC/http-token ]]; then say "   created a token for the HTTP API in $ETC/http-token"; fi
  say "   systemctl status $NAME       role and lag
   journalctl -fu $NAME -o cat  log
   $NAME verify                 verify the totals
   $CURRENT/share/doc/$NAME/operations.md: what to do in an incident"
}

uninstall_it() {
  require_machine
  step "removing the daemon"
  if [[ -e $UNIT ]]; then
    run systemctl disable --quiet --now $NAME
    run systemctl stop "$NAME@*"
    run rm -rf $UNIT $DROP_INS $TEMPLATE $TEMPLATE.d $UNITS/*.wants/$NAME@*.service
    run systemctl daemon-reload
  fi
  if [[ -e $COMMAND ]] && grep -q 'Made by deploy/install.sh' $COMMAND; then run rm -f $COMMAND; fi
  run rm -rf $HOME_DIR
  if [[ $(ls -A $ETC/crontab-backups 2>/dev/null) ]]; then
    say "   the old $OLD_CRON stays disabled; backups of the crontabs are in $ETC/crontab-backups"
    if [[ $purge ]]; then run cp -a $ETC/crontab-backups /root/$NAME-crontab-backups; fi
  fi
  if [[ $purge ]]; then
    run rm -rf $ETC /var/log/$NAME
    if getent passwd $NAME >/dev/null; then run userdel $NAME; fi
  else
    say "   $ETC is kept (--purge removes it)"
  fi
  say "   the database is unchanged: the daemon's collections are analytics_*; a later install resumes from them"
}

action=install
while (($#)); do
  case $1 in
    install | uninstall) action=$1 ;;
    --dry-run) dry=1 ;;
    --yes) yes=1 ;;
    --purge) purge=1 ;;
    --start-anyway) anyway=1 ;;
    --local-mongodb) local_only=1 ;;
    --http-token) make_token=1 ;;
    --with-parquet) with_parquet=1 ;;
    --mongodb-uri-file | --wheel | --python)
      (($# > 1)) || die "$1 requires a value"
      case $1 in --wheel) wheel=$2 ;; --python) python=$2 ;; *) uri_file=$2 ;; esac
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) die "unknown option: $1; see --help" ;;
  esac
  shift
done
"${action}_it"
