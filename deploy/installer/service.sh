# shellcheck shell=bash
# Checks the new version, switches the service to it, and rolls back if it does not start. Part of deploy/install.sh.
# shellcheck disable=SC2154  # variables are defined in install.sh

# Run the check with the user and the credentials of the service.
check_version() {
  step "chatello-analytics check"
  local status=0 credentials=() secret file
  for secret in mongodb-uri http-token; do
    for file in $ETC/$secret.new $ETC/$secret; do
      if [[ -s $file ]]; then break; fi
    done
    if [[ -s $file ]]; then credentials+=("--property=LoadCredential=$secret:$file"); fi
  done
  systemd-run --quiet --wait --pipe --collect --property=User=$NAME "${credentials[@]}" \
    "$version/bin/$NAME" check || status=$?
  if ((status == 1)) && starts_anyway; then
    say "   the check failed; starting anyway, as requested"
  elif ((status)); then
    die "the check failed, so nothing was started or changed; fix the problem and run this again$(hint_of "$status")"
  fi
  if [[ -e $ETC/mongodb-uri.new ]]; then mv $ETC/mongodb-uri.new $ETC/mongodb-uri; fi
}

# --yes alone does not start a version whose check failed.
starts_anyway() {
  if [[ ! $anyway ]]; then can_ask && agreed "Start anyway?"; fi
}

hint_of() {
  if (($1 == 1)); then echo " (or use --start-anyway)"; fi
}

point_to() {
  ln -sfn "$1" $CURRENT.new
  mv -T $CURRENT.new $CURRENT
  put 644 root:root $UNIT <"$1/share/$NAME.service"
  systemctl daemon-reload
}

write_command() {
  if [[ -e $COMMAND ]] && ! grep -q 'Made by deploy/install.sh' $COMMAND; then
    say "   $COMMAND was not created by this installer and is kept; run $CURRENT/bin/$NAME"
    return
  fi
  put 755 root:root $COMMAND <<EOF
#!/bin/sh
# Made by deploy/install.sh: runs the command with the configuration and secrets of the service (as root).
export CREDENTIALS_DIRECTORY="\${CREDENTIALS_DIRECTORY:-$ETC}"
exec $CURRENT/bin/$NAME "\$@"
EOF
}

write_drop_in() {
  run install -d -m 755 $DROP_INS
  put 644 root:root $DROP_INS/local-mongodb.conf <"$HERE/deploy/systemd/local-mongodb.conf"
}

switch() {
  local before
  before=$(readlink $CURRENT || true)
  if [[ $before == "$version" && ! $changed ]] && cmp -s "$version/share/$NAME.service" $UNIT &&
    systemctl is-active --quiet $NAME; then
    say "   already running; nothing to start"
    return
  fi
  step "starting; waiting until the change stream and the HTTP server are open"
  if [[ $before ]]; then systemctl stop $NAME; fi
  point_to "$version"
  systemctl enable --quiet $NAME
  systemctl reset-failed $NAME 2>/dev/null || true
  start || roll_back "$before"
  remove_old_versions "$before"
}

# Start the service and wait for READY=1; print each new status line.
start() {
  local printed="" status
  systemctl start $NAME &
  while kill -0 $! 2>/dev/null; do
    status=$(systemctl show --property=StatusText --value $NAME)
    if [[ $status != "$printed" ]]; then say "   $status"; fi
    printed=$status
    sleep 0.5
  done
  wait $!
}

roll_back() {
  say "   the service did not start; the last lines of the journal:"
  journalctl --unit $NAME --lines 5 --output cat --no-pager | sed 's/^/   | /'
  if [[ ! $1 ]]; then
    systemctl disable --quiet --now $NAME
    die "no version is running; fix the problem and run this again"
  fi
  systemctl stop $NAME
  point_to "$1"
  systemctl start $NAME || die "the previous version $(basename "$1") does not start either; see journalctl -u $NAME"
  die "rolled back: $(basename "$1") is running again"
}

# Remove all versions except the running one and the previous one ($1).
remove_old_versions() {
  local one
  for one in "$VERSIONS"/*; do
    if [[ $one != "$version" && $one != "$1" ]]; then rm -rf "$one"; fi
  done
}
