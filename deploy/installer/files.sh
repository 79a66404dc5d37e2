# shellcheck shell=bash
# Files: written at once, or staged, taken when the new version starts, and put back if it does not become ready.
# Part of deploy/install.sh.
# shellcheck disable=SC2154  # variables are defined in install.sh

# Create the folders of this run: `staged` has the new files and `former` the replaced ones, both by their full path.
# The service's user may read a staged configuration; secrets have mode 600.
make_scratch() {
  scratch=$(mktemp -d)
  chmod 711 "$scratch"
  staged=$scratch/staged former=$scratch/former
  mkdir "$staged" "$former"
  trap clean_up EXIT
}

# Remove what an incomplete run leaves; also runs after Ctrl-C.
clean_up() {
  if [[ $switching ]]; then roll_back || true; fi
  if [[ $unfinished ]]; then rm -rf "$unfinished"; fi
  rm -rf "$scratch"
}

# put MODE OWNER FILE: replace the file atomically with standard input; a file with equal content is not written.
put() {
  local new
  new=$(mktemp)
  cat >"$new"
  if cmp -s "$new" "$3"; then
    rm "$new"
  elif [[ $dry ]]; then
    say "   would write: $3 (mode $1, $2)"
    rm "$new"
  else
    install -m "$1" -o "${2%:*}" -g "${2#*:}" "$new" "$(dirname "$3")/.$NAME.new"
    mv "$(dirname "$3")/.$NAME.new" "$3"
    rm "$new"
  fi
}

# stage MODE OWNER FILE: keep standard input for `take`; a file with equal content is not staged.
stage() {
  if [[ $dry ]]; then
    put "$@"
    return
  fi
  mkdir -p "$(dirname "$staged$3")"
  put "$1" "$2" "$staged$3"
  if cmp -s "$staged$3" "$3"; then rm "$staged$3"; fi
}

staged_files() { find "$staged" -type f -printf '/%P\n'; }

# will_be FILE: print the path of the staged file, or of the present one.
will_be() { if [[ -e $staged$1 ]]; then echo "$staged$1"; else echo "$1"; fi; }

# Replace the files by the staged ones.
take() {
  local file
  install -d -m 750 -o root -g $NAME $ETC
  install -d -m 700 -o root -g root $ETC/targets
  while read -r file; do
    if [[ -e $file ]]; then copy "$file" "$former$file"; fi
    echo "$file" >>"$scratch/taken"
    copy "$staged$file" "$file"
  done < <(staged_files)
}

# Restore the files that `take` replaced and remove those it added.
put_back() {
  local file
  touch "$scratch/taken"
  while read -r file; do
    if [[ -e $former$file ]]; then copy "$former$file" "$file"; else rm -f "$file"; fi
  done <"$scratch/taken"
  rmdir --ignore-fail-on-non-empty $ETC/targets $ETC $DROP_INS 2>/dev/null || true
}

# copy FROM TO: replace a file atomically, with mode and owner.
copy() {
  local folder
  folder=$(dirname "$2")
  mkdir -p "$folder"
  cp --preserve=mode,ownership "$1" "$folder/.$NAME.new"
  mv "$folder/.$NAME.new" "$2"
}
