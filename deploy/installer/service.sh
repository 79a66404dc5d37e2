# shellcheck shell=bash
# The service: checked first, then switched to, and back if it does not stand. Part of deploy/install.sh.
# shellcheck disable=SC2154  # its variables are install.sh's

# As the service will run it: its user, its credentials.
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
    say "   started all the same, as you say"
  elif ((status)); then
    die "the check failed, so nothing was started or changed: mend it, then run this again$(hint_of "$status")"
  fi
  if [[ -e $ETC/mongodb-uri.new ]]; then mv $ETC/mongodb-uri.new $ETC/mongodb-uri; fi
}

# Never by --yes alone.
starts_anyway() {
  if [[ ! $anyway ]]; then can_ask && agreed "Start all the same?"; fi
}

hint_of() {
  if (($1 == 1)); then echo " (--start-anyway starts all the same)"; fi
}

point_to() {
  ln -sfn "$1" $CURRENT.new
  mv -T $CURRENT.new $CURRENT
  put 644 root:root $UNIT <"$1/share/$NAME.service"
  systemctl daemon-reload
}

write_command() {
  if [[ -e $COMMAND ]] && ! grep -q 'Made by deploy/install.sh' $COMMAND; then
    say "   $COMMAND is not ours and stays; ours is $CURRENT/bin/$NAME"
    return
  fi
  put 755 root:root $COMMAND <<EOF
#!/bin/sh
# Made by deploy/install.sh: the command with the service's configuration and secrets, for root.
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
    say "   it runs already; nothing to start"
    return
  fi
  step "starting; ready once the change stream is open"
  if [[ $before ]]; then systemctl stop $NAME; fi
  point_to "$version"
  systemctl enable --quiet $NAME
  systemctl reset-failed $NAME 2>/dev/null || true
  start || roll_back "$before"
  forget_all_but "$before"
}

# Wait for READY, telling what the daemon tells of itself.
start() {
  local told="" status
  systemctl start $NAME &
  while kill -0 $! 2>/dev/null; do
    status=$(systemctl show --property=StatusText --value $NAME)
    if [[ $status != "$told" ]]; then say "   $status"; fi
    told=$status
    sleep 0.5
  done
  wait $!
}

roll_back() {
  say "   it does not start; the journal says:"
  journalctl --unit $NAME --lines 5 --output cat --no-pager | sed 's/^/   | /'
  if [[ ! $1 ]]; then
    systemctl disable --quiet --now $NAME
    die "nothing runs now; mend that, then run this again"
  fi
  systemctl stop $NAME
  point_to "$1"
  systemctl start $NAME || die "neither does $(basename "$1"), which ran before: journalctl -u $NAME"
  die "rolled back: $(basename "$1") runs again, as before"
}

# Keep the version that runs and the one before it.
forget_all_but() {
  local one
  for one in "$VERSIONS"/*; do
    if [[ $one != "$version" && $one != "$1" ]]; then rm -rf "$one"; fi
  done
}
