# shellcheck shell=bash
# Checks the new version, switches the service to it, and rolls back if it does not start. Part of deploy/install.sh.
# shellcheck disable=SC2154  # variables are defined in install.sh

# Run the check with the user and the credentials that the service will have.
check_version() {
  step "$NAME check"
  local status=0 credentials=() secret file configuration=()
  for secret in mongodb-uri http-token; do
    file=$(will_be $ETC/$secret)
    if [[ -s $file ]]; then credentials+=("--property=LoadCredential=$secret:$file"); fi
  done
  if [[ -d $ETC/targets ]]; then credentials+=("--property=LoadCredential=target:$ETC/targets"); fi
  if [[ -e $staged$ETC/config.toml ]]; then configuration=(--config "$staged$ETC/config.toml"); fi
  systemd-run --quiet --wait --pipe --collect --property=User=$NAME "${credentials[@]}" \
    "$version/bin/$NAME" check "${configuration[@]}" || status=$?
  if ((status == 1)) && starts_anyway; then
    say "   the check failed; starting anyway, as requested"
  elif ((status)); then
    die "the check failed, so nothing was started or changed ($(basename "$version") stays in $VERSIONS for the next run);" \
      "fix the problem and run this again$(hint_of "$status")"
  fi
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
}

# The command of the version that runs, or of the first version even before it runs.
write_command() {
  if [[ ! $dry && ! -e $CURRENT ]]; then point_to "$version"; fi
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

switch() {
  if [[ $before == "$version" && ! $(staged_files) ]] && systemctl is-active --quiet $NAME; then
    say "   already running; nothing to start"
    return
  fi
  step "starting; waiting until the change stream and the HTTP server are open"
  switching=1
  if [[ $before ]]; then systemctl stop $NAME; fi
  take
  point_to "$version"
  systemctl daemon-reload
  systemctl enable --quiet $NAME
  systemctl reset-failed $NAME 2>/dev/null || true
  start || exit 1 # clean_up rolls back
  switching=''
  if [[ $before != "$version" ]]; then # otherwise only a secret or a unit changed
    remove_old_versions
    restart_instances
  fi
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

# Put back the files and the version from before.
roll_back() {
  say "   the service did not become ready; the last lines of the journal:"
  journalctl --unit $NAME --lines 5 --output cat --no-pager | sed 's/^/   | /'
  systemctl stop $NAME
  if [[ ! $before ]]; then systemctl disable --quiet $NAME; fi
  put_back
  systemctl daemon-reload
  systemctl reset-failed $NAME 2>/dev/null || true
  if [[ ! $before ]]; then
    complain "no version is running; secrets and configuration were not kept. Fix the problem and run this again"
    return
  fi
  point_to "$before"
  if systemctl start $NAME; then
    complain "rolled back: $(basename "$before") is running again, with its secrets and configuration"
    return
  fi
  complain "the previous version $(basename "$before") does not start either; see journalctl -u $NAME." \
    "If $(basename "$version") had already taken over the data, the previous version cannot read it any more: fix the" \
    "problem and run this again. The daemon then continues from its checkpoint, so no change is lost"
}

# Keep the version that ran before this one; remove all older ones.
remove_old_versions() {
  local one
  for one in "$VERSIONS"/*; do
    if [[ $one != "$version" && $one != "$before" ]]; then rm -rf "$one"; fi
  done
}

# Restart the services of other shops ($NAME@SHOP), which run the same program.
restart_instances() {
  local units
  mapfile -t units < <(systemctl list-units --plain --no-legend "$NAME@*.service" | cut -d' ' -f1)
  ((${#units[@]})) || return 0
  step "restarting ${units[*]}"
  systemctl restart "${units[@]}" || say "   not all of them are ready; see systemctl status '$NAME@*'"
}
