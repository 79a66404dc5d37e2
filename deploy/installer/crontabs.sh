# shellcheck shell=bash
# Finds the old cron job that writes the same rows and disables it, with a backup. Part of deploy/install.sh.
# shellcheck disable=SC2154  # variables are defined in install.sh

old_cron_files() {
  local file
  for file in /etc/crontab /etc/anacrontab /etc/cron.d/* /etc/cron.{hourly,daily,weekly,monthly}/* \
    /var/spool/cron/crontabs/* /var/spool/cron/*; do
    if [[ -f $file ]] && grep -Eqs "^[^#]*$OLD_CRON" "$file"; then readlink -f "$file"; fi
  done | sort -u
}

take_out_old_cron() {
  local files file
  mapfile -t files < <(old_cron_files)
  ((${#files[@]})) || return 0
  step "the old $OLD_CRON still writes the same rows"
  for file in "${files[@]}"; do
    grep -EHn "^[^#]*$OLD_CRON" "$file" | sed 's/^/   /'
  done
  if [[ $dry ]]; then
    say "   would ask whether to disable it (--yes: would disable it), after a backup to $ETC/crontab-backups"
  elif agreed "Disable it (a backup is kept)?"; then
    for file in "${files[@]}"; do take_out_of "$file"; done
  else
    say "   not disabled: two writers of the same rows conflict, so disable it manually"
  fi
}

# The file is replaced by a rename: cron watches the directory's mtime and never reads a partial file.
take_out_of() {
  local backups=$ETC/crontab-backups
  install -d -m 700 $backups
  cp --preserve=all "$1" "$backups/$(tr / _ <<<"${1#/}").$(date +%Y%m%dT%H%M%S)"
  put "$(stat -c %a "$1")" "$(stat -c %u:%g "$1")" "$1" < <(sed -E "/^[^#]*$OLD_CRON/s|^|$TAKEN_OUT|" "$1")
  say "   disabled in $1; the backup is in $backups"
}
